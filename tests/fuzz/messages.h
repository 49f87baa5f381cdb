/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Good messages of every type, to start from, and a source of chance. */
#ifndef GVM_TESTS_MESSAGES_H
#define GVM_TESTS_MESSAGES_H

#include "codec.h"

#define MESSAGE_BYTES_MAX	(sizeof(struct gvm_msg) + GVM_PAYLOAD_BYTES_MAX)

/* The numbers between private and shared regions mean nothing yet. */
static inline bool message_known(u32 type)
{
	return type && type < GVM_MSG_TYPE_NR &&
	       (type <= GVM_MSG_STATS || type >= GVM_MSG_CO_FIRST);
}

/*
 * Write a good message of the type, header and payload, to at (at least
 * MESSAGE_BYTES_MAX); its length.  0: there is no such type.  DATA and WRITE
 * have one raw and one zero page, READ and TRIM two runs, INVALIDATE a list.
 */
u32 message_make(u16 type, void *at);

/* The same sequence on every machine (splitmix64). */
static inline u64 chance(u64 *seed)
{
	u64 x = *seed += 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

#endif
