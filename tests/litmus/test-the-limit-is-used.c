// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * At its limit, a node gives up a page for each one that comes, and a few ahead.
 * If this failed, a program whose data just do not fit would lose all of them
 * time and again, because what is on its way out still counted as being here.
 */
#include <sched.h>

#include "cluster.h"

#define PAGES		2048u
#define LIMIT		1024u
#define SLACK		64u	/* given up ahead, or just asked for */

static struct cluster cluster;

static int filler(void *arg)
{
	struct gvm_shared_stats s;
	struct node n;

	(void)arg;
	node_join(&cluster, 0, PAGES * PAGE, LIMIT * PAGE, &n);
	for (uint64_t i = 0; i < PAGES; i++)
		stamp_put(n.at + i * PAGE, i, 1);
	CHECK(gvm_shared_stats(n.region, &s) == 0);
	printf("%llu pages given up\n", (unsigned long long)s.evicted_dirty);
	CHECK(s.evicted_dirty <= PAGES - LIMIT + SLACK);
	/* The newest are still here: looking at them asks nobody. */
	for (uint64_t i = PAGES - LIMIT + SLACK; i < PAGES; i++)
		CHECK(stamp_is(n.at + i * PAGE, i, 1));
	for (uint64_t i = 0; i < PAGES; i++)
		CHECK(stamp_is(n.at + i * PAGE, i, 1));
	node_leave(&n);
	return 0;
}

int main(void)
{
	cluster_start(&cluster, 1, NULL);
	CHECK(reap(spawn(filler, NULL)) == 0);
	cluster_stop(&cluster);
	return 0;
}
