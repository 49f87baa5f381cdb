// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The driver of a directory: messages of nodes in, effects out.  All with the
 * region's lock held, so that the order of what is stored and what is sent is
 * the order that core/home.c decided.
 *
 * Bytes that are sent are references to the store's frames, which are never
 * overwritten in place: a STORE that comes later does not reach them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/crc32c.h"
#include "region.h"
#include "request.h"
#include "shared.h"

/* What a call of the directory has in hand. */
struct drive {
	struct gvm_shared *r;
	const void	*body;		/* of the message; NULL: none */
	u32		crc;
	bool		settles;	/* what others gave: no PUT */
};

static void count(u64 *counter, u64 n)
{
	__atomic_add_fetch(counter, n, __ATOMIC_RELAXED);
}

static void fail_region(struct gvm_shared *r, const char *what, u64 page)
{
	char line[320];

	if (r->broken)
		return;
	r->broken = true;
	snprintf(line, sizeof(line), "giantvm: shared region '%s' is stopped: page 0x%llx %s; its nodes are cut off, remove the region",
		 r->name, (unsigned long long)page, what);
	if (r->service->note)
		r->service->note(r->service, line);
	gvm_members_drop(r);
}

static void store(const struct drive *d, const struct gvm_co_effect *e)
{
	struct gvm_service *v = d->r->service;
	struct gvm_put put = { .page = e->page, .body = d->body,
			       .crc = d->crc };

	/*
	 * Zeros: the directory knows that the page is zero and does not ask for
	 * it.  What lies in its frame keeps the room for what comes next.
	 */
	if (e->bytes == GVM_BYTES_ZERO)
		return;
	if (gvm_bug_on(!d->body))
		return;
	count(&v->pages_written, 1);
	if (gvm_store_write(&v->store, d->r->region, 1, &put, 1))
		fail_region(d->r, "cannot be stored", e->page);
}

void gvm_member_send(struct gvm_shared *r, u16 node, const void *head,
		     u32 bytes, u32 frame, bool later)
{
	struct gvm_seat *seat = r->seats[node];

	if (seat && seat->session) {
		r->messages_out++;
		if (!seat->session->send(seat->session, head, bytes, frame,
					 later))
			count(&r->dropped, 1);
		return;
	}
	count(&r->dropped, 1);
	if (frame)
		gvm_frames_put(&r->service->store.frames, GVM_FRAME_DATA, 1,
			       &frame);
}

static void send(const struct drive *d, const struct gvm_co_effect *e)
{
	struct gvm_shared *r = d->r;
	struct gvm_service *v = r->service;
	struct gvm_ref ref = { 0, 0 };
	u8 head[GVM_CO_HEAD_BYTES_MAX];
	struct gvm_co_msg msg = e->msg;
	u32 bytes;

	msg.page = gvm_slices_page(&r->slices, r->server, msg.page);
	if (msg.flags & GVM_CO_BYTES) {
		count(&v->pages_read, 1);
		if (gvm_store_read(&v->store, r->region, 1, e->page, 1, &ref) ||
		    !ref.frame) {
			fail_region(r, "is not where it was stored", msg.page);
			return;
		}
	}
	bytes = gvm_codec_put_co(head, r->handle, &msg, ref.crc);
	/* It frees a buffer of somebody who waits for nothing. */
	gvm_member_send(r, msg.to, head, bytes, ref.frame,
			d->settles && msg.type == GVM_CO_CONFIRM);
}

static void carry_out(const struct drive *d)
{
	struct gvm_co_out *out = &d->r->out;

	for (u32 i = 0; i < out->nr && !d->r->broken; i++) {
		const struct gvm_co_effect *e = &out->effect[i];

		switch (e->what) {
		case GVM_DO_STORE:
			store(d, e);
			break;
		case GVM_DO_SEND:
			send(d, e);
			break;
		case GVM_DO_LOST:
			break;		/* the status lists it */
		default:
			if (gvm_bug_on(e->what < GVM_DO_NR))
				return;
		}
	}
	out->nr = 0;
}

bool gvm_home_run(struct gvm_shared *r, u64 now, u32 nr)
{
	struct drive d = { .r = r };

	while (!r->broken && gvm_home_deadline(r->home) <= now) {
		if (!nr--)
			return true;
		gvm_home_tick(r->home, now, &r->out);
		carry_out(&d);
	}
	return false;
}

