// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ask one memory server what it stores, over the protocol.
 *
 * One blocking request on a connection of its own; no region is attached.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "account.h"
#include "codec.h"

static int dial(const char *address)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	const char *colon = strrchr(address, ':');
	char host[64];
	int fd;

	if (!colon || (size_t)(colon - address) >= sizeof(host))
		return -1;
	memcpy(host, address, (size_t)(colon - address));
	host[colon - address] = 0;
	a.sin_port = htons((uint16_t)atoi(colon + 1));
	if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
		return -1;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool receive(int fd, u16 type, void *payload, u32 len)
{
	struct gvm_head head;
	u8 bytes[sizeof(struct gvm_msg)];

	if (recv(fd, bytes, sizeof(bytes), MSG_WAITALL) != sizeof(bytes))
		return false;
	if (gvm_codec_header(bytes, &head, NULL) || head.type != type ||
	    head.payload_len != len)
		return false;
	if (recv(fd, payload, len, MSG_WAITALL) != (ssize_t)len)
		return false;
	return !gvm_codec_check(&head, payload, NULL);
}

static bool ask(int fd, struct gvm_server_stats *ret)
{
	struct {
		u8			head[sizeof(struct gvm_msg)];
		struct gvm_hello	hello;
		u8			stat[sizeof(struct gvm_msg)];
	} out = {
		.hello = {
			.magic = GVM_HELLO_MAGIC,
			.version_min = GVM_WIRE_VERSION,
			.version_max = GVM_WIRE_VERSION,
		},
	};
	struct gvm_hello hello;

	static_assert(sizeof(out) == 96, "no padding between messages");
	gvm_codec_put(out.head, GVM_MSG_HELLO, 0, sizeof(out.hello), 0, 0, 1);
	gvm_codec_put(out.stat, GVM_MSG_STAT, 0, 0, 0, 0, 2);
	if (send(fd, &out, sizeof(out), MSG_NOSIGNAL) != sizeof(out))
		return false;
	return receive(fd, GVM_MSG_HELLO, &hello, sizeof(hello)) &&
	       receive(fd, GVM_MSG_STATS, ret, sizeof(*ret));
}

bool server_account(const char *address, struct server_account *ret)
{
	struct gvm_server_stats stats;
	int fd = dial(address);
	bool ok;

	if (fd < 0)
		return false;
	ok = ask(fd, &stats);
	close(fd);
	if (ok) {
		ret->pages_used = gvm_le64(stats.pages_used);
		ret->overhead_bytes = gvm_le64(stats.overhead_bytes);
	}
	return ok;
}
