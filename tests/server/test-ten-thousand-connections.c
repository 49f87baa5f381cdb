// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, one server could not serve a cluster of the size that is
 * promised, or its idle clients would eat the memory that it should lend.
 *
 * Usage: test GIANTVM.  10,240 connections, each in a session of its own or
 * joined to one; all are answered, and then as many at once.  Prints what an
 * idle connection costs the server's process.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "client.h"

#define CONNECTIONS	10240u
#define IDLE_BYTES_MAX	4096u	/* of the server's own memory, each */

static u64 rss_bytes(int pid)
{
	char path[64], line[256];
	u64 kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "VmRSS: %lu", &kib) == 1)
			break;
	}
	fclose(f);
	return kib << 10;
}

static void allow_descriptors(void)
{
	struct rlimit want = { CONNECTIONS + 1024, CONNECTIONS + 1024 };
	struct rlimit have;

	CHECK(!getrlimit(RLIMIT_NOFILE, &have));
	if (have.rlim_cur >= want.rlim_cur)
		return;
	if (have.rlim_max >= want.rlim_cur)
		want.rlim_max = have.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &want))
		SKIP("may not open 11264 descriptors (ulimit -Hn)");
}

/* The client's own buffer is not needed while it is idle. */
static void slim(struct client *c)
{
	free(c->buf);
	c->buf = NULL;
}

/* All of them at once, twice. */
static void ask_all_at_once(struct client *c, const struct client *first)
{
	static u8 page[GVM_PAGE_BYTES] __attribute__((aligned(8)));

	for (u32 round = 1; round < 3; round++) {
		for (u32 i = 0; i < CONNECTIONS; i++) {
			stamp(page, i, round);
			CHECK(!client_send_write(&c[i], i, page, 1));
			CHECK(!client_send_read(&c[i], i, 1, 0));
		}
		for (u32 i = 0; i < CONNECTIONS; i++) {
			struct gvm_head head;

			c[i].buf = first->buf;
			CHECK(!client_receive(&c[i], &head));
			CHECK(head.type == GVM_MSG_WRITTEN);
			CHECK(!client_receive(&c[i], &head));
			CHECK(head.type == GVM_MSG_DATA);
			CHECK(stamp_version(c[i].buf +
					    gvm_codec_data_head_bytes(1), i) ==
			      round);
			c[i].buf = NULL;
		}
	}
}

int main(int argc, char **argv)
{
	char *serve[] = {
		argv[1], (char []){ "serve" },
		(char []){ "--listen" }, (char []){ "127.0.0.1:0" },
		(char []){ "--memory" }, (char []){ "64M" },
		(char []){ "--threads" }, (char []){ "2" },
		(char []){ "--ready-fd" }, (char []){ "3" }, NULL,
	};
	struct client *c = calloc(CONNECTIONS, sizeof(*c));
	struct gvm_server_stats stats;
	struct client first;
	u64 before, each;
	int pid, status;
	u16 port;

	CHECK(argc == 2 && c);
	allow_descriptors();
	pid = server_spawn(serve, &port);
	CHECK(port);
	client_enter(&first, port, 1);
	before = rss_bytes(pid);

	/* A quarter has regions of their own; the rest are in one session. */
	for (u32 i = 0; i < CONNECTIONS; i++) {
		if (i % 4)
			client_join(&c[i], port, &first);
		else
			client_enter(&c[i], port, 2 + i);
		slim(&c[i]);
	}
	CHECK(!client_stat(&first, &stats));
	CHECK(gvm_le64(stats.connections) == CONNECTIONS + 1);
	CHECK(gvm_le64(stats.regions) == CONNECTIONS / 4 + 1);
	each = (rss_bytes(pid) - before) / CONNECTIONS;
	printf("an idle connection costs the server %lu bytes (and the kernel a socket)\n",
	       each);

	ask_all_at_once(c, &first);

	for (u32 i = 0; i < CONNECTIONS; i++)
		client_close(&c[i]);
	CHECK(!client_detach(&first, true));
	CHECK(!client_ping(&first));
	client_close(&first);
	kill(pid, SIGTERM);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status));
	free(c);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	CHECK(each <= IDLE_BYTES_MAX);
#endif
	return 0;
}
