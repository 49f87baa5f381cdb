// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What no thread waits for (DONE, the RETURN of a page that is shared) may go with
 * the next message to its home.  If it were kept until there is one, a page would
 * stay busy at home because the node that has it needs nothing more, and the next
 * node would wait until it asks again.  Which is after ten seconds here.
 */
#include <sched.h>
#include <stdlib.h>

#include "cluster.h"

#define PAGES		64u
#define LIMIT_NS	5000000000ull	/* half of what asking again would take */

static struct cluster cluster;

struct control {
	uint32_t turn;		/* which node is to touch all pages */
	uint64_t took_ns;
};

static struct control *control;

static void wait_turn(uint32_t turn)
{
	while (__atomic_load_n(&control->turn, __ATOMIC_ACQUIRE) != turn)
		sched_yield();
}

/*
 * Node 0 writes each page, then node 1, or it reads, and then node 2.  Each page is
 * the last thing that a node asks for, for a while.
 */
static int node(void *arg)
{
	const uint32_t id = *(const uint32_t *)arg;
	struct node n;

	node_join(&cluster, id, SLICE, SLICE, &n);
	for (uint32_t i = 0; i < PAGES; i++) {
		volatile uint64_t *at = (void *)(n.at + i * PAGE);
		uint64_t began;

		wait_turn(3 * i + id);
		began = now_ns();
		if (id == 1 && i % 2)
			CHECK(*at == i);
		else
			*at = i + id;
		if (id)
			control->took_ns += now_ns() - began;
		__atomic_store_n(&control->turn, 3 * i + id + 1,
				 __ATOMIC_RELEASE);
	}
	/* Who leaves speaks to its home. */
	wait_turn(3 * PAGES);
	node_leave(&n);
	return 0;
}

int main(void)
{
	uint32_t id[3] = { 0, 1, 2 };
	pid_t pid[3];

	setenv("GIANTVM_TEST_RETRY_US", "10000000", 1);
	cluster_start(&cluster, 1, NULL);
	control = common_map(sizeof(*control));
	for (int i = 0; i < 3; i++)
		pid[i] = spawn(node, &id[i]);
	for (int i = 0; i < 3; i++)
		CHECK(reap(pid[i]) == 0);
	printf("%u misses in a row took %llu us\n", 2 * PAGES,
	       (unsigned long long)control->took_ns / 1000);
	CHECK(control->took_ns < LIMIT_NS);
	cluster_stop(&cluster);
	return 0;
}
