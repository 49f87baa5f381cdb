// SPDX-License-Identifier: GPL-2.0-or-later
/* What the server makes of each message; see session.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/crc32c.h"
#include "request.h"
#include "shared.h"

#define HEAD_BYTES	((u32)sizeof(struct gvm_msg))

void gvm_session_init(struct gvm_session *s, struct gvm_service *service,
		      void (*cut)(struct gvm_session *session),
		      bool (*send)(struct gvm_session *session,
				   const void *head, u32 bytes, u32 frame,
				   bool later))
{
	memset(s, 0, sizeof(*s));
	s->service = service;
	s->cut = cut;
	s->send = send;
	__atomic_add_fetch(&service->connections, 1, __ATOMIC_RELAXED);
}

void gvm_session_exit(struct gvm_session *s)
{
	gvm_lease_leave(&s->service->leases, s, false);
	gvm_member_part(s);
	__atomic_sub_fetch(&s->service->connections, 1, __ATOMIC_RELAXED);
}

static void count(u64 *counter, u64 n)
{
	__atomic_add_fetch(counter, n, __ATOMIC_RELAXED);
}

void *gvm_answer(struct gvm_out *out, u16 type, u32 payload_len, u32 region,
		 u32 epoch, u64 txn)
{
	u8 *at = gvm_out_small(out, HEAD_BYTES + payload_len);

	if (!at)
		return NULL;
	gvm_codec_put(at, type, 0, payload_len, region, epoch, txn);
	return at + HEAD_BYTES;
}

void gvm_session_error(struct gvm_out *out, u64 txn, u32 code, const char *text)
{
	struct gvm_error *e = gvm_answer(out, GVM_MSG_ERROR, sizeof(*e), 0, 0, txn);

	if (e)
		gvm_codec_put_error(e, code, text);
}

enum gvm_session_next gvm_fail(const struct gvm_request *q, u32 code,
			       const char *text)
{
	gvm_session_error(q->out, q->head->txn, code, text);
	switch (code) {
	case GVM_ERR_MALFORMED:
	case GVM_ERR_VERSION:
	case GVM_ERR_FENCED:
	case GVM_ERR_SHUTDOWN:
		return GVM_SESSION_CLOSE;
	default:
		return GVM_SESSION_GO;
	}
}

static enum gvm_session_next fail_store(const struct gvm_request *q, int err)
{
	switch (err) {
	case -ESTALE:
		return gvm_fail(q, GVM_ERR_FENCED, GVM_TEXT_FENCED);
	case -ENOSPC:
		return gvm_fail(q, GVM_ERR_FULL, "the server is full; give it more --memory (a file store: more disk), or add a server");
	case -ENOMEM:
		return gvm_fail(q, GVM_ERR_LIMIT, "the server is out of memory for its tables");
	default:
		return gvm_fail(q, GVM_ERR_IO, GVM_TEXT_IO);
	}
}

static u64 room(const struct gvm_request *q)
{
	return gvm_frames_room(&q->service->store.frames);
}

static enum gvm_session_next on_hello(const struct gvm_request *q)
{
	struct gvm_hello hello;
	struct gvm_hello *own;
	char text[GVM_ERROR_TEXT_MAX];

	memcpy(&hello, q->payload, sizeof(hello));
	if (gvm_le16(hello.version_min) > GVM_WIRE_VERSION ||
	    gvm_le16(hello.version_max) < GVM_WIRE_VERSION) {
		snprintf(text, sizeof(text), "this server speaks protocol version %u, you speak %u to %u; install the same release on both",
			 GVM_WIRE_VERSION, gvm_le16(hello.version_min),
			 gvm_le16(hello.version_max));
		return gvm_fail(q, GVM_ERR_VERSION, text);
	}
	own = gvm_answer(q->out, GVM_MSG_HELLO, sizeof(*own), 0, 0, q->head->txn);
	if (!own)
		return GVM_SESSION_CLOSE;
	*own = (struct gvm_hello){
		.magic = gvm_le64(GVM_HELLO_MAGIC),
		.version_min = gvm_le16(GVM_WIRE_VERSION),
		.version_max = gvm_le16(GVM_WIRE_VERSION),
	};
	q->s->state = GVM_SESSION_OPEN;
	return GVM_SESSION_GO;
}

static enum gvm_session_next on_attach(const struct gvm_request *q)
{
	struct gvm_session *s = q->s;
	struct gvm_attached *attached;
	struct gvm_attach attach;
	struct gvm_refusal refusal;

	memcpy(&attach, q->payload, sizeof(attach));
	if (!gvm_lease_attach(&q->service->leases, s, &attach, q->head->epoch,
			      &refusal))
		return gvm_fail(q, refusal.code, refusal.text);
	s->state = GVM_SESSION_ATTACHED;
	attached = gvm_answer(q->out, GVM_MSG_ATTACHED, sizeof(*attached),
			 s->region->slot + 1, s->epoch, q->head->txn);
	if (!attached)
		return GVM_SESSION_CLOSE;
	*attached = (struct gvm_attached){
		.lease_ms = gvm_le32(q->service->leases.lease_ms),
		.pages = gvm_le64(__atomic_load_n(&s->region->pages,
						  __ATOMIC_RELAXED)),
		.pages_free = gvm_le64(room(q)),
	};
	return GVM_SESSION_GO;
}

static enum gvm_session_next on_detach(const struct gvm_request *q)
{
	struct gvm_detach detach;

	memcpy(&detach, q->payload, sizeof(detach));
	gvm_lease_leave(&q->service->leases, q->s,
			gvm_le32(detach.flags) & GVM_DETACH_DROP);
	q->s->state = GVM_SESSION_OPEN;
	return gvm_go_if(gvm_answer(q->out, GVM_MSG_DETACHED, 0, q->head->region,
			   q->head->epoch, q->head->txn));
}

/* References to all pages of a READ, or -errno and none. */
static int read_runs(const struct gvm_request *q, struct gvm_ref *refs, u32 *ret_nr)
{
	struct gvm_store *store = &q->service->store;
	u32 runs = gvm_codec_runs(q->head);
	u32 nr = 0;
	int err = 0;

	for (u32 i = 0; i < runs && !err; i++) {
		u64 page;
		u32 n;

		gvm_codec_run(q->payload, i, &page, &n);
		err = gvm_store_read(store, q->s->region, q->s->epoch, page, n,
				     refs + nr);
		if (!err)
			nr += n;
	}
	for (u32 i = 0; err && i < nr; i++) {
		if (refs[i].frame)
			gvm_frames_put(&store->frames, GVM_FRAME_DATA, 1,
				       &refs[i].frame);
	}
	*ret_nr = nr;
	return err;
}

