// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a program that is in the cluster, or has got hold of a
 * connection, can crash a node or a server by what it writes into messages of
 * a shared region.
 *
 * Whatever the codec lets through: any number in any field.  The messages may
 * make pages unreadable; they must not break what the core knows about itself,
 * nor make it say more than fits.
 */
#include <string.h>

#include "check.h"
#include "home.h"
#include "node.h"

#define PAGES	4u
#define NODES	70u
#define ME	7u

static struct gvm_co_out out;
static struct gvm_sharers list;
static u64 seed = 1;

static u64 chance(u64 below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

static u16 anybody(void)
{
	static const u16 odd[] = { ME, GVM_NODE_NONE, GVM_NODE_HOME,
		GVM_NODES_MAX - 1 };

	return chance(4) ? (u16)chance(NODES) : odd[chance(4)];
}

static u64 any_seq(void)
{
	return chance(50) ? chance(12) : GVM_SEQ_MAX - chance(2);
}

static void any_list(struct gvm_co_msg *m)
{
	m->list = NULL;
	if (m->type != GVM_CO_INVALIDATE || m->hi == m->lo || chance(3) == 0)
		return;
	gvm_sharers_clear(&list);
	for (u32 i = (u32)chance(40) + 1; i; i--)
		gvm_sharers_add(&list, m->lo + (u32)chance(m->hi - m->lo));
	m->list = &list;
}

/* As far as it matters, like what core/codec-co.c lets through. */
static struct gvm_co_msg anything(u16 from)
{
	struct gvm_co_msg m = {
		.type = (u16)(GVM_CO_GET_SHARED +
			      chance(GVM_CO_TYPE_NR - GVM_CO_GET_SHARED)),
		.flags = (u16)chance(64), .from = from, .to = ME,
		.requester = anybody(), .giver = anybody(),
		.slot = (u16)(chance(8) ? chance(70) : chance(65536)),
		.epoch = (u32)chance(3), .page = chance(PAGES),
		.seq = any_seq(),
		.txn = (chance(3)) << 32 | chance(40),
		.need = chance(2) ? chance(4) : chance(~0ull),
	};

	if (chance(200) == 0)
		m.page = chance(GVM_PAGE_NO_MAX);
	if (m.type != GVM_CO_INVALIDATE && m.type != GVM_CO_INVALIDATED)
		return m;
	m.lo = (u16)chance(chance(2) ? NODES : GVM_NODES_MAX + 1);
	m.hi = (u16)(m.lo + chance(GVM_NODES_MAX + 1 - m.lo));
	any_list(&m);
	return m;
}

/* One of the last messages again, with something else in it. */
static struct gvm_co_msg almost(u16 from)
{
	static struct gvm_co_msg last[8];
	struct gvm_co_msg *m = &last[chance(8)];

	if (chance(4) == 0 || !m->type) {
		*m = anything(from);
		return *m;
	}
	switch (chance(6)) {
	case 0:
		m->type = (u16)(GVM_CO_GET_SHARED + chance(14));
		m->lo = m->hi = 0;
		break;
	case 1:
		m->flags ^= (u16)(1u << chance(6));
		break;
	case 2:
		m->seq += chance(3);
		m->seq &= GVM_SEQ_MAX;
		break;
	case 3:
		m->need = chance(4);
		break;
	default:
		break;
	}
	any_list(m);
	if (m->from != GVM_NODE_HOME || from != GVM_NODE_HOME)
		m->from = from;
	return *m;
}

static void check_out(const char *who, u64 i)
{
	if (out.nr <= GVM_CO_EFFECTS_MAX)
		goto sent;
	printf("%s says too much in call %llu\n", who, (unsigned long long)i);
	exit(1);
sent:
	for (u32 k = 0; k < out.nr; k++) {
		const struct gvm_co_effect *e = &out.effect[k];

		if (e->what != GVM_DO_SEND)
			continue;
		CHECK(e->msg.to != GVM_NODES_MAX);
		CHECK(e->msg.lo <= e->msg.hi && e->msg.hi <= GVM_NODES_MAX);
	}
}

static void own_will(struct gvm_node *n, u64 now)
{
	u64 page = chance(PAGES);

	switch (chance(7)) {
	case 0:
		gvm_node_fault(n, page, GVM_WANT_SHARED, now, &out);
		break;
	case 1:
	case 2:
		gvm_node_fault(n, page, GVM_WANT_EXCLUSIVE, now, &out);
		break;
	case 3:
		gvm_node_evict(n, page, now, &out);
		break;
	case 4:
		gvm_node_pin(n, page, now + chance(900), now, &out);
		break;
	case 5:
		gvm_node_unpin(n, page, now, &out);
		break;
	default:
		gvm_node_tick(n, now, &out);
		break;
	}
}

static void attack_node(u64 rounds)
{
	struct gvm_node_config c = {
		.id = ME, .epoch = 1, .pages_max = 6, .wants_max = 3,
		.buffers_max = 6, .relays_max = 3, .retry_ns = 100,
		.hold_ns = 50, .claim_pages = PAGES,
	};
	struct gvm_node *n = malloc(gvm_node_size(&c));

	CHECK(n && gvm_node_init(n, &c));
	gvm_node_claim(n, 0, PAGES);
	for (u64 i = 0; i < rounds; i++) {
		struct gvm_co_msg m = almost(chance(2) ? GVM_NODE_HOME :
					     (u16)chance(NODES));

		out.nr = 0;
		if (chance(3))
			gvm_node_recv(n, &m, i, &out);
		else
			own_will(n, i);
		check_out("a node", i);
		gvm_node_check(n);
	}
	free(n);
}

static void come_and_go(struct gvm_home *h, u64 now)
{
	u32 node = (u32)chance(NODES);
	u32 epoch = (u32)chance(3);

	out.nr = 0;
	if (chance(20) == 0)
		gvm_home_dead(h, node, now, &out);
	else if (chance(3) == 0)
		gvm_home_join(h, node, &epoch);
	else
		gvm_home_tick(h, now, &out);
}

static u32 epoch_of(const struct gvm_home *h, u32 node, const u32 *epochs)
{
	return gvm_home_member(h, node) ? epochs[node] : 1;
}

static void attack_home(u64 rounds)
{
	struct gvm_home_config c = {
		.pages = PAGES, .nodes_max = NODES, .txns_max = 3,
		.waits_max = 90, .sets_max = 2, .retry_ns = 100,
		.storm_ns = seed % 2 ? 1000 : 0,
	};
	struct gvm_home *h = calloc(1, gvm_home_size(&c));
	u32 epochs[NODES] = { 0 };
	struct gvm_home_page p;

	CHECK(h && gvm_home_init(h, &c));
	for (u32 n = 0; n < NODES; n++) {
		epochs[n] = 0;
		CHECK(!gvm_home_join(h, n, &epochs[n]));
	}
	for (u64 i = 0; i < rounds; i++) {
		struct gvm_co_msg m = almost((u16)chance(NODES));

		m.to = GVM_NODE_HOME;
		m.epoch = epoch_of(h, m.from, epochs);
		m.txn = (u64)(m.requester < NODES ? epochs[m.requester] : 1)
			<< 32 | (u32)m.txn;
		if (chance(2) && !gvm_home_page(h, m.page, &p))
			m.seq = p.seq;
		/* Mostly what gets somewhere. */
		if (chance(2) && m.type <= GVM_CO_GET_EXCLUSIVE) {
			m.requester = m.from;
			m.txn = (u64)epochs[m.from] << 32 | (u32)m.txn;
		}
		if (chance(12) == 0)
			come_and_go(h, i);
		else
			gvm_home_recv(h, &m, i, &out);
		check_out("a home", i);
		gvm_home_check(h);
		for (u32 n = 0; n < NODES && chance(400) == 0; n++) {
			u32 epoch = 0;

			if (!gvm_home_join(h, n, &epoch))
				epochs[n] = epoch;
		}
	}
	free(h);
}

int main(int argc, char **argv)
{
	u64 from = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	u64 seeds = argc > 2 ? strtoull(argv[2], NULL, 0) : 40;

	for (u64 s = from; s < from + seeds; s++) {
		seed = s * 0x9e3779b97f4a7c15ull | 1;
		attack_node(20000);
		attack_home(6000);
	}
	return 0;
}
