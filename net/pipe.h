/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two byte streams between two ends in one thread, in the place of a socket
 * (struct gvm_conn has one): a client and a server that are driven by the same
 * thread talk without the kernel.  No end is ever woken: whoever drives both
 * looks after the other one when this one has written.
 *
 * Only `closed` may be set by another thread.
 */
#ifndef GVM_NET_PIPE_H
#define GVM_NET_PIPE_H

#include <sys/uio.h>
#include "gvm_port.h"

#define GVM_PIPE_BYTES	(4u << 20)	/* each way; touched only as far as used */

enum gvm_pipe_end {
	GVM_PIPE_CLIENT,
	GVM_PIPE_SERVER,
};

struct gvm_pipe_way {
	u32	head;
	u32	tail;
	u8	bytes[GVM_PIPE_BYTES];
};

/* All zero: open and empty. */
struct gvm_pipe {
	struct gvm_pipe_way from[2];	/* by the end that writes */
	bool	closed;			/* atomic */
};

/* Write what fits.  Bytes written, or -EPIPE. */
long gvm_pipe_write(struct gvm_pipe *p, enum gvm_pipe_end end,
		    const struct iovec *iov, int nr);

/* Bytes read, -EAGAIN, or -EPIPE when all was read and it is closed. */
long gvm_pipe_read(struct gvm_pipe *p, enum gvm_pipe_end end, void *to,
		   size_t room);

/* Is there something to read for this end? */
static inline bool gvm_pipe_readable(const struct gvm_pipe *p,
				     enum gvm_pipe_end end)
{
	const struct gvm_pipe_way *w = &p->from[!end];

	return w->head != w->tail ||
		__atomic_load_n(&p->closed, __ATOMIC_ACQUIRE);
}

static inline void gvm_pipe_close(struct gvm_pipe *p)
{
	__atomic_store_n(&p->closed, true, __ATOMIC_RELEASE);
}

#endif
