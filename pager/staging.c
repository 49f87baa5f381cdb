// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Staging: pages that were taken away from the program and are still here.
 *
 * It is the write-back queue, and it is the second chance of the eviction
 * policy: a page that is touched while it rests here comes back without any
 * network, and is known to be hot.  It counts against the local limit.
 *
 * The ring's memory is present exactly where a slot is LIVE or DEAD.  Where
 * eviction moves pages it is armed, on a userfaultfd of its own (the kernel
 * wants that of a destination; drop.c says why another one), and nobody answers
 * there: only LIVE slots are ever read.
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "crc32c.h"
#include "engine.h"
#include "mem.h"
#include "sys.h"

static u64 power_of_two(u64 n)
{
	u64 p = 64;

	while (p < n)
		p *= 2;
	return p;
}

int gvm_staging_init(struct gvm_shard *s, u64 target)
{
	struct gvm_staging *st = &s->staging;
	/* Twice the target: holes left by stolen pages need no care. */
	const u64 ring = power_of_two(2 * target + 2 * GVM_REQUEST_PAGES);

	*st = (struct gvm_staging){ .ring = ring };
	st->memory = gvm_mem_map_aligned(ring * GVM_PAGE_BYTES);
	st->slots = gvm_mem_map(ring * sizeof(*st->slots));
	if (!st->memory || !st->slots)
		return -ENOMEM;
	/* The child of a fork gets its own; the drain leaves nothing here. */
	gvm_sys(SYS_madvise, st->memory, ring * GVM_PAGE_BYTES, MADV_DONTFORK);
	gvm_sys(SYS_madvise, st->memory, ring * GVM_PAGE_BYTES,
		MADV_NOHUGEPAGE);
	if (!s->gvm->move)
		return 0;
	return gvm_uffd_register(s->staging_uffd, (u64)(uintptr_t)st->memory,
				 ring * GVM_PAGE_BYTES);
}

void gvm_staging_fini(struct gvm_shard *s)
{
	struct gvm_staging *st = &s->staging;

	if (st->memory && s->gvm->move)
		gvm_uffd_unregister(s->staging_uffd,
				    (u64)(uintptr_t)st->memory,
				    st->ring * GVM_PAGE_BYTES);
	gvm_mem_unmap(st->memory, st->ring * GVM_PAGE_BYTES);
	gvm_mem_unmap(st->slots, st->ring * sizeof(*st->slots));
	st->memory = NULL;
	st->slots = NULL;
}

/* Slots that can be filled from head on, without wrapping in the middle. */
u64 gvm_staging_room(const struct gvm_staging *st)
{
	u64 room = st->ring - (st->head - st->spare);
	u64 to_end = st->ring - st->head % st->ring;

	return room < to_end ? room : to_end;
}

void gvm_slot_free(struct gvm_staging *st, u32 slot, bool has_memory)
{
	st->slots[slot].what = has_memory ? GVM_SLOT_DEAD : GVM_SLOT_FREE;
	st->live--;
	if (!has_memory)
		st->present--;
}

void gvm_staging_drop(struct gvm_staging *st, u64 from, u64 to)
{
	while (from < to) {
		u64 first = from % st->ring;
		u64 n = st->ring - first;

		if (n > to - from)
			n = to - from;
		gvm_sys(SYS_madvise, gvm_slot_memory(st, (u32)first),
			n * GVM_PAGE_BYTES, MADV_DONTNEED);
		from += n;
	}
}

/* The first pages behind head were filled and are not wanted after all. */
void gvm_staging_unfill(struct gvm_staging *st, u64 pages)
{
	gvm_staging_drop(st, st->head, st->head + pages);
}

