// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * What a node gives away: recalls, evictions, referrals.
 *
 * Bytes that have left stay in a give record until home has CONFIRMed that they
 * are safe elsewhere: the message that carries them may get lost, and then they
 * would be gone for ever.
 */
#include "node-inside.h"

static void chain_remove(struct gvm_node *n, u16 i)
{
	u16 *at = gvm_chain(n, gvm_give(n, i)->page);

	while (*at != i) {
		if (gvm_bug_on(*at == GVM_NONE16))
			return;
		at = &gvm_give(n, *at)->next;
	}
	*at = gvm_give(n, i)->next;
}

/* The give record of the page with this seq, or GVM_NONE16. */
static u16 find(const struct gvm_node *n, u64 page, u64 seq)
{
	u16 i = *gvm_chain(n, page);

	while (i != GVM_NONE16 && (gvm_give(n, i)->page != page ||
				   gvm_give(n, i)->seq != seq))
		i = gvm_give(n, i)->next;
	return i;
}

bool gvm_give_is_put(const struct gvm_node *n, u64 page, u64 seq)
{
	u16 i = find(n, page, seq);

	return i != GVM_NONE16 && gvm_give(n, i)->kind == GVM_GIVE_PUT;
}

/* GRANT, RETURN or PUT, for the first time or again. */
void gvm_give_send(struct gvm_node_call *c, u16 buffer)
{
	struct gvm_node_give *g = gvm_give(c->n, buffer);
	struct gvm_co_msg *m;

	if (g->kind == GVM_GIVE_GRANT || g->shared) {
		m = gvm_emit_bytes(c, GVM_CO_GRANT, g->requester, g->seq,
				   g->txn, buffer);
		m->giver = c->n->cfg.id;
		if (g->kind == GVM_GIVE_GRANT)
			m->flags |= GVM_CO_EXCLUSIVE;
	}
	if (g->kind == GVM_GIVE_RETURN) {
		gvm_emit_bytes(c, GVM_CO_RETURN, GVM_NODE_HOME, g->seq, g->txn,
			       buffer);
		c->out->effect[c->out->nr - 1].later = g->shared;
	}
	if (g->kind == GVM_GIVE_PUT)
		gvm_emit_bytes(c, GVM_CO_PUT, GVM_NODE_HOME, g->seq, 0, buffer);
	g->retry_ns = c->now + gvm_backoff(c->n, &g->backoff);
	gvm_node_due(c->n, GVM_DUE_GIVE, g->retry_ns);
}

/*
 * The bytes of c->page are in the buffer, and leave.  A RETURN for a recall to
 * share also sends the requester its grant.
 */
void gvm_give_start(struct gvm_node_call *c, u16 buffer,
		    enum gvm_give_kind kind, u64 seq)
{
	struct gvm_node_give *g = gvm_give(c->n, buffer);
	struct gvm_node_rec *rec = gvm_rec_find(c->n, c->page);
	const struct gvm_co_msg *m = c->msg;
	u16 *head = gvm_chain(c->n, c->page);
	bool recall = m && m->type == GVM_CO_RECALL;

	*g = (struct gvm_node_give){
		.page = c->page, .seq = seq, .kind = (u8)kind,
		.txn = m ? m->txn : 0,
		.requester = m ? m->requester : GVM_NODE_NONE,
		.shared = kind == GVM_GIVE_RETURN && recall &&
			m->requester != GVM_NODE_HOME,
		.was_put = kind == GVM_GIVE_PUT, .next = *head,
	};
	*head = buffer;
	rec->gives++;
	rec->puts += g->was_put;
	if (kind != GVM_GIVE_PUT) {
		c->n->stats.given++;
		gvm_hot_count(c->n, c->page, true);
	}
	c->buffer = GVM_NONE16;
	gvm_give_send(c, buffer);
}

/* Home asks for a page that we had put, before it saw the PUT. */
static int turn_put(struct gvm_node_call *c, u16 i)
{
	struct gvm_node_give *g = gvm_give(c->n, i);
	const struct gvm_co_msg *m = c->msg;
	bool home = m->requester == GVM_NODE_HOME;

	g->seq = m->seq;
	g->txn = m->txn;
	g->requester = m->requester;
	g->backoff = 0;
	g->kind = !home && m->flags & GVM_CO_EXCLUSIVE ? GVM_GIVE_GRANT :
		GVM_GIVE_RETURN;
	g->shared = !home && !(m->flags & GVM_CO_EXCLUSIVE);
	c->n->stats.given++;
	gvm_give_send(c, i);
	return 0;
}

/* A recall that was answered before: the answer may have been lost. */
static int answer_again(struct gvm_node_call *c, u16 i)
{
	struct gvm_node_give *g = gvm_give(c->n, i);
	const struct gvm_co_msg *m = c->msg;

	c->n->stats.retries++;
	if (m->requester == GVM_NODE_HOME && g->kind == GVM_GIVE_GRANT) {
		if (m->flags & GVM_CO_GAVE) {
			gvm_emit_send(c, GVM_CO_RETURN, GVM_NODE_HOME, g->seq,
				      g->txn)->flags = GVM_CO_GAVE;
			return 0;
		}
		/* The requester declined: home takes it, nobody else. */
		g->kind = GVM_GIVE_RETURN;
		g->backoff = 0;
	}
	gvm_give_send(c, i);
	return 0;
}

