/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The least a page costs that a third process has: we ask one process, it passes
 * the request on to another, and that one answers us.  Three messages over TCP
 * between three processes that do nothing else: what a miss of a shared region is
 * whose page another node has.
 */
#ifndef GVM_BENCH_FLOOR_RELAY_H
#define GVM_BENCH_FLOOR_RELAY_H

#include <sys/types.h>
#include "lib.h"

struct floor_relay {
	int	request_fd;
	int	answer_fd;
	pid_t	peer[2];
	u64	spin_us;	/* look so long before sleeping; 0: sleep */
	size_t	answer_bytes;
};

/*
 * The answer carries a page, or is as small as a request.  Forks the peers: call it
 * before threads exist.  peer_cpu -1: any.
 */
void floor_relay_open(struct floor_relay *f, int peer_cpu, u64 spin_us,
		      bool page);

/* nr requests one after the other, each timed. */
void floor_relay_block(struct floor_relay *f, u64 nr, struct hist *h);

void floor_relay_close(struct floor_relay *f);

#endif
