/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a store's bytes lie: one mapping, anonymous or of a sparse file, with
 * the same layout in both, so that everything above is written once.
 *
 *	super | region records | leaf records | frames of 4 KiB
 *
 * Knows nothing of what the records mean.  Says when bytes take memory or disk
 * (reserve), when they stop to (release), and what survives (begin, end, sync).
 *
 * What survives, for a file.  The death of the server (SIGKILL at any
 * instruction): everything, because the stores that were carried out are in
 * the page cache, in an order that store.c chooses.  The death of the machine:
 * the page cache is written back in any order, so a file is only trusted if it
 * was synced and not changed afterwards; else it is refused at the next start,
 * for it could hand out pages older than those that were acknowledged.
 */
#ifndef GVM_SERVER_ARENA_H
#define GVM_SERVER_ARENA_H

#include <pthread.h>

#include "core/limits.h"

#define GVM_STORE_MAGIC		0x45524f54534d5647ull	/* "GVMSTORE" */
#define GVM_STORE_VERSION	1u
#define GVM_REGIONS_MAX		16384u
#define GVM_STORE_PAGES_MIN	256ull		/* 1 MiB */
#define GVM_STORE_PAGES_MAX	(1ull << 31)	/* 8 TiB; frames are 32 bit */

enum gvm_store_state {
	GVM_STORE_CHANGING	= 0,	/* trusted by the same boot only */
	GVM_STORE_SYNCED	= 1,
};

/* First 4 KiB.  All but state, boot and leaf_top never change. */
struct gvm_super {
	u64	magic;
	u32	version;
	u32	page_bytes;
	u64	pages_max;
	u64	frames_nr;
	u64	regions_max;
	u64	leaves_max;
	u64	state;		/* enum gvm_store_state */
	u64	leaf_top;	/* leaf records beyond were never used */
	char	boot[48];	/* kernel's boot id of the last writer */
	u8	reserved[3976];
	u32	reserved2;
	u32	crc;		/* of version .. leaves_max */
};

static_assert(sizeof(struct gvm_super) == 4096, "file layout");

enum gvm_region_state {
	GVM_REGION_FREE		= 0,
	GVM_REGION_LIVE		= 1,
	GVM_REGION_GOING	= 2,	/* being made or dropped: a restart drops */
};

/*
 * One region.  Token and name have two places; lease says which of them holds,
 * so that a takeover is one store, however it is interrupted.
 */
struct gvm_region_rec {
	u64	state;		/* enum gvm_region_state */
	u64	lease;		/* epoch << 1 | place */
	u8	id[16];
	u8	token[2][16];
	char	name[2][GVM_NAME_MAX];
	u8	reserved[64];
};

static_assert(sizeof(struct gvm_region_rec) == 256, "file layout");

/* One leaf of a region: which 512 pages, and the frame of their entries. */
struct gvm_leaf_rec {
	u64	leafno;		/* page number >> 9 */
	u64	where;		/* (region slot + 1) << 32 | frame; 0: free */
};

struct gvm_arena {
	int	fd;		/* -1: anonymous */
	u8	*map;
	u64	map_bytes;
	u64	pages_max;
	u32	frames_nr;	/* frame 0 is never used */
	u32	leaves_max;
	struct gvm_super	*super;
	struct gvm_region_rec	*regions;
	struct gvm_leaf_rec	*leaves;
	u8	*frames;

	/* Changes begun and ended; see gvm_arena_sync(). */
	u64	begun;
	u64	ended;
	bool	synced;
	pthread_mutex_t sync_lock;	/* synced, super->state */
};

/*
 * Make or open.  path NULL: anonymous.  *ret_fresh: there was nothing in it.
 * On failure -errno, and why[] holds one line for people.
 */
int gvm_arena_open(struct gvm_arena *a, const char *path, u64 pages_max,
		   bool *ret_fresh, char *why, size_t why_len);

/* Unmaps; a file is left as it is. */
void gvm_arena_close(struct gvm_arena *a);

/* Frames are about to be used.  -ENOSPC or another -errno: the disk is full. */
int gvm_arena_reserve(struct gvm_arena *a, u32 first, u32 count);

/* Frames hold nothing any more: give their memory or disk space back. */
void gvm_arena_release(struct gvm_arena *a, u32 first, u32 count);

/* Raise super->leaf_top, so that records below it may be used. */
int gvm_arena_raise_leaf_top(struct gvm_arena *a, u32 top);

/*
 * Around every change of records or entries.  -errno: the disk failed, and
 * there must be no change (and no end).
 */
int gvm_arena_begin(struct gvm_arena *a);
void gvm_arena_end(struct gvm_arena *a);

/*
 * Bring everything to the disk.  If nothing changes meanwhile the file is
 * marked as synced, and survives a power loss until the next change.
 */
int gvm_arena_sync(struct gvm_arena *a);

static inline void *gvm_arena_frame(const struct gvm_arena *a, u32 frame)
{
	return a->frames + ((size_t)frame << GVM_PAGE_SHIFT);
}

#endif
