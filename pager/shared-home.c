// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The homes of a region as this node sees them: joining, the lease, leaving.
 *
 * A home declares us dead when it has not heard us for the lease, and gives our
 * pages up.  So we stop before: when the last PING that is known to have been
 * heard went out longer than three quarters of the lease ago.  A lost
 * connection is opened again within that time, and the membership goes on.
 *
 * Server 0 gives the region its id, so it is joined first.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "engine.h"
#include "mem.h"
#include "shared.h"
#include "sys.h"

#define BACKOFF_MIN_NS	10000000ull
#define BACKOFF_MAX_NS	500000000ull
#define TRY_NS		2000000000ull
#define MS		1000000ull
#define WANTS_MAX	256u

static u32 index_of(const struct gvm_shared *r, const struct gvm_home_link *h)
{
	return (u32)(h - r->homes);
}

static const char *name_of(const struct gvm_shared *r,
			   const struct gvm_home_link *h)
{
	return r->servers[index_of(r, h)].text;
}

static void want_out(struct gvm_shared *r, struct gvm_home_link *h)
{
	const bool on = h->state == GVM_LINK_CONNECTING || h->conn.tx_blocked;

	if (h->wants_out == on || h->conn.fd < 0)
		return;
	h->wants_out = on;
	gvm_shared_watch(r, EPOLL_CTL_MOD, h->conn.fd,
			 GVM_DATA_HOME | index_of(r, h), on);
}

static void disconnect(struct gvm_shared *r, struct gvm_home_link *h)
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
static void lost(struct gvm_shared *r, struct gvm_home_link *h, const char *why)
{
	disconnect(r, h);
	/* Another node of the cluster may be about to start it. */
	if (h->joined || r->started || r->flags & GVM_SHARED_LATE)
		return;
	gvm_format(r->why, sizeof(r->why),
		   "server %s: %s; is `giantvm serve` running there?",
		   name_of(r, h), why);
	gvm_shared_started(r, -EHOSTUNREACH);
}

static bool post(struct gvm_shared *r, struct gvm_home_link *h, u16 type,
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
		lost(r, h, "the connection failed");
		return false;
	}
	want_out(r, h);
	return true;
}

static void say_hello(struct gvm_shared *r, struct gvm_home_link *h)
{
	struct gvm_hello hello = {
		.magic = GVM_HELLO_MAGIC,
		.version_min = GVM_WIRE_VERSION,
		.version_max = GVM_WIRE_VERSION,
	};

	h->state = GVM_LINK_HELLO;
	post(r, h, GVM_MSG_HELLO, 1, &hello, sizeof(hello));
}

static void say_join(struct gvm_shared *r, struct gvm_home_link *h)
{
	struct gvm_join join = {
		.bytes = r->bytes,
		.slice_bytes = r->slice_bytes,
		.lease_ms = r->lease_ms,
		.server = (u16)index_of(r, h),
		.servers = (u16)r->homes_nr,
		.node = r->id,
		.flags = h->joined ? GVM_JOIN_REJOIN : GVM_JOIN_CREATE,
	};

	if (r->flags & GVM_SHARED_CLAIM)
		join.flags |= GVM_JOIN_CLAIM;
	/* An existing region, taken as it is. */
	if (!h->joined && !r->create)
		join.flags &= (u16)~GVM_JOIN_CREATE;
	memcpy(join.name, r->name, sizeof(join.name));
	memcpy(join.region, r->region, sizeof(join.region));
	memcpy(join.cluster, r->cluster, sizeof(join.cluster));
	memcpy(join.identity, r->identity, sizeof(join.identity));
	memcpy(join.address, r->address, sizeof(join.address));
	h->state = GVM_LINK_JOIN;
	h->ping_ns = gvm_now_ns();
	post(r, h, GVM_MSG_JOIN, 2, &join, sizeof(join));
}

static void start_connect(struct gvm_shared *r, struct gvm_home_link *h)
{
	const struct gvm_server_addr *a = &r->servers[index_of(r, h)];
	u8 *rx = h->conn.rx ? h->conn.rx : gvm_mem_map(GVM_HOME_RX_BYTES);
	u8 *tx = h->conn.tx ? h->conn.tx : gvm_mem_map(GVM_HOME_TX_BYTES);
	long fd;

	h->began_ns = r->now_ns;
	if (r->own_pipe && r->own_at == index_of(r, h) && rx && tx) {
		gvm_conn_init_pipe(&h->conn, r->own_pipe, GVM_PIPE_CLIENT, rx,
				   GVM_HOME_RX_BYTES, tx, GVM_HOME_TX_BYTES);
		say_hello(r, h);
		return;
	}
	fd = gvm_socket_connect(&a->addr, a->len);
	gvm_conn_init(&h->conn, fd < 0 ? -1 : (int)fd, rx, GVM_HOME_RX_BYTES,
		      tx, GVM_HOME_TX_BYTES);
	if (fd < 0 || !rx || !tx) {
		lost(r, h, fd == -ECONNREFUSED ? "connection refused" :
		     "cannot connect");
		return;
	}
	h->state = GVM_LINK_CONNECTING;
	h->wants_out = true;
	gvm_shared_watch(r, EPOLL_CTL_ADD, h->conn.fd,
			 GVM_DATA_HOME | index_of(r, h), true);
}

