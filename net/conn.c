// SPDX-License-Identifier: GPL-2.0-or-later
/* Framing over a stream socket; see conn.h for the contract. */
#define _GNU_SOURCE
#include <sys/socket.h>

#include "conn.h"
#include "sys.h"

void gvm_conn_init(struct gvm_conn *c, int fd, void *rx, u32 rx_cap,
		   void *tx, u32 tx_cap)
{
	*c = (struct gvm_conn){
		.fd = fd, .rx = rx, .rx_cap = rx_cap, .tx = tx, .tx_cap = tx_cap,
	};
}

void gvm_conn_init_pipe(struct gvm_conn *c, struct gvm_pipe *pipe,
			enum gvm_pipe_end end, void *rx, u32 rx_cap, void *tx,
			u32 tx_cap)
{
	gvm_conn_init(c, -1, rx, rx_cap, tx, tx_cap);
	c->pipe = pipe;
	c->end = end;
}

static long take(struct gvm_conn *c, u8 *to, u32 room)
{
	if (c->pipe)
		return gvm_pipe_read(c->pipe, c->end, to, room);
	return gvm_sys(SYS_recvfrom, c->fd, to, room, MSG_DONTWAIT, 0, 0);
}

long gvm_conn_write(const struct gvm_conn *c, const struct iovec *iov,
		    int iov_nr)
{
	struct msghdr mh = {
		.msg_iov = (struct iovec *)(uintptr_t)iov,
		.msg_iovlen = (size_t)iov_nr,
	};
	long n;

	if (!c->pipe)
		return gvm_sys(SYS_sendmsg, c->fd, &mh,
			       MSG_DONTWAIT | MSG_NOSIGNAL);
	n = gvm_pipe_write(c->pipe, c->end, iov, iov_nr);
	return n ? n : -EAGAIN;
}

int gvm_conn_fill(struct gvm_conn *c)
{
	long n;

	if (c->rx_head == c->rx_tail) {
		c->rx_head = 0;
		c->rx_tail = 0;
	} else if (c->rx_head > c->rx_cap / 2) {
		/* Half is consumed: moving the rest costs less than it frees. */
		memmove(c->rx, c->rx + c->rx_head, c->rx_tail - c->rx_head);
		c->rx_tail -= c->rx_head;
		c->rx_head = 0;
	}
	if (c->rx_tail == c->rx_cap && c->rx_head) {
		memmove(c->rx, c->rx + c->rx_head, c->rx_tail - c->rx_head);
		c->rx_tail -= c->rx_head;
		c->rx_head = 0;
	}
	if (c->rx_tail == c->rx_cap) {
		c->why = "message larger than the receive buffer";
		return -EMSGSIZE;
	}

	n = take(c, c->rx + c->rx_tail, c->rx_cap - c->rx_tail);
	if (n > 0) {
		c->rx_tail += (u32)n;
		c->bytes_in += (u64)n;
		return (int)n;
	}
	if (n == 0 || n == -EPIPE) {
		c->why = "the peer closed the connection";
		return -EPIPE;
	}
	if (n == -EAGAIN || n == -EINTR)
		return 0;
	c->why = "receiving failed";
	return (int)n;
}

int gvm_conn_next(struct gvm_conn *c, struct gvm_head *ret_head,
		  const void **ret_payload)
{
	const u8 *at = c->rx + c->rx_head;
	u32 have = c->rx_tail - c->rx_head;
	struct gvm_head head;
	int err;

	if (have < sizeof(struct gvm_msg))
		return 0;
	err = gvm_codec_header(at, &head, &c->why);
	if (err)
		return err;
	if (head.payload_len > c->rx_cap - sizeof(struct gvm_msg)) {
		c->why = "message larger than the receive buffer";
		return -EMSGSIZE;
	}
	if (have < sizeof(struct gvm_msg) + head.payload_len)
		return 0;
	at += sizeof(struct gvm_msg);
	err = gvm_codec_check(&head, at, &c->why);
	if (err)
		return err;

	c->rx_head += (u32)sizeof(struct gvm_msg) + head.payload_len;
	*ret_head = head;
	*ret_payload = at;
	return 1;
}

/* Append what the socket did not take, starting done bytes into the iovecs. */
static void keep_rest(struct gvm_conn *c, const struct iovec *iov, int iov_nr,
		      size_t done)
{
	for (int i = 0; i < iov_nr; i++) {
		const u8 *base = iov[i].iov_base;
		size_t len = iov[i].iov_len;

		if (done >= len) {
			done -= len;
			continue;
		}
		memcpy(c->tx + c->tx_tail, base + done, len - done);
		c->tx_tail += (u32)(len - done);
		done = 0;
	}
}

static void compact_tx(struct gvm_conn *c)
{
	if (!c->tx_head)
		return;
	memmove(c->tx, c->tx + c->tx_head, c->tx_tail - c->tx_head);
	c->tx_tail -= c->tx_head;
	c->tx_head = 0;
}

static size_t total_of(const struct iovec *iov, int iov_nr)
{
	size_t total = 0;

	for (int i = 0; i < iov_nr; i++)
		total += iov[i].iov_len;
	return total;
}

int gvm_conn_queue(struct gvm_conn *c, const struct iovec *iov, int iov_nr)
{
	if (total_of(iov, iov_nr) > c->tx_cap - gvm_conn_pending(c))
		return -ENOBUFS;
	compact_tx(c);
	keep_rest(c, iov, iov_nr, 0);
	return 0;
}

/* Nothing waits: from where it lies, without a copy. */
static int send_now(struct gvm_conn *c, const struct iovec *iov, int iov_nr)
{
	long n = gvm_conn_write(c, iov, iov_nr);

	if (n == -EAGAIN || n == -EINTR)
		n = 0;
	if (n < 0) {
		c->why = "sending failed";
		return (int)n;
	}
	c->bytes_out += (u64)n;
	if ((size_t)n == total_of(iov, iov_nr))
		return 0;
	compact_tx(c);
	keep_rest(c, iov, iov_nr, (size_t)n);
	c->tx_blocked = true;
	return 0;
}

int gvm_conn_send(struct gvm_conn *c, struct iovec *iov, int iov_nr)
{
	int err;

	if (!gvm_conn_pending(c) && total_of(iov, iov_nr) <= c->tx_cap)
		return send_now(c, iov, iov_nr);
	/* Order on the stream: older bytes first. */
	err = gvm_conn_queue(c, iov, iov_nr);
	if (err || c->tx_blocked)
		return err;
	err = gvm_conn_flush(c);
	c->tx_blocked = err > 0;
	return err < 0 ? err : 0;
}

int gvm_conn_flush(struct gvm_conn *c)
{
	while (gvm_conn_pending(c)) {
		const struct iovec iov = {
			c->tx + c->tx_head, gvm_conn_pending(c),
		};
		long n = gvm_conn_write(c, &iov, 1);

		if (n == -EAGAIN || n == -EINTR)
			return 1;
		if (n < 0) {
			c->why = "sending failed";
			return (int)n;
		}
		c->bytes_out += (u64)n;
		c->tx_head += (u32)n;
	}
	c->tx_head = 0;
	c->tx_tail = 0;
	c->tx_blocked = false;
	return 0;
}

void gvm_conn_close(struct gvm_conn *c)
{
	if (c->fd >= 0)
		gvm_sys(SYS_close, c->fd);
	if (c->pipe)
		gvm_pipe_close(c->pipe);
	c->pipe = NULL;
	c->fd = -1;
	c->rx_head = 0;
	c->rx_tail = 0;
	c->tx_head = 0;
	c->tx_tail = 0;
	c->tx_blocked = false;
}
