// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One connection's turn: receive a bounded amount, answer it, send a bounded
 * amount.  Bounded, so that a client that streams gigabytes delays another's
 * single page by one turn and not by its queue.
 *
 * A connection in which nothing is under way holds no buffer: it is this
 * struct and a socket.  A receive buffer is borrowed when the socket has bytes
 * and returned when no message is half received.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker.h"

#define TURN_BYTES	(512u << 10)	/* received and answered in a turn */
#define SEND_BYTES	(512u << 10)	/* sent in a turn */
#define OUT_BYTES_MAX	(1u << 20)	/* unsent: no more requests are taken */
#define RX_BYTES	(256u << 10)	/* received at once: stays in the cache */
#define IOV_MAX_OURS	256

/*
 * Another worker, with the leases locked, took this session's region away.
 * The socket cannot be closed and its number reused meanwhile: its owner first
 * leaves the region, for which it needs that lock.  Ending the receiving side
 * makes the owner look.
 */
static void cut(struct gvm_session *session)
{
	struct gvm_link *k = (struct gvm_link *)((u8 *)session -
				offsetof(struct gvm_link, session));

	if (k->conn.pipe)
		gvm_pipe_close(k->conn.pipe);
	else
		shutdown(k->conn.fd, SHUT_RD);
}

/* Behind what waits already; takes the frame's reference over.  Own thread. */
static bool append(struct gvm_link *k, const void *head, u32 bytes, u32 frame)
{
	struct gvm_reply *reply;
	void *at;

	if (k->out.bytes >= OUT_BYTES_MAX || k->closing || k->broken)
		goto err_put;
	if (!frame) {
		at = gvm_out_small(&k->out, bytes);
		if (at)
			memcpy(at, head, bytes);
		return at;
	}
	reply = gvm_out_data(&k->out, 1, bytes);
	if (!reply)
		goto err_put;
	memcpy(reply->head, head, bytes);
	reply->frames[reply->frames_nr++] = frame;
	gvm_out_done(&k->out, reply);
	return true;

err_put:
	if (frame)
		gvm_frames_put(k->out.frames, GVM_FRAME_DATA, 1, &frame);
	return false;
}

/*
 * A message for this session's node.  From the thread that owns the connection
 * (always, if the server has one worker) it goes the short way; a hand-over to
 * another thread costs a copy of the header and a wake-up.
 */
static bool send_to(struct gvm_session *session, const void *head, u32 bytes,
		    u32 frame, bool later)
{
	struct gvm_link *k = (struct gvm_link *)((u8 *)session -
				offsetof(struct gvm_link, session));
	struct gvm_worker *w = k->worker;
	struct gvm_post *p;

	if (gvm_worker_self() == w) {
		bool alone = k->out.bytes == k->later;
		bool ok = append(k, head, bytes, frame);

		/* A pipe costs no system call. */
		if (later && alone && !k->conn.pipe && gvm_later_add(w, k))
			k->later = k->out.bytes;
		else if (w->turning != k)
			gvm_worker_push(w, k);
		return ok;
	}
	p = malloc(sizeof(*p) + bytes);
	if (p) {
		p->frame = frame;
		p->bytes = bytes;
		memcpy(p->head, head, bytes);
		if (gvm_worker_post(w, k, p))
			return true;
		free(p);
	}
	if (frame)
		gvm_frames_put(&w->server->service.store.frames,
			       GVM_FRAME_DATA, 1, &frame);
	return false;
}

void gvm_link_take_posts(struct gvm_link *k, struct gvm_post *posts)
{
	while (posts) {
		struct gvm_post *p = posts;

		posts = p->next;
		if (!append(k, p->head, p->bytes, p->frame))
			gvm_member_dropped(&k->session);
		free(p);
	}
}

