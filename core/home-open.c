// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * Open grants: home gives its own copy away, exclusive, and does not wait to hear
 * that it has come.  See "Open grants" in PROTOCOL.md.
 *
 * As long as the grant is open, home's copy is what the owner was given, and the
 * entry knows for which of the owner's wants.  So the grant can be sent again,
 * and be taken back once the owner says that it never took it.
 */
#include "home-inside.h"

/* answer: who hears of it. */
static void send_invalidate(struct gvm_home_call *c, const struct gvm_dir *d,
			    const struct gvm_request_in *r, u64 seq, bool have,
			    u16 answer)
{
	u16 other = gvm_dir_open_other(d);
	struct gvm_co_msg *m = gvm_home_send(c, GVM_CO_INVALIDATE, other,
					     r->page, seq, r->txn);

	if (!m)
		return;
	m->requester = answer;
	m->lo = other;
	m->hi = (u16)(other + 1);
	/* Its answer is the grant, for someone who has the bytes. */
	if (have && answer == r->node)
		m->flags = GVM_CO_EXCLUSIVE;
	c->h->stats.invalidations++;
}

static void send_grant(struct gvm_home_call *c, const struct gvm_dir *d,
		       const struct gvm_request_in *r, u64 seq, u64 need,
		       bool have)
{
	struct gvm_co_msg *m = gvm_home_send(c, GVM_CO_GRANT, r->node, r->page,
					     seq, r->txn);

	if (!m)
		return;
	m->flags = GVM_CO_EXCLUSIVE | GVM_CO_OPEN;
	m->need = need;
	if (have)
		return;
	m->flags |= gvm_dir_written(d) ? GVM_CO_BYTES : GVM_CO_ZERO;
	c->out->effect[c->out->nr - 1].bytes =
		gvm_dir_written(d) ? GVM_BYTES_STORE : GVM_BYTES_ZERO;
}

bool gvm_open_begin(struct gvm_home_call *c, struct gvm_dir *d,
		    const struct gvm_request_in *r)
{
	struct gvm_home *h = c->h;
	bool have = r->flags & GVM_CO_HAVE && gvm_dir_has(h, d, r->node);
	u16 other;
	u64 seq;

	if (gvm_dir_others(h, d, r->node, &other) > 1)
		return false;
	seq = gvm_dir_next_seq(d);
	gvm_dir_open(h, d, r->node, other, r->txn);
	h->stats.writes++;
	if (other != GVM_NODE_NONE)
		send_invalidate(c, d, r, seq, have, r->node);
	if (other == GVM_NODE_NONE || !have)
		send_grant(c, d, r, seq, other != GVM_NODE_NONE, have);
	return true;
}

/* Of the open grant.  If it is recalled already, that has the next number. */
static u64 granted_seq(const struct gvm_home *h, const struct gvm_dir *d,
		       u64 page)
{
	const struct gvm_home_txn *t = NULL;

	if (gvm_dir_busy(d))
		t = gvm_txn_find(h, page);
	return gvm_dir_seq(d) - (t && t->kind != GVM_TXN_IDLE);
}

/* The grant once more, or what is missing of it. */
static void send_again(struct gvm_home_call *c, struct gvm_dir *d,
		       const struct gvm_request_in *r)
{
	u64 seq = granted_seq(c->h, d, r->page);
	bool have = r->flags & GVM_CO_HAVE;
	u64 need = gvm_home_member(c->h, gvm_dir_open_other(d));
	bool vain = gvm_dir_open_tries(d) > c->h->cfg.patience;

	if (need && !(r->got_seq == seq && r->got & 1))
		send_invalidate(c, d, r, seq, have,
				vain ? GVM_NODE_HOME : r->node);
	send_grant(c, d, r, seq, need, have);
	c->h->stats.driven++;
}

bool gvm_open_asked(struct gvm_home_call *c, struct gvm_dir *d,
		    const struct gvm_request_in *r)
{
	u64 txn;

	if (!gvm_dir_is_open(d)) {
		/* Sent before it became the owner, and late. */
		c->h->stats.ignored++;
		return true;
	}
	txn = gvm_dir_open_txn(c->h, d);
	if (r->txn == txn && r->exclusive) {
		send_again(c, d, r);
		return true;
	}
	if (gvm_txn_older(txn, r->txn))
		return false;
	c->h->stats.ignored++;
	return true;
}

void gvm_open_undo(struct gvm_home *h, struct gvm_dir *d)
{
	u16 owner = gvm_dir_owner(d);
	u16 other = gvm_dir_open_other(d);

	gvm_dir_become(h, d, GVM_DIR_HOME, GVM_NODE_NONE);
	/* Whether they have dropped their copies we do not know. */
	if (gvm_home_member(h, owner))
		gvm_dir_add(h, d, owner);
	if (gvm_home_member(h, other))
		gvm_dir_add(h, d, other);
}

void gvm_open_declined(struct gvm_home_call *c)
{
	const struct gvm_co_msg *m = c->msg;
	struct gvm_dir *d = gvm_dir(c->h, m->page);

	if (gvm_dir_owner(d) == m->from && gvm_dir_is_open(d) &&
	    gvm_dir_seq(d) == m->seq && gvm_dir_open_txn(c->h, d) == m->txn)
		gvm_open_undo(c->h, d);
}

void gvm_open_invalidated(struct gvm_home_call *c)
{
	const struct gvm_co_msg *m = c->msg;
	struct gvm_dir *d = gvm_dir(c->h, m->page);
	struct gvm_request_in r = { .page = m->page, .node = gvm_dir_owner(d) };

	if (gvm_dir_open_other(d) != m->from ||
	    granted_seq(c->h, d, m->page) != m->seq) {
		c->h->stats.ignored++;
		return;
	}
	r.txn = gvm_dir_open_txn(c->h, d);
	gvm_dir_open_alone(d);
	/* With bytes: whether it has them yet we do not know. */
	send_grant(c, d, &r, m->seq, 0, false);
}
