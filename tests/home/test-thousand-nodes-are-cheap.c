// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a large cluster eats its server's memory or one writer waits
 * for ever on many readers: 1,000 nodes join, all read one page, one writes it.
 * The invalidation goes out as a tree; the nodes here answer for their branch
 * as a relay does, by its list.
 *
 * Usage: test GIANTVM.  Prints what an idle node costs the server.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "node.h"

#define NODES		1000u
#define IDLE_BYTES_MAX	8192u

static struct node *n;
static u8 *buf;

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

static void read_all(u64 page)
{
	for (u32 i = 0; i < NODES; i++) {
		node_get(&n[i], GVM_CO_GET_SHARED, page, 0);
		node_next(&n[i], GVM_CO_GRANT, page);
	}
}

/* Node 0 writes: every other node is on just one list, or asked itself. */
static void write_one(u64 page)
{
	static u8 told[NODES];
	struct gvm_co_msg done = {
		.type = GVM_CO_DONE, .page = page,
		.requester = GVM_NODE_NONE, .giver = GVM_NODE_HOME,
	};
	u64 slots = 0;

	done.txn = node_get(&n[0], GVM_CO_GET_EXCLUSIVE, page, GVM_CO_HAVE);
	node_next(&n[0], GVM_CO_GRANT, page);
	slots = n[0].msg.need;
	CHECK(slots && __builtin_popcountll(slots) <= 8);
	done.seq = n[0].msg.seq;
	/* The relays are the first of their ranges; whom they are to tell. */
	for (u32 i = 1; i < NODES; i++) {
		if (told[i])
			continue;
		node_next(&n[i], GVM_CO_INVALIDATE, page);
		CHECK(n[i].msg.requester == 0 && n[i].msg.list);
		CHECK(slots >> n[i].msg.slot & 1);
		slots &= ~(1ull << n[i].msg.slot);
		for (u32 k = n[i].msg.lo; k < n[i].msg.hi; k++) {
			if (!(n[i].list.word[k / 64] >> k % 64 & 1))
				continue;
			CHECK(k && !told[k]);
			told[k] = 1;
		}
		CHECK(told[i]);
	}
	CHECK(!slots);
	node_send(&n[0], done, NULL);
	CHECK(!client_ping(&n[0].c));
}

int main(int argc, char **argv)
{
	char *serve[] = {
		argv[1], (char []){ "serve" },
		(char []){ "--listen" }, (char []){ "127.0.0.1:0" },
		(char []){ "--memory" }, (char []){ "64M" },
		(char []){ "--threads" }, (char []){ "2" },
		(char []){ "--node-lease" }, (char []){ "60000" },
		(char []){ "--ready-fd" }, (char []){ "3" }, NULL,
	};
	int pid, status;
	u64 before = 0, each;
	u16 port;

	CHECK(argc == 2);
	n = calloc(NODES, sizeof(*n));
	CHECK(n);
	pid = server_spawn(serve, &port);
	CHECK(port);
	for (u32 i = 0; i < NODES; i++) {
		node_init(&n[i], (u16)i, "large", 1ull << 40);
		if (i == 1)
			before = rss_bytes(pid);
		CHECK(!node_enter(&n[i], port));
		/* One buffer is enough for all that wait their turn. */
		if (i)
			free(n[i].c.buf);
		else
			buf = n[0].c.buf;
		n[i].c.buf = buf;
	}
	each = (rss_bytes(pid) - before) / (NODES - 1);
	printf("an idle node costs the server %lu bytes (and the kernel a socket)\n",
	       each);
	read_all(1ull << 27);
	write_one(1ull << 27);
	for (u32 i = 0; i < NODES; i++)
		close(n[i].c.fd);
	free(buf);
	kill(pid, SIGTERM);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status));
	free(n);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	CHECK(each <= IDLE_BYTES_MAX);
#endif
	return 0;
}
