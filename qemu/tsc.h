/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's time-stamp counter on node 0, as the others know it: only
 * arithmetic.
 *
 * A sample is what the counter and node 0's clock said at one moment.  Clocks
 * and counters of a host come from one crystal, but the operating system
 * steers the clock; so the rate between them is measured, and the nominal one
 * only used for the first second.
 */
#ifndef GVM_QEMU_TSC_H
#define GVM_QEMU_TSC_H

#include "gvm_port.h"

struct gvm_tsc {
	u32	khz;			/* nominal; 0: nothing is known yet */
	s64	ns;			/* the newest sample */
	u64	ticks;
	s64	anchor_ns;		/* an old one: for the rate */
	u64	anchor_ticks;
	s64	rate_ticks, rate_ns;	/* so many ticks in so many ns */
};

void gvm_tsc_sample(struct gvm_tsc *tsc, u32 khz, s64 ns, u64 ticks);

/* What the counter says at that time of node 0's clock; 0: nothing is known. */
u64 gvm_tsc_at(const struct gvm_tsc *tsc, s64 ns);

/*
 * How far to move a counter that runs and is so far behind (negative: ahead),
 * as a measurement says that may be wrong by doubt_ns; 0 if the error may be
 * nothing else.  Moving back takes the vCPU that long, since it must never see
 * it; so it is bounded.
 */
s64 gvm_tsc_step(const struct gvm_tsc *tsc, s64 behind, s64 doubt_ns);

s64 gvm_tsc_to_ns(const struct gvm_tsc *tsc, s64 ticks);

#endif
