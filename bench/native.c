// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What paging costs a program that fits: a chain of dependent loads all over
 * the memory, and a copy of one half to the other as in STREAM.
 *
 * Run natively and under `giantvm run` with a limit above --size, both at once:
 * each does one piece of work when it is told to on its standard input, so that
 * the two work in turns of milliseconds.  --thp says which page size the program
 * asks for; `huge_bytes` in the output says what it got, because that decides
 * the chain more than anything else.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "lib.h"

#define REPS_MAX	256u

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

static void advise(void *mem, u64 size, const char *thp)
{
	if (!strcmp(thp, "huge"))
		madvise(mem, size, MADV_HUGEPAGE);
	else if (!strcmp(thp, "small"))
		madvise(mem, size, MADV_NOHUGEPAGE);
	else
		skip("--thp is huge or small");
}

static void print_all(const char *key, const double *v, u64 nr)
{
	printf("\"%s\": [", key);
	for (u64 i = 0; i < nr; i++)
		printf("%s%.6g", i ? ", " : "", v[i]);
	printf("], ");
}

/* "c": one copy.  "l": --loads of the chain.  The end of input ends it. */
static void work(u8 *mem, u64 size, u64 loads)
{
	static double chase[REPS_MAX], copy[REPS_MAX];
	u64 chases = 0, copies = 0, pos = 0;
	int word;

	puts("ready");
	fflush(stdout);
	while ((word = getchar()) != EOF) {
		if (word == 'c' && copies < REPS_MAX) {
			copy[copies] = copy_mb_s(mem, size, copies);
			copies++;
		} else if (word == 'l' && chases < REPS_MAX) {
			if (!chases)
				chain_build((struct line *)mem,
					    size / sizeof(struct line));
			chase[chases++] = chain_ns((struct line *)mem, &pos,
						   loads);
		} else {
			continue;
		}
		puts("done");
		fflush(stdout);
	}
	putchar('{');
	print_all("copy_mb_s", copy, copies);
	print_all("chase_ns", chase, chases);
}

int main(int argc, char **argv)
{
	u64 size = 256ull << 20, loads = 1u << 20;
	const char *thp = "small";
	const struct arg args[] = {
		{ "size", &size, NULL },
		{ "loads", &loads, NULL },
		{ "thp", NULL, &thp },
	};
	u8 *mem;

	args_parse(argc, argv, args, sizeof(args) / sizeof(args[0]));
	if (size & (size - 1))
		skip("--size must be a power of two");
	mem = map_pages(size);
	advise(mem, size, thp);
	touch_pages(mem, size);
	copy_mb_s(mem, size, 1);
	work(mem, size, loads);
	printf("\"rss_bytes\": %.0f, ", (double)smaps_sum(0, "Rss:", mem, size));
	printf("\"huge_bytes\": %.0f}\n",
	       (double)smaps_sum(0, "AnonHugePages:", mem, size));
	return 0;
}
