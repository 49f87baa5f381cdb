// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Following another clock.  All times are nanoseconds; products of a time and
 * a rate stay below 2^63 because the line is laid anew at every sample.
 */
#include "slew.h"

#define PPB		1000000000ll
#define SLEW_MAX_PPB	500000ll	/* 500 ppm beside the measured rate */
#define DRIFT_MAX_PPB	500000ll	/* worse than any crystal: not believed */
#define DOUBT_PPM	50ll		/* of drift that was not measured */
#define STEP_NS		100000000ll	/* farther behind than this: step */
#define HORIZON_NS	1000000000ll	/* an error is gone after this */
#define RATE_FROM_NS	1000000000ll	/* rates are measured over this ... */
#define RATE_TO_NS	8000000000ll	/* ... and this at most */
#define RATE_DOUBT_MAX	30000ll		/* a part of that: 33 ppm */

s64 gvm_slew_read(const struct gvm_slew *slew, s64 local_ns)
{
	s64 since = local_ns - slew->base_local_ns;

	/* Seconds apart: a day times 10^6 ppb would not fit. */
	return slew->base_ns + since + since / PPB * slew->rate_ppb +
	       since % PPB * slew->rate_ppb / PPB;
}

/* How wrong the offset of a sample may be by now. */
static s64 doubt(const struct gvm_slew_sample *sample, s64 local_ns)
{
	return sample->trip_ns / 2 +
	       (local_ns - sample->local_ns) / 1000000 * DOUBT_PPM;
}

static s64 clamp(s64 value, s64 limit)
{
	return value > limit ? limit : value < -limit ? -limit : value;
}

/* Only where the doubt at both ends is small against what lies between. */
static void measure_drift(struct gvm_slew *slew)
{
	const struct gvm_slew_sample *now = &slew->best;
	s64 over = now->local_ns - slew->anchor.local_ns;
	s64 moved = now->offset_ns - slew->anchor.offset_ns;
	s64 doubted = (now->trip_ns + slew->anchor.trip_ns) / 2;

	if (over < RATE_FROM_NS || doubted > over / RATE_DOUBT_MAX)
		return;
	if (moved < over && moved > -over)
		slew->drift_ppb = clamp(moved * 1000 / (over / 1000000),
					DRIFT_MAX_PPB);
	if (over >= RATE_TO_NS)
		slew->anchor = *now;
}

void gvm_slew_sample(struct gvm_slew *slew, s64 sent_ns, s64 received_ns,
		     s64 theirs_ns)
{
	const struct gvm_slew_sample sample = {
		.local_ns = sent_ns + (received_ns - sent_ns) / 2,
		.offset_ns = theirs_ns - sent_ns - (received_ns - sent_ns) / 2,
		.trip_ns = received_ns - sent_ns,
	};
	s64 value, wanted;

	if (!slew->samples++)
		slew->anchor = slew->best = sample;
	if (doubt(&sample, received_ns) <= doubt(&slew->best, received_ns)) {
		slew->best = sample;
		if (!slew->in_use)
			slew->anchor = sample;
		measure_drift(slew);
	}
	value = slew->samples == 1 ? theirs_ns :
				     gvm_slew_read(slew, received_ns);
	wanted = received_ns + slew->best.offset_ns +
		 (received_ns - slew->best.local_ns) / 1000 * slew->drift_ppb /
		 1000000;
	slew->error_ns = wanted - value;
	if (!slew->in_use || slew->error_ns > STEP_NS)
		value = wanted;
	slew->base_local_ns = received_ns;
	slew->base_ns = value;
	slew->rate_ppb = slew->drift_ppb +
			 clamp((wanted - value) / (HORIZON_NS / PPB),
			       SLEW_MAX_PPB);
}
