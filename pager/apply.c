// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Carry out what the table of states decided: map, steal, and install what
 * arrived.  The thread that read the fault does all of it.
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "crc32c.h"
#include "engine.h"
#include "sys.h"

/* Never written; reading maps the kernel's one zero page. */
static const u8 zeros[16 * GVM_PAGE_BYTES]
	__attribute__((aligned(GVM_PAGE_BYTES)));

#define ZERO_AROUND	16u	/* neighbours to fill with a first touch */

struct gvm_chunk *gvm_chunk_of(struct gvm_shard *s, u64 va)
{
	struct gvm_chunk *chunk = gvm_table_get(&s->table, va);

	if (!chunk)
		gvm_fatal(s->gvm, "out of memory for the page table of %s",
			  s->gvm->name);
	return chunk;
}

void gvm_page_event(struct gvm_shard *s, struct gvm_chunk *chunk, u32 idx,
		    enum gvm_page_event event, u16 *ret_actions)
{
	u8 state = chunk->state[idx];

	if (gvm_page_step(state, event, &chunk->state[idx], ret_actions))
		gvm_fatal(s->gvm, "internal error: page 0x%llx is %s and event %u is not possible; stopping %s before it can see a wrong byte",
			  (unsigned long long)gvm_page_va(chunk, idx),
			  gvm_page_state_name(state), event, s->gvm->name);
}

u64 gvm_free_frames(const struct gvm_shard *s)
{
	u64 used = s->cache.resident + s->staging.present + s->fetching;

	return used < s->frames ? s->frames - used : 0;
}

/*
 * The kernel asked us to come back.  It refuses while an unmap event is
 * unread, and until the unmapping thread has run again: read events, let
 * others run, but not for ever.
 */
static void come_back(struct gvm_shard *s, u64 va, u32 *tries)
{
	if (++*tries > 200000)
		gvm_fatal(s->gvm, "the kernel keeps refusing to map the page at 0x%llx; stopping %s",
			  (unsigned long long)va, s->gvm->name);
	gvm_fault_collect(s);
	gvm_sys(SYS_sched_yield);
}

static enum gvm_fill copy_in(struct gvm_shard *s, u64 va, const void *src,
			     u64 len, bool protect)
{
	u64 done, at = 0;
	u32 tries = 0;
	enum gvm_fill fill;

	gvm_recycle_fit(s, len >> GVM_PAGE_SHIFT);
	for (;;) {
		fill = gvm_uffd_copy(s->uffd, va + at, (const u8 *)src + at,
				     len - at, protect, &done);
		at += done;
		if (fill == GVM_FILL_OK)
			return fill;
		if (fill == GVM_FILL_NOMEM && tries < 1000) {
			gvm_evict_work(s);
			come_back(s, va + at, &tries);
			continue;
		}
		if (fill != GVM_FILL_AGAIN)
			break;
		if (!done)
			come_back(s, va + at, &tries);
	}
	if (fill == GVM_FILL_GONE)
		return fill;
	gvm_fatal(s->gvm, "cannot map the page at 0x%llx (%s); stopping %s",
		  (unsigned long long)(va + at),
		  fill == GVM_FILL_NOMEM ? "the host is out of memory" :
		  fill == GVM_FILL_EXISTS ? "something else is mapped there" :
		  "the kernel refused", s->gvm->name);
}

static void local_latency(struct gvm_shard *s)
{
	gvm_hist_add((struct gvm_hist *)&s->stats->latency_local,
		     gvm_now_ns() - s->now_ns);
}

/* How many neighbours from idx on may be filled with zeros unasked. */
static u32 zero_run(const struct gvm_shard *s, const struct gvm_chunk *chunk,
		    u32 idx)
{
	const u64 free = gvm_free_frames(s);
	u32 n = 1;

	/* With little room only for who walks: the last run ended here. */
	if (free < s->frames / 4 + s->high &&
	    (s->zero_next != gvm_page_va(chunk, idx) ||
	     free < s->low + ZERO_AROUND))
		return 1;
	while (n < ZERO_AROUND && (idx + n) % ZERO_AROUND &&
	       chunk->state[idx + n] == GVM_PAGE_ZERO)
		n++;
	return n;
}

/*
 * First touch: no network.  While there is plenty of room the neighbours come
 * with it, since memory that is touched once is mostly touched in a row; with
 * little room only where it was.
 */
