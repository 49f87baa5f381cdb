/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The least the network can cost here: two processes, one TCP connection each
 * for requests and for a stream, blocking calls, no framing beyond the size of
 * a page request (48 bytes) and of its answer (4 KiB and 40 bytes).
 */
#ifndef GVM_BENCH_FLOOR_TCP_H
#define GVM_BENCH_FLOOR_TCP_H

#include <sys/types.h>
#include "lib.h"

struct floor_tcp {
	int	request_fd;
	int	stream_fd;
	pid_t	peer[2];
	u64	spin_us;	/* look so long before sleeping; 0: sleep */
	u8	*buf;		/* for the stream */
};

/*
 * Forks the peer: call it before threads exist.  peer_cpu -1: any.  A floor
 * proper has spin_us 0; spinning shows what there is to win above it.
 */
void floor_tcp_open(struct floor_tcp *f, int peer_cpu, u64 spin_us);

/* One page, by request and reply. */
void floor_tcp_page(struct floor_tcp *f, void *page);

/* nr requests one after the other, each timed. */
void floor_tcp_block(struct floor_tcp *f, u64 nr, struct hist *h, u64 *ret_ns);

/* Receive that many bytes as fast as the peer can send; nanoseconds taken. */
u64 floor_tcp_stream(struct floor_tcp *f, u64 bytes);

void floor_tcp_close(struct floor_tcp *f);

/* For floors of other shapes, such as floor-relay.c. */
#define FLOOR_REQUEST_BYTES	48u
#define FLOOR_REPLY_BYTES	(4096u + 40u)

/*
 * Both look for spin_us before they sleep.  read: false at the end of the stream
 * where a message may begin; errors and half a message end the program.
 */
bool floor_read(int fd, void *buf, size_t len, u64 spin_us);
void floor_write(int fd, const void *buf, size_t len);

/* A connected pair over loopback, without delay: ret[0] and ret[1]. */
void floor_pair(int ret[2]);

/*
 * A child that runs serve(in, out, spin_us) and has no other descriptor; in and out
 * may be the same.  It ends with us.  Call it before threads exist; the caller
 * closes its own copies.
 */
pid_t floor_fork(int in, int out, int cpu, u64 spin_us,
		 void (*serve)(int in, int out, u64 spin_us));

#endif
