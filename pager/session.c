// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Open a session with a server: connect, HELLO, ATTACH on lane 0, and then the
 * same on lane 1, which joins.  Until that is done no request goes out; what
 * fails on the way closes both lanes, and link.c tries again later.
 */
#define _GNU_SOURCE
#include <sys/socket.h>

#include "engine.h"
#include "mem.h"
#include "sys.h"

#define LANE0_BYTES	(64u << 10)

/*
 * Room for one message, and a little of the next: what was received is read
 * again at once, and should still be in the cache.
 */
static u32 rx_bytes(const struct gvm_shard *s, u8 lane)
{
	return lane ? s->read_pages * (GVM_PAGE_BYTES + 64) + LANE0_BYTES :
		      LANE0_BYTES;
}

static u32 tx_bytes(u8 lane)
{
	return lane ? GVM_REQUEST_PAGES * (GVM_PAGE_BYTES + 64) + LANE0_BYTES :
		      LANE0_BYTES;
}

/* If the engine is being opened, that has failed. */
void gvm_session_failed(struct gvm_shard *s, u16 server, int err,
			const char *why)
{
	struct gvm *g = s->gvm;

	if (!s->starting)
		return;
	s->starting = 0;
	gvm_format(g->why, sizeof(g->why),
		   err == -EPROTONOSUPPORT ?
		   "server %s: %s; install the same giantvm on both sides" :
		   err == -EBUSY ? "server %s: %s" :
		   "server %s: %s; is `giantvm serve` running there?",
		   g->servers[server].text, why);
	__atomic_store_n(&s->started, err, __ATOMIC_RELEASE);
	gvm_futex_wake((u32 *)&s->started);
}

static void send_hello(struct gvm_shard *s, u16 server, u8 lane)
{
	struct gvm_lane *l = &s->links[server].lane[lane];
	struct gvm_hello hello = {
		.magic = GVM_HELLO_MAGIC,
		.version_min = GVM_WIRE_VERSION,
		.version_max = GVM_WIRE_VERSION,
	};
	struct iovec iov[2] = {
		{ s->head, sizeof(struct gvm_msg) },
		{ &hello, sizeof(hello) },
	};

	gvm_codec_put(s->head, GVM_MSG_HELLO, 0, sizeof(hello), 0, 0, 1);
	if (gvm_conn_send(&l->conn, iov, 2)) {
		gvm_link_lost(s, server, "the connection failed");
		return;
	}
	l->state = GVM_LANE_HELLO;
	gvm_lane_want_out(s, server, lane, l->conn.tx_blocked);
}

static void send_attach(struct gvm_shard *s, u16 server, u8 lane)
{
	struct gvm_link *link = &s->links[server];
	struct gvm_lane *l = &link->lane[lane];
	struct gvm_attach attach = { .flags = lane ? GVM_ATTACH_JOIN : 0 };
	struct iovec iov[2] = {
		{ s->head, sizeof(struct gvm_msg) },
		{ &attach, sizeof(attach) },
	};

	/*
	 * While it holds pages of ours it must not make an empty region of
	 * that name: we would read zeros where the program had data.
	 */
	if (!lane && !link->stored)
		attach.flags |= GVM_ATTACH_CREATE;
	memcpy(attach.region, s->region, sizeof(attach.region));
	memcpy(attach.token, s->token, sizeof(attach.token));
	memcpy(attach.name, s->gvm->name, sizeof(attach.name) - 1);
	gvm_codec_put(s->head, GVM_MSG_ATTACH, 0, sizeof(attach), 0,
		      lane ? link->epoch : 0, 2);
	if (gvm_conn_send(&l->conn, iov, 2)) {
		gvm_link_lost(s, server, "the connection failed");
		return;
	}
	l->state = GVM_LANE_ATTACH;
}

