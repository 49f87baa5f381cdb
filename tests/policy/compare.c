// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * policy-compare TRACE...: a table of network misses, in percent of accesses,
 * with frames for 50, 25 and 10 % of the pages, of every policy on every
 * trace.  For people who tune; the tests beside it judge.
 */
#include <stdio.h>

#include "simulate.h"

static double percent(u64 part, u64 whole)
{
	return 100.0 * (double)part / (double)whole;
}

static void compare(const struct trace *t)
{
	static const u32 share[] = { 50, 25, 10 };

	for (u32 i = 0; i < 3; i++) {
		u32 frames = t->distinct * share[i] / 100;
		struct outcome opt = simulate_opt(t, frames);
		struct outcome lru = simulate_lru(t, frames);
		struct outcome fifo = simulate_fifo(t, frames);
		struct outcome ours = simulate_ours(t, frames);

		printf("%-10s %6u %3u%% %8.2f %8.2f %8.2f %8.2f %8.2f %7.2f\n",
		       t->name, t->distinct, share[i],
		       percent(opt.misses, t->nr), percent(lru.misses, t->nr),
		       percent(fifo.misses, t->nr),
		       percent(ours.misses, t->nr),
		       percent(ours.steals, t->nr),
		       fifo.misses ? (double)ours.misses /
				     (double)fifo.misses : 1.0);
	}
}

int main(int argc, char **argv)
{
	struct trace t;

	printf("%-10s %6s %4s %8s %8s %8s %8s %8s %7s\n", "trace", "pages",
	       "here", "OPT", "LRU", "FIFO", "ours", "steals", "/FIFO");
	for (int i = 1; i < argc; i++) {
		trace_load(&t, argv[i]);
		compare(&t);
		trace_free(&t);
	}
	for (u32 i = 0; trace_kinds[i]; i++) {
		trace_make(&t, trace_kinds[i]);
		compare(&t);
		trace_free(&t);
	}
	return 0;
}
