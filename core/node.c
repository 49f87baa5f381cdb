// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * A node's side of a shared region: faults, grants, time; see node.h.  What
 * others take from it is in node-give.c and node-relay.c.
 */
#include "node-inside.h"

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
	if (n->hold_ns > 2000000)
		n->hold_ns = 2000000;
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

static void send_done(struct gvm_node_call *c, u64 seq, u64 txn, u16 giver)
{
	gvm_emit_send(c, GVM_CO_DONE, GVM_NODE_HOME, seq, txn)->giver = giver;
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
	if (actions & GVM_SHACT_DONE)
		send_done(c, rec->seq, w ? w->txn : m->txn,
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
static void became(struct gvm_node_call *c, struct gvm_node_rec *rec, u8 before)
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
}

static void pins_ready(struct gvm_node_call *c)
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
	became(c, rec, before);
	do_local(c, actions, w);
	do_tell(c, actions, rec, w);
	if (rec->want != GVM_NONE16 && !gvm_share_wanting(next)) {
		rec->waited = w->waited;
		if (w->asked_once && next != GVM_SHARE_INVALID)
			measure(n, c->msg, w, c->now - w->first_ns);
		gvm_want_free(n, rec->want);
		rec->want = GVM_NONE16;
	}
	if (next == GVM_SHARE_MODIFIED)
		pins_ready(c);
	gvm_rec_tidy(n, c->page);
	return 0;
}

bool gvm_node_pinned(const struct gvm_node_call *c)
{
	const struct gvm_node *n = c->n;

	for (u32 i = 0; i < GVM_PINS_MAX; i++) {
		if (n->pin[i].page == c->page && n->pin[i].ready &&
		    c->now < n->pin[i].deadline_ns)
			return true;
	}
	return false;
}

u64 gvm_node_stays(const struct gvm_node_call *c,
		   const struct gvm_node_rec *rec)
{
	const struct gvm_node *n = c->n;

	for (u32 i = 0; i < GVM_PINS_MAX; i++) {
		if (n->pin[i].page == c->page && n->pin[i].ready &&
		    c->now < n->pin[i].deadline_ns)
			return n->pin[i].deadline_ns;
	}
	if (rec->waited && c->now < rec->since_ns + n->hold_ns)
		return rec->since_ns + n->hold_ns;
	return 0;
}

bool gvm_node_defer(struct gvm_node_call *c, struct gvm_node_rec *rec,
		    u64 until_ns)
{
	struct gvm_node *n = c->n;
	u16 i = rec->demand;

	for (u16 k = 0; i == GVM_NONE16 && k < GVM_DEMANDS; k++) {
		if (!n->demand[k].used)
			i = k;
	}
	if (i == GVM_NONE16)
		return false;
	n->demand[i] = (struct gvm_node_demand){
		.msg = *c->msg, .until_ns = until_ns, .relay = c->relay,
		.used = true,
	};
	/* A list is for relays, who have passed it on by now. */
	n->demand[i].msg.list = NULL;
	rec->demand = i;
	n->stats.held++;
	gvm_node_due(n, GVM_DUE_HOLD, until_ns);
	return true;
}

static struct gvm_node_call begin(struct gvm_node *n, u64 page, u64 now_ns,
				  struct gvm_co_out *out)
{
	out->nr = 0;
	return (struct gvm_node_call){
		.n = n, .now = now_ns, .out = out, .page = page,
		.buffer = GVM_NONE16, .relay = GVM_NONE16,
	};
}

int gvm_node_unclaim(struct gvm_node_call *c)
{
	struct gvm_node_rec *rec = gvm_rec_get(c->n, c->page);
	struct gvm_co_effect *e;

	if (!rec)
		return -EAGAIN;
	gvm_claims(c->n)[c->page / 64] &= ~(1ull << c->page % 64);
	rec->state = GVM_SHARE_MODIFIED;
	rec->seq = 1;
	became(c, rec, GVM_SHARE_INVALID);
	e = gvm_emit(c, GVM_DO_INSTALL);
	e->bytes = GVM_BYTES_ZERO;
	e->writable = true;
	pins_ready(c);
	return 0;
}

static int fault(struct gvm_node_call *c, enum gvm_want want, bool waited)
{
	struct gvm_node *n = c->n;
	struct gvm_node_rec *rec;
	enum gvm_share_event event = want == GVM_WANT_SHARED ?
		GVM_SHEV_READ : GVM_SHEV_WRITE;
	bool starts;

	if (gvm_claimed(n, c->page))
		return gvm_node_unclaim(c);
	rec = gvm_rec_get(n, c->page);
	if (!rec)
		return -EAGAIN;
	starts = rec->state == GVM_SHARE_INVALID ||
		(rec->state == GVM_SHARE_SHARED && event == GVM_SHEV_WRITE);
	if (starts) {
		rec->want = gvm_want_take(n, c->page);
		if (rec->want == GVM_NONE16) {
			gvm_rec_tidy(n, c->page);
			return -EAGAIN;
		}
		n->stats.faults++;
	}
	if (rec->want != GVM_NONE16)
		gvm_want(n, rec->want)->waited |= waited;
	if (rec->state == GVM_SHARE_INVALID && rec->puts) {
		/* Home takes us for the owner until it has our PUT. */
		rec->state = event == GVM_SHEV_READ ? GVM_SHARE_WAIT_SHARED :
			GVM_SHARE_WAIT_EXCLUSIVE;
		return 0;
	}
	return gvm_node_event(c, rec, event);
}

