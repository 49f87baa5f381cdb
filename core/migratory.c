// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* Which pages are written soon after they are read; see migratory.h. */
#include "migratory.h"

static struct gvm_migratory_entry *entry_of(struct gvm_migratory *m, u64 page)
{
	return &m->entry[page * 0x9e3779b97f4a7c15ull >> 40 &
			 (GVM_MIGRATORY_PAGES - 1)];
}

static struct gvm_migratory_entry *known(struct gvm_migratory *m, u64 page,
					 enum gvm_migratory_state state)
{
	struct gvm_migratory_entry *e = entry_of(m, page);

	return e->page == page + 1 && e->state == state ? e : NULL;
}

static void learn(struct gvm_migratory_entry *e, bool migrates)
{
	if (!e)
		return;
	e->state = GVM_MIGRATORY_UNKNOWN;
	e->migrates = migrates;
}

bool gvm_migratory_read(struct gvm_migratory *m, u64 page)
{
	struct gvm_migratory_entry *e = entry_of(m, page);

	if (e->page != page + 1)
		*e = (struct gvm_migratory_entry){ .page = page + 1 };
	e->state = e->migrates ? GVM_MIGRATORY_ASKED : GVM_MIGRATORY_READ;
	return e->migrates;
}

void gvm_migratory_write(struct gvm_migratory *m, u64 page)
{
	learn(known(m, page, GVM_MIGRATORY_READ), true);
}

void gvm_migratory_came(struct gvm_migratory *m, u64 page, u32 crc)
{
	struct gvm_migratory_entry *e = known(m, page, GVM_MIGRATORY_ASKED);

	if (!e)
		return;
	e->state = GVM_MIGRATORY_CAME;
	e->crc = crc;
}

void gvm_migratory_leaves(struct gvm_migratory *m, u64 page, u32 crc)
{
	struct gvm_migratory_entry *e = known(m, page, GVM_MIGRATORY_CAME);

	learn(e, e && e->crc != crc);
}

void gvm_migratory_gone(struct gvm_migratory *m, u64 page)
{
	learn(known(m, page, GVM_MIGRATORY_READ), false);
}
