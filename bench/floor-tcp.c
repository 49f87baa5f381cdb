// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The TCP floor: a peer process that answers requests and one that streams.
 *
 * Requests and stream have a peer process each, so that neither polls and
 * both wait in the cheapest call there is, a blocking read.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "floor-tcp.h"

#define STREAM_BYTES	(256u << 10)

/*
 * Look for spin_us before sleeping; yield between looks, or a peer that needs
 * this CPU would wait for the end of the spin.
 */
static ssize_t read_some(int fd, void *buf, size_t len, u64 spin_us)
{
	u64 end = spin_us ? now_ns() + spin_us * 1000 : 0;

	while (spin_us && now_ns() < end) {
		ssize_t n = recv(fd, buf, len, MSG_DONTWAIT);

		if (n >= 0 || errno != EAGAIN)
			return n;
		sched_yield();
	}
	return read(fd, buf, len);
}

bool floor_read(int fd, void *buf, size_t len, u64 spin_us)
{
	u8 *p = buf;
	size_t left = len;

	while (left) {
		ssize_t n = read_some(fd, p, left, spin_us);

		if (!n && left == len)
			return false;
		if (n <= 0)
			die("floor: connection");
		p += n;
		left -= (size_t)n;
	}
	return true;
}

void floor_write(int fd, const void *buf, size_t len)
{
	const u8 *p = buf;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n <= 0)
			die("floor: connection");
		p += n;
		len -= (size_t)n;
	}
}

void floor_pair(int ret[2])
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int one = 1, l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (l < 0 || bind(l, (struct sockaddr *)&a, len) || listen(l, 1) ||
	    getsockname(l, (struct sockaddr *)&a, &len))
		die("floor: listen");
	ret[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (ret[0] < 0 || connect(ret[0], (struct sockaddr *)&a, len))
		die("floor: connect");
	ret[1] = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	if (ret[1] < 0)
		die("floor: accept");
	close(l);
	for (int i = 0; i < 2; i++)
		setsockopt(ret[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* Both end when the other side closes. */
static void serve_requests(int in, int out, u64 spin_us)
{
	static u8 reply[FLOOR_REPLY_BYTES];
	u8 request[FLOOR_REQUEST_BYTES];

	memset(reply, 0x5a, sizeof(reply));
	while (floor_read(in, request, sizeof(request), spin_us))
		floor_write(out, reply, sizeof(reply));
}

static void serve_stream(int in, int out, u64 spin_us)
{
	static u8 buf[STREAM_BYTES];
	u64 bytes, part;

	memset(buf, 0x5a, sizeof(buf));
	while (floor_read(in, &bytes, sizeof(bytes), spin_us))
		for (; bytes; bytes -= part) {
			part = bytes < sizeof(buf) ? bytes : sizeof(buf);
			floor_write(out, buf, part);
		}
}

/*
 * The child keeps no other end: a copy of ours, of this pair or of an earlier
 * one, would keep that connection open after we close it.
 */
pid_t floor_fork(int in, int out, int cpu, u64 spin_us,
		 void (*serve)(int in, int out, u64 spin_us))
{
	pid_t pid = fork();
	int kept[2];

	if (pid < 0)
		die("fork");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Out of the way of 3 and 4 first. */
	kept[0] = fcntl(in, F_DUPFD, 16);
	kept[1] = fcntl(out, F_DUPFD, 16);
	if (kept[0] < 0 || kept[1] < 0 || dup2(kept[0], 3) < 0 ||
	    dup2(kept[1], 4) < 0)
		die("floor: descriptors");
	close_range(5, ~0u, 0);
	if (cpu >= 0)
		pin_cpu(cpu);
	serve(3, 4, spin_us);
	_exit(0);
}

void floor_tcp_open(struct floor_tcp *f, int peer_cpu, u64 spin_us)
{
	int fds[4];

	f->buf = malloc(STREAM_BYTES);
	if (!f->buf)
		die("memory");
	memset(f->buf, 0, STREAM_BYTES);
	fflush(stdout);
	floor_pair(fds);
	floor_pair(fds + 2);
	f->peer[0] = floor_fork(fds[1], fds[1], peer_cpu, spin_us, serve_requests);
	f->peer[1] = floor_fork(fds[3], fds[3], peer_cpu, 0, serve_stream);
	close(fds[1]);
	close(fds[3]);
	f->spin_us = spin_us;
	f->request_fd = fds[0];
	f->stream_fd = fds[2];
}

void floor_tcp_page(struct floor_tcp *f, void *page)
{
	u8 request[FLOOR_REQUEST_BYTES] = { 0 }, reply[FLOOR_REPLY_BYTES];

	floor_write(f->request_fd, request, sizeof(request));
	if (!floor_read(f->request_fd, reply, sizeof(reply), f->spin_us))
		die("floor: connection");
	memcpy(page, reply + FLOOR_REPLY_BYTES - BENCH_PAGE, BENCH_PAGE);
}

void floor_tcp_block(struct floor_tcp *f, u64 nr, struct hist *h, u64 *ret_ns)
{
	u8 request[FLOOR_REQUEST_BYTES] = { 0 }, reply[FLOOR_REPLY_BYTES];

	for (u64 i = 0; i < nr; i++) {
		u64 t = now_ns();

		floor_write(f->request_fd, request, sizeof(request));
		if (!floor_read(f->request_fd, reply, sizeof(reply),
				f->spin_us))
			die("floor: connection");
		t = now_ns() - t;
		hist_add(h, t);
		if (ret_ns)
			ret_ns[i] = t;
	}
}

u64 floor_tcp_stream(struct floor_tcp *f, u64 bytes)
{
	u64 t = now_ns(), left = bytes;

	floor_write(f->stream_fd, &bytes, sizeof(bytes));
	while (left) {
		u64 want = left < STREAM_BYTES ? left : STREAM_BYTES;
		ssize_t n = read(f->stream_fd, f->buf, want);

		if (n <= 0)
			die("floor: stream");
		left -= (u64)n;
	}
	return now_ns() - t;
}

void floor_tcp_close(struct floor_tcp *f)
{
	close(f->request_fd);
	close(f->stream_fd);
	waitpid(f->peer[0], NULL, 0);
	waitpid(f->peer[1], NULL, 0);
	free(f->buf);
}
