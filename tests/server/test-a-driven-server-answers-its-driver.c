// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, a node of a guest that is home of guest RAM itself would not
 * be answered: its own thread drives that server, and reaches it by a pipe.
 */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "client.h"
#include "net/conn.h"

#define FD_MIN	2000
#define ROUNDS	64u
#define SPINS	100000u

static u8 rx[64 << 10], tx[64 << 10];
static struct gvm_server *server;
static bool served;			/* atomic: the other client is done */

static struct gvm_server *start(void)
{
	const struct gvm_server_config config = {
		.listen = "127.0.0.1:0", .memory_bytes = 4u << 20,
		.driven = true, .fd_min = FD_MIN,
	};
	struct gvm_server *s;
	const char *why = "";

	if (gvm_server_start(&config, &s, &why)) {
		printf("%s\n", why);
		exit(1);
	}
	return s;
}

/* What one answer to HELLO takes: a turn without a look at sockets. */
static void check_pipe(struct gvm_pipe *pipe)
{
	struct gvm_hello hello = {
		.magic = GVM_HELLO_MAGIC,
		.version_min = GVM_WIRE_VERSION,
		.version_max = GVM_WIRE_VERSION,
	};
	u8 head[sizeof(struct gvm_msg)];
	struct iovec iov[2] = {
		{ head, sizeof(head) }, { &hello, sizeof(hello) },
	};
	const void *payload;
	struct gvm_conn c;
	struct gvm_head got;

	gvm_conn_init_pipe(&c, pipe, GVM_PIPE_CLIENT, rx, sizeof(rx), tx,
			   sizeof(tx));
	gvm_codec_put(head, GVM_MSG_HELLO, 0, sizeof(hello), 0, 0, 77);
	CHECK(gvm_conn_fill(&c) == 0);
	CHECK(!gvm_conn_send(&c, iov, 2));
	CHECK(gvm_pipe_readable(pipe, GVM_PIPE_SERVER));
	CHECK(!gvm_server_turn(server, false));
	CHECK(!gvm_pipe_readable(pipe, GVM_PIPE_SERVER));
	CHECK(gvm_conn_fill(&c) > 0);
	CHECK(gvm_conn_next(&c, &got, &payload) == 1);
	CHECK(got.type == GVM_MSG_HELLO && got.txn == 77);

	/* Nonsense is answered with the reason, and then it is closed. */
	memset(head, 0xff, sizeof(head));
	iov[0] = (struct iovec){ head, sizeof(head) };
	CHECK(!gvm_conn_send(&c, iov, 1));
	gvm_server_turn(server, false);
	CHECK(gvm_conn_fill(&c) > 0);
	CHECK(gvm_conn_next(&c, &got, &payload) == 1);
	CHECK(got.type == GVM_MSG_ERROR);
	CHECK(gvm_conn_fill(&c) == -EPIPE);
	gvm_conn_close(&c);
	CHECK(!gvm_server_turn(server, false));
}

static u64 take_back(const u8 *bytes, long n, u64 at)
{
	CHECK(n > 0);
	for (long i = 0; i < n; i++, at++)
		CHECK(bytes[i] == (u8)(at % 251));
	return at;
}

/* More than a pipe holds waits at the sender, and nothing is lost. */
static void check_full_pipe(void)
{
	struct gvm_pipe *p = calloc(1, sizeof(*p));
	u8 *block = malloc(1u << 20), *back = malloc(1u << 20);
	const struct iovec iov = { block, 1u << 20 };
	u64 in = 0, out = 0;
	long n;

	CHECK(p && block && back);
	for (u32 round = 0; round < ROUNDS; round++) {
		for (u64 i = 0; i < 1u << 20; i++)
			block[i] = (u8)((in + i) % 251);
		n = gvm_pipe_write(p, GVM_PIPE_SERVER, &iov, 1);
		CHECK(n >= 0);
		in += (u64)n;
		/* Reads of another size, so that they meet at odd places. */
		n = gvm_pipe_read(p, GVM_PIPE_CLIENT, back, 700001);
		out = take_back(back, n, out);
	}
	while ((n = gvm_pipe_read(p, GVM_PIPE_CLIENT, back, 12345)) > 0)
		out = take_back(back, n, out);
	CHECK(n == -EAGAIN && in == out);
	gvm_pipe_close(p);
	CHECK(gvm_pipe_read(p, GVM_PIPE_CLIENT, back, 1) == -EPIPE);
	CHECK(gvm_pipe_write(p, GVM_PIPE_SERVER, &iov, 1) == -EPIPE);
	free(back);
	free(block);
	free(p);
}

/* Another client, by a socket, is served by the same turns. */
static void *use(void *arg)
{
	static u8 page[GVM_PAGE_BYTES] __attribute__((aligned(8)));
	struct client c;

	client_enter(&c, *(u16 *)arg, 1);
	for (u64 i = 0; i < ROUNDS; i++) {
		stamp(page, i, i + 1);
		CHECK(!client_write(&c, i, page, 1));
		CHECK(!client_read(&c, i, page, 1));
		CHECK(stamp_version(page, i) == i + 1);
	}
	CHECK(!client_detach(&c, true));
	client_close(&c);
	__atomic_store_n(&served, true, __ATOMIC_RELEASE);
	return NULL;
}

static void check_sockets(void)
{
	struct pollfd fd = { .fd = gvm_server_fd(server), .events = POLLIN };
	u16 port = gvm_server_port(server);
	pthread_t thread;
	u32 turns = 0;

	CHECK(fd.fd >= FD_MIN);
	CHECK(!pthread_create(&thread, NULL, use, &port));
	while (!__atomic_load_n(&served, __ATOMIC_ACQUIRE)) {
		CHECK(++turns < SPINS);
		if (poll(&fd, 1, 100) > 0)
			while (gvm_server_turn(server, true))
				;
	}
	pthread_join(thread, NULL);
}

int main(void)
{
	struct gvm_pipe *pipe;

	check_full_pipe();
	server = start();
	pipe = gvm_server_pipe(server);
	CHECK(pipe);
	check_pipe(pipe);
	check_sockets();
	CHECK(!gvm_server_stop(server));
	return 0;
}
