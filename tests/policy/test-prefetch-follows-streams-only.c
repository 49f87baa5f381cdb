// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, sequential programs wait for every page, or random ones pay
 * for pages that they never asked for.  A small driver plays the pager: it
 * fetches what is advised, leaves marks unmapped, and reports those that were
 * never touched.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fetch.h"
#include "messages.h"

#define PAGES		(1u << 20)
#define MARKS		256u		/* marks rest that long, then leave */
#define WINDOW		GVM_PREFETCH_PAGES
#define WIDE		4u		/* windows of a long stream, in windows */

enum what { AWAY, HERE, AHEAD, MARK };	/* AHEAD: fetched, not touched yet */

struct driver {
	struct gvm_fetch	fetch;
	u8			*page;	/* enum what */
	u64			marks[MARKS];
	u32			marks_nr;
	u64			touches;
	u64			faults;
	u64			fetched;
	u64			useful;
	u32			widest;
};

static struct driver d;

static void carry_out(const struct gvm_fetch_advice *a)
{
	CHECK(a->count && a->count <= d.fetch.wide_max && a->stride);
	if (a->count > d.widest)
		d.widest = a->count;
	for (u32 i = 0; i < a->count; i++) {
		u64 page = a->first + (u64)a->stride * i;
		u64 *slot = &d.marks[d.marks_nr % MARKS];

		CHECK(page <= GVM_PAGE_NO_MAX);
		if (page >= PAGES || d.page[page] != AWAY)
			continue;
		d.fetched++;
		d.page[page] = page == a->mark ? MARK : AHEAD;
		if (page != a->mark)
			continue;
		if (d.marks_nr++ >= MARKS && d.page[*slot] == MARK) {
			d.page[*slot] = AWAY;
			gvm_fetch_unused(&d.fetch, *slot);
		}
		*slot = page;
	}
}

/* True if it had to wait for the network. */
static bool touch(u64 page)
{
	struct gvm_fetch_advice a;
	u8 was = d.page[page];

	d.touches++;
	d.page[page] = HERE;
	d.useful += was == AHEAD || was == MARK;
	if (was == MARK && gvm_fetch_marked(&d.fetch, page, &a)) {
		carry_out(&a);
		if (gvm_fetch_ahead(&d.fetch, page, &a))
			carry_out(&a);
	}
	if (was != AWAY)
		return false;
	d.faults++;
	if (gvm_fetch_fault(&d.fetch, page, &a))
		carry_out(&a);
	return true;
}

static void reset(u32 window)
{
	u8 *page = d.page ? d.page : malloc(PAGES);

	CHECK(page);
	memset(page, AWAY, PAGES);
	memset(&d, 0, sizeof(d));
	d.page = page;
	gvm_fetch_init(&d.fetch, window);
	gvm_fetch_wide(&d.fetch, WIDE * window);
}

/* Streams side by side, each with its stride; nr touches each. */
static void check_streams(u32 streams, s64 stride, u32 nr)
{
	u64 apart = PAGES / streams;
	u64 start = stride < 0 ? apart - 1 : 0;
	u32 full = 0;

	reset(WINDOW);
	for (u32 i = 0; i < nr; i++) {
		for (u32 k = 0; k < streams; k++)
			touch(k * apart + start + (u64)stride * i);
		if (!full && d.widest >= WINDOW)
			full = i + 1;
	}
	/* The window is full after a few dozen pages of each. */
	CHECK(full && full <= 2 * WINDOW);
	/* Few waits, and nothing useless but what lies beyond the end. */
	CHECK(d.faults <= 8 * streams);
	CHECK(d.fetched - d.useful <= 3 * WINDOW * streams + d.touches / 8);
}

