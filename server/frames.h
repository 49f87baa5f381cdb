/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames of 4 KiB and who holds them: reference counts, and two kinds of free.
 * A warm free frame still has its memory and is used again first; a cold one
 * has none.  A thread that has time (gvm_frames_trim) makes warm ones cold, in
 * runs, because giving memory back costs a system call each.
 *
 * References are counted atomically and without a lock: whoever adds one must
 * already be sure of another.
 */
#ifndef GVM_SERVER_FRAMES_H
#define GVM_SERVER_FRAMES_H

#include "arena.h"

#define GVM_FRAMES_KEEP	4096u	/* 16 MiB: not worth giving back under load */

#define GVM_FRAME_SUCCEEDED	(1u << 31)	/* bit of refs: not charged */

enum gvm_frame_kind {
	GVM_FRAME_DATA,		/* a page: counted against the capacity */
	GVM_FRAME_NODE,		/* entries of 512 pages */
	GVM_FRAME_KIND_NR
};

struct gvm_frames {
	struct gvm_arena *arena;
	u32	*refs;		/* of each frame; atomic */

	pthread_mutex_t	lock;	/* everything below */
	pthread_cond_t	came;	/* frames came back, or owed fell */
	u32	*warm;		/* stack */
	u32	warm_nr;
	u64	*cold;		/* bit a frame */
	u16	*cold_nr;	/* of each group of 512 */
	u32	groups_nr;
	u32	group_hint;	/* no group below has a cold frame */
	u32	used[GVM_FRAME_KIND_NR];	/* DATA: charged */
	u32	top;		/* frames above were never used */
	u32	owed;		/* jobs that will bring frames back */
	u32	waiters;
};

int gvm_frames_init(struct gvm_frames *f, struct gvm_arena *arena);
void gvm_frames_exit(struct gvm_frames *f);

/*
 * n frames with one reference each, and any content.  Else none and -ENOSPC,
 * or -EAGAIN while others are about to bring some back: let go of all locks,
 * wait, and try again.  A frame for data does not count yet.
 */
int gvm_frames_take(struct gvm_frames *f, enum gvm_frame_kind kind, u32 n,
		    u32 *ret_frames);
void gvm_frames_wait(struct gvm_frames *f);

/*
 * n more pages are stored: -ENOSPC or -EAGAIN when that is more than the
 * capacity.  A page that replaces another takes over its place instead
 * (gvm_frames_succeed), or a full server could not even be overwritten.
 */
int gvm_frames_charge(struct gvm_frames *f, u32 n);
/* The same when it is known to have been free a moment ago: cannot fail. */
void gvm_frames_recharge(struct gvm_frames *f, u32 n);

/* The frame's place has gone to another page; it will not be given back. */
static inline void gvm_frames_succeed(struct gvm_frames *f, u32 frame)
{
	__atomic_or_fetch(&f->refs[frame], GVM_FRAME_SUCCEEDED,
			  __ATOMIC_RELAXED);
}

static inline void gvm_frames_get(struct gvm_frames *f, u32 frame)
{
	__atomic_add_fetch(&f->refs[frame], 1, __ATOMIC_RELAXED);
}

/* References to the frame; acquires what was done before they were dropped. */
static inline u32 gvm_frames_refs(const struct gvm_frames *f, u32 frame)
{
	return __atomic_load_n(&f->refs[frame], __ATOMIC_ACQUIRE) &
	       ~GVM_FRAME_SUCCEEDED;
}

/* Drop one reference of each; those without any are free.  Clobbers frames. */
void gvm_frames_put(struct gvm_frames *f, enum gvm_frame_kind kind, u32 n,
		    u32 *frames);
/* Taken for data, but never charged and never shown to anybody. */
void gvm_frames_untake(struct gvm_frames *f, u32 n, const u32 *frames);

/* Drop one of a node; true: it was the last, and the caller frees the frame. */
bool gvm_frames_drop(struct gvm_frames *f, u32 frame);
void gvm_frames_free_node(struct gvm_frames *f, u32 frame);

/* At start: count a reference, then take everything without one as free. */
void gvm_frames_adopt(struct gvm_frames *f, enum gvm_frame_kind kind,
		      u32 frame);
void gvm_frames_settle(struct gvm_frames *f);

/* Give back the memory of warm frames beyond keep. */
void gvm_frames_trim(struct gvm_frames *f, u32 keep);
/* Are there so many warm ones that trimming pays? */
bool gvm_frames_want_trim(struct gvm_frames *f);

/* A job that will free frames begins and ends; takers wait for it. */
void gvm_frames_owe(struct gvm_frames *f);
void gvm_frames_paid(struct gvm_frames *f);

u32 gvm_frames_used(struct gvm_frames *f, enum gvm_frame_kind kind);
/* Pages that can still be stored. */
u32 gvm_frames_room(struct gvm_frames *f);
/* Memory for keeping count. */
u64 gvm_frames_overhead_bytes(struct gvm_frames *f);

#endif
