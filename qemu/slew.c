// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Following another clock.  All times are nanoseconds; products of a time and
 * a rate stay below 2^63 because the line is laid anew at every sample.
 */
#include "slew.h"

#define PPB		1000000000ll
#define SLEW_MAX_PPB	500000ll	/* 500 ppm beside the measured rate */
#define DRIFT_MAX_PPB	1000000ll	/* worse than any crystal: not believed */
#define STEP_NS		100000000ll	/* farther behind than this: step */
#define HORIZON_NS	1000000000ll	/* an error is gone after this */
#define RATE_FROM_NS	1000000000ll	/* rates are measured over this ... */
#define RATE_TO_NS	8000000000ll	/* ... and this at most */

s64 gvm_slew_read(const struct gvm_slew *slew, s64 local_ns)
{
	s64 since = local_ns - slew->base_local_ns;

	/* Seconds apart: a day times 10^6 ppb would not fit. */
	return slew->base_ns + since + since / PPB * slew->rate_ppb +
	       since % PPB * slew->rate_ppb / PPB;
}

static const struct gvm_slew_sample *best(const struct gvm_slew *slew)
{
	u32 n = slew->samples < GVM_SLEW_SAMPLES ? slew->samples :
						   GVM_SLEW_SAMPLES;
	const struct gvm_slew_sample *quickest = &slew->last[0];

	for (u32 i = 1; i < n; i++)
		if (slew->last[i].trip_ns < quickest->trip_ns)
			quickest = &slew->last[i];
	return quickest;
}

static s64 clamp(s64 value, s64 limit)
{
	return value > limit ? limit : value < -limit ? -limit : value;
}

/* Both ends of the measurement are uncertain by half their round trips. */
static void measure_drift(struct gvm_slew *slew,
			  const struct gvm_slew_sample *now)
{
	s64 over = now->local_ns - slew->anchor.local_ns;
	s64 moved = now->offset_ns - slew->anchor.offset_ns;

	if (over < RATE_FROM_NS)
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
	struct gvm_slew_sample *slot, good;
	s64 value, wanted;

	slot = &slew->last[slew->samples % GVM_SLEW_SAMPLES];
	slot->local_ns = sent_ns + (received_ns - sent_ns) / 2;
	slot->offset_ns = theirs_ns - slot->local_ns;
	slot->trip_ns = received_ns - sent_ns;
	slew->samples++;
	good = *best(slew);
	if (slew->samples <= GVM_SLEW_SAMPLES)
		slew->anchor = good;
	else
		measure_drift(slew, &good);

	value = slew->samples == 1 ? theirs_ns :
				     gvm_slew_read(slew, received_ns);
	wanted = received_ns + good.offset_ns +
		 (received_ns - good.local_ns) / 1000 * slew->drift_ppb /
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
