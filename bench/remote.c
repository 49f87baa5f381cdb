// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Paged memory for the benchmarks that link libgiantvm.
 *
 * Every page is filled with random words: a page of zeros costs no network and
 * would flatter every figure.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "remote.h"

#define WORDS	(BENCH_PAGE / sizeof(u64))

void remote_open(struct remote *r, const char *servers, u64 local_bytes,
		 u64 prefetch)
{
	struct gvm_config config = {
		.size = sizeof(config),
		.prefetch_pages = (u32)prefetch,
		.servers = servers,
		.local_bytes = local_bytes,
		.name = "bench",
	};
	const char *why = "failed", *evict = getenv("GIANTVM_EVICT");
	int err;

	if (!servers)
		skip("--servers is needed");
	if (evict && !strcmp(evict, "copy"))
		config.evict = GVM_EVICT_COPY;
	if (evict && !strcmp(evict, "move"))
		config.evict = GVM_EVICT_MOVE;
	*r = (struct remote){ 0 };
	err = gvm_init(&config, &r->gvm, &why);
	if (err) {
		errno = -err;
		die(why);
	}
}

void remote_map(struct remote *r, u64 bytes)
{
	u64 seed = 42;
	int err;

	r->pages = bytes / BENCH_PAGE;
	r->mem = map_pages(bytes);
	err = gvm_register(r->gvm, r->mem, bytes, NULL);
	if (err) {
		errno = -err;
		die("gvm_register");
	}
	for (u64 i = 0; i < r->pages; i++) {
		u64 *p = r->mem + i * WORDS;

		p[0] = remote_word(i);
		for (u64 w = 1; w < WORDS; w++)
			p[w] = rnd(&seed);
	}
}

struct gvm_stats *remote_stats(const struct remote *r)
{
	static struct gvm_stats stats;
	int err = gvm_stats(r->gvm, &stats);

	if (err) {
		errno = -err;
		die("gvm_stats");
	}
	return &stats;
}

/*
 * The newest of what was evicted stays in staging until its place is needed,
 * so the queue does not empty: it comes to rest.
 */
void remote_settle(const struct remote *r)
{
	u64 end = now_ns() + 60000000000ull, before, now;

	now = remote_stats(r)->written;
	do {
		before = now;
		/* An idle pager publishes its counters twice a second. */
		usleep(600000);
		now = remote_stats(r)->written;
		if (now_ns() > end)
			die("write-back does not come to rest");
	} while (now != before);
}

bool remote_resident(const struct remote *r, u64 page)
{
	unsigned char in;

	if (mincore(r->mem + page * WORDS, BENCH_PAGE, &in))
		die("mincore");
	return in & 1;
}

void remote_close(struct remote *r)
{
	if (r->mem) {
		gvm_unregister(r->gvm, r->mem, r->pages * BENCH_PAGE);
		munmap(r->mem, r->pages * BENCH_PAGE);
	}
	gvm_fini(r->gvm);
}
