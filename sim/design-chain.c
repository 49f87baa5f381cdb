// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A dynamic distributed manager, to compare with: there is no home, every node
 * has a guess who owns a page, and who is asked in error passes the request on
 * and guesses the requester from then on.  Ownership moves with every access,
 * and the set of copies with it.  Nothing is lost or evicted.
 */
#include <stdlib.h>

#include "naive.h"

#define NOBODY		UINT32_MAX
#define SPARE_SLOTS	4u
#define HOLD_NS		(2 * SIM_WAKE_NS)	/* for one access at least */

enum slot_state {
	FREE,
	ASKED,		/* the request is out */
	COLLECTING,	/* owner; copies are being invalidated */
	HELD,		/* owner; the thread gets its access */
};

struct slot {
	u32	page;
	u32	first, last;	/* requests that wait here: slots of others */
	u32	next;		/* of this request, where it waits */
	u32	pending;	/* INVALIDATED missing */
	u64	until;
	u8	state;
	u8	hops;		/* of this request, where it waits */
	bool	write;
	bool	mapped;		/* the owner only lacked the right to write */
};

struct chain {
	u16	*guess;		/* node by node */
	u32	*owner;		/* of a page; NOBODY: on its way */
	u64	*copies;	/* of a page: travels with the ownership */
	u32	words;
	u32	per_node;
	struct slot *slot;
};

static u16 *guess_of(struct sim *s, u32 node, u32 page)
{
	struct chain *d = s->design;

	return &d->guess[(size_t)node * s->cfg.pages + page];
}

static int start(struct sim *s)
{
	struct chain *d = calloc(1, sizeof(*d));
	size_t slots;

	if (!d)
		return -ENOMEM;
	s->design = d;
	d->words = (s->cfg.nodes + 63) / 64;
	d->per_node = s->cfg.threads + SPARE_SLOTS;
	slots = (size_t)d->per_node * s->cfg.nodes;
	d->guess = malloc((size_t)s->cfg.nodes * s->cfg.pages *
			  sizeof(*d->guess));
	d->owner = malloc(s->cfg.pages * sizeof(*d->owner));
	d->copies = calloc((size_t)s->cfg.pages * d->words, sizeof(*d->copies));
	d->slot = calloc(slots, sizeof(*d->slot));
	if (!d->guess || !d->owner || !d->copies || !d->slot)
		return -ENOMEM;
	for (u32 p = 0; p < s->cfg.pages; p++) {
		u32 owner = p % s->cfg.nodes;

		d->owner[p] = owner;
		for (u32 i = 0; i < s->cfg.nodes; i++)
			*guess_of(s, i, p) = (u16)owner;
		/* It has it from the beginning. */
		gvm_sim_frame_set(s, owner, p, GVM_ORACLE_WRITE, 0);
	}
	return 0;
}

static void stop(struct sim *s)
{
	struct chain *d = s->design;

	free(d->guess);
	free(d->owner);
	free(d->copies);
	free(d->slot);
	free(d);
}

/* The node's slot for a page, or NULL. */
static struct slot *find(struct sim *s, u32 node, u32 page)
{
	struct chain *d = s->design;
	struct slot *first = &d->slot[node * d->per_node];

	for (u32 i = 0; i < d->per_node; i++) {
		if (first[i].state != FREE && first[i].page == page)
			return &first[i];
	}
	return NULL;
}

static struct slot *make(struct sim *s, u32 node, u32 page)
{
	struct chain *d = s->design;
	struct slot *first = &d->slot[node * d->per_node];

	for (u32 i = 0; i < d->per_node; i++) {
		if (first[i].state == FREE) {
			first[i].page = page;
			first[i].first = NOBODY;
			return &first[i];
		}
	}
	return NULL;
}

static u16 buffer_of(struct sim *s, const struct slot *slot)
{
	struct chain *d = s->design;

	return (u16)((slot - d->slot) % d->per_node);
}

static void hold(struct sim *s, struct slot *slot)
{
	slot->state = HELD;
	slot->until = s->clock + HOLD_NS;
}

