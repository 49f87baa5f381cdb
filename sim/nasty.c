// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Small clusters that meet all the rare things at once: few pages, tiny tables,
 * a bad network, deaths.  What a seed stands for must not change lightly: old
 * seeds that found something are tests.
 */
#include "cluster.h"

#define US	1000ull
#define MS	1000000ull

static u32 from_to(u64 *random, u32 min, u32 max)
{
	return min + gvm_sim_below(random, max - min + 1);
}

static bool one_in(u64 *random, u32 n)
{
	return !gvm_sim_below(random, n);
}

static u32 perhaps(u64 *random, u32 max)
{
	return one_in(random, 2) ? from_to(random, 1, max) : 0;
}

static void shape(struct gvm_sim_config *c, u64 *r)
{
	static const enum gvm_sim_load loads[] = {
		GVM_SIM_MIGRATORY, GVM_SIM_PRODUCER, GVM_SIM_STORM,
		GVM_SIM_ZIPF, GVM_SIM_ZIPF, GVM_SIM_FALSE_SHARING,
	};
	bool wide = one_in(r, 4);	/* trees of relays */

	c->nodes = wide ? from_to(r, 12, 90) : from_to(r, 2, 9);
	c->threads = from_to(r, 1, 3);
	c->homes = one_in(r, 3) ? from_to(r, 2, 3) : 1;
	c->pages = from_to(r, c->homes, 9);
	c->limit = perhaps(r, 4);
	c->ops = wide ? from_to(r, 20, 60) : from_to(r, 50, 250);
	c->load = loads[gvm_sim_below(r, 6)];
	c->writes_ppm = from_to(r, 1, wide ? 10 : 50) * 10000;
	c->think_ns = from_to(r, 0, 60) * US;
	c->fanout = from_to(r, 2, 8);
	c->sets = from_to(r, 0, 3);
	c->txns = perhaps(r, 6);
	c->hold_ns = one_in(r, 4) ? ~0ull : from_to(r, 0, 60) * US;
	c->storm_ns = perhaps(r, 300) * US;
	c->retry_ns = from_to(r, 60, 2000) * US;
}

void gvm_sim_nasty(struct gvm_sim_config *c)
{
	u64 seed = c->seed;
	u64 random = seed ^ 0x6e61737479ull;
	u64 *r = &random;

	gvm_sim_defaults(c, 2);
	c->seed = seed;
	shape(c, r);
	c->rtt_ns = from_to(r, 2, 60) * US;
	c->tail_ns = from_to(r, 0, 40) * US;
	c->cpu_ns = from_to(r, 0, 9) * US;
	c->loss_ppm = perhaps(r, 80) * 1000;
	c->dup_ppm = perhaps(r, 100) * 1000;
	c->reorder_ppm = perhaps(r, 200) * 1000;
	c->crashes = perhaps(r, 3);
	c->partitions = perhaps(r, 4);
	c->slow = perhaps(r, 2);
	c->restart = !one_in(r, 3);
	c->lease_ns = from_to(r, 1, 20) * MS;
	c->check = true;
}
