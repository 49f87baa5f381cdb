// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * Transactions: what takes a right away from somebody, from its first message
 * to the answer that ends it.  One at a time for a page; see PROTOCOL.md.
 */
#include "home-inside.h"

static void set_kind(struct gvm_home *h, struct gvm_home_txn *t,
		     enum gvm_txn_kind kind)
{
	h->idle -= t->kind == GVM_TXN_IDLE;
	h->idle += kind == GVM_TXN_IDLE;
	t->kind = (u8)kind;
}

static void send_grant(struct gvm_home_call *c, const struct gvm_home_txn *t)
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
	m->requester = t->requester;
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

static void begin_invalidating(struct gvm_home_call *c, struct gvm_home_txn *t,
			       bool said_have)
{
	struct gvm_dir *d = gvm_dir(c->h, t->page);

	t->have = said_have && gvm_dir_has(c->h, d, t->requester);
	list_sharers(c, t);
	first_slots(c, t);
	send_slots(c, t, 0);
	send_grant(c, t);
}

static void send_recall(struct gvm_home_call *c, const struct gvm_home_txn *t)
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
	t->have = false;
	t->dead = false;
	t->due = false;
	if (t->owner == GVM_NODE_NONE) {
		set_kind(h, t, GVM_TXN_INVALIDATING);
		begin_invalidating(c, t, r->flags & GVM_CO_HAVE);
	} else {
		set_kind(h, t, r->exclusive ? GVM_TXN_MOVING :
			 GVM_TXN_SHARING);
		send_recall(c, t);
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
	if (t->exclusive)
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
	send_grant(c, t);
}

void gvm_txn_drive(struct gvm_home_call *c, struct gvm_home_txn *t,
		   const struct gvm_request_in *r)
{
	t->driven_ns = c->now;
	if (r || t->kind != GVM_TXN_INVALIDATING)
		t->asked_ns = c->now;
	t->due = false;
	c->h->stats.driven++;
	switch (t->kind) {
	case GVM_TXN_INVALIDATING:
		drive_invalidating(c, t, r);
		return;
	case GVM_TXN_MOVING:
	case GVM_TXN_SHARING:
	case GVM_TXN_FETCHING:
		send_recall(c, t);
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

static void drive_late(struct gvm_home_call *c, struct gvm_home_txn *t)
{
	if (gvm_txn_late(c, t))
		gvm_txn_drive(c, t, NULL);
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
		send_grant(c, t);
	} else {
		c->h->stats.ignored++;
	}
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
	set_kind(c->h, t, GVM_TXN_IDLE);
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
 * The requester will never take this grant: it began by a request that came
 * late, or its giver is dead.
 */
int gvm_on_decline(struct gvm_home_call *c)
{
	const struct gvm_co_msg *m = c->msg;
	struct gvm_home_txn *t = gvm_txn_find(c->h, m->page);
	struct gvm_dir *d = gvm_dir(c->h, m->page);

	if (!answers(t, m) || t->requester != m->from)
		return settled(c, t);
	if (t->kind == GVM_TXN_INVALIDATING) {
		/* Who has dropped its copy we do not know: all stay listed. */
		end(c, t);
	} else if (t->kind == GVM_TXN_MOVING) {
		set_kind(c->h, t, GVM_TXN_FETCHING);
		send_recall(c, t);
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
	end(c, t);
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
		send_recall(c, t);
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
