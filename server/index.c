// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Linear probing at most half full.  Removal moves followers back instead of
 * leaving marks, so that a region that shrinks does not get slower.
 */
#include <errno.h>
#include <stdlib.h>

#include "index.h"

#define BITS_MIN	4u

static u32 place(const struct gvm_index *x, u64 leafno)
{
	return (u32)(leafno * 0x9e3779b97f4a7c15ull >> (64 - x->bits));
}

static u32 mask(const struct gvm_index *x)
{
	return (1u << x->bits) - 1;
}

u32 gvm_index_find(const struct gvm_index *x,
		   const struct gvm_leaf_rec *leaves, u64 leafno)
{
	if (!x->bits)
		return GVM_LEAF_NONE;
	for (u32 i = place(x, leafno); x->slots[i]; i = (i + 1) & mask(x)) {
		if (leaves[x->slots[i] - 1].leafno == leafno)
			return x->slots[i] - 1;
	}
	return GVM_LEAF_NONE;
}

void gvm_index_insert(struct gvm_index *x, const struct gvm_leaf_rec *leaves,
		      u32 rec)
{
	u32 i = place(x, leaves[rec].leafno);

	while (x->slots[i])
		i = (i + 1) & mask(x);
	x->slots[i] = rec + 1;
	x->nr++;
}

int gvm_index_grow(struct gvm_index *x, const struct gvm_leaf_rec *leaves,
		   u32 more)
{
	struct gvm_index bigger = { .bits = x->bits ? x->bits : BITS_MIN };
	u32 rec;

	while (((u64)x->nr + more) * 2 > 1ull << bigger.bits)
		bigger.bits++;
	if (bigger.bits == x->bits)
		return 0;
	bigger.slots = calloc(1ull << bigger.bits, sizeof(u32));
	if (!bigger.slots)
		return -ENOMEM;
	for (u32 i = 0; gvm_index_each(x, &i, &rec); )
		gvm_index_insert(&bigger, leaves, rec);
	free(x->slots);
	*x = bigger;
	return 0;
}

void gvm_index_remove(struct gvm_index *x, const struct gvm_leaf_rec *leaves,
		      u32 rec)
{
	u32 hole = place(x, leaves[rec].leafno);
	u32 i;

	while (x->slots[hole] != rec + 1)
		hole = (hole + 1) & mask(x);
	for (i = (hole + 1) & mask(x); x->slots[i]; i = (i + 1) & mask(x)) {
		u32 home = place(x, leaves[x->slots[i] - 1].leafno);

		/* It may move back unless its home lies after the hole. */
		if (((i - home) & mask(x)) < ((i - hole) & mask(x)))
			continue;
		x->slots[hole] = x->slots[i];
		hole = i;
	}
	x->slots[hole] = 0;
	x->nr--;
}

void gvm_index_free(struct gvm_index *x)
{
	free(x->slots);
	*x = (struct gvm_index){ 0 };
}
