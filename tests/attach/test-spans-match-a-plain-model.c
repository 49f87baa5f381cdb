// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, the books of attached memory would drift from the truth
 * after enough mapping and unmapping, and a later call would hit the wrong
 * pages.  Random operations, compared with one byte per page.
 */
#include "check.h"
#include "span.h"

#define PAGES	64u
#define ROUNDS	200000u

static u8 model[PAGES];		/* 0: nothing; else 1 + what * 2 + no_fork */
static u32 seed = 1;

static u32 pick(u32 below)
{
	seed = seed * 1664525u + 1013904223u;
	return (u32)(((u64)seed * below) >> 32);
}

static u8 value(const struct gvm_span *s)
{
	return (u8)(1 + s->what * 2 + s->no_fork);
}

static void compare(void)
{
	struct gvm_span *s = gvm_spans_first(0, PAGES);
	struct gvm_span *next;
	u32 i = 0;

	for (; s; s = next) {
		next = gvm_spans_next(s, PAGES);
		CHECK(s->start >= i && s->end > s->start && s->end <= PAGES);
		for (; i < s->start; i++)
			CHECK(model[i] == 0);
		for (; i < s->end; i++)
			CHECK(model[i] == value(s));
		/* Equal neighbours are one span. */
		CHECK(!next || next->start > s->end ||
		      value(next) != value(s));
	}
	for (; i < PAGES; i++)
		CHECK(model[i] == 0);
}

static void one_step(void)
{
	u32 a = pick(PAGES);
	u32 b = a + 1 + pick(PAGES - a);
	struct gvm_span span = {
		.start = a,
		.end = b,
		.what = (u8)pick(2),
		.no_fork = pick(2),
	};
	struct gvm_span *s;
	u32 i;

	switch (pick(3)) {
	case 0:
		gvm_spans_cut(a, b);
		gvm_spans_add(&span);
		for (i = a; i < b; i++)
			model[i] = value(&span);
		break;
	case 1:
		gvm_spans_cut(a, b);
		for (i = a; i < b; i++)
			model[i] = 0;
		break;
	default:
		gvm_spans_split(a, b);
		for (s = gvm_spans_first(a, b); s; s = gvm_spans_next(s, b)) {
			s->no_fork = span.no_fork;
			for (i = (u32)s->start; i < s->end; i++)
				model[i] = value(s);
		}
		gvm_spans_join(a, b);
		break;
	}
	CHECK(gvm_spans_near(a, b) || !gvm_spans_first(a, b));
}

int main(void)
{
	for (u32 i = 0; i < ROUNDS; i++) {
		one_step();
		compare();
	}
	return 0;
}
