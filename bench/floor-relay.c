// SPDX-License-Identifier: GPL-2.0-or-later
/* The floor of a page that a third process has. */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "floor-relay.h"
#include "floor-tcp.h"

/* Both end when the one before them closes.  Passed on to us it is a small answer. */
static void pass_on(int in, int out, u64 spin_us)
{
	u8 request[FLOOR_REQUEST_BYTES];

	while (floor_read(in, request, sizeof(request), spin_us))
		floor_write(out, request, sizeof(request));
}

static void answer_page(int in, int out, u64 spin_us)
{
	static u8 reply[FLOOR_REPLY_BYTES];
	u8 request[FLOOR_REQUEST_BYTES];

	memset(reply, 0x5a, sizeof(reply));
	while (floor_read(in, request, sizeof(request), spin_us))
		floor_write(out, reply, sizeof(reply));
}

void floor_relay_open(struct floor_relay *f, int peer_cpu, u64 spin_us,
		      bool page)
{
	int request[2], forward[2], answer[2];

	fflush(stdout);
	floor_pair(request);
	floor_pair(forward);
	floor_pair(answer);
	f->peer[0] = floor_fork(request[1], forward[0], peer_cpu, spin_us,
				pass_on);
	f->peer[1] = floor_fork(forward[1], answer[1], peer_cpu, spin_us,
				page ? answer_page : pass_on);
	close(request[1]);
	close(forward[0]);
	close(forward[1]);
	close(answer[1]);
	f->request_fd = request[0];
	f->answer_fd = answer[0];
	f->spin_us = spin_us;
	f->answer_bytes = page ? FLOOR_REPLY_BYTES : FLOOR_REQUEST_BYTES;
}

void floor_relay_block(struct floor_relay *f, u64 nr, struct hist *h)
{
	u8 request[FLOOR_REQUEST_BYTES] = { 0 }, answer[FLOOR_REPLY_BYTES];

	for (u64 i = 0; i < nr; i++) {
		u64 t = now_ns();

		floor_write(f->request_fd, request, sizeof(request));
		if (!floor_read(f->answer_fd, answer, f->answer_bytes,
				f->spin_us))
			die("floor: connection");
		hist_add(h, now_ns() - t);
	}
}

void floor_relay_close(struct floor_relay *f)
{
	close(f->request_fd);
	close(f->answer_fd);
	waitpid(f->peer[0], NULL, 0);
	waitpid(f->peer[1], NULL, 0);
}
