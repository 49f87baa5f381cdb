// SPDX-License-Identifier: GPL-2.0-or-later
/* Chunks by address; see table.h. */
#include "table.h"

#define SLOTS_MIN	512u

static u64 hash(const struct gvm_table *t, u64 va)
{
	return ((va >> GVM_CHUNK_SHIFT) * 0x9e3779b97f4a7c15ull >> 20) &
	       (t->slots_nr - 1);
}

int gvm_table_init(struct gvm_table *t)
{
	*t = (struct gvm_table){ .slots_nr = SLOTS_MIN, .all_cap = SLOTS_MIN };
	gvm_pool_init(&t->pool, sizeof(struct gvm_chunk));
	t->slots = gvm_mem_map(t->slots_nr * sizeof(*t->slots));
	t->all = gvm_mem_map(t->all_cap * sizeof(*t->all));
	if (!t->slots || !t->all) {
		gvm_table_fini(t);
		return -ENOMEM;
	}
	return 0;
}

void gvm_table_fini(struct gvm_table *t)
{
	gvm_mem_unmap(t->slots, t->slots_nr * sizeof(*t->slots));
	gvm_mem_unmap(t->all, t->all_cap * sizeof(*t->all));
	t->slots = NULL;
	t->all = NULL;
}

struct gvm_chunk *gvm_table_find(const struct gvm_table *t, u64 va)
{
	const u64 va0 = va & ~(u64)(GVM_CHUNK_BYTES - 1);
	u64 i = hash(t, va);

	while (t->slots[i]) {
		if (t->slots[i]->va0 == va0)
			return t->slots[i];
		i = (i + 1) & (t->slots_nr - 1);
	}
	return NULL;
}

static void put_slot(struct gvm_table *t, struct gvm_chunk *chunk)
{
	u64 i = hash(t, chunk->va0);

	while (t->slots[i])
		i = (i + 1) & (t->slots_nr - 1);
	t->slots[i] = chunk;
}

/* Both arrays hold a pointer per chunk; they double together. */
static int grow(struct gvm_table *t)
{
	struct gvm_chunk **slots, **old_slots = t->slots;
	struct gvm_chunk **all;
	const u64 old_nr = t->slots_nr;

	slots = gvm_mem_map(2 * old_nr * sizeof(*slots));
	all = gvm_mem_map(2 * t->all_cap * sizeof(*all));
	if (!slots || !all) {
		gvm_mem_unmap(slots, 2 * old_nr * sizeof(*slots));
		gvm_mem_unmap(all, 2 * t->all_cap * sizeof(*all));
		return -ENOMEM;
	}
	memcpy(all, t->all, t->all_nr * sizeof(*all));
	gvm_mem_unmap(t->all, t->all_cap * sizeof(*all));
	t->all = all;
	t->all_cap *= 2;

	t->slots = slots;
	t->slots_nr = 2 * old_nr;
	for (u64 i = 0; i < old_nr; i++)
		if (old_slots[i])
			put_slot(t, old_slots[i]);
	gvm_mem_unmap(old_slots, old_nr * sizeof(*old_slots));
	return 0;
}

struct gvm_chunk *gvm_table_get(struct gvm_table *t, u64 va)
{
	struct gvm_chunk *chunk = gvm_table_find(t, va);

	if (chunk)
		return chunk;
	/* Half full at most; all_nr never exceeds all_cap either. */
	if (2 * (t->used + 1) > t->slots_nr && grow(t))
		return NULL;
	chunk = gvm_pool_get(&t->pool);
	if (!chunk)
		return NULL;
	chunk->va0 = va & ~(u64)(GVM_CHUNK_BYTES - 1);
	chunk->page0 = chunk->va0 >> GVM_PAGE_SHIFT;
	chunk->server = GVM_SERVER_NONE;
	put_slot(t, chunk);
	t->used++;

	for (u64 i = t->hole; i < t->all_nr; i++) {
		if (!t->all[i]) {
			t->all[i] = chunk;
			t->hole = i + 1;
			return chunk;
		}
	}
	t->hole = t->all_nr + 1;
	t->all[t->all_nr++] = chunk;
	return chunk;
}

/* Knuth, TAOCP vol. 3, 6.4, algorithm R: close the gap, leave no tombstone. */
static void close_gap(struct gvm_table *t, u64 gap)
{
	u64 i = gap;

	for (;;) {
		u64 home;

		i = (i + 1) & (t->slots_nr - 1);
		if (!t->slots[i])
			break;
		home = hash(t, t->slots[i]->va0);
		/* May it not move to the gap, because it hashes after it? */
		if (((i - home) & (t->slots_nr - 1)) <
		    ((i - gap) & (t->slots_nr - 1)))
			continue;
		t->slots[gap] = t->slots[i];
		gap = i;
	}
	t->slots[gap] = NULL;
}

void gvm_table_remove(struct gvm_table *t, struct gvm_chunk *chunk)
{
	u64 i = hash(t, chunk->va0);

	while (t->slots[i] != chunk)
		i = (i + 1) & (t->slots_nr - 1);
	close_gap(t, i);
	for (i = 0; i < t->all_nr; i++)
		if (t->all[i] == chunk)
			break;
	t->all[i] = NULL;
	if (i < t->hole)
		t->hole = i;
	t->used--;
	gvm_pool_put(&t->pool, chunk);
}
