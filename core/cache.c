// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * Generations as a clock over chunks; cache.h says what recency is made of.
 *
 * A generation is one byte, counted modulo 256.  `now` counts insertions;
 * pages that proved hot are put up to HOT generations ahead of it, pages that
 * proved nothing behind it.  So all that are in use lie between `oldest` and
 * now + HOT, and that stretch never grows so long that it meets itself.
 */
#include "cache.h"
#include "page.h"

/* Sixteen pages at once, in registers where there are any. */
typedef u8 bytes16 __attribute__((vector_size(16), aligned(8), may_alias));
typedef u64 words2 __attribute__((vector_size(16), aligned(8), may_alias));

#define HOT		4u	/* generations ahead of now: stolen back */
#define BEHIND_TOUCH	2u	/* generations behind it: first touch, */
#define BEHIND_DEMAND	6u	/* fetched, but not seen lately, */
#define BEHIND_PREFETCH	6u	/* fetched unasked, */
#define BEHIND_LAST	12u	/* and unproven while the program loops */
#define LATELY		4u	/* left at most so many generations ago */
#define LOOP_IN		64u	/* refetches a steal that begin a loop, */
#define LOOP_OUT	16u	/* and that end it */
#define YOUNG_ONE_IN	16u	/* of unproven pages, while it loops */
#define OLD_ONE_IN	16u	/* pages that a sweep looks for, at least */
#define STRETCH_MAX	240u	/* generations in use at the same time */

/* How far a generation is from the youngest that can be: its age. */
static u8 age_of(const struct gvm_cache *c, u8 gen)
{
	return (u8)(c->now + HOT - gen);
}

static_assert(STRETCH_MAX + BEHIND_LAST < 255, "ages are one byte, from 1");

static u32 generation_pages(const struct gvm_cache *c)
{
	u32 pages = c->frames / GVM_CACHE_GENS;

	return pages ? pages : 1;
}

void gvm_cache_init(struct gvm_cache *c, u32 frames)
{
	memset(c, 0, sizeof(*c));
	c->frames = frames;
	c->left = generation_pages(c);
}

void gvm_cache_resize(struct gvm_cache *c, u32 frames)
{
	c->frames = frames;
	if (c->left > generation_pages(c))
		c->left = generation_pages(c);
}

/* Generations without pages hold nobody up. */
static void skip_empty(struct gvm_cache *c)
{
	while (age_of(c, c->oldest) && !c->count[c->oldest])
		c->oldest++;
}

static void tick(struct gvm_cache *c)
{
	if (--c->left)
		return;
	c->left = generation_pages(c);
	skip_empty(c);
	/*
	 * At the end of the stretch `now` stands still: pages this old exist
	 * only while nothing is evicted, and then order does not matter.
	 */
	if (age_of(c, c->oldest) < STRETCH_MAX)
		c->now++;
}

/*
 * Two ways to insert a page that was fetched again: by its history, or last, to
 * go before all others unless it is stolen back.  The first suits working sets,
 * the second loops larger than the cache, where what is here is needed sooner
 * than what just came.
 *
 * Steals tell them apart: staging holds what left last, and a program with a
 * working set touches some of that; a loop never does.
 */
static bool goes_last(struct gvm_cache *c, u8 ghost, enum gvm_cache_why why)
{
	if (why == GVM_CACHE_STEAL)
		c->steals++;
	if (why == GVM_CACHE_DEMAND && (u8)(c->now - ghost) < 128)
		c->refetches++;
	if (c->steals + c->refetches >= c->frames / 4 + 16) {
		c->looping = c->steals * (c->looping ? LOOP_OUT : LOOP_IN) <
			     c->refetches;
		c->steals /= 2;
		c->refetches /= 2;
	}
	if (!c->looping || why != GVM_CACHE_DEMAND)
		return false;
	/* A few get a chance all the same, or the cache would never learn. */
	return ++c->lasts % YOUNG_ONE_IN;
}

/* Where a page goes, by what is known about it. */
static u8 generation_for(const struct gvm_cache *c, u8 ghost,
			 enum gvm_cache_why why)
{
	switch (why) {
	case GVM_CACHE_TOUCH:
		return (u8)(c->now - BEHIND_TOUCH);
	case GVM_CACHE_DEMAND:
		if ((u8)(c->now - ghost) <= LATELY)
			return c->now;
		return (u8)(c->now - BEHIND_DEMAND);
	case GVM_CACHE_PREFETCH:
		return (u8)(c->now - BEHIND_PREFETCH);
	case GVM_CACHE_STEAL:
		return (u8)(c->now + HOT);
	default:
		return c->now;
	}
}

void gvm_cache_insert(struct gvm_cache *c, struct gvm_chunk *chunk, u32 idx,
		      enum gvm_cache_why why)
{
	bool last;
	u8 gen;

	if (gvm_bug_on(idx >= GVM_CHUNK_PAGES || why >= GVM_CACHE_WHY_NR))
		return;
	last = goes_last(c, chunk->gen[idx], why);
	gen = last ? (u8)(c->now - BEHIND_LAST) :
		     generation_for(c, chunk->gen[idx], why);
	if (!c->resident || age_of(c, gen) > age_of(c, c->oldest))
		c->oldest = gen;
	if (!chunk->resident ||
	    age_of(c, gen) > age_of(c, chunk->gen_oldest))
		chunk->gen_oldest = gen;
	chunk->gen[idx] = gen;
	chunk->resident++;
	c->count[gen]++;
	c->resident++;
	if (why != GVM_CACHE_ROTATE && !last)
		tick(c);
}