/*
 * A recall finds nothing here.  Of an open grant (need), home does not know
 * whether it was taken: it may be on its way, or not be wanted any more.
 */
static int nothing_here(struct gvm_node_call *c, struct gvm_node_rec *rec)
{
	const struct gvm_co_msg *m = c->msg;
	struct gvm_node *n = c->n;
	bool old = rec && gvm_share_mapped(rec->state) && rec->seq >= m->seq;

	if (!m->need || old) {
		/* It was answered, and that was confirmed. */
		n->stats.ignored++;
		return 0;
	}
	if (rec && rec->want != GVM_NONE16 &&
	    gvm_want(n, rec->want)->txn == m->need)
		return gvm_node_defer(c, rec, c->now + n->cfg.retry_ns) ? 0 :
			-EAGAIN;
	gvm_emit_send(c, GVM_CO_DECLINE, GVM_NODE_HOME, m->seq, m->txn);
	return 0;
}

int gvm_on_recall(struct gvm_node_call *c)
{
	const struct gvm_co_msg *m = c->msg;
	struct gvm_node_rec *rec = gvm_rec_find(c->n, c->page);
	enum gvm_share_event event = GVM_SHEV_RECALL_SHARED;
	u64 until;
	u16 i;

	i = find(c->n, c->page, m->seq);
	if (i != GVM_NONE16)
		return answer_again(c, i);
	if (gvm_claimed(c->n, c->page)) {
		/* What is mapped and then not given would never be mapped. */
		if (!c->n->gives_free || gvm_node_unclaim(c))
			return -EAGAIN;
		rec = gvm_rec_find(c->n, c->page);
	}
	if (!rec || rec->state != GVM_SHARE_MODIFIED || m->seq <= rec->seq) {
		/*
		 * Just the PUT of what it recalls.  One of before may be here
		 * still, unconfirmed, and its bytes are old.
		 */
		if (gvm_give_is_put(c->n, c->page, m->seq - 1))
			return turn_put(c, find(c->n, c->page, m->seq - 1));
		return nothing_here(c, rec);
	}
	until = gvm_node_stays(c, rec);
	if (until && gvm_node_defer(c, rec, until))
		return 0;
	if (until && gvm_node_pinned(c))
		return -EAGAIN;
	if (m->requester == GVM_NODE_HOME)
		event = GVM_SHEV_RECALL_HOME;
	else if (m->flags & GVM_CO_EXCLUSIVE)
		event = GVM_SHEV_RECALL_EXCLUSIVE;
	return gvm_node_event(c, rec, event);
}

int gvm_on_confirm(struct gvm_node_call *c)
{
	struct gvm_node *n = c->n;
	struct gvm_node_rec *rec = gvm_rec_find(n, c->page);
	u16 i = find(n, c->page, c->msg->seq);
	bool was_put;

	if (i == GVM_NONE16) {
		n->stats.ignored++;
		return 0;
	}
	was_put = gvm_give(n, i)->was_put;
	chain_remove(n, i);
	gvm_give_put_back(n, i);
	if (gvm_bug_on(!rec || !rec->gives))
		return -EUCLEAN;
	rec->gives--;
	rec->puts -= was_put;
	if (was_put && !rec->puts && (rec->state == GVM_SHARE_WAIT_SHARED ||
				      rec->state == GVM_SHARE_WAIT_EXCLUSIVE))
		return gvm_node_event(c, rec, GVM_SHEV_CONFIRM);
	gvm_rec_tidy(n, c->page);
	return 0;
}

/*
 * The giver of a grant died.  If the grant came, home goes on with us; if not,
 * it must never count any more, for home declares the page lost.
 */
int gvm_on_cancel(struct gvm_node_call *c)
{
	const struct gvm_co_msg *m = c->msg;
	struct gvm_node *n = c->n;
	struct gvm_node_rec *rec = gvm_rec_find(n, c->page);
	struct gvm_node_want *w = NULL;
	bool mapped = rec && gvm_share_mapped(rec->state);
	u16 i = find(n, c->page, m->seq);
	int err;

	if (i != GVM_NONE16) {
		gvm_give_send(c, i);
		return 0;
	}
	if (mapped && rec->seq == m->seq)
		return gvm_node_event(c, rec, GVM_SHEV_RESCUE);
	if (rec && rec->want != GVM_NONE16)
		w = gvm_want(n, rec->want);
	if (w && w->txn && w->txn == m->txn) {
		if (w->stale < m->seq + 1)
			w->stale = m->seq + 1;
		err = gvm_node_event(c, rec, GVM_SHEV_CANCEL);
		if (err)
			return err;
	}
	gvm_emit_send(c, GVM_CO_DECLINE, GVM_NODE_HOME, m->seq,
		      m->txn)->giver = m->giver;
	return 0;
}
