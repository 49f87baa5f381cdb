// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A node whose turn it is not asks for no page, uses those that it has, and asks
 * as soon as its turn has come.  If it asked, vCPUs under KVM would go on taking
 * their page tables from each other; if it forgot to ask, a vCPU would sleep for
 * ever.
 */
#include <pthread.h>
#include <unistd.h>

#include "cluster.h"

#define MANY		50u	/* times that a node which waits is put off */
#define LIMIT_NS	20000000000ull

static struct cluster cluster;
static uint64_t closed_ns, asked;
static bool written;

static uint64_t turn(void *arg, uint32_t thread)
{
	(void)arg;
	(void)thread;
	__atomic_fetch_add(&asked, 1, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&closed_ns, __ATOMIC_SEQ_CST);
}

static void *write_to(void *at)
{
	*(volatile uint32_t *)at = 1;
	__atomic_store_n(&written, true, __ATOMIC_SEQ_CST);
	return NULL;
}

int main(void)
{
	struct gvm_shared_config config = {
		.size = sizeof(config), .node = 0, .turn = turn,
		.local_bytes = SLICE, .slice_bytes = SLICE,
	};
	struct gvm_shared *region;
	const char *why = "";
	uint64_t end;
	pthread_t thread;
	void *at = NULL;
	uint8_t *memory;

	cluster_start(&cluster, 1, NULL);
	config.servers = cluster.list;
	if (gvm_map_shared("turns", SLICE, &config, &region, &at, &why))
		fprintf(stderr, "%s\n", why);
	CHECK(at);
	memory = at;
	memory[0] = 7;
	CHECK(asked);

	__atomic_store_n(&closed_ns, 1000000, __ATOMIC_SEQ_CST);
	__atomic_store_n(&asked, 0, __ATOMIC_SEQ_CST);
	CHECK(memory[0] == 7);
	memory[1] = 8;
	CHECK(!__atomic_load_n(&asked, __ATOMIC_SEQ_CST));
	CHECK(!pthread_create(&thread, NULL, write_to, memory + PAGE));
	end = now_ns() + LIMIT_NS;
	while (__atomic_load_n(&asked, __ATOMIC_SEQ_CST) < MANY) {
		CHECK(!__atomic_load_n(&written, __ATOMIC_SEQ_CST));
		CHECK(now_ns() < end);
		usleep(100);
	}
	CHECK(!__atomic_load_n(&written, __ATOMIC_SEQ_CST));

	__atomic_store_n(&closed_ns, 0, __ATOMIC_SEQ_CST);
	CHECK(!pthread_join(thread, NULL));
	CHECK(memory[PAGE] == 1 && memory[0] == 7 && memory[1] == 8);
	CHECK(gvm_unmap_shared(region) == 0);
	cluster_stop(&cluster);
	return 0;
}
