// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * Readers that we serve for home, with home's number: see "Storms of readers" in
 * PROTOCOL.md.
 *
 * A reader is sent back to home only where nothing better can be done, for that
 * would be a fourth hop.  Who comes before our own copy waits for it: it was sent
 * to us before the REFER.  Who comes after a writer took it has been invalidated
 * by the same writer, and has asked home again by itself.  And what came for a want
 * that was over (we had asked twice) is kept for others, though we do not map it.
 */
#include "node-inside.h"

bool gvm_node_serves(const struct gvm_node_call *c,
		     const struct gvm_node_rec *rec)
{
	return rec->serves && c->now < rec->since_ns + GVM_SERVES_NS;
}

void gvm_served_no_more(struct gvm_node_call *c, struct gvm_node_rec *rec,
			u64 seq)
{
	struct gvm_node *n = c->n;

	if (!rec->serves)
		return;
	rec->serves = false;
	n->taken[n->taken_at] = (struct gvm_node_taken){ c->page, seq };
	n->taken_at = (n->taken_at + 1) % GVM_TAKEN;
}

/* A writer took our copy after the reader was referred to it. */
static bool taken_since(const struct gvm_node_call *c,
			const struct gvm_node_rec *rec)
{
	const struct gvm_co_msg *m = c->msg;

	if (rec && gvm_share_mapped(rec->state) && rec->seq > m->seq)
		return true;
	if (rec && rec->want != GVM_NONE16 &&
	    gvm_want(c->n, rec->want)->stale > m->seq)
		return true;
	for (u32 i = 0; i < GVM_TAKEN; i++) {
		if (c->n->taken[i].page == c->page &&
		    c->n->taken[i].seq > m->seq)
			return true;
	}
	return false;
}

static bool wait_here(struct gvm_node_call *c)
{
	const struct gvm_co_msg *m = c->msg;
	struct gvm_node *n = c->n;
	u32 best = GVM_GUESTS;

	for (u32 i = 0; i < GVM_GUESTS; i++) {
		struct gvm_node_guest *g = &n->guest[i];

		if (!g->used)
			best = i;
		else if (g->page == c->page && g->node == m->requester &&
			 g->txn == m->txn)
			return true;
	}
	if (best == GVM_GUESTS)
		return false;
	n->guest[best] = (struct gvm_node_guest){
		.page = c->page, .seq = m->seq, .txn = m->txn,
		.node = m->requester, .used = true,
		.until_ns = c->now + GVM_SERVES_NS,
	};
	n->guests_used++;
	gvm_node_due(n, GVM_DUE_GIVE, n->guest[best].until_ns);
	return true;
}

static void send_back(struct gvm_node_call *c, u64 seq, u64 txn, u16 reader)
{
	struct gvm_co_msg *m = gvm_emit_send(c, GVM_CO_GET_SHARED,
					     GVM_NODE_HOME, seq, txn);

	m->flags = GVM_CO_DIRECT;
	m->requester = reader;
}

static void serve(struct gvm_node_call *c, u16 buffer)
{
	const struct gvm_co_msg *m = c->msg;

	gvm_emit(c, GVM_DO_READ)->buffer = buffer;
	gvm_emit_bytes(c, GVM_CO_GRANT, m->requester, m->seq, m->txn,
		       buffer)->giver = c->n->cfg.id;
	/* The driver has sent it before it calls us again. */
	gvm_give_put_back(c->n, buffer);
	c->n->stats.served++;
}

void gvm_serving_keep(struct gvm_node_call *c)
{
	const struct gvm_co_msg *m = c->msg;
	struct gvm_node *n = c->n;
	struct gvm_node_serving *s = NULL;
	u16 buffer;

	if (!(m->flags & GVM_CO_SERVE) || !(m->flags & GVM_CO_BYTES) ||
	    n->gives_free <= n->cfg.buffers_max / 2)
		return;
	for (u32 i = 0; i < GVM_SERVINGS && !s; i++) {
		if (!n->serving[i].used)
			s = &n->serving[i];
	}
	buffer = s ? gvm_give_take(n) : GVM_NONE16;
	if (buffer == GVM_NONE16)
		return;
	gvm_give(n, buffer)->kind = GVM_GIVE_SERVE;
	gvm_emit(c, GVM_DO_KEEP)->buffer = buffer;
	*s = (struct gvm_node_serving){
		.page = c->page, .seq = m->seq, .buffer = buffer,
		.until_ns = c->now + GVM_SERVES_NS, .used = true,
	};
	n->servings_used++;
	gvm_node_due(n, GVM_DUE_GIVE, s->until_ns);
	gvm_guests_serve(c, m->seq);
}