/* The frames change hands: from refs[] to the reply. */
static void fill_data(const struct gvm_request *q, struct gvm_reply *to,
		      const struct gvm_ref *refs, u32 nr)
{
	u8 *payload = to->head + HEAD_BYTES;

	for (u32 i = 0; i < nr; i++) {
		if (!refs[i].frame) {
			gvm_codec_put_data_desc(payload, i, GVM_TAG_ZERO, 0);
			continue;
		}
		gvm_codec_put_data_desc(payload, i, GVM_TAG_RAW, refs[i].crc);
		to->frames[to->frames_nr++] = refs[i].frame;
	}
	gvm_codec_put_batch(payload, nr, to->frames_nr << GVM_PAGE_SHIFT);
	gvm_codec_put(to->head, GVM_MSG_DATA, 0,
		      to->head_bytes - HEAD_BYTES +
		      (to->frames_nr << GVM_PAGE_SHIFT),
		      q->head->region, q->head->epoch, q->head->txn);
	gvm_out_done(q->out, to);
}

static enum gvm_session_next on_read(const struct gvm_request *q)
{
	struct gvm_ref refs[GVM_BATCH_PAGES_MAX];
	struct gvm_reply *to;
	u32 nr;
	int err;

	q->s->demand |= q->head->flags & GVM_MSG_URGENT;
	err = read_runs(q, refs, &nr);
	if (err)
		return fail_store(q, err);
	to = gvm_out_data(q->out, nr,
			  HEAD_BYTES + gvm_codec_data_head_bytes(nr));
	if (!to) {
		for (u32 i = 0; i < nr; i++) {
			if (refs[i].frame)
				gvm_frames_put(&q->service->store.frames,
					       GVM_FRAME_DATA, 1,
					       &refs[i].frame);
		}
		return GVM_SESSION_CLOSE;
	}
	fill_data(q, to, refs, nr);
	count(&q->service->pages_read, nr);
	return GVM_SESSION_GO;
}

/* False: the bytes are not those that the writer had. */
static bool take_puts(const void *payload, struct gvm_put *puts, u32 n)
{
	u32 off = 0;

	for (u32 i = 0; i < n; i++) {
		const void *body;
		u32 crc;

		gvm_codec_write_page(payload, i, &off, &puts[i].page, &crc,
				     &body);
		puts[i].crc = crc;
		puts[i].body = body;
		if (!body)
			continue;
		if (gvm_crc32c_page(body) != crc)
			return false;
		/* A zero page takes no memory, however it was sent. */
		if (gvm_page_is_zero(body))
			puts[i].body = NULL;
	}
	return true;
}

