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
 *
 * How a session is opened is in session.c.
 */
#define _GNU_SOURCE
#include <sys/epoll.h>
#include <sys/mman.h>

#include "engine.h"
#include "mem.h"
#include "sys.h"

#define BACKOFF_MAX_NS	1000000000ull
#define MS		1000000ull

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
		link->backoff_ns = GVM_BACKOFF_MIN_NS;
		link->retry_ns = 1;
		link->lane[0].conn.fd = -1;
		link->lane[1].conn.fd = -1;
	}
	return 0;
}

bool gvm_link_up(const struct gvm_shard *s, u16 server)
{
	return s->links[server].lane[0].state == GVM_LANE_UP &&
	       s->links[server].lane[1].state == GVM_LANE_UP;
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

void gvm_lane_watch(struct gvm_shard *s, u16 server, u8 lane)
{
	s->links[server].lane[lane].wants_out = true;
	epoll_change(s, EPOLL_CTL_ADD, server, lane, true);
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

void gvm_link_lost(struct gvm_shard *s, u16 server, const char *why)
{
	struct gvm_link *link = &s->links[server];
	u32 at;

	close_lane(&link->lane[0]);
	close_lane(&link->lane[1]);
	gvm_server_stats(s, server)->connected = 0;
	gvm_session_failed(s, server, -EHOSTUNREACH, why);
	for (at = link->first; at != GVM_REQUEST_NONE; at = s->requests[at].next)
		s->requests[at].queued = 1;
	link->retry_ns = s->now_ns + link->backoff_ns;
	link->backoff_ns *= 2;
	if (link->backoff_ns > BACKOFF_MAX_NS)
		link->backoff_ns = BACKOFF_MAX_NS;
}

static void message(struct gvm_shard *s, u16 server, u8 lane,
		    const struct gvm_head *head, const void *payload)
{
	struct gvm_lane *l = &s->links[server].lane[lane];

	if (l->state == GVM_LANE_UP &&
	    !(head->type == GVM_MSG_ERROR && !gvm_request_find(s, head->txn)))
		gvm_request_answered(s, server, head, payload);
	else
		gvm_session_message(s, server, lane, head, payload);
}

/* Whatever is sent is answered, so what went out is counted with the answers. */
static void count_traffic(struct gvm_shard *s, u16 server, struct gvm_lane *l,
			  u64 bytes_in)
{
	struct gvm_stats_server *stats = gvm_server_stats(s, server);

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
		gvm_session_connected(s, server, lane);
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
		gvm_session_open(s, server);
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

/* This thread did not run until now, and could not have seen an answer. */
void gvm_links_forgive(struct gvm_shard *s)
{
	for (u32 i = 0; i < s->gvm->servers_nr; i++) {
		if (s->links[i].waiting_ns)
			s->links[i].waiting_ns = s->now_ns;
		s->links[i].alive_ns = s->now_ns;
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
				      link->lane[lane].conn.rx_cap);
			gvm_mem_unmap(link->lane[lane].conn.tx,
				      link->lane[lane].conn.tx_cap);
		}
	}
	gvm_mem_unmap(s->links, s->gvm->servers_nr * sizeof(*s->links));
	s->links = NULL;
}