/* The oldest page leaves, if its home has the content.  False: not yet. */
static bool release_one(struct gvm_shard *s, u64 pos)
{
	struct gvm_staging *st = &s->staging;
	struct gvm_slot *slot = &st->slots[pos % st->ring];
	struct gvm_chunk *chunk;
	u16 actions;
	u32 idx;

	if (slot->what == GVM_SLOT_LIVE) {
		chunk = gvm_table_find(&s->table, slot->va);
		idx = gvm_page_idx(slot->va);
		if (chunk->state[idx] != GVM_PAGE_STAGED_CLEAN)
			return false;
		gvm_page_event(s, chunk, idx, GVM_EV_RELEASE, &actions);
		chunk->word[idx] = slot->crc;
		if (slot->mark) {
			gvm_fetch_unused(&s->fetch, slot->va >> GVM_PAGE_SHIFT);
			s->stats->prefetch_misses++;
		}
		gvm_slot_free(st, (u32)(pos % st->ring), true);
	}
	if (slot->what == GVM_SLOT_DEAD) {
		st->present--;
		st->spares++;
	}
	return true;
}

/*
 * Give up the oldest slots until `pages` frames are free; how many were.  Slots
 * whose content nobody needs go in any case: they hold memory, and room in the
 * ring, without which nothing can be taken away any more.
 */
u64 gvm_staging_release(struct gvm_shard *s, u64 pages)
{
	struct gvm_staging *st = &s->staging;
	const u64 before = st->present;

	while (st->tail < st->head &&
	       (before - st->present < pages ||
		st->slots[st->tail % st->ring].what != GVM_SLOT_LIVE) &&
	       release_one(s, st->tail))
		st->tail++;
	if (st->send < st->tail)
		st->send = st->tail;
	gvm_recycle_keep(s, before - st->present);
	return before - st->present;
}

/* Add the staged page at this slot to a WRITE. */
static void add_page(struct gvm_shard *s, struct gvm_request *r, u32 at)
{
	struct gvm_slot *slot = &s->staging.slots[at];
	struct gvm_chunk *chunk = gvm_table_find(&s->table, slot->va);
	u16 actions;

	gvm_page_event(s, chunk, gvm_page_idx(slot->va), GVM_EV_SEND, &actions);
	if (!slot->stored) {
		chunk->stored++;
		s->links[chunk->server].stored++;
	}
	slot->crc = gvm_crc32c_page(gvm_slot_memory(&s->staging, at));
	slot->request = gvm_request_word(s, r);
	s->staging.unsent--;
	r->page[r->pages++] = (struct gvm_request_page){
		.va = slot->va, .crc = slot->crc, .count = 1, .live = 1,
		.first = !slot->stored,
	};
	slot->stored = 1;
}

static bool place(struct gvm_shard *s, struct gvm_chunk *chunk)
{
	if (chunk->server == GVM_SERVER_NONE)
		chunk->server = gvm_link_place(s);
	return chunk->server != GVM_SERVER_NONE;
}

/*
 * Write back what lies before position up_to.  One WRITE per server and
 * batch: neighbours in the ring are mostly neighbours in memory.
 */
void gvm_staging_send(struct gvm_shard *s, u64 up_to)
{
	struct gvm_staging *st = &s->staging;
	struct gvm_request *r = NULL;

	for (; st->send < up_to && st->send < st->head; st->send++) {
		u32 at = (u32)(st->send % st->ring);
		struct gvm_slot *slot = &st->slots[at];
		struct gvm_chunk *chunk;

		if (slot->what != GVM_SLOT_LIVE)
			continue;
		chunk = gvm_table_find(&s->table, slot->va);
		if (chunk->state[gvm_page_idx(slot->va)] != GVM_PAGE_STAGED)
			continue;
		if (!place(s, chunk))
			gvm_fatal(s->gvm, "all memory servers are full, %s the last; stopping %s, because its pages have no place (start more servers, or give them more --memory)",
				  s->gvm->servers[s->full_last].text,
				  s->gvm->name);
		if (r && (r->server != chunk->server ||
			  r->pages == GVM_REQUEST_PAGES)) {
			gvm_request_send(s, r);
			r = NULL;
		}
		if (!r)
			r = gvm_request_get(s, GVM_MSG_WRITE, chunk->server, 1);
		if (!r)
			return;		/* goes on when requests are answered */
		add_page(s, r, at);
	}
	if (r)
		gvm_request_send(s, r);
}

