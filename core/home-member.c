// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * Who belongs to a region at this home, and what becomes of the pages of those
 * who died; see the table in PROTOCOL.md.
 */
#include "home-inside.h"

#define SWEEP_PAGES	4096u	/* entries looked at in one tick */

bool gvm_home_member(const struct gvm_home *h, u32 node)
{
	return node < h->cfg.nodes_max && gvm_members(h)[node];
}

u32 gvm_home_epoch(const struct gvm_home *h)
{
	return h->epoch;
}

int gvm_home_join(struct gvm_home *h, u32 node, u32 *epoch)
{
	if (node >= h->cfg.nodes_max)
		return -EINVAL;
	if (*epoch && *epoch <= gvm_past(h)[node])
		return -ESTALE;
	if (gvm_home_member(h, node))
		return -EEXIST;
	/* It would be taken for the owner of what its predecessor had. */
	if (gvm_sharers_has(&h->dying, node))
		return -EBUSY;
	if (!*epoch)
		*epoch = h->epoch + 1;
	if (h->epoch < *epoch)
		h->epoch = *epoch;
	gvm_members(h)[node] = *epoch;
	gvm_past(h)[node] = *epoch;
	gvm_sharers_add(&h->live, node);
	return 0;
}

int gvm_home_claim(struct gvm_home *h, u32 node)
{
	if (!gvm_home_member(h, node))
		return -EINVAL;
	if (h->claimer == node + 1)
		return 0;
	if (h->claimer || !h->fresh)
		return -EBUSY;
	h->claimer = node + 1;
	return 0;
}

/* To be driven by the next tick. */
static void drive_soon(struct gvm_home_call *c, struct gvm_home_txn *t)
{
	t->due = true;
	gvm_txn_todo(c, t);
}

/* Who waits for the page will hear of it in the next tick. */
static void lose(struct gvm_home_call *c, struct gvm_home_txn *t,
		 struct gvm_dir *d)
{
	gvm_home_lose(c->h, d);
	gvm_txn_become(c->h, t, GVM_TXN_IDLE);
	gvm_txn_todo(c, t);
}

/*
 * left: it said goodbye and has nothing any more, so that the request was one
 * that came late, and the grant is as good as declined.
 */
static void requester_gone(struct gvm_home_call *c, struct gvm_home_txn *t,
			   bool left)
{
	struct gvm_dir *d = gvm_dir(c->h, t->page);

	switch (t->kind) {
	case GVM_TXN_INVALIDATING:
		if (!left) {
			/* It may have had its grant, and written. */
			lose(c, t, d);
			return;
		}
		gvm_txn_become(c->h, t, GVM_TXN_IDLE);
		gvm_txn_todo(c, t);
		return;
	case GVM_TXN_MOVING:
		t->dead = !left;
		gvm_txn_become(c->h, t, GVM_TXN_FETCHING);
		drive_soon(c, t);
		return;
	case GVM_TXN_ASKING:
		lose(c, t, d);
		return;
	default:
		/* SHARING ends by the owner's RETURN, FETCHING too. */
		return;
	}
}

static void owner_gone(struct gvm_home_call *c, struct gvm_home_txn *t,
		       bool left)
{
	struct gvm_dir *d = gvm_dir(c->h, t->page);

	if (left && gvm_dir_is_open(d)) {
		/* It never took the page.  Who waits for it asks again. */
		gvm_open_undo(c->h, d);
		gvm_txn_become(c->h, t, GVM_TXN_IDLE);
		gvm_txn_todo(c, t);
		return;
	}
	/*
	 * The id may be another's before this has ended: an open grant must
	 * not be taken for that one's.
	 */
	if (gvm_dir_owner(d) == t->owner)
		gvm_dir_close(d);
	switch (t->kind) {
	case GVM_TXN_MOVING:
	case GVM_TXN_SHARING:
		t->exclusive = t->kind == GVM_TXN_MOVING;
		if (gvm_home_member(c->h, t->requester)) {
			gvm_txn_become(c->h, t, GVM_TXN_ASKING);
			drive_soon(c, t);
			return;
		}
		/* Nobody is left who could have it. */
		lose(c, t, d);
		return;
	case GVM_TXN_FETCHING:
		lose(c, t, d);
		return;
	default:
		return;
	}
}

static void gone(struct gvm_home *h, u32 node, bool left, u64 now_ns,
		 struct gvm_co_out *out)
{
	struct gvm_home_call c = { .h = h, .now = now_ns };

	out->nr = 0;
	if (!gvm_home_member(h, node))
		return;
	gvm_members(h)[node] = 0;
	gvm_sharers_remove(&h->live, node);
	gvm_sharers_add(&h->dying, node);
	if (left)
		gvm_sharers_add(&h->left, node);
	h->sweeping = true;
	h->sweep_at = 0;
	gvm_home_due(h, now_ns);
	for (u32 i = 0; i < h->txn_fresh; i++) {
		struct gvm_home_txn *t = gvm_txn(h, i);

		if (t->kind == GVM_TXN_FREE || t->kind == GVM_TXN_IDLE)
			continue;
		if (t->owner == node)
			owner_gone(&c, t, left);
		else if (t->requester == node)
			requester_gone(&c, t, left);
		/* A slot of the dead is left out when the writer asks again. */
	}
}