/*
 * A page that a node may write from now on must have room here when it comes
 * back, or when it comes, if it was claimed.  Its frame is filled with zeros, which nobody reads.
 */
static int make_room(struct gvm_shared *r, u64 page)
{
	static const u8 zeros[GVM_PAGE_BYTES];
	struct gvm_put put = { .page = page, .body = zeros };
	struct gvm_store *store = &r->service->store;

	if (gvm_store_has(store, r->region, page))
		return 0;
	return gvm_store_write(store, r->region, 1, &put, 1);
}

/* Zeros came home and nobody is about to write: the frame can go. */
static void give_room_back(struct gvm_shared *r, u64 page)
{
	struct gvm_home_page p;

	if (!gvm_home_page(r->home, page, &p) && p.zero && !p.busy &&
	    p.owner == GVM_NODE_NONE)
		gvm_store_trim(&r->service->store, r->region, 1, page, 1);
}

/* Called with r->lock held.  0, or what to refuse with. */
static int drive(const struct drive *d, const struct gvm_co_msg *msg)
{
	struct gvm_shared *r = d->r;
	u64 now = gvm_region_now_ns();
	int err;

	/* Of a claimed page nobody has heard before it comes home. */
	if (msg->type == GVM_CO_GET_EXCLUSIVE || d->body) {
		err = make_room(r, msg->page);
		if (err)
			return err;
	}
	r->messages_in++;
	err = gvm_home_recv(r->home, msg, now, &r->out);
	if (err)
		return err;
	carry_out(d);
	if (gvm_home_run(r, now, 1))
		gvm_shareds_wake(&r->service->shareds);
	if (msg->flags & GVM_CO_ZERO && !r->broken)
		give_room_back(r, msg->page);
	return r->broken ? -EIO : 0;
}

static enum gvm_session_next refuse(const struct gvm_request *q, int err)
{
	switch (err) {
	case -ESTALE:
		return gvm_fail(q, GVM_ERR_FENCED, GVM_TEXT_FENCED);
	case -ENOSPC:
		return gvm_fail(q, GVM_ERR_FULL, "the server is full: there is no room for a page that is about to be written; give it more --memory, or make room");
	case -ENOMEM:
		return gvm_fail(q, GVM_ERR_LIMIT, "the server is out of memory for its tables");
	case -EPROTO:
		return gvm_fail(q, GVM_ERR_MALFORMED, "a message that no node sends");
	default:
		gvm_fail(q, GVM_ERR_IO, GVM_TEXT_IO);
		return GVM_SESSION_CLOSE;
	}
}

/* The message is of this node, and about a page that is kept here. */
static const char *misplaced(const struct gvm_request *q,
			     const struct gvm_co_msg *msg)
{
	const struct gvm_shared *r = q->s->shared;

	if (msg->from != q->s->node)
		return "a message in another node's name";
	if (msg->page >= r->slices.pages)
		return "a page beyond the end of the region";
	if (gvm_slices_server(&r->slices, msg->page) != r->server)
		return "a page whose home is another server";
	return NULL;
}

enum gvm_session_next gvm_on_coherence(const struct gvm_request *q)
{
	struct drive d = { .r = q->s->shared };
	struct gvm_sharers none;
	struct gvm_co_msg msg;
	const char *why;
	int err = -ESTALE;

	d.body = gvm_codec_co(q->head, q->payload, &none, &msg, &d.crc);
	why = misplaced(q, &msg);
	if (why)
		return gvm_fail(q, GVM_ERR_MALFORMED, why);
	if (d.body && gvm_crc32c_page(d.body) != d.crc)
		return gvm_fail(q, GVM_ERR_CORRUPT, "a page was damaged on its way to the server (CRC)");
	msg.page = gvm_slices_dense(&d.r->slices, msg.page);
	d.settles = msg.type == GVM_CO_DONE || msg.type == GVM_CO_RETURN;
	pthread_mutex_lock(&d.r->lock);
	if (q->s->seat) {
		__atomic_store_n(&q->s->seat->heard_ns, gvm_region_now_ns(),
				 __ATOMIC_RELAXED);
		err = drive(&d, &msg);
	}
	pthread_mutex_unlock(&d.r->lock);
	return err ? refuse(q, err) : GVM_SESSION_GO;
}
