// SPDX-License-Identifier: GPL-2.0-or-later
/* Which server becomes the home of a chunk. */
#include "engine.h"

/* Pages that may still be placed there, if all its chunks fill up. */
static u64 room(const struct gvm_link *link)
{
	u64 promised = link->chunks * GVM_CHUNK_PAGES;

	promised = promised > link->stored ? promised - link->stored : 0;
	return link->pages_free > promised ? link->pages_free - promised : 0;
}

/*
 * A home for a new chunk: one server after the other while they have room for
 * all of it, then whichever has the most pages left.
 */
u16 gvm_link_place(struct gvm_shard *s)
{
	u16 best = GVM_SERVER_NONE;
	u64 most = 0;

	for (u32 i = 0; i < s->gvm->servers_nr; i++) {
		u32 at = (s->place + i) % s->gvm->servers_nr;
		const struct gvm_link *link = &s->links[at];

		if (link->full)
			continue;
		if (room(link) >= GVM_CHUNK_PAGES) {
			best = (u16)at;
			break;
		}
		if (best == GVM_SERVER_NONE || link->pages_free > most) {
			best = (u16)at;
			most = link->pages_free;
		}
	}
	if (best != GVM_SERVER_NONE) {
		s->place = best + 1u;
		s->links[best].chunks++;
	}
	return best;
}
