// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, a server would keep memory or disk for pages that nobody
 * has any more, or take far more for its bookkeeping than is promised.
 *
 * Usage: test GIANTVM DIRECTORY
 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "client.h"

#define PAGES		(64u << 20 >> GVM_PAGE_SHIFT)
#define SMALL		(20ull << 20)	/* what may stay */
#define OVERHEAD_MAX	32u		/* bytes a page; 64 is the promise */

static u8 bytes[512 * GVM_PAGE_BYTES] __attribute__((aligned(8)));
static char store[512];

static u64 rss_bytes(int pid)
{
	char path[64], line[256];
	u64 kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "RssAnon: %lu", &kib) == 1)
			break;
	}
	fclose(f);
	return kib << 10;
}

/* Bytes that the server's store takes: in memory, or on the disk. */
static u64 taken(int pid)
{
	struct stat st;

	if (!strcmp(store, "anon"))
		return rss_bytes(pid);
	CHECK(!stat(store + strlen("file:"), &st));
	return (u64)st.st_blocks * 512;
}

/* It is given back by a thread that has time: at most ten seconds. */
static bool becomes_small(int pid, u64 base)
{
	for (int i = 0; i < 1000; i++) {
		if (taken(pid) <= base + SMALL)
			return true;
		poll(NULL, 0, 10);
	}
	printf("still %lu MiB\n", taken(pid) >> 20);
	return false;
}

static void fill(struct client *c, u64 version)
{
	for (u32 page = 0; page < PAGES; page += 512) {
		for (u32 i = 0; i < 512; i++)
			stamp(bytes + i * GVM_PAGE_BYTES, page + i, version);
		CHECK(!client_write(c, page, bytes, 512));
	}
}

static void check_overhead(struct client *c)
{
	struct gvm_server_stats stats;
	u64 each;

	CHECK(!client_stat(c, &stats));
	CHECK(gvm_le64(stats.pages_used) == PAGES);
	each = gvm_le64(stats.overhead_bytes) * 10 / PAGES;
	printf("%s: %lu.%lu bytes beside each stored page\n", store, each / 10,
	       each % 10);
	CHECK(each <= OVERHEAD_MAX * 10);
}

static void fill_and_drop(char *giantvm)
{
	char *argv[] = {
		giantvm, (char []){ "serve" },
		(char []){ "--listen" }, (char []){ "127.0.0.1:0" },
		(char []){ "--memory" }, (char []){ "128M" },
		(char []){ "--ready-fd" }, (char []){ "3" },
		(char []){ "--store" }, store, NULL,
	};
	struct client c;
	int pid, status;
	u64 base;
	u16 port;

	pid = server_spawn(argv, &port);
	CHECK(port);
	base = taken(pid);
	client_enter(&c, port, 1);

	/* Zero pages, however they are sent, take nothing. */
	CHECK(!client_write(&c, 0, NULL, 512));
	memset(bytes, 0, sizeof(bytes));
	for (u32 page = 0; page < PAGES; page += 512)
		CHECK(!client_write(&c, page, bytes, 512));
	CHECK(taken(pid) <= base + SMALL);

	fill(&c, 1);
	CHECK(taken(pid) >= base + PAGES * GVM_PAGE_BYTES);
	check_overhead(&c);
	CHECK(!client_trim(&c, 0, PAGES));
	CHECK(becomes_small(pid, base));

	fill(&c, 2);
	CHECK(!client_detach(&c, true));
	CHECK(becomes_small(pid, base));
	client_close(&c);
	kill(pid, SIGTERM);
	CHECK(waitpid(pid, &status, 0) == pid);
}

int main(int argc, char **argv)
{
	CHECK(argc == 3);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	strcpy(store, "anon");
	fill_and_drop(argv[1]);
#endif
	snprintf(store, sizeof(store), "file:%s/dropped.store", argv[2]);
	unlink(store + strlen("file:"));
	fill_and_drop(argv[1]);
	unlink(store + strlen("file:"));
	return 0;
}
