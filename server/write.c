// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A WRITE into the store: all of it or nothing.  First everything that can
 * fail, then the publishing, which cannot.  store.h says why the order of the
 * steps lets a file survive the death of the server.
 */
#include <errno.h>
#include <string.h>

#include "leaf.h"
#include "store.h"

/* What one write brings along, so that nothing can fail half way. */
struct write {
	struct gvm_store	*s;
	struct gvm_region	*r;
	struct gvm_leaf_stock	stock;
	u32	olds[GVM_BATCH_PAGES_MAX];
	u32	olds_nr;
	/* Puts that take over the place of the page that they replace. */
	bool	succeeds[GVM_BATCH_PAGES_MAX];
	u32	late_nr;	/* ... that found it gone after all */
	/* The leaf of the page before, ours alone.  NONE: look it up. */
	u64	leafno;
	u32	rec;
};

/*
 * Does this page replace one that nobody else has?  A frame with other
 * references is shared with a copy of the region, or is still being sent.
 */
static bool replaces(const struct write *w, u32 rec, u64 page)
{
	u32 old;

	if (rec == GVM_LEAF_NONE)
		return false;
	old = gvm_entry_frame(gvm_leaf_entries(w->s, rec)[page %
							   GVM_LEAF_PAGES]);
	if (!old)
		return false;
	return !w->r->copied || (!gvm_leaf_shared(w->s, rec) &&
				 gvm_frames_refs(&w->s->frames, old) == 1);
}

/*
 * What the write needs: leaves that must be made or copied (too many if pages
 * are out of order), and pages beyond those that are replaced.
 */
static void needs(struct write *w, const struct gvm_put *puts, u32 n,
		  u32 *ret_leaves, u32 *ret_pages)
{
	u64 last = UINT64_MAX;
	u32 rec = GVM_LEAF_NONE;
	bool counted = false;

	*ret_leaves = 0;
	*ret_pages = 0;
	for (u32 i = 0; i < n; i++) {
		u64 leafno = puts[i].page >> GVM_LEAF_SHIFT;

		if (leafno != last) {
			rec = gvm_index_find(&w->r->index, w->s->arena.leaves,
					     leafno);
			last = leafno;
			counted = false;
		}
		w->succeeds[i] = puts[i].body && replaces(w, rec, puts[i].page);
		*ret_pages += puts[i].body && !w->succeeds[i];
		if (counted || (rec == GVM_LEAF_NONE && !puts[i].body))
			continue;
		counted = true;
		*ret_leaves += rec == GVM_LEAF_NONE ||
			       gvm_leaf_shared(w->s, rec);
	}
}

/* The leaf to change for this page, or NONE: nothing there to make zero. */
static u32 own_leaf(struct write *w, const struct gvm_put *put)
{
	u64 leafno = put->page >> GVM_LEAF_SHIFT;

	if (w->rec != GVM_LEAF_NONE && w->leafno == leafno)
		return w->rec;
	w->leafno = leafno;
	w->rec = gvm_index_find(&w->r->index, w->s->arena.leaves, leafno);
	if (w->rec == GVM_LEAF_NONE && put->body)
		w->rec = gvm_leaf_make(w->s, w->r, leafno, &w->stock);
	else if (w->rec != GVM_LEAF_NONE && gvm_leaf_shared(w->s, w->rec))
		gvm_leaf_copy(w->s, w->r, w->rec, &w->stock);
	return w->rec;
}

/* Publish one page; frame 0 for a zero page. */
static void publish(struct write *w, const struct gvm_put *put, u32 frame,
		    bool succeeds)
{
	u32 rec = own_leaf(w, put);
	u32 old;

	if (rec == GVM_LEAF_NONE)
		return;
	old = gvm_leaf_set(w->s, w->r, rec, (u32)put->page % GVM_LEAF_PAGES,
			   frame, put->crc);
	if (old) {
		w->olds[w->olds_nr++] = old;
		if (succeeds)
			gvm_frames_succeed(&w->s->frames, old);
	}
	/* The same message made it zero before: its place is free again. */
	w->late_nr += succeeds && !old;
}

/*
 * Leaves that zero pages have emptied go.  Only now: a later page of the same
 * message may have needed the leaf, and none was counted for it.
 */
static void sweep(struct write *w, const struct gvm_put *puts, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		u32 rec;

		if (puts[i].body)
			continue;
		rec = gvm_index_find(&w->r->index, w->s->arena.leaves,
				     puts[i].page >> GVM_LEAF_SHIFT);
		if (rec != GVM_LEAF_NONE && !w->s->live[rec])
			gvm_leaf_unlink(w->s, w->r, rec);
	}
}

/* Called with r->lock held: everything that can fail. */
static int prepare(struct write *w, const struct gvm_put *puts, u32 n)
{
	u32 leaves, pages;
	int err;

	needs(w, puts, n, &leaves, &pages);
	err = gvm_leaf_stock_up(w->s, w->r, leaves, &w->stock);
	if (err)
		return err;
	return gvm_frames_charge(&w->s->frames, pages);
}

/* Called with nothing held; frames[] are those of the puts with a body. */
static int commit(struct write *w, u32 epoch, const struct gvm_put *puts, u32 n,
		  const u32 *frames)
{
	struct gvm_region *r = w->r;
	int err = -ESTALE;

	pthread_rwlock_wrlock(&r->lock);
	if (r->epoch == epoch)
		err = prepare(w, puts, n);
	for (u32 i = 0; i < n && !err; i++)
		publish(w, &puts[i], puts[i].body ? *frames++ : 0,
			w->succeeds[i]);
	if (!err)
		sweep(w, puts, n);
	pthread_rwlock_unlock(&r->lock);
	gvm_leaf_stock_return(w->s, &w->stock);
	return err;
}

int gvm_store_write(struct gvm_store *s, struct gvm_region *r, u32 epoch,
		    const struct gvm_put *puts, u32 n)
{
	struct write w;
	u32 frames[GVM_BATCH_PAGES_MAX];
	u32 frames_nr = 0, filled = 0;
	int err;

	w.s = s;
	w.r = r;
	w.stock.nr = 0;
	w.olds_nr = 0;
	w.late_nr = 0;
	w.rec = GVM_LEAF_NONE;

	for (u32 i = 0; i < n; i++)
		frames_nr += !!puts[i].body;
	err = gvm_arena_begin(&s->arena);
	if (err)
		return err;
	while ((err = gvm_frames_take(&s->frames, GVM_FRAME_DATA, frames_nr,
				      frames)) == -EAGAIN)
		gvm_frames_wait(&s->frames);
	if (err)
		goto end;

	/* Filled before the lock is taken: nobody knows these frames yet. */
	for (u32 i = 0; i < n; i++) {
		if (puts[i].body)
			memcpy(gvm_arena_frame(&s->arena, frames[filled++]),
			       puts[i].body, GVM_PAGE_BYTES);
	}
	while ((err = commit(&w, epoch, puts, n, frames)) == -EAGAIN)
		gvm_frames_wait(&s->frames);
	if (err) {
		gvm_frames_untake(&s->frames, frames_nr, frames);
		goto end;
	}
	gvm_frames_recharge(&s->frames, w.late_nr);
	gvm_frames_put(&s->frames, GVM_FRAME_DATA, w.olds_nr, w.olds);
end:
	gvm_arena_end(&s->arena);
	return err;
}
