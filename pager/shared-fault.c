// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the kernel reports, and the local limit.
 *
 * Room for a page is made before it is asked for: what a node holds and what
 * it has asked for together never exceed the limit.  A fault for which there
 * is no room yet is parked, and so is one that comes while it is another node's
 * turn; what cannot even be parked is woken, and comes again by itself.
 */
#define _GNU_SOURCE
#include "engine.h"
#include "shared.h"
#include "sys.h"

#define ROOM_AHEAD	8u	/* pages given up ahead of demand */
#define FRESH_PAGES	512u	/* claimed ones mapped at once */
#define VICTIMS		16u	/* tries to find one that can go */

static struct gvm_stamp *stamp_of(struct gvm_shared *r, u64 page)
{
	return &r->stamps[page % GVM_STAMPS];
}

static void stamp_begin(struct gvm_shared *r, u64 page, enum gvm_shared_miss kind)
{
	struct gvm_stamp *s = stamp_of(r, page);

	/* The first waiter counts; a clash loses a sample, no more. */
	if (s->ns && s->page == page)
		return;
	*s = (struct gvm_stamp){ page, r->now_ns, (u8)kind };
}

void gvm_shared_stamp_end(struct gvm_shared *r, u64 page)
{
	struct gvm_stamp *s = stamp_of(r, page);
	u64 ns;

	if (!s->ns || s->page != page)
		return;
	ns = gvm_now_ns() - s->ns;
	s->ns = 0;
	gvm_hist_add((struct gvm_hist *)&r->stats->latency[s->kind], ns);
}

/*
 * A page that was given up and is not confirmed yet does not count: its bytes
 * are in a buffer, of which there are so many.  If it did, one that is given up
 * would make no room for a round trip, and all would be given up for it.
 */
static u64 in_use(const struct gvm_shared *r)
{
	u64 n = 0;

	for (u32 i = 0; i < r->homes_nr; i++)
		if (r->homes[i].node)
			n += gvm_node_held(r->homes[i].node) +
			     gvm_node_wanted(r->homes[i].node);
	return n;
}

static bool evict_one(struct gvm_shared *r, struct gvm_home_link *home)
{
	u64 page;

	for (u32 i = 0; i < VICTIMS; i++) {
		if (!gvm_node_victim(home->node, r->now_ns, &page))
			return false;
		if (gvm_node_evict(home->node, page, r->now_ns, &r->out))
			continue;
		gvm_shared_carry(r, home);
		return true;
	}
	return false;
}

/* Until pages can be asked for.  It may not come to that. */
void gvm_shared_make_room(struct gvm_shared *r, struct gvm_home_link *home,
			  u32 pages)
{
	u32 other = (u32)(home - r->homes);

	while (in_use(r) + pages > r->frames) {
		if (home->node && evict_one(r, home))
			continue;
		/* Nothing of this home's can go: something of another's. */
		other = (other + 1) % r->homes_nr;
		home = &r->homes[other];
		if (!home->node || !evict_one(r, home))
			return;
	}
}

/*
 * Memory that is claimed and fresh is touched page after page when a guest
 * boots, and each would cost a fault that has nothing to wait for.  So the
 * whole 2 MiB around it are mapped at once, as the kernel's zero page, which
 * takes memory only where it is written.  Only where all of the region may be
 * here: elsewhere untouched pages would push out those that are used.
 *
 * False: not such a page; nothing was changed.
 */
static bool serve_fresh(struct gvm_shared *r, struct gvm_home_link *home,
			u64 page)
{
	const u64 slice = r->slice_bytes >> GVM_PAGE_SHIFT;
	const u64 block = slice < FRESH_PAGES ? slice : FRESH_PAGES;
	const u64 low = page & ~(block - 1);
	const u64 high = low + block < r->slices.pages ? low + block :
			 r->slices.pages;
	u64 first = page, end = page + 1;

	if (!gvm_node_claimed(home->node, page) || r->frames < r->slices.pages)
		return false;
	while (first > low && gvm_node_claimed(home->node, first - 1))
		first--;
	while (end < high && gvm_node_claimed(home->node, end))
		end++;
	if (!gvm_pages_one_view(r, first, end - first))
		return false;
	for (u64 i = first; i < end; i++) {
		if (gvm_node_touch(home->node, i, r->now_ns))
			end = i;
	}
	/* What has a record must be here, even if the page itself got none. */
	if (end > first)
		gvm_pages_zero(r, first, end - first);
	return end > page;
}

