// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A store can wait for a page that comes because another thread reads it.  The
 * kernel forgets what it has not told yet about a thread that is woken, so the
 * program would never hear of that store, and others could go on with what they
 * translated of the page before it was done.
 *
 * All of it is held still where it matters: the region's thread has read that a
 * writer and a reader wait, in this order, and is kept in the writer's callback
 * until a third thread waits with a store to the reader's page.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "cluster.h"

#define LIMIT_NS 20000000000ull

enum { HOLDER, WRITER, READER, STORER, WORKERS };

static const unsigned page_at[WORKERS] = { 0, 1, 2, 2 };	/* block */

static struct worker {
	pthread_t thread;
	pid_t	tid;
	int	go, touches;
	uint32_t waited;	/* as told to the program */
} worker[WORKERS];

static uint8_t *memory;
static uint32_t went_on[WORKERS];	/* by block */

static unsigned block_of(const void *addr)
{
	return (unsigned)((uint64_t)((const uint8_t *)addr - memory) / SLICE);
}

static void wait_for(const int *word)
{
	const uint64_t until = now_ns() + LIMIT_NS;

	while (!__atomic_load_n(word, __ATOMIC_ACQUIRE)) {
		CHECK(now_ns() < until);
		sched_yield();
	}
}

static void *touch(void *arg)
{
	struct worker *w = arg;
	const unsigned nr = (unsigned)(w - worker);
	volatile uint8_t *at = memory + page_at[nr] * SLICE;

	__atomic_store_n(&w->tid, gettid(), __ATOMIC_RELEASE);
	wait_for(&w->go);
	__atomic_store_n(&w->touches, 1, __ATOMIC_RELEASE);
	if (nr == READER)
		(void)*at;
	else
		*at = (uint8_t)(nr + 1);
	return NULL;
}

static char state_of(pid_t tid)
{
	char path[64], state = '?';
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	f = fopen(path, "r");
	CHECK(f && fscanf(f, "%*d %*s %c", &state) == 1);
	fclose(f);
	return state;
}

/* Let it touch its page, and see it sleep there. */
static void send_to_sleep(struct worker *w)
{
	const uint64_t until = now_ns() + LIMIT_NS;

	__atomic_store_n(&w->go, 1, __ATOMIC_RELEASE);
	wait_for(&w->touches);
	while (state_of(w->tid) == 'R') {
		CHECK(now_ns() < until);
		sched_yield();
	}
}

/* Called by the region's thread, which serves nobody meanwhile. */
static void store_waits(void *addr, uint32_t thread, void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < WORKERS; i++)
		if ((uint32_t)__atomic_load_n(&worker[i].tid, __ATOMIC_ACQUIRE) ==
		    thread)
			__atomic_fetch_add(&worker[i].waited, 1, __ATOMIC_SEQ_CST);
	if (block_of(addr) == page_at[HOLDER]) {
		send_to_sleep(&worker[WRITER]);
		send_to_sleep(&worker[READER]);
	} else if (block_of(addr) == page_at[WRITER]) {
		send_to_sleep(&worker[STORER]);
	}
}

static void store_goes_on(void *addr, uint64_t len, void *arg)
{
	(void)arg;
	CHECK(len >= PAGE && len % PAGE == 0);
	__atomic_fetch_add(&went_on[block_of(addr)], 1, __ATOMIC_SEQ_CST);
}

int main(void)
{
	struct gvm_shared_config config = {
		.size = sizeof(config), .node = 0, .flags = GVM_SHARED_CLAIM,
		.store_waits = store_waits, .store_goes_on = store_goes_on,
		.local_bytes = 4 * SLICE, .slice_bytes = SLICE,
	};
	struct gvm_shared *region;
	struct cluster cluster;
	const char *why = "";
	void *at = NULL;

	cluster_start(&cluster, 1, NULL);
	config.servers = cluster.list;
	if (gvm_map_shared("test", 4 * SLICE, &config, &region, &at, &why))
		fprintf(stderr, "%s\n", why);
	CHECK(at);
	memory = at;
	for (unsigned i = 0; i < WORKERS; i++)
		CHECK(!pthread_create(&worker[i].thread, NULL, touch, &worker[i]));
	__atomic_store_n(&worker[HOLDER].go, 1, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(worker[i].thread, NULL);
	printf("told of waiting: writer %u, reader %u, storer %u\n",
	       worker[WRITER].waited, worker[READER].waited,
	       worker[STORER].waited);
	CHECK(worker[WRITER].waited == 1 && worker[READER].waited == 0);
	CHECK(worker[STORER].waited == 1);
	CHECK(went_on[page_at[STORER]] >= 1);
	CHECK(memory[page_at[STORER] * SLICE] == STORER + 1);
	CHECK(gvm_unmap_shared(region) == 0);
	cluster_stop(&cluster);
	return 0;
}
