// SPDX-License-Identifier: GPL-2.0-or-later
/* Configurations: what is usual, what is possible, and what is smaller. */
#include <stddef.h>

#include "cluster.h"

#define US	1000ull
#define MS	1000000ull

const char *const gvm_sim_design_names[] = {
	[GVM_SIM_HOME] = "home",
	[GVM_SIM_SERIAL] = "serial",
	[GVM_SIM_BITMAP] = "bitmap",
	[GVM_SIM_CHAIN] = "chain",
	NULL
};

void gvm_sim_defaults(struct gvm_sim_config *c, uint32_t nodes)
{
	memset(c, 0, sizeof(*c));
	c->seed = 1;
	c->load = GVM_SIM_ZIPF;
	c->nodes = nodes;
	c->homes = 1;
	c->threads = 1;
	c->pages = 4096;
	c->limit = 64;
	c->ops = 200;
	c->writes_ppm = 20000;
	c->think_ns = 50 * US;
	c->rtt_ns = 20 * US;
	c->tail_ns = 2 * US;
	c->cpu_ns = 7 * US;
	c->lease_ns = 20 * MS;
	c->hold_ns = 20 * US;
	c->retry_ns = 50 * MS;
	c->storm_ns = 100 * US;
	c->fanout = 8;
	c->sets = 4096;
	c->story_page = ~0ull;
}

struct bound {
	const char *what;	/* "must be from ... to ..." */
	size_t	at;
	uint32_t min, max;
};

#define BOUND(field, min, max) \
	{ "--" #field " must be from " #min " to " #max, \
	  offsetof(struct gvm_sim_config, field), min, max }

static const struct bound bounds[] = {
	BOUND(nodes, 1, 10240),
	BOUND(homes, 1, 64),
	BOUND(threads, 1, 8),
	BOUND(pages, 1, 4194304),
	BOUND(limit, 0, 4194304),
	BOUND(ops, 1, 1000000000),
	BOUND(crashes, 0, 1000),
	BOUND(partitions, 0, 1000),
	BOUND(slow, 0, 1000),
	BOUND(fanout, 2, 8),
	BOUND(sets, 0, 65535),
	BOUND(txns, 0, 65534),
};

const char *gvm_sim_check(const struct gvm_sim_config *c)
{
	bool naive = c->design != GVM_SIM_HOME;

	for (u32 i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		uint32_t v;

		memcpy(&v, (const char *)c + bounds[i].at, sizeof(v));
		if (v < bounds[i].min || v > bounds[i].max)
			return bounds[i].what;
	}
	if (c->homes > c->pages)
		return "--homes cannot be more than --pages";
	if (c->load == GVM_SIM_TRACE && !c->trace)
		return "--load trace needs --trace FILE";
	if (c->load == GVM_SIM_INVALIDATE && (c->nodes < 2 || c->threads > 1))
		return "--load invalidate needs two nodes of one thread each";
	if (naive && (c->loss_ppm || c->dup_ppm || c->reorder_ppm ||
		      c->crashes || c->partitions))
		return "only --design home stands lost, repeated and late messages and crashes";
	if (naive && (u64)c->nodes * c->pages > 1ull << 26)
		return "too many nodes and pages for a design that evicts nothing; try --pages 1024";
	if ((c->crashes || c->partitions) &&
	    (u64)c->nodes * c->pages > 1ull << 32)
		return "too many nodes and pages for crashes; the oracle would need gigabytes";
	return NULL;
}

static uint32_t half(uint32_t n, uint32_t min)
{
	return n / 2 > min ? n / 2 : min;
}

bool gvm_sim_smaller(const struct gvm_sim_config *config, unsigned step,
		     struct gvm_sim_config *ret)
{
	struct gvm_sim_config c = *config;

	switch (step) {
	case 0: c.nodes = half(c.nodes, 2); break;
	case 1: c.ops = half(c.ops, 1); break;
	case 2: c.pages = half(c.pages, c.homes); break;
	case 3: c.threads = 1; break;
	case 4: c.crashes = 0; break;
	case 5: c.crashes -= c.crashes != 0; break;
	case 6: c.partitions = 0; break;
	case 7: c.partitions -= c.partitions != 0; break;
	case 8: c.slow = 0; break;
	case 9: c.loss_ppm = 0; break;
	case 10: c.dup_ppm = 0; break;
	case 11: c.reorder_ppm = 0; break;
	case 12: c.restart = false; break;
	case 13: c.homes = 1; break;
	case 14: c.limit = 0; break;
	case 15: c.tail_ns = 0; break;
	case 16: c.nodes -= c.nodes > 2; break;
	case 17: c.ops -= c.ops > 1; break;
	case 18: c.pages -= c.pages > c.homes; break;
	case 19: c.hold_ns = 0; break;
	case 20: c.storm_ns = 0; break;
	default:
		return false;
	}
	*ret = c;
	return true;
}

uint64_t gvm_sim_percentile(const struct gvm_sim_result *r, unsigned permille)
{
	u64 ns = gvm_hist_percentile((const struct gvm_hist *)r->latency,
				     permille);

	return ns < r->latency_max ? ns : r->latency_max;
}

uint64_t gvm_sim_bucket_ns(unsigned i)
{
	struct gvm_hist h = { { 0 } };

	h.n[i < GVM_HIST_NR ? i : GVM_HIST_NR - 1] = 1;
	return gvm_hist_percentile(&h, 1000);
}
