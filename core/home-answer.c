// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * Answers: what ends a transaction or moves it on, and what comes by itself
 * (PUT).  Those that are late or come twice end nothing; see PROTOCOL.md.
 */
#include "home-inside.h"

static void drive_late(struct gvm_home_call *c, struct gvm_home_txn *t)
{
	if (gvm_txn_late(c, t))
		gvm_txn_drive(c, t, NULL);
}

/* The message answers the transaction under way on its page. */
static bool answers(const struct gvm_home_txn *t, const struct gvm_co_msg *m)
{
	return t && t->kind != GVM_TXN_IDLE && t->seq == m->seq;
}

static bool grants_exclusive(const struct gvm_home_txn *t)
{
	return t->kind == GVM_TXN_INVALIDATING || t->kind == GVM_TXN_MOVING ||
		(t->kind == GVM_TXN_ASKING && t->exclusive);
}

static void end(struct gvm_home_call *c, struct gvm_home_txn *t)
{
	gvm_txn_become(c->h, t, GVM_TXN_IDLE);
	gvm_home_finish(c, t);
}

/*
 * The giver may hold the only copy: it is the owner, and by just this number.
 * Then its PUT is unconfirmed, and must stay so until home has it.
 */
static bool needed(const struct gvm_home *h, const struct gvm_home_txn *t,
		   const struct gvm_co_msg *m)
{
	const struct gvm_dir *d = gvm_dir(h, m->page);
	bool recalled = t && t->kind != GVM_TXN_IDLE;

	return gvm_dir_owner(d) == m->giver &&
		m->seq + recalled >= gvm_dir_seq(d);
}

/*
 * A giver whose bytes are not needed any more.  Who it was is only what the
 * sender says.
 */
static int settled(struct gvm_home_call *c, const struct gvm_home_txn *t)
{
	const struct gvm_co_msg *m = c->msg;

	if (m->seq > gvm_dir_seq(gvm_dir(c->h, m->page)))
		return -EPROTO;
	c->h->stats.ignored++;
	if (!answers(t, m) && m->giver < GVM_NODES_MAX && !needed(c->h, t, m))
		gvm_home_confirm(c, m->giver, m->page, m->seq);
	return 0;
}

int gvm_on_done(struct gvm_home_call *c)
{
	const struct gvm_co_msg *m = c->msg;
	struct gvm_home_txn *t = gvm_txn_find(c->h, m->page);

	if (!answers(t, m) || t->requester != m->from || !grants_exclusive(t))
		return settled(c, t);
	gvm_dir_become(c->h, gvm_dir(c->h, m->page), GVM_DIR_OWNED, m->from);
	gvm_home_confirm(c, t->owner, t->page, t->seq);
	end(c, t);
	return 0;
}

/*
 * The owner never took its open grant, and will not: home's copy is the latest,
 * and the recall goes on as if it had been so from the start.
 */
static int owner_declined(struct gvm_home_call *c, struct gvm_home_txn *t)
{
	struct gvm_dir *d = gvm_dir(c->h, t->page);
	const struct gvm_request_in r = {
		.page = t->page, .txn = t->txn, .node = t->requester,
		.flags = GVM_CO_DIRECT,
	};

	gvm_open_undo(c->h, d);
	t->owner = GVM_NODE_NONE;
	if (t->kind == GVM_TXN_MOVING) {
		gvm_txn_become(c->h, t, GVM_TXN_INVALIDATING);
		gvm_txn_invalidate(c, t, false);
		return 0;
	}
	if (t->kind == GVM_TXN_SHARING && gvm_home_member(c->h, r.node) &&
	    gvm_members(c->h)[r.node] == r.txn >> 32)
		gvm_home_grant_shared(c, d, &r);
	end(c, t);
	return 0;
}

/*
 * The requester will never take this grant: it began by a request that came
 * late, or its giver is dead.  Or the owner never took the one before.
 */
int gvm_on_decline(struct gvm_home_call *c)
{
	const struct gvm_co_msg *m = c->msg;
	struct gvm_home_txn *t = gvm_txn_find(c->h, m->page);
	struct gvm_dir *d = gvm_dir(c->h, m->page);

	if (!t || t->kind == GVM_TXN_IDLE)
		gvm_open_declined(c);
	else if (answers(t, m) && t->owner == m->from && gvm_dir_is_open(d))
		return owner_declined(c, t);
	if (!answers(t, m) || t->requester != m->from)
		return settled(c, t);
	if (t->kind == GVM_TXN_INVALIDATING) {
		/* Who has dropped its copy we do not know: all stay listed. */
		end(c, t);
	} else if (t->kind == GVM_TXN_MOVING) {
		t->carry = t->drives == c->h->cfg.patience;
		gvm_txn_become(c->h, t, GVM_TXN_FETCHING);
		gvm_txn_recall(c, t);
	} else if (t->kind == GVM_TXN_ASKING) {
		gvm_home_lose(c->h, d);
		gvm_home_send(c, GVM_CO_LOST, t->requester, t->page, t->seq,
			      t->txn);
		end(c, t);
	} else {
		return settled(c, t);
	}
	return 0;
}

/* The message's bytes become home's copy, which is the latest. */
static void store(struct gvm_home_call *c)
{
	const struct gvm_co_msg *m = c->msg;
	struct gvm_dir *d = gvm_dir(c->h, m->page);
	struct gvm_co_effect *e = &c->out->effect[c->out->nr++];

	*e = (struct gvm_co_effect){ .what = GVM_DO_STORE, .page = m->page };
	e->bytes = m->flags & GVM_CO_ZERO ? GVM_BYTES_ZERO : GVM_BYTES_MESSAGE;
	gvm_dir_set_written(d, !(m->flags & GVM_CO_ZERO));
	gvm_dir_become(c->h, d, GVM_DIR_HOME, GVM_NODE_NONE);
}

