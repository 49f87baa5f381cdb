// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A server as one shard sees it: two connections, one session.
 *
 * Lane 0 carries what threads wait for, lane 1 everything else, so that a
 * demanded page never queues behind a prefetch window or write-back.  If
 * either connection fails both are closed and a new session is opened; every
 * unanswered request is then sent again.  A server that answers nothing for
 * wait_ms while something waits for it ends the program: its memory is gone
 * for us, and it must not read anything else instead.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "engine.h"
#include "mem.h"
#include "sys.h"

#define LANE0_BYTES	(64u << 10)
#define BACKOFF_MIN_NS	20000000ull
#define BACKOFF_MAX_NS	1000000000ull
#define MS		1000000ull

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

int gvm_links_init(struct gvm_shard *s)
{
	s->links = gvm_mem_map(s->gvm->servers_nr * sizeof(*s->links));
	if (!s->links)
		return -ENOMEM;
	for (u32 i = 0; i < s->gvm->servers_nr; i++) {
		struct gvm_link *link = &s->links[i];

		link->first = GVM_REQUEST_NONE;
		link->last = GVM_REQUEST_NONE;
		link->trim = GVM_REQUEST_NONE;
		link->backoff_ns = BACKOFF_MIN_NS;
		link->retry_ns = 1;
		link->lane[0].conn.fd = -1;
		link->lane[1].conn.fd = -1;
	}
	return 0;
}

static struct gvm_stats_server *server_stats(struct gvm_shard *s, u16 server)
{
	return &s->stats->server[server < GVM_STATS_SERVERS ? server :
				 GVM_STATS_SERVERS - 1];
}

bool gvm_link_up(const struct gvm_shard *s, u16 server)
{
	return s->links[server].lane[0].state == GVM_LANE_UP &&
	       s->links[server].lane[1].state == GVM_LANE_UP;
}

/* Pages that may still be placed there, if all its chunks fill up. */
static u64 room(const struct gvm_link *link)
{
	u64 promised = link->chunks * GVM_CHUNK_PAGES;

	promised = promised > link->stored ? promised - link->stored : 0;
	return link->pages_free > promised ? link->pages_free - promised : 0;
}

/*
 * A home for a new chunk: one server after the other while they have room for
 * all of it, then whichever has the most pages left.
 */
u16 gvm_link_place(struct gvm_shard *s)
{
	u16 best = GVM_SERVER_NONE;
	u64 most = 0;

	for (u32 i = 0; i < s->gvm->servers_nr; i++) {
		u32 at = (s->place + i) % s->gvm->servers_nr;
		const struct gvm_link *link = &s->links[at];

		if (link->full)
			continue;
		if (room(link) >= GVM_CHUNK_PAGES) {
			best = (u16)at;
			break;
		}
		if (best == GVM_SERVER_NONE || link->pages_free > most) {
			best = (u16)at;
			most = link->pages_free;
		}
	}
	if (best != GVM_SERVER_NONE) {
		s->place = best + 1u;
		s->links[best].chunks++;
	}
	return best;
}

static void epoll_change(struct gvm_shard *s, int op, u16 server, u8 lane,
			 bool out)
{
	struct epoll_event ev = {
		.events = EPOLLIN | (out ? EPOLLOUT : 0),
		.data.u64 = ((u64)server << 8) | lane,
	};

	gvm_sys(SYS_epoll_ctl, s->epfd, op,
		s->links[server].lane[lane].conn.fd, &ev);
}

void gvm_lane_want_out(struct gvm_shard *s, u16 server, u8 lane, bool on)
{
	struct gvm_lane *l = &s->links[server].lane[lane];

	if (l->wants_out == on || l->conn.fd < 0)
		return;
	l->wants_out = on;
	epoll_change(s, EPOLL_CTL_MOD, server, lane, on);
}

static void close_lane(struct gvm_lane *l)
{
	gvm_fd_mine(l->conn.fd, false);
	gvm_conn_close(&l->conn);
	l->state = GVM_LANE_DOWN;
	l->wants_out = false;
}

