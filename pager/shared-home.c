// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The homes of a region as this node sees them: connections, and the lease.
 *
 * A home declares us dead when it has not heard us for the lease, and gives our
 * pages up.  So we stop before: when the last PING that is known to have been
 * heard went out longer than three quarters of the lease ago.  A lost
 * connection is opened again within that time, and the membership goes on.
 */
#define _GNU_SOURCE
#include <sys/epoll.h>
#include <sys/socket.h>

#include "engine.h"
#include "mem.h"
#include "shared.h"
#include "sys.h"

#define BACKOFF_MAX_NS	500000000ull
#define TRY_NS		2000000000ull
#define MS		1000000ull

static void want_out(struct gvm_shared *r, struct gvm_home_link *h)
{
	const bool on = h->state == GVM_LINK_CONNECTING || h->conn.tx_blocked;

	if (h->wants_out == on || h->conn.fd < 0)
		return;
	h->wants_out = on;
	gvm_shared_watch(r, EPOLL_CTL_MOD, h->conn.fd,
			 GVM_DATA_HOME | gvm_home_link_index(r, h), on);
}

void gvm_home_link_down(struct gvm_shared *r, struct gvm_home_link *h)
{
	/* A pipe is not opened again: from now on by the socket. */
	if (h->conn.pipe)
		r->own_pipe = NULL;
	if (gvm_conn_open(&h->conn)) {
		gvm_fd_mine(h->conn.fd, false);
		gvm_conn_close(&h->conn);
	}
	h->state = GVM_LINK_DOWN;
	h->wants_out = false;
	h->retry_ns = r->now_ns + h->backoff_ns;
	h->backoff_ns *= 2;
	if (h->backoff_ns > BACKOFF_MAX_NS)
		h->backoff_ns = BACKOFF_MAX_NS;
	if (h->joined)
		r->stats->reconnects++;
}

/* Connection lost, or never there.  What waited is asked for again. */
void gvm_home_link_lost(struct gvm_shared *r, struct gvm_home_link *h,
			const char *why)
{
	gvm_home_link_down(r, h);
	/* Another node of the cluster may be about to start it. */
	if (h->joined || r->started || r->flags & GVM_SHARED_LATE)
		return;
	gvm_format(r->why, sizeof(r->why),
		   "server %s: %s; is `giantvm serve` running there?",
		   gvm_home_link_name(r, h), why);
	gvm_shared_started(r, -EHOSTUNREACH);
}

bool gvm_home_link_post(struct gvm_shared *r, struct gvm_home_link *h, u16 type,
			u64 txn, void *payload, u32 bytes)
{
	u8 head[sizeof(struct gvm_msg)];
	struct iovec iov[2] = {
		{ head, sizeof(head) }, { payload, bytes },
	};
	const bool up = h->state == GVM_LINK_UP || h->state == GVM_LINK_LEAVE;
	u32 epoch = up ? h->epoch : 0;

	/* One epoch for all homes: the first one chooses it. */
	if (type == GVM_MSG_JOIN && h != r->homes)
		epoch = r->homes[0].epoch;
	gvm_codec_put(head, type, 0, bytes, up ? h->handle : 0, epoch, txn);
	if (gvm_conn_send(&h->conn, iov, bytes ? 2 : 1)) {
		gvm_home_link_lost(r, h, "the connection failed");
		return false;
	}
	want_out(r, h);
	return true;
}

void gvm_home_link_connect(struct gvm_shared *r, struct gvm_home_link *h)
{
	const struct gvm_server_addr *a = &r->servers[gvm_home_link_index(r, h)];
	u8 *rx = h->conn.rx ? h->conn.rx : gvm_mem_map(GVM_HOME_RX_BYTES);
	u8 *tx = h->conn.tx ? h->conn.tx : gvm_mem_map(GVM_HOME_TX_BYTES);
	long fd;

	h->began_ns = r->now_ns;
	if (r->own_pipe && r->own_at == gvm_home_link_index(r, h) && rx && tx) {
		gvm_conn_init_pipe(&h->conn, r->own_pipe, GVM_PIPE_CLIENT, rx,
				   GVM_HOME_RX_BYTES, tx, GVM_HOME_TX_BYTES);
		gvm_shared_hello(r, h);
		return;
	}
	fd = gvm_socket_connect(&a->addr, a->len);
	gvm_conn_init(&h->conn, fd < 0 ? -1 : (int)fd, rx, GVM_HOME_RX_BYTES,
		      tx, GVM_HOME_TX_BYTES);
	if (fd < 0 || !rx || !tx) {
		gvm_home_link_lost(r, h, fd == -ECONNREFUSED ? "connection refused" :
		     "cannot connect");
		return;
	}
	h->state = GVM_LINK_CONNECTING;
	h->wants_out = true;
	gvm_shared_watch(r, EPOLL_CTL_ADD, h->conn.fd,
			 GVM_DATA_HOME | gvm_home_link_index(r, h), true);
}

