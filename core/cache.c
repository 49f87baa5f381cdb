// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * Generations as a clock over chunks; cache.h says what recency is made of.
 *
 * A generation is one byte, counted modulo 256.  Of all that are in use the
 * one at `oldest` is the oldest and `now` the newest, so a generation's place
 * is its distance from `oldest`; `now` never goes so far round that it would
 * meet `oldest` again.
 */
#include "cache.h"
#include "page.h"

static u8 place(const struct gvm_cache *c, u8 gen)
{
	return (u8)(gen - c->oldest);
}

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
	while (c->oldest != c->now && !c->count[c->oldest])
		c->oldest++;
}

static void age(struct gvm_cache *c)
{
	if (--c->left)
		return;
	c->left = generation_pages(c);
	skip_empty(c);
	/*
	 * Full circle: pages this old exist only while nothing is evicted, and
	 * then the order among the newest does not matter.
	 */
	if ((u8)(c->now + 1) != c->oldest)
		c->now++;
}

void gvm_cache_insert(struct gvm_cache *c, struct gvm_chunk *chunk, u32 idx,
		      enum gvm_cache_why why)
{
	u8 gen = c->now;

	if (gvm_bug_on(idx >= GVM_CHUNK_PAGES || why >= GVM_CACHE_WHY_NR))
		return;
	/* Never older than what is there: only a first page sets the hint. */
	if (!chunk->resident)
		chunk->gen_oldest = gen;
	chunk->gen[idx] = gen;
	chunk->resident++;
	c->count[gen]++;
	c->resident++;
	if (why != GVM_CACHE_ROTATE)
		age(c);
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
	chunk->gen[idx] = forget ? (u8)(c->now + 1) : c->now;
}

/* What a sweep collects, and where it must stop. */
struct sweep {
	struct gvm_victims	*runs;
	u32			runs_nr;
	u32			runs_max;
	u32			pages;
	u32			pages_max;
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

/* Collect the chunk's pages of the oldest generation.  False: no room. */
static bool sweep_chunk(struct sweep *s, const struct gvm_cache *c,
			struct gvm_chunk *chunk)
{
	u8 youngest = 0xff;
	bool found = false;

	for (u32 i = 0; i < GVM_CHUNK_PAGES; i++) {
		if (!gvm_page_resident(chunk->state[i]))
			continue;
		if (chunk->gen[i] == c->oldest) {
			found = true;
			if (!sweep_add(s, chunk, i))
				return false;
		} else if (place(c, chunk->gen[i]) < youngest) {
			youngest = place(c, chunk->gen[i]);
		}
	}
	/* Victims may come back (ROTATE), so the hint moves only without any. */
	if (!found)
		chunk->gen_oldest = (u8)(c->oldest + youngest);
	return true;
}

u32 gvm_cache_victims(struct gvm_cache *c, struct gvm_chunk *const *chunks,
		      u64 chunks_nr, u32 chunks_max, u32 pages_max,
		      struct gvm_victims *runs, u32 runs_max)
{
	struct sweep s = {
		.runs = runs, .runs_max = runs_max, .pages_max = pages_max,
	};

	skip_empty(c);
	/* Once round at most: a page must not be chosen twice. */
	if (chunks_max > chunks_nr)
		chunks_max = (u32)chunks_nr;
	for (u32 i = 0; i < chunks_max && c->resident; i++) {
		struct gvm_chunk *chunk;

		if (c->hand >= chunks_nr)
			c->hand = 0;
		if (!chunks_nr || sweep_full(&s))
			break;
		chunk = chunks[c->hand];
		if (chunk && chunk->resident &&
		    (chunk->gen_oldest == c->oldest ||
		     place(c, chunk->gen_oldest) > place(c, c->now)) &&
		    !sweep_chunk(&s, c, chunk))
			break;
		c->hand++;
	}
	return s.runs_nr;
}