/* Owner and allowed to write, once the copies are gone. */
static void collect(struct sim *s, u32 node, struct slot *slot)
{
	struct chain *d = s->design;
	u64 *copies = &d->copies[(size_t)slot->page * d->words];

	copies[node / 64] &= ~(1ull << node % 64);
	slot->state = COLLECTING;
	slot->pending = 0;
	for (u32 w = 0; w < d->words; w++) {
		while (copies[w]) {
			u32 bit = (u32)__builtin_ctzll(copies[w]);

			copies[w] &= copies[w] - 1;
			gvm_sim_put_send(s, node, GVM_CO_INVALIDATE, slot->page,
					 w * 64 + bit)->msg.requester = (u16)node;
			slot->pending++;
		}
	}
}

static void collected(struct sim *s, u32 node, struct slot *slot, u32 bytes)
{
	struct gvm_co_effect *f;

	f = gvm_sim_put(s, node, slot->mapped ? GVM_DO_UNPROTECT :
			GVM_DO_INSTALL, slot->page);
	f->bytes = (u8)bytes;
	f->buffer = buffer_of(s, slot);
	f->writable = true;
	hold(s, slot);
}

static int fault(struct sim *s, u32 node, u32 page, bool write, u64 now)
{
	struct chain *d = s->design;
	struct slot *slot = find(s, node, page);
	struct gvm_co_effect *f;

	(void)now;
	if (slot)	/* on its way; or owned, and soon free to ask anew */
		return slot->state == HELD ? -EAGAIN : 0;
	slot = make(s, node, page);
	if (!slot)
		return -EAGAIN;
	slot->write = write;
	slot->mapped = d->owner[page] == node;
	if (slot->mapped) {
		collect(s, node, slot);
		if (!slot->pending)
			collected(s, node, slot, GVM_BYTES_NONE);
		return 0;
	}
	slot->state = ASKED;
	f = gvm_sim_put_send(s, node, write ? GVM_CO_GET_EXCLUSIVE :
			     GVM_CO_GET_SHARED, page, *guess_of(s, node, page));
	f->msg.requester = (u16)node;
	f->msg.txn = (u64)(slot - d->slot);
	return 0;
}

static void pass_on(struct sim *s, u32 node, const struct gvm_co_msg *m)
{
	u16 *guess = guess_of(s, node, (u32)m->page);
	struct gvm_co_effect *f;

	f = gvm_sim_put_send(s, node, m->type, m->page, *guess);
	f->msg.requester = m->requester;
	f->msg.txn = m->txn;
	*guess = m->requester;
}

static void give(struct sim *s, u32 node, const struct gvm_co_msg *m)
{
	struct chain *d = s->design;
	bool write = m->type == GVM_CO_GET_EXCLUSIVE;
	struct gvm_co_effect *f;

	gvm_sim_put(s, node, GVM_DO_PROTECT, m->page);
	f = gvm_sim_put(s, node, GVM_DO_READ, m->page);
	f->buffer = (u16)(s->buffers - 1);
	if (write)
		gvm_sim_put(s, node, GVM_DO_UNMAP, m->page);
	else
		d->copies[m->page * d->words + node / 64] |= 1ull << node % 64;
	f = gvm_sim_put_send(s, node, GVM_CO_GRANT, m->page, m->requester);
	f->msg.flags = (u16)(GVM_CO_BYTES | (write ? GVM_CO_EXCLUSIVE : 0));
	f->msg.txn = m->txn;
	f->bytes = GVM_BYTES_BUFFER;
	f->buffer = (u16)(s->buffers - 1);
	d->owner[m->page] = NOBODY;
	*guess_of(s, node, (u32)m->page) = m->requester;
}

static void wait_here(struct sim *s, struct slot *at, u32 request, u8 hops)
{
	struct chain *d = s->design;

	d->slot[request].hops = hops;
	d->slot[request].next = NOBODY;
	if (at->first == NOBODY)
		at->first = request;
	else
		d->slot[at->last].next = request;
	at->last = request;
}

static void request(struct sim *s, u32 node, const struct gvm_co_msg *m)
{
	struct chain *d = s->design;
	struct slot *slot = find(s, node, (u32)m->page);

	if (slot) {
		const struct sim_msg *msg = (const struct sim_msg *)m;

		wait_here(s, slot, (u32)m->txn, msg->hops);
	} else if (d->owner[m->page] == node) {
		give(s, node, m);
	} else {
		pass_on(s, node, m);
	}
}

