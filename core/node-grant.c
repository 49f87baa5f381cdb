// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* Grants: what was asked for, was not asked for any more, or is lost. */
#include "node-inside.h"

/*
 * A grant that nobody here waits for.  If home does, it must learn whether we
 * have the page by just this grant, or will never take it: see PROTOCOL.md.
 */
static int unwanted_grant(struct gvm_node_call *c,
			  const struct gvm_node_rec *rec)
{
	const struct gvm_co_msg *m = c->msg;
	bool have;

	c->n->stats.ignored++;
	if (!(m->flags & GVM_CO_EXCLUSIVE)) {
		gvm_serving_keep(c);
		return 0;
	}
	have = (rec && rec->state == GVM_SHARE_MODIFIED &&
		rec->seq == m->seq) || gvm_give_is_put(c->n, c->page, m->seq);
	/* Home looks at a DECLINE of an open grant only while it is at seq. */
	if (have && !(m->flags & GVM_CO_OPEN))
		gvm_send_done(c, m->seq, m->txn, m->giver);
	else if (!have)
		gvm_emit_send(c, GVM_CO_DECLINE, GVM_NODE_HOME, m->seq,
			      m->txn)->giver = m->giver;
	return 0;
}

static int shared_grant(struct gvm_node_call *c, struct gvm_node_rec *rec,
			const struct gvm_node_want *w)
{
	if (!(c->msg->flags & (GVM_CO_BYTES | GVM_CO_ZERO)))
		return -EPROTO;
	if (c->msg->seq < w->stale)
		return gvm_node_event(c, rec, GVM_SHEV_GRANT_STALE);
	rec->serves = c->msg->flags & GVM_CO_SERVE;
	return gvm_node_event(c, rec, GVM_SHEV_GRANT_SHARED);
}

/* Slots that came before their grant count for the same seq only. */
static void new_grant(struct gvm_node_want *w, const struct gvm_co_msg *m)
{
	if (w->got_seq != m->seq) {
		w->got_seq = m->seq;
		w->got = 0;
	}
	w->seq = m->seq;
	w->need = m->need;
	w->giver = m->giver;
	w->open = m->flags & GVM_CO_OPEN;
}

int gvm_exclusive_grant(struct gvm_node_call *c, struct gvm_node_rec *rec,
			struct gvm_node_want *w)
{
	const struct gvm_co_msg *m = c->msg;
	bool granted = rec->state == GVM_SHARE_GRANTED ||
		rec->state == GVM_SHARE_GRANTED_UPGRADE;
	bool bytes = m->flags & (GVM_CO_BYTES | GVM_CO_ZERO);
	struct gvm_node_want before = *w;
	bool part;
	int err;

	if (rec->state != GVM_SHARE_WANT_EXCLUSIVE &&
	    rec->state != GVM_SHARE_UPGRADE && !granted)
		return -EPROTO;
	if (m->seq < w->stale || m->seq < w->got_seq ||
	    (granted && m->seq < w->seq)) {
		c->n->stats.ignored++;
		return 0;
	}
	if (granted && m->seq == w->seq) {
		/* The same once more: which slots count may have changed. */
		w->need = m->need;
		return w->need & ~w->got ? 0 :
			gvm_node_event(c, rec, GVM_SHEV_COMPLETE);
	}
	if (granted) {
		/* Home has begun anew; what we kept is of before. */
		err = gvm_node_event(c, rec, GVM_SHEV_CANCEL);
		if (err)
			return err;
	}
	new_grant(w, m);
	part = w->need & ~w->got;
	err = gvm_node_event(c, rec,
			     bytes ? part ? GVM_SHEV_GRANT_PART :
			     GVM_SHEV_GRANT : part ? GVM_SHEV_BARE_PART :
			     GVM_SHEV_BARE);
	/* No buffer: as if it had not come.  What was cancelled stays so. */
	if (err)
		w->seq = granted ? 0 : before.seq;
	return err;
}

int gvm_on_grant(struct gvm_node_call *c)
{
	struct gvm_node_rec *rec = gvm_rec_find(c->n, c->page);
	struct gvm_node_want *w;

	if (!rec || rec->want == GVM_NONE16)
		return unwanted_grant(c, rec);
	w = gvm_want(c->n, rec->want);
	if (!w->txn || w->txn != c->msg->txn)
		return unwanted_grant(c, rec);
	if (c->msg->flags & GVM_CO_EXCLUSIVE)
		return gvm_exclusive_grant(c, rec, w);
	if (rec->state != GVM_SHARE_WANT_SHARED &&
	    rec->state != GVM_SHARE_WANT_SHARED_MORE)
		return -EPROTO;
	return shared_grant(c, rec, w);
}

int gvm_on_lost(struct gvm_node_call *c)
{
	struct gvm_node_rec *rec = gvm_rec_find(c->n, c->page);

	if (!rec || rec->want == GVM_NONE16 ||
	    gvm_want(c->n, rec->want)->txn != c->msg->txn) {
		c->n->stats.ignored++;
		return 0;
	}
	return gvm_node_event(c, rec, GVM_SHEV_LOST);
}
