// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bytes leave a connection in the order in which they were given to it: sent at
 * once, queued to go with the next, or left over because the socket was full.  If
 * this failed, the other side would take the middle of one message for the head of
 * the next, and cut the connection; or worse, not notice.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/conn.h"
#include "check.h"

#define TX_BYTES	20000u
#define STEPS		200000u

static uint64_t seed = 1;

static uint32_t dice(uint32_t n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % n;
}

static uint64_t given, taken;

/* The stream's bytes are known by their place. */
static uint8_t byte_at(uint64_t place)
{
	return (uint8_t)(place * 0x9e3779b97f4a7c15ull >> 56);
}

static void drain(int fd, uint32_t most)
{
	uint8_t buf[8192];
	ssize_t n = recv(fd, buf, most < sizeof(buf) ? most : sizeof(buf),
			 MSG_DONTWAIT);

	CHECK(n > 0 || (n < 0 && errno == EAGAIN));
	for (ssize_t i = 0; i < n; i++)
		CHECK(buf[i] == byte_at(taken++));
}

/* One message of two pieces; all of it or, if there is no room, nothing. */
static void give(struct gvm_conn *c, bool queue)
{
	static uint8_t bytes[6000];
	uint32_t len = 2 + (dice(3) ? dice(100) : dice(sizeof(bytes) - 2));
	uint32_t cut = 1 + dice(len - 1);
	struct iovec iov[2] = {
		{ bytes, cut }, { bytes + cut, len - cut },
	};
	uint32_t room = TX_BYTES - gvm_conn_pending(c);
	int err;

	for (uint32_t i = 0; i < len; i++)
		bytes[i] = byte_at(given + i);
	err = queue ? gvm_conn_queue(c, iov, 2) : gvm_conn_send(c, iov, 2);
	CHECK(err == 0 || (err == -ENOBUFS && room < len));
	if (!err)
		given += len;
	/* Nothing that was sent waits for no reason. */
	CHECK(queue || err || !gvm_conn_pending(c) || c->tx_blocked);
}

int main(void)
{
	static uint8_t tx[TX_BYTES];
	struct gvm_conn c;
	int fds[2], small = 4096;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	CHECK(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small,
			 sizeof(small)) == 0);
	gvm_conn_init(&c, fds[0], NULL, 0, tx, sizeof(tx));
	for (uint32_t i = 0; i < STEPS; i++) {
		switch (dice(6)) {
		case 0:
		case 1:
			give(&c, false);
			break;
		case 2:
			give(&c, true);
			break;
		case 3:
			CHECK(gvm_conn_flush(&c) >= 0);
			c.tx_blocked = gvm_conn_pending(&c);
			break;
		default:
			drain(fds[1], 1 + dice(5000));
		}
	}
	while (gvm_conn_flush(&c) > 0)
		drain(fds[1], 8192);
	while (taken < given)
		drain(fds[1], 8192);
	printf("%llu bytes came in order\n", (unsigned long long)taken);
	gvm_conn_close(&c);
	close(fds[1]);
	return 0;
}
