// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * A node's time, pins, eviction's choice, and what others may ask about it.
 *
 * Time is only ever an argument.  tick() looks at everything that may be due;
 * it is called when the earliest deadline has passed, not for each message.
 */
#include "node-inside.h"

/* Effects that one due item can cause at most, with room to spare. */
#define ROOM	24u

static struct gvm_node_call call_of(struct gvm_node *n, u64 now_ns,
				    struct gvm_co_out *out)
{
	return (struct gvm_node_call){
		.n = n, .now = now_ns, .out = out, .page = GVM_NO_PAGE,
		.buffer = GVM_NONE16, .relay = GVM_NONE16,
	};
}

static bool room(const struct gvm_node_call *c)
{
	return c->out->nr + ROOM <= GVM_CO_EFFECTS_MAX;
}

/* A demand that waited long enough is met as if it came now. */
static void meet_demand(struct gvm_node_call *c, u32 i)
{
	struct gvm_node_demand *d = &c->n->demand[i];
	struct gvm_co_msg msg = d->msg;
	struct gvm_node_rec *rec = gvm_rec_find(c->n, msg.page);

	d->used = false;
	if (!rec || rec->demand != i)
		return;
	rec->demand = GVM_NONE16;
	c->msg = &msg;
	c->page = msg.page;
	c->relay = d->relay;
	/* What it cannot do for want of a buffer is asked for again. */
	if (msg.type == GVM_CO_RECALL)
		gvm_on_recall(c);
	else
		gvm_on_invalidate(c);
	c->msg = NULL;
	c->relay = GVM_NONE16;
}

static void tick_demands(struct gvm_node_call *c)
{
	for (u32 i = 0; i < GVM_DEMANDS; i++) {
		struct gvm_node_demand *d = &c->n->demand[i];

		if (!d->used)
			continue;
		if (c->now < d->until_ns || !room(c)) {
			gvm_node_due(c->n, GVM_DUE_HOLD, d->until_ns);
			continue;
		}
		meet_demand(c, i);
	}
}

static void tick_wants(struct gvm_node_call *c)
{
	struct gvm_node *n = c->n;

	for (u32 i = 0; n->wants_used && i < n->wants_high; i++) {
		struct gvm_node_want *w = gvm_want(n, i);

		if (!w->used)
			continue;
		if (c->now < w->retry_ns || !room(c)) {
			gvm_node_due(n, GVM_DUE_WANT, w->retry_ns);
			continue;
		}
		c->page = w->page;
		w->asked_once = false;
		n->stats.retries++;
		gvm_node_ask(c, gvm_rec_find(n, w->page));
	}
}

static void tick_gives(struct gvm_node_call *c)
{
	struct gvm_node *n = c->n;

	gvm_servings_tick(c);
	gvm_guests_tick(c);
	for (u16 i = 0; n->gives_free < n->cfg.buffers_max &&
	     i < n->gives_high; i++) {
		struct gvm_node_give *g = gvm_give(n, i);

		if (g->kind < GVM_GIVE_GRANT)
			continue;
		if (c->now < g->retry_ns || !room(c)) {
			gvm_node_due(n, GVM_DUE_GIVE, g->retry_ns);
			continue;
		}
		c->page = g->page;
		n->stats.retries++;
		gvm_give_send(c, i);
		/* Is it long settled, and only the CONFIRM lost? */
		if (g->kind == GVM_GIVE_GRANT)
			gvm_emit_send(c, GVM_CO_RETURN, GVM_NODE_HOME, g->seq,
				      g->txn)->flags = GVM_CO_GAVE;
	}
}

static void tick_pins(struct gvm_node_call *c)
{
	for (u32 i = 0; i < GVM_PINS_MAX; i++) {
		struct gvm_node_pin *pin = &c->n->pin[i];

		if (pin->page == GVM_NO_PAGE)
			continue;
		if (c->now < pin->deadline_ns || !room(c)) {
			gvm_node_due(c->n, GVM_DUE_HOLD, pin->deadline_ns);
			continue;
		}
		c->page = pin->page;
		gvm_emit(c, GVM_DO_PIN_BROKEN);
		c->n->stats.pins_broken++;
		pin->page = GVM_NO_PAGE;
	}
}

/* Whoever looks says anew when it will be due next. */
static bool take_due(struct gvm_node *n, enum gvm_due what, u64 now_ns)
{
	if (now_ns < n->due_ns[what])
		return false;
	n->due_ns[what] = GVM_NEVER;
	return true;
}

void gvm_node_tick(struct gvm_node *n, u64 now_ns, struct gvm_co_out *out)
{
	struct gvm_node_call c = call_of(n, now_ns, out);

	out->nr = 0;
	if (take_due(n, GVM_DUE_HOLD, now_ns)) {
		/* A demand may wait for a pin that is broken now. */
		tick_pins(&c);
		tick_demands(&c);
	}
	if (take_due(n, GVM_DUE_GIVE, now_ns))
		tick_gives(&c);
	if (take_due(n, GVM_DUE_WANT, now_ns))
		tick_wants(&c);
}

u64 gvm_node_deadline(const struct gvm_node *n)
{
	u64 first = n->due_ns[0];

	for (u32 i = 1; i < GVM_DUE_NR; i++) {
		if (n->due_ns[i] < first)
			first = n->due_ns[i];
	}
	return first;
}

int gvm_node_pin(struct gvm_node *n, u64 page, u64 deadline_ns, u64 now_ns,
		 struct gvm_co_out *out)
{
	struct gvm_node_call c = call_of(n, now_ns, out);
	struct gvm_node_pin *pin = NULL;
	int err = 0;

