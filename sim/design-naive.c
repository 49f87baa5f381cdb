// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What one would write first, to compare with: a home with a bitmap of all
 * nodes for every page, one request of a page at a time.  It invalidates the
 * sharers one after another (serial) or all at once by itself (bitmap).  The
 * network must neither lose nor repeat anything; nothing is ever evicted.
 */
#include <stdlib.h>

#include "cluster.h"
#include "naive.h"

#define NOBODY	UINT32_MAX

struct entry {
	u32	owner;
	u32	first, last;	/* requests that wait: slots */
	u32	slot;		/* the one at work, or NOBODY */
	u32	pending;	/* answers missing */
	u32	cursor;		/* serial: sharers before it are gone */
	bool	touched;
};

/* One want of a node.  There are as many as threads. */
struct slot {
	u32	page;		/* + 1; 0: free */
	u32	next;
	bool	write;
};

struct naive {
	struct entry *entry;
	u64	*bits;		/* of all pages */
	u32	words;		/* of a page */
	struct slot *slot;
};

static u64 *bits_of(struct sim *s, u32 page)
{
	struct naive *d = s->design;

	return &d->bits[(size_t)page * d->words];
}

static u32 owner_of_slot(const struct sim *s, u32 slot)
{
	return slot / s->cfg.threads;
}

static int start(struct sim *s)
{
	struct naive *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	s->design = d;
	d->words = (s->cfg.nodes + 63) / 64;
	d->entry = calloc(s->cfg.pages, sizeof(*d->entry));
	d->bits = calloc((size_t)s->cfg.pages * d->words, sizeof(*d->bits));
	d->slot = calloc(s->threads_nr, sizeof(*d->slot));
	if (!d->entry || !d->bits || !d->slot)
		return -ENOMEM;
	for (u32 i = 0; i < s->cfg.pages; i++) {
		struct entry *e = &d->entry[i];

		e->owner = e->first = e->slot = NOBODY;
	}
	return 0;
}

static void stop(struct sim *s)
{
	struct naive *d = s->design;

	free(d->entry);
	free(d->bits);
	free(d->slot);
	free(d);
}

static int fault(struct sim *s, u32 node, u32 page, bool write, u64 now)
{
	struct naive *d = s->design;
	struct slot *slot = NULL;

	(void)now;
	for (u32 i = 0; i < s->cfg.threads; i++) {
		struct slot *t = &d->slot[node * s->cfg.threads + i];

		if (t->page == page + 1)
			return 0;
		if (!t->page && !slot)
			slot = t;
	}
	if (!slot)
		return -EAGAIN;
	slot->page = page + 1;
	slot->write = write;
	gvm_sim_put_send(s, node, write ? GVM_CO_GET_EXCLUSIVE :
			 GVM_CO_GET_SHARED, page, GVM_NODE_HOME)->msg.txn =
		(u64)(slot - d->slot);
	return 0;
}

static void invalidate(struct sim *s, u32 home, u32 page, u32 node)
{
	gvm_sim_put_send(s, s->cfg.nodes + home, GVM_CO_INVALIDATE, page, node);
}

/* The next sharer from e->cursor on that is not the writer, or NOBODY. */
static u32 next_sharer(struct sim *s, struct entry *e, u32 page, u32 writer)
{
	const u64 *bits = bits_of(s, page);

	for (; e->cursor < s->cfg.nodes; e->cursor++) {
		u64 word = bits[e->cursor / 64] >> e->cursor % 64;

		if (!word) {
			e->cursor |= 63;
			continue;
		}
		e->cursor += (u32)__builtin_ctzll(word);
		if (e->cursor != writer)
			return e->cursor++;
	}
	return NOBODY;
}

static void grant_write(struct sim *s, u32 home, struct entry *e, u32 page)
{
	struct naive *d = s->design;
	u32 node = owner_of_slot(s, e->slot);
	u64 *bits = bits_of(s, page);
	bool has = bits[node / 64] >> node % 64 & 1;
	struct gvm_co_effect *f;

	f = gvm_sim_put_send(s, s->cfg.nodes + home, GVM_CO_GRANT, page, node);
	f->msg.flags = GVM_CO_EXCLUSIVE;
	f->msg.txn = e->slot;
	if (!has) {
		f->msg.flags |= GVM_CO_BYTES;
		f->bytes = GVM_BYTES_STORE;
	}
	memset(bits, 0, d->words * sizeof(*bits));
	e->owner = node;
	e->pending = 1;
}

static void start_write(struct sim *s, u32 home, struct entry *e, u32 page)
{
	u32 writer = owner_of_slot(s, e->slot), node;

	e->cursor = 0;
	e->pending = 0;
	while ((node = next_sharer(s, e, page, writer)) != NOBODY) {
		invalidate(s, home, page, node);
		e->pending++;
		if (s->cfg.design == GVM_SIM_SERIAL)
			return;
	}
	if (!e->pending)
		grant_write(s, home, e, page);
}

static void recall(struct sim *s, u32 home, struct entry *e, u32 page,
		   bool write)
{
	u32 node = owner_of_slot(s, e->slot);
	struct gvm_co_effect *f;

	f = gvm_sim_put_send(s, s->cfg.nodes + home, GVM_CO_RECALL, page,
			     e->owner);
	f->msg.flags = write ? GVM_CO_EXCLUSIVE : 0;
	f->msg.requester = (u16)node;
	f->msg.txn = e->slot;
	/* DONE; and of a read the RETURN. */
	e->pending = write ? 1 : 2;
	if (write) {
		e->owner = node;
		return;
	}
	bits_of(s, page)[e->owner / 64] |= 1ull << e->owner % 64;
	bits_of(s, page)[node / 64] |= 1ull << node % 64;
	e->owner = NOBODY;
}