void gvm_servings_tick(struct gvm_node_call *c)
{
	struct gvm_node *n = c->n;

	for (u32 i = 0; n->servings_used && i < GVM_SERVINGS; i++) {
		struct gvm_node_serving *s = &n->serving[i];

		if (!s->used)
			continue;
		if (c->now < s->until_ns) {
			gvm_node_due(n, GVM_DUE_GIVE, s->until_ns);
			continue;
		}
		gvm_give_put_back(n, s->buffer);
		s->used = false;
		n->servings_used--;
	}
}

static bool serve_kept(struct gvm_node_call *c)
{
	const struct gvm_co_msg *m = c->msg;
	struct gvm_node *n = c->n;

	for (u32 i = 0; n->servings_used && i < GVM_SERVINGS; i++) {
		const struct gvm_node_serving *s = &n->serving[i];

		if (!s->used || s->page != c->page || s->seq != m->seq)
			continue;
		gvm_emit_bytes(c, GVM_CO_GRANT, m->requester, m->seq, m->txn,
			       s->buffer)->giver = n->cfg.id;
		n->stats.served++;
		return true;
	}
	return false;
}

int gvm_on_refer(struct gvm_node_call *c)
{
	const struct gvm_co_msg *m = c->msg;
	struct gvm_node_rec *rec = gvm_rec_find(c->n, c->page);
	u16 buffer = GVM_NONE16;

	if (m->requester >= GVM_NODES_MAX || m->requester == c->n->cfg.id)
		return -EPROTO;
	if (serve_kept(c))
		return 0;
	if (taken_since(c, rec)) {
		c->n->stats.ignored++;
		return 0;
	}
	if (rec && gvm_share_mapped(rec->state) &&
	    rec->state != GVM_SHARE_MODIFIED)
		buffer = gvm_give_take(c->n);
	if (buffer != GVM_NONE16)
		serve(c, buffer);
	else if (!wait_here(c))
		send_back(c, m->seq, m->txn, m->requester);
	return 0;
}

static void leaves(struct gvm_node_call *c, struct gvm_node_guest *g)
{
	g->used = false;
	c->n->guests_used--;
}

void gvm_guests_tick(struct gvm_node_call *c)
{
	struct gvm_node *n = c->n;

	for (u32 i = 0; n->guests_used && i < GVM_GUESTS; i++) {
		struct gvm_node_guest *g = &n->guest[i];

		if (!g->used)
			continue;
		if (c->now < g->until_ns) {
			gvm_node_due(n, GVM_DUE_GIVE, g->until_ns);
			continue;
		}
		c->page = g->page;
		send_back(c, g->seq, g->txn, g->node);
		leaves(c, g);
	}
}

/* seq: of the bytes that came. */
void gvm_guests_serve(struct gvm_node_call *c, u64 seq)
{
	struct gvm_node *n = c->n;
	bool zero = c->msg->flags & GVM_CO_ZERO;
	struct gvm_co_msg *m;

	for (u32 i = 0; n->guests_used && i < GVM_GUESTS; i++) {
		struct gvm_node_guest *g = &n->guest[i];

		if (!g->used || g->page != c->page || g->seq < seq)
			continue;
		m = gvm_emit_send(c, GVM_CO_GRANT, g->node, g->seq, g->txn);
		m->flags = zero ? GVM_CO_ZERO : GVM_CO_BYTES;
		m->giver = n->cfg.id;
		c->out->effect[c->out->nr - 1].bytes =
			zero ? GVM_BYTES_ZERO : GVM_BYTES_MESSAGE;
		n->stats.served++;
		leaves(c, g);
	}
}

void gvm_guests_leave(struct gvm_node_call *c, u64 stale)
{
	struct gvm_node *n = c->n;

	for (u32 i = 0; n->guests_used && i < GVM_GUESTS; i++) {
		struct gvm_node_guest *g = &n->guest[i];

		if (!g->used || g->page != c->page)
			continue;
		/* Who was invalidated with us has asked again by itself. */
		if (g->seq >= stale)
			send_back(c, g->seq, g->txn, g->node);
		leaves(c, g);
	}
}
