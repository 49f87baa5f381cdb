// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the program does to its memory beside touching it: register, unmap,
 * discard, hold.  Commands, carried out by the shard's thread.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>

#include "engine.h"
#include "sys.h"

#define PRESENT_BIT	(1ull << 63)
#define SWAPPED_BIT	(1ull << 62)

/*
 * Pages that were populated before we came are resident.  The range is armed
 * already and this thread answers its faults, so no page can appear meanwhile.
 */
static int adopt_populated(struct gvm_shard *s, u64 start, u64 end)
{
	u64 entries[32];
	long fd = gvm_sys(SYS_openat, AT_FDCWD, "/proc/self/pagemap",
			  O_RDONLY | O_CLOEXEC, 0);
	u64 va = start;

	if (fd < 0)
		return (int)fd;
	while (va < end) {
		long n = gvm_sys(SYS_pread64, fd, entries, sizeof(entries),
				 (va >> GVM_PAGE_SHIFT) * 8);

		if (n <= 0)
			break;
		for (long i = 0; i < n / 8 && va < end;
		     i++, va += GVM_PAGE_BYTES) {
			struct gvm_chunk *chunk;
			u32 idx = gvm_page_idx(va);

			if (!(entries[i] & (PRESENT_BIT | SWAPPED_BIT)))
				continue;
			chunk = gvm_chunk_of(s, va);
			if (chunk->state[idx] != GVM_PAGE_ZERO)
				continue;
			chunk->state[idx] = GVM_PAGE_DIRTY;
			chunk->word[idx] = 0;
			gvm_cache_insert(&s->cache, chunk, idx,
					 GVM_CACHE_TOUCH);
		}
	}
	gvm_sys(SYS_close, fd);
	return va < end ? -EIO : 0;
}

int gvm_do_register(struct gvm_shard *s, struct gvm_command *c)
{
	const struct gvm_range *r = &c->range;
	int err;

	err = gvm_ranges_add(&s->gvm->ranges, r);
	if (err)
		return err;
	err = gvm_uffd_register(s->uffd, r->start, r->end - r->start);
	if (!err && c->populate)
		err = adopt_populated(s, r->start, r->end);
	if (err) {
		gvm_uffd_unregister(s->uffd, r->start, r->end - r->start);
		gvm_ranges_cut(&s->gvm->ranges, r->start, r->end);
	}
	return err;
}

/* One page will read as zero; what lay anywhere else is let go. */
static void forget_page(struct gvm_shard *s, struct gvm_chunk *chunk, u32 idx)
{
	const u8 state = chunk->state[idx];
	const u32 word = chunk->word[idx];
	struct gvm_slot *slot;
	bool stored = true;
	u16 actions;

	gvm_page_event(s, chunk, idx, GVM_EV_DISCARD, &actions);
	chunk->word[idx] = 0;
	if (actions & GVM_ACT_CANCEL)
		gvm_cancel_fetch(s, word);
	if (actions & GVM_ACT_FREE_SLOT) {
		slot = &s->staging.slots[word];
		stored = slot->stored;
		if (state == GVM_PAGE_STAGED)
			s->staging.unsent--;
		if (state == GVM_PAGE_WRITING)
			gvm_request_entry(s, slot->request)->live = 0;
		gvm_slot_free(&s->staging, word, true);
	}
	if (actions & GVM_ACT_UNMAP)
		gvm_cache_remove(&s->cache, chunk, idx, true);
	if (state == GVM_PAGE_DIRTY)
		stored = word & GVM_WORD_STORED;
	if (actions & GVM_ACT_TRIM) {
		if (stored)
			gvm_trim_add(s, chunk, idx);
		else	/* home never heard of it: as good as answered */
			gvm_page_event(s, chunk, idx, GVM_EV_WRITTEN, &actions);
	}
	s->stats->discarded++;
}

static bool is_blank(const struct gvm_chunk *chunk)
{
	for (u32 i = 0; i < GVM_CHUNK_PAGES; i++)
		if (chunk->state[i] != GVM_PAGE_ZERO)
			return false;
	return true;
}

void gvm_forget_pages(struct gvm_shard *s, u64 start, u64 end)
{
	for (u64 va = start; va < end;) {
		u64 next = (va | (GVM_CHUNK_BYTES - 1)) + 1;
		struct gvm_chunk *chunk = gvm_table_find(&s->table, va);

		if (next > end)
			next = end;
		for (; chunk && va < next; va += GVM_PAGE_BYTES)
			if (chunk->state[gvm_page_idx(va)] != GVM_PAGE_ZERO)
				forget_page(s, chunk, gvm_page_idx(va));
		if (chunk && !s->collecting && is_blank(chunk)) {
			if (chunk->server != GVM_SERVER_NONE)
				s->links[chunk->server].chunks--;
			gvm_table_remove(&s->table, chunk);
		}
		va = next;
	}
	gvm_trim_flush(s);
}

