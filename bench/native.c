// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What paging costs a program that fits: a chain of dependent loads all over
 * the memory, and a copy of one half to the other as in STREAM.
 *
 * Run natively and under `giantvm run` with a limit above --size.  --thp says
 * which page size the program asks for; `huge_bytes` in the output says what
 * it got, because that decides the chain more than anything else.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "lib.h"

#define REPS_MAX	64u

struct line {
	u64	next;
	u64	rest[7];
};

/*
 * A full cycle through all lines (a linear congruential step with a power of
 * two as modulus): no shuffle to build, and no prefetcher follows it.
 */
static void chain_build(struct line *mem, u64 lines)
{
	for (u64 i = 0; i < lines; i++)
		mem[i].next = (i * 2862933555777941757ull + 3037000493ull) &
			      (lines - 1);
}

static double chain_ns(const struct line *mem, u64 *pos, u64 loads)
{
	u64 t = now_ns(), at = *pos;

	for (u64 i = 0; i < loads; i++)
		at = ((volatile const struct line *)mem)[at].next;
	*pos = at;
	return (double)(now_ns() - t) / (double)loads;
}

static double copy_mb_s(u8 *mem, u64 size, u64 rep)
{
	/* Alternating directions: each half is read and written. */
	u8 *a = mem + (rep & 1 ? size / 2 : 0);
	u8 *b = mem + (rep & 1 ? 0 : size / 2);
	u64 t = now_ns();

	for (u64 i = 0; i < size / 2; i += 8)
		*(volatile u64 *)(a + i) = *(volatile u64 *)(b + i);
	return (double)size * 1e3 / (double)(now_ns() - t);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, u64 nr)
{
	qsort(v, nr, sizeof(*v), by_value);
	return v[nr / 2];
}

static void advise(void *mem, u64 size, const char *thp)
{
	if (!strcmp(thp, "huge"))
		madvise(mem, size, MADV_HUGEPAGE);
	else if (!strcmp(thp, "small"))
		madvise(mem, size, MADV_NOHUGEPAGE);
	else
		skip("--thp is huge or small");
}

int main(int argc, char **argv)
{
	u64 size = 256ull << 20, reps = 5, loads = 1u << 20, pos = 0;
	const char *thp = "small";
	const struct arg args[] = {
		{ "size", &size, NULL },
		{ "reps", &reps, NULL },
		{ "loads", &loads, NULL },
		{ "thp", NULL, &thp },
	};
	double chase[REPS_MAX], copy[REPS_MAX];
	u8 *mem;

	args_parse(argc, argv, args, sizeof(args) / sizeof(args[0]));
	if (size & (size - 1) || reps > REPS_MAX || !reps)
		skip("--size must be a power of two and --reps 1 to 64");
	mem = map_pages(size);
	advise(mem, size, thp);
	touch_pages(mem, size);
	copy_mb_s(mem, size, 1);
	for (u64 r = 0; r < reps; r++)
		copy[r] = copy_mb_s(mem, size, r);
	chain_build((struct line *)mem, size / sizeof(struct line));
	chain_ns((struct line *)mem, &pos, loads);
	for (u64 r = 0; r < reps; r++)
		chase[r] = chain_ns((struct line *)mem, &pos, loads);

	json_begin();
	json_number("chase_ns", median(chase, reps));
	json_number("chase_best_ns", chase[0]);
	json_number("copy_mb_s", median(copy, reps));
	json_number("copy_best_mb_s", copy[reps - 1]);
	json_number("rss_bytes", (double)smaps_sum(0, "Rss:", mem, size));
	json_number("huge_bytes",
		    (double)smaps_sum(0, "AnonHugePages:", mem, size));
	json_end();
	return 0;
}
