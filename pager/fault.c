// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A fault: a thread of the program, or the kernel on its behalf, touched a
 * page that is not here.  Start reading here: this is where the path of every
 * page begins.
 *
 * Faults are served out of order: under KVM one vCPU has many of them under
 * way, from threads that are not the program's (asynchronous page faults).
 */
#define _GNU_SOURCE
#include "engine.h"

/* No frame, or no request: later, when something was released. */
void gvm_park(struct gvm_shard *s, u64 va, bool write)
{
	if (s->parked_head - s->parked_tail == GVM_PARKED_MAX) {
		/* Too many wait: this thread faults again, and finds room. */
		gvm_uffd_wake(s->uffd, va, GVM_PAGE_BYTES);
		return;
	}
	if (s->parked_head == s->parked_tail)
		s->parked_ns = s->now_ns;
	s->parked[s->parked_head++ % GVM_PARKED_MAX] = va | write;
}

void gvm_fault_retry_parked(struct gvm_shard *s)
{
	u64 end = s->parked_head;

	while (s->parked_tail < end) {
		u64 entry = s->parked[s->parked_tail % GVM_PARKED_MAX];

		if (!gvm_free_frames(s) || gvm_request_none(s))
			return;
		s->parked_tail++;
		s->parked_ns = s->now_ns;
		gvm_fault(s, entry & ~1ull, entry & 1);
	}
}

/* Nothing could be given up for so long: say so rather than wait for ever. */
void gvm_fault_check_parked(struct gvm_shard *s)
{
	if (s->parked_head == s->parked_tail ||
	    s->now_ns - s->parked_ns < s->gvm->wait_ms * 1000000ull)
		return;
	gvm_fatal(s->gvm, "no page of %s could be given up for %u ms (%llu resident, %llu held, %llu staged of which %llu unsent, %u requests out); stopping it (a larger --local may help)",
		  s->gvm->name, s->gvm->wait_ms,
		  (unsigned long long)s->cache.resident,
		  (unsigned long long)s->held_pages,
		  (unsigned long long)s->staging.live,
		  (unsigned long long)s->staging.unsent, s->requests_used);
}

void gvm_fetch_page(struct gvm_shard *s, struct gvm_chunk *chunk, u32 idx,
		    bool write)
{
	struct gvm_request *r;
	u16 actions;

	r = gvm_request_get(s, GVM_MSG_READ, chunk->server, 0);
	if (!r) {
		gvm_park(s, gvm_page_va(chunk, idx), write);
		return;
	}
	r->fault_ns = s->now_ns;
	r->page[0] = (struct gvm_request_page){
		.va = gvm_page_va(chunk, idx), .crc = chunk->word[idx],
		.count = 1, .live = 1, .write = write,
	};
	gvm_page_event(s, chunk, idx, GVM_EV_READ_FAULT, &actions);
	chunk->word[idx] = gvm_request_word(s, r);
	r->pages = 1;
	s->fetching++;
	gvm_request_send(s, r);
}

/* Its request stays out, but the answer means nothing for this page. */
void gvm_cancel_fetch(struct gvm_shard *s, u32 word)
{
	struct gvm_request_page *p = gvm_request_entry(s, word);

	/* Not live: its bytes are being installed just now (copy_in). */
	if (p->live)
		s->fetching--;
	p->live = 0;
}

/* Ask for what the policy advises, never at the expense of demand. */
void gvm_prefetch(struct gvm_shard *s, const struct gvm_fetch_advice *advice)
{
	struct gvm_request *r = NULL;
	u64 room = gvm_free_frames(s);

	/* A window that is cut short ends its stream: leave little back. */
	room = room > s->low / 4 ? room - s->low / 4 : 0;
	for (u32 i = 0; i < advice->count && room; i++) {
		u64 page = advice->first + (u64)((s64)i * advice->stride);
		u64 va = page << GVM_PAGE_SHIFT;
		struct gvm_chunk *chunk = gvm_table_find(&s->table, va);
		u32 idx = gvm_page_idx(va);
		u16 actions;

		if (!chunk || chunk->state[idx] != GVM_PAGE_REMOTE)
			continue;
		if (r && (r->server != chunk->server ||
			  r->pages == s->read_pages)) {
			gvm_request_send(s, r);
			r = NULL;
		}
		if (!r)
			r = gvm_request_get(s, GVM_MSG_READ, chunk->server, 1);
		if (!r)
			return;
		gvm_page_event(s, chunk, idx, GVM_EV_PREFETCH, &actions);
		r->page[r->pages] = (struct gvm_request_page){
			.va = va, .crc = chunk->word[idx], .count = 1,
			.live = 1, .mark = page == advice->mark,
		};
		chunk->word[idx] = gvm_request_word(s, r);
		r->pages++;
		s->fetching++;
		room--;
	}
	if (r)
		gvm_request_send(s, r);
}

