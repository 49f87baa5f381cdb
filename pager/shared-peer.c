// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Connections to other nodes: made when there is something to say, kept while
 * they are used, at most GVM_PEERS_MAX at a time.
 *
 * A message that cannot be delivered is dropped: the protocol sends again what
 * matters, and home knows who is dead.  Whoever connects says who it is; its
 * claim is checked with server 0, which also knows where everybody lives.
 */
#define _GNU_SOURCE
#include <sys/epoll.h>
#include <sys/mman.h>

#include "engine.h"
#include "mem.h"
#include "shared.h"
#include "sys.h"
#include "tune.h"

#define AGAIN_NS	100000000ull	/* before an unreachable one is tried */
#define TRY_NS		2000000000ull
#define BACKLOG		1024

static u32 index_of(const struct gvm_shared *r, const struct gvm_peer_link *p)
{
	return (u32)(p - r->peers);
}

static void want_out(struct gvm_shared *r, struct gvm_peer_link *p)
{
	const bool on = p->state == GVM_LINK_CONNECTING || p->conn.tx_blocked;

	if (p->wants_out == on || p->conn.fd < 0)
		return;
	p->wants_out = on;
	gvm_shared_watch(r, EPOLL_CTL_MOD, p->conn.fd,
			 GVM_DATA_PEER | index_of(r, p), on);
}

static void close_peer(struct gvm_shared *r, struct gvm_peer_link *p)
{
	if (p->conn.fd >= 0) {
		gvm_fd_mine(p->conn.fd, false);
		gvm_conn_close(&p->conn);
	}
	p->conn.tx_head = 0;
	p->conn.tx_tail = 0;
	p->state = GVM_LINK_DOWN;
	p->wants_out = false;
	if (p->inbound && p->node != GVM_NODE_NONE) {
		if (r->peer_of[p->node] == index_of(r, p))
			r->peer_of[p->node] = GVM_PEER_NONE;
		p->node = GVM_NODE_NONE;
	}
	/* One that we tried keeps its place, so that it is not tried at once. */
	p->began_ns = r->now_ns + AGAIN_NS;
}

static void forget(struct gvm_shared *r, struct gvm_peer_link *p)
{
	close_peer(r, p);
	if (p->node != GVM_NODE_NONE &&
	    r->peer_of[p->node] == index_of(r, p))
		r->peer_of[p->node] = GVM_PEER_NONE;
	p->node = GVM_NODE_NONE;
	p->began_ns = 0;
}

/* A free place, or that of the one used longest ago. */
static struct gvm_peer_link *take_place(struct gvm_shared *r)
{
	struct gvm_peer_link *best = NULL;

	for (u32 i = 0; i < GVM_PEERS_MAX; i++) {
		struct gvm_peer_link *p = &r->peers[i];

		if (p->busy)
			continue;
		if (p->state == GVM_LINK_DOWN && p->node == GVM_NODE_NONE) {
			best = p;
			break;
		}
		if (!best || p->used_ns < best->used_ns)
			best = p;
	}
	if (!best)
		return NULL;
	forget(r, best);
	if (!best->conn.rx)
		best->conn.rx = gvm_mem_map(GVM_PEER_RX_BYTES);
	if (!best->conn.tx)
		best->conn.tx = gvm_mem_map(GVM_PEER_TX_BYTES);
	if (!best->conn.rx || !best->conn.tx)
		return NULL;
	gvm_conn_init(&best->conn, -1, best->conn.rx, GVM_PEER_RX_BYTES,
		      best->conn.tx, GVM_PEER_TX_BYTES);
	best->used_ns = r->now_ns;
	best->inbound = false;
	return best;
}

/*
 * What is said before the connection stands waits in tx; after it, tx begins
 * with our HELLO and PEER_HELLO.
 */
static void keep(struct gvm_peer_link *p, const struct iovec *iov, int nr)
{
	struct gvm_conn *c = &p->conn;
	size_t total = 0;

	for (int i = 0; i < nr; i++)
		total += iov[i].iov_len;
	if (total > c->tx_cap - c->tx_tail)
		return;
	for (int i = 0; i < nr; i++) {
		memcpy(c->tx + c->tx_tail, iov[i].iov_base, iov[i].iov_len);
		c->tx_tail += (u32)iov[i].iov_len;
	}
}

