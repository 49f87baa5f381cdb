// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a program under giantvm computes with wrong memory.
 *
 * Several threads write, read, discard and rewrite pages of one region that is
 * many times larger than the local limit, over two servers.  Every page holds
 * a stamp of its number and version; a thread knows what its pages must hold.
 * All threads also read pages of a part that nobody changes, so that many
 * threads meet on one page.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

#define THREADS		4
#define PAGES		4096u		/* of each thread */
#define SHARED		512u
#define LOCAL		(8 * MIB)

static struct gvm *gvm;
static uint8_t *memory;
static unsigned long ops;

struct worker {
	pthread_t	thread;
	unsigned	nr;
	uint32_t	version[PAGES];	/* 0: zero page */
	unsigned long	bad;
};

static uint8_t *page_of(const struct worker *w, unsigned i)
{
	return memory + (SHARED + (uint64_t)i * THREADS + w->nr) * PAGE;
}

static uint64_t number_of(const struct worker *w, unsigned i)
{
	return (uint64_t)w->nr << 32 | i;
}

static void check(struct worker *w, unsigned i)
{
	const uint8_t *p = page_of(w, i);
	bool good = w->version[i] ? stamp_is(p, number_of(w, i), w->version[i]) :
		    is_zero(p);

	if (!good && !w->bad++)
		fprintf(stderr, "thread %u page %u version %u: wrong content\n",
			w->nr, i, w->version[i]);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	uint64_t seed = 77 + w->nr;
	uint32_t next = 1;

	for (unsigned long n = 0; n < ops; n++) {
		uint64_t r = random_next(&seed);
		unsigned i = (unsigned)(r >> 8) % PAGES;

		/* Half of the time in a hot eighth. */
		if (r & 0x80)
			i %= PAGES / 8;
		switch (r & 15) {
		case 0:
			CHECK(gvm_discard(gvm, page_of(w, i), PAGE) == 0);
			w->version[i] = 0;
			break;
		case 1: case 2: case 3: case 4: case 5:
			stamp_put(page_of(w, i), number_of(w, i), next);
			w->version[i] = next++;
			break;
		case 6:
			i = (unsigned)(r >> 32) % SHARED;
			if (!stamp_is(memory + i * PAGE, i, 1))
				w->bad++;
			break;
		case 7:
			/* Becomes zero by writing, not by discarding. */
			memset(page_of(w, i), 0, PAGE);
			w->version[i] = 0;
			break;
		default:
			check(w, i);
		}
	}
	for (unsigned i = 0; i < PAGES; i++)
		check(w, i);
	return NULL;
}

int main(int argc, char **argv)
{
	static struct worker workers[THREADS];
	struct test_server servers[2];
	struct gvm_config c = { .prefetch_pages = 32 };
	struct gvm_stats st;
	unsigned long bad = 0;

	need_userfaultfd();
	ops = argc > 1 ? strtoul(argv[1], NULL, 10) : 60000;
	c.shards = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
	servers[0] = server_start(0, NULL);
	servers[1] = server_start(0, NULL);
	gvm = engine_start(servers, 2, LOCAL * c.shards, &c);
	memory = memory_map(gvm, (SHARED + THREADS * PAGES) * PAGE);
	for (unsigned i = 0; i < SHARED; i++)
		stamp_put(memory + i * PAGE, i, 1);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i].nr = i;
		CHECK(!pthread_create(&workers[i].thread, NULL, work,
				      &workers[i]));
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		bad += workers[i].bad;
	}
	CHECK(gvm_stats(gvm, &st) == 0);
	printf("%s\nfaults %lu zero %lu remote %lu steal %lu protect %lu race %lu; evicted clean %lu dirty %lu zero %lu busy %lu; prefetched %lu; p50 %lu p99 %lu ns\n",
	       gvm_engine_line(gvm), st.faults, st.faults_zero,
	       st.faults_remote, st.faults_steal, st.faults_protect,
	       st.faults_race, st.evicted_clean, st.evicted_dirty,
	       st.evicted_zero, st.evict_busy, st.prefetched,
	       gvm_stats_percentile(&st.latency_remote, 500),
	       gvm_stats_percentile(&st.latency_remote, 990));
	CHECK(bad == 0);
	/* It was paged at all, and stayed within the limit. */
	CHECK(st.faults_remote > 100);
	CHECK((st.resident_pages + st.staged_pages) * PAGE <=
	      LOCAL * c.shards);
	memory_unmap(gvm, memory, (SHARED + THREADS * PAGES) * PAGE);
	gvm_fini(gvm);
	server_stop(&servers[0]);
	server_stop(&servers[1]);
	return 0;
}