static void start_failed(struct gvm_shard *s, u16 server, int err,
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

void gvm_link_lost(struct gvm_shard *s, u16 server, const char *why)
{
	struct gvm_link *link = &s->links[server];
	u32 at;

	close_lane(&link->lane[0]);
	close_lane(&link->lane[1]);
	server_stats(s, server)->connected = 0;
	start_failed(s, server, -EHOSTUNREACH, why);
	for (at = link->first; at != GVM_REQUEST_NONE; at = s->requests[at].next)
		s->requests[at].queued = 1;
	link->retry_ns = s->now_ns + link->backoff_ns;
	link->backoff_ns *= 2;
	if (link->backoff_ns > BACKOFF_MAX_NS)
		link->backoff_ns = BACKOFF_MAX_NS;
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

static bool is_loopback(const struct gvm_server_addr *a)
{
	const struct sockaddr_in *in = (const void *)&a->addr;
	const struct sockaddr_in6 *in6 = (const void *)&a->addr;

	if (in->sin_family == AF_INET)
		return *(const u8 *)&in->sin_addr == 127;
	return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

static long open_socket(struct gvm_shard *s, u16 server)
{
	const struct gvm_server_addr *a = &s->gvm->servers[server];
	static const char reno[] = "reno";
	int one = 1;
	long fd, err;

	fd = gvm_sys(SYS_socket, a->addr.ss_family,
		     SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fd;
	fd = gvm_fd_high((int)fd);
	if (fd < 0)
		return fd;
	gvm_sys(SYS_setsockopt, fd, IPPROTO_TCP, TCP_NODELAY, &one,
		sizeof(one));
	/* There is nothing to control, and pacing costs timers. */
	if (is_loopback(a))
		gvm_sys(SYS_setsockopt, fd, IPPROTO_TCP, TCP_CONGESTION, reno,
			sizeof(reno) - 1);
	err = gvm_sys(SYS_connect, fd, &a->addr, a->len);
	if (err && err != -EINPROGRESS) {
		gvm_fd_mine((int)fd, false);
		gvm_sys(SYS_close, fd);
		return err;
	}
	return fd;
}

static void connect_lane(struct gvm_shard *s, u16 server, u8 lane)
{
	struct gvm_lane *l = &s->links[server].lane[lane];
	long fd = open_socket(s, server);
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
	l->wants_out = true;
	epoll_change(s, EPOLL_CTL_ADD, server, lane, true);
}

static void connected(struct gvm_shard *s, u16 server, u8 lane)
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
		link->pages_free = gvm_le64(a->pages_free);
		connect_lane(s, server, 1);
		return;
	}
	link->backoff_ns = BACKOFF_MIN_NS;
	link->retry_ns = 0;
	if (link->attached_before)
		server_stats(s, server)->reconnects++;
	link->attached_before = 1;
	server_stats(s, server)->connected = 1;
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
		start_failed(s, server, code == GVM_ERR_VERSION ?
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

static void message(struct gvm_shard *s, u16 server, u8 lane,
		    const struct gvm_head *head, const void *payload)
{
	struct gvm_lane *l = &s->links[server].lane[lane];

	if (l->state == GVM_LANE_UP &&
	    !(head->type == GVM_MSG_ERROR && !gvm_request_find(s, head->txn))) {
		gvm_request_answered(s, server, head, payload);
		return;
	}
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

/* Whatever is sent is answered, so what went out is counted with the answers. */
static void count_traffic(struct gvm_shard *s, u16 server, struct gvm_lane *l,
			  u64 bytes_in)
{
	struct gvm_stats_server *stats = server_stats(s, server);

	stats->bytes_in += bytes_in;
	stats->bytes_out += l->conn.bytes_out - l->out_counted;
	l->out_counted = l->conn.bytes_out;
}

static void receive(struct gvm_shard *s, u16 server, u8 lane)
{
	struct gvm_lane *l = &s->links[server].lane[lane];
	struct gvm_conn *c = &l->conn;
	const void *payload;
	struct gvm_head head;
	u64 before = c->bytes_in;
	int n;

	n = gvm_conn_fill(c);
	if (n < 0) {
		gvm_link_lost(s, server, c->why);
		return;
	}
	count_traffic(s, server, l, c->bytes_in - before);
	while (c->fd >= 0 && (n = gvm_conn_next(c, &head, &payload)) > 0)
		message(s, server, lane, &head, payload);
	if (c->fd >= 0 && n < 0)
		gvm_link_lost(s, server, c->why);
}

void gvm_link_event(struct gvm_shard *s, u16 server, u8 lane, u32 events)
{
	struct gvm_lane *l = &s->links[server].lane[lane];
	int left;

	if (l->conn.fd < 0)
		return;		/* closed earlier in this turn */
	if (l->state == GVM_LANE_CONNECTING) {
		connected(s, server, lane);
		return;
	}
	if (events & EPOLLOUT) {
		left = gvm_conn_flush(&l->conn);
		if (left < 0) {
			gvm_link_lost(s, server, l->conn.why);
			return;
		}
		if (!left) {
			/* Rarely needed, and not part of the local limit. */
			gvm_sys(SYS_madvise, l->conn.tx, l->conn.tx_cap,
				MADV_DONTNEED);
			gvm_lane_want_out(s, server, lane, false);
			gvm_request_resend_all(s, server);
		}
	}
	if (l->conn.fd >= 0 && (events & ~(u32)EPOLLOUT))
		receive(s, server, lane);
}

/* Nobody can bring what waits for this server. */
static void give_up(struct gvm_shard *s, u16 server)
{
	const struct gvm_link *link = &s->links[server];
	const struct gvm_request *r = &s->requests[link->first];

	gvm_fatal(s->gvm, "server %s has not answered for %u ms; %u requests wait, the first for the page at 0x%llx; stopping %s, because its memory cannot be reached (restart the server on its file store within --wait, or raise --wait)",
		  s->gvm->servers[server].text, s->gvm->wait_ms,
		  link->requests, (unsigned long long)r->page[0].va,
		  s->gvm->name);
}

static void tick(struct gvm_shard *s, u16 server)
{
	struct gvm_link *link = &s->links[server];
	const u64 wait_ns = s->gvm->wait_ms * MS;
	u64 silent;

	if (link->waiting_ns && s->now_ns - link->waiting_ns > wait_ns)
		give_up(s, server);
	if (link->retry_ns && link->lane[0].state == GVM_LANE_DOWN &&
	    s->now_ns >= link->retry_ns) {
		link->alive_ns = s->now_ns;
		connect_lane(s, server, 0);
		return;
	}
	/*
	 * A cut cable says nothing.  Try a fresh connection while there is
	 * still time to use it.
	 */
	silent = s->now_ns - link->alive_ns;
	if (link->lane[0].state != GVM_LANE_DOWN &&
	    (link->waiting_ns || !gvm_link_up(s, server)) &&
	    silent > wait_ns / 4 + 250 * MS &&
	    (!link->waiting_ns || s->now_ns - link->waiting_ns > wait_ns / 4)) {
		link->alive_ns = s->now_ns;
		gvm_link_lost(s, server, "no answer");
	}
}

void gvm_links_tick(struct gvm_shard *s)
{
	for (u32 i = 0; i < s->gvm->servers_nr; i++)
		tick(s, (u16)i);
}

/* Orderly end: servers drop the region.  Waits for nothing. */
static void say_goodbye(struct gvm_shard *s, struct gvm_link *link)
{
	struct gvm_detach detach = { .flags = GVM_DETACH_DROP };
	struct iovec iov[2] = {
		{ s->head, sizeof(struct gvm_msg) },
		{ &detach, sizeof(detach) },
	};

	gvm_codec_put(s->head, GVM_MSG_DETACH, 0, sizeof(detach),
		      link->handle, link->epoch, 3);
	gvm_conn_send(&link->lane[0].conn, iov, 2);
}

void gvm_links_fini(struct gvm_shard *s, bool drop)
{
	if (!s->links)
		return;
	for (u32 i = 0; i < s->gvm->servers_nr; i++) {
		struct gvm_link *link = &s->links[i];

		if (drop && gvm_link_up(s, (u16)i)) {
			close_lane(&link->lane[1]);
			say_goodbye(s, link);
		}
		for (u8 lane = 0; lane < GVM_LANES; lane++) {
			close_lane(&link->lane[lane]);
			gvm_mem_unmap(link->lane[lane].conn.rx,
				      rx_bytes(s, lane));
			gvm_mem_unmap(link->lane[lane].conn.tx, tx_bytes(lane));
		}
	}
	gvm_mem_unmap(s->links, s->gvm->servers_nr * sizeof(*s->links));
	s->links = NULL;
}
