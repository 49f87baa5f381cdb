// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A memory server inside this QEMU: home of guest RAM, or of a part of it.
 *
 * The thread that serves this node's pages drives it as well.  So what this
 * node asks of its home, and home of this node, costs no switch of threads, and
 * another node's miss is served by one thread of this host instead of two.
 */
#include <signal.h>
#include <sys/socket.h>

#include "vcpu.h"
#include "serve.h"
/* By its place: QEMU has headers of its own below "qemu/". */
#include "../server/server.h"

#define OURS_FROM	4096	/* descriptors below are the program's */
#define ROOM_MORE	4	/* one more page for each so many: see below */

static struct {
	char		*listen;
	u64		bytes;
	u32		at;
	u32		lease_ms;
	struct gvm_server *server;
} serve;

int gvm_serve_option(const char *option)
{
	const char *value = strchr(option, '=');

	if (!value++)
		return -1;
	if (g_str_has_prefix(option, "serve="))
		serve.listen = g_strdup(value);
	else if (g_str_has_prefix(option, "serve-at="))
		serve.at = (u32)g_ascii_strtoull(value, NULL, 10);
	else if (g_str_has_prefix(option, "serve-bytes="))
		serve.bytes = g_ascii_strtoull(value, NULL, 10);
	else if (g_str_has_prefix(option, "serve-lease-ms="))
		serve.lease_ms = (u32)g_ascii_strtoull(value, NULL, 10);
	else
		return -1;
	return 0;
}

static void say(const char *line, void *arg)
{
	fprintf(stderr, "%s\n", line);
}

int gvm_serve_open(const char **ret_why)
{
	/*
	 * Pages that are on their way out in messages keep their frames for a
	 * moment, beside those that have taken their place.
	 */
	const struct gvm_server_config config = {
		.listen = serve.listen,
		.memory_bytes = serve.bytes + serve.bytes / ROOM_MORE,
		.threads = 1,
		.node_lease_ms = serve.lease_ms,
		.insecure = true,
		.driven = true,
		.fd_min = OURS_FROM,
		.log = say,
	};
	sigset_t all, before;
	int err;

	if (!serve.listen)
		return 0;
	/* QEMU's signals are for QEMU's threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = gvm_server_start(&config, &serve.server, ret_why);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

int gvm_serve_fd(void)
{
	return serve.server ? gvm_server_fd(serve.server) : -1;
}

u32 gvm_serve_at(void)
{
	return serve.at;
}

struct gvm_pipe *gvm_serve_pipe(void)
{
	return serve.server ? gvm_server_pipe(serve.server) : NULL;
}

int gvm_serve_turn(int readable, void *arg)
{
	return gvm_server_turn(serve.server, readable);
}
