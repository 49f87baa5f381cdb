// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * core-cost: nanoseconds of processor time for what the pager does to every
 * page: checksum, search for zeros, insertion and choice of victims.  The best
 * of a few rounds; for people who change core/.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache.h"
#include "check.h"
#include "crc32c.h"
#include "messages.h"
#include "page.h"

#define ROUNDS	7u
#define RUNS	64u

static u64 cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

static u32 checksum(const void *page)
{
	return gvm_crc32c_page(page);
}

static u32 checksum_table(const void *page)
{
	return gvm_crc32c_table(0, page, GVM_PAGE_BYTES);
}

static u32 search(const void *page)
{
	return gvm_page_is_zero(page);
}

static void measure(const char *what, u32 (*f)(const void *page),
		    const void *page, u32 times)
{
	double best = 1e9;

	for (u32 round = 0; round < ROUNDS; round++) {
		volatile u32 sink;
		u64 begin = cpu_ns();
		double each;

		for (u32 i = 0; i < times; i++) {
			__asm__ volatile("" : : "r"(page) : "memory");
			sink = f(page);
		}
		(void)sink;
		each = (double)(cpu_ns() - begin) / times;
		if (each < best)
			best = each;
	}
	printf("%-44s %8.1f ns\n", what, best);
}

static void measure_pages(void)
{
	u8 *page = aligned_alloc(GVM_PAGE_BYTES, GVM_PAGE_BYTES);
	u64 seed = 10;

	CHECK(page);
	for (u32 i = 0; i < GVM_PAGE_BYTES; i++)
		page[i] = (u8)chance(&seed);
	measure("checksum of a page", checksum, page, 20000);
	measure("the same by tables", checksum_table, page, 2000);
	measure("is it zero: no, first word", search, page, 100000);
	memset(page, 0, GVM_PAGE_BYTES);
	measure("is it zero: yes", search, page, 50000);
	page[2000] = 1;
	measure("is it zero: no, in the middle", search, page, 50000);
	free(page);
}

struct table {
	struct gvm_cache	cache;
	struct gvm_chunk	**chunks;
	u32			chunks_nr;
	u64			insert_ns;
	u64			inserts;
	u64			victims_ns;
	u64			victims;
};

static void fill(struct table *t, u64 *seed)
{
	u64 begin = cpu_ns();

	for (u32 i = 0; i < 64; i++) {
		u64 page = chance(seed) % ((u64)t->chunks_nr * GVM_CHUNK_PAGES);
		struct gvm_chunk *chunk = t->chunks[page / GVM_CHUNK_PAGES];
		u32 idx = page % GVM_CHUNK_PAGES;
		u8 state = chunk->state[idx];

		if (gvm_page_resident(state))
			continue;
		gvm_cache_insert(&t->cache, chunk, idx, state ?
				 GVM_CACHE_DEMAND : GVM_CACHE_TOUCH);
		chunk->state[idx] = GVM_PAGE_DIRTY;
		t->inserts++;
	}
	t->insert_ns += cpu_ns() - begin;
}

static void evict(struct table *t)
{
	struct gvm_victims runs[RUNS];
	u64 begin = cpu_ns();
	u32 nr = gvm_cache_victims(&t->cache, t->chunks, t->chunks_nr, 4096,
				   64, runs, RUNS);

	t->victims_ns += cpu_ns() - begin;
	for (u32 i = 0; i < nr; i++) {
		for (u32 k = 0; k < runs[i].count; k++) {
			u32 idx = runs[i].first + k;

			gvm_cache_remove(&t->cache, runs[i].chunk, idx, false);
			runs[i].chunk->state[idx] = GVM_PAGE_REMOTE;
			t->victims++;
		}
	}
}

/* Random pages of a region, so many of them resident: nothing is together. */
static void measure_table(u32 chunks_nr, u32 frames)
{
	struct table t = {
		.chunks = calloc(chunks_nr, sizeof(*t.chunks)),
		.chunks_nr = chunks_nr,
	};
	u64 seed = 11;

	CHECK(t.chunks);
	for (u32 i = 0; i < chunks_nr; i++) {
		t.chunks[i] = calloc(1, sizeof(**t.chunks));
		CHECK(t.chunks[i]);
	}
	gvm_cache_init(&t.cache, frames);
	while (t.victims < frames) {
		fill(&t, &seed);
		while (t.cache.resident > t.cache.frames)
			evict(&t);
	}
	printf("%4u GiB, %4u MiB here: insert a page         %8.1f ns\n",
	       chunks_nr / 512, frames / 256,
	       (double)t.insert_ns / (double)t.inserts);
	printf("%4u GiB, %4u MiB here: choose a victim       %8.1f ns\n",
	       chunks_nr / 512, frames / 256,
	       (double)t.victims_ns / (double)t.victims);
	for (u32 i = 0; i < chunks_nr; i++)
		free(t.chunks[i]);
	free(t.chunks);
}

int main(void)
{
	measure_pages();
	measure_table(512, 65536);
	measure_table(8192, 262144);
	measure_table(8192, 1048576);
	return 0;
}
