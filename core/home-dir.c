// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * The directory entry of a page: 16 bytes, and what they mean.
 *
 * Sharers are up to four ids; then a set from the slab; when that is empty, a
 * vector whose bits stand for 183 nodes each.  It may name too many, never too
 * few (Gupta, Weber and Mowry, "Reducing memory and traffic requirements for
 * scalable directory-based cache coherence schemes", 1990).
 */
#include "home-inside.h"

#define SEQ_BITS	48
#define KIND_AT		48
#define FORMAT_AT	50
#define BUSY		(1ull << 52)
#define WRITTEN		(1ull << 53)
#define OPEN		(1ull << 54)
#define INLINE_MAX	4u
#define ID_BITS		14u
#define ID_MASK		((1ull << ID_BITS) - 1)
#define TRIES_AT	60
#define TRIES_MAX	15u
#define COARSE_BITS	56u
#define COARSE_NODES	((GVM_NODES_MAX + COARSE_BITS - 1) / COARSE_BITS)

static_assert(COARSE_NODES == 183, "as PROTOCOL.md says");
static_assert(GVM_NODES_MAX < ID_MASK, "an id + 1 fits");

bool gvm_dir_untouched(const struct gvm_dir *d)
{
	return !d->a && !d->b;
}

struct gvm_dir *gvm_dir_touch(struct gvm_home *h, u64 page)
{
	struct gvm_dir *d = gvm_dir(h, page);

	h->fresh = false;
	if (h->claimer && gvm_dir_untouched(d)) {
		gvm_dir_next_seq(d);
		gvm_dir_become(h, d, GVM_DIR_OWNED, (u16)(h->claimer - 1));
	}
	return d;
}

u64 gvm_dir_seq(const struct gvm_dir *d)
{
	return d->a & GVM_SEQ_MAX;
}

/* 48 bits last nine years at a million transfers of one page a second. */
u64 gvm_dir_next_seq(struct gvm_dir *d)
{
	gvm_bug_on(gvm_dir_seq(d) == GVM_SEQ_MAX);
	return ++d->a & GVM_SEQ_MAX;
}

enum gvm_dir_kind gvm_dir_kind(const struct gvm_dir *d)
{
	return (enum gvm_dir_kind)(d->a >> KIND_AT & 3);
}

enum gvm_dir_format gvm_dir_format(const struct gvm_dir *d)
{
	return (enum gvm_dir_format)(d->a >> FORMAT_AT & 3);
}

static void set_format(struct gvm_dir *d, enum gvm_dir_format format)
{
	d->a = (d->a & ~(3ull << FORMAT_AT)) | (u64)format << FORMAT_AT;
}

bool gvm_dir_busy(const struct gvm_dir *d)
{
	return d->a & BUSY;
}

void gvm_dir_set_busy(struct gvm_dir *d, bool busy)
{
	d->a = busy ? d->a | BUSY : d->a & ~BUSY;
}

bool gvm_dir_written(const struct gvm_dir *d)
{
	return d->a & WRITTEN;
}

void gvm_dir_set_written(struct gvm_dir *d, bool written)
{
	d->a = written ? d->a | WRITTEN : d->a & ~WRITTEN;
}

u16 gvm_dir_owner(const struct gvm_dir *d)
{
	return gvm_dir_kind(d) == GVM_DIR_OWNED ? (u16)((d->b & ID_MASK) - 1) :
		GVM_NODE_NONE;
}

bool gvm_dir_is_open(const struct gvm_dir *d)
{
	return d->a & OPEN;
}

u16 gvm_dir_open_other(const struct gvm_dir *d)
{
	u64 id = d->b >> ID_BITS & ID_MASK;

	return gvm_dir_is_open(d) && id ? (u16)(id - 1) : GVM_NODE_NONE;
}

u64 gvm_dir_open_txn(const struct gvm_home *h, const struct gvm_dir *d)
{
	u64 epoch = gvm_members(h)[gvm_dir_owner(d)];

	return epoch << 32 | (u32)(d->b >> 2 * ID_BITS);
}

static void set_free(struct gvm_home *h, u64 i)
{
	gvm_set(h, i)->summary[0] = h->set_free;
	h->set_free = (u32)i;
}

static u32 set_take(struct gvm_home *h)
{
	u32 i = h->set_free;

	if (i != GVM_NONE32)
		h->set_free = (u32)gvm_set(h, i)->summary[0];
	else if (h->set_fresh < h->cfg.sets_max)
		i = h->set_fresh++;
	return i;
}

void gvm_dir_become(struct gvm_home *h, struct gvm_dir *d,
		    enum gvm_dir_kind kind, u16 owner)
{
	if (gvm_dir_kind(d) == GVM_DIR_HOME &&
	    gvm_dir_format(d) == GVM_DIR_SET)
		set_free(h, d->b);
	set_format(d, GVM_DIR_INLINE);
	d->a = (d->a & ~(3ull << KIND_AT | OPEN)) | (u64)kind << KIND_AT;
	d->b = kind == GVM_DIR_OWNED ? owner + 1ull : 0;
}

void gvm_dir_open(struct gvm_home *h, struct gvm_dir *d, u16 owner, u16 other,
		  u64 txn)
{
	gvm_dir_become(h, d, GVM_DIR_OWNED, owner);
	d->a |= OPEN;
	if (other != GVM_NODE_NONE)
		d->b |= (other + 1ull) << ID_BITS;
	d->b |= (u64)(u32)txn << 2 * ID_BITS;
}

void gvm_dir_open_alone(struct gvm_dir *d)
{
	d->b &= ~(ID_MASK << ID_BITS);
}

u32 gvm_dir_open_tries(struct gvm_dir *d)
{
	if (d->b >> TRIES_AT < TRIES_MAX)
		d->b += 1ull << TRIES_AT;
	return (u32)(d->b >> TRIES_AT);
}

void gvm_dir_close(struct gvm_dir *d)
{
	d->a &= ~OPEN;
}

static u64 coarse_bit(u16 node)
{
	return 1ull << node / COARSE_NODES;
}

/* The nodes of bit i are those from i * COARSE_NODES up to here. */
static u32 coarse_end(u32 i)
{
	u32 end = (i + 1) * COARSE_NODES;

	return end < GVM_NODES_MAX ? end : GVM_NODES_MAX;
}

/* Four ids and one more. */
static void outgrow(struct gvm_home *h, struct gvm_dir *d, u16 node)
{
	u32 i = set_take(h);
	u64 ids = d->b;
	u64 vector = coarse_bit(node);

	if (i != GVM_NONE32) {
		gvm_sharers_clear(gvm_set(h, i));
		gvm_sharers_add(gvm_set(h, i), node);
	}
	for (; ids; ids >>= ID_BITS) {
		u16 id = (u16)((ids & ID_MASK) - 1);

		if (!(ids & ID_MASK))
			continue;
		vector |= coarse_bit(id);
		if (i != GVM_NONE32)
			gvm_sharers_add(gvm_set(h, i), id);
	}
	set_format(d, i == GVM_NONE32 ? GVM_DIR_COARSE : GVM_DIR_SET);
	d->b = i == GVM_NONE32 ? vector : i;
	h->stats.coarse += i == GVM_NONE32;
}

void gvm_dir_add(struct gvm_home *h, struct gvm_dir *d, u16 node)
{
	switch (gvm_dir_format(d)) {
	case GVM_DIR_INLINE:
		if (gvm_dir_has(h, d, node))
			return;
		for (u32 i = 0; i < INLINE_MAX; i++) {
			if (d->b >> i * ID_BITS & ID_MASK)
				continue;
			d->b |= (node + 1ull) << i * ID_BITS;
			return;
		}
		outgrow(h, d, node);
		return;
	case GVM_DIR_SET:
		gvm_sharers_add(gvm_set(h, d->b), node);
		return;
	case GVM_DIR_COARSE:
		d->b |= coarse_bit(node);
		return;
	}
}

bool gvm_dir_has(const struct gvm_home *h, const struct gvm_dir *d, u16 node)
{
	if (gvm_dir_kind(d) != GVM_DIR_HOME)
		return false;
	if (gvm_dir_format(d) == GVM_DIR_SET)
		return gvm_sharers_has(gvm_set(h, d->b), node);
	if (gvm_dir_format(d) == GVM_DIR_COARSE)
		return d->b & coarse_bit(node);
	for (u32 i = 0; i < INLINE_MAX; i++) {
		if ((d->b >> i * ID_BITS & ID_MASK) == node + 1ull)
			return true;
	}
	return false;
}

u32 gvm_dir_others(const struct gvm_home *h, const struct gvm_dir *d, u16 node,
		   u16 *ret_one)
{
	u32 n = 0;

	*ret_one = GVM_NODE_NONE;
	if (gvm_dir_format(d) != GVM_DIR_INLINE)
		return 2;
	for (u32 i = 0; i < INLINE_MAX && n < 2; i++) {
		u64 id = d->b >> i * ID_BITS & ID_MASK;

		if (!id || id == node + 1ull ||
		    !gvm_sharers_has(&h->live, (u32)id - 1))
			continue;
		*ret_one = (u16)(id - 1);
		n++;
	}
	return n;
}

void gvm_dir_list(const struct gvm_home *h, const struct gvm_dir *d,
		  struct gvm_sharers *set)
{
	gvm_sharers_clear(set);
	if (gvm_dir_kind(d) != GVM_DIR_HOME)
		return;
	if (gvm_dir_format(d) == GVM_DIR_SET) {
		memcpy(set, gvm_set(h, d->b), sizeof(*set));
		gvm_sharers_and(set, &h->live);
		return;
	}
	if (gvm_dir_format(d) == GVM_DIR_COARSE) {
		for (u32 i = 0; i < COARSE_BITS; i++) {
			if (d->b >> i & 1)
				gvm_sharers_add_range(set, &h->live,
						      i * COARSE_NODES,
						      coarse_end(i));
		}
		return;
	}
	for (u32 i = 0; i < INLINE_MAX; i++) {
		u64 id = d->b >> i * ID_BITS & ID_MASK;

		if (id && gvm_sharers_has(&h->live, (u32)id - 1))
			gvm_sharers_add(set, (u32)id - 1);
	}
}

u32 gvm_dir_count(const struct gvm_home *h, const struct gvm_dir *d)
{
	u32 n = 0;

	if (gvm_dir_kind(d) != GVM_DIR_HOME)
		return 0;
	if (gvm_dir_format(d) == GVM_DIR_SET)
		return gvm_sharers_common(gvm_set(h, d->b), &h->live);
	if (gvm_dir_format(d) == GVM_DIR_COARSE) {
		for (u32 i = 0; i < COARSE_BITS; i++) {
			if (d->b >> i & 1)
				n += gvm_sharers_count(&h->live,
						       i * COARSE_NODES,
						       coarse_end(i));
		}
		return n;
	}
	for (u32 i = 0; i < INLINE_MAX; i++) {
		u64 id = d->b >> i * ID_BITS & ID_MASK;

		n += id && gvm_sharers_has(&h->live, (u32)id - 1);
	}
	return n;
}
