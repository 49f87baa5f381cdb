// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * Transactions: what takes a right away from somebody, from its first message
 * on; the answers that end it are in home-answer.c.  One at a time for a page;
 * see PROTOCOL.md.
 */
#include "home-inside.h"

void gvm_txn_grant(struct gvm_home_call *c, const struct gvm_home_txn *t)
{
	struct gvm_home *h = c->h;
	struct gvm_co_msg *m = gvm_home_send(c, GVM_CO_GRANT, t->requester,
					     t->page, t->seq, t->txn);

	if (!m)
		return;
	m->flags = GVM_CO_EXCLUSIVE;
	m->need = t->need;
	if (t->have)
		return;
	if (gvm_dir_written(gvm_dir(h, t->page))) {
		m->flags |= GVM_CO_BYTES;
		c->out->effect[c->out->nr - 1].bytes = GVM_BYTES_STORE;
	} else {
		m->flags |= GVM_CO_ZERO;
		c->out->effect[c->out->nr - 1].bytes = GVM_BYTES_ZERO;
	}
}

/* Ask the nodes of one range: the list is in scratch. */
static void send_slot(struct gvm_home_call *c, const struct gvm_home_txn *t,
		      u32 i)
{
	const struct gvm_sharers *list = &c->h->scratch;
	const struct gvm_slot_range *s = &t->slot[i];
	u32 members = gvm_sharers_count(list, s->lo, s->hi);
	u32 relay = gvm_sharers_nth(list, s->lo, s->hi, s->tries % members);
	struct gvm_co_msg *m = gvm_home_send(c, GVM_CO_INVALIDATE, (u16)relay,
					     t->page, t->seq, t->txn);

	if (!m)
		return;
	/* Who has been asked in vain so often may not reach the requester. */
	m->requester = s->tries < c->h->cfg.patience ? t->requester :
		GVM_NODE_HOME;
	m->slot = (u16)i;
	m->lo = s->lo;
	m->hi = s->hi;
	if (members > 1)
		m->list = list;
	c->h->stats.invalidations += members;
}

static void add_slot(struct gvm_home_txn *t, u32 lo, u32 hi, u16 tries)
{
	t->need |= 1ull << t->slots;
	t->slot[t->slots++] = (struct gvm_slot_range){
		.lo = (u16)lo, .hi = (u16)hi, .tries = tries };
}

/* The members that must be asked, into scratch. */
static void list_sharers(struct gvm_home_call *c, const struct gvm_home_txn *t)
{
	gvm_dir_list(c->h, gvm_dir(c->h, t->page), &c->h->scratch);
	gvm_sharers_remove(&c->h->scratch, t->requester);
	c->listed = true;
}

static void first_slots(struct gvm_home_call *c, struct gvm_home_txn *t)
{
	const struct gvm_sharers *list = &c->h->scratch;
	u32 members = gvm_sharers_count(list, 0, GVM_NODES_MAX);
	u16 at[GVM_FLAT + 1];
	u32 parts;

	if (members <= GVM_FLAT) {
		for (u32 id = gvm_sharers_next(list, 0, GVM_NODES_MAX);
		     id < GVM_NODES_MAX;
		     id = gvm_sharers_next(list, id + 1, GVM_NODES_MAX))
			add_slot(t, id, id + 1, 0);
		return;
	}
	parts = gvm_sharers_split(list, 0, GVM_NODES_MAX, c->h->cfg.fanout, at);
	for (u32 i = 0; i < parts; i++)
		add_slot(t, at[i], at[i + 1], 0);
}

/*
 * Ranges that have not answered in time, cut in two under new numbers: a number
 * means one range for ever, so that every need that was ever sent is true.
 */
static void cut_slots(struct gvm_home_call *c, struct gvm_home_txn *t, u64 got)
{
	const struct gvm_sharers *list = &c->h->scratch;
	u32 slots = t->slots;

	for (u32 i = 0; i < slots; i++) {
		struct gvm_slot_range s = t->slot[i];
		u32 members = gvm_sharers_count(list, s.lo, s.hi);

		if (!(t->need >> i & 1) || got >> i & 1)
			continue;
		if (!members) {
			/* Whoever was there is dead. */
			t->need &= ~(1ull << i);
		} else if (members > 1 && t->slots + 2u <= GVM_SLOTS) {
			u32 mid = gvm_sharers_nth(list, s.lo, s.hi,
						  members / 2);

			t->need &= ~(1ull << i);
			add_slot(t, s.lo, mid, (u16)(s.tries + 1));
			add_slot(t, mid, s.hi, (u16)(s.tries + 1));
		} else {
			t->slot[i].tries++;
		}
	}
}

static void send_slots(struct gvm_home_call *c, const struct gvm_home_txn *t,
		       u64 got)
{
	for (u32 i = 0; i < t->slots; i++) {
		if ((t->need & ~got) >> i & 1)
			send_slot(c, t, i);
	}
}

void gvm_txn_invalidate(struct gvm_home_call *c, struct gvm_home_txn *t,
			bool said_have)
{
	struct gvm_dir *d = gvm_dir(c->h, t->page);

	t->have = said_have && gvm_dir_has(c->h, d, t->requester);
	list_sharers(c, t);
	first_slots(c, t);
	send_slots(c, t, 0);
	gvm_txn_grant(c, t);
}

