/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One framed connection: bytes of a stream socket become judged messages, and
 * messages become bytes.  Never blocks, never allocates, never logs; the owner
 * supplies buffers and decides when to read and write.
 *
 * Raw system calls only (net/sys.h): the pager's threads have no thread-local
 * storage of libc, so nothing here may touch errno.
 */
#ifndef GVM_NET_CONN_H
#define GVM_NET_CONN_H

#include <sys/uio.h>
#include "codec.h"
#include "pipe.h"

struct gvm_conn {
	int		fd;		/* -1: closed */
	struct gvm_pipe	*pipe;		/* NULL: a socket */
	enum gvm_pipe_end end;		/* ours, of that */
	bool		tx_blocked;	/* wants EPOLLOUT */
	u32		rx_cap;
	u32		rx_head;	/* first byte not consumed */
	u32		rx_tail;	/* end of received bytes */
	u32		tx_cap;
	u32		tx_head;
	u32		tx_tail;
	u8		*rx;		/* owner's; >= 32 + largest payload expected */
	u8		*tx;		/* owner's; what the socket did not take yet */
	u64		bytes_in;
	u64		bytes_out;
	const char	*why;		/* static: why the last call failed */
};

void gvm_conn_init(struct gvm_conn *c, int fd, void *rx, u32 rx_cap,
		   void *tx, u32 tx_cap);

/* The same for an end of a pipe; nothing is ever told about it by epoll. */
void gvm_conn_init_pipe(struct gvm_conn *c, struct gvm_pipe *pipe,
			enum gvm_pipe_end end, void *rx, u32 rx_cap, void *tx,
			u32 tx_cap);

/* Not closed? */
static inline bool gvm_conn_open(const struct gvm_conn *c)
{
	return c->fd >= 0 || c->pipe;
}

/*
 * Read what the socket has, up to the room left.  Bytes read, 0 if it would
 * block, -EPIPE at the end of the stream, or another -errno.  Moves the unread
 * rest to the front first when room is short: payload pointers given out
 * before are dead afterwards.
 */
int gvm_conn_fill(struct gvm_conn *c);

/*
 * Take the next whole, judged message.  1: *ret_head and *ret_payload (valid
 * until the next fill) are set.  0: none complete.  -EPROTO: the peer broke
 * the protocol, c->why says how; drop it.  -EMSGSIZE: larger than rx_cap.
 */
int gvm_conn_next(struct gvm_conn *c, struct gvm_head *ret_head,
		  const void **ret_payload);

/*
 * Send whole messages, gathered.  What the socket does not take now is copied
 * to tx and sent by gvm_conn_flush().  0, -ENOBUFS: tx has no room for the
 * rest of it and nothing was sent (only possible while tx is not empty or the
 * messages exceed tx_cap); or another -errno: the connection is dead.
 * iov is clobbered.
 */
int gvm_conn_send(struct gvm_conn *c, struct iovec *iov, int iov_nr);

/*
 * The same, but nothing is sent before the next gvm_conn_send() or _flush().
 * 0, or -ENOBUFS.
 */
int gvm_conn_queue(struct gvm_conn *c, const struct iovec *iov, int iov_nr);

/* Push out tx.  0 when empty, 1 if some is left (EPOLLOUT), or -errno. */
int gvm_conn_flush(struct gvm_conn *c);

/* Bytes that wait in tx. */
static inline u32 gvm_conn_pending(const struct gvm_conn *c)
{
	return c->tx_tail - c->tx_head;
}

/* sendmsg(), without waiting: bytes, or -errno. */
long gvm_conn_write(const struct gvm_conn *c, const struct iovec *iov,
		    int iov_nr);

void gvm_conn_close(struct gvm_conn *c);

#endif
