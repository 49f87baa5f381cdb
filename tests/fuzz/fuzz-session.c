// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The server's sessions, leases and store against a model of a few lines.
 *
 * Every four bytes of the input are one step of one of four clients: a request
 * (right or wrong), a lost connection, or raw bytes that the codec lets pass.
 * The model knows which answer is due and what every page holds.  At the end
 * of an input all regions are dropped, and nothing may be left in the store.
 */
#include <string.h>

#include "crc32c.h"
#include "fuzz.h"
#include "server/session.h"

#define SESSIONS	4u
#define REGIONS		5u
#define PAGES		64u
#define STEPS_MAX	400u

/* Page p of a region lies at the edge between two leaves. */
#define FIRST		(512u - PAGES / 2)

struct model {
	bool	exists;
	u8	token;
	u32	epoch;
	u8	pages[PAGES];		/* version; 0: zero */
};

struct peer {
	struct gvm_session	s;
	struct gvm_out		out;
	struct model		*region;	/* NULL: not attached */
	bool			open;		/* HELLO was said */
	bool			fenced;
};

static struct gvm_service service;
static struct gvm_reply_pool pool;
static struct model models[REGIONS];
static struct peer peers[SESSIONS];
static u8 answer[sizeof(struct gvm_msg) + GVM_PAYLOAD_BYTES_MAX];
static struct gvm_head head;

static void no_cut(struct gvm_session *s)
{
	(void)s;
}

static bool send_to(struct gvm_session *s, const void *bytes, u32 len,
		    u32 frame, bool later)
{
	struct peer *p = (struct peer *)((u8 *)s - offsetof(struct peer, s));
	struct gvm_reply *reply = gvm_out_data(&p->out, !!frame, len);

	(void)later;
	MUST(reply);
	memcpy(reply->head, bytes, len);
	if (frame)
		reply->frames[reply->frames_nr++] = frame;
	gvm_out_done(&p->out, reply);
	return true;
}

static void no_wake(void *arg)
{
	(void)arg;
}

static void start_once(void)
{
	char why[256];
	bool fresh;

	if (service.store.arena.map)
		return;
	MUST(!gvm_store_open(&service.store, NULL, GVM_STORE_PAGES_MIN, &fresh,
			     why, sizeof(why)));
	service.leases.wake = no_wake;
	gvm_shareds_init(&service.shareds, &service, 5000);
	MUST(!gvm_leases_init(&service.leases, &service.store, fresh, NULL,
			      1000000, why, sizeof(why)));
}

static void connect_peer(struct peer *p)
{
	memset(p, 0, sizeof(*p));
	gvm_session_init(&p->s, &service, no_cut, send_to);
	gvm_out_init(&p->out, &pool, &service.store.frames);
}

static void lose_peer(struct peer *p)
{
	gvm_session_exit(&p->s);
	gvm_out_drop(&p->out);
}

/* All that was answered, as the socket would see it; its length. */
static u32 drain(struct peer *p)
{
	struct iovec iov[64];
	u32 len = 0;

	while (p->out.bytes) {
		int n = gvm_out_gather(&p->out, iov, 64, 100000);
		u64 sent = 0;

		MUST(n > 0);
		for (int i = 0; i < n; i++) {
			MUST(len + iov[i].iov_len <= sizeof(answer));
			memcpy(answer + len, iov[i].iov_base, iov[i].iov_len);
			len += (u32)iov[i].iov_len;
			sent += iov[i].iov_len;
		}
		gvm_out_sent(&p->out, sent);
	}
	MUST(!p->out.first);
	return len;
}

/* One request, one answer; its type, or an error code above 1000. */
static u32 ask(struct peer *p, u16 type, u32 epoch, const void *payload,
	       u32 len)
{
	struct gvm_head q = {
		.type = type, .payload_len = len, .epoch = epoch, .txn = 7,
		.region = p->s.region ? p->s.region->slot + 1 : 0,
	};
	enum gvm_session_next next;
	const struct gvm_error *e;

	MUST(!gvm_codec_check(&q, payload, NULL));
	next = gvm_session_message(&p->s, &q, payload, &p->out);
	if (next == GVM_SESSION_FLUSH)
		gvm_session_flushed(7, 0, &p->out);
	MUST(drain(p) >= sizeof(struct gvm_msg));
	MUST(!gvm_codec_header(answer, &head, NULL));
	MUST(!gvm_codec_check(&head, answer + sizeof(struct gvm_msg), NULL));
	if (next == GVM_SESSION_CLOSE) {
		lose_peer(p);
		connect_peer(p);
	}
	if (head.type != GVM_MSG_ERROR)
		return head.type;
	e = (const void *)(answer + sizeof(struct gvm_msg));
	return 1000 + gvm_le32(e->code);
}