void gvm_txn_recall(struct gvm_home_call *c, const struct gvm_home_txn *t)
{
	struct gvm_co_msg *m = gvm_home_send(c, GVM_CO_RECALL, t->owner,
					     t->page, t->seq, t->txn);

	if (!m)
		return;
	m->requester = t->kind == GVM_TXN_FETCHING ? GVM_NODE_HOME :
		t->requester;
	if (t->kind == GVM_TXN_MOVING)
		m->flags = GVM_CO_EXCLUSIVE;
	if (t->kind == GVM_TXN_FETCHING && t->dead)
		m->flags = GVM_CO_GAVE;
	if (gvm_dir_is_open(gvm_dir(c->h, t->page)))
		m->need = gvm_dir_open_txn(c->h, gvm_dir(c->h, t->page));
}

/* t is IDLE and becomes the transaction of this request. */
void gvm_txn_begin(struct gvm_home_call *c, struct gvm_home_txn *t,
		   const struct gvm_request_in *r)
{
	struct gvm_home *h = c->h;
	struct gvm_dir *d = gvm_dir(h, t->page);

	t->seq = gvm_dir_next_seq(d);
	t->txn = r->txn;
	t->requester = r->node;
	t->owner = gvm_dir_owner(d);
	t->driven_ns = c->now;
	t->asked_ns = c->now;
	t->need = 0;
	t->slots = 0;
	t->drives = 0;
	t->have = false;
	t->dead = false;
	t->carry = false;
	t->due = false;
	if (t->owner == GVM_NODE_NONE) {
		gvm_txn_become(h, t, GVM_TXN_INVALIDATING);
		gvm_txn_invalidate(c, t, r->flags & GVM_CO_HAVE);
	} else {
		gvm_txn_become(h, t, r->exclusive ? GVM_TXN_MOVING :
			 GVM_TXN_SHARING);
		gvm_txn_recall(c, t);
		h->stats.recalls++;
	}
	h->stats.reads += !r->exclusive;
	h->stats.writes += r->exclusive;
}

static void send_cancel(struct gvm_home_call *c, const struct gvm_home_txn *t)
{
	struct gvm_co_msg *m = gvm_home_send(c, GVM_CO_CANCEL, t->requester,
					     t->page, t->seq, t->txn);

	if (!m)
		return;
	m->giver = t->owner;
	if (t->exclusive || t->kind == GVM_TXN_MOVING)
		m->flags = GVM_CO_EXCLUSIVE;
}

/*
 * Only the writer knows which slots are missing.  Whoever else asks makes home
 * repeat the grant: the writer answers DONE if that was lost, or asks itself.
 */
static void drive_invalidating(struct gvm_home_call *c,
			       struct gvm_home_txn *t,
			       const struct gvm_request_in *r)
{
	u64 got;

	t->have = r && r->flags & GVM_CO_HAVE;
	if (r) {
		got = r->got_seq == t->seq ? r->got : 0;
		list_sharers(c, t);
		cut_slots(c, t, got);
		send_slots(c, t, got);
	}
	gvm_txn_grant(c, t);
}

void gvm_txn_drive(struct gvm_home_call *c, struct gvm_home_txn *t,
		   const struct gvm_request_in *r)
{
	t->driven_ns = c->now;
	if (r || t->kind != GVM_TXN_INVALIDATING)
		t->asked_ns = c->now;
	t->due = false;
	if (t->drives < c->h->cfg.patience)
		t->drives++;
	c->h->stats.driven++;
	switch (t->kind) {
	case GVM_TXN_INVALIDATING:
		drive_invalidating(c, t, r);
		return;
	case GVM_TXN_MOVING:
		gvm_txn_recall(c, t);
		/*
		 * Perhaps the owner does not reach the requester.  If that one
		 * has it, it says DONE; if not, it refuses it from now on, and
		 * home carries it.
		 */
		if (t->drives == c->h->cfg.patience)
			send_cancel(c, t);
		return;
	case GVM_TXN_SHARING:
	case GVM_TXN_FETCHING:
		gvm_txn_recall(c, t);
		return;
	case GVM_TXN_ASKING:
		send_cancel(c, t);
		return;
	default:
		return;
	}
}

bool gvm_txn_late(const struct gvm_home_call *c, const struct gvm_home_txn *t)
{
	return c->now >= t->driven_ns + c->h->cfg.retry_ns;
}

/*
 * The requester asks again.  A request that has crossed the answer asks for
 * nothing new, but it may say that the requester has lost its copy.
 */
void gvm_txn_asked(struct gvm_home_call *c, struct gvm_home_txn *t,
		   const struct gvm_request_in *r)
{
	if (c->now >= t->asked_ns + c->h->cfg.retry_ns / 2) {
		gvm_txn_drive(c, t, r);
	} else if (t->have && !(r->flags & GVM_CO_HAVE)) {
		t->have = false;
		gvm_txn_grant(c, t);
	} else {
		c->h->stats.ignored++;
	}
}
