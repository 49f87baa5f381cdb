// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * Streams of faults and what they promise; fetch.h says what for.
 *
 * A fault belongs to the stream that expected it, else to the nearest one
 * close by; otherwise it begins a stream of its own, in place of the one that
 * was used longest ago.  A stream advises only when its steps agree.  Chance
 * makes two of 16 streams agree about once in N/16 faults over N pages, so
 * first windows are small; how many marks went unused decides how much trust
 * there is.
 */
#include "fetch.h"

#define NEAR		64u	/* pages: joins a stream */
#define FAR		1024u	/* pages: a stride may be that large */
#define WINDOW_NEAR	4u	/* first window, neighbours */
#define WINDOW_FAR	2u	/* first window, strides that are larger */
#define MEMORY		64u	/* marks after which old ones count half */
#define DOUBT		8u	/* unused marks beyond the used ones */
#define RUN_MAX		(1u << 20)
#define PROVEN		16u	/* wide windows are such a part of the run */

void gvm_fetch_init(struct gvm_fetch *f, u32 window_max)
{
	memset(f, 0, sizeof(*f));
	if (window_max > GVM_PREFETCH_PAGES_MAX)
		window_max = GVM_PREFETCH_PAGES_MAX;
	f->window_max = window_max;
	f->wide_max = window_max;
}

void gvm_fetch_wide(struct gvm_fetch *f, u32 wide_max)
{
	if (wide_max > GVM_PREFETCH_PAGES_MAX)
		wide_max = GVM_PREFETCH_PAGES_MAX;
	f->wide_max = wide_max > f->window_max ? wide_max : f->window_max;
}

static u64 distance(u64 a, u64 b)
{
	return a > b ? a - b : b - a;
}

static bool in_use(const struct gvm_fetch_stream *s)
{
	return s->used;
}

static void use(struct gvm_fetch *f, struct gvm_fetch_stream *s)
{
	if (!++f->clock)
		f->clock = 1;	/* 0 means never */
	s->used = f->clock;
}

static s32 last_step(const struct gvm_fetch_stream *s)
{
	return s->steps ? s->step[(s->steps - 1) % GVM_FETCH_HISTORY] : 0;
}

/* Ahead on the stream's track, not farther than its next window. */
static bool on_track(const struct gvm_fetch_stream *s, u64 page)
{
	s64 ahead = (s64)(page - s->last);

	if (!s->window || ahead % s->stride)
		return false;
	ahead /= s->stride;
	return ahead > 0 && ahead <= 2 * (s64)s->window + 1;
}

static bool expected(const struct gvm_fetch_stream *s, u64 page)
{
	return on_track(s, page) ||
	       (last_step(s) && page == s->last + (u64)(s64)last_step(s));
}

/* *ret_near: the stream whose last fault is nearest, at most FAR away. */
static struct gvm_fetch_stream *find(struct gvm_fetch *f, u64 page,
				     struct gvm_fetch_stream **ret_near)
{
	u64 nearest = FAR + 1;

	*ret_near = NULL;
	for (u32 i = 0; i < GVM_FETCH_STREAMS; i++) {
		struct gvm_fetch_stream *s = &f->stream[i];

		if (!in_use(s))
			continue;
		if (expected(s, page))
			return s;
		if (distance(s->last, page) < nearest) {
			nearest = distance(s->last, page);
			*ret_near = s;
		}
	}
	return nearest <= NEAR ? *ret_near : NULL;
}

static void add_step(struct gvm_fetch_stream *s, s64 step)
{
	s->step[s->steps++ % GVM_FETCH_HISTORY] = (s32)step;
	/* Full twice: keep the place in the ring, lose the count. */
	if (s->steps == 2 * GVM_FETCH_HISTORY)
		s->steps = GVM_FETCH_HISTORY;
}

/* A new stream; if another was near enough, the step from there is its first. */
static void begin(struct gvm_fetch *f, u64 page,
		  const struct gvm_fetch_stream *near)
{
	s64 step = near ? (s64)(page - near->last) : 0;
	struct gvm_fetch_stream *s = &f->stream[0];

	for (u32 i = 1; i < GVM_FETCH_STREAMS && in_use(s); i++) {
		struct gvm_fetch_stream *other = &f->stream[i];

		if (!in_use(other) ||
		    f->clock - other->used > f->clock - s->used)
			s = other;
	}
	*s = (struct gvm_fetch_stream){ .last = page };
	if (step)
		add_step(s, step);
	use(f, s);
}

/* Of so many recent steps, or as many as there are. */
static u32 votes_for(const struct gvm_fetch_stream *s, s32 step, u32 recent)
{
	u32 votes = 0;

	for (u32 i = 1; i <= recent && i <= s->steps; i++)
		votes += s->step[(s->steps - i) % GVM_FETCH_HISTORY] == step;
	return votes;
}

/*
 * The step that the stream agrees on, or 0: the last two, or three while there
 * is doubt; else most of the history (the majority of Boyer and Moore).
 */