/* The longer a stream, the larger the portions; never for what lies apart. */
static void check_long_stream(s64 stride)
{
	u64 start = stride < 0 ? PAGES - 1 : 0;
	u32 early = 0;

	reset(WINDOW);
	for (u32 i = 0; i < 20000; i++) {
		touch(start + (u64)(stride * i));
		if (i == 16 * WINDOW)
			early = d.widest;
	}
	CHECK(early == WINDOW);
	CHECK(d.widest == (stride * stride == 1 ? WIDE * WINDOW : WINDOW));
	CHECK(d.faults <= 8);
	CHECK(d.fetched - d.useful <= 3 * WIDE * WINDOW);
}

/* Every access anywhere: advice must stay below 2 % of the accesses. */
static void check_random(u32 span, u32 nr)
{
	u64 seed = 7;

	reset(WINDOW);
	for (u32 i = 0; i < nr; i++) {
		u64 page = chance(&seed) % span;

		touch(page);
		d.page[page] = AWAY;	/* a tiny cache */
	}
	CHECK((d.fetched - d.useful) * 50 < d.touches);
}

/* A stream with strangers in between is still a stream. */
static void check_noise(void)
{
	u64 seed = 8;
	u64 faults = 0;

	reset(WINDOW);
	for (u32 i = 0; i < 20000; i++) {
		faults += touch(i);
		if (i % 4 == 0)
			touch(PAGES / 2 + chance(&seed) % (PAGES / 2));
	}
	CHECK(faults < 200);
	CHECK(d.fetched - d.useful < d.touches / 50);
}

/* Short runs here and there: little is fetched in vain. */
static void check_short_runs(void)
{
	u64 seed = 9;

	reset(WINDOW);
	for (u32 i = 0; i < 5000; i++) {
		u64 start = chance(&seed) % (PAGES - 8);

		for (u32 k = 0; k < 4; k++)
			touch(start + k);
	}
	CHECK(d.fetched - d.useful < d.touches);
}

/* A driver that drops most of what is advised, having no room. */
static void check_dropped(void)
{
	struct gvm_fetch_advice a;
	u32 advised = 0;

	reset(WINDOW);
	for (u64 page = 1000; page < 2000; page += 3)
		advised += gvm_fetch_fault(&d.fetch, page, &a);
	CHECK(advised > 320);
}

static void check_edges(void)
{
	struct gvm_fetch_advice a = { 0, 0, 0, 0 };

	/* At the ends of the world the window is cut. */
	reset(WINDOW);
	for (u64 page = 6; page > 1; page--) {
		if (gvm_fetch_fault(&d.fetch, page, &a))
			CHECK(a.stride == -1 && a.first + 1 >= a.count);
	}
	reset(WINDOW);
	for (u64 page = GVM_PAGE_NO_MAX - 6; page <= GVM_PAGE_NO_MAX; page++) {
		if (gvm_fetch_fault(&d.fetch, page, &a))
			CHECK(a.first + a.count - 1 <= GVM_PAGE_NO_MAX);
	}
	/* Switched off. */
	reset(0);
	for (u64 page = 0; page < 100; page++)
		CHECK(!gvm_fetch_fault(&d.fetch, page, &a));
	/* Limits. */
	gvm_fetch_init(&d.fetch, 100000);
	CHECK(d.fetch.window_max == GVM_PREFETCH_PAGES_MAX);
	/* Marks that nobody knows. */
	CHECK(!gvm_fetch_marked(&d.fetch, 5, &a));
	gvm_fetch_unused(&d.fetch, 5);
}

int main(void)
{
	static const s64 strides[] = { 1, -1, 2, -3, 7, 64, -64, 256, -500 };

	for (u32 i = 0; i < sizeof(strides) / sizeof(strides[0]); i++) {
		check_streams(1, strides[i], 1000);
		check_streams(4, strides[i], 500);
	}
	check_streams(12, 1, 2000);
	check_streams(12, -1, 2000);
	check_long_stream(1);
	check_long_stream(-1);
	check_long_stream(7);
	check_random(2048, 200000);
	check_random(4096, 200000);
	check_random(65536, 200000);
	check_random(PAGES, 200000);
	check_noise();
	check_short_runs();
	check_dropped();
	check_edges();
	free(d.page);
	return 0;
}
