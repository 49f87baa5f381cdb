// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * Invalidations: of the own copy, and as a relay for others.
 *
 * An INVALIDATED says: of the nodes in [lo, hi) of the list that came with this
 * page and seq, and of me, nobody has a copy older than seq.  That stays true
 * whatever happens to the record, so one that comes late or twice does no harm.
 */
#include "node-inside.h"

#define CHILD_BITS	3u
static_assert(1u << CHILD_BITS == GVM_FANOUT, "a slot names relay and child");

static struct gvm_co_msg *answer(struct gvm_node_call *c, u16 to, u64 seq,
				 u64 txn, u16 slot, u16 lo, u16 hi)
{
	struct gvm_co_msg *m = gvm_emit_send(c, GVM_CO_INVALIDATED, to, seq,
					     txn);

	m->slot = slot;
	m->lo = lo;
	m->hi = hi;
	return m;
}

static void relay_done(struct gvm_node_call *c, struct gvm_node_relay *r)
{
	if (!r->local || r->got != r->need)
		return;
	answer(c, r->to, r->seq, r->txn, r->slot, r->lo, r->hi);
	r->used = false;
	c->n->relays_used--;
}

/* Home's slots are the writer's business; a child answers its relay. */
static u16 whom_to_answer(const struct gvm_co_msg *m)
{
	return m->from == GVM_NODE_HOME ? m->requester : m->from;
}

void gvm_acknowledge(struct gvm_node_call *c)
{
	const struct gvm_co_msg *m = c->msg;
	struct gvm_node_relay *r;

	if (c->relay == GVM_NONE16) {
		answer(c, whom_to_answer(m), m->seq, m->txn, m->slot, m->lo,
		       m->hi)->flags = m->flags & GVM_CO_EXCLUSIVE;
		return;
	}
	r = gvm_relay(c->n, c->relay);
	/* A record that was taken for another: its parent will ask again. */
	if (!r->used || r->page != m->page || r->seq != m->seq)
		return;
	r->local = true;
	relay_done(c, r);
}

static bool same_relay(const struct gvm_node_relay *r,
		       const struct gvm_co_msg *m)
{
	return r->used && r->page == m->page && r->seq == m->seq &&
		r->to == whom_to_answer(m) && r->slot == m->slot;
}

/*
 * A record for this message; of one that came before, if the range is the same:
 * its children's answers still count.  When all are used, the oldest goes if it
 * is so old that its parent has asked again, or will.
 */
static u16 take_relay(struct gvm_node_call *c)
{
	struct gvm_node *n = c->n;
	u16 best = GVM_NONE16;
	struct gvm_node_relay *r;

	for (u16 i = 0; i < n->cfg.relays_max; i++) {
		r = gvm_relay(n, i);
		if (same_relay(r, c->msg))
			return i;
		if (!r->used)
			best = i;
		else if (best == GVM_NONE16 ||
			 (gvm_relay(n, best)->used &&
			  r->born_ns < gvm_relay(n, best)->born_ns))
			best = i;
	}
	if (best == GVM_NONE16)
		return best;
	r = gvm_relay(n, best);
	if (r->used && c->now < r->born_ns + 4 * n->cfg.retry_ns)
		return GVM_NONE16;
	if (!r->used)
		n->relays_used++;
	r->used = false;
	return best;
}

/*
 * Those that we ask: neither we nor the writer.  Were we left in, a child would
 * ask us in its turn, and we might have no record left for that.
 */
static void list_others(struct gvm_node_call *c)
{
	const struct gvm_co_msg *m = c->msg;
	struct gvm_sharers *others = &c->n->others;

	*others = *m->list;
	gvm_sharers_remove(others, c->n->cfg.id);
	if (m->requester < GVM_NODES_MAX)
		gvm_sharers_remove(others, m->requester);
}

static void pass_on(struct gvm_node_call *c, u16 i, u32 child)
{
	struct gvm_node_relay *r = gvm_relay(c->n, i);
	const struct gvm_sharers *others = &c->n->others;
	const struct gvm_co_msg *m = c->msg;
	u16 lo = r->at[child];
	u16 hi = r->at[child + 1];
	u32 id = gvm_sharers_next(others, lo, hi);
	struct gvm_co_msg *out;

	if (id >= hi) {
		/* Asked again, and whoever was there has died meanwhile. */
		r->got |= (u8)(1u << child);
		return;
	}
	out = gvm_emit_send(c, GVM_CO_INVALIDATE, (u16)id, m->seq, m->txn);
	out->requester = m->requester;
	out->slot = (u16)((u32)i << CHILD_BITS | child);
	out->lo = lo;
	out->hi = hi;
	if (gvm_sharers_next(others, id + 1, hi) < hi)
		out->list = others;
}

/* Cut the range for the children. */
static void start_relay(struct gvm_node_call *c, struct gvm_node_relay *r)
{
	const struct gvm_co_msg *m = c->msg;
	u32 children;

	*r = (struct gvm_node_relay){
		.page = m->page, .seq = m->seq, .txn = m->txn,
		.born_ns = c->now, .to = whom_to_answer(m), .slot = m->slot,
		.lo = m->lo, .hi = m->hi, .used = true,
	};
	children = gvm_sharers_split(&c->n->others, m->lo, m->hi, GVM_FANOUT,
				     r->at);
	r->need = (u8)((1u << children) - 1);
}