static void name(u8 id[16], u8 token[16], u32 region, u8 secret)
{
	memset(id, 0xee, 16);
	memset(token, 0xdd, 16);
	id[3] = (u8)region;
	token[9] = secret;
}

static void fence(struct model *m)
{
	for (u32 i = 0; i < SESSIONS; i++) {
		if (peers[i].region == m)
			peers[i].fenced = true;
	}
}

static void step_hello(struct peer *p)
{
	struct gvm_hello hello = {
		.magic = GVM_HELLO_MAGIC, .version_min = GVM_WIRE_VERSION,
		.version_max = GVM_WIRE_VERSION,
	};
	bool due = !p->open;
	u32 got = ask(p, GVM_MSG_HELLO, 0, &hello, sizeof(hello));

	if (due)
		MUST(got == GVM_MSG_HELLO);
	else
		MUST(got == 1000 + GVM_ERR_MALFORMED ||
		     got == 1000 + GVM_ERR_FENCED);
	p->open = due;
}

/* What the model says an ATTACH gets, before it is carried out. */
static u32 attach_due(const struct peer *p, const struct model *m, u8 secret,
		      u32 flags, u32 epoch)
{
	if (p->fenced)
		return 1000 + GVM_ERR_FENCED;
	if (!p->open || p->region)
		return 1000 + GVM_ERR_MALFORMED;
	if (!m->exists)
		return flags & GVM_ATTACH_CREATE && !(flags & GVM_ATTACH_JOIN) ?
			GVM_MSG_ATTACHED : 1000 + GVM_ERR_NO_REGION;
	if (flags & GVM_ATTACH_JOIN)
		return m->token == secret && m->epoch == epoch ?
			GVM_MSG_ATTACHED : 1000 + GVM_ERR_FENCED;
	return m->token == secret || flags & GVM_ATTACH_TAKEOVER ?
		GVM_MSG_ATTACHED : 1000 + GVM_ERR_HELD;
}

static void step_attach(struct peer *p, u8 a, u8 b)
{
	struct model *m = &models[a % REGIONS];
	struct gvm_attach attach = { .flags = b % 8, .name = "fuzz" };
	u8 secret = b / 8 % 2;
	u32 epoch = m->epoch - (b >= 0xf0);
	u32 due = attach_due(p, m, secret, b % 8, epoch);

	name(attach.region, attach.token, a % REGIONS, secret);
	MUST(ask(p, GVM_MSG_ATTACH, epoch, &attach, sizeof(attach)) == due);
	if (due != GVM_MSG_ATTACHED)
		return;
	if (!m->exists) {
		memset(m, 0, sizeof(*m));
		m->exists = true;
		m->token = secret;
		m->epoch = 1;
	} else if (!(b % 8 & GVM_ATTACH_JOIN)) {
		fence(m);
		m->token = secret;
		m->epoch++;
	}
	MUST(head.epoch == m->epoch);
	p->region = m;
	p->open = true;
}

/* For requests on a region: the error that is due, or 0. */
static u32 trouble(const struct peer *p, bool wrong_epoch)
{
	if (p->fenced)
		return 1000 + GVM_ERR_FENCED;
	if (!p->region)
		return 1000 + GVM_ERR_MALFORMED;
	return wrong_epoch ? 1000 + GVM_ERR_FENCED : 0;
}

static void page_bytes(u8 *to, const struct model *m, u32 page, u8 version)
{
	memset(to, version, GVM_PAGE_BYTES);
	to[0] = (u8)(m - models);
	to[1] = (u8)page;
	to[4095] = 1;
}