void gvm_apply_zero(struct gvm_shard *s, struct gvm_chunk *chunk, u32 idx,
		    bool write)
{
	const u64 va = gvm_page_va(chunk, idx);
	u32 n = zero_run(s, chunk, idx);
	struct gvm_range range;
	u16 actions;

	if (gvm_huge_first_touch(s, chunk)) {
		s->stats->faults_zero++;
		local_latency(s);
		return;
	}

	if (n > 1 && (!gvm_ranges_find(&s->gvm->ranges, va, &range) ||
		      range.end < va + (u64)n * GVM_PAGE_BYTES ||
		      range.fd >= 0))
		n = 1;
	/* Gone: unmapped under the fault; the thread finds out by itself. */
	if (copy_in(s, va, zeros, (u64)n * GVM_PAGE_BYTES, false) !=
	    GVM_FILL_OK) {
		gvm_uffd_wake(s->uffd, va, GVM_PAGE_BYTES);
		return;
	}
	s->zero_next = va + (u64)n * GVM_PAGE_BYTES;
	for (u32 i = 0; i < n; i++) {
		gvm_page_event(s, chunk, idx + i, write ? GVM_EV_WRITE_FAULT :
			       GVM_EV_READ_FAULT, &actions);
		chunk->word[idx + i] = 0;
		gvm_cache_insert(&s->cache, chunk, idx + i, GVM_CACHE_TOUCH);
	}
	s->stats->faults_zero++;
	local_latency(s);
}

/* Put a staged page back where it was: the page itself, or a copy of it. */
static bool put_back(struct gvm_shard *s, u64 va, u32 slot, bool dirty)
{
	struct gvm_staging *st = &s->staging;
	u8 *memory = gvm_slot_memory(st, slot);
	enum gvm_fill fill = GVM_FILL_MISFIT;
	u32 tries = 0;
	u64 done;

	while (dirty && s->gvm->move) {
		fill = gvm_uffd_move(s->uffd, va, (u64)(uintptr_t)memory,
				     GVM_PAGE_BYTES, &done);
		if (fill != GVM_FILL_AGAIN && fill != GVM_FILL_BUSY)
			break;
		come_back(s, va, &tries);
	}
	if (fill == GVM_FILL_OK) {
		gvm_slot_free(st, slot, false);
		return true;
	}
	if (fill != GVM_FILL_MISFIT)
		gvm_fatal(s->gvm, "cannot move the page at 0x%llx back from staging; stopping %s",
			  (unsigned long long)va, s->gvm->name);
	/* A clean page stays clean only if it comes back protected: copy. */
	if (copy_in(s, va, memory, GVM_PAGE_BYTES, !dirty) != GVM_FILL_OK)
		return false;
	/* Two frames for one page: let the second go, at once if they are few. */
	if (gvm_free_frames(s) < s->low) {
		gvm_sys(SYS_madvise, memory, GVM_PAGE_BYTES, MADV_DONTNEED);
		gvm_slot_free(st, slot, false);
	} else {
		gvm_slot_free(st, slot, true);
	}
	return true;
}

void gvm_apply_steal(struct gvm_shard *s, struct gvm_chunk *chunk, u32 idx,
		     u32 slot_nr, bool dirty)
{
	struct gvm_slot *slot = &s->staging.slots[slot_nr];
	const u64 va = gvm_page_va(chunk, idx);
	const bool mark = slot->mark;

	if (!put_back(s, va, slot_nr, dirty)) {
		gvm_uffd_wake(s->uffd, va, GVM_PAGE_BYTES);
		return;
	}
	chunk->word[idx] = chunk->state[idx] == GVM_PAGE_CLEAN ? slot->crc :
			   slot->stored;
	gvm_cache_insert(&s->cache, chunk, idx, mark ? GVM_CACHE_PREFETCH :
			 GVM_CACHE_STEAL);
	local_latency(s);
	if (mark) {
		s->stats->prefetch_hits++;
		gvm_fetch_touched(s, va >> GVM_PAGE_SHIFT);
	} else {
		s->stats->faults_steal++;
	}
}

/* A prefetched page that stays unmapped, so that its touch is seen. */
static bool lay_aside(struct gvm_shard *s, struct gvm_chunk *chunk, u32 idx,
		      const void *body, u32 crc)
{
	struct gvm_staging *st = &s->staging;
	u32 slot = (u32)(st->head % st->ring);
	u16 actions;
	u64 done;

	if (!gvm_staging_room(st))
		return false;
	gvm_recycle_fit(s, 1);
	if (s->gvm->move) {
		/* Armed memory: only the kernel may put a page there. */
		if (gvm_uffd_copy(s->staging_uffd, (u64)(uintptr_t)
				  gvm_slot_memory(st, slot), body,
				  GVM_PAGE_BYTES, false, &done) != GVM_FILL_OK)
			return false;
	} else {
		memcpy(gvm_slot_memory(st, slot), body, GVM_PAGE_BYTES);
	}
	st->slots[slot] = (struct gvm_slot){
		.va = gvm_page_va(chunk, idx), .crc = crc,
		.what = GVM_SLOT_LIVE, .stored = 1, .mark = 1,
	};
	st->head++;
	st->live++;
	st->present++;
	gvm_page_event(s, chunk, idx, GVM_EV_DATA, &actions);
	gvm_page_event(s, chunk, idx, GVM_EV_STAGE, &actions);
	chunk->word[idx] = slot;
	return true;
}

/*
 * Would protecting it only buy a second fault?  In a chunk where most pages
 * that were fetched for reading were written soon after, map them writable at
 * once, and write them back unasked; one in eight is still watched.
 */
static bool mostly_written(struct gvm_chunk *chunk, u32 idx)
{
	return chunk->fills >= 8 && 2u * chunk->writes > chunk->fills &&
	       idx % 8;
}

