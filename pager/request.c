// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests that are out, from the first attempt to the answer.
 *
 * A request lives until its answer, over lost connections: it stays in the
 * list of its server and is sent again in the next session.  That is safe
 * because the server has cut the old session before it opens a new one, and
 * because every request may be carried out twice.
 */
#define _GNU_SOURCE
#include "crc32c.h"
#include "engine.h"
#include "mem.h"

int gvm_requests_init(struct gvm_shard *s)
{
	s->requests = gvm_mem_map(GVM_REQUESTS_MAX * sizeof(*s->requests));
	if (!s->requests)
		return -ENOMEM;
	s->request_free = GVM_REQUEST_NONE;
	s->requests_fresh = 0;
	s->requests_used = 0;
	s->urgent = 0;
	return 0;
}

u32 gvm_request_index(const struct gvm_shard *s, const struct gvm_request *r)
{
	return (u32)(r - s->requests);
}

bool gvm_request_none(const struct gvm_shard *s)
{
	return s->request_free == GVM_REQUEST_NONE &&
	       s->requests_fresh == GVM_REQUESTS_MAX;
}

/* One that was used before, or one whose memory was never touched. */
static struct gvm_request *take(struct gvm_shard *s)
{
	struct gvm_request *r = NULL;

	if (s->request_free != GVM_REQUEST_NONE) {
		r = &s->requests[s->request_free];
		s->request_free = r->next;
	} else if (s->requests_fresh < GVM_REQUESTS_MAX) {
		r = &s->requests[s->requests_fresh++];
	}
	return r;
}

struct gvm_request *gvm_request_get(struct gvm_shard *s, u16 type, u16 server,
				    u8 lane)
{
	struct gvm_link *link = &s->links[server];
	struct gvm_request *r = take(s);
	u32 at;

	if (!r)
		return NULL;
	at = gvm_request_index(s, r);
	s->requests_used++;
	if (!lane) {
		s->urgent++;
		s->urgent_server = server;
	}
	/* The index in the low bits finds it; the counter makes it unique. */
	s->txn += GVM_REQUESTS_MAX;
	r->txn = s->txn | at;
	r->sent_ns = 0;
	r->fault_ns = 0;
	r->type = type;
	r->server = server;
	r->pages = 0;
	r->lane = lane;
	r->queued = 1;
	r->next = GVM_REQUEST_NONE;
	r->prev = link->last;
	if (link->last == GVM_REQUEST_NONE)
		link->first = at;
	else
		s->requests[link->last].next = at;
	link->last = at;
	if (!link->requests++)
		link->waiting_ns = s->now_ns;
	return r;
}

struct gvm_request *gvm_request_find(struct gvm_shard *s, u64 txn)
{
	struct gvm_request *r = &s->requests[txn % GVM_REQUESTS_MAX];

	return txn && r->txn == txn ? r : NULL;
}

void gvm_request_put(struct gvm_shard *s, struct gvm_request *r)
{
	struct gvm_link *link = &s->links[r->server];
	u32 at = gvm_request_index(s, r);

	if (r->prev == GVM_REQUEST_NONE)
		link->first = r->next;
	else
		s->requests[r->prev].next = r->next;
	if (r->next == GVM_REQUEST_NONE)
		link->last = r->prev;
	else
		s->requests[r->next].prev = r->prev;
	link->requests--;
	/* Its clock starts anew with every sign of life. */
	link->waiting_ns = link->requests ? s->now_ns : 0;
	r->txn = 0;
	r->next = s->request_free;
	s->request_free = at;
	s->requests_used--;
	if (!r->lane) {
		s->urgent--;
		s->awake_ns = s->now_ns + GVM_AWAKE_NS;
	}
}

static u32 put_runs(struct gvm_shard *s, struct gvm_request *r)
{
	u8 *payload = s->head + sizeof(struct gvm_msg);
	u32 runs = 0, count = 0;
	u64 start = 0;

	for (u32 i = 0; i < r->pages; i++) {
		const struct gvm_request_page *p = &r->page[i];
		u64 page = p->va >> GVM_PAGE_SHIFT;

		/* READs of neighbours become one run; cancelled ones go too. */
		if (count && page == start + count && r->type == GVM_MSG_READ) {
			count++;
			continue;
		}
		if (count)
			gvm_codec_put_run(payload, runs++, start, count);
		start = page;
		count = p->count;
	}
	gvm_codec_put_run(payload, runs++, start, count);
	return runs;
}

/* Header and page list of a WRITE; the bodies are gathered from staging. */
static u32 put_pages(struct gvm_shard *s, struct gvm_request *r, int *iov_nr)
{
	struct gvm_staging *st = &s->staging;
	u8 *payload = s->head + sizeof(struct gvm_msg);
	u32 n = 0;

	for (u32 i = 0; i < r->pages; i++) {
		struct gvm_request_page *p = &r->page[i];
		struct gvm_chunk *chunk;

		if (!p->live)
			continue;
		chunk = gvm_table_find(&s->table, p->va);
		gvm_codec_put_write_desc(payload, n++,
					 p->va >> GVM_PAGE_SHIFT, GVM_TAG_RAW,
					 p->crc);
		s->iov[(*iov_nr)++] = (struct iovec){
			gvm_slot_memory(st, chunk->word[gvm_page_idx(p->va)]),
			GVM_PAGE_BYTES,
		};
	}
	gvm_codec_put_batch(payload, n, n * GVM_PAGE_BYTES);
	return n;
}

