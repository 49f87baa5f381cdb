// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * Streams of faults and what they promise; fetch.h says what for.
 *
 * A fault belongs to the stream that expected it, or else to the nearest one
 * within reach; otherwise it replaces the stream that was used longest ago.
 * A stream advises only when most of its last steps agree.
 */
#include "fetch.h"

#define REACH		64	/* pages around a stream's last fault */
#define WINDOW_FIRST	4u
#define AGREE_MIN	2u	/* steps that must agree before any advice */

void gvm_fetch_init(struct gvm_fetch *f, u32 window_max)
{
	memset(f, 0, sizeof(*f));
	if (window_max > GVM_PREFETCH_PAGES_MAX)
		window_max = GVM_PREFETCH_PAGES_MAX;
	f->window_max = window_max;
}

static u64 distance(u64 a, u64 b)
{
	return a > b ? a - b : b - a;
}

static struct gvm_fetch_stream *find(struct gvm_fetch *f, u64 page)
{
	struct gvm_fetch_stream *near = NULL;
	u64 nearest = REACH + 1;

	for (u32 i = 0; i < GVM_FETCH_STREAMS; i++) {
		struct gvm_fetch_stream *s = &f->stream[i];

		if (!s->used)
			continue;
		if (s->window && s->next == page)
			return s;
		if (distance(s->last, page) < nearest) {
			nearest = distance(s->last, page);
			near = s;
		}
	}
	return near;
}

static struct gvm_fetch_stream *replace(struct gvm_fetch *f, u64 page)
{
	struct gvm_fetch_stream *s = &f->stream[0];

	for (u32 i = 1; i < GVM_FETCH_STREAMS; i++) {
		if (f->stream[i].used < s->used)
			s = &f->stream[i];
	}
	*s = (struct gvm_fetch_stream){ .last = page };
	return s;
}

/* The step that most of the history agrees on (Boyer and Moore), or 0. */
static s64 majority(const struct gvm_fetch_stream *s)
{
	u32 nr = s->steps < GVM_FETCH_HISTORY ? s->steps : GVM_FETCH_HISTORY;
	s32 candidate = 0;
	u32 votes = 0;

	for (u32 i = 0; i < nr; i++) {
		if (!votes)
			candidate = s->step[i];
		if (s->step[i] == candidate)
			votes++;
		else
			votes--;
	}
	votes = 0;
	for (u32 i = 0; i < nr; i++)
		votes += s->step[i] == candidate;
	return votes * 2 > nr && votes >= AGREE_MIN ? candidate : 0;
}

/* Advise the window that starts at first. */
static bool advise(const struct gvm_fetch *f, struct gvm_fetch_stream *s,
		   u64 first, struct gvm_fetch_advice *ret)
{
	u32 window = s->window ? s->window * 2 : WINDOW_FIRST;
	u64 reach;

	if (window > f->window_max)
		window = f->window_max;
	reach = (u64)(s->stride < 0 ? -s->stride : s->stride) * window;
	if (!window || first > GVM_PAGE_NO_MAX ||
	    (s->stride < 0 ? first < reach : GVM_PAGE_NO_MAX - first < reach))
		return false;
	s->window = window;
	s->next = first + (u64)(s->stride * (s64)window);
	*ret = (struct gvm_fetch_advice){
		.first = first, .stride = s->stride, .count = window,
		.mark = first,
	};
	return true;
}

bool gvm_fetch_fault(struct gvm_fetch *f, u64 page,
		     struct gvm_fetch_advice *ret)
{
	struct gvm_fetch_stream *s;

	if (!f->window_max)
		return false;
	s = find(f, page);
	if (!s) {
		s = replace(f, page);
		s->used = ++f->clock;
		return false;
	}
	s->used = ++f->clock;
	/* Beyond a window that was used up: the trend holds. */
	if (s->window && page == s->next) {
		s->last = page;
		return advise(f, s, page + (u64)s->stride, ret);
	}
	if (page == s->last)
		return false;
	s->step[s->steps++ % GVM_FETCH_HISTORY] = (s32)((s64)page -
							(s64)s->last);
	s->last = page;
	s->window = 0;
	s->stride = majority(s);
	return s->stride && advise(f, s, page + (u64)s->stride, ret);
}

bool gvm_fetch_marked(struct gvm_fetch *f, u64 page,
		      struct gvm_fetch_advice *ret)
{
	for (u32 i = 0; i < GVM_FETCH_STREAMS; i++) {
		struct gvm_fetch_stream *s = &f->stream[i];

		if (!s->window ||
		    page + (u64)(s->stride * (s64)s->window) != s->next)
			continue;
		s->used = ++f->clock;
		s->last = page;
		f->hits++;
		return advise(f, s, s->next, ret);
	}
	return false;
}

void gvm_fetch_unused(struct gvm_fetch *f, u64 page)
{
	for (u32 i = 0; i < GVM_FETCH_STREAMS; i++) {
		struct gvm_fetch_stream *s = &f->stream[i];

		if (s->window &&
		    page + (u64)(s->stride * (s64)s->window) == s->next) {
			s->window = 0;
			s->steps = 0;
		}
	}
	f->misses++;
}
