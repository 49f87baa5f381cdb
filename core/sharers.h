/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * A set of nodes in two levels: 160 groups of 64.  A group is a leaf word, so
 * a part of the tree of relays gets whole words.
 */
#ifndef GVM_SHARERS_H
#define GVM_SHARERS_H

#include "limits.h"

#define GVM_GROUP_NODES		64u
#define GVM_GROUPS		(GVM_NODES_MAX / GVM_GROUP_NODES)

struct gvm_sharers {
	u64	summary[3];	/* bit g: word[g] is not zero */
	u64	word[GVM_GROUPS];
};

static_assert(GVM_GROUPS == 160, "160 groups of 64 nodes");
static_assert(sizeof(struct gvm_sharers) == 1304, "1,320 bytes with its entry");

void gvm_sharers_clear(struct gvm_sharers *s);
void gvm_sharers_add(struct gvm_sharers *s, u32 node);
void gvm_sharers_remove(struct gvm_sharers *s, u32 node);
bool gvm_sharers_has(const struct gvm_sharers *s, u32 node);

/* Members in [lo, hi). */
u32 gvm_sharers_count(const struct gvm_sharers *s, u32 lo, u32 hi);

/* The first member >= from and < hi, or GVM_NODES_MAX. */
u32 gvm_sharers_next(const struct gvm_sharers *s, u32 from, u32 hi);

/* Member number nth (from 0) of [lo, hi), or GVM_NODES_MAX. */
u32 gvm_sharers_nth(const struct gvm_sharers *s, u32 lo, u32 hi, u32 nth);

/* to &= of, word by word. */
void gvm_sharers_and(struct gvm_sharers *to, const struct gvm_sharers *of);

/* How many are in both. */
u32 gvm_sharers_common(const struct gvm_sharers *a,
		       const struct gvm_sharers *b);

/* Members of `of` in [lo, hi) into `to`. */
void gvm_sharers_add_range(struct gvm_sharers *to,
			   const struct gvm_sharers *of, u32 lo, u32 hi);

/*
 * Cut [lo, hi) into at most parts ranges with about the same number of members
 * each; ret_at[i] and ret_at[i + 1] bound range i.  Ranges without a member do
 * not occur.  Returns how many.  ret_at has room for parts + 1.
 */
u32 gvm_sharers_split(const struct gvm_sharers *s, u32 lo, u32 hi, u32 parts,
		      u16 *ret_at);

#endif
