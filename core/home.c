// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * A home: requests, their order, and what may be asked about a page; see
 * home.h.  What a request sets going is in home-txn.c.
 */
#include "home-inside.h"

/* Effects that carrying out one request can cause at most. */
#define ROOM	(GVM_SLOTS + 6)

bool gvm_home_room(const struct gvm_home_call *c)
{
	return !c->listed && c->out->nr + ROOM <= GVM_CO_EFFECTS_MAX;
}

/* NULL: it is no member any more, nothing is sent. */
struct gvm_co_msg *gvm_home_send(struct gvm_home_call *c, u16 type, u16 to,
				 u64 page, u64 seq, u64 txn)
{
	struct gvm_co_effect *e;

	if (!gvm_home_member(c->h, to))
		return NULL;
	if (gvm_bug_on(c->out->nr >= GVM_CO_EFFECTS_MAX))
		return NULL;
	e = &c->out->effect[c->out->nr++];
	*e = (struct gvm_co_effect){ .what = GVM_DO_SEND, .page = page };
	e->msg = (struct gvm_co_msg){
		.type = type, .from = GVM_NODE_HOME, .to = to,
		.requester = GVM_NODE_NONE, .giver = GVM_NODE_NONE,
		.epoch = gvm_members(c->h)[to], .page = page, .seq = seq,
		.txn = txn,
	};
	return &e->msg;
}

void gvm_home_confirm(struct gvm_home_call *c, u16 to, u64 page, u64 seq)
{
	gvm_home_send(c, GVM_CO_CONFIRM, to, page, seq, 0);
}

void gvm_home_lose(struct gvm_home *h, struct gvm_dir *d)
{
	gvm_dir_become(h, d, GVM_DIR_LOST, GVM_NODE_NONE);
	h->stats.lost++;
}

void gvm_home_lose_owner(struct gvm_home *h, struct gvm_dir *d)
{
	/* Who leaves has given back all it had: it never took this. */
	if (gvm_dir_is_open(d) && gvm_sharers_has(&h->left, gvm_dir_owner(d)))
		gvm_open_undo(h, d);
	else
		gvm_home_lose(h, d);
}

/* The entry of a page that is asked for so often that others should serve it. */
static struct gvm_home_storm *storming(struct gvm_home_call *c, u64 page)
{
	struct gvm_home *h = c->h;
	struct gvm_home_storm *s = &h->storm[page % GVM_STORMS];

	if (!h->cfg.storm_ns)
		return NULL;
	if (s->page != page || c->now >= s->since_ns + 2 * h->cfg.storm_ns) {
		*s = (struct gvm_home_storm){
			.page = page, .since_ns = c->now,
			.server = GVM_NODE_NONE,
		};
	} else if (c->now >= s->since_ns + h->cfg.storm_ns) {
		/* A storm goes on as one. */
		s->since_ns = c->now;
		s->reads = s->reads > GVM_STORM_READS ? GVM_STORM_READS : 0;
	}
	return ++s->reads > GVM_STORM_READS ? s : NULL;
}

/*
 * Who serves a reader for home: somebody who surely has the page when the REFER
 * comes, so that nobody is sent back.  GVM_NODE_NONE: home itself.
 */
static u16 server_of(struct gvm_home_call *c, const struct gvm_dir *d,
		     struct gvm_home_storm *s, u16 reader)
{
	if (s->server == GVM_NODE_NONE || s->server == reader ||
	    s->refers >= GVM_STORM_REFERS || s->seq != gvm_dir_seq(d) ||
	    c->now >= s->server_ns + GVM_SERVES_NS / 2 ||
	    !gvm_home_member(c->h, s->server) ||
	    !gvm_dir_has(c->h, d, s->server))
		return GVM_NODE_NONE;
	s->refers++;
	return s->server;
}

