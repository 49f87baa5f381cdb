// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The server as home of a shared region, driven without sockets: nodes that
 * come, go, come back, say anything that the codec lets pass, and find the
 * server full.  Whatever they say, the directory keeps its invariants, every
 * answer is a message, and when the region is removed nothing is left.
 *
 * Every eight bytes of the input are one step of one of five nodes.
 */
#include <string.h>

#include "crc32c.h"
#include "fuzz.h"
#include "server/request.h"
#include "server/shared.h"

#define NODES		5u
#define PAGES		16u	/* few: making tables takes most of the time */
#define STEPS_MAX	600u

struct peer {
	struct gvm_session	s;
	struct gvm_out		out;
	u64			seq[8];	/* last heard of a page */
	u32			dropped;
};

static struct gvm_service service;
static struct gvm_reply_pool pool;
static struct peer peers[NODES];
static u8 answer[64u << 10];
static bool deaf;			/* the next sends find no room */

static void no_cut(struct gvm_session *s)
{
	(void)s;
}

static void no_wake(void *arg)
{
	(void)arg;
}

static bool send_to(struct gvm_session *s, const void *bytes, u32 len,
		    u32 frame, bool later)
{
	struct peer *p = (struct peer *)((u8 *)s - offsetof(struct peer, s));
	struct gvm_reply *reply;

	(void)later;
	if (deaf) {
		if (frame)
			gvm_frames_put(&service.store.frames, GVM_FRAME_DATA,
				       1, &frame);
		return false;
	}
	reply = gvm_out_data(&p->out, !!frame, len);
	MUST(reply);
	memcpy(reply->head, bytes, len);
	if (frame)
		reply->frames[reply->frames_nr++] = frame;
	gvm_out_done(&p->out, reply);
	return true;
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
	gvm_shareds_init(&service.shareds, &service, 60000);
	MUST(!gvm_leases_init(&service.leases, &service.store, fresh, NULL,
			      1000000, why, sizeof(why)));
}

