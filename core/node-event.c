// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * One step of a page: the table's row, and the effects that it entails, in the
 * order that makes it safe.
 */
#include "node-inside.h"

/*
 * What GVM_HOLD_AUTO comes to.  A node that has its home inside fetches in no
 * time, but the thread that waits for the page takes a moment to run as ever.
 */
#define HOLD_MIN_NS	30000u
#define HOLD_MAX_NS	2000000u

struct gvm_co_effect *gvm_emit(struct gvm_node_call *c, enum gvm_co_do what)
{
	struct gvm_co_effect *e;

	/* The last one is scribbled over, rather than what lies behind it. */
	if (gvm_bug_on(c->out->nr >= GVM_CO_EFFECTS_MAX))
		c->out->nr = GVM_CO_EFFECTS_MAX - 1;
	e = &c->out->effect[c->out->nr++];
	*e = (struct gvm_co_effect){ .what = (u8)what, .page = c->page,
				     .buffer = GVM_NONE16 };
	return e;
}

struct gvm_co_msg *gvm_emit_send(struct gvm_node_call *c, u16 type, u16 to,
				 u64 seq, u64 txn)
{
	struct gvm_co_effect *e = gvm_emit(c, GVM_DO_SEND);

	e->msg = (struct gvm_co_msg){
		.type = type, .from = c->n->cfg.id, .to = to,
		.requester = GVM_NODE_NONE, .giver = GVM_NODE_NONE,
		.epoch = c->n->cfg.epoch, .page = c->page, .seq = seq,
		.txn = txn,
	};
	return &e->msg;
}

struct gvm_co_msg *gvm_emit_bytes(struct gvm_node_call *c, u16 type, u16 to,
				  u64 seq, u64 txn, u16 buffer)
{
	struct gvm_co_msg *m = gvm_emit_send(c, type, to, seq, txn);
	struct gvm_co_effect *e = &c->out->effect[c->out->nr - 1];

	m->flags = GVM_CO_BYTES;
	e->bytes = GVM_BYTES_BUFFER;
	e->buffer = buffer;
	return m;
}

/* Send the want, for the first time or again. */
void gvm_node_ask(struct gvm_node_call *c, struct gvm_node_rec *rec)
{
	struct gvm_node_want *w = gvm_want(c->n, rec->want);
	struct gvm_co_msg *m;
	u16 type = GVM_CO_GET_EXCLUSIVE;

	if (rec->state == GVM_SHARE_WANT_SHARED ||
	    rec->state == GVM_SHARE_WANT_SHARED_MORE)
		type = GVM_CO_GET_SHARED;
	m = gvm_emit_send(c, type, GVM_NODE_HOME, w->got_seq, w->txn);
	m->requester = c->n->cfg.id;
	m->need = w->got;
	if (type == GVM_CO_GET_EXCLUSIVE &&
	    rec->state != GVM_SHARE_WANT_EXCLUSIVE)
		m->flags = GVM_CO_HAVE;
	/* Whom home refers to us does not reach us, it seems. */
	if (type == GVM_CO_GET_SHARED && w->backoff >= GVM_BACKOFF_DIRECT)
		m->flags = GVM_CO_DIRECT;
	w->retry_ns = c->now + gvm_backoff(c->n, &w->backoff);
	gvm_node_due(c->n, GVM_DUE_WANT, w->retry_ns);
}

/* A want that was not asked for yet, or the next one of the same page. */
static void ask_first(struct gvm_node_call *c, struct gvm_node_rec *rec)
{
	struct gvm_node_want *w = gvm_want(c->n, rec->want);

	w->txn = (u64)c->n->cfg.epoch << 32 | ++c->n->counter;
	w->seq = 0;
	w->need = 0;
	w->got = 0;
	w->got_seq = 0;
	w->stale = 0;
	w->open = false;
	w->backoff = 0;
	w->first_ns = c->now;
	w->asked_once = true;
	gvm_node_ask(c, rec);
}

/*
 * The time of a fetch, from what home answered by itself.  What another node
 * answered has that node's hold in it, and our hold would grow with it: two
 * writers would drive each other up to the cap.  Some of it gets in by queues
 * at home, so that a longer time counts for little.
 */
