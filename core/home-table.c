// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * A home's tables: memory laid out once, transactions by page, and requests
 * that wait for their turn.  Nothing of the protocol is here.
 */
#include "home-inside.h"

#define PATIENCE	2u	/* drives of a transaction */

static u32 power_of_two(u32 at_least)
{
	u32 n = 16;

	while (n < at_least)
		n *= 2;
	return n;
}

static bool bounds_hold(const struct gvm_home_config *c)
{
	return c->pages && c->pages <= 1ull << 36 && c->nodes_max &&
		c->nodes_max <= GVM_NODES_MAX && c->txns_max &&
		c->txns_max < GVM_NONE16 && c->waits_max &&
		c->waits_max < GVM_NONE16 && c->fanout <= GVM_FLAT &&
		c->fanout != 1 && c->patience <= 15 && c->retry_ns;
}

static size_t align8(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

struct layout {
	size_t	member, past, txn, wait, txn_chain, wait_chain, set, dir, end;
};

/* The directory is last: most of it may never be touched. */
static void lay_out(const struct gvm_home_config *c, struct layout *l)
{
	l->member = align8(sizeof(struct gvm_home));
	l->past = l->member + c->nodes_max * sizeof(u32);
	l->txn = align8(l->past + c->nodes_max * sizeof(u32));
	l->wait = l->txn + c->txns_max * sizeof(struct gvm_home_txn);
	l->txn_chain = l->wait + c->waits_max * sizeof(struct gvm_home_wait);
	l->wait_chain = l->txn_chain +
		power_of_two(c->txns_max) * sizeof(u16);
	l->set = align8(l->wait_chain +
			power_of_two(c->waits_max) * sizeof(u16));
	l->dir = l->set + c->sets_max * sizeof(struct gvm_sharers);
	l->end = l->dir + c->pages * sizeof(struct gvm_dir);
}

size_t gvm_home_size(const struct gvm_home_config *config)
{
	struct layout l;

	if (!bounds_hold(config))
		return 0;
	lay_out(config, &l);
	return l.end;
}

static void make_lists(struct gvm_home *h)
{
	const struct gvm_home_config *c = &h->cfg;

	/* What was never used is taken in order, and not touched before. */
	h->txn_free = GVM_NONE16;
	h->wait_free = GVM_NONE16;
	h->set_free = GVM_NONE32;
	h->todo = GVM_NONE16;
	h->txn_chains = power_of_two(c->txns_max);
	h->wait_chains = power_of_two(c->waits_max);
	memset(gvm_home_table(h, h->txn_chain_at), 0xff,
	       h->txn_chains * sizeof(u16));
	memset(gvm_home_table(h, h->wait_chain_at), 0xff,
	       h->wait_chains * sizeof(u16));
}

struct gvm_home *gvm_home_init(void *mem, const struct gvm_home_config *config)
{
	struct gvm_home *h = mem;
	struct layout l;

	if (!bounds_hold(config))
		return NULL;
	lay_out(config, &l);
	h->cfg = *config;
	if (!h->cfg.fanout)
		h->cfg.fanout = GVM_FLAT;
	if (!h->cfg.patience)
		h->cfg.patience = PATIENCE;
	h->fresh = true;
	h->epoch = config->epoch0;
	h->member_at = l.member;
	h->past_at = l.past;
	h->txn_at = l.txn;
	h->wait_at = l.wait;
	h->txn_chain_at = l.txn_chain;
	h->wait_chain_at = l.wait_chain;
	h->set_at = l.set;
	h->dir_at = l.dir;
	h->deadline_ns = GVM_NEVER;
	make_lists(h);
	return h;
}

static u64 hash(u64 v)
{
	return v * 0x9e3779b97f4a7c15ull >> 32;
}

static u16 *txn_chain(const struct gvm_home *h, u64 page)
{
	u16 *heads = gvm_home_table(h, h->txn_chain_at);

	return &heads[hash(page) & (h->txn_chains - 1)];
}

static u16 *wait_chain(const struct gvm_home *h, u64 page, u16 node)
{
	u16 *heads = gvm_home_table(h, h->wait_chain_at);

	return &heads[hash(page << 14 ^ node) & (h->wait_chains - 1)];
}

struct gvm_home_txn *gvm_txn_find(const struct gvm_home *h, u64 page)
{
	u16 i = *txn_chain(h, page);

	while (i != GVM_NONE16 && gvm_txn(h, i)->page != page)
		i = gvm_txn(h, i)->next;
	return i == GVM_NONE16 ? NULL : gvm_txn(h, i);
}

struct gvm_home_txn *gvm_txn_take(struct gvm_home *h, u64 page)
{
	u16 *head = txn_chain(h, page);
	u16 i = h->txn_free;
	struct gvm_home_txn *t;

	if (i == GVM_NONE16 && h->txn_fresh == h->cfg.txns_max)
		return NULL;
	if (i == GVM_NONE16)
		i = h->txn_fresh++;
	else
		h->txn_free = gvm_txn(h, i)->next;
	t = gvm_txn(h, i);
	h->txns_used++;
	*t = (struct gvm_home_txn){
		.page = page, .kind = GVM_TXN_IDLE, .next = *head,
		.first = GVM_NONE16, .last = GVM_NONE16,
		.requester = GVM_NODE_NONE, .owner = GVM_NODE_NONE,
		.todo = t->todo, .next_todo = t->next_todo,
	};
	*head = i;
	h->idle++;
	gvm_dir_set_busy(gvm_dir(h, page), true);
	return t;
}

void gvm_txn_put(struct gvm_home *h, struct gvm_home_txn *t)
{
	u16 i = (u16)(t - gvm_txn(h, 0));
	u16 *at = txn_chain(h, t->page);

	gvm_bug_on(t->first != GVM_NONE16 || t->kind != GVM_TXN_IDLE);
	while (*at != i) {
		if (gvm_bug_on(*at == GVM_NONE16))
			return;
		at = &gvm_txn(h, *at)->next;
	}
	*at = t->next;
	gvm_dir_set_busy(gvm_dir(h, t->page), false);
	t->kind = GVM_TXN_FREE;
	t->page = GVM_NEVER;
	t->next = h->txn_free;
	h->txn_free = i;
	h->txns_used--;
	h->idle--;
}

void gvm_txn_todo(struct gvm_home_call *c, struct gvm_home_txn *t)
{
	gvm_home_due(c->h, c->now);
	if (t->todo)
		return;
	t->todo = true;
	t->next_todo = c->h->todo;
	c->h->todo = (u16)(t - gvm_txn(c->h, 0));
}

/* Queue a request, once a node.  False: no room, it will come again. */
bool gvm_wait_add(struct gvm_home *h, struct gvm_home_txn *t,
		  const struct gvm_request_in *r)
{
	u16 *head = wait_chain(h, r->page, r->node);
	struct gvm_home_wait *w;
	u16 i;

	for (i = *head; i != GVM_NONE16; i = gvm_wait(h, i)->chain) {
		w = gvm_wait(h, i);
		if (w->page != r->page || w->node != r->node)
			continue;
		if (!gvm_txn_older(r->txn, w->txn)) {
			w->txn = r->txn;
			w->flags = r->flags;
			w->exclusive = r->exclusive;
		}
		return true;
	}
	i = h->wait_free;
	if (i == GVM_NONE16 && h->wait_fresh == h->cfg.waits_max)
		return false;
	if (i == GVM_NONE16)
		i = h->wait_fresh++;
	else
		h->wait_free = gvm_wait(h, i)->next;
	w = gvm_wait(h, i);
	*w = (struct gvm_home_wait){
		.page = r->page, .txn = r->txn, .node = r->node,
		.flags = r->flags, .exclusive = r->exclusive,
		.next = GVM_NONE16, .chain = *head,
	};
	*head = i;
	if (t->first == GVM_NONE16)
		t->first = i;
	else
		gvm_wait(h, t->last)->next = i;
	t->last = i;
	return true;
}

/* The one that has waited longest leaves the queue.  False: nobody waits. */
bool gvm_wait_next(struct gvm_home *h, struct gvm_home_txn *t,
		   struct gvm_request_in *ret)
{
	u16 i = t->first;
	struct gvm_home_wait *w;
	u16 *at;

	if (i == GVM_NONE16)
		return false;
	w = gvm_wait(h, i);
	*ret = (struct gvm_request_in){
		.page = w->page, .txn = w->txn, .node = w->node,
		.flags = w->flags, .exclusive = w->exclusive,
	};
	t->first = w->next;
	at = wait_chain(h, w->page, w->node);
	while (*at != i) {
		if (gvm_bug_on(*at == GVM_NONE16))
			return false;
		at = &gvm_wait(h, *at)->chain;
	}
	*at = w->chain;
	w->next = h->wait_free;
	h->wait_free = i;
	return true;
}