/* False: no room for a record; the message is as good as lost. */
static bool relay(struct gvm_node_call *c)
{
	const struct gvm_co_msg *m = c->msg;
	struct gvm_node_relay *r;
	u16 i = take_relay(c);

	if (i == GVM_NONE16)
		return false;
	list_others(c);
	r = gvm_relay(c->n, i);
	if (!same_relay(r, m) || r->lo != m->lo || r->hi != m->hi)
		start_relay(c, r);
	for (u32 child = 0; child < GVM_FANOUT; child++) {
		if ((r->need & ~r->got) >> child & 1)
			pass_on(c, i, child);
	}
	c->relay = i;
	c->n->stats.relayed++;
	return true;
}

/*
 * We are promised the page by a later transaction.  So the one that this came
 * from was declined: its writer never wrote, and our copy is good.
 */
static bool before_grant(const struct gvm_node_call *c,
			 const struct gvm_node_rec *rec)
{
	if (rec->state != GVM_SHARE_GRANTED &&
	    rec->state != GVM_SHARE_GRANTED_UPGRADE)
		return false;
	return c->msg->seq <= gvm_want(c->n, rec->want)->seq;
}

/* The own copy.  An INVALIDATE that is not newer finds nothing to drop. */
static int invalidate_own(struct gvm_node_call *c)
{
	const struct gvm_co_msg *m = c->msg;
	struct gvm_node_rec *rec = gvm_rec_find(c->n, c->page);
	struct gvm_node_want *w;
	bool mapped = rec && gvm_share_mapped(rec->state);
	u64 until;
	int err;

	if (!rec || (mapped && m->seq <= rec->seq) || before_grant(c, rec)) {
		gvm_acknowledge(c);
		return 0;
	}
	until = mapped ? gvm_node_stays(c, rec) : 0;
	if (until && gvm_node_defer(c, rec, until))
		return 0;
	if (rec->want != GVM_NONE16) {
		w = gvm_want(c->n, rec->want);
		if (!mapped && w->stale >= m->seq) {
			/* Heard before, or of before what is on its way. */
			gvm_acknowledge(c);
			return 0;
		}
		if (w->stale < m->seq)
			w->stale = m->seq;
		/* It is not home's fault: see GVM_BACKOFF_DIRECT. */
		w->backoff = 0;
		gvm_guests_leave(c, m->seq);
	}
	gvm_served_no_more(c, rec, m->seq);
	err = gvm_node_event(c, rec, GVM_SHEV_INVALIDATE);
	if (err || !mapped)
		return err;
	c->n->stats.invalidated++;
	gvm_hot_count(c->n, c->page, true);
	return 0;
}

int gvm_on_invalidate(struct gvm_node_call *c)
{
	const struct gvm_co_msg *m = c->msg;

	if (m->list && !relay(c)) {
		c->n->stats.ignored++;
		return -EAGAIN;
	}
	return invalidate_own(c);
}

static int child_answered(struct gvm_node_call *c)
{
	const struct gvm_co_msg *m = c->msg;
	u32 child = m->slot & (GVM_FANOUT - 1);
	u32 i = m->slot >> CHILD_BITS;
	struct gvm_node_relay *r;

	if (i >= c->n->cfg.relays_max)
		goto ignore;
	r = gvm_relay(c->n, i);
	if (!r->used || r->page != m->page || r->seq != m->seq ||
	    !(r->need >> child & 1))
		goto ignore;
	/* An answer for a range that was cut otherwise says less, or else. */
	if (m->lo != r->at[child] || m->hi != r->at[child + 1])
		goto ignore;
	r->got |= (u8)(1u << child);
	relay_done(c, r);
	return 0;
ignore:
	c->n->stats.ignored++;
	return 0;
}

/* Home left it to the only other sharer to say that the page is ours. */
static int grant_too(struct gvm_node_call *c, struct gvm_node_rec *rec,
		     struct gvm_node_want *w)
{
	const struct gvm_co_msg *m = c->msg;
	struct gvm_co_msg grant = *m;
	int err;

	if (!gvm_share_wanting(rec->state) ||
	    rec->state == GVM_SHARE_WANT_SHARED ||
	    rec->state == GVM_SHARE_WANT_SHARED_MORE)
		return -EPROTO;
	grant.type = GVM_CO_GRANT;
	grant.flags = GVM_CO_EXCLUSIVE | GVM_CO_OPEN;
	grant.need = 1ull << grant.slot;
	grant.giver = GVM_NODE_NONE;
	c->msg = &grant;
	err = gvm_exclusive_grant(c, rec, w);
	c->msg = m;
	return err;
}

/* A slot of our own want, or a child of an invalidation that we relay. */
int gvm_on_invalidated(struct gvm_node_call *c)
{
	const struct gvm_co_msg *m = c->msg;
	struct gvm_node_rec *rec = gvm_rec_find(c->n, c->page);
	struct gvm_node_want *w = NULL;

	if (rec && rec->want != GVM_NONE16)
		w = gvm_want(c->n, rec->want);
	if (!w || !w->txn || w->txn != m->txn)
		return child_answered(c);
	if (m->slot >= 64)
		return -EPROTO;
	if (m->seq < w->got_seq) {
		c->n->stats.ignored++;
		return 0;
	}
	if (m->seq > w->got_seq) {
		w->got_seq = m->seq;
		w->got = 0;
	}
	w->got |= 1ull << m->slot;
	if (m->flags & GVM_CO_EXCLUSIVE)
		return grant_too(c, rec, w);
	if ((rec->state == GVM_SHARE_GRANTED ||
	     rec->state == GVM_SHARE_GRANTED_UPGRADE) && w->seq == m->seq &&
	    !(w->need & ~w->got))
		return gvm_node_event(c, rec, GVM_SHEV_COMPLETE);
	return 0;
}