/* What the owner could not send to the requester itself: now it is home's. */
static void carry_on(struct gvm_home_call *c, const struct gvm_home_txn *t)
{
	const struct gvm_request_in r = {
		.page = t->page, .txn = t->txn, .node = t->requester,
		.exclusive = true,
	};

	if (gvm_home_member(c->h, r.node) &&
	    gvm_members(c->h)[r.node] == r.txn >> 32)
		gvm_open_begin(c, gvm_dir(c->h, t->page), &r);
}

static int returned(struct gvm_home_call *c, struct gvm_home_txn *t)
{
	const struct gvm_co_msg *m = c->msg;
	struct gvm_dir *d = gvm_dir(c->h, m->page);

	store(c);
	if (t->kind == GVM_TXN_SHARING) {
		gvm_dir_add(c->h, d, t->owner);
		gvm_dir_add(c->h, d, t->requester);
	} else if (t->kind == GVM_TXN_ASKING) {
		gvm_dir_add(c->h, d, t->requester);
	}
	gvm_home_confirm(c, m->from, m->page, m->seq);
	if (t->kind == GVM_TXN_FETCHING && t->carry)
		carry_on(c, t);
	end(c, t);
	return 0;
}

/*
 * A sharer answers home, since its answers to the requester did not come.  Whom
 * the requester must hear from becomes less, and it is told so.
 */
int gvm_home_invalidated(struct gvm_home_call *c)
{
	const struct gvm_co_msg *m = c->msg;
	struct gvm_home_txn *t = gvm_txn_find(c->h, m->page);

	if (!t || t->kind != GVM_TXN_INVALIDATING || t->seq != m->seq) {
		gvm_open_invalidated(c);
		return 0;
	}
	if (m->slot >= t->slots || t->slot[m->slot].lo != m->lo ||
	    t->slot[m->slot].hi != m->hi || m->from < m->lo ||
	    m->from >= m->hi)
		return -EPROTO;
	if (!(t->need >> m->slot & 1)) {
		c->h->stats.ignored++;
		return 0;
	}
	t->need &= ~(1ull << m->slot);
	gvm_txn_grant(c, t);
	return 0;
}

int gvm_on_return(struct gvm_home_call *c)
{
	const struct gvm_co_msg *m = c->msg;
	struct gvm_home_txn *t = gvm_txn_find(c->h, m->page);
	struct gvm_dir *d = gvm_dir(c->h, m->page);
	bool bytes = m->flags & (GVM_CO_BYTES | GVM_CO_ZERO);

	if (m->seq > gvm_dir_seq(d) || (!bytes && !(m->flags & GVM_CO_GAVE)))
		return -EPROTO;
	if (!answers(t, m)) {
		c->h->stats.ignored++;
		gvm_home_confirm(c, m->from, m->page, m->seq);
		return 0;
	}
	if (bytes && ((t->owner == m->from && (t->kind == GVM_TXN_SHARING ||
					       t->kind == GVM_TXN_FETCHING)) ||
		      (t->kind == GVM_TXN_ASKING && !t->exclusive &&
		       t->requester == m->from)))
		return returned(c, t);
	if (!bytes && t->kind == GVM_TXN_FETCHING && t->dead &&
	    t->owner == m->from) {
		/* The dead may have written to it. */
		gvm_home_lose(c->h, d);
		gvm_home_confirm(c, m->from, m->page, m->seq);
		end(c, t);
		return 0;
	}
	/* The owner reminds us: our RECALL to take it back was lost. */
	if (!bytes && t->kind == GVM_TXN_FETCHING && t->owner == m->from)
		gvm_txn_recall(c, t);
	/* Does its grant not come there?  Who waits for it may be nobody. */
	if (!bytes && t->kind == GVM_TXN_MOVING && t->owner == m->from)
		drive_late(c, t);
	c->h->stats.ignored++;
	return 0;
}

int gvm_on_put(struct gvm_home_call *c)
{
	const struct gvm_co_msg *m = c->msg;
	struct gvm_home_txn *t = gvm_txn_find(c->h, m->page);
	struct gvm_dir *d = gvm_dir(c->h, m->page);
	bool busy = t && t->kind != GVM_TXN_IDLE;

	if (m->seq > gvm_dir_seq(d) ||
	    !(m->flags & (GVM_CO_BYTES | GVM_CO_ZERO)))
		return -EPROTO;
	if (busy && answers(t, m) && t->requester == m->from &&
	    grants_exclusive(t)) {
		/* Its DONE was lost or is late; this says all the more. */
		gvm_home_confirm(c, t->owner, t->page, t->seq);
		store(c);
		gvm_home_confirm(c, m->from, m->page, m->seq);
		c->h->stats.puts++;
		end(c, t);
		return 0;
	}
	if (busy && t->owner == m->from && m->seq + 1 == t->seq) {
		/*
		 * It will answer the RECALL with just these bytes.  If that
		 * was lost, perhaps nobody else will ever ask for the page.
		 */
		c->h->stats.ignored++;
		drive_late(c, t);
		return 0;
	}
	if (!busy && gvm_dir_owner(d) == m->from && gvm_dir_seq(d) == m->seq) {
		store(c);
		c->h->stats.puts++;
	} else {
		c->h->stats.ignored++;
	}
	gvm_home_confirm(c, m->from, m->page, m->seq);
	return 0;
}
