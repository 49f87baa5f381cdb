// SPDX-License-Identifier: GPL-2.0-or-later
/* Pages of regions; store.h says what is safe when, and why. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "store.h"
#include "leaf.h"

int gvm_store_open(struct gvm_store *s, const char *path, u64 pages_max,
		   bool *ret_fresh, char *why, size_t why_len)
{
	int err;

	memset(s, 0, sizeof(*s));
	err = gvm_arena_open(&s->arena, path, pages_max, ret_fresh, why,
			     why_len);
	if (err)
		return err;
	err = gvm_frames_init(&s->frames, &s->arena);
	if (err)
		goto err_close_arena;
	s->live = mmap(NULL, s->arena.leaves_max * sizeof(u16),
		       PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (s->live == MAP_FAILED) {
		err = -ENOMEM;
		goto err_exit_frames;
	}
	pthread_mutex_init(&s->leaf_lock, NULL);
	return 0;

err_exit_frames:
	gvm_frames_exit(&s->frames);
err_close_arena:
	gvm_arena_close(&s->arena);
	snprintf(why, why_len, "not enough memory for the store's tables; lower --memory");
	return err;
}

void gvm_store_close(struct gvm_store *s)
{
	pthread_mutex_destroy(&s->leaf_lock);
	munmap(s->live, s->arena.leaves_max * sizeof(u16));
	gvm_frames_exit(&s->frames);
	gvm_arena_close(&s->arena);
}

void gvm_store_region_init(struct gvm_store *s, struct gvm_region *r, u32 slot)
{
	pthread_rwlockattr_t attr;

	memset(r, 0, sizeof(*r));
	r->slot = slot;
	r->rec = &s->arena.regions[slot];
	/* A takeover must get in while others read without a pause. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr,
			PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&r->lock, &attr);
	pthread_rwlockattr_destroy(&attr);
}

void gvm_store_region_exit(struct gvm_region *r)
{
	gvm_index_free(&r->index);
	pthread_rwlock_destroy(&r->lock);
}

/* Up to the end of the leaf; returns how many. */
static u32 read_leaf(struct gvm_store *s, const struct gvm_region *r, u64 page,
		     u32 count, struct gvm_ref *refs)
{
	u32 at = (u32)page % GVM_LEAF_PAGES;
	u32 rec = gvm_index_find(&r->index, s->arena.leaves,
				 page >> GVM_LEAF_SHIFT);
	const u64 *entries;

	if (count > GVM_LEAF_PAGES - at)
		count = GVM_LEAF_PAGES - at;
	if (rec == GVM_LEAF_NONE) {
		memset(refs, 0, count * sizeof(*refs));
		return count;
	}
	entries = gvm_leaf_entries(s, rec) + at;
	for (u32 i = 0; i < count; i++) {
		refs[i].frame = gvm_entry_frame(entries[i]);
		refs[i].crc = gvm_entry_crc(entries[i]);
		if (refs[i].frame)
			gvm_frames_get(&s->frames, refs[i].frame);
	}
	return count;
}

int gvm_store_read(struct gvm_store *s, struct gvm_region *r, u32 epoch,
		   u64 page, u32 count, struct gvm_ref *ret_refs)
{
	u32 done;

	pthread_rwlock_rdlock(&r->lock);
	if (r->epoch != epoch) {
		pthread_rwlock_unlock(&r->lock);
		return -ESTALE;
	}
	for (; count; count -= done, page += done, ret_refs += done)
		done = read_leaf(s, r, page, count, ret_refs);
	pthread_rwlock_unlock(&r->lock);
	return 0;
}

bool gvm_store_has(struct gvm_store *s, struct gvm_region *r, u64 page)
{
	bool has = false;
	u32 rec;

	pthread_rwlock_rdlock(&r->lock);
	rec = gvm_index_find(&r->index, s->arena.leaves,
			     page >> GVM_LEAF_SHIFT);
	if (rec != GVM_LEAF_NONE)
		has = gvm_entry_frame(gvm_leaf_entries(s, rec)[page %
						GVM_LEAF_PAGES]);
	pthread_rwlock_unlock(&r->lock);
	return has;
}

/* Make [first, end) of one leaf zero.  Called with r->lock held. */
static int trim_leaf(struct gvm_store *s, struct gvm_region *r, u32 rec,
		     u32 first, u32 end)
{
	struct gvm_leaf_stock stock = { .nr = 0 };
	u32 olds[GVM_LEAF_PAGES];
	u32 olds_nr = 0;
	int err;

	if (end - first == GVM_LEAF_PAGES) {
		gvm_leaf_unlink(s, r, rec);
		return 0;
	}
	if (gvm_leaf_shared(s, rec)) {
		err = gvm_leaf_stock_up(s, r, 1, &stock);
		if (err)
			return err;
		gvm_leaf_copy(s, r, rec, &stock);
		gvm_leaf_stock_return(s, &stock);
	}
	for (u32 i = first; i < end; i++) {
		u32 old = gvm_leaf_set(s, r, rec, i, 0, 0);

		if (old)
			olds[olds_nr++] = old;
	}
	if (!s->live[rec])
		gvm_leaf_unlink(s, r, rec);
	gvm_frames_put(&s->frames, GVM_FRAME_DATA, olds_nr, olds);
	return 0;
}