struct gvm_link *gvm_link_open(struct gvm_worker *w, int fd)
{
	struct gvm_link *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	gvm_conn_init(&k->conn, fd, NULL, 0, NULL, 0);
	gvm_session_init(&k->session, &w->server->service, cut, send_to);
	gvm_out_init(&k->out, &w->replies, &w->server->service.store.frames);
	k->worker = w;
	k->writable = true;
	return k;
}

struct gvm_link *gvm_link_open_pipe(struct gvm_worker *w,
				    struct gvm_pipe *pipe)
{
	struct gvm_link *k = gvm_link_open(w, -1);

	if (k)
		gvm_conn_init_pipe(&k->conn, pipe, GVM_PIPE_SERVER, NULL, 0,
				   NULL, 0);
	return k;
}

static void return_rx(struct gvm_link *k)
{
	gvm_worker_rx_return(k->worker, k->conn.rx);
	k->conn.rx = NULL;
	k->conn.rx_cap = 0;
	k->conn.rx_head = 0;
	k->conn.rx_tail = 0;
}

void gvm_link_close(struct gvm_link *k)
{
	struct gvm_worker *w = k->worker;

	if (w->piped == k)
		w->piped = NULL;
	gvm_later_remove(w, k);
	gvm_session_exit(&k->session);
	/* Nobody can post any more; what was, is dropped. */
	k->closing = true;
	gvm_link_take_posts(k, gvm_worker_unpost(w, k));
	gvm_out_drop(&k->out);
	if (k->conn.rx)
		return_rx(k);
	pthread_mutex_lock(&w->lock);
	if (k->prev)
		k->prev->next = k->next;
	else
		w->links = k->next;
	if (k->next)
		k->next->prev = k->prev;
	pthread_mutex_unlock(&w->lock);
	gvm_conn_close(&k->conn);
	if (!k->flushing)
		free(k);
}

void gvm_link_flushed(struct gvm_link *k)
{
	k->flushing = false;
	if (!gvm_conn_open(&k->conn))
		free(k);
	else
		gvm_session_flushed(k->flush_txn, k->flush_err, &k->out);
}

/* Say why, to the client and to the operator. */
static void refuse(struct gvm_link *k, u32 code, const char *why)
{
	char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	if (!getpeername(k->conn.fd, (struct sockaddr *)&peer, &len))
		getnameinfo((struct sockaddr *)&peer, len, host, sizeof(host),
			    port, sizeof(port),
			    NI_NUMERICHOST | NI_NUMERICSERV);
	/* The end of a session is its client's affair, not the operator's. */
	if (code != GVM_ERR_FENCED)
		gvm_server_log(k->worker->server, "giantvm: connection from %s port %s: %s; closed",
			       host, port, why);
	gvm_session_error(&k->out, 0, code, why);
	k->closing = true;
}

/* Something must go; not only what may go later. */
static bool urgent(const struct gvm_link *k)
{
	return k->out.bytes != k->later;
}

/* Send some of what waits. */
static void pump(struct gvm_link *k)
{
	struct iovec iov[IOV_MAX_OURS];
	u64 room = SEND_BYTES;

	if (!urgent(k))
		return;
	k->later = 0;
	while (k->out.bytes && k->writable && room && !k->broken) {
		int nr = gvm_out_gather(&k->out, iov, IOV_MAX_OURS, room);
		long n = gvm_conn_write(&k->conn, iov, nr);

		if (n < 0) {
			if (n == -EAGAIN)
				k->writable = false;
			else if (n != -EINTR)
				k->broken = true;
			continue;
		}
		gvm_out_sent(&k->out, (u64)n);
		room -= (u64)n;
	}
}

/*
 * Receive up to the end of a large message, so that the buffer is empty after
 * it and nothing has to be moved; otherwise what fits.
 */