/* Home's copy is the latest: no turn needed, and no DONE. */
void gvm_home_grant_shared(struct gvm_home_call *c, struct gvm_dir *d,
			   const struct gvm_request_in *r)
{
	struct gvm_home *h = c->h;
	struct gvm_home_storm *s = storming(c, r->page);
	u16 server = GVM_NODE_NONE;
	struct gvm_co_effect *e;
	struct gvm_co_msg *m;

	if (s && gvm_dir_written(d) && !(r->flags & GVM_CO_DIRECT))
		server = server_of(c, d, s, r->node);
	gvm_dir_add(h, d, r->node);
	h->stats.reads++;
	if (server != GVM_NODE_NONE) {
		m = gvm_home_send(c, GVM_CO_REFER, server, r->page,
				  gvm_dir_seq(d), r->txn);
		m->requester = r->node;
		h->stats.referred++;
		return;
	}
	m = gvm_home_send(c, GVM_CO_GRANT, r->node, r->page, gvm_dir_seq(d),
			  r->txn);
	if (!m)
		return;
	e = &c->out->effect[c->out->nr - 1];
	m->flags = gvm_dir_written(d) ? GVM_CO_BYTES : GVM_CO_ZERO;
	e->bytes = gvm_dir_written(d) ? GVM_BYTES_STORE : GVM_BYTES_ZERO;
	if (!s)
		return;
	m->flags |= GVM_CO_SERVE;
	s->server = r->node;
	s->server_ns = c->now;
	s->seq = gvm_dir_seq(d);
	s->refers = 0;
}

/*
 * No transaction is free, and perhaps that is because the last message of one
 * was lost and nobody asks for its page any more: drive one that is overdue.
 */
static void drive_another(struct gvm_home_call *c)
{
	struct gvm_home *h = c->h;

	for (u32 i = 0; i < h->cfg.txns_max && gvm_home_room(c); i++) {
		struct gvm_home_txn *t = gvm_txn(h, h->hand);

		h->hand = (h->hand + 1) % h->cfg.txns_max;
		if (t->kind == GVM_TXN_FREE || t->kind == GVM_TXN_IDLE ||
		    c->now < t->driven_ns + h->cfg.retry_ns)
			continue;
		gvm_txn_drive(c, t, NULL);
		return;
	}
}

/*
 * Carry out a request whose turn has come.  t: the page's transaction, IDLE;
 * NULL: the page is not busy, and one is taken if it must become so.
 */
static void serve(struct gvm_home_call *c, struct gvm_home_txn *t,
		  const struct gvm_request_in *r)
{
	struct gvm_home *h = c->h;
	struct gvm_dir *d = gvm_dir(h, r->page);
	u16 owner = gvm_dir_owner(d);

	if (owner != GVM_NODE_NONE && !gvm_home_member(h, owner))
		gvm_home_lose_owner(h, d);
	if (gvm_dir_kind(d) == GVM_DIR_LOST) {
		gvm_home_send(c, GVM_CO_LOST, r->node, r->page, gvm_dir_seq(d),
			      r->txn);
		return;
	}
	if (owner == r->node) {
		if (gvm_open_asked(c, d, r))
			return;
		/* It wants something else by now, so it never took that. */
		gvm_open_undo(h, d);
	}
	owner = gvm_dir_owner(d);
	if (owner == GVM_NODE_NONE && !r->exclusive) {
		gvm_home_grant_shared(c, d, r);
		return;
	}
	if (owner == GVM_NODE_NONE && gvm_open_begin(c, d, r))
		return;
	if (!t)
		t = gvm_txn_take(h, r->page);
	if (!t) {
		h->stats.refused++;
		drive_another(c);
		return;
	}
	gvm_txn_begin(c, t, r);
}

void gvm_home_finish(struct gvm_home_call *c, struct gvm_home_txn *t)
{
	struct gvm_request_in r;

	while (t->kind == GVM_TXN_IDLE) {
		if (!gvm_home_room(c)) {
			gvm_txn_todo(c, t);
			return;
		}
		if (!gvm_wait_next(c->h, t, &r)) {
			gvm_txn_put(c->h, t);
			return;
		}
		if (gvm_home_member(c->h, r.node) &&
		    r.txn >> 32 == gvm_members(c->h)[r.node])
			serve(c, t, &r);
	}
}

