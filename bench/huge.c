// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Does it pay to give 2 MiB pages back to memory that was paged in by 4 KiB?
 *
 * Memory armed with userfaultfd as a pager arms it, every page copied in by
 * itself; a chain of dependent loads before and after MADV_COLLAPSE, and the
 * price of the collapse.  Their quotient is how often a chunk must be touched
 * before the collapse was worth it.
 */
#define _GNU_SOURCE
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "floor-uffd.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif
#define CHUNK		(2ull << 20)

static void fill_small(int uffd, u64 *mem, u64 size)
{
	static u64 page[BENCH_PAGE / 8] __attribute__((aligned(4096)));
	u64 lines = size / 64;

	for (u64 off = 0; off < size; off += BENCH_PAGE) {
		struct uffdio_copy copy = {
			.dst = (u64)(uintptr_t)mem + off,
			.src = (u64)(uintptr_t)page,
			.len = BENCH_PAGE,
		};

		for (u64 l = 0; l < BENCH_PAGE / 64; l++)
			page[l * 8] = ((off / 64 + l) * 2862933555777941757ull +
				       3037000493ull) & (lines - 1);
		if (ioctl(uffd, UFFDIO_COPY, &copy))
			die("UFFDIO_COPY");
	}
}

static double chase_ns(const u64 *mem, u64 loads)
{
	static u64 at;
	u64 t = now_ns();

	for (u64 i = 0; i < loads; i++)
		at = ((volatile const u64 *)mem)[at * 8];
	return (double)(now_ns() - t) / (double)loads;
}

/* Microseconds per chunk; the count that the kernel agreed to in *ret_done. */
static double collapse_us(u8 *mem, u64 size, u64 *ret_done)
{
	u64 t = now_ns();

	*ret_done = 0;
	for (u64 off = 0; off < size; off += CHUNK)
		*ret_done += !madvise(mem + off, CHUNK, MADV_COLLAPSE);
	return (double)(now_ns() - t) / 1e3 / (double)(size / CHUNK);
}

int main(int argc, char **argv)
{
	u64 size = 256ull << 20, loads = 2u << 20, done;
	const struct arg args[] = {
		{ "size", &size, NULL },
		{ "loads", &loads, NULL },
	};
	struct uffdio_register reg = {
		.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP,
	};
	double small, big, us;
	u64 *mem;
	int uffd;

	args_parse(argc, argv, args, sizeof(args) / sizeof(args[0]));
	if (size & (size - 1) || size < CHUNK)
		skip("--size must be a power of two, 2M or more");
	uffd = uffd_open(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	if (uffd < 0)
		skip("no permission for userfaultfd");
	mem = map_pages(size);
	madvise(mem, size, MADV_NOHUGEPAGE);
	touch_pages(mem, size);
	madvise(mem, size, MADV_DONTNEED);
	reg.range.start = (u64)(uintptr_t)mem;
	reg.range.len = size;
	if (ioctl(uffd, UFFDIO_REGISTER, &reg))
		die("UFFDIO_REGISTER");
	fill_small(uffd, mem, size);
	chase_ns(mem, loads);
	small = chase_ns(mem, loads);
	madvise(mem, size, MADV_HUGEPAGE);
	us = collapse_us((u8 *)mem, size, &done);
	chase_ns(mem, loads);
	big = chase_ns(mem, loads);

	json_begin();
	json_number("small_ns", small);
	json_number("huge_ns", big);
	json_number("collapse_us", us);
	json_number("collapsed", (double)done);
	json_number("chunks", (double)(size / CHUNK));
	json_number("huge_bytes",
		    (double)smaps_sum(0, "AnonHugePages:", mem, size));
	json_number("pays_after_loads",
		    small > big ? us * 1e3 / (small - big) : 0);
	json_end();
	return 0;
}