static void size_rx(struct gvm_conn *c)
{
	u32 have = c->rx_tail - c->rx_head;
	u32 want = RX_BYTES;
	struct gvm_msg msg;

	if (have >= sizeof(msg)) {
		memcpy(&msg, c->rx + c->rx_head, sizeof(msg));
		/* gvm_conn_next() has judged the length. */
		want = (u32)sizeof(msg) + gvm_le32(msg.payload_len);
	}
	if (want < RX_BYTES)
		want = RX_BYTES;
	if (c->rx_head && c->rx_head + want > GVM_RX_BYTES) {
		memmove(c->rx, c->rx + c->rx_head, have);
		c->rx_head = 0;
		c->rx_tail = have;
	}
	c->rx_cap = c->rx_head + want;
	if (c->rx_cap > GVM_RX_BYTES)
		c->rx_cap = GVM_RX_BYTES;
}

/*
 * True: something came.  Less than there was room for means that the socket is
 * empty, and that epoll will say when it no longer is; asking it again would
 * cost every demand read a system call.  But the end of the stream, once told
 * of, is not told again, so then it is read up to the end.
 */
static bool receive(struct gvm_link *k)
{
	u32 room;
	int n;

	if (!k->readable)
		return false;
	if (!k->conn.rx) {
		k->conn.rx = gvm_worker_rx_take(k->worker);
		if (!k->conn.rx) {
			refuse(k, GVM_ERR_LIMIT, "the server is out of memory for messages");
			return false;
		}
	}
	size_rx(&k->conn);
	room = k->conn.rx_cap - k->conn.rx_tail;
	n = gvm_conn_fill(&k->conn);
	if (n > 0) {
		k->readable = (u32)n >= room || k->hung_up;
		return true;
	}
	if (!n)
		k->readable = false;
	else if (__atomic_load_n(&k->session.fenced, __ATOMIC_ACQUIRE))
		refuse(k, GVM_ERR_FENCED, GVM_TEXT_FENCED);
	else
		k->broken = true;
	return false;
}

/* What a message cost us, in bytes. */
static u32 handle(struct gvm_link *k, const struct gvm_head *head,
		  const void *payload)
{
	u64 before = k->out.bytes;

	switch (gvm_session_message(&k->session, head, payload, &k->out)) {
	case GVM_SESSION_GO:
		break;
	case GVM_SESSION_CLOSE:
		k->closing = true;
		break;
	case GVM_SESSION_FLUSH:
		k->flush_txn = head->txn;
		k->flushing = true;
		gvm_keeper_flush(&k->worker->server->keeper, k);
		break;
	}
	return 256 + head->payload_len + (u32)(k->out.bytes - before);
}

/* Next whole message; receives if need be.  1, 0 or -errno. */
static int next(struct gvm_link *k, struct gvm_head *head, const void **payload)
{
	int r;

	for (;;) {
		/* The buffer is as large as any message: judge by that. */
		k->conn.rx_cap = GVM_RX_BYTES;
		r = k->conn.rx ? gvm_conn_next(&k->conn, head, payload) : 0;
		if (r || !receive(k))
			return r;
	}
}

static bool may_take(const struct gvm_link *k)
{
	return !k->closing && !k->broken && !k->flushing &&
	       k->out.bytes < OUT_BYTES_MAX;
}

bool gvm_link_turn(struct gvm_link *k)
{
	u32 budget = TURN_BYTES;
	bool drained = false;

	pump(k);
	while (may_take(k) && budget && !drained) {
		const void *payload;
		struct gvm_head head;
		int r = next(k, &head, &payload);

		if (r > 0) {
			u32 cost = handle(k, &head, payload);

			budget -= cost < budget ? cost : budget;
		} else if (r < 0) {
			refuse(k, GVM_ERR_MALFORMED, k->conn.why);
		} else {
			drained = true;
		}
	}
	pump(k);
	if (k->conn.rx && k->conn.rx_head == k->conn.rx_tail)
		return_rx(k);
	if (k->broken || k->closing) {
		gvm_link_close(k);
		return false;
	}
	/* Else epoll or the keeper brings it back. */
	return (may_take(k) && !drained) || (urgent(k) && k->writable);
}