int gvm_node_fault(struct gvm_node *n, u64 page, enum gvm_want want, u64 now_ns,
		   struct gvm_co_out *out)
{
	struct gvm_node_call c = begin(n, page, now_ns, out);

	return fault(&c, want, true);
}

int gvm_node_prefetch(struct gvm_node *n, u64 page, u64 now_ns,
		      struct gvm_co_out *out)
{
	struct gvm_node_call c = begin(n, page, now_ns, out);

	if (gvm_rec_find(n, page) || gvm_claimed(n, page))
		return 0;
	return fault(&c, GVM_WANT_SHARED, false);
}

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
	if (!(m->flags & GVM_CO_EXCLUSIVE))
		return 0;
	have = rec && rec->state == GVM_SHARE_MODIFIED && rec->seq == m->seq;
	if (have || gvm_give_is_put(c->n, c->page, m->seq))
		send_done(c, m->seq, m->txn, m->giver);
	else
		gvm_emit_send(c, GVM_CO_DECLINE, GVM_NODE_HOME, m->seq,
			      m->txn)->giver = m->giver;
	return 0;
}

static int shared_grant(struct gvm_node_call *c, struct gvm_node_rec *rec,
			const struct gvm_node_want *w)
{
	if (!(c->msg->flags & (GVM_CO_BYTES | GVM_CO_ZERO)))
		return -EPROTO;
	return gvm_node_event(c, rec, c->msg->seq < w->stale ?
			      GVM_SHEV_GRANT_STALE : GVM_SHEV_GRANT_SHARED);
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
}

static int exclusive_grant(struct gvm_node_call *c, struct gvm_node_rec *rec,
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

static int on_grant(struct gvm_node_call *c)
{
	struct gvm_node_rec *rec = gvm_rec_find(c->n, c->page);
	struct gvm_node_want *w;

	if (!rec || rec->want == GVM_NONE16)
		return unwanted_grant(c, rec);
	w = gvm_want(c->n, rec->want);
	if (!w->txn || w->txn != c->msg->txn)
		return unwanted_grant(c, rec);
	if (c->msg->flags & GVM_CO_EXCLUSIVE)
		return exclusive_grant(c, rec, w);
	if (rec->state != GVM_SHARE_WANT_SHARED &&
	    rec->state != GVM_SHARE_WANT_SHARED_MORE)
		return -EPROTO;
	return shared_grant(c, rec, w);
}

static int on_lost(struct gvm_node_call *c)
{
	struct gvm_node_rec *rec = gvm_rec_find(c->n, c->page);

	if (!rec || rec->want == GVM_NONE16 ||
	    gvm_want(c->n, rec->want)->txn != c->msg->txn) {
		c->n->stats.ignored++;
		return 0;
	}
	return gvm_node_event(c, rec, GVM_SHEV_LOST);
}

int gvm_node_recv(struct gvm_node *n, const struct gvm_co_msg *msg, u64 now_ns,
		  struct gvm_co_out *out)
{
	struct gvm_node_call c = begin(n, msg->page, now_ns, out);

	c.msg = msg;
	switch (msg->type) {
	case GVM_CO_GRANT:
		return on_grant(&c);
	case GVM_CO_INVALIDATE:
		return gvm_on_invalidate(&c);
	case GVM_CO_INVALIDATED:
		return gvm_on_invalidated(&c);
	case GVM_CO_RECALL:
		return gvm_on_recall(&c);
	case GVM_CO_CONFIRM:
		return gvm_on_confirm(&c);
	case GVM_CO_REFER:
		return gvm_on_refer(&c);
	case GVM_CO_CANCEL:
		return gvm_on_cancel(&c);
	case GVM_CO_LOST:
		return on_lost(&c);
	default:
		return -EPROTO;
	}
}

int gvm_node_evict(struct gvm_node *n, u64 page, u64 now_ns,
		   struct gvm_co_out *out)
{
	struct gvm_node_call c = begin(n, page, now_ns, out);
	struct gvm_node_rec *rec = gvm_rec_find(n, page);
	bool modified;
	int err;

	if (!rec || !gvm_share_mapped(rec->state))
		return -ENOENT;
	if (gvm_share_wanting(rec->state) || rec->demand != GVM_NONE16 ||
	    gvm_node_stays(&c, rec))
		return -EBUSY;
	modified = rec->state == GVM_SHARE_MODIFIED;
	err = gvm_node_event(&c, rec, GVM_SHEV_EVICT);
	if (err)
		return err;
	if (modified)
		n->stats.put++;
	else
		n->stats.dropped++;
	return 0;
}