	out->nr = 0;
	for (u32 i = 0; i < GVM_PINS_MAX; i++) {
		if (n->pin[i].page == GVM_NO_PAGE)
			pin = pin ? pin : &n->pin[i];
		else if (n->pin[i].page >= page)
			return -EINVAL;
	}
	if (!pin)
		return -EINVAL;
	if (gvm_node_right(n, page) != GVM_RIGHT_WRITE)
		err = gvm_node_fault(n, page, GVM_WANT_EXCLUSIVE, now_ns, out);
	if (err)
		return err;
	*pin = (struct gvm_node_pin){ .page = page,
				      .deadline_ns = deadline_ns };
	gvm_node_due(n, GVM_DUE_HOLD, deadline_ns);
	if (gvm_node_right(n, page) == GVM_RIGHT_WRITE) {
		c.page = page;
		pin->ready = true;
		gvm_emit(&c, GVM_DO_PINNED);
	}
	return 0;
}

void gvm_node_unpin(struct gvm_node *n, u64 page, u64 now_ns,
		    struct gvm_co_out *out)
{
	struct gvm_node_call c = call_of(n, now_ns, out);
	struct gvm_node_rec *rec = gvm_rec_find(n, page);
	u64 until;

	out->nr = 0;
	c.page = page;
	for (u32 i = 0; i < GVM_PINS_MAX; i++) {
		if (n->pin[i].page == page)
			n->pin[i].page = GVM_NO_PAGE;
	}
	if (!rec || rec->demand == GVM_NONE16)
		return;
	until = gvm_node_stays(&c, rec);
	if (!until) {
		meet_demand(&c, rec->demand);
		return;
	}
	n->demand[rec->demand].until_ns = until;
	gvm_node_due(n, GVM_DUE_HOLD, until);
}

/* A xorshift generator (Marsaglia, 2003): which pages to look at. */
static u64 chance(struct gvm_node *n)
{
	n->rand ^= n->rand << 13;
	n->rand ^= n->rand >> 7;
	n->rand ^= n->rand << 17;
	return n->rand;
}

static bool can_go(struct gvm_node *n, const struct gvm_node_rec *rec, u64 now)
{
	struct gvm_node_call c = { .n = n, .now = now, .page = rec->page };

	return rec->page != GVM_NO_PAGE &&
		(rec->state == GVM_SHARE_SHARED ||
		 rec->state == GVM_SHARE_MODIFIED) &&
		rec->demand == GVM_NONE16 && !gvm_node_stays(&c, rec) &&
		!gvm_node_serves(&c, rec);
}

bool gvm_node_victim(struct gvm_node *n, u64 now_ns, u64 *ret_page)
{
	const struct gvm_node_rec *recs = gvm_recs(n);
	const struct gvm_node_rec *best = NULL;
	u32 from = (u32)chance(n);
	u32 seen = 0;

	for (u32 i = 0; i < n->recs && seen < 8; i++) {
		const struct gvm_node_rec *rec =
			&recs[(from + i) & (n->recs - 1)];

		if (!can_go(n, rec, now_ns))
			continue;
		seen++;
		if (!best || rec->since_ns < best->since_ns)
			best = rec;
		/* Not all from one place: neighbours came together. */
		from += (u32)chance(n);
	}
	if (!best)
		return false;
	*ret_page = best->page;
	return true;
}

u32 gvm_node_held(const struct gvm_node *n)
{
	return n->held;
}

u32 gvm_node_records(const struct gvm_node *n)
{
	return n->recs_used;
}

u32 gvm_node_wanted(const struct gvm_node *n)
{
	return n->wants_used;
}

u32 gvm_node_buffers_free(const struct gvm_node *n)
{
	return n->gives_free;
}

bool gvm_node_idle(const struct gvm_node *n)
{
	/* A relay's record may outlive its use: see take_relay(). */
	return !n->wants_used &&
		n->gives_free + n->servings_used == n->cfg.buffers_max;
}

static enum gvm_node_right right_of(const struct gvm_node_rec *rec)
{
	if (rec->state == GVM_SHARE_MODIFIED)
		return GVM_RIGHT_WRITE;
	return gvm_share_mapped(rec->state) ? GVM_RIGHT_READ : GVM_RIGHT_NONE;
}

enum gvm_node_right gvm_node_right(const struct gvm_node *n, u64 page)
{
	const struct gvm_node_rec *rec = gvm_rec_find(n, page);

	return rec ? right_of(rec) : GVM_RIGHT_NONE;
}

u32 gvm_node_slots(const struct gvm_node *n)
{
	return n->recs;
}

bool gvm_node_slot(const struct gvm_node *n, u32 i, u64 *ret_page,
		   enum gvm_node_right *ret_right, u64 *ret_seq)
{
	const struct gvm_node_rec *rec = &gvm_recs(n)[i];

	if (i >= n->recs || rec->page == GVM_NO_PAGE ||
	    !gvm_share_mapped(rec->state))
		return false;
	*ret_page = rec->page;
	*ret_right = right_of(rec);
	*ret_seq = rec->seq;
	return true;
}

static u64 moves(const struct gvm_hot *h)
{
	return (u64)h->gives + h->gets;
}

u32 gvm_node_hot(const struct gvm_node *n, struct gvm_hot *ret, u32 max)
{
	u32 nr = 0;

	for (u32 i = 0; i < GVM_HOT_MAX; i++) {
		const struct gvm_hot *h = &n->hot[i];
		u32 at;

		if (!moves(h))
			continue;
		/* From the end up; what falls off it moved least. */
		for (at = nr; at && moves(&ret[at - 1]) < moves(h); at--)
			if (at < max)
				ret[at] = ret[at - 1];
		if (at < max)
			ret[at] = *h;
		nr += nr < max;
	}
	return nr;
}

const struct gvm_node_stats *gvm_node_stats(const struct gvm_node *n)
{
	return &n->stats;
}
