/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What waits to be sent on one connection.  Bytes of pages are never copied:
 * a reply holds references to their frames until the socket has taken them,
 * so a slow reader costs 6 KiB for each 2 MiB that waits for it.
 */
#ifndef GVM_SERVER_REPLY_H
#define GVM_SERVER_REPLY_H

#include <sys/uio.h>

#include "core/codec.h"
#include "store.h"

/*
 * Two sizes: nearly all replies are a page or an acknowledgement, and a small
 * one stays in the cache.
 */
enum gvm_reply_size {
	GVM_REPLY_SMALL,
	GVM_REPLY_LARGE,
	GVM_REPLY_SIZE_NR
};

#define GVM_REPLY_SMALL_PAGES	16u
#define GVM_REPLY_SMALL_HEAD	320u	/* an ERROR fits too */
#define GVM_REPLY_LARGE_HEAD \
	((u32)(sizeof(struct gvm_msg) + sizeof(struct gvm_batch) + \
	       GVM_BATCH_PAGES_MAX * sizeof(struct gvm_data_desc)))

struct gvm_reply {
	struct gvm_reply *next;
	enum gvm_reply_size size;
	u32	head_bytes;
	u32	head_room;
	u32	frames_nr;
	u32	sent;		/* bytes the socket has taken */
	u32	*frames;	/* behind the head */
	u8	head[];
};

static_assert(sizeof(struct gvm_msg) + sizeof(struct gvm_status) +
	      GVM_STATUS_MEMBERS_MAX * sizeof(struct gvm_status_member) +
	      GVM_STATUS_LOST_MAX * sizeof(u64) <= GVM_REPLY_LARGE_HEAD,
	      "a STATUS fits a large reply");
static_assert(sizeof(struct gvm_msg) + sizeof(struct gvm_error) <=
	      GVM_REPLY_SMALL_HEAD, "an ERROR fits a small reply");

/* Replies that are not in use; one pool a thread, never locked. */
struct gvm_reply_pool {
	struct gvm_reply *free[GVM_REPLY_SIZE_NR];
	u32	free_nr[GVM_REPLY_SIZE_NR];
};

struct gvm_out {
	struct gvm_reply	*first;
	struct gvm_reply	**last;
	struct gvm_reply_pool	*pool;
	struct gvm_frames	*frames;
	u64	bytes;		/* not sent yet */
};

void gvm_out_init(struct gvm_out *o, struct gvm_reply_pool *pool,
		  struct gvm_frames *frames);
/* Forget everything, with the references. */
void gvm_out_drop(struct gvm_out *o);

/*
 * Room for a message without pages, written by the caller at once.  NULL: no
 * memory.  Small ones share a reply.
 */
void *gvm_out_small(struct gvm_out *o, u32 bytes);
/*
 * A reply of its own for up to so many pages, with frames_nr = 0; the caller
 * fills in head_bytes of head and the frames, and calls gvm_out_done().
 */
struct gvm_reply *gvm_out_data(struct gvm_out *o, u32 pages, u32 head_bytes);
/* frames[] is filled: account for them. */
void gvm_out_done(struct gvm_out *o, struct gvm_reply *reply);

/* Gather up to bytes_max from the front; neighbours become one piece. */
int gvm_out_gather(struct gvm_out *o, struct iovec *iov, int iov_max,
		   u64 bytes_max);
/* The socket has taken so many. */
void gvm_out_sent(struct gvm_out *o, u64 bytes);

void gvm_reply_pool_free(struct gvm_reply_pool *pool);

#endif