/* The part of the leaf's pages that lies in [page, end). */
static int trim_part(struct gvm_store *s, struct gvm_region *r, u32 rec,
		     u64 page, u64 end)
{
	u64 first = s->arena.leaves[rec].leafno << GVM_LEAF_SHIFT;
	u64 from = page > first ? page - first : 0;
	u64 to = end < first + GVM_LEAF_PAGES ? end - first : GVM_LEAF_PAGES;

	return trim_leaf(s, r, rec, (u32)from, (u32)to);
}

/*
 * A range of more leaves than the region has: go through those it has.  They
 * are listed first, because trimming changes the index.
 */
static int trim_wide(struct gvm_store *s, struct gvm_region *r, u64 page,
		     u64 end)
{
	u32 *recs = malloc((r->index.nr + 1) * sizeof(*recs));
	u32 nr = 0, rec;
	int err = 0;

	if (!recs)
		return -ENOMEM;
	for (u32 i = 0; gvm_index_each(&r->index, &i, &rec); ) {
		u64 leafno = s->arena.leaves[rec].leafno;

		if (leafno >= page >> GVM_LEAF_SHIFT &&
		    leafno <= (end - 1) >> GVM_LEAF_SHIFT)
			recs[nr++] = rec;
	}
	for (u32 i = 0; i < nr && !err; i++)
		err = trim_part(s, r, recs[i], page, end);
	free(recs);
	return err;
}

static int trim_narrow(struct gvm_store *s, struct gvm_region *r, u64 page,
		       u64 end)
{
	u64 last = (end - 1) >> GVM_LEAF_SHIFT;
	int err = 0;

	for (u64 no = page >> GVM_LEAF_SHIFT; no <= last && !err; no++) {
		u32 rec = gvm_index_find(&r->index, s->arena.leaves, no);

		if (rec != GVM_LEAF_NONE)
			err = trim_part(s, r, rec, page, end);
	}
	return err;
}

static int trim(struct gvm_store *s, struct gvm_region *r, u32 epoch, u64 page,
		u64 end)
{
	int err = -ESTALE;

	pthread_rwlock_wrlock(&r->lock);
	if (r->epoch == epoch)
		err = (end - page) / GVM_LEAF_PAGES > r->index.nr ?
			trim_wide(s, r, page, end) :
			trim_narrow(s, r, page, end);
	pthread_rwlock_unlock(&r->lock);
	return err;
}

int gvm_store_trim(struct gvm_store *s, struct gvm_region *r, u32 epoch,
		   u64 page, u32 count)
{
	int err = gvm_arena_begin(&s->arena);

	if (err)
		return err;
	/* Again from the start: what is zero already costs little. */
	while ((err = trim(s, r, epoch, page, page + count)) == -EAGAIN)
		gvm_frames_wait(&s->frames);
	gvm_arena_end(&s->arena);
	return err;
}

int gvm_store_clone(struct gvm_store *s, struct gvm_region *r, u32 epoch,
		    struct gvm_region *child)
{
	int err = gvm_arena_begin(&s->arena);
	u32 rec;

	if (err)
		return err;
	err = -ESTALE;
	/* For reading: nobody changes a leaf meanwhile, and that is enough. */
	pthread_rwlock_rdlock(&r->lock);
	if (r->epoch != epoch)
		goto unlock;
	err = gvm_leaf_index_grow(s, child, r->index.nr);
	for (u32 i = 0; !err && gvm_index_each(&r->index, &i, &rec); )
		err = gvm_leaf_share(s, rec, child);
	__atomic_store_n(&child->pages, r->pages, __ATOMIC_RELAXED);
	__atomic_store_n(&child->copied, true, __ATOMIC_RELAXED);
	__atomic_store_n(&r->copied, true, __ATOMIC_RELAXED);
unlock:
	pthread_rwlock_unlock(&r->lock);
	gvm_arena_end(&s->arena);
	return err;
}

void gvm_store_drop(struct gvm_store *s, struct gvm_region *r)
{
	bool told = !gvm_arena_begin(&s->arena);
	u32 rec;

	/*
	 * If the disk fails here there is nobody to tell.  The records still go
	 * from memory, or the pages would stay for ever.
	 */
	for (u32 i = 0; gvm_index_each(&r->index, &i, &rec); )
		gvm_leaf_forget(s, rec);
	__atomic_sub_fetch(&s->index_bytes, gvm_index_bytes(&r->index),
			   __ATOMIC_RELAXED);
	gvm_index_free(&r->index);
	__atomic_store_n(&r->pages, 0, __ATOMIC_RELAXED);
	if (told)
		gvm_arena_end(&s->arena);
}

u64 gvm_store_overhead_bytes(struct gvm_store *s)
{
	u64 bytes = gvm_frames_overhead_bytes(&s->frames);

	pthread_mutex_lock(&s->leaf_lock);
	bytes += (u64)s->leaf_fresh *
		 (sizeof(struct gvm_leaf_rec) + sizeof(s->live[0]));
	pthread_mutex_unlock(&s->leaf_lock);
	return bytes + __atomic_load_n(&s->index_bytes, __ATOMIC_RELAXED);
}
