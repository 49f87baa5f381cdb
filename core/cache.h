/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * Which resident page to give up: generations, as a clock over chunks.
 *
 * Userspace cannot see accesses to a mapped page, so recency comes from what
 * faults tell: a first touch, a fetch, a refetch soon after leaving (the
 * ghost: gen[] keeps when a page left), and a page stolen back from staging,
 * which is as good as a reference bit (segmented FIFO: Turner and Levy,
 * "Segmented FIFO page replacement", SIGMETRICS 1981).
 *
 * What a page has proved decides how long it stays: stolen back is best, then
 * fetched again soon after it left, first touched, fetched after long, fetched
 * unasked.  While a program loops over more than fits, what it fetches again
 * goes first.
 *
 * Pure: no clock, no allocation, no I/O; the driver serialises.  Age is counted
 * in generations; one ends every frames/GVM_CACHE_GENS insertions.
 */
#ifndef GVM_CACHE_H
#define GVM_CACHE_H

#include "chunk.h"

#define GVM_CACHE_GENS	8u	/* generations that a full cache spans */

/* Why a page became resident. */
enum gvm_cache_why {
	GVM_CACHE_TOUCH,	/* first touch, zero filled */
	GVM_CACHE_DEMAND,	/* fetched, a thread waited for it */
	GVM_CACHE_PREFETCH,	/* fetched unasked */
	GVM_CACHE_STEAL,	/* back from staging: proven hot */
	GVM_CACHE_ROTATE,	/* chosen as victim but could not go (pinned) */
	GVM_CACHE_WHY_NR
};

struct gvm_cache {
	u32	frames;		/* pages that may be resident */
	u32	left;		/* insertions until the next generation */
	u8	now;		/* current generation, modulo 256 */
	u8	oldest;		/* oldest generation with a resident page */
	bool	looping;	/* refetched pages are put last */
	u32	lasts;		/* pages that were */
	u32	steals;		/* lately; both decay */
	u32	refetches;
	u64	hand;		/* index of the chunk to sweep next */
	u64	dry;		/* chunks looked at since a victim was found */
	u64	resident;	/* sum of count[] */
	u64	count[256];	/* resident pages of each generation */
};

/* A run of victims inside one chunk. */
struct gvm_victims {
	struct gvm_chunk *chunk;
	u16	first;
	u16	count;
};

void gvm_cache_init(struct gvm_cache *c, u32 frames);

/* The limit changed; takes effect with the next insertion. */
void gvm_cache_resize(struct gvm_cache *c, u32 frames);

/*
 * Page idx of the chunk has become resident (the driver sets its state).
 * Reads the ghost in chunk->gen[idx], then overwrites it with the page's age.
 */
void gvm_cache_insert(struct gvm_cache *c, struct gvm_chunk *chunk, u32 idx,
		      enum gvm_cache_why why);

/*
 * Page idx is no longer resident.  Leaves the ghost, unless forget: then the
 * page was discarded and what comes next has no history.
 */
void gvm_cache_remove(struct gvm_cache *c, struct gvm_chunk *chunk, u32 idx,
		      bool forget);

/*
 * Choose up to pages_max victims among the resident pages, as runs of
 * neighbours, from about the oldest sixteenth of them.  chunks[] is the driver's
 * table in any order with NULL holes.  Nothing is removed: the driver evicts
 * what it can, calls gvm_cache_remove() for those and gvm_cache_insert(ROTATE)
 * after a remove for those it could not; one that it forgets stays where it is
 * and is found again.  A page is a candidate when gvm_page_resident(state).  At
 * most chunks_max chunks are looked at, so that a call is bounded; 0 runs means
 * "call again" unless resident is 0.
 */
u32 gvm_cache_victims(struct gvm_cache *c, struct gvm_chunk *const *chunks,
		      u64 chunks_nr, u32 chunks_max, u32 pages_max,
		      struct gvm_victims *runs, u32 runs_max);

#endif
