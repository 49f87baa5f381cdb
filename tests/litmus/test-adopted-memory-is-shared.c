// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a virtual machine monitor cannot make its guest's RAM a shared
 * region: memory of its own, served by a thread of its own, claimed by the
 * node that fills it, so that fresh pages cost no round trip.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <giantvm/giantvm.h>

#include "cluster.h"

#define PAGES	2048u

struct helper {
	pthread_t thread;
	void	(*run)(void *region);
	void	*region;
	unsigned runs;
};

static void *run(void *arg)
{
	struct helper *h = arg;

	h->run(h->region);
	return NULL;
}

static int start(void (*fn)(void *region), void *region, void *arg)
{
	struct helper *h = arg;

	h->run = fn;
	h->region = region;
	h->runs++;
	return -pthread_create(&h->thread, NULL, run, h);
}

static struct gvm_shared *join(uint32_t node, const char *servers,
			       struct helper *h, unsigned char **ret_memory)
{
	struct gvm_shared_config c = {
		.size = sizeof(c), .node = node, .servers = servers,
		.local_bytes = 64u << 20, .slice_bytes = 2u << 20,
		.flags = GVM_SHARED_CLAIM, .start = start, .arg = h,
	};
	struct gvm_shared *r;
	const char *why;
	void *addr;

	c.memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(c.memory != MAP_FAILED);
	if (gvm_map_shared("adopted", PAGES * PAGE, &c, &r, &addr, &why)) {
		printf("%s\n", why);
		exit(1);
	}
	CHECK(addr == c.memory);
	*ret_memory = addr;
	return r;
}

int main(void)
{
	struct helper one = { .runs = 0 }, two = { .runs = 0 };
	struct gvm_shared *a, *b;
	struct gvm_shared_stats s;
	unsigned char *at_a, *at_b;
	struct cluster c;
	const char *servers = c.list;

	need_userfaultfd();
	cluster_start(&c, 2, NULL);
	a = join(0, servers, &one, &at_a);
	for (unsigned i = 0; i < PAGES / 2; i++)
		memset(at_a + i * PAGE, (int)(i % 250 + 1), PAGE);
	CHECK(!gvm_shared_stats(a, &s));
	/* Every page was ours: nothing but the join went to a server. */
	CHECK(s.sent == 0);
	/* Fresh memory comes 2 MiB at a time. */
	CHECK(s.faults >= PAGES / 2 / 512 && s.faults <= PAGES / 2 / 512 + 1);

	b = join(1, servers, &two, &at_b);
	for (unsigned i = 0; i < PAGES; i++) {
		unsigned char want = i < PAGES / 2 ?
			(unsigned char)(i % 250 + 1) : 0;

		CHECK(at_b[i * PAGE] == want);
		CHECK(at_b[i * PAGE + PAGE - 1] == want);
	}
	at_b[5] = 77;
	CHECK(at_a[5] == 77);
	CHECK(!gvm_unmap_shared(a));
	pthread_join(one.thread, NULL);

	/* What a claimed and never touched is not lost with it. */
	for (unsigned i = 0; i < PAGES; i++)
		at_b[i * PAGE + 9]++;
	CHECK(at_b[5] == 77);
	CHECK(!gvm_unmap_shared(b));
	pthread_join(two.thread, NULL);
	CHECK(one.runs == 1 && two.runs == 1);
	cluster_stop(&c);
	return 0;
}