/* Home holds a page; what that means by what became of it meanwhile. */
static bool written_one(struct gvm_shard *s, struct gvm_request_page *p)
{
	struct gvm_chunk *chunk = gvm_table_find(&s->table, p->va);
	u32 idx = gvm_page_idx(p->va);
	u16 actions;

	if (gvm_bug_on(!chunk))
		return false;
	gvm_page_event(s, chunk, idx, GVM_EV_WRITTEN, &actions);
	switch (chunk->state[idx]) {
	case GVM_PAGE_ZERO:
		/* Discarded meanwhile: home must drop what it just stored. */
		chunk->state[idx] = GVM_PAGE_ZERO_WB;
		return true;
	case GVM_PAGE_DIRTY:
		chunk->word[idx] = 1;
		break;
	case GVM_PAGE_STAGED:
		s->staging.slots[chunk->word[idx]].stored = 1;
		s->staging.unsent++;
		s->staging.send = s->staging.tail;
		break;
	}
	return false;
}

/*
 * A WRITE was answered.  Pages that were discarded meanwhile now owe a TRIM;
 * the request itself becomes that TRIM, so that it needs no new one.
 */
void gvm_staging_written(struct gvm_shard *s, struct gvm_request *r)
{
	u16 server = r->server;
	u32 trims = 0;

	gvm_server_stats(s, server)->pages_written += r->pages;
	s->stats->written += r->pages;
	for (u32 i = 0; i < r->pages; i++) {
		if (!written_one(s, &r->page[i]))
			continue;
		/* Compacts in place: trims <= i. */
		r->page[trims] = r->page[i];
		r->page[trims].count = 1;
		r->page[trims].live = 1;
		trims++;
	}
	if (!trims) {
		gvm_request_put(s, r);
		return;
	}
	r->type = GVM_MSG_TRIM;
	r->pages = (u16)trims;
	r->queued = 1;
	gvm_request_send(s, r);
}

/* Home refused a page for lack of room.  True: it still needs this home. */
static bool refused_one(struct gvm_shard *s, struct gvm_request_page *p,
			u16 server)
{
	struct gvm_chunk *chunk = gvm_table_find(&s->table, p->va);
	u32 idx = gvm_page_idx(p->va);
	u16 actions;

	if (gvm_bug_on(!chunk))
		return false;
	gvm_page_event(s, chunk, idx, GVM_EV_REFUSED, &actions);
	if (p->first) {
		chunk->stored--;
		s->links[server].stored--;
	}
	switch (chunk->state[idx]) {
	case GVM_PAGE_ZERO:
		/* An older copy stays there unread; the next WRITE replaces it. */
		return false;
	case GVM_PAGE_STAGED:
		s->staging.slots[chunk->word[idx]].stored = !p->first;
		s->staging.unsent++;
		break;
	case GVM_PAGE_DIRTY:
		chunk->word[idx] = !p->first;
		break;
	}
	if (!chunk->stored && chunk->server != GVM_SERVER_NONE) {
		s->links[server].chunks--;
		chunk->server = GVM_SERVER_NONE;
	}
	return true;
}

/*
 * The server has no room, and stored nothing of it.  Chunks of which it holds
 * nothing else may live elsewhere; for the others there is no way out.
 */
void gvm_staging_refused(struct gvm_shard *s, struct gvm_request *r)
{
	struct gvm_link *link = &s->links[r->server];
	bool needed[GVM_REQUEST_PAGES];

	link->full = 1;
	s->full_last = r->server;
	for (u32 i = 0; i < r->pages; i++)
		needed[i] = refused_one(s, &r->page[i], r->server);
	for (u32 i = 0; i < r->pages; i++)
		if (needed[i] && gvm_table_find(&s->table, r->page[i].va)->
				 server == r->server)
			gvm_fatal(s->gvm, "server %s is full (%llu pages of %s are there); stopping, because a page that belongs there has no place (give it more --memory, or use more servers)",
				  s->gvm->servers[r->server].text,
				  (unsigned long long)link->stored,
				  s->gvm->name);
	s->staging.send = s->staging.tail;
	gvm_request_put(s, r);
}