static s64 agreed(const struct gvm_fetch *f, const struct gvm_fetch_stream *s)
{
	u32 nr = s->steps < GVM_FETCH_HISTORY ? s->steps : GVM_FETCH_HISTORY;
	u32 enough = f->misses > f->hits + DOUBT ? 3 : 2;
	s32 candidate = 0;
	u32 votes = 0;

	if (votes_for(s, last_step(s), enough) == enough)
		return last_step(s);
	for (u32 i = 0; i < nr; i++) {
		if (!votes)
			candidate = s->step[i];
		if (s->step[i] == candidate)
			votes++;
		else
			votes--;
	}
	votes = votes_for(s, candidate, nr);
	return votes > nr / 2 && votes > enough ? candidate : 0;
}

static u32 next_window(const struct gvm_fetch *f,
		       const struct gvm_fetch_stream *s)
{
	bool far = s->stride > NEAR || s->stride < -(s64)NEAR;
	u32 window = far ? WINDOW_FAR : WINDOW_NEAR;
	u32 most = f->window_max;

	if (s->window)
		window = s->window * 2;
	/* Neighbours only: what lies far apart is not cheaper in bulk. */
	if (most && s->run / PROVEN >= 2 * s->window &&
	    (s->stride == 1 || s->stride == -1))
		most = f->wide_max;
	/* More marks went unused than were touched: a quarter, for now. */
	if (f->misses > f->hits + DOUBT)
		most = (most + 3) / 4;
	return window < most ? window : most;
}

/*
 * Where the mark lies in a window: at its begin, so that the next one is on its
 * way in time; but in the middle while the window still grows, because a run
 * that ends early should not have doubled it.
 */
static u32 mark_at(const struct gvm_fetch *f, const struct gvm_fetch_stream *s)
{
	return s->window < f->window_max ? s->window / 2 : 0;
}

/* Advise the window that starts at first, as far as there are pages. */
static bool advise(const struct gvm_fetch *f, struct gvm_fetch_stream *s,
		   u64 first, struct gvm_fetch_advice *ret)
{
	u64 stride = (u64)(s->stride < 0 ? -s->stride : s->stride);
	u32 window = next_window(f, s);
	bool begins = !s->window;
	u64 room;

	/* Wrapped below zero, or beyond: nothing is there. */
	if (!window || first > GVM_PAGE_NO_MAX)
		return false;
	room = (s->stride < 0 ? first : GVM_PAGE_NO_MAX - first) / stride + 1;
	if (window > room)
		window = (u32)room;
	s->window = window;
	s->next = first + (u64)s->stride * window;
	*ret = (struct gvm_fetch_advice){
		.first = first, .stride = s->stride, .count = window,
		.mark = first + (u64)s->stride * mark_at(f, s),
	};
	s->before = begins ? ret->mark : s->mark;
	s->mark = ret->mark;
	return true;
}

bool gvm_fetch_fault(struct gvm_fetch *f, u64 page,
		     struct gvm_fetch_advice *ret)
{
	struct gvm_fetch_stream *near;
	struct gvm_fetch_stream *s;
	s64 step;

	if (!f->window_max)
		return false;
	s = find(f, page, &near);
	if (!s) {
		begin(f, page, near);
		return false;
	}
	use(f, s);
	step = (s64)(page - s->last);
	if (!step)
		return false;
	if (on_track(s, page)) {
		/* Past its window, or a page of it that nobody fetched. */
		s->last = page;
		add_step(s, s->stride);
		return advise(f, s, page + (u64)s->stride, ret);
	}
	add_step(s, step);
	s->last = page;
	s->window = 0;
	s->run = 0;
	s->stride = agreed(f, s);
	return s->stride && advise(f, s, page + (u64)s->stride, ret);
}

/* The stream of which this is one of the last two marks. */
static struct gvm_fetch_stream *find_marked(struct gvm_fetch *f, u64 mark)
{
	for (u32 i = 0; i < GVM_FETCH_STREAMS; i++) {
		struct gvm_fetch_stream *s = &f->stream[i];

		if (s->window && (s->mark == mark || s->before == mark))
			return s;
	}
	return NULL;
}

static void forget_half(struct gvm_fetch *f)
{
	if (f->hits + f->misses < MEMORY)
		return;
	f->hits /= 2;
	f->misses /= 2;
}

bool gvm_fetch_marked(struct gvm_fetch *f, u64 page,
		      struct gvm_fetch_advice *ret)
{
	struct gvm_fetch_stream *s = find_marked(f, page);

	f->hits++;
	forget_half(f);
	if (!s)
		return false;
	use(f, s);
	s->last = page;
	add_step(s, s->stride);
	if (s->run < RUN_MAX)
		s->run += s->window;
	return advise(f, s, s->next, ret);
}

bool gvm_fetch_ahead(struct gvm_fetch *f, u64 page,
		     struct gvm_fetch_advice *ret)
{
	struct gvm_fetch_stream *s = find_marked(f, page);

	return s && s->before == page && s->window >= f->window_max &&
	       advise(f, s, s->next, ret);
}

void gvm_fetch_unused(struct gvm_fetch *f, u64 page)
{
	struct gvm_fetch_stream *s = find_marked(f, page);

	f->misses++;
	forget_half(f);
	if (!s)
		return;
	s->window = 0;
	s->steps = 0;
	s->run = 0;
}