int gvm_do_unregister(struct gvm_shard *s, u64 start, u64 end)
{
	struct gvm_range r;

	while (start < end &&
	       gvm_ranges_first(&s->gvm->ranges, start, end, &r)) {
		u64 from = r.start > start ? r.start : start;
		u64 to = r.end < end ? r.end : end;

		if (gvm_shard_of(s->gvm, from) == s) {
			gvm_uffd_unregister(s->uffd, from, to - from);
			gvm_forget_pages(s, from, to);
			gvm_ranges_cut(&s->gvm->ranges, from, to);
			gvm_ranges_put_fd(&s->gvm->ranges, r.fd);
		}
		start = to;
	}
	return 0;
}

int gvm_do_discard(struct gvm_shard *s, u64 start, u64 end)
{
	struct gvm_range r;
	long err = 0;

	while (!err && start < end &&
	       gvm_ranges_first(&s->gvm->ranges, start, end, &r)) {
		u64 from = r.start > start ? r.start : start;
		u64 to = r.end < end ? r.end : end;

		start = to;
		if (gvm_shard_of(s->gvm, from) != s)
			continue;
		gvm_forget_pages(s, from, to);
		if (r.shared)
			err = gvm_sys(SYS_fallocate, r.fd,
				      FALLOC_FL_PUNCH_HOLE |
				      FALLOC_FL_KEEP_SIZE,
				      r.offset + (from - r.start), to - from);
		else
			err = gvm_drop(s, from, to - from);
		/* Threads that waited for what was cancelled look again. */
		gvm_uffd_wake(s->uffd, from, to - from);
	}
	return (int)err;
}

/* Make the page resident and writable, and wait for that. */
static void bring(struct gvm_shard *s, u64 va)
{
	for (;;) {
		struct gvm_chunk *chunk = gvm_chunk_of(s, va);
		u32 idx = gvm_page_idx(va);
		u16 actions;

		if (chunk->state[idx] == GVM_PAGE_CLEAN) {
			/* A device ignores the protection. */
			chunk->word[idx] = 1;
			gvm_page_event(s, chunk, idx, GVM_EV_WRITE_FAULT,
				       &actions);
			gvm_uffd_protect(s->uffd, va, GVM_PAGE_BYTES, false);
		}
		if (gvm_page_resident(chunk->state[idx]))
			return;
		s->now_ns = gvm_now_ns();
		if (chunk->state[idx] != GVM_PAGE_FETCH)
			gvm_fault(s, va, true);
		if (!gvm_page_resident(gvm_chunk_of(s, va)->state[idx])) {
			gvm_evict_work(s);
			gvm_shard_pump(s, 10);
			gvm_fault_retry_parked(s);
		}
	}
}

int gvm_do_hold(struct gvm_shard *s, u64 start, u64 end, bool populate)
{
	const u64 pages = (end - start) >> GVM_PAGE_SHIFT;
	u64 most = s->frames - s->frames / 8;

	/* Something must stay free to page the rest through. */
	if (!populate)
		most = s->frames / 2;
	if (s->held_pages + pages > most)
		return -ENOMEM;
	if (s->held_nr == GVM_HOLDS_MAX)
		return -EAGAIN;
	s->held[s->held_nr++] = (struct gvm_held){ start, end };
	s->held_pages += pages;
	for (u64 va = start; populate && va < end; va += GVM_PAGE_BYTES)
		bring(s, va);
	return 0;
}

int gvm_do_release(struct gvm_shard *s, u64 start, u64 end)
{
	for (u32 i = 0; i < s->held_nr; i++) {
		if (s->held[i].start != start || s->held[i].end != end)
			continue;
		s->held[i] = s->held[--s->held_nr];
		s->held_pages -= (end - start) >> GVM_PAGE_SHIFT;
		return 0;
	}
	return -ENOENT;
}

void gvm_do_query(struct gvm_shard *s, struct gvm_command *c)
{
	const struct gvm_chunk *chunk = gvm_table_find(&s->table, c->start);

	memset(c->bitmap, 0, sizeof(c->bitmap));
	for (u32 i = 0; chunk && i < GVM_CHUNK_PAGES; i++)
		if (chunk->state[i] != GVM_PAGE_ZERO &&
		    chunk->state[i] != GVM_PAGE_ZERO_WB)
			c->bitmap[i / 64] |= 1ull << (i % 64);
}
