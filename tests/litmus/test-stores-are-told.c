// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A program that translates code hears of each store that waits for its page, by
 * whom, and that it goes on before it does: what others translate in between must
 * be dropped after the store.  A read says nothing.
 */
#define _GNU_SOURCE
#include <unistd.h>

#include "cluster.h"

enum { READ, STORE, UPGRADE, PAGES };

static struct cluster cluster;
static uint8_t *memory;
static uint64_t waited[PAGES], went_on[PAGES];
static uint32_t who;

static uint64_t page_of(const void *addr)
{
	return (uint64_t)((const uint8_t *)addr - memory) / PAGE;
}

static void store_waits(void *addr, uint32_t thread, void *arg)
{
	(void)arg;
	__atomic_store_n(&who, thread, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&waited[page_of(addr)], 1, __ATOMIC_SEQ_CST);
}

/* It cannot have been done yet; the page may not even be there to look at it. */
static void store_goes_on(void *addr, uint64_t len, void *arg)
{
	(void)arg;
	CHECK(len == PAGE && (uintptr_t)addr % PAGE == 0);
	__atomic_fetch_add(&went_on[page_of(addr)], 1, __ATOMIC_SEQ_CST);
}

/* Another node fills them, and leaves: so none of them is here. */
static int fill(void *arg)
{
	struct node n;

	(void)arg;
	node_join(&cluster, 1, SLICE, SLICE, &n);
	for (unsigned i = 0; i < PAGES; i++)
		n.at[i * PAGE] = (uint8_t)(i + 1);
	node_leave(&n);
	return 0;
}

static uint8_t load(unsigned page)
{
	return *(volatile uint8_t *)(memory + page * PAGE);
}

static void store(unsigned page, uint8_t value)
{
	const uint64_t before = __atomic_load_n(&waited[page], __ATOMIC_SEQ_CST);

	*(volatile uint8_t *)(memory + page * PAGE) = value;
	CHECK(__atomic_load_n(&waited[page], __ATOMIC_SEQ_CST) == before + 1);
	CHECK(__atomic_load_n(&went_on[page], __ATOMIC_SEQ_CST) == before + 1);
	CHECK(__atomic_load_n(&who, __ATOMIC_SEQ_CST) == (uint32_t)gettid());
}

int main(void)
{
	struct gvm_shared_config config = {
		.size = sizeof(config), .node = 0,
		.store_waits = store_waits, .store_goes_on = store_goes_on,
		.local_bytes = SLICE, .slice_bytes = SLICE,
	};
	struct gvm_shared *region;
	const char *why = "";
	void *at = NULL;

	cluster_start(&cluster, 1, NULL);
	CHECK(reap(spawn(fill, NULL)) == 0);
	config.servers = cluster.list;
	if (gvm_map_shared("test", SLICE, &config, &region, &at, &why))
		fprintf(stderr, "%s\n", why);
	CHECK(at);
	memory = at;
	CHECK(load(READ) == READ + 1);
	CHECK(load(UPGRADE) == UPGRADE + 1);
	CHECK(!waited[READ] && !waited[UPGRADE]);
	store(UPGRADE, 17);
	store(STORE, 18);
	CHECK(!waited[READ]);
	/* They are ours now: nothing waits. */
	*(volatile uint8_t *)(memory + STORE * PAGE) = 19;
	CHECK(waited[STORE] == 1 && went_on[STORE] == 1);
	CHECK(load(UPGRADE) == 17 && load(STORE) == 19);
	CHECK(gvm_unmap_shared(region) == 0);
	cluster_stop(&cluster);
	return 0;
}