static void measure(struct gvm_node *n, const struct gvm_co_msg *msg,
		    const struct gvm_node_want *w, u64 ns)
{
	if (!msg || msg->type != GVM_CO_GRANT || msg->from != GVM_NODE_HOME ||
	    w->need)
		return;
	if (!n->fetch_ns)
		n->fetch_ns = ns;
	else if (ns < n->fetch_ns)
		n->fetch_ns -= (n->fetch_ns - ns) / 8;
	else
		n->fetch_ns += n->fetch_ns / 64;
	if (n->cfg.hold_ns != GVM_HOLD_AUTO)
		return;
	n->hold_ns = 2 * n->fetch_ns;
	if (n->hold_ns < HOLD_MIN_NS)
		n->hold_ns = HOLD_MIN_NS;
	if (n->hold_ns > HOLD_MAX_NS)
		n->hold_ns = HOLD_MAX_NS;
}

static void install(struct gvm_node_call *c, u32 actions,
		    const struct gvm_node_want *w)
{
	struct gvm_co_effect *e = gvm_emit(c, GVM_DO_INSTALL);

	e->writable = !(actions & GVM_SHACT_INSTALL);
	if (actions & GVM_SHACT_INSTALL_KEPT) {
		e->bytes = w->zero ? GVM_BYTES_ZERO : GVM_BYTES_BUFFER;
		e->buffer = w->buffer;
	} else {
		e->bytes = c->msg->flags & GVM_CO_ZERO ? GVM_BYTES_ZERO :
			GVM_BYTES_MESSAGE;
	}
	c->n->stats.fetched++;
	gvm_hot_count(c->n, c->page, false);
}

static void keep(struct gvm_node_call *c, struct gvm_node_want *w)
{
	w->zero = c->msg->flags & GVM_CO_ZERO;
	if (w->zero)
		return;
	w->buffer = c->buffer;
	gvm_give(c->n, w->buffer)->kind = GVM_GIVE_KEPT;
	gvm_emit(c, GVM_DO_KEEP)->buffer = w->buffer;
	c->buffer = GVM_NONE16;
}

static void forget(struct gvm_node_call *c, struct gvm_node_want *w)
{
	if (w->buffer != GVM_NONE16)
		gvm_give_put_back(c->n, w->buffer);
	w->buffer = GVM_NONE16;
	w->zero = false;
}

/* The first half of the actions: what happens to the page here. */
static void do_local(struct gvm_node_call *c, u32 actions,
		     struct gvm_node_want *w)
{
	if (actions & GVM_SHACT_PROTECT)
		gvm_emit(c, GVM_DO_PROTECT);
	if (actions & GVM_SHACT_READ)
		gvm_emit(c, GVM_DO_READ)->buffer = c->buffer;
	if (actions & GVM_SHACT_UNMAP) {
		gvm_emit(c, GVM_DO_UNMAP);
		gvm_emit(c, GVM_DO_FLUSH_CODE);
	}
	if (actions & GVM_SHACT_FORGET)
		forget(c, w);
	if (actions & GVM_SHACT_KEEP)
		keep(c, w);
	if (actions & (GVM_SHACT_INSTALL | GVM_SHACT_INSTALL_RW |
		       GVM_SHACT_INSTALL_KEPT))
		install(c, actions, w);
	if (actions & GVM_SHACT_UNPROTECT) {
		gvm_emit(c, GVM_DO_UNPROTECT);
		c->n->stats.upgrades++;
	}
	if (actions & GVM_SHACT_WAKE)
		gvm_emit(c, GVM_DO_WAKE);
	if (actions & GVM_SHACT_LOST)
		gvm_emit(c, GVM_DO_LOST);
}

void gvm_send_done(struct gvm_node_call *c, u64 seq, u64 txn, u16 giver)
{
	gvm_emit_send(c, GVM_CO_DONE, GVM_NODE_HOME, seq, txn)->giver = giver;
	c->out->effect[c->out->nr - 1].later = true;
}

/* The second half: what others are told.  rec is as after the step. */
static void do_tell(struct gvm_node_call *c, u32 actions,
		    struct gvm_node_rec *rec, struct gvm_node_want *w)
{
	const struct gvm_co_msg *m = c->msg;

	if (actions & GVM_SHACT_GIVE && !(actions & GVM_SHACT_RETURN))
		gvm_give_start(c, c->buffer, GVM_GIVE_GRANT, m->seq);
	if (actions & GVM_SHACT_RETURN)
		gvm_give_start(c, c->buffer, GVM_GIVE_RETURN, m->seq);
	if (actions & GVM_SHACT_PUT)
		gvm_give_start(c, c->buffer, GVM_GIVE_PUT, rec->seq);
	if (actions & GVM_SHACT_ACK)
		gvm_acknowledge(c);
	if (actions & GVM_SHACT_DONE && !(w && w->open))
		gvm_send_done(c, rec->seq, w ? w->txn : m->txn,
			  w ? w->giver : m->giver);
	if (actions & GVM_SHACT_GET)
		ask_first(c, rec);
	if (actions & GVM_SHACT_ASK) {
		c->n->stats.stale++;
		w->asked_once = false;
		gvm_node_ask(c, rec);
	}
}

