// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * A node's tables: pages by a hash with linear probing, wants and buffers from
 * free lists.  Nothing of the protocol is here.
 */
#include "node-inside.h"

static u32 place_of(const struct gvm_node *n, u64 page)
{
	return (u32)(page * 0x9e3779b97f4a7c15ull >> 32) & (n->recs - 1);
}

struct gvm_node_rec *gvm_rec_find(const struct gvm_node *n, u64 page)
{
	struct gvm_node_rec *recs = gvm_recs(n);

	for (u32 i = place_of(n, page);; i = (i + 1) & (n->recs - 1)) {
		if (recs[i].page == page)
			return &recs[i];
		if (recs[i].page == GVM_NO_PAGE)
			return NULL;
	}
}

/* The page's record, made if there is none; NULL: no room. */
struct gvm_node_rec *gvm_rec_get(struct gvm_node *n, u64 page)
{
	struct gvm_node_rec *recs = gvm_recs(n);
	u32 i = place_of(n, page);

	for (; recs[i].page != GVM_NO_PAGE; i = (i + 1) & (n->recs - 1)) {
		if (recs[i].page == page)
			return &recs[i];
	}
	if (n->recs_used >= n->cfg.pages_max)
		return NULL;
	n->recs_used++;
	recs[i] = (struct gvm_node_rec){
		.page = page, .want = GVM_NONE16, .demand = GVM_NONE16,
	};
	return &recs[i];
}

/* Close the gap, so that no probe ends too early (Knuth, 6.4, R). */
static void remove_at(struct gvm_node *n, u32 hole)
{
	struct gvm_node_rec *recs = gvm_recs(n);
	u32 mask = n->recs - 1;

	for (u32 i = (hole + 1) & mask; recs[i].page != GVM_NO_PAGE;
	     i = (i + 1) & mask) {
		u32 home = place_of(n, recs[i].page);

		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		recs[hole] = recs[i];
		hole = i;
	}
	recs[hole].page = GVM_NO_PAGE;
	n->recs_used--;
}

void gvm_rec_tidy(struct gvm_node *n, u64 page)
{
	struct gvm_node_rec *rec = gvm_rec_find(n, page);

	if (!rec || rec->state != GVM_SHARE_INVALID || rec->gives)
		return;
	if (rec->demand != GVM_NONE16)
		n->demand[rec->demand].used = false;
	remove_at(n, (u32)(rec - gvm_recs(n)));
}

bool gvm_claimed(const struct gvm_node *n, u64 page)
{
	return page < n->cfg.claim_pages &&
		gvm_claims(n)[page / 64] >> page % 64 & 1;
}

bool gvm_node_claimed(const struct gvm_node *n, u64 page)
{
	return gvm_claimed(n, page);
}

void gvm_node_claim(struct gvm_node *n, u64 page, u64 pages)
{
	for (u64 i = page; i < page + pages && i < n->cfg.claim_pages; i++)
		gvm_claims(n)[i / 64] |= 1ull << i % 64;
}

u16 gvm_want_take(struct gvm_node *n, u64 page)
{
	u16 i = n->want_free;
	struct gvm_node_want *w;

	if (i == GVM_NONE16)
		return i;
	w = gvm_want(n, i);
	n->want_free = w->next;
	n->wants_used++;
	if (n->wants_high <= i)
		n->wants_high = i + 1u;
	*w = (struct gvm_node_want){
		.page = page, .used = true, .buffer = GVM_NONE16,
		.retry_ns = GVM_NEVER, .giver = GVM_NODE_NONE,
	};
	return i;
}

void gvm_want_free(struct gvm_node *n, u16 i)
{
	struct gvm_node_want *w = gvm_want(n, i);

	if (gvm_bug_on(!w->used))
		return;
	if (w->buffer != GVM_NONE16)
		gvm_give_put_back(n, w->buffer);
	w->used = false;
	w->next = n->want_free;
	n->want_free = i;
	n->wants_used--;
}

u16 gvm_give_take(struct gvm_node *n)
{
	u16 i = n->give_free;

	if (i == GVM_NONE16)
		return i;
	n->give_free = gvm_give(n, i)->next;
	n->gives_free--;
	if (n->gives_high <= i)
		n->gives_high = i + 1u;
	gvm_give(n, i)->kind = GVM_GIVE_TEMP;
	return i;
}

void gvm_give_put_back(struct gvm_node *n, u16 i)
{
	struct gvm_node_give *g = gvm_give(n, i);

	if (gvm_bug_on(g->kind == GVM_GIVE_FREE))
		return;
	g->kind = GVM_GIVE_FREE;
	g->next = n->give_free;
	n->give_free = i;
	n->gives_free++;
}

/*
 * The pages that move most, approximately: one entry a hash; a page that meets
 * another's entry wears it down before it takes its place (Misra and Gries,
 * "Finding repeated elements", 1982, with one counter a bucket).
 */
void gvm_hot_count(struct gvm_node *n, u64 page, bool give)
{
	struct gvm_hot *h = &n->hot[page * 0x9e3779b97f4a7c15ull >> 56];

	if (h->page != page) {
		if (h->gives)
			h->gives--;
		if (h->gets)
			h->gets--;
		if (h->gives || h->gets)
			return;
		h->page = page;
	}
	if (give)
		h->gives++;
	else
		h->gets++;
}
static_assert(GVM_HOT_MAX == 256, "its hash is a byte");