static enum gvm_session_next on_write(const struct gvm_request *q)
{
	struct gvm_put puts[GVM_BATCH_PAGES_MAX];
	u32 n = gvm_codec_pages(q->payload);
	struct gvm_written *written;
	int err;

	if (!take_puts(q->payload, puts, n))
		return gvm_fail(q, GVM_ERR_CORRUPT, "a page was damaged on its way to the server (CRC)");
	err = gvm_store_write(&q->service->store, q->s->region, q->s->epoch,
			      puts, n);
	if (err)
		return fail_store(q, err);
	count(&q->service->pages_written, n);
	written = gvm_answer(q->out, GVM_MSG_WRITTEN, sizeof(*written),
			q->head->region, q->head->epoch, q->head->txn);
	if (written)
		written->pages_free = gvm_le64(room(q));
	return gvm_go_if(written);
}

static enum gvm_session_next on_trim(const struct gvm_request *q)
{
	u32 runs = gvm_codec_runs(q->head);
	struct gvm_written *trimmed;

	for (u32 i = 0; i < runs; i++) {
		u64 page;
		u32 n;
		int err;

		gvm_codec_run(q->payload, i, &page, &n);
		err = gvm_store_trim(&q->service->store, q->s->region,
				     q->s->epoch, page, n);
		if (err)
			return fail_store(q, err);
	}
	trimmed = gvm_answer(q->out, GVM_MSG_TRIMMED, sizeof(*trimmed),
			q->head->region, q->head->epoch, q->head->txn);
	if (trimmed)
		trimmed->pages_free = gvm_le64(room(q));
	return gvm_go_if(trimmed);
}

static enum gvm_session_next on_clone(const struct gvm_request *q)
{
	struct gvm_refusal refusal;
	struct gvm_clone clone;

	memcpy(&clone, q->payload, sizeof(clone));
	if (!gvm_lease_clone(&q->service->leases, q->s, &clone, &refusal))
		return gvm_fail(q, refusal.code, refusal.text);
	return gvm_go_if(gvm_answer(q->out, GVM_MSG_CLONED, 0, q->head->region,
			   q->head->epoch, q->head->txn));
}

static enum gvm_session_next on_flush(const struct gvm_request *q)
{
	/* Memory is as safe as it will get. */
	if (q->service->store.arena.fd >= 0)
		return GVM_SESSION_FLUSH;
	gvm_session_flushed(q->head->txn, 0, q->out);
	return GVM_SESSION_GO;
}

void gvm_session_flushed(u64 txn, int err, struct gvm_out *out)
{
	if (err)
		gvm_session_error(out, txn, GVM_ERR_IO, GVM_TEXT_IO);
	else
		gvm_answer(out, GVM_MSG_FLUSHED, 0, 0, 0, txn);
}

static enum gvm_session_next on_ping(const struct gvm_request *q)
{
	gvm_member_heard(q->s);
	return gvm_go_if(gvm_answer(q->out, GVM_MSG_PONG, 0, q->head->region,
			   q->head->epoch, q->head->txn));
}

static enum gvm_session_next on_stat(const struct gvm_request *q)
{
	struct gvm_service *v = q->service;
	struct gvm_frames *frames = &v->store.frames;
	struct gvm_server_stats *stats;

	stats = gvm_answer(q->out, GVM_MSG_STATS, sizeof(*stats), 0, 0,
		      q->head->txn);
	if (!stats)
		return GVM_SESSION_CLOSE;
	*stats = (struct gvm_server_stats){
		.pages_max = gvm_le64(v->store.arena.pages_max),
		.pages_used = gvm_le64(gvm_frames_used(frames, GVM_FRAME_DATA)),
		.overhead_bytes = gvm_le64(gvm_store_overhead_bytes(&v->store)),
		.regions = gvm_le64(gvm_leases_count(&v->leases) +
				    gvm_shareds_count(&v->shareds)),
		.connections = gvm_le64(__atomic_load_n(&v->connections,
							__ATOMIC_RELAXED)),
		.pages_read = gvm_le64(__atomic_load_n(&v->pages_read,
						       __ATOMIC_RELAXED)),
		.pages_written = gvm_le64(__atomic_load_n(&v->pages_written,
							  __ATOMIC_RELAXED)),
		.requests = gvm_le64(__atomic_load_n(&v->requests,
						     __ATOMIC_RELAXED)),
	};
	return GVM_SESSION_GO;
}

/*
 * Who may say what, when.  A hole is a message that a server never gets: a
 * client that sends it is broken, or is not a client.
 */
struct rule {
	enum gvm_session_next (*handle)(const struct gvm_request *q);
	u8	from;		/* states in which it is legal, from .. to */
	u8	to;
};

