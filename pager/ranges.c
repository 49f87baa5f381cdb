// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The registered ranges, sorted by address.  Few writers, many readers that
 * must not wait (filters in wrappers, fault threads): a sequence counter.
 */
#include "engine.h"
#include "mem.h"
#include "sys.h"

int gvm_ranges_init(struct gvm_ranges *r)
{
	*r = (struct gvm_ranges){ .cap = 256 };
	r->list = gvm_mem_map(r->cap * sizeof(*r->list));
	return r->list ? 0 : -ENOMEM;
}

static void write_begin(struct gvm_ranges *r)
{
	__atomic_fetch_add(&r->seq, 1, __ATOMIC_ACQ_REL);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void write_end(struct gvm_ranges *r)
{
	__atomic_fetch_add(&r->seq, 1, __ATOMIC_RELEASE);
}

/* Index of the first range that ends after va. */
static u64 search(const struct gvm_range *list, u64 nr, u64 va)
{
	u64 lo = 0, hi = nr;

	while (lo < hi) {
		u64 mid = (lo + hi) / 2;

		if (list[mid].end <= va)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int make_room(struct gvm_ranges *r, u64 more)
{
	struct gvm_range *list;

	if (r->nr + more <= r->cap)
		return 0;
	list = gvm_mem_map(2 * r->cap * sizeof(*list));
	if (!list)
		return -ENOMEM;
	memcpy(list, r->list, r->nr * sizeof(*list));
	write_begin(r);
	/* The old array stays mapped: a reader may be in the middle of it. */
	__atomic_store_n(&r->list, list, __ATOMIC_RELEASE);
	r->cap *= 2;
	write_end(r);
	return 0;
}

static bool joins(const struct gvm_range *a, const struct gvm_range *b)
{
	return a->end == b->start && a->fd < 0 && b->fd < 0 &&
	       a->no_fork == b->no_fork && a->huge == b->huge &&
	       a->start >> GVM_SLICE_SHIFT == (b->end - 1) >> GVM_SLICE_SHIFT;
}

static int add(struct gvm_ranges *r, const struct gvm_range *range)
{
	u64 i;
	int err = make_room(r, 1);

	if (err)
		return err;
	i = search(r->list, r->nr, range->start);
	if (i < r->nr && r->list[i].start < range->end)
		return -EEXIST;

	write_begin(r);
	if (i && joins(&r->list[i - 1], range)) {
		r->list[i - 1].end = range->end;
	} else {
		memmove(&r->list[i + 1], &r->list[i],
			(r->nr - i) * sizeof(*r->list));
		r->list[i] = *range;
		r->nr++;
	}
	r->pages += (range->end - range->start) >> GVM_PAGE_SHIFT;
	write_end(r);
	return 0;
}

int gvm_ranges_add(struct gvm_ranges *r, const struct gvm_range *range)
{
	int err;

	gvm_lock(&r->lock);
	err = add(r, range);
	gvm_unlock(&r->lock);
	return err;
}

static void cut(struct gvm_ranges *r, u64 start, u64 end)
{
	u64 i;

	/* Splitting makes one more at most; without room keep it whole. */
	if (make_room(r, 1))
		return;
	write_begin(r);
	i = search(r->list, r->nr, start);
	while (i < r->nr && r->list[i].start < end) {
		struct gvm_range *at = &r->list[i];
		struct gvm_range rest = *at;
		u64 from = at->start > start ? at->start : start;
		u64 to = at->end < end ? at->end : end;

		r->pages -= (to - from) >> GVM_PAGE_SHIFT;
		if (at->start < from && to < at->end) {
			rest.start = to;
			rest.offset += to - at->start;
			at->end = from;
			memmove(&r->list[i + 2], &r->list[i + 1],
				(r->nr - i - 1) * sizeof(*r->list));
			r->list[i + 1] = rest;
			r->nr++;
			break;
		}
		if (at->start < from) {
			at->end = from;
			i++;
		} else if (to < at->end) {
			at->offset += to - at->start;
			at->start = to;
			break;
		} else {
			memmove(at, at + 1, (r->nr - i - 1) * sizeof(*at));
			r->nr--;
		}
	}
	write_end(r);
}

void gvm_ranges_cut(struct gvm_ranges *r, u64 start, u64 end)
{
	gvm_lock(&r->lock);
	cut(r, start, end);
	gvm_unlock(&r->lock);
}

bool gvm_ranges_first(const struct gvm_ranges *r, u64 start, u64 end,
		      struct gvm_range *ret_range)
{
	for (;;) {
		u32 seq = __atomic_load_n(&r->seq, __ATOMIC_ACQUIRE);
		const struct gvm_range *list;
		struct gvm_range found;
		bool hit = false;
		u64 nr, i;

		if (seq & 1)
			continue;
		list = __atomic_load_n(&r->list, __ATOMIC_ACQUIRE);
		nr = __atomic_load_n(&r->nr, __ATOMIC_RELAXED);
		i = search(list, nr, start);
		if (i < nr && list[i].start < end) {
			found = list[i];
			hit = true;
		}
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&r->seq, __ATOMIC_RELAXED) != seq)
			continue;
		if (hit && ret_range)
			*ret_range = found;
		return hit;
	}
}

bool gvm_ranges_find(const struct gvm_ranges *r, u64 va,
		     struct gvm_range *ret_range)
{
	return gvm_ranges_first(r, va, va + 1, ret_range);
}

/* Afterwards no range crosses `at`.  Called with room for one more. */
static void split(struct gvm_ranges *r, u64 at)
{
	u64 i = search(r->list, r->nr, at);

	if (i == r->nr || r->list[i].start >= at)
		return;
	memmove(&r->list[i + 1], &r->list[i],
		(r->nr - i) * sizeof(*r->list));
	r->list[i].end = at;
	r->list[i + 1].offset += at - r->list[i + 1].start;
	r->list[i + 1].start = at;
	r->nr++;
}

/* Mark what lies within [start, end); -1 leaves a mark alone. */
int gvm_ranges_set(struct gvm_ranges *r, u64 start, u64 end, int huge,
		    int no_fork)
{
	int err;

	gvm_lock(&r->lock);
	err = make_room(r, 2);
	if (err)
		goto out;
	write_begin(r);
	split(r, start);
	split(r, end);
	for (u64 i = 0; i < r->nr; i++) {
		struct gvm_range *at = &r->list[i];

		if (at->start < start || at->end > end)
			continue;
		if (huge >= 0)
			at->huge = (u8)huge;
		if (no_fork >= 0 && !at->shared)
			at->no_fork = (u8)no_fork;
	}
	write_end(r);
out:
	gvm_unlock(&r->lock);
	return err;
}

/* Close a backing file that no range uses any more. */
void gvm_ranges_put_fd(struct gvm_ranges *r, int fd)
{
	if (fd < 0)
		return;
	for (u64 i = 0; i < r->nr; i++)
		if (r->list[i].fd == fd)
			return;
	gvm_fd_mine(fd, false);
	gvm_sys(SYS_close, fd);
}