static void connect_lane(struct gvm_shard *s, u16 server, u8 lane)
{
	const struct gvm_server_addr *a = &s->gvm->servers[server];
	struct gvm_lane *l = &s->links[server].lane[lane];
	long fd = gvm_socket_connect(&a->addr, a->len);
	u8 *rx = l->conn.rx, *tx = l->conn.tx;

	if (!rx)
		rx = gvm_mem_map(rx_bytes(s, lane));
	if (!tx)
		tx = gvm_mem_map(tx_bytes(lane));
	gvm_conn_init(&l->conn, fd < 0 ? -1 : (int)fd, rx, rx_bytes(s, lane),
		      tx, tx_bytes(lane));
	l->out_counted = 0;
	if (fd < 0 || !rx || !tx) {
		gvm_link_lost(s, server, fd == -ECONNREFUSED ?
			      "connection refused" : "cannot connect");
		return;
	}
	l->state = GVM_LANE_CONNECTING;
	gvm_lane_watch(s, server, lane);
}

/* Lane 0 first; lane 1 joins its session (attached()). */
void gvm_session_open(struct gvm_shard *s, u16 server)
{
	connect_lane(s, server, 0);
}

void gvm_session_connected(struct gvm_shard *s, u16 server, u8 lane)
{
	struct gvm_lane *l = &s->links[server].lane[lane];
	int err = 0;
	socklen_t len = sizeof(err);

	gvm_sys(SYS_getsockopt, l->conn.fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (err) {
		gvm_link_lost(s, server, err == ECONNREFUSED ?
			      "connection refused" : "cannot connect");
		return;
	}
	send_hello(s, server, lane);
}

static void check_started(struct gvm_shard *s)
{
	if (!s->starting)
		return;
	for (u32 i = 0; i < s->gvm->servers_nr; i++)
		if (!gvm_link_up(s, (u16)i))
			return;
	s->starting = 0;
	__atomic_store_n(&s->started, 1, __ATOMIC_RELEASE);
	gvm_futex_wake((u32 *)&s->started);
}

static void attached(struct gvm_shard *s, u16 server, u8 lane,
		     const struct gvm_head *head,
		     const struct gvm_attached *a)
{
	struct gvm_link *link = &s->links[server];

	link->lane[lane].state = GVM_LANE_UP;
	link->alive_ns = s->now_ns;
	if (!lane) {
		link->handle = head->region;
		link->epoch = head->epoch;
		gvm_place_told(s, server, gvm_le64(a->pages_free));
		connect_lane(s, server, 1);
		return;
	}
	link->backoff_ns = GVM_BACKOFF_MIN_NS;
	link->retry_ns = 0;
	if (link->attached_before)
		gvm_server_stats(s, server)->reconnects++;
	link->attached_before = 1;
	gvm_server_stats(s, server)->connected = 1;
	if (link->waiting_ns)
		link->waiting_ns = s->now_ns;
	gvm_request_resend_all(s, server);
	check_started(s);
}

/* The server refused the session itself. */
static void refused(struct gvm_shard *s, u16 server,
		    const struct gvm_error *e)
{
	const struct gvm_server_addr *a = &s->gvm->servers[server];
	u32 code = gvm_le32(e->code);

	if (s->starting) {
		gvm_session_failed(s, server, code == GVM_ERR_VERSION ?
				   -EPROTONOSUPPORT : -EBUSY, e->text);
		gvm_link_lost(s, server, e->text);
		return;
	}
	if (code == GVM_ERR_SHUTDOWN) {
		gvm_link_lost(s, server, e->text);
		return;
	}
	gvm_fatal(s->gvm, "server %s no longer serves %s (%s); %llu of its pages were there; stopping, because their content is lost",
		  a->text, s->gvm->name, e->text,
		  (unsigned long long)s->links[server].stored);
}

/* Before the lane is up, and errors that answer no request. */
void gvm_session_message(struct gvm_shard *s, u16 server, u8 lane,
			 const struct gvm_head *head, const void *payload)
{
	struct gvm_lane *l = &s->links[server].lane[lane];

	if (head->type == GVM_MSG_ERROR)
		refused(s, server, payload);
	else if (l->state == GVM_LANE_HELLO && head->type == GVM_MSG_HELLO)
		send_attach(s, server, lane);
	else if (l->state == GVM_LANE_ATTACH && head->type == GVM_MSG_ATTACHED)
		attached(s, server, lane, head, payload);
	else if (l->state != GVM_LANE_ATTACH || head->type != GVM_MSG_HELLO)
		gvm_link_lost(s, server, "sent a message out of turn");
	/* A HELLO that comes once more says nothing new. */
}
