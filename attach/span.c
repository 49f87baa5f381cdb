// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * The address ranges of the program that we know about.  See span.h.
 *
 * A plain sorted array: a program has tens of large mappings, seldom a
 * thousand, and every change of one costs a system call anyway.
 */
#include "span.h"

static struct gvm_span list[GVM_SPANS_MAX];
static u32 list_nr;

/* Bounds over everything ever added, for gvm_spans_near(); only widen. */
static u64 lowest = ~(u64)0;
static u64 highest;

bool gvm_spans_room(void)
{
	return list_nr + GVM_SPANS_SPARE <= GVM_SPANS_MAX;
}

bool gvm_spans_near(u64 start, u64 end)
{
	return start < __atomic_load_n(&highest, __ATOMIC_ACQUIRE) &&
	       end > __atomic_load_n(&lowest, __ATOMIC_ACQUIRE);
}

/* Index of the first span that ends above addr. */
static u32 find(u64 addr)
{
	u32 low = 0;
	u32 high = list_nr;

	while (low < high) {
		u32 mid = low + (high - low) / 2;

		if (list[mid].end > addr)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static void open_gap(u32 at, u32 nr)
{
	memmove(&list[at + nr], &list[at],
		(list_nr - at) * sizeof(list[0]));
	list_nr += nr;
}

static void close_gap(u32 at, u32 nr)
{
	memmove(&list[at], &list[at + nr],
		(list_nr - at - nr) * sizeof(list[0]));
	list_nr -= nr;
}

static bool mergeable(const struct gvm_span *a, const struct gvm_span *b)
{
	if (a->end != b->start || a->what != b->what || a->prot != b->prot ||
	    a->no_fork != b->no_fork || a->wipe != b->wipe)
		return false;
	if (a->what != GVM_SPAN_SHARED && a->what != GVM_SPAN_REGION)
		return true;
	return a->file == b->file &&
	       a->offset + (a->end - a->start) == b->offset;
}

void gvm_spans_join(u64 start, u64 end)
{
	u32 i = find(start);

	if (i > 0)
		i--;
	while (i + 1 < list_nr && list[i].start <= end) {
		if (!mergeable(&list[i], &list[i + 1])) {
			i++;
			continue;
		}
		list[i].end = list[i + 1].end;
		close_gap(i + 1, 1);
	}
}

void gvm_spans_add(const struct gvm_span *span)
{
	u32 i = find(span->start);

	if (gvm_bug_on(!gvm_spans_room()))
		return;
	if (gvm_bug_on(i < list_nr && list[i].start < span->end))
		return;
	open_gap(i, 1);
	list[i] = *span;
	if (span->start < lowest)
		__atomic_store_n(&lowest, span->start, __ATOMIC_RELEASE);
	if (span->end > highest)
		__atomic_store_n(&highest, span->end, __ATOMIC_RELEASE);
	gvm_spans_join(span->start, span->end);
}

static void split_at(u64 at)
{
	u32 i = find(at);

	if (i == list_nr || list[i].start >= at)
		return;
	if (gvm_bug_on(list_nr == GVM_SPANS_MAX))
		return;
	open_gap(i, 1);
	list[i] = list[i + 1];
	list[i].end = at;
	list[i + 1].offset += at - list[i + 1].start;
	list[i + 1].start = at;
}

void gvm_spans_split(u64 start, u64 end)
{
	split_at(start);
	split_at(end);
}

void gvm_spans_cut(u64 start, u64 end)
{
	u32 first;
	u32 last;

	gvm_spans_split(start, end);
	first = find(start);
	last = first;
	while (last < list_nr && list[last].start < end)
		last++;
	if (last > first)
		close_gap(first, last - first);
}

struct gvm_span *gvm_spans_first(u64 start, u64 end)
{
	u32 i = find(start);

	if (i == list_nr || list[i].start >= end)
		return NULL;
	return &list[i];
}

struct gvm_span *gvm_spans_next(struct gvm_span *span, u64 end)
{
	span++;
	if (span >= list + list_nr || span->start >= end)
		return NULL;
	return span;
}