void gvm_home_dead(struct gvm_home *h, u32 node, u64 now_ns,
		   struct gvm_co_out *out)
{
	gone(h, node, false, now_ns, out);
}

void gvm_home_leave(struct gvm_home *h, u32 node, u64 now_ns,
		    struct gvm_co_out *out)
{
	if (gvm_home_member(h, node) && h->claimer == node + 1)
		h->claimer = 0;
	gone(h, node, true, now_ns, out);
}

/* A transaction looks after the page.  Between two, nobody does. */
static bool under_way(const struct gvm_home *h, u64 page)
{
	const struct gvm_home_txn *t;

	if (!gvm_dir_busy(gvm_dir(h, page)))
		return false;
	t = gvm_txn_find(h, page);
	return t && t->kind != GVM_TXN_IDLE;
}

static void sweep(struct gvm_home *h)
{
	u64 end = h->sweep_at + SWEEP_PAGES;

	if (end > h->cfg.pages)
		end = h->cfg.pages;
	for (; h->sweep_at < end; h->sweep_at++) {
		struct gvm_dir *d = gvm_dir(h, h->cfg.page0 + h->sweep_at);
		u16 owner;

		/* What the dead had claimed, it may have written to. */
		if (h->claimer && gvm_sharers_has(&h->dying, h->claimer - 1))
			gvm_dir_touch(h, h->cfg.page0 + h->sweep_at);
		owner = gvm_dir_owner(d);
		if (owner == GVM_NODE_NONE || gvm_home_member(h, owner) ||
		    under_way(h, h->cfg.page0 + h->sweep_at))
			continue;
		gvm_home_lose_owner(h, d);
	}
	if (h->sweep_at < h->cfg.pages)
		return;
	h->sweeping = false;
	if (h->claimer && gvm_sharers_has(&h->dying, h->claimer - 1))
		h->claimer = 0;
	gvm_sharers_clear(&h->dying);
	gvm_sharers_clear(&h->left);
}

static void do_todo(struct gvm_home_call *c)
{
	struct gvm_home *h = c->h;
	u16 i = h->todo;

	h->todo = GVM_NONE16;
	while (i != GVM_NONE16) {
		struct gvm_home_txn *t = gvm_txn(h, i);

		i = t->next_todo;
		t->next_todo = 0;
		t->todo = false;
		if (t->kind == GVM_TXN_FREE ||
		    (t->kind != GVM_TXN_IDLE && !t->due))
			continue;
		if (!gvm_home_room(c))
			gvm_txn_todo(c, t);
		else if (t->kind == GVM_TXN_IDLE)
			gvm_home_finish(c, t);
		else
			gvm_txn_drive(c, t, NULL);
	}
}

void gvm_home_tick(struct gvm_home *h, u64 now_ns, struct gvm_co_out *out)
{
	struct gvm_home_call c = { .h = h, .now = now_ns, .out = out };

	out->nr = 0;
	if (now_ns < h->deadline_ns)
		return;
	h->deadline_ns = GVM_NEVER;
	do_todo(&c);
	if (h->sweeping)
		sweep(h);
	if (h->sweeping)
		gvm_home_due(h, now_ns);
}

u64 gvm_home_deadline(const struct gvm_home *h)
{
	return h->deadline_ns;
}

void gvm_home_check(const struct gvm_home *h)
{
	u32 used = 0, idle = 0;

	for (u32 i = 0; i < h->txn_fresh; i++) {
		const struct gvm_home_txn *t = gvm_txn(h, i);

		if (t->kind == GVM_TXN_FREE)
			continue;
		used++;
		gvm_bug_on((t->kind == GVM_TXN_IDLE || t->due) && !t->todo);
		idle += t->kind == GVM_TXN_IDLE;
		gvm_bug_on(gvm_txn_find(h, t->page) != t);
		gvm_bug_on(!gvm_dir_busy(gvm_dir(h, t->page)));
		if (t->kind == GVM_TXN_IDLE)
			continue;
		gvm_bug_on(t->seq != gvm_dir_seq(gvm_dir(h, t->page)));
		gvm_bug_on(t->owner != gvm_dir_owner(gvm_dir(h, t->page)) &&
			   t->kind != GVM_TXN_INVALIDATING);
		gvm_bug_on(t->need && t->kind != GVM_TXN_INVALIDATING);
	}
	gvm_bug_on(used != h->txns_used || idle != h->idle);
	for (u32 i = 0; i < h->cfg.nodes_max; i++)
		gvm_bug_on(gvm_home_member(h, i) !=
			   gvm_sharers_has(&h->live, i));
}