/* What the home said: whole messages, whose bytes are what they claim. */
static void listen_to(struct peer *p)
{
	u32 len = 0, at = 0;

	while (p->out.bytes) {
		struct iovec iov[64];
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
	while (at < len) {
		const u8 *payload = answer + at + sizeof(struct gvm_msg);
		struct gvm_sharers list;
		struct gvm_co_msg msg;
		struct gvm_head head;
		const void *body;
		u32 crc;

		MUST(!gvm_codec_header(answer + at, &head, NULL));
		MUST(!gvm_codec_check(&head, payload, NULL));
		at += (u32)sizeof(struct gvm_msg) + head.payload_len;
		if (head.type < GVM_MSG_CO_FIRST || head.type > GVM_MSG_CO_LAST)
			continue;
		body = gvm_codec_co(&head, payload, &list, &msg, &crc);
		MUST(!body || gvm_crc32c_page(body) == crc);
		MUST(msg.page < PAGES);
		p->seq[msg.page % 8] = msg.seq;
	}
	MUST(at == len);
}

static void listen_all(void)
{
	for (u32 i = 0; i < NODES; i++)
		listen_to(&peers[i]);
}

static void lose(struct peer *p)
{
	gvm_session_exit(&p->s);
	gvm_out_drop(&p->out);
}

static void dial(struct peer *p)
{
	gvm_session_init(&p->s, &service, no_cut, send_to);
	gvm_out_init(&p->out, &pool, &service.store.frames);
	p->s.state = GVM_SESSION_OPEN;
}

static void say(struct peer *p, u16 type, u16 flags, u64 page, u64 txn,
		const void *payload, u32 len)
{
	struct gvm_head head = {
		.type = type, .flags = flags, .payload_len = len, .page = page,
		.txn = txn, .epoch = p->s.epoch,
		.region = p->s.shared ? gvm_shared_handle(p->s.shared) : 0,
	};
	void *exact = malloc(len + 1);

	MUST(exact);
	memcpy(exact, payload, len);
	if (!gvm_codec_check(&head, exact, NULL) &&
	    gvm_session_message(&p->s, &head, exact, &p->out) ==
	    GVM_SESSION_CLOSE) {
		lose(p);
		dial(p);
	}
	free(exact);
	listen_all();
}

static void step_join(struct peer *p, u8 a, u8 b)
{
	struct gvm_join join = {
		.name = "fuzzed", .bytes = PAGES << GVM_PAGE_SHIFT,
		.slice_bytes = 2u << 20, .servers = 1,
		.node = b & 0x40 ? 10239 : (u16)(b % 7),
		.flags = a % 8, .address = "fuzz:1",
	};

	/* Now and then another life, or another region. */
	join.identity[0] = (u8)(1 + (p - peers) + (a > 200 ? 10 : 0));
	if (a == 255)
		join.bytes += GVM_PAGE_BYTES;
	say(p, GVM_MSG_JOIN, 0, 0, 1, &join, sizeof(join));
}

/* Mostly what a node could say just now. */
static void step_co(struct peer *p, u16 type, const u8 *d)
{
	static u8 payload[sizeof(struct gvm_coherence) + GVM_PAGE_BYTES];
	u64 page = d[2] % (d[2] & 0x80 ? PAGES + 1 : 4);
	struct gvm_coherence co = {
		.from = d[3] == 255 ? 3 : p->s.node, .to = GVM_NODE_HOME,
		.requester = d[3] & 1 ? p->s.node : (u16)(d[3] % 8),
		.giver = d[4] & 1 ? GVM_NODE_NONE : (u16)(d[4] % 8),
		.seq = (p->seq[page % 8] + (d[5] & 8 ? d[5] % 4 : 0)) &
			GVM_SEQ_MAX,
		.need = d[6],
	};
	u32 len = sizeof(co);
	u16 flags = 0;

	if (type == GVM_CO_RETURN || type == GVM_CO_PUT) {
		co.tag = d[6] % 3 == 0 ? GVM_TAG_ZERO : GVM_TAG_RAW;
		if (co.tag == GVM_TAG_RAW) {
			memset(payload + len, d[7], GVM_PAGE_BYTES);
			co.crc = gvm_crc32c_page(payload + len) + (d[7] == 9);
			len += GVM_PAGE_BYTES;
		}
	}
	if (type == GVM_CO_RETURN && d[6] % 7 == 0) {
		flags = GVM_CO_GAVE;
		co.tag = 0;
		co.crc = 0;
		len = sizeof(co);
	}
	if (type == GVM_CO_GET_EXCLUSIVE && d[6] & 1)
		flags = GVM_CO_HAVE;
	if (type == GVM_CO_GET_SHARED && d[6] % 5 == 0)
		flags = GVM_CO_DIRECT;
	memcpy(payload, &co, sizeof(co));
	say(p, type, flags, page, (u64)p->s.epoch << 32 | d[7] % 4, payload,
	    len);
}

static void step_tool(struct peer *p, u8 a)
{
	struct gvm_region_status status = { .name = "fuzzed" };
	struct gvm_region_remove remove = {
		.name = "fuzzed", .flags = a & 8 ? GVM_REMOVE_FORCE : 0,
	};
	struct gvm_region_list list = { .first = a % 2 };
	struct gvm_peer peer = { .node = a % 8 };

	switch (a % 4) {
	case 0:
		say(p, GVM_MSG_REGION_STATUS, 0, 0, 2, &status, sizeof(status));
		return;
	case 1:
		say(p, GVM_MSG_REGION_LIST, 0, 0, 2, &list, sizeof(list));
		return;
	case 2:
		say(p, GVM_MSG_PEER, 0, 0, 2, &peer, sizeof(peer));
		return;
	default:
		if (a > 240)
			say(p, GVM_MSG_REGION_REMOVE, 0, 0, 2, &remove,
			    sizeof(remove));
	}
}

/* Time passes: for the keeper, or for one node's lease. */
static void step_time(struct peer *p, u8 a)
{
	struct gvm_shared *r = p->s.shared;

	if (r && a % 4 == 0) {
		pthread_mutex_lock(&r->lock);
		if (p->s.seat)
			p->s.seat->heard_ns = 0;
		pthread_mutex_unlock(&r->lock);
	}
	gvm_shareds_tick(&service.shareds);
	listen_all();
}

static void step(const u8 *d)
{
	static const u16 types[] = {
		GVM_CO_GET_SHARED, GVM_CO_GET_EXCLUSIVE, GVM_CO_DONE,
		GVM_CO_RETURN, GVM_CO_PUT, GVM_CO_DECLINE,
	};
	struct peer *p = &peers[d[0] / 16 % NODES];

	deaf = d[1] % 16 == 15;
	switch (d[0] % 16) {
	case 0:
		lose(p);
		dial(p);
		break;
	case 1:
	case 2:
		step_join(p, d[1], d[2]);
		break;
	case 3:
		if (d[1] > 200)
			say(p, GVM_MSG_LEAVE, 0, 0, 3, "", 0);
		break;
	case 4:
		step_tool(p, d[1]);
		break;
	case 5:
		step_time(p, d[1]);
		break;
	default:
		step_co(p, types[d[0] % 16 % 6], d);
	}
	deaf = false;
}

static void check_region(void)
{
	struct gvm_shared *r = service.shareds.first;

	if (!r)
		return;
	MUST(!r->next && !r->broken);
	gvm_home_check(r->home);
	for (u32 i = 0; i < NODES; i++)
		MUST(!peers[i].s.seat ||
		     r->seats[peers[i].s.node] == peers[i].s.seat);
}

static void clear(void)
{
	struct gvm_region_remove remove = {
		.name = "fuzzed", .flags = GVM_REMOVE_FORCE,
	};

	lose(&peers[0]);
	dial(&peers[0]);
	say(&peers[0], GVM_MSG_REGION_REMOVE, 0, 0, 9, &remove, sizeof(remove));
	for (u32 i = 0; i < NODES; i++)
		lose(&peers[i]);
	MUST(!gvm_shareds_count(&service.shareds) && !service.connections);
	MUST(!gvm_frames_used(&service.store.frames, GVM_FRAME_DATA));
	MUST(!gvm_frames_used(&service.store.frames, GVM_FRAME_NODE));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	start_once();
	memset(peers, 0, sizeof(peers));
	for (u32 i = 0; i < NODES; i++) {
		dial(&peers[i]);
		if (i < 3)
			step_join(&peers[i], GVM_JOIN_CREATE, (u8)i);
	}
	for (u32 i = 0; i < STEPS_MAX && size >= 8; i++) {
		step(data);
		data += 8;
		size -= 8;
		if (i % 16 == 0)
			check_region();
	}
	check_region();
	clear();
	return 0;
}