static const struct rule rules[GVM_MSG_TYPE_NR] = {
	[GVM_MSG_HELLO]	 = { on_hello, GVM_SESSION_NEW, GVM_SESSION_NEW },
	[GVM_MSG_ATTACH] = { on_attach, GVM_SESSION_OPEN, GVM_SESSION_OPEN },
	[GVM_MSG_DETACH] = { on_detach, GVM_SESSION_ATTACHED,
			     GVM_SESSION_ATTACHED },
	[GVM_MSG_READ]	 = { on_read, GVM_SESSION_ATTACHED,
			     GVM_SESSION_ATTACHED },
	[GVM_MSG_WRITE]	 = { on_write, GVM_SESSION_ATTACHED,
			     GVM_SESSION_ATTACHED },
	[GVM_MSG_TRIM]	 = { on_trim, GVM_SESSION_ATTACHED,
			     GVM_SESSION_ATTACHED },
	[GVM_MSG_FLUSH]	 = { on_flush, GVM_SESSION_ATTACHED,
			     GVM_SESSION_ATTACHED },
	[GVM_MSG_CLONE]	 = { on_clone, GVM_SESSION_ATTACHED,
			     GVM_SESSION_ATTACHED },
	[GVM_MSG_PING]	 = { on_ping, GVM_SESSION_OPEN, GVM_SESSION_MEMBER },
	[GVM_MSG_STAT]	 = { on_stat, GVM_SESSION_OPEN, GVM_SESSION_MEMBER },
#define CO(type) \
	[GVM_CO_##type]	 = { gvm_on_coherence, GVM_SESSION_MEMBER, \
			     GVM_SESSION_MEMBER }
	CO(GET_SHARED),
	CO(GET_EXCLUSIVE),
	CO(DONE),
	CO(DECLINE),
	CO(INVALIDATED),
	CO(RETURN),
	CO(PUT),
#undef CO
	[GVM_MSG_JOIN]	 = { gvm_on_join, GVM_SESSION_OPEN, GVM_SESSION_OPEN },
	[GVM_MSG_LEAVE]	 = { gvm_on_leave, GVM_SESSION_MEMBER,
			     GVM_SESSION_MEMBER },
	[GVM_MSG_PEER]	 = { gvm_on_peer, GVM_SESSION_MEMBER,
			     GVM_SESSION_MEMBER },
	[GVM_MSG_REGION_MAKE]	= { gvm_on_region_make, GVM_SESSION_OPEN,
				    GVM_SESSION_MEMBER },
	[GVM_MSG_REGION_LIST]	= { gvm_on_region_list, GVM_SESSION_OPEN,
				    GVM_SESSION_MEMBER },
	[GVM_MSG_REGION_REMOVE]	= { gvm_on_region_remove, GVM_SESSION_OPEN,
				    GVM_SESSION_MEMBER },
	[GVM_MSG_REGION_STATUS]	= { gvm_on_region_status, GVM_SESSION_OPEN,
				    GVM_SESSION_MEMBER },
};

/* Messages that name a region must name this session's; its handle. */
static bool names_region(const struct rule *rule)
{
	return rule->from >= GVM_SESSION_ATTACHED;
}

static u32 handle_of(const struct gvm_session *s)
{
	return s->shared ? gvm_shared_handle(s->shared) : s->region->slot + 1;
}

enum gvm_session_next gvm_session_message(struct gvm_session *s,
					  const struct gvm_head *head,
					  const void *payload,
					  struct gvm_out *out)
{
	struct gvm_request q = { s, s->service, head, payload, out };
	const struct rule *rule = &rules[head->type];

	count(&s->service->requests, 1);
	if (__atomic_load_n(&s->fenced, __ATOMIC_ACQUIRE))
		return gvm_fail(&q, GVM_ERR_FENCED, GVM_TEXT_FENCED);
	if (!rule->handle)
		return gvm_fail(&q, GVM_ERR_MALFORMED, "a message that is not for servers");
	if ((u8)s->state < rule->from || (u8)s->state > rule->to)
		return gvm_fail(&q, GVM_ERR_MALFORMED, s->state == GVM_SESSION_NEW ?
			    "the first message must be HELLO" :
			    "a message out of place (HELLO, ATTACH or JOIN, requests, DETACH or LEAVE)");
	if (names_region(rule) && head->region != handle_of(s))
		return gvm_fail(&q, GVM_ERR_MALFORMED, "not the region of this connection");
	if (names_region(rule) && head->epoch != s->epoch)
		return gvm_fail(&q, GVM_ERR_FENCED, GVM_TEXT_FENCED);
	return rule->handle(&q);
}