static void say_hello(struct gvm_shared *r, struct gvm_peer_link *p)
{
	u8 head[2][sizeof(struct gvm_msg)];
	struct gvm_hello hello = {
		.magic = GVM_HELLO_MAGIC,
		.version_min = GVM_WIRE_VERSION,
		.version_max = GVM_WIRE_VERSION,
	};
	struct gvm_peer_hello me = {
		.from = r->id, .to = p->node, .epoch = r->homes[0].epoch,
	};
	const struct iovec iov[4] = {
		{ head[0], sizeof(head[0]) }, { &hello, sizeof(hello) },
		{ head[1], sizeof(head[1]) }, { &me, sizeof(me) },
	};

	memcpy(me.region, r->region, sizeof(me.region));
	gvm_codec_put(head[0], GVM_MSG_HELLO, 0, sizeof(hello), 0, 0, 1);
	gvm_codec_put(head[1], GVM_MSG_PEER_HELLO, 0, sizeof(me), 0, 0, 2);
	keep(p, iov, 4);
}

static void flush(struct gvm_shared *r, struct gvm_peer_link *p)
{
	int left = gvm_conn_flush(&p->conn);

	if (left < 0) {
		close_peer(r, p);
		return;
	}
	p->conn.tx_blocked = left > 0;
	want_out(r, p);
}

static struct gvm_peer_link *start(struct gvm_shared *r, u16 node)
{
	struct gvm_peer_link *p;
	u16 at = r->peer_of[node];

	if (at != GVM_PEER_NONE && r->peers[at].state != GVM_LINK_DOWN)
		return &r->peers[at];
	/* Failed a moment ago? */
	if (at != GVM_PEER_NONE && r->now_ns < r->peers[at].began_ns)
		return NULL;
	if (at != GVM_PEER_NONE)
		forget(r, &r->peers[at]);
	p = take_place(r);
	if (!p)
		return NULL;
	p->node = node;
	p->state = GVM_LINK_ASKING;
	p->began_ns = r->now_ns;
	r->peer_of[node] = (u16)index_of(r, p);
	say_hello(r, p);
	gvm_home_link_ask_peer(r, node);
	return p;
}

void gvm_peer_send(struct gvm_shared *r, u16 node, struct iovec *iov, int nr)
{
	struct gvm_peer_link *p;
	int err;

	if (node >= GVM_NODES_MAX || node == r->id)
		return;
	p = start(r, node);
	if (!p)
		return;
	p->used_ns = r->now_ns;
	if (p->state == GVM_LINK_ASKING || p->state == GVM_LINK_CONNECTING) {
		keep(p, iov, nr);
		return;
	}
	err = gvm_conn_send(&p->conn, iov, nr);
	if (err && err != -ENOBUFS)
		close_peer(r, p);
	else
		want_out(r, p);
}

static void connect_to(struct gvm_shared *r, struct gvm_peer_link *p,
		       const char *address)
{
	struct gvm_server_addr a = { .len = 0 };
	long fd;

	if (gvm_parse_address(&a, address, false)) {
		close_peer(r, p);
		return;
	}
	fd = gvm_socket_connect(&a.addr, a.len);
	if (fd < 0) {
		close_peer(r, p);
		return;
	}
	p->conn.fd = (int)fd;
	p->state = GVM_LINK_CONNECTING;
	p->wants_out = true;
	gvm_shared_watch(r, EPOLL_CTL_ADD, p->conn.fd,
			 GVM_DATA_PEER | index_of(r, p), true);
}

/* Server 0 says who a node is; address is NULL if there is none. */
void gvm_peer_is(struct gvm_shared *r, u16 node, u32 epoch,
		 const char *address)
{
	for (u32 i = 0; i < GVM_PEERS_MAX; i++) {
		struct gvm_peer_link *p = &r->peers[i];

		if (p->node != node || p->state == GVM_LINK_DOWN)
			continue;
		if (p->state == GVM_LINK_ASKING) {
			p->epoch = epoch;
			if (address && *address)
				connect_to(r, p, address);
			else
				close_peer(r, p);
		} else if (!address || p->epoch != epoch) {
			/* It says it is a node that it is not (any more). */
			forget(r, p);
		}
	}
}

void gvm_peer_gone(struct gvm_shared *r, u16 node)
{
	for (u32 i = 0; i < GVM_PEERS_MAX; i++)
		if (r->peers[i].node == node)
			forget(r, &r->peers[i]);
}

