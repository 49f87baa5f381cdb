// SPDX-License-Identifier: GPL-2.0-or-later
/* The queue of replies of one connection; see reply.h. */
#include <stdlib.h>

#include "reply.h"

static const struct {
	u32	pages;
	u32	head;
	u32	keep;		/* free ones that a pool keeps: half a megabyte */
} sizes[GVM_REPLY_SIZE_NR] = {
	[GVM_REPLY_SMALL] = { GVM_REPLY_SMALL_PAGES, GVM_REPLY_SMALL_HEAD,
			      1024 },
	[GVM_REPLY_LARGE] = { GVM_BATCH_PAGES_MAX, GVM_REPLY_LARGE_HEAD, 64 },
};

void gvm_out_init(struct gvm_out *o, struct gvm_reply_pool *pool,
		  struct gvm_frames *frames)
{
	*o = (struct gvm_out){ .pool = pool, .frames = frames };
	o->last = &o->first;
}

static struct gvm_reply *reply_take(struct gvm_reply_pool *pool,
				    enum gvm_reply_size size)
{
	struct gvm_reply *reply = pool->free[size];

	if (reply) {
		pool->free[size] = reply->next;
		pool->free_nr[size]--;
		return reply;
	}
	reply = malloc(sizeof(*reply) + sizes[size].head +
		       sizes[size].pages * sizeof(u32));
	if (!reply)
		return NULL;
	reply->size = size;
	reply->head_room = sizes[size].head;
	reply->frames = (u32 *)(void *)(reply->head + sizes[size].head);
	return reply;
}

static void reply_return(struct gvm_reply_pool *pool, struct gvm_reply *reply)
{
	if (pool->free_nr[reply->size] == sizes[reply->size].keep) {
		free(reply);
		return;
	}
	reply->next = pool->free[reply->size];
	pool->free[reply->size] = reply;
	pool->free_nr[reply->size]++;
}

void gvm_reply_pool_free(struct gvm_reply_pool *pool)
{
	for (u32 size = 0; size < GVM_REPLY_SIZE_NR; size++) {
		while (pool->free[size])
			free(reply_take(pool, size));
	}
}

struct gvm_reply *gvm_out_data(struct gvm_out *o, u32 pages, u32 head_bytes)
{
	struct gvm_reply *reply;

	reply = reply_take(o->pool, pages <= GVM_REPLY_SMALL_PAGES &&
			   head_bytes <= GVM_REPLY_SMALL_HEAD ?
			   GVM_REPLY_SMALL : GVM_REPLY_LARGE);
	if (!reply)
		return NULL;
	reply->next = NULL;
	reply->head_bytes = head_bytes;
	reply->frames_nr = 0;
	reply->sent = 0;
	*o->last = reply;
	o->last = &reply->next;
	o->bytes += head_bytes;
	return reply;
}

void gvm_out_done(struct gvm_out *o, struct gvm_reply *reply)
{
	o->bytes += (u64)reply->frames_nr << GVM_PAGE_SHIFT;
}

void *gvm_out_small(struct gvm_out *o, u32 bytes)
{
	struct gvm_reply *reply = o->first ?
		(struct gvm_reply *)((u8 *)o->last -
				     offsetof(struct gvm_reply, next)) : NULL;

	if (!reply || reply->frames_nr ||
	    reply->head_bytes + bytes > reply->head_room) {
		reply = gvm_out_data(o, 0, bytes);
		return reply ? reply->head : NULL;
	}
	reply->head_bytes += bytes;
	o->bytes += bytes;
	return reply->head + reply->head_bytes - bytes;
}

static u32 reply_bytes(const struct gvm_reply *reply)
{
	return reply->head_bytes + (reply->frames_nr << GVM_PAGE_SHIFT);
}

/* State of a gathering. */
struct gather {
	struct iovec	*iov;
	int		nr;
	int		max;
	u64		room;
};

/* False: no more room. */
static bool add(struct gather *g, u8 *base, size_t len)
{
	struct iovec *last = g->nr ? &g->iov[g->nr - 1] : NULL;

	if (len > g->room)
		len = g->room;
	if (!len)
		return false;
	if (last && (u8 *)last->iov_base + last->iov_len == base) {
		last->iov_len += len;
	} else {
		if (g->nr == g->max)
			return false;
		g->iov[g->nr++] = (struct iovec){ base, len };
	}
	g->room -= len;
	return true;
}

static bool add_reply(struct gather *g, struct gvm_out *o,
		      struct gvm_reply *reply)
{
	u32 skip = reply->sent;
	u32 i = 0;

	if (skip < reply->head_bytes) {
		if (!add(g, reply->head + skip, reply->head_bytes - skip))
			return false;
		skip = 0;
	} else {
		skip -= reply->head_bytes;
		i = skip >> GVM_PAGE_SHIFT;
		skip %= GVM_PAGE_BYTES;
	}
	for (; i < reply->frames_nr; i++, skip = 0) {
		u8 *page = gvm_arena_frame(o->frames->arena, reply->frames[i]);

		if (!add(g, page + skip, GVM_PAGE_BYTES - skip))
			return false;
	}
	return true;
}

int gvm_out_gather(struct gvm_out *o, struct iovec *iov, int iov_max,
		   u64 bytes_max)
{
	struct gather g = { .iov = iov, .max = iov_max, .room = bytes_max };

	for (struct gvm_reply *r = o->first; r; r = r->next) {
		if (!add_reply(&g, o, r))
			break;
	}
	return g.nr;
}

/* Take the first reply out and let go of what it holds. */
static void drop_first(struct gvm_out *o)
{
	struct gvm_reply *reply = o->first;

	o->first = reply->next;
	if (!o->first)
		o->last = &o->first;
	gvm_frames_put(o->frames, GVM_FRAME_DATA, reply->frames_nr,
		       reply->frames);
	reply_return(o->pool, reply);
}

void gvm_out_sent(struct gvm_out *o, u64 bytes)
{
	o->bytes -= bytes;
	while (o->first) {
		u32 left = reply_bytes(o->first) - o->first->sent;

		if (bytes < left) {
			o->first->sent += (u32)bytes;
			return;
		}
		bytes -= left;
		drop_first(o);
	}
}

void gvm_out_drop(struct gvm_out *o)
{
	while (o->first)
		drop_first(o);
	o->bytes = 0;
}
