// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Under KVM a guest's time-stamp counter is the same on all nodes: what the
 * others expect of node 0's stays within microseconds of it, whatever the
 * counter's true rate is and however its operating system steers the clock; and
 * a reset of the guest is followed at once.  Else the guest's time would jump
 * between its CPUs.
 *
 * Simulated: a counter that is off its nominal rate, seen through a clock that
 * is steered, by samples that are read with some delay.
 */
#include <stdlib.h>

#include "../check.h"
#include "tsc.h"

#define SECOND	1000000000ll
#define KHZ	2300000
#define HALF_NS	(60 * SECOND)

static u64 seed = 1;

static s64 chance(s64 n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (s64)(seed >> 33) % n;
}

/* The counter by node 0's clock, which runs ppm slow, and 1 more at half-time. */
static u64 counter(s64 ns, s64 ppm)
{
	s64 ticks = ns / 10 * (KHZ / 100000);
	s64 late = ns > HALF_NS ? (ns - HALF_NS) / 10 * (KHZ / 100000) : 0;

	return 1000000000ull +
	       (u64)(ticks + ticks / 1000000 * ppm + late / 1000000);
}

/* Worst error in ns of what is expected, from the third second on. */
static s64 run(s64 ppm, s64 interval_ns, s64 noise_ns)
{
	struct gvm_tsc tsc = { 0 };
	s64 worst = 0;

	for (s64 ns = 0; ns < 2 * HALF_NS; ns += interval_ns) {
		s64 late = chance(noise_ns + 1);

		gvm_tsc_sample(&tsc, KHZ, ns + late, counter(ns, ppm));
		for (s64 t = ns; t < ns + interval_ns; t += interval_ns / 7) {
			s64 off = (s64)(gvm_tsc_at(&tsc, t) - counter(t, ppm));

			off = llabs(gvm_tsc_to_ns(&tsc, off));
			if (ns > 3 * SECOND && off > worst)
				worst = off;
		}
	}
	return worst;
}

static void a_reset_is_followed(void)
{
	struct gvm_tsc tsc = { 0 };

	for (s64 ns = 0; ns < 10 * SECOND; ns += SECOND)
		gvm_tsc_sample(&tsc, KHZ, ns, counter(ns, 40));
	gvm_tsc_sample(&tsc, KHZ, 10 * SECOND, 5);
	CHECK(gvm_tsc_at(&tsc, 10 * SECOND) == 5);
	CHECK(gvm_tsc_at(&tsc, 11 * SECOND) == 5 + KHZ * 1000ull);
}

int main(void)
{
	static const s64 ppm[] = { 0, 3, -80, 300 };
	struct gvm_tsc tsc = { 0 };

	/* Nothing is known: nothing is said. */
	CHECK(gvm_tsc_at(&tsc, SECOND) == 0);
	CHECK(gvm_tsc_to_ns(&tsc, 100) == 0);
	for (unsigned i = 0; i < 4; i++) {
		CHECK(run(ppm[i], SECOND, 0) < 1500);
		CHECK(run(ppm[i], SECOND, 500) < 3000);
	}
	/* No rate is believed that no crystal has. */
	CHECK(run(5000, SECOND, 0) > SECOND / 1000);

	a_reset_is_followed();
	gvm_tsc_sample(&tsc, KHZ, 0, 1);
	/* Noise is left alone; the way forward is free, the way back is not. */
	CHECK(gvm_tsc_step(&tsc, KHZ / 1000, 0) == 0);
	CHECK(gvm_tsc_step(&tsc, -KHZ / 1000, 0) == 0);
	CHECK(gvm_tsc_step(&tsc, KHZ, 0) == KHZ);
	CHECK(gvm_tsc_step(&tsc, -KHZ / 100, 0) == -KHZ / 100);
	CHECK(gvm_tsc_step(&tsc, -KHZ * 10, 0) == -KHZ / 10);
	/* Ten microseconds are noise where a reading takes that long. */
	CHECK(gvm_tsc_step(&tsc, KHZ / 100, 10000) == 0);
	CHECK(gvm_tsc_step(&tsc, KHZ / 50, 10000) == KHZ / 50);
	return 0;
}