void gvm_fetch_touched(struct gvm_shard *s, u64 page)
{
	struct gvm_fetch_advice a;

	if (!gvm_fetch_marked(&s->fetch, page, &a))
		return;
	gvm_prefetch(s, &a);
	if (gvm_fetch_ahead(&s->fetch, page, &a))
		gvm_prefetch(s, &a);
}

static void ask_ahead(struct gvm_shard *s, u64 va)
{
	struct gvm_fetch_advice advice;

	if (gvm_fetch_fault(&s->fetch, va >> GVM_PAGE_SHIFT, &advice))
		gvm_prefetch(s, &advice);
}

/* On its way already: whoever waits now makes it wanted, and maybe written. */
static void join_fetch(struct gvm_shard *s, u32 word, u64 va, bool write)
{
	struct gvm_request_page *p = gvm_request_entry(s, word);

	p->write |= write;
	if (!p->mark)
		return;
	p->mark = 0;
	s->stats->prefetch_hits++;
	gvm_fetch_touched(s, va >> GVM_PAGE_SHIFT);
}

/*
 * We believe that the page is here and the kernel said that it was missing.
 * Mostly an old message: the page came while it was in the queue.  Laying a
 * page there, without waking anybody, tells which: if that succeeds the page
 * has vanished behind our back, and nobody knows what it should hold.
 */
static void check_present(struct gvm_shard *s, u64 va)
{
	static const u8 zero[GVM_PAGE_BYTES];
	u64 done;

	if (gvm_uffd_copy_silent(s->uffd, va, zero, GVM_PAGE_BYTES, &done) ==
	    GVM_FILL_OK)
		gvm_fatal(s->gvm, "the page at 0x%llx was dropped by a system call that giantvm did not see; stopping %s",
			  (unsigned long long)va, s->gvm->name);
	s->stats->faults_race++;
	gvm_uffd_wake(s->uffd, va, GVM_PAGE_BYTES);
}

static bool needs_frame(u8 state)
{
	return state == GVM_PAGE_ZERO || state == GVM_PAGE_ZERO_WB ||
	       state == GVM_PAGE_REMOTE;
}

static void steal(struct gvm_shard *s, struct gvm_chunk *chunk, u32 idx,
		  bool write)
{
	struct gvm_slot *slot = &s->staging.slots[chunk->word[idx]];
	u32 nr = chunk->word[idx];
	u16 actions;

	/* Its WRITE is out: what it carries is now only an older content. */
	if (chunk->state[idx] == GVM_PAGE_WRITING)
		gvm_request_entry(s, slot->request)->live = 0;
	if (chunk->state[idx] == GVM_PAGE_STAGED)
		s->staging.unsent--;
	gvm_page_event(s, chunk, idx, write ? GVM_EV_WRITE_FAULT :
		       GVM_EV_READ_FAULT, &actions);
	gvm_apply_steal(s, chunk, idx, nr, actions & GVM_ACT_STEAL_DIRTY);
}

void gvm_fault(struct gvm_shard *s, u64 va, bool write)
{
	struct gvm_chunk *chunk = gvm_chunk_of(s, va);
	u32 idx = gvm_page_idx(va);
	u8 state = chunk->state[idx];

	if (needs_frame(state) && !gvm_free_frames(s)) {
		gvm_evict_work(s);
		if (!gvm_free_frames(s)) {
			gvm_park(s, va, write);
			return;
		}
		chunk = gvm_chunk_of(s, va);
		state = chunk->state[idx];
	}
	if (gvm_page_resident(state)) {
		check_present(s, va);
	} else if (gvm_page_staged(state)) {
		steal(s, chunk, idx, write);
	} else if (state == GVM_PAGE_FETCH) {
		join_fetch(s, chunk->word[idx], va, write);
	} else if (state == GVM_PAGE_REMOTE) {
		s->stats->faults_remote++;
		gvm_fetch_page(s, chunk, idx, write);
		ask_ahead(s, va);
	} else {
		gvm_apply_zero(s, chunk, idx, write);
	}
}

