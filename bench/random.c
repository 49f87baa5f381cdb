// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random pages of a memory that may not fit: read, then read-modify-write,
 * each access timed and its content checked.
 *
 * An ordinary program that knows nothing of giantvm.  The runner starts it
 * under `giantvm run --local`, and for comparison in a memory cgroup of the
 * same size with swap.  Its tables live in .bss: a large mapping of its own
 * would be paged as well.  Pages hold random bytes, so that neither side gains
 * by recognising zeros or by compressing.
 */
#include <string.h>
#include <sys/resource.h>
#include "lib.h"

#define PAGES_MAX	(512u << 10)
#define WORDS		(BENCH_PAGE / sizeof(u64))

static u32 version[PAGES_MAX];
static struct hist read_hist, rmw_hist;
static u64 mismatches;

static u64 stamp(u64 page)
{
	u64 x = (page + 1) * 0x9e3779b97f4a7c15ull + version[page];

	return rnd(&x) | 1;
}

static void fill(u64 *mem, u64 pages)
{
	u64 seed = 42;

	for (u64 i = 0; i < pages; i++) {
		u64 *p = mem + i * WORDS;

		for (u64 w = 1; w < WORDS - 1; w++)
			p[w] = rnd(&seed);
		p[0] = stamp(i);
		p[WORDS - 1] = stamp(i);
	}
}

/* One access; the wait is that of its first touch. */
static u64 touch(u64 *mem, u64 page, bool write)
{
	volatile u64 *p = mem + page * WORDS;
	u64 first, t = now_ns();

	first = p[0];
	if (write)
		p[1] = first;
	t = now_ns() - t;
	if (first != stamp(page) || p[WORDS - 1] != first)
		mismatches++;
	if (write) {
		version[page]++;
		p[0] = stamp(page);
		p[WORDS - 1] = stamp(page);
	}
	return t;
}

static u64 pass(u64 *mem, u64 pages, u64 nr, bool write, struct hist *h)
{
	static u64 seed = 7;
	u64 start = now_ns();

	for (u64 i = 0; i < nr; i++) {
		u64 t = touch(mem, rnd(&seed) % pages, write);

		if (h)
			hist_add(h, t);
	}
	return now_ns() - start;
}

static void verify_all(u64 *mem, u64 pages)
{
	for (u64 i = 0; i < pages; i++)
		touch(mem, i, false);
}

int main(int argc, char **argv)
{
	u64 size = 1ull << 30, nr = 100000, verify = 0;
	u64 pages, t, fill_ns, read_ns, rmw_ns;
	const struct arg args[] = {
		{ "size", &size, NULL },
		{ "accesses", &nr, NULL },
		{ "verify", &verify, NULL },
	};
	struct rusage use;
	u64 *mem;

	args_parse(argc, argv, args, sizeof(args) / sizeof(args[0]));
	pages = size / BENCH_PAGE;
	if (!pages || pages > PAGES_MAX)
		skip("--size is 4K to 2G");
	/* Its pages exist before the limit bites, or their faults would count. */
	memset(version, 0, pages * sizeof(version[0]));
	mem = map_pages(size);
	t = now_ns();
	fill(mem, pages);
	fill_ns = now_ns() - t;
	/* The end of the fill is all that is local: mix before measuring. */
	pass(mem, pages, nr / 2, false, NULL);
	read_ns = pass(mem, pages, nr, false, &read_hist);
	pass(mem, pages, nr / 2, true, NULL);
	rmw_ns = pass(mem, pages, nr, true, &rmw_hist);
	if (verify)
		verify_all(mem, pages);
	getrusage(RUSAGE_SELF, &use);

	json_begin();
	json_number("size", (double)size);
	json_number("fill_s", (double)fill_ns / 1e9);
	json_number("read_per_s", (double)nr * 1e9 / (double)read_ns);
	json_number("rmw_per_s", (double)nr * 1e9 / (double)rmw_ns);
	json_number("major_faults", (double)use.ru_majflt);
	json_number("mismatches", (double)mismatches);
	json_hist("read", &read_hist);
	json_hist("rmw", &rmw_hist);
	json_end();
	return mismatches != 0;
}
