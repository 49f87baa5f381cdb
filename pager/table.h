/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From an address to what we know of its 2 MiB chunk: a hash with open
 * addressing, so a lookup is one or two cache lines.  Also a plain array of
 * all chunks, which is what the eviction clock sweeps.  One shard's, no lock.
 */
#ifndef GVM_PAGER_TABLE_H
#define GVM_PAGER_TABLE_H

#include "chunk.h"
#include "mem.h"

struct gvm_table {
	struct gvm_chunk **slots;	/* hash, by address >> 21 */
	u64	slots_nr;		/* power of two */
	struct gvm_chunk **all;		/* every chunk; NULL holes */
	u64	all_nr;
	u64	all_cap;
	u64	used;
	u64	hole;			/* lowest hole that may be in all[] */
	struct gvm_pool pool;
};

int gvm_table_init(struct gvm_table *t);
void gvm_table_fini(struct gvm_table *t);
/* NULL if there is none. */
struct gvm_chunk *gvm_table_find(const struct gvm_table *t, u64 va);
/* Finds or makes; NULL: no memory. */
struct gvm_chunk *gvm_table_get(struct gvm_table *t, u64 va);
/* The chunk must have nothing resident, staged, stored or unanswered. */
void gvm_table_remove(struct gvm_table *t, struct gvm_chunk *chunk);

#endif
