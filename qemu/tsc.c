// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where the guest's time-stamp counter is on node 0.
 */
#include "tsc.h"

#define SECOND_NS	1000000000ll
#define RATE_FROM_NS	SECOND_NS	/* rates are measured over this ... */
#define RATE_TO_NS	(8 * SECOND_NS)	/* ... and this at most */
#define RATE_OFF_PPM	1000ll		/* farther from nominal: not believed */
#define JUMP_NS		1000000ll	/* farther from the line: another guest */
#define NOISE_NS	2000ll		/* clocks are not known better */
#define BACK_MAX_NS	100000ll

static s64 scale(s64 value, s64 times, s64 by)
{
	return (s64)((__int128)value * times / by);
}

static s64 distance(s64 value)
{
	return value < 0 ? -value : value;
}

s64 gvm_tsc_to_ns(const struct gvm_tsc *tsc, s64 ticks)
{
	return tsc->khz ? scale(ticks, 1000000, tsc->khz) : 0;
}

u64 gvm_tsc_at(const struct gvm_tsc *tsc, s64 ns)
{
	if (!tsc->khz)
		return 0;
	return tsc->ticks +
	       (u64)scale(ns - tsc->ns, tsc->rate_ticks, tsc->rate_ns);
}

static void begin(struct gvm_tsc *tsc, u32 khz, s64 ns, u64 ticks)
{
	tsc->khz = khz;
	tsc->ns = tsc->anchor_ns = ns;
	tsc->ticks = tsc->anchor_ticks = ticks;
	tsc->rate_ticks = khz;
	tsc->rate_ns = 1000000;
}

void gvm_tsc_sample(struct gvm_tsc *tsc, u32 khz, s64 ns, u64 ticks)
{
	s64 over = ns - tsc->anchor_ns;
	s64 ran = (s64)(ticks - tsc->anchor_ticks);
	s64 off;

	/* A guest that was reset begins anew. */
	if (tsc->khz != khz || over < 0 ||
	    distance(gvm_tsc_to_ns(tsc, (s64)(ticks - gvm_tsc_at(tsc, ns)))) >
	    JUMP_NS) {
		begin(tsc, khz, ns, ticks);
		return;
	}
	tsc->ns = ns;
	tsc->ticks = ticks;
	if (over < RATE_FROM_NS)
		return;
	off = ran - scale(over, khz, 1000000);
	if (distance(off) <= ran / 1000000 * RATE_OFF_PPM) {
		tsc->rate_ticks = ran;
		tsc->rate_ns = over;
	}
	if (over >= RATE_TO_NS) {
		tsc->anchor_ns = ns;
		tsc->anchor_ticks = ticks;
	}
}

s64 gvm_tsc_step(const struct gvm_tsc *tsc, s64 behind, s64 doubt_ns)
{
	s64 limit = scale(BACK_MAX_NS, tsc->khz, 1000000);

	if (distance(gvm_tsc_to_ns(tsc, behind)) < NOISE_NS + doubt_ns)
		return 0;
	return behind < -limit ? -limit : behind;
}
