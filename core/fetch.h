/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * What to prefetch: a few streams, each a majority vote over its last steps
 * (Al Maruf and Chowdhury, "Effectively Prefetching Remote Memory with Leap",
 * USENIX ATC 2020), and a window that grows while it is used and closes when
 * it is not.  Random access finds no majority and costs nothing.
 *
 * Pure, bounded, serialised by its driver.  It only advises: the driver drops
 * pages that are here already, out of the region, or known to be zero.
 */
#ifndef GVM_FETCH_H
#define GVM_FETCH_H

#include "limits.h"

#define GVM_FETCH_STREAMS	16u
#define GVM_FETCH_HISTORY	8u

struct gvm_fetch_stream {
	u64	last;			/* last page that faulted */
	u64	next;			/* first page beyond what was advised */
	s64	stride;			/* in pages; 0: no majority */
	s32	step[GVM_FETCH_HISTORY];/* recent steps between faults */
	u32	steps;			/* how many are valid */
	u32	window;			/* pages of the last advice, */
	u64	mark;			/* its mark, */
	u64	before;			/* and the mark of the one before */
	u32	run;			/* pages advised since it began, and used */
	u32	used;			/* for least-recently-used replacement */
};

struct gvm_fetch {
	u32	window_max;		/* 0: never prefetch */
	u32	wide_max;		/* for streams that go on for long */
	u32	clock;
	u32	hits;			/* advised pages that were used ... */
	u32	misses;			/* ... and that left unused; both decay */
	struct gvm_fetch_stream stream[GVM_FETCH_STREAMS];
};

/*
 * Pages to fetch: first, first + stride, ... count of them.  mark is one of
 * them (or none: GVM_PAGE_NO_MAX): the driver fetches it but leaves it
 * unmapped; touching it calls gvm_fetch_marked(), which advises the next
 * window before the current one is used up.
 */
struct gvm_fetch_advice {
	u64	first;
	s64	stride;
	u32	count;
	u64	mark;
};

void gvm_fetch_init(struct gvm_fetch *f, u32 window_max);

/*
 * The widest window of a stream that has proved itself for long.  Fewer, larger
 * windows cost less per page; and a window is at most a sixteenth of what the
 * stream has used, so that little is fetched in vain when it ends.
 */
void gvm_fetch_wide(struct gvm_fetch *f, u32 wide_max);

/* A demand fault on a page that had to be fetched.  True: *ret is advice. */
bool gvm_fetch_fault(struct gvm_fetch *f, u64 page,
		     struct gvm_fetch_advice *ret);

/* The mark of an earlier advice was touched.  True: *ret is the next window. */
bool gvm_fetch_marked(struct gvm_fetch *f, u64 page,
		      struct gvm_fetch_advice *ret);

/*
 * While a stream runs at full width it has two windows under way: fetching one
 * takes longer than reading one.  So its first full window brings a second at
 * once.  To be asked after each gvm_fetch_marked() that advised; from then on
 * each mark that is touched brings the window after the next, and this nothing.
 */
bool gvm_fetch_ahead(struct gvm_fetch *f, u64 page,
		     struct gvm_fetch_advice *ret);

/* A marked page left without having been touched: its window was a waste. */
void gvm_fetch_unused(struct gvm_fetch *f, u64 page);

#endif
