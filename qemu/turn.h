/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose turn it is, by one clock: only arithmetic. */
#ifndef GVM_QEMU_TURN_H
#define GVM_QEMU_TURN_H

#include "gvm_port.h"

/* How long until the turn of node me, one of so many; 0: it is now. */
static inline u64 gvm_turn_wait(u64 now_ns, u64 turn_ns, u32 me, u32 nodes)
{
	const u64 whose = now_ns / turn_ns % nodes;
	const u64 ahead = (me + nodes - whose) % nodes;

	return ahead ? ahead * turn_ns - now_ns % turn_ns : 0;
}

#endif
