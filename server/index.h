/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which leaf record holds 512 given pages of a region: a hash table of record
 * numbers.  The keys are in the records themselves.  Serialised by its owner.
 */
#ifndef GVM_SERVER_INDEX_H
#define GVM_SERVER_INDEX_H

#include "arena.h"

#define GVM_LEAF_NONE	UINT32_MAX

struct gvm_index {
	u32	*slots;		/* record + 1; 0: empty */
	u32	bits;		/* log2 of the slots; 0: none yet */
	u32	nr;
};

/* Make room for more records.  0 or -ENOMEM. */
int gvm_index_grow(struct gvm_index *x, const struct gvm_leaf_rec *leaves,
		   u32 more);
u32 gvm_index_find(const struct gvm_index *x,
		   const struct gvm_leaf_rec *leaves, u64 leafno);
/* Room must have been made. */
void gvm_index_insert(struct gvm_index *x, const struct gvm_leaf_rec *leaves,
		      u32 rec);
void gvm_index_remove(struct gvm_index *x, const struct gvm_leaf_rec *leaves,
		      u32 rec);
void gvm_index_free(struct gvm_index *x);

static inline u64 gvm_index_bytes(const struct gvm_index *x)
{
	return x->bits ? sizeof(u32) << x->bits : 0;
}

/* for (u32 i = 0; gvm_index_each(x, &i, &rec); ) while nothing is changed. */
static inline bool gvm_index_each(const struct gvm_index *x, u32 *i, u32 *rec)
{
	while (x->bits && *i < 1u << x->bits) {
		u32 v = x->slots[(*i)++];

		if (v) {
			*rec = v - 1;
			return true;
		}
	}
	return false;
}

#endif
