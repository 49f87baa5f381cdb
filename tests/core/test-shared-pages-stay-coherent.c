// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a node of a shared region read an old page, or waits for ever.
 *
 * The real core, some nodes and one home, a network that loses, repeats and
 * reorders, threads that read and write, nodes that evict and die; and an
 * oracle that knows nothing of the protocol: it looks at what was mapped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "home.h"
#include "node.h"

#define NODES	20u	/* at most; more than 8 make a tree */
#define STRIDE	500u	/* ids lie far apart: a coarse vector is put to use */
#define PAGES	3u
#define MSGS	4096u
#define BUFFERS	12u
#define RETRY	400u

struct letter {
	struct gvm_co_msg msg;
	struct gvm_sharers list;
	u64	bytes;
	u64	at;
	bool	used;
};

struct node {
	struct gvm_node	*core;
	u32	epoch;
	bool	alive;
	bool	leaving;
	enum gvm_node_right right[PAGES];
	u64	bytes[PAGES];
	u64	buffer[BUFFERS];
	u64	wants[PAGES];	/* since when; 0: nothing wanted */
	bool	write[PAGES];
};

static struct node nodes[NODES];
static struct gvm_home *home;
static struct letter post[MSGS];
static u64 store[PAGES];
static u64 latest[PAGES];
static bool may_be_lost[PAGES];
static bool lost[PAGES];
static struct gvm_co_out out;
static u64 now, seed, counter, delivered;
static u32 loss, repeat;	/* per thousand */
static u64 first_seed;
static u32 nodes_nr, reads_per_write;

