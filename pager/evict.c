// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Keep frames free, ahead of demand.
 *
 * Resident -> staging -> (written back) -> gone.  Between two water marks, in
 * batches, while the shard would otherwise wait for a server.  Two ways to
 * take a page away from a running program:
 *
 *	move	UFFDIO_MOVE: the page itself goes to staging, atomically.  A
 *		thread that writes at that moment either wrote before, or
 *		faults.  A pinned page is refused with EBUSY and stays.
 *
 *	copy	write-protect, copy, drop, wake: for older kernels and for
 *		memory that is not plain anonymous (copy.c).
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "crc32c.h"
#include "engine.h"
#include "sys.h"

#define BATCH_RUNS	16u
#define SWEEP_CHUNKS	4096u

bool gvm_held_overlaps(const struct gvm_shard *s, u64 start, u64 end)
{
	for (u32 i = 0; i < s->held_nr; i++)
		if (s->held[i].start < end && start < s->held[i].end)
			return true;
	return false;
}

void gvm_evict_rotate(struct gvm_shard *s, struct gvm_chunk *chunk, u32 idx)
{
	gvm_cache_remove(&s->cache, chunk, idx, true);
	gvm_cache_insert(&s->cache, chunk, idx, GVM_CACHE_ROTATE);
}

/* Zero needs no place anywhere: not here, not at home, not on the wire. */
static void stage_zero(struct gvm_shard *s, struct gvm_chunk *chunk, u32 idx,
		       u32 slot)
{
	const bool stored = s->staging.slots[slot].stored;
	u16 actions;

	if (chunk->state[idx] == GVM_PAGE_STAGED)
		s->staging.unsent--;
	gvm_page_event(s, chunk, idx, GVM_EV_DISCARD, &actions);
	gvm_slot_free(&s->staging, slot, true);
	chunk->word[idx] = 0;
	if (actions & GVM_ACT_TRIM) {
		if (stored)
			gvm_trim_add(s, chunk, idx);
		else	/* nothing to tell: as good as answered */
			gvm_page_event(s, chunk, idx, GVM_EV_WRITTEN, &actions);
	}
	s->stats->evicted_zero++;
}

void gvm_evict_staged(struct gvm_shard *s, struct gvm_chunk *chunk, u32 idx)
{
	struct gvm_staging *st = &s->staging;
	const u32 slot = (u32)(st->head % st->ring);
	const u8 state = chunk->state[idx];
	const u32 word = chunk->word[idx];
	u32 crc = state == GVM_PAGE_CLEAN ? word : 0;
	u16 actions;
	bool same;

	same = state == GVM_PAGE_DIRTY &&
	       gvm_recycle_same(s, gvm_page_va(chunk, idx), word,
				gvm_slot_memory(st, slot), &crc);
	st->slots[slot] = (struct gvm_slot){
		.va = gvm_page_va(chunk, idx), .what = GVM_SLOT_LIVE,
		.crc = crc,
		.stored = state == GVM_PAGE_DIRTY ? word & GVM_WORD_STORED : 1,
	};
	st->head++;
	st->live++;
	st->present++;
	gvm_cache_remove(&s->cache, chunk, idx, false);
	gvm_huge_forget(chunk);
	gvm_page_event(s, chunk, idx, same ? GVM_EV_STAGE_SAME : GVM_EV_STAGE,
		       &actions);
	chunk->word[idx] = slot;
	if (state == GVM_PAGE_CLEAN || same) {
		s->stats->evicted_clean++;
		return;
	}
	if (actions & GVM_ACT_QUEUE)
		st->unsent++;
	if (gvm_page_is_zero(gvm_slot_memory(st, slot)))
		stage_zero(s, chunk, idx, slot);
	else
		s->stats->evicted_dirty++;
}

/*
 * MOVE said EBUSY.  After a fork that can mean "shared with the child", and
 * such a page is never pinned for writing (pinning unshares it first).  A
 * clean one is protected and equal to home's copy: drop it.  For a dirty one
 * ask the kernel to make it ours alone, and try again.
 */
