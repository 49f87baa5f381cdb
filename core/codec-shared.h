/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* What the parts of the codec share.  For nobody else. */
#ifndef GVM_CODEC_SHARED_H
#define GVM_CODEC_SHARED_H

#include "codec.h"
#include "coherence.h"
#include "sharers.h"

/* -EPROTO, and *ret_why, if somebody wants to know. */
static inline int gvm_codec_refuse(const char **ret_why, const char *why)
{
	if (ret_why)
		*ret_why = why;
	return -EPROTO;
}

/*
 * Text for people: ends inside its field, and cannot move a cursor.  filled:
 * and there is nothing behind its end.
 */
bool gvm_codec_text_ok(const char *text, u32 bytes, bool filled);

/* Payloads of 32 .. 45. */
int gvm_codec_check_co(const struct gvm_head *head, const void *payload,
		       const char **ret_why);
/* Payloads of all types from 32 up; 0 for all others. */
int gvm_codec_check_shared(const struct gvm_head *head, const void *payload,
			   const char **ret_why);

#endif