static void step_write(struct peer *p, u8 a, u8 b, bool wrong_epoch)
{
	static u8 payload[8 + 8 * (16 + GVM_PAGE_BYTES)]
		__attribute__((aligned(8)));
	u32 n = 1 + b % 8, len = gvm_codec_write_head_bytes(n);
	u32 due = trouble(p, wrong_epoch), got;
	struct model *m = p->region;

	for (u32 i = 0; i < n; i++) {
		/* Neighbours, or all over the place, with repetitions. */
		u32 page = b & 8 ? (a + i * b) % PAGES : (a + i) % PAGES;
		u8 version = i % 3 == 2 ? 0 : (u8)(a ^ b ^ i);

		gvm_codec_put_write_desc(payload, i, FIRST + page,
			version ? GVM_TAG_RAW : GVM_TAG_ZERO, 0);
		if (!version)
			continue;
		page_bytes(payload + len, m ? m : models, page, version);
		gvm_codec_put_write_desc(payload, i, FIRST + page, GVM_TAG_RAW,
			gvm_crc32c(0, payload + len, GVM_PAGE_BYTES));
		len += GVM_PAGE_BYTES;
	}
	gvm_codec_put_batch(payload, n, len - gvm_codec_write_head_bytes(n));
	got = ask(p, GVM_MSG_WRITE, p->s.epoch + wrong_epoch, payload, len);
	if (due) {
		MUST(got == due);
		return;
	}
	if (got == 1000 + GVM_ERR_FULL) {
		MUST(gvm_frames_room(&service.store.frames) < n);
		return;
	}
	MUST(got == GVM_MSG_WRITTEN);
	for (u32 i = 0; i < n; i++)
		m->pages[b & 8 ? (a + i * b) % PAGES : (a + i) % PAGES] =
			i % 3 == 2 ? 0 : (u8)(a ^ b ^ i);
}

/* A clone's pages name the region that they were written in. */
static void check_page(const u8 *body, u32 page, u8 version)
{
	MUST(body[0] < REGIONS && body[1] == page && body[4095] == 1);
	for (u32 i = 2; i < 4095; i++)
		MUST(body[i] == version);
}

static void step_read(struct peer *p, u8 a, u8 b)
{
	u8 run[sizeof(struct gvm_run)];
	u32 first = a % PAGES, n = 1 + b % (PAGES - first);
	u32 due = trouble(p, false), off = 0, got;
	const u8 *payload = answer + sizeof(struct gvm_msg);
	struct model *m = p->region;

	gvm_codec_put_run(run, 0, FIRST + first, n);
	got = ask(p, GVM_MSG_READ, p->s.epoch, run, sizeof(run));
	if (due) {
		MUST(got == due);
		return;
	}
	MUST(got == GVM_MSG_DATA && gvm_codec_pages(payload) == n);
	for (u32 i = 0; i < n; i++) {
		const void *body;
		u32 crc;

		gvm_codec_data_page(payload, i, &off, &crc, &body);
		MUST(!body == !m->pages[first + i]);
		if (!body)
			continue;
		MUST(gvm_crc32c(0, body, GVM_PAGE_BYTES) == crc);
		check_page(body, first + i, m->pages[first + i]);
	}
}

static void step_trim(struct peer *p, u8 a, u8 b)
{
	u8 run[sizeof(struct gvm_run)];
	u32 first = a % PAGES, n = 1 + b % (PAGES - first), got;
	u32 due = trouble(p, false);

	/* Now and then all there is. */
	gvm_codec_put_run(run, 0, b == 0xff ? 0 : FIRST + first,
			  b == 0xff ? UINT32_MAX : n);
	got = ask(p, GVM_MSG_TRIM, p->s.epoch, run, sizeof(run));
	MUST(got == (due ? due : GVM_MSG_TRIMMED));
	if (due)
		return;
	if (b == 0xff)
		memset(p->region->pages, 0, PAGES);
	else
		memset(p->region->pages + first, 0, n);
}

static void step_clone(struct peer *p, u8 a, u8 b)
{
	struct model *m = p->region, *to = &models[a % REGIONS];
	struct gvm_clone clone = { .name = "fuzz child" };
	u32 due = trouble(p, false);
	u8 secret = b % 2;

	name(clone.region, clone.token, a % REGIONS, secret);
	if (!due)
		due = !to->exists || (to != m && to->token == secret) ?
			GVM_MSG_CLONED : 1000 + GVM_ERR_EXISTS;
	MUST(ask(p, GVM_MSG_CLONE, p->s.epoch, &clone, sizeof(clone)) == due);
	if (due != GVM_MSG_CLONED || to->exists)
		return;
	*to = *m;
	to->token = secret;
	to->epoch = 1;
}

static void step_detach(struct peer *p, bool drop)
{
	struct gvm_detach detach = { .flags = drop };
	u32 due = trouble(p, false);
	struct model *m = p->region;

	MUST(ask(p, GVM_MSG_DETACH, p->s.epoch, &detach, sizeof(detach)) ==
	     (due ? due : GVM_MSG_DETACHED));
	if (due)
		return;
	p->region = NULL;
	if (!drop)
		return;
	m->exists = false;
	fence(m);
	for (u32 i = 0; i < SESSIONS; i++) {
		if (peers[i].region == m)
			peers[i].region = NULL;
	}
}