/* A hold begins with each right that is won. */
void gvm_became(struct gvm_node_call *c, struct gvm_node_rec *rec, u8 before)
{
	bool was_mapped = gvm_share_mapped(before);
	bool mapped = gvm_share_mapped(rec->state);

	if (mapped && !was_mapped)
		c->n->held++;
	if (!mapped && was_mapped)
		c->n->held--;
	if ((mapped && !was_mapped) ||
	    (rec->state == GVM_SHARE_MODIFIED && before != rec->state))
		rec->since_ns = c->now;
	if (rec->state == GVM_SHARE_MODIFIED)
		gvm_served_no_more(c, rec, rec->seq);
}

void gvm_pins_ready(struct gvm_node_call *c)
{
	for (u32 i = 0; i < GVM_PINS_MAX; i++) {
		struct gvm_node_pin *pin = &c->n->pin[i];

		if (pin->page != c->page || pin->ready)
			continue;
		pin->ready = true;
		gvm_emit(c, GVM_DO_PINNED);
	}
}

/* The numbers of the copy that a step has brought or changed. */
static void take_seq(struct gvm_node_call *c, struct gvm_node_rec *rec,
		     enum gvm_share_event event,
		     const struct gvm_node_want *w)
{
	if (event == GVM_SHEV_GRANT_SHARED || event == GVM_SHEV_RECALL_SHARED)
		rec->seq = c->msg->seq;
	else if (rec->state == GVM_SHARE_MODIFIED && w && w->seq)
		rec->seq = w->seq;
}

/* A RECALL that came before the grant: it is met when the hold is over. */
static void recall_waits(struct gvm_node_call *c, struct gvm_node_rec *rec)
{
	struct gvm_node_demand *d;
	u64 until = gvm_node_stays(c, rec);

	if (rec->demand == GVM_NONE16)
		return;
	d = &c->n->demand[rec->demand];
	if (d->msg.type != GVM_CO_RECALL)
		return;
	d->until_ns = until ? until : c->now;
	gvm_node_due(c->n, GVM_DUE_HOLD, d->until_ns);
}

/*
 * One step of the table and all that it entails.  0; or -EPROTO, -EAGAIN (no
 * buffer): nothing was changed.  The record may be gone afterwards.
 */
int gvm_node_event(struct gvm_node_call *c, struct gvm_node_rec *rec,
		   enum gvm_share_event event)
{
	struct gvm_node *n = c->n;
	struct gvm_node_want *w = NULL;
	u8 before = rec->state;
	bool needs_buffer;
	u32 actions;
	u8 next;
	int err;

	err = gvm_share_step(rec->state, event, &next, &actions);
	if (err)
		return err;
	needs_buffer = actions & GVM_SHACT_READ ||
		(actions & GVM_SHACT_KEEP && !(c->msg->flags & GVM_CO_ZERO));
	/* So many unconfirmed of one page: CONFIRMs get lost all the time. */
	if (actions & GVM_SHACT_READ && rec->gives == GVM_GIVES_MAX)
		return -EAGAIN;
	if (needs_buffer) {
		c->buffer = gvm_give_take(n);
		if (c->buffer == GVM_NONE16)
			return -EAGAIN;
	}
	if (rec->want != GVM_NONE16)
		w = gvm_want(n, rec->want);

	rec->state = next;
	take_seq(c, rec, event, w);
	gvm_became(c, rec, before);
	do_local(c, actions, w);
	if (event == GVM_SHEV_GRANT_SHARED)
		gvm_guests_serve(c, rec->seq);
	do_tell(c, actions, rec, w);
	if (rec->want != GVM_NONE16 && !gvm_share_wanting(next)) {
		if (event == GVM_SHEV_LOST || event == GVM_SHEV_GRANT_SHARED)
			gvm_guests_leave(c, event == GVM_SHEV_LOST ? 0 :
					 rec->seq);
		rec->waited = w->waited;
		if (w->asked_once && next != GVM_SHARE_INVALID)
			measure(n, c->msg, w, c->now - w->first_ns);
		gvm_want_free(n, rec->want);
		rec->want = GVM_NONE16;
	}
	if (next == GVM_SHARE_MODIFIED) {
		gvm_pins_ready(c);
		recall_waits(c, rec);
	}
	gvm_rec_tidy(n, c->page);
	return 0;
}