/* -ENOBUFS: not now.  Other errors: the connection is dead. */
static int put_on_wire(struct gvm_shard *s, struct gvm_request *r)
{
	struct gvm_link *link = &s->links[r->server];
	struct gvm_lane *lane = &link->lane[r->lane];
	u32 head_len = 0, body_len = 0, pages;
	u16 flags = 0;
	int iov_nr = 1;

	switch (r->type) {
	case GVM_MSG_READ:
		flags = r->fault_ns ? GVM_MSG_URGENT : 0;
		/* fallthrough */
	case GVM_MSG_TRIM:
		head_len = put_runs(s, r) * (u32)sizeof(struct gvm_run);
		break;
	case GVM_MSG_WRITE:
		pages = put_pages(s, r, &iov_nr);
		head_len = gvm_codec_write_head_bytes(pages);
		body_len = pages * GVM_PAGE_BYTES;
		break;
	case GVM_MSG_CLONE:
		head_len = sizeof(struct gvm_clone);
		memcpy(s->head + sizeof(struct gvm_msg), &s->clone, head_len);
		break;
	}
	gvm_codec_put(s->head, r->type, flags, head_len + body_len,
		      link->handle, link->epoch, r->txn);
	s->iov[0] = (struct iovec){ s->head, sizeof(struct gvm_msg) + head_len };
	return gvm_conn_send(&lane->conn, s->iov, iov_nr);
}

void gvm_request_send(struct gvm_shard *s, struct gvm_request *r)
{
	struct gvm_link *link = &s->links[r->server];
	struct gvm_lane *lane = &link->lane[r->lane];
	int err;

	if (!gvm_link_up(s, r->server))
		return;
	err = put_on_wire(s, r);
	if (err == -ENOBUFS) {
		gvm_lane_want_out(s, r->server, r->lane, true);
		return;
	}
	if (err) {
		gvm_link_lost(s, r->server, lane->conn.why);
		return;
	}
	r->queued = 0;
	r->sent_ns = s->now_ns;
	if (lane->conn.tx_blocked)
		gvm_lane_want_out(s, r->server, r->lane, true);
}

/*
 * A WRITE whose pages were all stolen back has nothing to send again.  Whether
 * the old session carried it out is unknown; its pages count as stored, which
 * at worst trims a page that home does not have.
 */
static bool is_moot(const struct gvm_request *r)
{
	if (r->type != GVM_MSG_WRITE && r->type != GVM_MSG_READ)
		return false;
	for (u32 i = 0; i < r->pages; i++)
		if (r->page[i].live)
			return false;
	return true;
}

/* Queued ones of this server, oldest first: a session began, or tx drained. */
void gvm_request_resend_all(struct gvm_shard *s, u16 server)
{
	u32 at = s->links[server].first;

	while (at != GVM_REQUEST_NONE && gvm_link_up(s, server)) {
		struct gvm_request *r = &s->requests[at];

		at = r->next;
		if (!r->queued)
			continue;
		if (is_moot(r)) {
			if (r->type == GVM_MSG_WRITE)
				gvm_staging_written(s, r);
			else
				gvm_request_put(s, r);
			continue;
		}
		gvm_request_send(s, r);
		if (r->queued)
			return;		/* no room: EPOLLOUT goes on */
	}
}

static void refused(struct gvm_shard *s, struct gvm_request *r,
		    const struct gvm_error *e)
{
	const struct gvm_server_addr *a = &s->gvm->servers[r->server];

	if (gvm_le32(e->code) == GVM_ERR_FULL && r->type == GVM_MSG_WRITE) {
		gvm_staging_refused(s, r);
		return;
	}
	if (r->type == GVM_MSG_CLONE) {
		/* The child will not inherit; fork.c tells why. */
		s->gvm->fork_failed = 1;
		gvm_request_put(s, r);
		return;
	}
	gvm_fatal(s->gvm, "server %s refused to serve %s: %s; stopping, because its pages cannot be reached",
		  a->text, s->gvm->name, e->text);
}

void gvm_request_answered(struct gvm_shard *s, u16 server,
			  const struct gvm_head *head, const void *payload)
{
	static const u16 wanted[GVM_MSG_TYPE_NR] = {
		[GVM_MSG_DATA]		= GVM_MSG_READ,
		[GVM_MSG_WRITTEN]	= GVM_MSG_WRITE,
		[GVM_MSG_TRIMMED]	= GVM_MSG_TRIM,
		[GVM_MSG_CLONED]	= GVM_MSG_CLONE,
		[GVM_MSG_PONG]		= GVM_MSG_PING,
	};
	struct gvm_request *r = gvm_request_find(s, head->txn);
	struct gvm_link *link = &s->links[server];
	const struct gvm_written *w = payload;

	link->alive_ns = s->now_ns;
	/* An answer that came twice finds its request gone: nothing to do. */
	if (!r || r->server != server || r->queued)
		return;
	if (head->type == GVM_MSG_ERROR) {
		refused(s, r, payload);
		return;
	}
	if (wanted[head->type] != r->type) {
		gvm_link_lost(s, server, "answered with the wrong message type");
		return;
	}
	switch (r->type) {
	case GVM_MSG_READ:
		gvm_apply_data(s, r, payload);
		return;			/* puts the request itself */
	case GVM_MSG_WRITE:
		gvm_place_told(s, server, gvm_le64(w->pages_free));
		gvm_staging_written(s, r);
		return;			/* likewise */
	case GVM_MSG_TRIM:
		gvm_place_told(s, server, gvm_le64(w->pages_free));
		for (u32 i = 0; i < r->pages; i++)
			gvm_page_trimmed(s, r->page[i].va, r->page[i].count);
		break;
	}
	gvm_request_put(s, r);
}
