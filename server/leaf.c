// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Leaves and their records.  The order of the stores here is what makes a file
 * survive the death of the server; see store.h.
 */
#include <errno.h>
#include <string.h>

#include "leaf.h"

/* Publication: everything before it is done when it is seen. */
static void set_where(struct gvm_store *s, u32 rec, u64 where)
{
	__atomic_store_n(&s->arena.leaves[rec].where, where, __ATOMIC_RELEASE);
}

static u64 where_of(const struct gvm_region *r, u32 frame)
{
	return ((u64)r->slot + 1) << 32 | frame;
}

static int rec_take(struct gvm_store *s, u32 *ret_rec)
{
	int err = 0;

	pthread_mutex_lock(&s->leaf_lock);
	if (s->leaf_free) {
		*ret_rec = (u32)(s->leaf_free - 1);
		s->leaf_free = s->arena.leaves[*ret_rec].leafno;
	} else if (s->leaf_fresh == s->arena.leaves_max) {
		err = -ENOSPC;
	} else {
		err = gvm_arena_raise_leaf_top(&s->arena, s->leaf_fresh + 1);
		if (!err)
			*ret_rec = s->leaf_fresh++;
	}
	pthread_mutex_unlock(&s->leaf_lock);
	return err;
}

void gvm_leaf_rec_free(struct gvm_store *s, u32 rec)
{
	pthread_mutex_lock(&s->leaf_lock);
	s->arena.leaves[rec].leafno = s->leaf_free;
	s->leaf_free = (u64)rec + 1;
	pthread_mutex_unlock(&s->leaf_lock);
}

int gvm_leaf_index_grow(struct gvm_store *s, struct gvm_region *r, u32 more)
{
	u64 before = gvm_index_bytes(&r->index);
	int err = gvm_index_grow(&r->index, s->arena.leaves, more);

	__atomic_add_fetch(&s->index_bytes, gvm_index_bytes(&r->index) - before,
			   __ATOMIC_RELAXED);
	return err;
}

int gvm_leaf_stock_up(struct gvm_store *s, struct gvm_region *r, u32 n,
		      struct gvm_leaf_stock *stock)
{
	int err;

	if (!n)
		return 0;
	err = gvm_leaf_index_grow(s, r, n);
	if (err)
		return err;
	err = gvm_frames_take(&s->frames, GVM_FRAME_NODE, n, stock->frames);
	if (err)
		return err;
	for (u32 i = 0; i < n; i++) {
		err = rec_take(s, &stock->recs[i]);
		if (err) {
			while (i--)
				gvm_leaf_rec_free(s, stock->recs[i]);
			gvm_frames_put(&s->frames, GVM_FRAME_NODE, n,
				       stock->frames);
			return err;
		}
	}
	stock->nr = n;
	return 0;
}

void gvm_leaf_stock_return(struct gvm_store *s, struct gvm_leaf_stock *stock)
{
	for (u32 i = 0; i < stock->nr; i++)
		gvm_leaf_rec_free(s, stock->recs[i]);
	gvm_frames_put(&s->frames, GVM_FRAME_NODE, stock->nr, stock->frames);
	stock->nr = 0;
}

u32 gvm_leaf_make(struct gvm_store *s, struct gvm_region *r, u64 leafno,
		  struct gvm_leaf_stock *stock)
{
	u32 at = --stock->nr;
	u32 rec = stock->recs[at];
	u32 frame = stock->frames[at];

	memset(gvm_arena_frame(&s->arena, frame), 0, GVM_PAGE_BYTES);
	s->live[rec] = 0;
	s->arena.leaves[rec].leafno = leafno;
	set_where(s, rec, where_of(r, frame));
	gvm_index_insert(&r->index, s->arena.leaves, rec);
	return rec;
}

/*
 * One user less.  The last one frees its pages; until then, and only then, is
 * the leaf frozen (gvm_leaf_shared), so its entries can be read without a lock.
 */
static void leaf_put(struct gvm_store *s, u32 frame)
{
	const u64 *entries = gvm_arena_frame(&s->arena, frame);
	u32 frames[GVM_LEAF_PAGES];
	u32 nr = 0;

	if (!gvm_frames_drop(&s->frames, frame))
		return;
	for (u32 i = 0; i < GVM_LEAF_PAGES; i++) {
		u32 page = gvm_entry_frame(entries[i]);

		if (page)
			frames[nr++] = page;
	}
	gvm_frames_put(&s->frames, GVM_FRAME_DATA, nr, frames);
	gvm_frames_free_node(&s->frames, frame);
}

void gvm_leaf_copy(struct gvm_store *s, struct gvm_region *r, u32 rec,
		   struct gvm_leaf_stock *stock)
{
	u32 at = --stock->nr;
	u32 frame = stock->frames[at];
	u32 old = gvm_leaf_frame(s, rec);
	u64 *entries = gvm_arena_frame(&s->arena, frame);

	memcpy(entries, gvm_arena_frame(&s->arena, old), GVM_PAGE_BYTES);
	for (u32 i = 0; i < GVM_LEAF_PAGES; i++) {
		if (gvm_entry_frame(entries[i]))
			gvm_frames_get(&s->frames, gvm_entry_frame(entries[i]));
	}
	set_where(s, rec, where_of(r, frame));
	/* The record stays, only its frame is new. */
	gvm_leaf_rec_free(s, stock->recs[at]);
	leaf_put(s, old);
}

int gvm_leaf_share(struct gvm_store *s, u32 rec, struct gvm_region *child)
{
	u32 frame = gvm_leaf_frame(s, rec);
	u32 mine;
	int err = rec_take(s, &mine);

	if (err)
		return err;
	gvm_frames_get(&s->frames, frame);
	s->live[mine] = s->live[rec];
	s->arena.leaves[mine].leafno = s->arena.leaves[rec].leafno;
	set_where(s, mine, where_of(child, frame));
	gvm_index_insert(&child->index, s->arena.leaves, mine);
	return 0;
}

u32 gvm_leaf_set(struct gvm_store *s, struct gvm_region *r, u32 rec, u32 at,
		 u32 frame, u32 crc)
{
	u64 *entry = gvm_leaf_entries(s, rec) + at;
	u32 old = gvm_entry_frame(*entry);

	if (!old && !frame)
		return 0;
	__atomic_store_n(entry, frame ? gvm_entry(frame, crc) : 0,
			 __ATOMIC_RELEASE);
	s->live[rec] = (u16)(s->live[rec] + !!frame - !!old);
	__atomic_store_n(&r->pages, r->pages + !!frame - !!old,
			 __ATOMIC_RELAXED);
	return old;
}

void gvm_leaf_forget(struct gvm_store *s, u32 rec)
{
	u32 frame = gvm_leaf_frame(s, rec);

	set_where(s, rec, 0);
	gvm_leaf_rec_free(s, rec);
	leaf_put(s, frame);
}

void gvm_leaf_unlink(struct gvm_store *s, struct gvm_region *r, u32 rec)
{
	__atomic_store_n(&r->pages, r->pages - s->live[rec], __ATOMIC_RELAXED);
	gvm_index_remove(&r->index, s->arena.leaves, rec);
	gvm_leaf_forget(s, rec);
}