void gvm_cache_remove(struct gvm_cache *c, struct gvm_chunk *chunk, u32 idx,
		      bool forget)
{
	u8 gen;

	if (gvm_bug_on(idx >= GVM_CHUNK_PAGES || !chunk->resident))
		return;
	gen = chunk->gen[idx];
	if (gvm_bug_on(!c->count[gen]))
		return;
	c->count[gen]--;
	c->resident--;
	chunk->resident--;
	/* Half round the circle is as long ago as a byte can say. */
	chunk->gen[idx] = forget ? (u8)(c->now - 128) : c->now;
}

/* What a sweep collects, and where it must stop. */
struct sweep {
	struct gvm_victims	*runs;
	u32			runs_nr;
	u32			runs_max;
	u32			pages;
	u32			pages_max;
	u8			youngest;	/* a generation above all: age 0 */
	u8			age;		/* pages at least that old may go */
};

static bool sweep_full(const struct sweep *s)
{
	return s->pages == s->pages_max;
}

/* Adds a page to the last run or a new one.  False: no room. */
static bool sweep_add(struct sweep *s, struct gvm_chunk *chunk, u32 idx)
{
	struct gvm_victims *run = &s->runs[s->runs_nr];

	if (sweep_full(s))
		return false;
	if (s->runs_nr && run[-1].chunk == chunk &&
	    (u32)run[-1].first + run[-1].count == idx) {
		run[-1].count++;
		s->pages++;
		return true;
	}
	if (s->runs_nr == s->runs_max)
		return false;
	*run = (struct gvm_victims){ chunk, (u16)idx, 1 };
	s->runs_nr++;
	s->pages++;
	return true;
}

static_assert(offsetof(struct gvm_chunk, state) % 8 == 0, "read in words");
static_assert(offsetof(struct gvm_chunk, gen) % 8 == 0, "read in words");
static_assert(GVM_PAGE_DIRTY == GVM_PAGE_CLEAN + 1 &&
	      GVM_PAGE_DIRTY_WB == GVM_PAGE_CLEAN + 2, "resident is a range");

/*
 * Ages of sixteen pages, from 1; 0 for those that are not resident.  Vectors
 * go by pointer: a kernel has no registers for them.
 */
static void ages_of(const struct sweep *s, const struct gvm_chunk *chunk,
		    u32 i, bytes16 *ret)
{
	bytes16 gen = *(const bytes16 *)(chunk->gen + i);
	bytes16 state = *(const bytes16 *)(chunk->state + i);
	bytes16 resident = (bytes16)(state - GVM_PAGE_CLEAN <=
				     GVM_PAGE_DIRTY_WB - GVM_PAGE_CLEAN);

	*ret = (s->youngest - gen) & resident;
}

static bool any(const bytes16 *bytes)
{
	words2 words = (words2)*bytes;

	return words[0] | words[1];
}

/* Collect the chunk's old pages.  False: no room for all. */
static bool sweep_chunk(struct sweep *s, struct gvm_chunk *chunk)
{
	bytes16 rest = { 0 };	/* greatest ages of those that stay */
	u8 oldest = 0;

	for (u32 i = 0; i < GVM_CHUNK_PAGES; i += 16) {
		bytes16 ages, old, more;

		ages_of(s, chunk, i, &ages);
		old = (bytes16)(ages >= s->age);
		more = (bytes16)(ages > rest) & ~old;
		rest = (rest & ~more) | (ages & more);
		for (u32 k = 0; any(&old) && k < 16; k++) {
			if (old[k] && !sweep_add(s, chunk, i + k))
				return false;
		}
	}
	for (u32 k = 0; k < 16; k++)
		oldest = rest[k] > oldest ? rest[k] : oldest;
	chunk->gen_oldest = (u8)(s->youngest - oldest);
	return true;
}

/*
 * How old is old: all of the oldest generation, and of the next ones until
 * they make a sixteenth of the cache.  A sweep for fewer would pass by most
 * chunks in vain.
 */
static u8 old_age(struct gvm_cache *c)
{
	u64 pages = 0;
	u8 gen;

	skip_empty(c);
	gen = c->oldest;
	for (;;) {
		pages += c->count[gen];
		if (pages > c->resident / OLD_ONE_IN || !age_of(c, gen))
			break;
		gen++;
	}
	return age_of(c, gen);
}

/*
 * The hint saves reading 1 KiB.  It can be wrong once in 256 generations, when
 * a chunk's pages came and went without a sweep: then a whole round finds
 * nothing, and the next one does not trust it.
 */
static bool worth_a_look(const struct gvm_cache *c, const struct sweep *s,
			 const struct gvm_chunk *chunk, u64 chunks_nr)
{
	return chunk->resident &&
	       (c->dry >= chunks_nr ||
		(u8)(s->youngest - chunk->gen_oldest) >= s->age);
}

u32 gvm_cache_victims(struct gvm_cache *c, struct gvm_chunk *const *chunks,
		      u64 chunks_nr, u32 chunks_max, u32 pages_max,
		      struct gvm_victims *runs, u32 runs_max)
{
	struct sweep s = {
		.runs = runs, .runs_max = runs_max, .pages_max = pages_max,
		.youngest = (u8)(c->now + HOT + 1),
	};

	/* Not round twice: victims stay where they are until the end. */
	if (chunks_max > chunks_nr)
		chunks_max = (u32)chunks_nr;
	s.age = (u8)(old_age(c) + 1);
	for (u32 i = 0; i < chunks_max && c->resident; i++) {
		struct gvm_chunk *chunk;

		if (c->hand >= chunks_nr)
			c->hand = 0;
		if (sweep_full(&s))
			break;
		chunk = chunks[c->hand];
		if (chunk && worth_a_look(c, &s, chunk, chunks_nr) &&
		    !sweep_chunk(&s, chunk))
			break;
		c->hand++;
		c->dry++;
	}
	if (s.runs_nr)
		c->dry = 0;
	return s.runs_nr;
}
