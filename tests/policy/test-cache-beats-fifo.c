// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, programs wait for the network more often than with the
 * simplest policy there is.  On traces of real programs ours must miss less
 * than FIFO in total, and be nowhere much worse; on made-up ones it must keep
 * a hot set through a scan, and part of a loop that does not fit.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "simulate.h"

static const u32 share[] = { 50, 25, 10 };	/* percent of the pages */

/* Not much worse: a twentieth, or 3 % of all accesses. */
static void check_near(const struct trace *t, struct outcome ours,
		       struct outcome fifo)
{
	if (ours.misses > fifo.misses + fifo.misses / 20 + t->nr * 3 / 100)
		printf("%s: %llu misses, FIFO %llu\n", t->name,
		       (unsigned long long)ours.misses,
		       (unsigned long long)fifo.misses);
	CHECK(ours.misses <=
	      fifo.misses + fifo.misses / 20 + t->nr * 3 / 100);
	/* Steals are cheap, not free. */
	CHECK(ours.steals <= t->nr * 15 / 100);
}

static void check_recorded(int argc, char **argv)
{
	u64 ours_sum = 0;
	u64 fifo_sum = 0;

	for (int i = 1; i < argc; i++) {
		struct trace t;

		trace_load(&t, argv[i]);
		for (u32 k = 0; k < 3; k++) {
			u32 frames = t.distinct * share[k] / 100;
			struct outcome ours = simulate_ours(&t, frames);
			struct outcome fifo = simulate_fifo(&t, frames);

			check_near(&t, ours, fifo);
			CHECK(ours.misses >= simulate_opt(&t, frames).misses);
			ours_sum += ours.misses;
			fifo_sum += fifo.misses;
		}
		trace_free(&t);
	}
	printf("recorded traces: %llu misses, FIFO %llu\n",
	       (unsigned long long)ours_sum, (unsigned long long)fifo_sum);
	CHECK(ours_sum <= fifo_sum);
	CHECK(ours_sum * 100 <= fifo_sum * 90);
}

static void check_made(void)
{
	for (u32 i = 0; trace_kinds[i]; i++) {
		struct trace t;

		trace_make(&t, trace_kinds[i]);
		for (u32 k = 0; k < 3; k++) {
			u32 frames = t.distinct * share[k] / 100;
			struct outcome ours = simulate_ours(&t, frames);
			struct outcome fifo = simulate_fifo(&t, frames);

			check_near(&t, ours, fifo);
			if (!strcmp(t.name, "loop"))
				CHECK(ours.misses * 100 <= fifo.misses * 97);
			if (!strcmp(t.name, "scan+hot"))
				CHECK(ours.misses * 100 <= fifo.misses * 92);
			if (!strcmp(t.name, "zipf"))
				CHECK(ours.misses * 100 <= fifo.misses * 95);
		}
		trace_free(&t);
	}
}

int main(int argc, char **argv)
{
	CHECK(argc > 1);
	check_recorded(argc, argv);
	check_made();
	return 0;
}
