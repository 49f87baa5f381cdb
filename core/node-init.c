// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* A node's memory, laid out once; and what must hold in it at any time. */
#include "node-inside.h"

static u32 power_of_two(u32 at_least)
{
	u32 n = 16;

	while (n < at_least)
		n *= 2;
	return n;
}

static bool bounds_hold(const struct gvm_node_config *c)
{
	return c->id < GVM_NODES_MAX && c->epoch && c->pages_max &&
		c->pages_max <= 1u << 30 && c->wants_max &&
		c->wants_max <= 4096 && c->wants_max <= c->pages_max &&
		c->buffers_max > c->wants_max && c->buffers_max <= 16384 &&
		c->relays_max && c->relays_max <= 8191 && c->retry_ns;
}

static size_t align8(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

static size_t claim_bytes(const struct gvm_node_config *c)
{
	return (c->claim_pages + 63) / 64 * 8;
}

/* Offsets of the tables; returns the end. */
static size_t lay_out(struct gvm_node *n, const struct gvm_node_config *c)
{
	size_t at = align8(sizeof(*n));

	n->recs = power_of_two(c->pages_max + c->pages_max / 2);
	n->chains = power_of_two(c->buffers_max);
	n->rec_at = at;
	at += n->recs * sizeof(struct gvm_node_rec);
	n->want_at = at;
	at += c->wants_max * sizeof(struct gvm_node_want);
	n->give_at = at;
	at += c->buffers_max * sizeof(struct gvm_node_give);
	n->relay_at = at;
	at += c->relays_max * sizeof(struct gvm_node_relay);
	n->chain_at = at;
	n->claim_at = align8(at + n->chains * sizeof(u16));
	return n->claim_at + claim_bytes(c);
}

size_t gvm_node_size(const struct gvm_node_config *config)
{
	size_t fixed = align8(sizeof(struct gvm_node));
	u32 recs, chains;

	if (!bounds_hold(config))
		return 0;
	recs = power_of_two(config->pages_max + config->pages_max / 2);
	chains = power_of_two(config->buffers_max);
	return align8(fixed + recs * sizeof(struct gvm_node_rec) +
		      config->wants_max * sizeof(struct gvm_node_want) +
		      config->buffers_max * sizeof(struct gvm_node_give) +
		      config->relays_max * sizeof(struct gvm_node_relay) +
		      chains * sizeof(u16)) + claim_bytes(config);
}

struct gvm_node *gvm_node_init(void *mem, const struct gvm_node_config *config)
{
	struct gvm_node *n = mem;

	if (!bounds_hold(config))
		return NULL;
	memset(n, 0, sizeof(*n));
	n->cfg = *config;
	if (gvm_bug_on(lay_out(n, config) != gvm_node_size(config)))
		return NULL;
	for (u32 i = 0; i < GVM_DUE_NR; i++)
		n->due_ns[i] = GVM_NEVER;
	n->hold_ns = config->hold_ns == GVM_HOLD_AUTO ? 50000 :
		config->hold_ns;
	n->rand = 0x2545f4914f6cdd1dull ^ ((u64)config->id << 32);
	for (u32 i = 0; i < GVM_PINS_MAX; i++)
		n->pin[i].page = GVM_NO_PAGE;
	for (u32 i = 0; i < GVM_TAKEN; i++)
		n->taken[i].page = GVM_NO_PAGE;
	for (u32 i = 0; i < n->recs; i++)
		gvm_recs(n)[i].page = GVM_NO_PAGE;
	n->want_free = GVM_NONE16;
	for (u32 i = config->wants_max; i--; ) {
		*gvm_want(n, i) = (struct gvm_node_want){
			.next = n->want_free };
		n->want_free = (u16)i;
	}
	n->give_free = GVM_NONE16;
	for (u32 i = config->buffers_max; i--; ) {
		*gvm_give(n, i) = (struct gvm_node_give){
			.next = n->give_free };
		n->give_free = (u16)i;
	}
	n->gives_free = config->buffers_max;
	for (u32 i = 0; i < config->relays_max; i++)
		*gvm_relay(n, i) = (struct gvm_node_relay){ 0 };
	memset((u8 *)n + n->chain_at, 0xff, n->chains * sizeof(u16));
	memset(gvm_claims(n), 0, claim_bytes(config));
	return n;
}

static void check_rec(const struct gvm_node *n, const struct gvm_node_rec *rec,
		      u32 *held, u32 *wants, u32 *gives)
{
	const struct gvm_node_want *w;

	gvm_bug_on(rec->state >= GVM_SHARE_STATE_NR);
	gvm_bug_on(rec->state == GVM_SHARE_INVALID && !rec->gives);
	gvm_bug_on(gvm_rec_find(n, rec->page) != rec);
	gvm_bug_on(gvm_share_wanting(rec->state) !=
		   (rec->want != GVM_NONE16));
	gvm_bug_on(rec->puts > rec->gives);
	*held += gvm_share_mapped(rec->state);
	*gives += rec->gives;
	if (rec->want == GVM_NONE16)
		return;
	(*wants)++;
	if (gvm_bug_on(rec->want >= n->cfg.wants_max))
		return;
	w = gvm_want(n, rec->want);
	gvm_bug_on(!w->used || w->page != rec->page);
	gvm_bug_on((rec->state == GVM_SHARE_GRANTED) !=
		   (w->buffer != GVM_NONE16 || w->zero));
	/* Who waits for slots and misses none would wait for ever. */
	gvm_bug_on((rec->state == GVM_SHARE_GRANTED ||
		    rec->state == GVM_SHARE_GRANTED_UPGRADE) &&
		   !(w->need & ~w->got));
}

void gvm_node_check(const struct gvm_node *n)
{
	const struct gvm_node_rec *recs = gvm_recs(n);
	u32 held = 0, wants = 0, gives = 0, used = 0, kept = 0;

	for (u32 i = 0; i < n->recs; i++) {
		if (recs[i].page == GVM_NO_PAGE)
			continue;
		used++;
		check_rec(n, &recs[i], &held, &wants, &gives);
	}
	gvm_bug_on(used != n->recs_used);
	gvm_bug_on(held != n->held);
	gvm_bug_on(wants != n->wants_used);
	for (u32 i = 0; i < n->cfg.buffers_max; i++) {
		const struct gvm_node_give *g = gvm_give(n, i);

		gvm_bug_on(g->kind == GVM_GIVE_TEMP);
		kept += g->kind == GVM_GIVE_KEPT;
		gives -= g->kind >= GVM_GIVE_GRANT;
	}
	gvm_bug_on(gives);
	gvm_bug_on(kept > wants);
}