static void step_stat(struct peer *p)
{
	u64 regions = 0;
	const struct gvm_server_stats *stats =
		(const void *)(answer + sizeof(struct gvm_msg));
	u32 got = ask(p, GVM_MSG_STAT, 0, NULL, 0);

	if (got == 1000 + GVM_ERR_FENCED || got == 1000 + GVM_ERR_MALFORMED)
		return;
	MUST(got == GVM_MSG_STATS);
	for (u32 i = 0; i < REGIONS; i++)
		regions += models[i].exists;
	MUST(gvm_le64(stats->regions) == regions);
	MUST(gvm_le64(stats->pages_used) <= gvm_le64(stats->pages_max));
}

/* Bytes as they came: what the codec lets pass must end well somehow. */
static void step_raw(struct peer *p, const u8 *data, size_t size)
{
	enum gvm_session_next next;
	struct gvm_head q;
	u8 *exact;

	if (size < sizeof(struct gvm_msg) ||
	    gvm_codec_header(data, &q, NULL) ||
	    q.payload_len > size - sizeof(struct gvm_msg))
		return;
	/* These would change what the model knows. */
	if (q.type == GVM_MSG_ATTACH || q.type == GVM_MSG_CLONE ||
	    q.type == GVM_MSG_WRITE || q.type == GVM_MSG_TRIM ||
	    q.type == GVM_MSG_DETACH || q.type == GVM_MSG_HELLO ||
	    q.type == GVM_MSG_JOIN || q.type == GVM_MSG_REGION_MAKE)
		return;
	exact = malloc(q.payload_len + 1);
	MUST(exact);
	memcpy(exact, data + sizeof(struct gvm_msg), q.payload_len);
	if (!gvm_codec_check(&q, exact, NULL)) {
		next = gvm_session_message(&p->s, &q, exact, &p->out);
		drain(p);
		if (next == GVM_SESSION_CLOSE) {
			lose_peer(p);
			connect_peer(p);
		}
	}
	free(exact);
}

static void step(const u8 *data, size_t size)
{
	struct peer *p = &peers[data[0] / 16 % SESSIONS];
	u8 a = data[2], b = data[3];

	switch (data[0] % 16) {
	case 0: lose_peer(p); connect_peer(p); break;
	case 1: step_hello(p); break;
	case 2: case 3: step_attach(p, a, b); break;
	case 4: step_trim(p, a, b); break;
	case 5: step_clone(p, a, b); break;
	case 6: step_detach(p, b & 1); break;
	case 7: step_stat(p); break;
	case 8: step_raw(p, data + 4, size - 4); break;
	case 9: step_write(p, a, b, data[1] > 0xf0); break;
	case 10: case 11: step_read(p, a, b); break;
	default: step_write(p, a, b, false); break;
	}
}

/* Take everything over and drop it: nothing may be left. */
static void clear(void)
{
	for (u32 i = 0; i < SESSIONS; i++) {
		lose_peer(&peers[i]);
		connect_peer(&peers[i]);
	}
	step_hello(&peers[0]);
	for (u32 i = 0; i < REGIONS; i++) {
		if (!models[i].exists)
			continue;
		step_attach(&peers[0], (u8)i, GVM_ATTACH_TAKEOVER);
		step_read(&peers[0], 0, PAGES - 1);
		step_detach(&peers[0], true);
	}
	lose_peer(&peers[0]);
	for (u32 i = 1; i < SESSIONS; i++)
		lose_peer(&peers[i]);
	MUST(!gvm_frames_used(&service.store.frames, GVM_FRAME_DATA));
	MUST(!gvm_frames_used(&service.store.frames, GVM_FRAME_NODE));
	MUST(!gvm_leases_count(&service.leases) && !service.connections);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	u32 steps = 0;

	start_once();
	for (u32 i = 0; i < SESSIONS; i++) {
		connect_peer(&peers[i]);
		/* Most inputs should get somewhere. */
		if (i % 2 == 0) {
			step_hello(&peers[i]);
			step_attach(&peers[i], (u8)i, GVM_ATTACH_CREATE);
		}
	}
	for (; size >= 4 && steps < STEPS_MAX; steps++, data += 4, size -= 4)
		step(data, size);
	clear();
	return 0;
}
