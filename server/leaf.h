/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leaves: 512 entries of 8 bytes, in a frame, found by a record.  For store.c
 * and recover.c.  All are called with the lock of the region held for writing,
 * or when nobody else can know the region.
 */
#ifndef GVM_SERVER_LEAF_H
#define GVM_SERVER_LEAF_H

#include "store.h"

#define GVM_LEAF_SHIFT	9
#define GVM_LEAF_PAGES	512u

static_assert(GVM_LEAF_PAGES * sizeof(u64) == GVM_PAGE_BYTES,
	      "a leaf fills a frame");
static_assert(GVM_LEAF_PAGES == GVM_BATCH_PAGES_MAX, "olds[] of one leaf");

/* Frames and records for leaves to come, so that making one cannot fail. */
struct gvm_leaf_stock {
	u32	nr;
	u32	frames[GVM_BATCH_PAGES_MAX];
	u32	recs[GVM_BATCH_PAGES_MAX];
};

static inline u64 gvm_entry(u32 frame, u32 crc)
{
	return (u64)crc << 32 | frame;
}

static inline u32 gvm_entry_frame(u64 entry) { return (u32)entry; }
static inline u32 gvm_entry_crc(u64 entry) { return (u32)(entry >> 32); }

static inline u32 gvm_leaf_frame(const struct gvm_store *s, u32 rec)
{
	return (u32)s->arena.leaves[rec].where;
}

static inline u64 *gvm_leaf_entries(const struct gvm_store *s, u32 rec)
{
	return gvm_arena_frame(&s->arena, gvm_leaf_frame(s, rec));
}

/* Does another region use the same leaf?  If so it must not be changed. */
static inline bool gvm_leaf_shared(const struct gvm_store *s, u32 rec)
{
	/* Acquire: the other's copying ends before our changing begins. */
	return gvm_frames_refs(&s->frames, gvm_leaf_frame(s, rec)) > 1;
}

/* All of n, with room in the index, or -errno and none. */
int gvm_leaf_stock_up(struct gvm_store *s, struct gvm_region *r, u32 n,
		      struct gvm_leaf_stock *stock);
void gvm_leaf_stock_return(struct gvm_store *s, struct gvm_leaf_stock *stock);
int gvm_leaf_index_grow(struct gvm_store *s, struct gvm_region *r, u32 more);

/* An empty leaf; returns its record. */
u32 gvm_leaf_make(struct gvm_store *s, struct gvm_region *r, u64 leafno,
		  struct gvm_leaf_stock *stock);
/* Replace a shared leaf by a copy of its own. */
void gvm_leaf_copy(struct gvm_store *s, struct gvm_region *r, u32 rec,
		   struct gvm_leaf_stock *stock);
/* Let child use the leaf too.  Room in its index has been made. */
int gvm_leaf_share(struct gvm_store *s, u32 rec, struct gvm_region *child);

/* Publish an entry; returns the frame that was there, which is now ours. */
u32 gvm_leaf_set(struct gvm_store *s, struct gvm_region *r, u32 rec, u32 at,
		 u32 frame, u32 crc);

/* The region loses the leaf, with all pages in it. */
void gvm_leaf_unlink(struct gvm_store *s, struct gvm_region *r, u32 rec);
/* The same, but the index is left for the caller to free. */
void gvm_leaf_forget(struct gvm_store *s, u32 rec);

/* For recover.c: a record that is not in use. */
void gvm_leaf_rec_free(struct gvm_store *s, u32 rec);

#endif
