// SPDX-License-Identifier: GPL-2.0-or-later
/* The policies that ours is compared with, and the pager's use of ours. */
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "check.h"
#include "page.h"
#include "simulate.h"

#define NEVER		UINT32_MAX
#define BATCH_MAX	64u
#define RUNS_MAX	64u

static void *zeroed(size_t nr, size_t bytes)
{
	void *p = calloc(nr, bytes);

	CHECK(p);
	return p;
}

static u32 page_numbers(const struct trace *t)
{
	return t->chunks * GVM_CHUNK_PAGES;
}

/* A heap of pages, the one whose next use is farthest on top. */
struct heap {
	u32	*page;
	u32	*place;		/* of each page in the heap; NEVER: not in */
	u32	*next;		/* key: when the page is used next */
	u32	nr;
};

static void heap_set(struct heap *h, u32 at, u32 page)
{
	h->page[at] = page;
	h->place[page] = at;
}

static void heap_up(struct heap *h, u32 at)
{
	u32 page = h->page[at];

	while (at && h->next[h->page[(at - 1) / 2]] < h->next[page]) {
		heap_set(h, at, h->page[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	heap_set(h, at, page);
}

static void heap_down(struct heap *h, u32 at)
{
	u32 page = h->page[at];

	for (;;) {
		u32 child = 2 * at + 1;

		if (child + 1 < h->nr && h->next[h->page[child + 1]] >
					 h->next[h->page[child]])
			child++;
		if (child >= h->nr ||
		    h->next[h->page[child]] <= h->next[page])
			break;
		heap_set(h, at, h->page[child]);
		at = child;
	}
	heap_set(h, at, page);
}

static u32 *next_uses(const struct trace *t)
{
	u32 *next = zeroed(t->nr, sizeof(*next));
	u32 *last = zeroed(page_numbers(t), sizeof(*last));

	memset(last, 0xff, page_numbers(t) * sizeof(*last));
	for (u32 i = t->nr; i--;) {
		next[i] = last[t->page[i]];
		last[t->page[i]] = i;
	}
	free(last);
	return next;
}

struct outcome simulate_opt(const struct trace *t, u32 frames)
{
	u32 *uses = next_uses(t);
	u8 *known = zeroed(page_numbers(t), 1);
	struct outcome out = { 0, 0 };
	struct heap h = {
		.page = zeroed(frames + 1, sizeof(u32)),
		.place = zeroed(page_numbers(t), sizeof(u32)),
		.next = zeroed(page_numbers(t), sizeof(u32)),
	};

	memset(h.place, 0xff, page_numbers(t) * sizeof(u32));
	for (u32 i = 0; i < t->nr; i++) {
		u32 page = t->page[i];

		h.next[page] = uses[i];
		if (h.place[page] != NEVER) {
			heap_up(&h, h.place[page]);
			continue;
		}
		out.misses += known[page];
		known[page] = 1;
		if (h.nr == frames) {
			h.place[h.page[0]] = NEVER;
			heap_set(&h, 0, h.page[--h.nr]);
			heap_down(&h, 0);
		}
		heap_set(&h, h.nr, page);
		heap_up(&h, h.nr++);
	}
	free(h.page);
	free(h.place);
	free(h.next);
	free(known);
	free(uses);
	return out;
}

/* A list of pages through an array; number 0 is its head. */
struct list {
	u32	*next;
	u32	*prev;
};

static void list_init(struct list *l, u32 nr)
{
	l->next = zeroed(nr + 1, sizeof(u32));
	l->prev = zeroed(nr + 1, sizeof(u32));
}

static void list_free(struct list *l)
{
	free(l->next);
	free(l->prev);
}

static void list_append(struct list *l, u32 page)
{
	u32 at = page + 1;

	l->prev[at] = l->prev[0];
	l->next[at] = 0;
	l->next[l->prev[0]] = at;
	l->prev[0] = at;
}

static void list_remove(struct list *l, u32 page)
{
	u32 at = page + 1;

	l->next[l->prev[at]] = l->next[at];
	l->prev[l->next[at]] = l->prev[at];
}

static struct outcome simulate_list(const struct trace *t, u32 frames,
				    bool recent)
{
	u8 *known = zeroed(page_numbers(t), 1);
	u8 *here = zeroed(page_numbers(t), 1);
	struct outcome out = { 0, 0 };
	struct list l;
	u32 nr = 0;

	list_init(&l, page_numbers(t));
	for (u32 i = 0; i < t->nr; i++) {
		u32 page = t->page[i];

		if (here[page]) {
			if (!recent)
				continue;
			list_remove(&l, page);
			list_append(&l, page);
			continue;
		}
		out.misses += known[page];
		known[page] = 1;
		here[page] = 1;
		list_append(&l, page);
		if (nr < frames) {
			nr++;
			continue;
		}
		here[l.next[0] - 1] = 0;
		list_remove(&l, l.next[0] - 1);
	}
	list_free(&l);
	free(known);
	free(here);
	return out;
}

struct outcome simulate_lru(const struct trace *t, u32 frames)
{
	return simulate_list(t, frames, true);
}

struct outcome simulate_fifo(const struct trace *t, u32 frames)
{
	return simulate_list(t, frames, false);
}

/* The pager, as far as the policy can see it. */
struct pager {
	struct gvm_cache	cache;
	struct gvm_chunk	**chunks;
	struct list		staged;
	u32			chunks_nr;
	u32			staged_nr;
	u32			staged_max;
	u32			batch;
};

static struct gvm_chunk *chunk_at(struct pager *p, u32 page)
{
	return p->chunks[page / GVM_CHUNK_PAGES];
}

static void stage(struct pager *p, struct gvm_chunk *chunk, u32 idx)
{
	u32 page = (u32)chunk->page0 + idx;

	gvm_cache_remove(&p->cache, chunk, idx, false);
	chunk->state[idx] = GVM_PAGE_STAGED_CLEAN;
	list_append(&p->staged, page);
	if (p->staged_nr < p->staged_max) {
		p->staged_nr++;
		return;
	}
	page = p->staged.next[0] - 1;
	list_remove(&p->staged, page);
	chunk_at(p, page)->state[page % GVM_CHUNK_PAGES] = GVM_PAGE_REMOTE;
}

static void evict(struct pager *p)
{
	struct gvm_victims runs[RUNS_MAX];
	u32 nr = gvm_cache_victims(&p->cache, p->chunks, p->chunks_nr,
				   p->chunks_nr, p->batch, runs, RUNS_MAX);

	for (u32 i = 0; i < nr; i++) {
		for (u32 k = 0; k < runs[i].count; k++)
			stage(p, runs[i].chunk, runs[i].first + k);
	}
}

static void pager_init(struct pager *p, const struct trace *t, u32 frames)
{
	*p = (struct pager){
		.chunks = zeroed(t->chunks, sizeof(*p->chunks)),
		.chunks_nr = t->chunks, .staged_max = frames / 8,
	};
	list_init(&p->staged, page_numbers(t));
	for (u32 i = 0; i < t->chunks; i++) {
		p->chunks[i] = zeroed(1, sizeof(**p->chunks));
		p->chunks[i]->page0 = (u64)i * GVM_CHUNK_PAGES;
	}
	p->batch = frames / 64;
	if (p->batch > BATCH_MAX)
		p->batch = BATCH_MAX;
	if (!p->batch)
		p->batch = 1;
	gvm_cache_init(&p->cache, frames - p->staged_max);
}

static void touch(struct pager *p, u32 page, struct outcome *out)
{
	struct gvm_chunk *chunk = chunk_at(p, page);
	u32 idx = page % GVM_CHUNK_PAGES;
	enum gvm_cache_why why = GVM_CACHE_DEMAND;

	if (chunk->state[idx] == GVM_PAGE_DIRTY)
		return;
	if (chunk->state[idx] == GVM_PAGE_ZERO) {
		why = GVM_CACHE_TOUCH;
	} else if (chunk->state[idx] == GVM_PAGE_STAGED_CLEAN) {
		why = GVM_CACHE_STEAL;
		list_remove(&p->staged, page);
		p->staged_nr--;
		out->steals++;
	} else {
		out->misses++;
	}
	gvm_cache_insert(&p->cache, chunk, idx, why);
	chunk->state[idx] = GVM_PAGE_DIRTY;
	while (p->cache.resident > p->cache.frames)
		evict(p);
}

struct outcome simulate_ours(const struct trace *t, u32 frames)
{
	struct outcome out = { 0, 0 };
	struct pager p;

	pager_init(&p, t, frames);
	for (u32 i = 0; i < t->nr; i++)
		touch(&p, t->page[i], &out);
	for (u32 i = 0; i < t->chunks; i++)
		free(p.chunks[i]);
	free(p.chunks);
	list_free(&p.staged);
	return out;
}