/* False: no room, or not our turn; nothing was changed. */
static bool serve(struct gvm_shared *r, u64 page, enum gvm_want want,
		  u32 thread)
{
	struct gvm_home_link *home = gvm_home_link_of(r, page);
	bool more;

	if (!home->node)
		return false;
	if (serve_fresh(r, home, page)) {
		gvm_shared_stamp_end(r, page);
		return true;
	}
	more = gvm_node_right(home->node, page) == GVM_RIGHT_NONE;
	if (more) {
		gvm_shared_make_room(r, home, 1);
		if (in_use(r) >= r->frames)
			return false;
	}
	/* Late is always safe: to home it looks like a slow node. */
	if (r->turn && r->turn(r->arg, thread))
		return false;
	if (gvm_node_fault(home->node, page, want, r->now_ns, &r->out))
		return false;
	gvm_shared_carry(r, home);
	/* While the answer is on its way. */
	if (more)
		gvm_shared_make_room(r, home, ROOM_AHEAD);
	return true;
}

static void park(struct gvm_shared *r, u64 page, enum gvm_want want,
		 u32 thread)
{
	if (r->parked_nr == GVM_FAULTS_PARKED_MAX) {
		gvm_page_wake(r, page, false);
		return;
	}
	r->parked[r->parked_nr++] = (struct gvm_parked){
		.page = page, .want = (u8)want, .thread = thread,
	};
	r->stats->parked++;
}

void gvm_shared_retry_parked(struct gvm_shared *r)
{
	u32 left = 0;

	for (u32 i = 0; i < r->parked_nr; i++) {
		const struct gvm_parked p = r->parked[i];

		if (!serve(r, p.page, (enum gvm_want)p.want, p.thread))
			r->parked[left++] = p;
	}
	r->parked_nr = left;
}

static void fault(struct gvm_shared *r, const struct gvm_uffd_event *e)
{
	enum gvm_want want = GVM_WANT_EXCLUSIVE;
	enum gvm_shared_miss kind = GVM_MISS_WRITE;
	u64 page;

	if (!gvm_shared_view_page(r, e->addr, &page)) {
		gvm_uffd_wake(r->uffd, e->addr, GVM_PAGE_BYTES);
		return;
	}
	r->stats->faults++;
	if (e->what == GVM_UFFD_READ) {
		kind = GVM_MISS_READ;
		if (gvm_migratory_read(&r->migratory, page))
			r->stats->foreseen++;
		else
			want = GVM_WANT_SHARED;
	} else if (e->what == GVM_UFFD_PROTECT) {
		kind = GVM_MISS_UPGRADE;
		gvm_migratory_write(&r->migratory, page);
	}
	r->stats->misses[kind]++;
	gvm_record_fault(r, page, want == GVM_WANT_EXCLUSIVE);
	stamp_begin(r, page, kind);
	if (!serve(r, page, want, e->thread))
		park(r, page, want, e->thread);
}

static void see(struct gvm_shared *r, const struct gvm_uffd_event *e)
{
	if (e->what == GVM_UFFD_BROKEN)
		gvm_shared_fatal(r, "the userfaultfd of region %s broke; stopping",
				 r->name);
	if (e->what != GVM_UFFD_READ && r->store_waits)
		r->store_waits((void *)(uintptr_t)e->addr, e->thread, r->arg);
	r->seen[r->seen_in++ % GVM_FAULTS_SEEN_MAX] = *e;
}

bool gvm_shared_see(struct gvm_shared *r)
{
	u32 nr;

	do {
		/* Only with thousands of threads that all sleep in a fault. */
		if (r->seen_in - r->seen_out >
		    GVM_FAULTS_SEEN_MAX - GVM_UFFD_EVENTS)
			return false;
		nr = gvm_uffd_read(r->uffd, r->fresh);
		for (u32 i = 0; i < nr; i++)
			see(r, &r->fresh[i]);
	} while (nr == GVM_UFFD_EVENTS);
	return true;
}

void gvm_shared_faults(struct gvm_shared *r)
{
	struct gvm_uffd_event e;
	u32 end;

	gvm_shared_see(r);
	/* What is read while these are served waits: there is more to do. */
	end = r->seen_in;
	while (r->seen_out != end) {
		e = r->seen[r->seen_out++ % GVM_FAULTS_SEEN_MAX];
		fault(r, &e);
	}
}

/* One round over what is held; called until it says that nothing is. */
bool gvm_shared_sweep(struct gvm_shared *r)
{
	bool empty = true;

	for (u32 i = 0; i < r->homes_nr; i++) {
		struct gvm_home_link *home = &r->homes[i];
		enum gvm_node_right right;
		u64 page, seq;

		for (u32 j = 0; home->node && j < gvm_node_slots(home->node);
		     j++) {
			if (!gvm_node_slot(home->node, j, &page, &right, &seq))
				continue;
			if (!gvm_node_evict(home->node, page, r->now_ns,
					    &r->out))
				gvm_shared_carry(r, home);
		}
		if (home->node && (gvm_node_held(home->node) ||
				   !gvm_node_idle(home->node)))
			empty = false;
	}
	return empty;
}