static void take(struct sim *s, u32 node, const struct gvm_co_msg *m)
{
	struct chain *d = s->design;
	struct slot *slot = &d->slot[m->txn];
	struct gvm_co_effect *f;

	d->owner[m->page] = node;
	*guess_of(s, node, (u32)m->page) = (u16)node;
	if (!slot->write) {
		f = gvm_sim_put(s, node, GVM_DO_INSTALL, m->page);
		f->bytes = GVM_BYTES_MESSAGE;
		hold(s, slot);
		return;
	}
	f = gvm_sim_put(s, node, GVM_DO_KEEP, m->page);
	f->buffer = buffer_of(s, slot);
	collect(s, node, slot);
	if (!slot->pending)
		collected(s, node, slot, GVM_BYTES_MESSAGE);
}

static int node_recv(struct sim *s, u32 node, const struct gvm_co_msg *m,
		     u64 now)
{
	struct slot *slot;

	(void)now;
	switch (m->type) {
	case GVM_CO_GRANT:
		take(s, node, m);
		return 0;
	case GVM_CO_INVALIDATE:
		*guess_of(s, node, (u32)m->page) = m->requester;
		gvm_sim_put(s, node, GVM_DO_UNMAP, m->page);
		gvm_sim_put_send(s, node, GVM_CO_INVALIDATED, m->page,
				 m->requester);
		return 0;
	case GVM_CO_INVALIDATED:
		slot = find(s, node, (u32)m->page);
		if (!--slot->pending)
			collected(s, node, slot, GVM_BYTES_BUFFER);
		return 0;
	default:
		request(s, node, m);
		return 0;
	}
}

static int home_recv(struct sim *s, u32 home, const struct gvm_co_msg *m,
		     u64 now)
{
	(void)s;
	(void)home;
	(void)m;
	(void)now;
	return -EPROTO;	/* there is no home */
}

/* The first that waited gets it, the others go after it. */
static void let_go(struct sim *s, u32 node, struct slot *slot)
{
	struct chain *d = s->design;
	u32 next;

	slot->state = FREE;
	for (u32 i = slot->first; i != NOBODY; i = next) {
		struct sim_msg m = { .hops = d->slot[i].hops };

		next = d->slot[i].next;
		m.co.type = d->slot[i].write ? GVM_CO_GET_EXCLUSIVE :
					       GVM_CO_GET_SHARED;
		m.co.page = slot->page;
		m.co.requester = (u16)(i / d->per_node);
		m.co.txn = i;
		request(s, node, &m.co);
		gvm_sim_apply(s, node, &m);
		s->out.nr = 0;
	}
}

static void tick(struct sim *s, u32 actor, u64 now)
{
	struct chain *d = s->design;

	if (gvm_sim_is_home(s, actor))
		return;
	for (u32 i = 0; i < d->per_node; i++) {
		struct slot *slot = &d->slot[actor * d->per_node + i];

		if (slot->state == HELD && slot->until <= now)
			let_go(s, actor, slot);
	}
}

static u64 deadline(struct sim *s, u32 actor)
{
	struct chain *d = s->design;
	u64 at = SIM_NEVER;

	if (gvm_sim_is_home(s, actor))
		return at;
	for (u32 i = 0; i < d->per_node; i++) {
		const struct slot *slot = &d->slot[actor * d->per_node + i];

		if (slot->state == HELD && slot->until < at)
			at = slot->until;
	}
	return at;
}

/* Every node has a guess and room for a set of copies. */
static u32 dir_bytes(struct sim *s, u32 page, u32 *ret_sharers)
{
	struct chain *d = s->design;

	(void)page;
	*ret_sharers = 0;
	return 2 * s->cfg.nodes + d->words * 8;
}

static u32 extra_bytes(const struct sim *s, const struct gvm_co_msg *m)
{
	const struct chain *d = s->design;

	return m->type == GVM_CO_GRANT ? d->words * 8 : 0;
}

const struct sim_ops gvm_sim_chain_ops = {
	.start = start,
	.stop = stop,
	.fault = fault,
	.node_recv = node_recv,
	.home_recv = home_recv,
	.tick = tick,
	.deadline = deadline,
	.fetch_ahead = gvm_sim_no_fetch_ahead,
	.evict = gvm_sim_no_evict,
	.dead = gvm_sim_no_dead,
	.join = gvm_sim_no_join,
	.dir_bytes = dir_bytes,
	.extra_bytes = extra_bytes,
	.check = gvm_sim_no_check,
	.idle = gvm_sim_no_idle,
	.agree = gvm_sim_no_agree,
};
