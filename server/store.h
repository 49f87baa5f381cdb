/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages of regions: written, read, dropped and copied, in anonymous memory or
 * in a file.  Zero pages and pages never written take no memory.
 *
 * A page is an entry {frame, CRC} of 8 bytes in a leaf of 512; a leaf is a
 * frame too, and is found through a leaf record.  Copies of a region share its
 * leaves, and leaves share frames; whoever writes first makes his own.
 *
 * Nothing is ever overwritten in place.  A write
 *
 *	1. fills a frame that nobody refers to,
 *	2. publishes it: one 8-byte store to the entry,
 *	3. frees the frame that was there before, which may be used again at once.
 *
 * A new or copied leaf is filled first and published by one 8-byte store to
 * its record.  The stores are in program order, so wherever SIGKILL hits, every
 * entry refers to a frame that was filled for it: the page is the old or the
 * new one, and it is the new one once the server has answered.  Reference
 * counts and free lists are not kept in the file; the start counts them again
 * (recover.c), so a death between 2 and 3 leaks nothing.
 */
#ifndef GVM_SERVER_STORE_H
#define GVM_SERVER_STORE_H

#include "frames.h"
#include "index.h"

struct gvm_session;

struct gvm_store {
	struct gvm_arena	arena;
	struct gvm_frames	frames;
	u16	*live;		/* of each leaf record: entries in use */
	pthread_mutex_t	leaf_lock;
	u64	leaf_free;	/* first free record + 1; linked by leafno */
	u32	leaf_fresh;	/* records from here on were never used */
	u64	index_bytes;	/* atomic; of all regions */
};

/* One region.  lease.c owns the upper part, store.c the lower. */
struct gvm_region {
	struct gvm_region_rec *rec;
	u32	slot;

	/* Under the lock of struct gvm_leases. */
	struct gvm_region	*next;		/* same hash bucket, or reaping */
	struct gvm_session	*sessions;
	u64	deadline_ns;	/* dropped then, unless a session came */
	u32	users;		/* sessions that point here, and the table */

	pthread_rwlock_t lock;	/* below; epoch is written under both locks */
	u32	epoch;		/* 0: dropped, nobody's requests are good */
	struct gvm_index index;
	u64	pages;		/* atomic; entries in use */
	bool	copied;		/* atomic; may share frames with another */
};

/* One page of a WRITE.  body NULL: zero page. */
struct gvm_put {
	u64		page;
	const void	*body;
	u32		crc;
};

/* One page that was read: its frame, with a reference.  0: zero page. */
struct gvm_ref {
	u32	frame;
	u32	crc;
};

/* path NULL: anonymous. */
int gvm_store_open(struct gvm_store *s, const char *path, u64 pages_max,
		   bool *ret_fresh, char *why, size_t why_len);
void gvm_store_close(struct gvm_store *s);

void gvm_store_region_init(struct gvm_store *s, struct gvm_region *r, u32 slot);
void gvm_store_region_exit(struct gvm_region *r);

/*
 * All take the region's lock, and do nothing but return -ESTALE unless the
 * region's epoch is the caller's.  -ENOSPC: no room; a write then stored
 * nothing, a trim may be carried out in part.  -ENOMEM, -EIO likewise.
 */
int gvm_store_write(struct gvm_store *s, struct gvm_region *r, u32 epoch,
		    const struct gvm_put *puts, u32 n);
int gvm_store_read(struct gvm_store *s, struct gvm_region *r, u32 epoch,
		   u64 page, u32 count, struct gvm_ref *ret_refs);
/* Does the page have a frame?  Whatever the epoch. */
bool gvm_store_has(struct gvm_store *s, struct gvm_region *r, u64 page);
int gvm_store_trim(struct gvm_store *s, struct gvm_region *r, u32 epoch,
		   u64 page, u32 count);
/* child is empty and nobody knows it yet; on failure drop it. */
int gvm_store_clone(struct gvm_store *s, struct gvm_region *r, u32 epoch,
		    struct gvm_region *child);

/* All pages of a region whose epoch is 0. */
void gvm_store_drop(struct gvm_store *s, struct gvm_region *r);

/*
 * At the start on a file: find the pages of the live regions.  regions[] is
 * by slot, NULL where none lives.  -EUCLEAN: damaged.
 */
int gvm_store_recover(struct gvm_store *s, struct gvm_region **regions,
		      const char *path, char *why, size_t why_len);

/* Memory beside the pages. */
u64 gvm_store_overhead_bytes(struct gvm_store *s);

#endif
