// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, eviction stops finding pages although the limit is exceeded,
 * or takes a page twice, or one that is not here: any order of insertions for
 * any reason, discards, evictions, pinned pages, forgotten victims and changes
 * of the limit, checked against a plain count of what is resident.
 */
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "check.h"
#include "messages.h"
#include "page.h"

#define CHUNKS		7u
#define PAGES		(CHUNKS * GVM_CHUNK_PAGES)
#define RUNS		16u

static struct gvm_chunk *chunks[CHUNKS + 2];	/* with holes */
static struct gvm_cache cache;
static u64 resident;

static struct gvm_chunk *chunk_of(u32 page)
{
	/* Slots 0 and 4 are holes. */
	u32 slot = page / GVM_CHUNK_PAGES;

	return chunks[slot < 3 ? slot + 1 : slot + 2];
}

static void check_counts(void)
{
	u64 sum = 0;
	u64 here = 0;

	for (u32 i = 0; i < 256; i++)
		sum += cache.count[i];
	for (u32 i = 0; i < CHUNKS; i++)
		here += chunk_of(i * GVM_CHUNK_PAGES)->resident;
	CHECK(cache.resident == resident);
	CHECK(sum == resident && here == resident);
}

static void insert(u32 page, enum gvm_cache_why why)
{
	struct gvm_chunk *chunk = chunk_of(page);
	u32 idx = page % GVM_CHUNK_PAGES;

	if (gvm_page_resident(chunk->state[idx]))
		return;
	gvm_cache_insert(&cache, chunk, idx, why);
	chunk->state[idx] = page % 3 == 0 ? GVM_PAGE_CLEAN :
			    page % 3 == 1 ? GVM_PAGE_DIRTY : GVM_PAGE_DIRTY_WB;
	resident++;
}

static void take(struct gvm_chunk *chunk, u32 idx, bool forget)
{
	static const u8 gone[] = { GVM_PAGE_ZERO, GVM_PAGE_REMOTE,
				   GVM_PAGE_STAGED, GVM_PAGE_WRITING };

	if (!gvm_page_resident(chunk->state[idx]))
		return;
	gvm_cache_remove(&cache, chunk, idx, forget);
	chunk->state[idx] = gone[idx % 4];
	resident--;
}

/* Evict; some are pinned and rotate, some are simply forgotten. */
static u32 evict(u64 *seed, u32 pages_max, u32 chunks_max, bool stubborn)
{
	struct gvm_victims runs[RUNS];
	u32 nr = gvm_cache_victims(&cache, chunks, CHUNKS + 2, chunks_max,
				   pages_max, runs, RUNS);
	u32 pages = 0;

	CHECK(nr <= RUNS);
	for (u32 i = 0; i < nr; i++) {
		struct gvm_chunk *chunk = runs[i].chunk;

		CHECK(runs[i].count);
		CHECK(runs[i].first + runs[i].count <= (int)GVM_CHUNK_PAGES);
		for (u32 k = runs[i].first; runs[i].count; k++) {
			u64 dice = chance(seed) % 16;

			runs[i].count--;
			pages++;
			CHECK(gvm_page_resident(chunk->state[k]));
			if (stubborn && dice == 0)
				continue;
			if (stubborn && dice < 3) {
				gvm_cache_remove(&cache, chunk, k, false);
				gvm_cache_insert(&cache, chunk, k,
						 GVM_CACHE_ROTATE);
				continue;
			}
			take(chunk, k, false);
		}
	}
	CHECK(pages <= pages_max);
	return pages;
}

/* However it came to this, all of it can be evicted in bounded time. */
static void drain(u64 *seed)
{
	u32 calls = 0;

	while (cache.resident) {
		evict(seed, 64, 4, false);
		CHECK(++calls < 20000);
	}
	CHECK(resident == 0);
	CHECK(evict(seed, 64, 100, false) == 0);
}

static void check_chance(u64 *seed, u32 frames, u32 span)
{
	gvm_cache_init(&cache, frames);
	for (u32 i = 0; i < 100000; i++) {
		u32 page = (u32)(chance(seed) % span);
		u32 dice = (u32)(chance(seed) % 64);

		if (dice < 48)
			insert(page, (enum gvm_cache_why)(dice % 4));
		else if (dice < 52)
			take(chunk_of(page), page % GVM_CHUNK_PAGES,
			     dice & 1);
		else if (dice == 63 && i % 1000 == 0)
			gvm_cache_resize(&cache, 1 + (u32)(chance(seed) %
							   (2 * frames)));
		for (u32 k = 0; cache.resident > cache.frames && k < 100; k++)
			evict(seed, 1 + dice, 1 + dice % 9, true);
		if (i % 512 == 0)
			check_counts();
	}
	drain(seed);
}

/*
 * Pages come and go in one place for hundreds of generations while others
 * rest: what is known of the resting ones must not go stale.
 */
static void check_stale_hints(u64 *seed)
{
	gvm_cache_init(&cache, 8);
	for (u32 round = 0; round < 3; round++) {
		for (u32 i = 0; i < PAGES; i += 97)
			insert(i, GVM_CACHE_DEMAND);
		for (u32 i = 0; i < 5000; i++) {
			u32 page = i % 2 ? 5 : GVM_CHUNK_PAGES + 5;

			take(chunk_of(page), 5, i % 4 < 2);
			insert(page, GVM_CACHE_TOUCH);
			take(chunk_of(PAGES - 7), GVM_CHUNK_PAGES - 7, true);
			insert(PAGES - 7, GVM_CACHE_STEAL);
		}
		check_counts();
		drain(seed);
	}
}

/* A page stolen back outlives one that was only fetched. */
static void check_order(u64 *seed)
{
	u32 left = 0;

	gvm_cache_init(&cache, 512);
	for (u32 i = 0; i < 512; i++)
		insert(i * 7, i % 4 ? GVM_CACHE_DEMAND : GVM_CACHE_STEAL);
	while (cache.resident > 256)
		evict(seed, 16, 100, false);
	for (u32 i = 0; i < 512; i += 4)
		left += gvm_page_resident(chunk_of(i * 7)->
					  state[i * 7 % GVM_CHUNK_PAGES]);
	CHECK(left == 128);
	drain(seed);
}

int main(void)
{
	u64 seed = 6;

	for (u32 i = 0; i < CHUNKS; i++) {
		struct gvm_chunk *chunk = calloc(1, sizeof(*chunk));

		CHECK(chunk);
		chunk->page0 = i * GVM_CHUNK_PAGES;
		chunks[i < 3 ? i + 1 : i + 2] = chunk;
	}
	check_order(&seed);
	check_stale_hints(&seed);
	check_chance(&seed, 1, 40);
	check_chance(&seed, 31, 200);
	check_chance(&seed, 300, PAGES);
	check_chance(&seed, 3000, PAGES);
	check_chance(&seed, 100000, PAGES);
	for (u32 i = 0; i < CHUNKS + 2; i++)
		free(chunks[i]);
	return 0;
}
