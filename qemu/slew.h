/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A clock that follows another machine's: only arithmetic.
 *
 * A sample is a round trip: when it left and came back by our clock, and what
 * the other clock said in between.  The true offset lies within half of the
 * round trip; a quick one is believed until a newer one is as certain, old ones
 * becoming less certain as clocks drift.  The clock that is read never jumps
 * back: it is slewed, at most 500 ppm off the rate that was measured, and steps
 * only forward and only when it is far behind.
 */
#ifndef GVM_QEMU_SLEW_H
#define GVM_QEMU_SLEW_H

#include "gvm_port.h"

struct gvm_slew_sample {
	s64	local_ns;		/* middle of the round trip */
	s64	offset_ns;		/* theirs minus ours */
	s64	trip_ns;
};

struct gvm_slew {
	struct gvm_slew_sample best;	/* the most certain one */
	struct gvm_slew_sample anchor;	/* an old good one: for the rate */
	u32	samples;		/* ever taken */
	s64	base_local_ns;		/* the line that is read */
	s64	base_ns;
	s64	rate_ppb;		/* of the line, against our clock */
	s64	drift_ppb;		/* measured */
	s64	error_ns;		/* of the line, at the last sample */
	bool	in_use;			/* somebody has read it: no step back */
};

void gvm_slew_sample(struct gvm_slew *slew, s64 sent_ns, s64 received_ns,
		     s64 theirs_ns);

/* What the other clock says now, by our best knowledge. */
s64 gvm_slew_read(const struct gvm_slew *slew, s64 local_ns);

#endif