static bool unshare(struct gvm_shard *s, struct gvm_chunk *chunk, u32 idx)
{
	const u64 va = gvm_page_va(chunk, idx);
	const u32 crc = chunk->word[idx];
	u16 actions;
	long err;

	if (!s->gvm->forked)
		return false;
	if (chunk->state[idx] != GVM_PAGE_CLEAN)
		return !gvm_sys(SYS_madvise, va, GVM_PAGE_BYTES,
				MADV_POPULATE_WRITE);
	gvm_cache_remove(&s->cache, chunk, idx, false);
	gvm_page_event(s, chunk, idx, GVM_EV_STAGE, &actions);
	gvm_page_event(s, chunk, idx, GVM_EV_RELEASE, &actions);
	chunk->word[idx] = crc;
	s->stats->evicted_clean++;
	/* Reads events: an unmap of this page may be among them. */
	err = gvm_drop(s, va, GVM_PAGE_BYTES);
	if (err && err != -ENOMEM)
		gvm_fatal(s->gvm, "cannot drop the page at 0x%llx (error %u); stopping %s",
			  (unsigned long long)va, (unsigned int)-err,
			  s->gvm->name);
	gvm_uffd_wake(s->uffd, va, GVM_PAGE_BYTES);
	return true;
}

static u32 move_pages(struct gvm_shard *s, struct gvm_chunk *chunk, u32 first,
		      u32 n, const struct gvm_range *range)
{
	struct gvm_staging *st = &s->staging;
	bool tried = false;
	u32 i = 0;

	while (i < n) {
		u8 *to = gvm_slot_memory(st, (u32)(st->head % st->ring));
		enum gvm_fill fill;
		u64 done;

		fill = gvm_uffd_move(s->staging_uffd, (u64)(uintptr_t)to,
				     gvm_page_va(chunk, first + i),
				     (u64)(n - i) * GVM_PAGE_BYTES, &done);
		for (done >>= GVM_PAGE_SHIFT; done; done--, tried = false)
			gvm_evict_staged(s, chunk, first + i++);
		if (i == n)
			break;
		switch (fill) {
		case GVM_FILL_OK:
			break;
		case GVM_FILL_AGAIN:
			/* Progress was made, or somebody is in the way. */
			return i;
		case GVM_FILL_BUSY:
			if (!tried && unshare(s, chunk, first + i)) {
				if (!gvm_page_resident(chunk->state[first + i]))
					return i + 1;
				tried = true;
				continue;
			}
			s->stats->evict_busy++;
			gvm_evict_rotate(s, chunk, first + i);
			return i + 1;
		case GVM_FILL_MISFIT:
			/* mprotect() made the mappings differ. */
			return i + gvm_copy_run(s, chunk, first + i, 1, range);
		default:
			if (fill == GVM_FILL_HOLE &&
			    gvm_uffd_changing(s->uffd))
				return i;	/* being unmapped */
			gvm_fatal(s->gvm, "the %s page at 0x%llx cannot be taken away (result %u): was it dropped by a system call that giantvm did not see? stopping %s",
				  gvm_page_state_name(chunk->state[first + i]),
				  (unsigned long long)
				  gvm_page_va(chunk, first + i), fill,
				  s->gvm->name);
		}
	}
	return i;
}

/*
 * Staging has a userfaultfd of its own (drop.c), which lets pages be moved even
 * while the program's memory is being unmapped.  So look before and behind, as
 * copy.c does.
 */
static u32 move_run(struct gvm_shard *s, struct gvm_chunk *chunk, u32 first,
		    u32 n, const struct gvm_range *range)
{
	const u64 va = gvm_page_va(chunk, first);
	const u64 moved = s->staging.head;
	const u32 events = s->events_nr;

	if (gvm_uffd_changing(s->uffd))
		return 0;
	n = move_pages(s, chunk, first, n, range);
	gvm_look_back(s, va, (s->staging.head - moved) * GVM_PAGE_BYTES,
		      events);
	return n;
}