static int on_get(struct gvm_home_call *c)
{
	const struct gvm_co_msg *m = c->msg;
	struct gvm_home *h = c->h;
	struct gvm_request_in r = {
		.page = m->page, .txn = m->txn, .got = m->need,
		.got_seq = m->seq, .node = m->requester,
		.flags = (u8)(m->flags & (GVM_CO_HAVE | GVM_CO_DIRECT)),
		.exclusive = m->type == GVM_CO_GET_EXCLUSIVE,
	};
	struct gvm_home_txn *t;

	if (m->requester != m->from && (r.exclusive ||
					!(m->flags & GVM_CO_DIRECT)))
		return -EPROTO;
	if (!gvm_home_member(h, r.node) ||
	    m->txn >> 32 != gvm_members(h)[r.node]) {
		/* A referral that outlived the membership of its reader. */
		h->stats.ignored++;
		return 0;
	}
	if (!gvm_dir_busy(gvm_dir(h, r.page))) {
		serve(c, NULL, &r);
		return 0;
	}
	t = gvm_txn_find(h, r.page);
	if (gvm_bug_on(!t))
		return -EUCLEAN;
	if (t->kind != GVM_TXN_IDLE && t->requester == r.node &&
	    t->txn == r.txn) {
		gvm_txn_asked(c, t, &r);
		return 0;
	}
	if (t->kind != GVM_TXN_IDLE && t->owner == r.node &&
	    gvm_dir_is_open(gvm_dir(h, r.page)) &&
	    gvm_open_asked(c, gvm_dir(h, r.page), &r))
		return 0;
	if (t->kind != GVM_TXN_IDLE && t->requester == r.node &&
	    gvm_txn_older(r.txn, t->txn)) {
		/* It asks for a later want by now. */
		h->stats.ignored++;
		return 0;
	}
	h->stats.queued++;
	if (!gvm_wait_add(h, t, &r))
		h->stats.refused++;
	if (t->kind != GVM_TXN_IDLE && gvm_txn_late(c, t))
		gvm_txn_drive(c, t, NULL);
	return 0;
}

int gvm_home_recv(struct gvm_home *h, const struct gvm_co_msg *msg, u64 now_ns,
		  struct gvm_co_out *out)
{
	struct gvm_home_call c = { .h = h, .now = now_ns, .out = out,
				   .msg = msg };

	out->nr = 0;
	if (msg->page < h->cfg.page0 ||
	    msg->page - h->cfg.page0 >= h->cfg.pages)
		return -EPROTO;
	if (!gvm_home_member(h, msg->from) ||
	    gvm_members(h)[msg->from] != msg->epoch)
		return -ESTALE;
	gvm_dir_touch(h, msg->page);
	switch (msg->type) {
	case GVM_CO_GET_SHARED:
	case GVM_CO_GET_EXCLUSIVE:
		return on_get(&c);
	case GVM_CO_DONE:
		return gvm_on_done(&c);
	case GVM_CO_DECLINE:
		return gvm_on_decline(&c);
	case GVM_CO_INVALIDATED:
		return gvm_home_invalidated(&c);
	case GVM_CO_RETURN:
		return gvm_on_return(&c);
	case GVM_CO_PUT:
		return gvm_on_put(&c);
	default:
		return -EPROTO;
	}
}

void gvm_home_found(struct gvm_home *h, u64 page)
{
	gvm_dir_set_written(gvm_dir_touch(h, page), true);
}

int gvm_home_page(const struct gvm_home *h, u64 page,
		  struct gvm_home_page *ret)
{
	const struct gvm_dir *d;

	if (page < h->cfg.page0 || page - h->cfg.page0 >= h->cfg.pages)
		return -EINVAL;
	d = gvm_dir(h, page);
	if (h->claimer && gvm_dir_untouched(d)) {
		*ret = (struct gvm_home_page){ .seq = 1, .zero = true,
			.owner = (u16)(h->claimer - 1) };
		return 0;
	}
	*ret = (struct gvm_home_page){
		.seq = gvm_dir_seq(d), .owner = gvm_dir_owner(d),
		.lost = gvm_dir_kind(d) == GVM_DIR_LOST,
		.zero = !gvm_dir_written(d), .busy = gvm_dir_busy(d),
		.coarse = gvm_dir_format(d) == GVM_DIR_COARSE,
	};
	ret->sharers = gvm_dir_count(h, d);
	return 0;
}

void gvm_home_sharers(const struct gvm_home *h, u64 page,
		      struct gvm_sharers *set)
{
	gvm_dir_list(h, gvm_dir(h, page), set);
}

u64 gvm_home_next_lost(const struct gvm_home *h, u64 from)
{
	u64 end = h->cfg.page0 + h->cfg.pages;

	if (from < h->cfg.page0)
		from = h->cfg.page0;
	for (; from < end; from++) {
		if (gvm_dir_kind(gvm_dir(h, from)) == GVM_DIR_LOST)
			return from;
	}
	return GVM_NEVER;
}

const struct gvm_home_stats *gvm_home_stats(const struct gvm_home *h)
{
	return &h->stats;
}

bool gvm_home_idle(const struct gvm_home *h)
{
	return !h->txns_used && !h->sweeping;
}