/* First write to a page that was equal to its home's copy. */
static void protect_fault(struct gvm_shard *s, u64 va)
{
	struct gvm_chunk *chunk = gvm_chunk_of(s, va);
	u32 idx = gvm_page_idx(va);
	u16 actions;

	if (!gvm_page_resident(chunk->state[idx])) {
		/* Taken away since; the writer looks again and faults anew. */
		gvm_uffd_wake(s->uffd, va, GVM_PAGE_BYTES);
		return;
	}
	if (chunk->state[idx] == GVM_PAGE_CLEAN) {
		chunk->word[idx] = 1;
		if (chunk->writes < chunk->fills)
			chunk->writes++;
	}
	gvm_page_event(s, chunk, idx, GVM_EV_WRITE_FAULT, &actions);
	if (gvm_uffd_protect(s->uffd, va, GVM_PAGE_BYTES, false) !=
	    GVM_FILL_OK)
		gvm_uffd_wake(s->uffd, va, GVM_PAGE_BYTES);
	s->stats->faults_protect++;
	gvm_hist_add((struct gvm_hist *)&s->stats->latency_local,
		     gvm_now_ns() - s->now_ns);
}

static void serve(struct gvm_shard *s, const struct gvm_uffd_event *e)
{
	switch (e->what) {
	case GVM_UFFD_READ:
	case GVM_UFFD_WRITE:
		s->stats->faults++;
		gvm_fault(s, e->addr, e->what == GVM_UFFD_WRITE);
		break;
	case GVM_UFFD_PROTECT:
		s->stats->faults++;
		protect_fault(s, e->addr);
		break;
	case GVM_UFFD_UNMAP:
		/* Around the wrappers, but the kernel told us in time. */
		gvm_ranges_cut(&s->gvm->ranges, e->addr, e->addr + e->len);
		gvm_forget_pages(s, e->addr, e->addr + e->len);
		break;
	case GVM_UFFD_REMOVE:
		gvm_drop_told(s, e);
		break;
	case GVM_UFFD_REMAP:
		gvm_fatal(s->gvm, "%s moved paged memory at 0x%llx with a system call that giantvm cannot follow; stopping it (mremap() of the C library is supported)",
			  s->gvm->name, (unsigned long long)e->addr);
	case GVM_UFFD_BROKEN:
		gvm_fatal(s->gvm, "the userfaultfd of %s does not work any more; stopping it",
			  s->gvm->name);
	case GVM_UFFD_NONE:
		break;
	}
}

/* Put it on the list.  Where there is no room, a thread faults once more. */
static void keep(struct gvm_shard *s, const struct gvm_uffd_event *e)
{
	const bool fault = e->what == GVM_UFFD_READ ||
			   e->what == GVM_UFFD_WRITE ||
			   e->what == GVM_UFFD_PROTECT;

	if (fault && s->events_nr >= GVM_EVENTS_MAX - GVM_EVENTS_KEPT) {
		gvm_uffd_wake(s->uffd, e->addr, GVM_PAGE_BYTES);
		return;
	}
	if (s->events_nr == GVM_EVENTS_MAX)
		gvm_fatal(s->gvm, "%s unmaps memory faster than it can be followed; stopping it",
			  s->gvm->name);
	s->events[s->events_nr++] = *e;
}

/*
 * Read messages in the middle of something else (the kernel asked us to come
 * back).  What gives memory up is dealt with at once, because the kernel waits
 * for that; faults only queue up: they must not meet a page that is half
 * installed.  An unmap stays in the list, for who has to know (copy.c).
 */
void gvm_fault_collect(struct gvm_shard *s)
{
	const u32 nr = gvm_uffd_read(s->uffd, s->fresh);

	s->collecting = 1;
	for (u32 i = 0; i < nr; i++) {
		struct gvm_uffd_event *e = &s->fresh[i];

		switch (e->what) {
		case GVM_UFFD_REMOVE:
			serve(s, e);
			break;
		case GVM_UFFD_UNMAP:
			serve(s, e);
			e->what = GVM_UFFD_NONE;
			keep(s, e);
			break;
		default:
			keep(s, e);
		}
	}
	s->collecting = 0;
}

/* Serve what the kernel has to say, and what was collected before. */
void gvm_fault_read_all(struct gvm_shard *s)
{
	const u32 left = s->events_nr;

	if (left + GVM_UFFD_EVENTS <= GVM_EVENTS_MAX - GVM_EVENTS_KEPT)
		s->events_nr += gvm_uffd_read(s->uffd, s->events + left);
	if (s->events_nr)
		s->awake_ns = s->now_ns + GVM_AWAKE_NS;
	/* More may be collected while these are served. */
	for (u32 i = 0; i < s->events_nr; i++)
		serve(s, &s->events[i]);
	s->events_nr = 0;
}