static void count_fills(struct gvm_chunk *chunk, u32 n)
{
	if (chunk->fills + n > 255) {
		chunk->fills /= 2;
		chunk->writes /= 2;
	}
	chunk->fills = (u8)(chunk->fills + n);
}

/* n pages that arrived side by side become resident with one call. */
static void install(struct gvm_shard *s, const struct gvm_request_page *p,
		    u32 n, const void *body, enum gvm_cache_why why)
{
	struct gvm_chunk *chunk = gvm_chunk_of(s, p->va);
	const u32 idx = gvm_page_idx(p->va);
	const bool write = p->write || mostly_written(chunk, idx);
	u16 actions;

	if (!write)
		count_fills(chunk, n);
	if (copy_in(s, p->va, body, (u64)n * GVM_PAGE_BYTES, !write) !=
	    GVM_FILL_OK) {
		/*
		 * Unmapped while it was on its way.  The pages stay at home
		 * until the region is forgotten; the waiters look again.
		 */
		chunk = gvm_table_find(&s->table, p->va);
		for (u32 i = 0; chunk && i < n; i++) {
			if (chunk->state[idx + i] != GVM_PAGE_FETCH)
				continue;	/* forgotten meanwhile */
			chunk->state[idx + i] = GVM_PAGE_REMOTE;
			chunk->word[idx + i] = p[i].crc;
		}
		gvm_uffd_wake(s->uffd, p->va, (u64)n * GVM_PAGE_BYTES);
		return;
	}
	for (u32 i = 0; i < n; i++) {
		gvm_page_event(s, chunk, idx + i, GVM_EV_DATA, &actions);
		chunk->word[idx + i] = p[i].crc;
		if (write) {
			gvm_page_event(s, chunk, idx + i, GVM_EV_WRITE_FAULT,
				       &actions);
			chunk->word[idx + i] = 1;
		}
		gvm_cache_insert(&s->cache, chunk, idx + i, why);
	}
}

static void check_body(struct gvm_shard *s, const struct gvm_request *r,
		       const struct gvm_request_page *p, u32 crc,
		       const void *body)
{
	if (body && crc == p->crc && gvm_crc32c_page(body) == p->crc)
		return;
	gvm_fatal(s->gvm, "server %s returned %s for the page at 0x%llx; stopping %s before it can see it",
		  s->gvm->servers[r->server].text,
		  !body ? "nothing" : crc != p->crc ?
		  "a content that is not the last one written" :
		  "a damaged content (checksum)",
		  (unsigned long long)p->va, s->gvm->name);
}

/* May page i + n of the request be installed together with page i? */
static bool joins(const struct gvm_request *r, u32 i, u32 n)
{
	const struct gvm_request_page *a = &r->page[i], *b = &r->page[i + n];

	return i + n < r->pages && b->live && !b->mark &&
	       b->write == a->write &&
	       b->va == a->va + (u64)n * GVM_PAGE_BYTES &&
	       b->va >> GVM_CHUNK_SHIFT == a->va >> GVM_CHUNK_SHIFT;
}

/*
 * Bytes were judged by the codec; here they are compared with what we know of
 * the page.  Entries cancelled meanwhile are skipped: their bytes are dead.
 */
void gvm_apply_data(struct gvm_shard *s, struct gvm_request *r,
		    const void *payload)
{
	const enum gvm_cache_why why = r->fault_ns ? GVM_CACHE_DEMAND :
				       GVM_CACHE_PREFETCH;
	const void **bodies = s->bodies;
	u32 crc, off = 0, n, done;

	if (gvm_codec_pages(payload) != r->pages) {
		gvm_link_lost(s, r->server, "answered with a wrong page count");
		return;
	}
	for (u32 i = 0; i < r->pages; i++) {
		gvm_codec_data_page(payload, i, &off, &crc, &bodies[i]);
		if (r->page[i].live)
			check_body(s, r, &r->page[i], crc, bodies[i]);
	}
	for (u32 i = 0; i < r->pages; i += n) {
		struct gvm_request_page *p = &r->page[i];
		struct gvm_chunk *chunk;

		n = 1;
		if (!p->live)
			continue;
		s->fetching--;
		p->live = 0;
		chunk = gvm_chunk_of(s, p->va);
		if (p->mark && lay_aside(s, chunk, gvm_page_idx(p->va),
					 bodies[i], p->crc))
			continue;
		p->mark = 0;
		for (; joins(r, i, n); n++) {
			r->page[i + n].live = 0;
			s->fetching--;
		}
		done = gvm_recycle_install(s, p, n, bodies[i], why);
		if (done < n)
			install(s, p + done, n - done, bodies[i + done], why);
	}
	gvm_server_stats(s, r->server)->pages_read += r->pages;
	if (r->fault_ns)
		gvm_hist_add((struct gvm_hist *)&s->stats->latency_remote,
			     gvm_now_ns() - r->fault_ns);
	else
		s->stats->prefetched += r->pages;
	gvm_request_put(s, r);
}