static void connected(struct gvm_shared *r, struct gvm_peer_link *p)
{
	int err = 0;
	socklen_t len = sizeof(err);

	gvm_sys(SYS_getsockopt, p->conn.fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (err) {
		close_peer(r, p);
		return;
	}
	p->state = GVM_LINK_HELLO;
	flush(r, p);
}

static void greeted(struct gvm_shared *r, struct gvm_peer_link *p,
		    const struct gvm_peer_hello *h)
{
	const u16 from = gvm_le16(h->from);

	if (memcmp(h->region, r->region, sizeof(r->region)) != 0 ||
	    gvm_le16(h->to) != r->id || from >= GVM_NODES_MAX ||
	    from == r->id || (!p->inbound && from != p->node)) {
		forget(r, p);
		return;
	}
	p->state = GVM_LINK_UP;
	if (!p->inbound)
		return;
	p->node = from;
	p->epoch = gvm_le32(h->epoch);
	if (r->peer_of[from] == GVM_PEER_NONE ||
	    r->peers[r->peer_of[from]].state == GVM_LINK_DOWN)
		r->peer_of[from] = (u16)index_of(r, p);
	say_hello(r, p);
	flush(r, p);
	gvm_home_link_ask_peer(r, from);
}

static void message(struct gvm_shared *r, struct gvm_peer_link *p,
		    const struct gvm_head *head, const void *payload)
{
	if (head->type >= GVM_MSG_CO_FIRST && head->type <= GVM_MSG_CO_LAST &&
	    p->state == GVM_LINK_UP)
		gvm_shared_message(r, head, payload, p->node);
	else if (head->type == GVM_MSG_PEER_HELLO && p->state == GVM_LINK_HELLO)
		greeted(r, p, payload);
	else if (head->type != GVM_MSG_HELLO)
		forget(r, p);
}

static void receive(struct gvm_shared *r, struct gvm_peer_link *p)
{
	struct gvm_conn *c = &p->conn;
	const void *payload;
	struct gvm_head head;
	int n = gvm_conn_fill(c);

	p->used_ns = r->now_ns;
	p->busy = true;
	while (n >= 0 && c->fd >= 0 &&
	       (n = gvm_conn_next(c, &head, &payload)) > 0)
		message(r, p, &head, payload);
	p->busy = false;
	if (c->fd >= 0 && n < 0)
		close_peer(r, p);
}

void gvm_peer_event(struct gvm_shared *r, u32 index, u32 events)
{
	struct gvm_peer_link *p = &r->peers[index];

	if (p->conn.fd < 0)
		return;
	if (p->state == GVM_LINK_CONNECTING) {
		connected(r, p);
		return;
	}
	if (events & EPOLLOUT)
		flush(r, p);
	if (p->conn.fd >= 0 && (events & ~(u32)EPOLLOUT))
		receive(r, p);
}

void gvm_peer_accept(struct gvm_shared *r)
{
	struct gvm_peer_link *p;
	long fd;

	fd = gvm_sys(SYS_accept4, r->listenfd, 0, 0,
		     SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	fd = gvm_fd_high((int)fd);
	p = fd < 0 ? NULL : take_place(r);
	if (!p) {
		gvm_fd_mine((int)fd, false);
		gvm_sys(SYS_close, fd);
		return;
	}
	gvm_tune((int)fd);
	p->conn.fd = (int)fd;
	p->inbound = true;
	p->state = GVM_LINK_HELLO;
	p->began_ns = r->now_ns;
	p->wants_out = false;
	gvm_shared_watch(r, EPOLL_CTL_ADD, p->conn.fd,
			 GVM_DATA_PEER | index_of(r, p), false);
}

void gvm_peers_tick(struct gvm_shared *r)
{
	for (u32 i = 0; i < GVM_PEERS_MAX; i++) {
		struct gvm_peer_link *p = &r->peers[i];

		if (p->state > GVM_LINK_DOWN && p->state < GVM_LINK_UP &&
		    r->now_ns > p->began_ns + TRY_NS)
			forget(r, p);
	}
}

int gvm_peers_init(struct gvm_shared *r, const char *listen)
{
	memset(r->peer_of, 0xff, sizeof(r->peer_of));
	for (u32 i = 0; i < GVM_PEERS_MAX; i++) {
		r->peers[i].conn.fd = -1;
		r->peers[i].node = GVM_NODE_NONE;
	}
	return gvm_peers_listen(r, listen, BACKLOG);
}

void gvm_peers_fini(struct gvm_shared *r)
{
	for (u32 i = 0; i < GVM_PEERS_MAX; i++) {
		struct gvm_peer_link *p = &r->peers[i];

		forget(r, p);
		gvm_mem_unmap(p->conn.rx, GVM_PEER_RX_BYTES);
		gvm_mem_unmap(p->conn.tx, GVM_PEER_TX_BYTES);
	}
	if (r->listenfd >= 0) {
		gvm_fd_mine(r->listenfd, false);
		gvm_sys(SYS_close, r->listenfd);
	}
	r->listenfd = -1;
}