/* Take a run of victims; how many pages were dealt with. */
static u32 stage_run(struct gvm_shard *s, const struct gvm_victims *run)
{
	u64 room = gvm_staging_room(&s->staging);
	u32 n = run->count;
	u64 va = gvm_page_va(run->chunk, run->first);
	struct gvm_range range;

	if (n > room)
		n = (u32)room;
	if (!n)
		return 0;
	if (s->held_nr && gvm_held_overlaps(s, va, va + (u64)n *
					    GVM_PAGE_BYTES)) {
		for (u32 i = 0; i < n; i++)
			gvm_evict_rotate(s, run->chunk, run->first + i);
		return n;
	}
	if (!gvm_ranges_find(&s->gvm->ranges, va, &range)) {
		/* Armed, but grown behind our back: plain anonymous memory. */
		range = (struct gvm_range){ .end = va + GVM_PAGE_BYTES,
					    .fd = -1 };
	}
	if (range.end < va + (u64)n * GVM_PAGE_BYTES)
		n = (u32)((range.end - va) >> GVM_PAGE_SHIFT);
	if (s->gvm->move && range.fd < 0)
		return move_run(s, run->chunk, run->first, n, &range);
	return gvm_copy_run(s, run->chunk, run->first, n, &range);
}

static bool stage_some(struct gvm_shard *s)
{
	struct gvm_victims runs[BATCH_RUNS];
	const u32 events = s->events_nr;
	u32 nr, dealt = 0, batch = GVM_REQUEST_PAGES;

	/* Each call of the kernel interrupts the other CPUs: few and large. */
	if (batch > s->low / 4)
		batch = s->low / 4 < 64 ? 64 : (u32)s->low / 4;
	nr = gvm_cache_victims(&s->cache, s->table.all, s->table.all_nr,
			       SWEEP_CHUNKS, batch, runs, BATCH_RUNS);
	/* An unmap that was collected may have taken later victims away. */
	for (u32 i = 0; i < nr && s->events_nr == events; i++)
		dealt += stage_run(s, &runs[i]);
	return dealt;
}

/*
 * How many staged pages may go.  Half of the target stays as a second chance,
 * and for marks of windows that were prefetched just now, unless room is about
 * to run out.
 */
static u64 spare(const struct gvm_shard *s, u64 free)
{
	const u64 keep = free < s->low / 2 ? 0 : s->staging_target / 2;
	const u64 live = s->staging.live;
	const u64 most = live > keep ? live - keep : 0;

	return most < s->high - free ? most : s->high - free;
}

/*
 * One batch.  True: there is more to do and it can be done at once.  Pages are
 * written back when they are half way through staging: late enough that hot
 * ones are stolen back before, early enough that the oldest are clean.
 */
bool gvm_evict_work(struct gvm_shard *s)
{
	struct gvm_staging *st = &s->staging;
	u64 free = gvm_free_frames(s);
	bool progress = false;
	u64 lag = s->staging_target / 2;

	/* Start at the low mark and go on to the high one: batches are cheap. */
	if (free < s->low)
		s->making_room = 1;
	if (free >= s->high || !(s->cache.resident + st->present))
		s->making_room = 0;
	if (!s->making_room || s->evicting)
		return false;
	s->evicting = 1;
	if (st->live - st->unsent < s->staging_target / 2 ||
	    st->live < s->staging_target)
		progress |= stage_some(s);
	if (free < s->low / 2)
		lag = 0;
	if (st->head - st->tail > lag)
		gvm_staging_send(s, st->head - lag);
	free = gvm_free_frames(s);
	if (free < s->high)
		progress |= gvm_staging_release(s, spare(s, free)) > 0;
	gvm_trim_flush(s);
	s->evicting = 0;
	s->making_room = gvm_free_frames(s) < s->high;
	return progress && s->making_room;
}

/* Empty staging to the servers, and wait for every answer (fork, resize). */
void gvm_evict_drain(struct gvm_shard *s)
{
	struct gvm_staging *st = &s->staging;

	while (st->tail < st->head || s->requests_used) {
		gvm_staging_send(s, st->head);
		gvm_trim_flush(s);
		gvm_staging_release(s, st->ring);
		if (st->tail < st->head || s->requests_used)
			gvm_shard_pump(s, 100);
	}
}
