// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * A node's side of a shared region: faults and what stays, see node.h.  A step
 * of a page is in node-event.c, grants are in node-grant.c; what others take
 * from the node, in node-give.c, node-relay.c and node-refer.c.
 */
#include "node-inside.h"

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

/*
 * Home takes the page back, since who was to have it is dead or declined.  What it
 * had said before that may come after it, and would send the page to nobody.
 */
static bool later_word(const struct gvm_co_msg *held,
		       const struct gvm_co_msg *msg)
{
	return held->type == GVM_CO_RECALL && msg->type == GVM_CO_RECALL &&
		held->seq == msg->seq && held->requester == GVM_NODE_HOME;
}

bool gvm_node_defer(struct gvm_node_call *c, struct gvm_node_rec *rec,
		    u64 until_ns)
{
	struct gvm_node *n = c->n;
	u16 i = rec->demand;

	if (i != GVM_NONE16 && later_word(&n->demand[i].msg, c->msg)) {
		n->stats.ignored++;
		return true;
	}
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

static int own_claimed(struct gvm_node_call *c)
{
	struct gvm_node_rec *rec = gvm_rec_get(c->n, c->page);

	if (!rec)
		return -EAGAIN;
	gvm_claims(c->n)[c->page / 64] &= ~(1ull << c->page % 64);
	rec->state = GVM_SHARE_MODIFIED;
	rec->seq = 1;
	gvm_became(c, rec, GVM_SHARE_INVALID);
	return 0;
}

int gvm_node_touch(struct gvm_node *n, u64 page, u64 now_ns)
{
	struct gvm_node_call c = { .n = n, .now = now_ns, .page = page };

	return gvm_claimed(n, page) ? own_claimed(&c) : -ENOENT;
}

int gvm_node_unclaim(struct gvm_node_call *c)
{
	struct gvm_co_effect *e;

	if (own_claimed(c))
		return -EAGAIN;
	e = gvm_emit(c, GVM_DO_INSTALL);
	e->bytes = GVM_BYTES_ZERO;
	e->writable = true;
	gvm_pins_ready(c);
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

int gvm_node_recv(struct gvm_node *n, const struct gvm_co_msg *msg, u64 now_ns,
		  struct gvm_co_out *out)
{
	struct gvm_node_call c = begin(n, msg->page, now_ns, out);

	c.msg = msg;
	switch (msg->type) {
	case GVM_CO_GRANT:
		return gvm_on_grant(&c);
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
		return gvm_on_lost(&c);
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
	    gvm_node_stays(&c, rec) || gvm_node_serves(&c, rec))
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