static void connected(struct gvm_shared *r, struct gvm_home_link *h)
{
	int err = 0;
	socklen_t len = sizeof(err);

	gvm_sys(SYS_getsockopt, h->conn.fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (err) {
		gvm_home_link_lost(r, h, err == ECONNREFUSED ? "connection refused" :
		     "cannot connect");
		return;
	}
	/* The address that leads to a server is one that peers may reach. */
	if (!*r->address)
		gvm_peers_address(r, h->conn.fd);
	gvm_shared_hello(r, h);
}

static void receive(struct gvm_shared *r, struct gvm_home_link *h)
{
	struct gvm_conn *c = &h->conn;
	const void *payload;
	struct gvm_head head;
	int n = gvm_conn_fill(c);

	if (n < 0) {
		gvm_home_link_lost(r, h, c->why);
		return;
	}
	while (gvm_conn_open(c) &&
	       (n = gvm_conn_next(c, &head, &payload)) > 0)
		gvm_shared_session(r, h, &head, payload);
	if (gvm_conn_open(c) && n < 0)
		gvm_home_link_lost(r, h, c->why);
}

void gvm_home_link_event(struct gvm_shared *r, u32 index, u32 events)
{
	struct gvm_home_link *h = &r->homes[index];

	if (!gvm_conn_open(&h->conn))
		return;
	if (h->conn.pipe && h->conn.tx_blocked)
		events |= EPOLLOUT;
	if (h->state == GVM_LINK_CONNECTING) {
		connected(r, h);
		return;
	}
	if (events & EPOLLOUT) {
		if (gvm_conn_flush(&h->conn) < 0) {
			gvm_home_link_lost(r, h, h->conn.why);
			return;
		}
		want_out(r, h);
	}
	if (events & ~(u32)EPOLLOUT)
		receive(r, h);
}

void gvm_home_link_send(struct gvm_shared *r, u32 index, struct iovec *iov, int nr)
{
	struct gvm_home_link *h = &r->homes[index];
	int err;

	if (h->state != GVM_LINK_UP)
		return;
	if (r->later == h)
		r->later = NULL;
	err = gvm_conn_send(&h->conn, iov, nr);
	if (err == -ENOBUFS)
		return;
	if (err)
		gvm_home_link_lost(r, h, "the connection failed");
	else
		want_out(r, h);
}

void gvm_homes_flush(struct gvm_shared *r)
{
	struct gvm_home_link *h = r->later;

	r->later = NULL;
	if (!h || h->state != GVM_LINK_UP || h->conn.tx_blocked)
		return;
	if (gvm_conn_flush(&h->conn) < 0) {
		gvm_home_link_lost(r, h, "the connection failed");
		return;
	}
	h->conn.tx_blocked = gvm_conn_pending(&h->conn);
	want_out(r, h);
}

void gvm_home_link_later(struct gvm_shared *r, u32 index, struct iovec *iov,
			 int nr)
{
	struct gvm_home_link *h = &r->homes[index];

	/* A pipe costs no system call. */
	if (h->conn.pipe || h->state != GVM_LINK_UP) {
		gvm_home_link_send(r, index, iov, nr);
		return;
	}
	if (r->later != h)
		gvm_homes_flush(r);
	if (!gvm_conn_queue(&h->conn, iov, nr))
		r->later = h;
}

static void check_lease(struct gvm_shared *r, struct gvm_home_link *h)
{
	const u64 now = gvm_now_ns();
	const u64 silent = now > h->renewed_ns ? now - h->renewed_ns : 0;

	if (silent > h->lease_ns / 4 * 3 && r->stood_ns > silent / 2)
		gvm_shared_fatal(r, "node %u of region %s got no processor time for %u ms (a busy or suspended machine?); stopping it, because others may be given its pages now: the lease is %u ms (giantvm serve --node-lease, giantvm region make --lease)",
				 r->id, r->name, (unsigned int)(r->stood_ns / MS),
				 (unsigned int)(h->lease_ns / MS));
	if (silent > h->lease_ns / 4 * 3)
		gvm_shared_fatal(r, "server %s has not answered for %u ms, three quarters of the lease; stopping node %u of region %s, because others may be given its pages now",
				 gvm_home_link_name(r, h),
				 (unsigned int)(silent / MS),
				 r->id, r->name);
	if (h->state == GVM_LINK_UP && now - h->ping_ns > h->lease_ns / 8) {
		h->ping_ns = now;
		gvm_home_link_post(r, h, GVM_MSG_PING, now, NULL, 0);
	}
}

void gvm_homes_tick(struct gvm_shared *r)
{
	for (u32 i = 0; i < r->homes_nr; i++) {
		struct gvm_home_link *h = &r->homes[i];

		if (h->joined && !h->left)
			check_lease(r, h);
		if (h->state == GVM_LINK_DOWN && !h->left && h->retry_ns &&
		    r->now_ns >= h->retry_ns)
			gvm_home_link_connect(r, h);
		else if (h->state > GVM_LINK_DOWN && h->state < GVM_LINK_LEAVE &&
			 r->now_ns - h->began_ns > TRY_NS)
			gvm_home_link_lost(r, h, "no answer");
	}
}

void gvm_homes_fini(struct gvm_shared *r)
{
	for (u32 i = 0; r->homes && i < r->homes_nr; i++) {
		struct gvm_home_link *h = &r->homes[i];

		if (gvm_conn_open(&h->conn)) {
			gvm_fd_mine(h->conn.fd, false);
			gvm_conn_close(&h->conn);
		}
		gvm_mem_unmap(h->conn.rx, GVM_HOME_RX_BYTES);
		gvm_mem_unmap(h->conn.tx, GVM_HOME_TX_BYTES);
		gvm_mem_unmap(h->node, h->node_bytes);
		gvm_mem_unmap(h->kept, h->buffers_nr * sizeof(*h->kept));
		gvm_mem_unmap(h->buffers, (size_t)h->buffers_nr *
			      GVM_PAGE_BYTES);
	}
	gvm_mem_unmap(r->homes, r->homes_nr * sizeof(*r->homes));
	r->homes = NULL;
}
