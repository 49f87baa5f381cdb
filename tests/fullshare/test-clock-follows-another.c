// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The time that a node reads stays close to node 0's and never goes back,
 * whatever the two hosts' clocks and the network do: else timers of the guest
 * would fire too early or never, and its clock would jump between CPUs.
 *
 * Simulated: the other clock has an offset, a rate and a step; round trips are
 * uneven, and every tenth is very slow.
 */
#include "../check.h"
#include "slew.h"

#define SECOND	1000000000ll

static u64 seed;

static s64 chance(s64 n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (s64)(seed >> 33) % n;
}

struct world {
	s64	offset_ns;
	s64	ppb;
};

static s64 theirs(const struct world *w, s64 local_ns)
{
	return w->offset_ns + local_ns +
	       local_ns / SECOND * w->ppb + local_ns % SECOND * w->ppb / SECOND;
}

/*
 * busy: for a third of the time every trip is slow, as on a loaded machine.
 * Worst error in the last half of the run;
 * checks that it never goes back.
 */
static s64 run(struct world w, s64 seconds, s64 trip_ns, s64 step_ns,
	       bool busy)
{
	struct gvm_slew slew = { 0 };
	s64 now_ns = 77 * SECOND, end_ns = now_ns + seconds * SECOND;
	s64 last = INT64_MIN, worst = 0;
	bool stepped = false;

	for (; now_ns < end_ns; now_ns += SECOND / 5) {
		s64 there = chance(trip_ns), back = chance(trip_ns);

		if (chance(10) == 0 || (busy && now_ns / SECOND % 6 < 2))
			there += chance(50 * trip_ns);
		if (!stepped && now_ns > end_ns - seconds * SECOND * 3 / 4) {
			w.offset_ns += step_ns;
			stepped = true;
		}
		gvm_slew_sample(&slew, now_ns - there - back, now_ns,
				theirs(&w, now_ns - back));
		slew.in_use = slew.samples >= 8;
		if (!slew.in_use)
			continue;
		for (s64 t = now_ns; t < now_ns + SECOND / 5; t += SECOND / 50) {
			s64 value = gvm_slew_read(&slew, t);
			s64 error = value - theirs(&w, t);

			CHECK(value >= last);
			last = value;
			if (error < 0)
				error = -error;
			if (now_ns > end_ns - seconds * SECOND / 2 &&
			    error > worst)
				worst = error;
		}
	}
	return worst;
}

int main(void)
{
	static const s64 ppb[] = { 0, 1000, 80000, -80000, 300000 };
	static const s64 offset[] = { 0, 5 * SECOND, -3000000 * SECOND };

	for (unsigned i = 0; i < 3; i++) {
		for (unsigned j = 0; j < 5; j++) {
			seed = i * 5 + j;
			/* 100 us each way: half of that is uncertain. */
			CHECK(run((struct world){ offset[i], ppb[j] }, 60,
				  100000, 0, false) < 150000);
			CHECK(run((struct world){ offset[i], ppb[j] }, 60,
				  100000, 0, true) < 300000);
		}
	}
	/* A jump of the other clock by 3 ms is slewed away, 2 s are stepped. */
	CHECK(run((struct world){ 0, 0 }, 120, 100000, 3000000, false) < 150000);
	CHECK(run((struct world){ 0, 0 }, 120, 100000, 2 * SECOND,
		  false) < 150000);
	return 0;
}