static u64 chance(u64 below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

static void fail(const char *what, u32 node, u64 page)
{
	printf("seed %llu: %s: node %u page %llu at %llu\n",
	       (unsigned long long)first_seed, what, node,
	       (unsigned long long)page, (unsigned long long)now);
	exit(1);
}

static void put_in_post(const struct gvm_co_msg *m, u64 bytes)
{
	u32 copies = chance(1000) < repeat ? 2 : 1;

	if (chance(1000) < loss)
		return;
	while (copies--) {
		u32 i = 0;

		while (i < MSGS && post[i].used)
			i++;
		if (i == MSGS)
			return;
		post[i] = (struct letter){ .msg = *m, .bytes = bytes,
			.at = now + 1 + chance(6), .used = true };
		if (chance(60) == 0)
			post[i].at += chance(3 * RETRY);
		if (m->list) {
			post[i].list = *m->list;
			post[i].msg.list = &post[i].list;
		}
	}
}

static u64 bytes_of(const struct node *n, const struct gvm_co_effect *e,
		    u64 message)
{
	switch (e->bytes) {
	case GVM_BYTES_MESSAGE:
		return message;
	case GVM_BYTES_BUFFER:
		return n->buffer[e->buffer];
	case GVM_BYTES_STORE:
		return store[e->page];
	default:
		return 0;
	}
}

static void judge(u32 id, u64 page)
{
	struct node *n = &nodes[id];

	if (n->right[page] == GVM_RIGHT_NONE)
		return;
	if (n->bytes[page] != latest[page])
		fail("an old page is mapped", id, page);
	if (n->right[page] != GVM_RIGHT_WRITE)
		return;
	for (u32 i = 0; i < nodes_nr; i++) {
		if (i != id && nodes[i].alive &&
		    nodes[i].right[page] != GVM_RIGHT_NONE)
			fail("a copy beside a writer", i, page);
	}
}

static void carry_out(u32 id, u64 message)
{
	struct node *n = &nodes[id];

	for (u32 i = 0; i < out.nr; i++) {
		const struct gvm_co_effect *e = &out.effect[i];

		switch (e->what) {
		case GVM_DO_PROTECT:
			CHECK(n->right[e->page] == GVM_RIGHT_WRITE);
			n->right[e->page] = GVM_RIGHT_READ;
			break;
		case GVM_DO_READ:
			CHECK(n->right[e->page] == GVM_RIGHT_READ);
			n->buffer[e->buffer] = n->bytes[e->page];
			break;
		case GVM_DO_UNMAP:
			n->right[e->page] = GVM_RIGHT_NONE;
			break;
		case GVM_DO_SEND:
			put_in_post(&e->msg, bytes_of(n, e, message));
			break;
		case GVM_DO_KEEP:
			n->buffer[e->buffer] = message;
			break;
		case GVM_DO_INSTALL:
			CHECK(n->right[e->page] == GVM_RIGHT_NONE);
			n->bytes[e->page] = bytes_of(n, e, message);
			n->right[e->page] = e->writable ? GVM_RIGHT_WRITE :
				GVM_RIGHT_READ;
			judge(id, e->page);
			break;
		case GVM_DO_UNPROTECT:
			CHECK(n->right[e->page] == GVM_RIGHT_READ);
			n->right[e->page] = GVM_RIGHT_WRITE;
			judge(id, e->page);
			break;
		case GVM_DO_LOST:
			if (!may_be_lost[e->page])
				fail("lost without need", id, e->page);
			n->wants[e->page] = 0;
			lost[e->page] = true;
			break;
		default:
			break;
		}
	}
	gvm_node_check(n->core);
}

static void carry_out_home(u64 message)
{
	for (u32 i = 0; i < out.nr; i++) {
		const struct gvm_co_effect *e = &out.effect[i];

		if (e->what == GVM_DO_STORE)
			store[e->page] = e->bytes == GVM_BYTES_ZERO ? 0 :
				message;
		if (e->what == GVM_DO_SEND)
			put_in_post(&e->msg, bytes_of(NULL, e, message));
	}
	if (now % 256 == 0)
		gvm_home_check(home);
}

static void deliver(struct letter *l)
{
	struct letter mine = *l;
	u32 to;
	int err;

	l->used = false;
	if (mine.msg.list)
		mine.msg.list = &mine.list;
	delivered++;
	if (mine.msg.to == GVM_NODE_HOME) {
		err = gvm_home_recv(home, &mine.msg, now, &out);
		if (err == -EPROTO)
			fail("home refuses", mine.msg.from, mine.msg.page);
		if (!err)
			carry_out_home(mine.bytes);
		return;
	}
	to = mine.msg.to / STRIDE;
	if (!nodes[to].alive)
		return;
	/* As the driver does: what home sent to a former member is dropped. */
	if (mine.msg.from == GVM_NODE_HOME &&
	    mine.msg.epoch != nodes[to].epoch)
		return;
	err = gvm_node_recv(nodes[to].core, &mine.msg, now, &out);
	if (err == -EPROTO)
		fail("a node refuses", to, mine.msg.page);
	if (!err)
		carry_out(to, mine.bytes);
}

static void join(u32 id)
{
	struct node *n = &nodes[id];
	struct gvm_node_config c = {
		.pages_max = 8, .wants_max = 3,
		.buffers_max = BUFFERS, .relays_max = 2, .retry_ns = RETRY,
		.hold_ns = 30, .claim_pages = PAGES,
	};
	u32 epoch = 0;

	c.id = (u16)(id * STRIDE);
	if (gvm_home_join(home, id * STRIDE, &epoch))
		return;
	c.epoch = epoch;
	if (!n->core)
		n->core = malloc(gvm_node_size(&c));
	CHECK(gvm_node_init(n->core, &c));
	n->epoch = epoch;
	n->alive = true;
	n->leaving = false;
}

static void die(u32 id)
{
	struct node *n = &nodes[id];

	for (u64 p = 0; p < PAGES; p++) {
		struct gvm_home_page page;

		CHECK(!gvm_home_page(home, p, &page));
		/* It may have it, or be about to. */
		if (n->right[p] == GVM_RIGHT_WRITE || page.busy ||
		    page.owner == id * STRIDE)
			may_be_lost[p] = true;
		n->right[p] = GVM_RIGHT_NONE;
		n->wants[p] = 0;
	}
	n->alive = false;
	gvm_home_dead(home, id * STRIDE, now, &out);
	carry_out_home(0);
}

static void touch(u32 id)
{
	struct node *n = &nodes[id];
	u64 page = chance(PAGES);
	bool write = chance(reads_per_write) == 0;
	int err;

	if (lost[page])
		return;
	if (n->right[page] == GVM_RIGHT_WRITE && write) {
		latest[page] = n->bytes[page] = ++counter;
		return;
	}
	if (n->right[page] != GVM_RIGHT_NONE && !write) {
		judge(id, page);
		return;
	}
	err = gvm_node_fault(n->core, page, write ? GVM_WANT_EXCLUSIVE :
			     GVM_WANT_SHARED, now, &out);
	if (err)
		return;
	if (!n->wants[page])
		n->wants[page] = now;
	n->write[page] |= write;
	carry_out(id, 0);
}

static void evict(u32 id)
{
	u64 page;

	if (!gvm_node_victim(nodes[id].core, now, &page))
		return;
	if (!gvm_node_evict(nodes[id].core, page, now, &out))
		carry_out(id, 0);
}

/* Give everything back, then say goodbye: nothing may be lost by that. */
static void leave(u32 id)
{
	struct node *n = &nodes[id];

	for (u64 p = 0; p < PAGES; p++) {
		if (n->right[p] != GVM_RIGHT_NONE &&
		    !gvm_node_evict(n->core, p, now, &out))
			carry_out(id, 0);
	}
	if (gvm_node_held(n->core) || !gvm_node_idle(n->core))
		return;
	n->alive = false;
	gvm_home_leave(home, id * STRIDE, now, &out);
	carry_out_home(0);
}

static void step(bool calm)
{
	now++;
	for (u32 i = 0; i < MSGS; i++) {
		if (post[i].used && post[i].at <= now)
			deliver(&post[i]);
	}
	for (u32 id = 0; id < nodes_nr; id++) {
		struct node *n = &nodes[id];

		if (!n->alive) {
			if (!calm && chance(2000) == 0)
				join(id);
			continue;
		}
		gvm_node_tick(nodes[id].core, now, &out);
		carry_out(id, 0);
		if (n->leaving) {
			leave(id);
			continue;
		}
		if (!calm && chance(8) == 0)
			touch(id);
		if (!calm && chance(3000) == 0)
			n->leaving = true;
		if (!calm && chance(60) == 0)
			evict(id);
	}
	gvm_home_tick(home, now, &out);
	carry_out_home(0);
}

/* Everything that is wanted comes, once the network behaves. */
static void settle(void)
{
	u64 end = now + 400 * RETRY;
	bool idle = false;

	loss = repeat = 0;
	while (!idle && now < end) {
		step(true);
		idle = true;
		for (u32 id = 0; id < nodes_nr; id++)
			idle &= !nodes[id].alive ||
				gvm_node_idle(nodes[id].core);
	}
	if (!idle)
		fail("somebody waits for ever", 0, 0);
	for (u32 id = 0; id < nodes_nr; id++) {
		for (u64 p = 0; nodes[id].alive && p < PAGES; p++) {
			enum gvm_node_right r =
				gvm_node_right(nodes[id].core, p);

			if (r != nodes[id].right[p])
				fail("core and mapping differ", id, p);
			if (r != GVM_RIGHT_NONE)
				judge(id, p);
		}
	}
}

static void run(u64 s, u32 steps, bool deaths)
{
	struct gvm_home_config c = {
		.pages = PAGES, .nodes_max = GVM_NODES_MAX, .txns_max = 8, .waits_max = 8,
		.sets_max = (u32)(s % 3), .fanout = 2 + (u32)(s % 4),
		.retry_ns = RETRY, .storm_ns = s % 2 ? 5000 : 0,
	};

	first_seed = s;
	seed = s * 0x9e3779b97f4a7c15ull + 1;
	now = 1;
	nodes_nr = s % 2 ? 5 : NODES;
	reads_per_write = s % 2 ? 3 : 40;
	for (u32 id = 0; id < NODES; id++) {
		free(nodes[id].core);
		memset(&nodes[id], 0, sizeof(nodes[id]));
	}
	counter = 0;
	loss = (u32)chance(3) * 60;
	repeat = (u32)chance(3) * 60;
	free(home);
	home = calloc(1, gvm_home_size(&c));
	CHECK(gvm_home_init(home, &c));
	memset(post, 0, sizeof(post));
	memset(store, 0, sizeof(store));
	memset(latest, 0, sizeof(latest));
	memset(lost, 0, sizeof(lost));
	memset(may_be_lost, 0, sizeof(may_be_lost));
	for (u32 id = 0; id < nodes_nr; id++)
		join(id);
	if (s % 5 < 2) {
		CHECK(!gvm_home_claim(home, 0));
		gvm_node_claim(nodes[0].core, 0, PAGES);
	}
	for (u32 i = 0; i < steps; i++) {
		step(false);
		if (deaths && chance(4000) == 0) {
			u32 id = (u32)chance(nodes_nr);

			if (nodes[id].alive)
				die(id);
		}
	}
	settle();
}

int main(int argc, char **argv)
{
	u64 from = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	u64 seeds = argc > 2 ? strtoull(argv[2], NULL, 0) : 24;

	for (u64 s = from; s < from + seeds; s++)
		run(s, 12000, s % 4 == 0);
	printf("%llu seeds, %llu messages delivered\n",
	       (unsigned long long)seeds, (unsigned long long)delivered);
	return 0;
}
