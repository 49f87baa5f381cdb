// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Our design: the core's own files, an instance for each node and home.
 */
#include <stdlib.h>

#include "cluster.h"
#include "home.h"
#include "node.h"

#define LINES_AHEAD	3u	/* of a node, that every call looks at */

struct core {
	struct gvm_node_config node_config;
	size_t	node_bytes;
	u8	*nodes;
	struct gvm_home *home[GVM_SIM_HOMES_MAX];
	u32	*epoch;		/* of each node */
};

static struct gvm_node *node_at(struct sim *s, u32 node)
{
	struct core *c = s->design;

	return (struct gvm_node *)(c->nodes + node * c->node_bytes);
}

static bool start_node(struct sim *s, u32 node)
{
	struct core *c = s->design;
	struct gvm_node_config config = c->node_config;

	config.id = (u16)node;
	config.epoch = c->epoch[node];
	return gvm_node_init(node_at(s, node), &config);
}

/* At all homes with the epoch that the first one gives. */
static bool join(struct sim *s, u32 node)
{
	struct core *c = s->design;

	if (!gvm_home_member(c->home[0], node))
		c->epoch[node] = 0;
	for (u32 h = 0; h < s->cfg.homes; h++) {
		int err;

		if (gvm_home_member(c->home[h], node))
			continue;
		err = gvm_home_join(c->home[h], node, &c->epoch[node]);
		if (err && err != -EBUSY)
			gvm_sim_fail(s, ~0ull, "home %u refuses node %u (%d)", h,
				     node, err);
		if (err) {
			/* It waits for its tick. */
			gvm_sim_rearm(s, s->cfg.nodes + h);
			return false;
		}
	}
	return start_node(s, node);
}

static int start_homes(struct sim *s, struct core *c)
{
	u32 waits = 2 * s->threads_nr < 65534 ? 2 * s->threads_nr : 65534;

	for (u32 h = 0; h < s->cfg.homes; h++) {
		u32 first = h * s->slice;
		u32 end = first + s->slice < s->cfg.pages ? first + s->slice :
							    s->cfg.pages;
		struct gvm_home_config config = {
			.page0 = first,
			.pages = end > first ? end - first : 1,
			.nodes_max = s->cfg.nodes,
			.txns_max = s->cfg.txns ? s->cfg.txns : 4096,
			.waits_max = waits < 64 ? 64 : waits,
			.sets_max = s->cfg.sets,
			.fanout = s->cfg.fanout,
			.retry_ns = s->cfg.retry_ns,
			.storm_ns = s->cfg.storm_ns,
		};
		void *mem = calloc(1, gvm_home_size(&config));

		if (!mem)
			return -ENOMEM;
		c->home[h] = gvm_home_init(mem, &config);
		if (!c->home[h]) {
			free(mem);
			return -EINVAL;
		}
	}
	return 0;
}

static int start(struct sim *s)
{
	struct core *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	s->design = c;
	c->node_config = (struct gvm_node_config){
		.epoch = 1,
		.pages_max = s->limit + s->wants + 16,
		.wants_max = s->wants,
		.buffers_max = s->buffers,
		.relays_max = 32,
		.retry_ns = s->cfg.retry_ns,
		.hold_ns = s->cfg.hold_ns,
	};
	c->node_bytes = gvm_node_size(&c->node_config);
	if (!c->node_bytes)
		return -EINVAL;
	c->nodes = calloc(s->cfg.nodes, c->node_bytes);
	c->epoch = calloc(s->cfg.nodes, sizeof(*c->epoch));
	if (!c->nodes || !c->epoch)
		return -ENOMEM;
	err = start_homes(s, c);
	for (u32 i = 0; i < s->cfg.nodes && !err; i++) {
		if (!join(s, i))
			err = -EINVAL;
	}
	return err;
}

static void stop(struct sim *s)
{
	struct core *c = s->design;

	for (u32 h = 0; h < s->cfg.homes; h++)
		free(c->home[h]);
	free(c->nodes);
	free(c->epoch);
	free(c);
}

static int fault(struct sim *s, u32 node, u32 page, bool write, u64 now)
{
	return gvm_node_fault(node_at(s, node), page,
			      write ? GVM_WANT_EXCLUSIVE : GVM_WANT_SHARED, now,
			      &s->out);
}

static bool evict(struct sim *s, u32 node, u64 now)
{
	struct gvm_node *n = node_at(s, node);
	u64 page;

	if (gvm_node_held(n) < s->limit || !gvm_node_victim(n, now, &page))
		return false;
	return !gvm_node_evict(n, page, now, &s->out);
}