static void start_read(struct sim *s, u32 home, struct entry *e, u32 page)
{
	u32 node = owner_of_slot(s, e->slot);
	struct gvm_co_effect *f;

	f = gvm_sim_put_send(s, s->cfg.nodes + home, GVM_CO_GRANT, page, node);
	f->msg.flags = GVM_CO_BYTES;
	f->msg.txn = e->slot;
	f->bytes = GVM_BYTES_STORE;
	bits_of(s, page)[node / 64] |= 1ull << node % 64;
	e->pending = 1;
}

/* Turn to the next request, if there is one. */
static void turn(struct sim *s, u32 home, struct entry *e, u32 page)
{
	struct naive *d = s->design;

	e->slot = e->first;
	if (e->slot == NOBODY)
		return;
	e->first = d->slot[e->slot].next;
	if (e->owner != NOBODY)
		recall(s, home, e, page, d->slot[e->slot].write);
	else if (d->slot[e->slot].write)
		start_write(s, home, e, page);
	else
		start_read(s, home, e, page);
}

static void request(struct sim *s, u32 home, struct entry *e,
		    const struct gvm_co_msg *m)
{
	struct naive *d = s->design;
	u32 slot = (u32)m->txn;

	e->touched = true;
	d->slot[slot].next = NOBODY;
	if (e->first == NOBODY)
		e->first = slot;
	else
		d->slot[e->last].next = slot;
	e->last = slot;
	if (e->slot == NOBODY)
		turn(s, home, e, (u32)m->page);
}

static int home_recv(struct sim *s, u32 home, const struct gvm_co_msg *m,
		     u64 now)
{
	struct naive *d = s->design;
	u32 page = (u32)m->page;
	struct entry *e = &d->entry[page];
	u32 node;

	(void)now;
	switch (m->type) {
	case GVM_CO_INVALIDATED:
		e->pending--;
		node = s->cfg.design == GVM_SIM_SERIAL ?
			next_sharer(s, e, page, owner_of_slot(s, e->slot)) :
			NOBODY;
		if (node != NOBODY) {
			invalidate(s, home, page, node);
			e->pending++;
		} else if (!e->pending) {
			grant_write(s, home, e, page);
		}
		return 0;
	case GVM_CO_RETURN:
		gvm_sim_put(s, s->cfg.nodes + home, GVM_DO_STORE, page);
		/* fall through */
	case GVM_CO_DONE:
		if (!--e->pending)
			turn(s, home, e, page);
		return 0;
	default:
		request(s, home, e, m);
		return 0;
	}
}

static void give(struct sim *s, u32 node, const struct gvm_co_msg *m)
{
	bool write = m->flags & GVM_CO_EXCLUSIVE;
	struct gvm_co_effect *f;

	gvm_sim_put(s, node, GVM_DO_PROTECT, m->page);
	gvm_sim_put(s, node, GVM_DO_READ, m->page);
	if (write)
		gvm_sim_put(s, node, GVM_DO_UNMAP, m->page);
	f = gvm_sim_put_send(s, node, GVM_CO_GRANT, m->page, m->requester);
	f->msg.flags = (u16)(GVM_CO_BYTES | (write ? GVM_CO_EXCLUSIVE : 0));
	f->msg.txn = m->txn;
	f->bytes = GVM_BYTES_BUFFER;
	if (write)
		return;
	f = gvm_sim_put_send(s, node, GVM_CO_RETURN, m->page, GVM_NODE_HOME);
	f->msg.flags = GVM_CO_BYTES;
	f->bytes = GVM_BYTES_BUFFER;
}

static void take(struct sim *s, u32 node, const struct gvm_co_msg *m)
{
	struct naive *d = s->design;
	struct gvm_co_effect *f;

	if (m->flags & GVM_CO_BYTES) {
		f = gvm_sim_put(s, node, GVM_DO_INSTALL, m->page);
		f->bytes = GVM_BYTES_MESSAGE;
		f->writable = m->flags & GVM_CO_EXCLUSIVE;
	} else {
		gvm_sim_put(s, node, GVM_DO_UNPROTECT, m->page);
	}
	d->slot[m->txn].page = 0;
	gvm_sim_put_send(s, node, GVM_CO_DONE, m->page, GVM_NODE_HOME);
}

static int node_recv(struct sim *s, u32 node, const struct gvm_co_msg *m,
		     u64 now)
{
	(void)now;
	if (m->type == GVM_CO_INVALIDATE) {
		gvm_sim_put(s, node, GVM_DO_UNMAP, m->page);
		gvm_sim_put_send(s, node, GVM_CO_INVALIDATED, m->page,
				 GVM_NODE_HOME);
	} else if (m->type == GVM_CO_RECALL) {
		give(s, node, m);
	} else {
		take(s, node, m);
	}
	return 0;
}

static u32 dir_bytes(struct sim *s, u32 page, u32 *ret_sharers)
{
	struct naive *d = s->design;

	*ret_sharers = 0;
	return d->entry[page].touched ? 8 + d->words * 8 : 0;
}

/* As others do: the set of sharers goes with the right to write. */
static u32 extra_bytes(const struct sim *s, const struct gvm_co_msg *m)
{
	const struct naive *d = s->design;

	if (s->cfg.design == GVM_SIM_BITMAP && m->flags & GVM_CO_EXCLUSIVE)
		return d->words * 8;
	return 0;
}

const struct sim_ops gvm_sim_naive_ops = {
	.start = start,
	.stop = stop,
	.fault = fault,
	.node_recv = node_recv,
	.home_recv = home_recv,
	.tick = gvm_sim_no_tick,
	.deadline = gvm_sim_no_deadline,
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