static void connected(struct gvm_shared *r, struct gvm_home_link *h)
{
	int err = 0;
	socklen_t len = sizeof(err);

	gvm_sys(SYS_getsockopt, h->conn.fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (err) {
		lost(r, h, err == ECONNREFUSED ? "connection refused" :
		     "cannot connect");
		return;
	}
	/* The address that leads to a server is one that peers may reach. */
	if (!*r->address)
		gvm_peers_address(r, h->conn.fd);
	say_hello(r, h);
}

/* The node's side of the pages of this home. */
static int make_node(struct gvm_shared *r, struct gvm_home_link *h)
{
	struct gvm_node_config c = {
		.id = r->id,
		.epoch = h->epoch,
		.wants_max = r->frames / 4 < WANTS_MAX ? (u32)r->frames / 4 :
			     WANTS_MAX,
		.relays_max = 256,
		.retry_ns = r->retry_ns,
		.hold_ns = r->hold_ns,
	};

	if (r->flags & GVM_SHARED_CLAIM)
		c.claim_pages = r->slices.pages;
	c.buffers_max = 2 * c.wants_max + 1;
	c.pages_max = (u32)r->frames + c.buffers_max;
	h->node_bytes = gvm_node_size(&c);
	h->buffers_nr = c.buffers_max;
	h->buffers = gvm_mem_map((size_t)c.buffers_max * GVM_PAGE_BYTES);
	h->kept = gvm_mem_map(c.buffers_max * sizeof(*h->kept));
	h->node = gvm_mem_map(h->node_bytes);
	if (!h->buffers || !h->kept || !h->node)
		return -ENOMEM;
	return gvm_node_init(h->node, &c) ? 0 : -EINVAL;
}

static u32 shift_of(u64 bytes)
{
	return (u32)__builtin_ctzll(bytes) - GVM_PAGE_SHIFT;
}

/* Server 0 has said what the region is; the others must agree. */
static void learn_region(struct gvm_shared *r, const struct gvm_joined *j)
{
	memcpy(r->region, j->region, sizeof(r->region));
	r->bytes = gvm_le64(j->bytes);
	r->slice_bytes = gvm_le64(j->slice_bytes);
	r->slices = (struct gvm_slices){
		.pages = r->bytes >> GVM_PAGE_SHIFT,
		.shift = shift_of(r->slice_bytes),
		.servers = (u16)r->homes_nr,
	};
}

/* This home has given us all of its pages. */
static void take_claim(struct gvm_shared *r, struct gvm_home_link *h)
{
	const u64 slice = r->slice_bytes >> GVM_PAGE_SHIFT;

	for (u64 page = 0; page < r->slices.pages; page += slice) {
		if (gvm_home_link_of(r, page) == h)
			gvm_node_claim(h->node, page, slice);
	}
}

static void all_joined(struct gvm_shared *r)
{
	for (u32 i = 0; i < r->homes_nr; i++)
		if (!r->homes[i].joined)
			return;
	gvm_shared_started(r, 1);
}

static void joined(struct gvm_shared *r, struct gvm_home_link *h,
		   const struct gvm_head *head, const struct gvm_joined *j)
{
	const bool again = h->joined;

	h->state = GVM_LINK_UP;
	h->handle = head->region;
	h->lease_ns = gvm_le32(j->lease_ms) * MS;
	h->renewed_ns = h->ping_ns;
	if (again)
		gvm_lease_timer_set(r);
	h->backoff_ns = BACKOFF_MIN_NS;
	if (again) {
		if (h->epoch != head->epoch)
			gvm_shared_fatal(r, "server %s has given up this node's membership of region %s; stopping, because its pages are lost",
					 name_of(r, h), r->name);
		return;
	}
	h->epoch = head->epoch;
	if (h == r->homes)
		learn_region(r, j);
	if (make_node(r, h)) {
		gvm_format(r->why, sizeof(r->why),
			   "out of memory for the pages of region %s", r->name);
		gvm_shared_started(r, -ENOMEM);
		return;
	}
	h->joined = 1;
	gvm_lease_timer_set(r);
	if (gvm_le32(j->claimed))
		take_claim(r, h);
	for (u32 i = 1; h == r->homes && i < r->homes_nr; i++)
		start_connect(r, &r->homes[i]);
	all_joined(r);
}

/* An ERROR before we are up: can it be cured by waiting? */
static void refused(struct gvm_shared *r, struct gvm_home_link *h,
		    const struct gvm_error *e)
{
	const u32 code = gvm_le32(e->code);

	if (h->joined && code != GVM_ERR_BUSY && code != GVM_ERR_SHUTDOWN)
		gvm_shared_fatal(r, "server %s no longer serves node %u of region %s (%s); stopping, because its pages are lost",
				 name_of(r, h), r->id, r->name, e->text);
	if (h->joined || code == GVM_ERR_BUSY ||
	    (code == GVM_ERR_MEMBER && r->flags & GVM_SHARED_WAIT)) {
		disconnect(r, h);
		return;
	}
	gvm_format(r->why, sizeof(r->why), "server %s: %s", name_of(r, h),
		   e->text);
	disconnect(r, h);
	gvm_shared_started(r, code == GVM_ERR_VERSION ? -EPROTONOSUPPORT :
			   code == GVM_ERR_MEMBER ? -EBUSY :
			   code == GVM_ERR_NO_REGION ? -ENOENT : -EINVAL);
}

static void message(struct gvm_shared *r, struct gvm_home_link *h,
		    const struct gvm_head *head, const void *payload)
{
	const struct gvm_peer_is *is = payload;
	const struct gvm_member *m = payload;

	if (head->type >= GVM_MSG_CO_FIRST && head->type <= GVM_MSG_CO_LAST) {
		gvm_shared_message(r, head, payload, GVM_NODE_HOME);
		return;
	}
	switch (head->type) {
	case GVM_MSG_PONG:
		if (head->txn <= h->renewed_ns)
			break;
		h->renewed_ns = head->txn;
		gvm_lease_timer_set(r);
		break;
	case GVM_MSG_PEER_IS:
		gvm_peer_is(r, gvm_le16(is->node), gvm_le32(is->epoch),
			    gvm_le16(is->member) ? is->address : NULL);
		break;
	case GVM_MSG_MEMBER:
		/* Epochs are per home; peers go by server 0's. */
		if (h == r->homes)
			gvm_peer_gone(r, gvm_le16(m->node));
		break;
	case GVM_MSG_ERROR:
		refused(r, h, payload);
		break;
	case GVM_MSG_HELLO:
		if (h->state == GVM_LINK_HELLO)
			say_join(r, h);
		break;
	case GVM_MSG_JOINED:
		if (h->state == GVM_LINK_JOIN)
			joined(r, h, head, payload);
		break;
	case GVM_MSG_LEFT:
		h->left = 1;
		gvm_lease_timer_set(r);
		break;
	default:
		lost(r, h, "sent a message out of turn");
	}
}

static void receive(struct gvm_shared *r, struct gvm_home_link *h)
{
	struct gvm_conn *c = &h->conn;
	const void *payload;
	struct gvm_head head;
	int n = gvm_conn_fill(c);

	if (n < 0) {
		lost(r, h, c->why);
		return;
	}
	while (gvm_conn_open(c) &&
	       (n = gvm_conn_next(c, &head, &payload)) > 0)
		message(r, h, &head, payload);
	if (gvm_conn_open(c) && n < 0)
		lost(r, h, c->why);
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
			lost(r, h, h->conn.why);
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
		lost(r, h, "the connection failed");
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
		lost(r, h, "the connection failed");
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

void gvm_home_link_ask_peer(struct gvm_shared *r, u16 node)
{
	struct gvm_peer peer = { .node = node };

	if (r->homes[0].state == GVM_LINK_UP)
		post(r, &r->homes[0], GVM_MSG_PEER, 3, &peer, sizeof(peer));
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
				 name_of(r, h),
				 (unsigned int)(silent / MS),
				 r->id, r->name);
	if (h->state == GVM_LINK_UP && now - h->ping_ns > h->lease_ns / 8) {
		h->ping_ns = now;
		post(r, h, GVM_MSG_PING, now, NULL, 0);
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
			start_connect(r, h);
		else if (h->state > GVM_LINK_DOWN && h->state < GVM_LINK_LEAVE &&
			 r->now_ns - h->began_ns > TRY_NS)
			lost(r, h, "no answer");
	}
}

/* Everything has been given back: say so.  True: all know. */
bool gvm_homes_leave(struct gvm_shared *r)
{
	bool all = true;

	for (u32 i = 0; i < r->homes_nr; i++) {
		struct gvm_home_link *h = &r->homes[i];

		if (h->state == GVM_LINK_UP && !h->left &&
		    post(r, h, GVM_MSG_LEAVE, 4, NULL, 0))
			h->state = GVM_LINK_LEAVE;
		all &= h->left || !h->joined;
	}
	return all;
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