static int node_recv(struct sim *s, u32 node, const struct gvm_co_msg *m,
		     u64 now)
{
	return gvm_node_recv(node_at(s, node), m, now, &s->out);
}

static int home_recv(struct sim *s, u32 home, const struct gvm_co_msg *m,
		     u64 now)
{
	struct core *c = s->design;

	return gvm_home_recv(c->home[home], m, now, &s->out);
}

static void tick(struct sim *s, u32 actor, u64 now)
{
	struct core *c = s->design;

	if (gvm_sim_is_home(s, actor))
		gvm_home_tick(c->home[actor - s->cfg.nodes], now, &s->out);
	else
		gvm_node_tick(node_at(s, actor), now, &s->out);
}

static u64 deadline(struct sim *s, u32 actor)
{
	struct core *c = s->design;

	if (gvm_sim_is_home(s, actor))
		return gvm_home_deadline(c->home[actor - s->cfg.nodes]);
	return gvm_node_deadline(node_at(s, actor));
}

static void fetch_ahead(const struct sim *s, u32 actor)
{
	const struct core *c = s->design;
	const u8 *at = c->nodes + actor * c->node_bytes;

	if (gvm_sim_is_home(s, actor))
		return;
	for (u32 i = 0; i < LINES_AHEAD; i++)
		__builtin_prefetch(at + i * 64);
}

static void dead(struct sim *s, u32 home, u32 node, u64 now)
{
	struct core *c = s->design;

	gvm_home_dead(c->home[home], node, now, &s->out);
}

static u32 dir_bytes(struct sim *s, u32 page, u32 *ret_sharers)
{
	struct core *c = s->design;
	struct gvm_home_page p;

	if (gvm_home_page(c->home[gvm_sim_home_of(s, page)], page, &p) ||
	    (!p.seq && p.zero && !p.sharers && p.owner == GVM_NODE_NONE))
		return 0;
	*ret_sharers = p.sharers;
	return 16 + (p.sharers > 4 && !p.coarse ?
		     (u32)sizeof(struct gvm_sharers) : 0);
}

static u32 extra_bytes(const struct sim *s, const struct gvm_co_msg *m)
{
	(void)s;
	(void)m;
	return 0;
}

static void check(struct sim *s, u32 actor)
{
	struct core *c = s->design;

	if (gvm_sim_is_home(s, actor))
		gvm_home_check(c->home[actor - s->cfg.nodes]);
	else
		gvm_node_check(node_at(s, actor));
}

static bool idle(struct sim *s, u32 actor)
{
	struct core *c = s->design;

	if (gvm_sim_is_home(s, actor))
		return gvm_home_idle(c->home[actor - s->cfg.nodes]);
	return gvm_node_idle(node_at(s, actor));
}

/* Nothing is under way: home knows the owner, and every reader. */
static const char *agree(struct sim *s, u32 page)
{
	struct core *c = s->design;
	struct gvm_home *home = c->home[gvm_sim_home_of(s, page)];
	u32 writer = gvm_oracle_writer(s->oracle, page);
	struct gvm_sharers set;
	struct gvm_home_page p;

	if (gvm_home_page(home, page, &p))
		return "home does not know it";
	if (p.busy)
		return "busy for ever";
	if (p.lost)
		return NULL;
	if (p.owner != GVM_NODE_NONE)
		return writer == p.owner ? NULL : "its owner cannot write it";
	if (writer != ~0u)
		return "somebody can write it, and home knows of no owner";
	if (s->store[page] != gvm_oracle_latest(s->oracle, page))
		return "home's copy is not the latest write";
	gvm_sharers_clear(&set);
	gvm_home_sharers(home, page, &set);
	for (u32 i = 0; i < s->cfg.nodes; i++) {
		if (gvm_sim_frame(s, i, page)->page && !gvm_sharers_has(&set, i))
			return "a node can read it, and home does not know";
	}
	return NULL;
}

const struct sim_ops gvm_sim_core_ops = {
	.start = start,
	.stop = stop,
	.fault = fault,
	.node_recv = node_recv,
	.home_recv = home_recv,
	.tick = tick,
	.deadline = deadline,
	.fetch_ahead = fetch_ahead,
	.evict = evict,
	.dead = dead,
	.join = join,
	.dir_bytes = dir_bytes,
	.extra_bytes = extra_bytes,
	.check = check,
	.idle = idle,
	.agree = agree,
};
