// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which server becomes the home of a chunk.
 *
 * A chunk cannot move, so a server that is full when one of its chunks must
 * grow ends the program.  Therefore a chunk is placed where all of it will fit,
 * what the chunks of all shards may still need there counted in, and something
 * left over for other programs that use the server.
 */
#include "engine.h"

/* Tell the other shards what our chunks may still need there. */
static void tell(struct gvm_shard *s, u32 server)
{
	struct gvm_link *link = &s->links[server];
	const u64 most = link->chunks * GVM_CHUNK_PAGES;
	const u64 promised = most > link->stored ? most - link->stored : 0;

	if (promised == link->promised)
		return;
	__atomic_add_fetch(&s->gvm->rooms[server].promised,
			   promised - link->promised, __ATOMIC_RELAXED);
	link->promised = promised;
}

void gvm_place_tick(struct gvm_shard *s)
{
	for (u32 i = 0; i < s->gvm->servers_nr; i++)
		tell(s, i);
}

/* The server says how many pages it has room for. */
void gvm_place_told(struct gvm_shard *s, u16 server, u64 pages_free)
{
	struct gvm_link *link = &s->links[server];

	link->pages_free = pages_free;
	__atomic_store_n(&s->gvm->rooms[server].pages_free, pages_free,
			 __ATOMIC_RELAXED);
	/* Somebody has given up what filled it. */
	if (pages_free >= 2 * GVM_CHUNK_PAGES)
		link->full = 0;
}

/*
 * A home for a new chunk: one server after the other while they have room for
 * all of it, and a sixteenth to spare; then the one with the most room, even if
 * more is promised there than it has.
 */
u16 gvm_link_place(struct gvm_shard *s)
{
	u16 best = GVM_SERVER_NONE;
	s64 most = 0;

	for (u32 i = 0; i < s->gvm->servers_nr; i++) {
		u32 at = (s->place + i) % s->gvm->servers_nr;
		const struct gvm_room *r = &s->gvm->rooms[at];
		s64 left, spare;

		if (s->links[at].full)
			continue;
		tell(s, at);
		left = (s64)__atomic_load_n(&r->pages_free, __ATOMIC_RELAXED);
		spare = left / 16;
		left -= (s64)__atomic_load_n(&r->promised, __ATOMIC_RELAXED);
		if (best == GVM_SERVER_NONE || left > most) {
			best = (u16)at;
			most = left;
		}
		if (left >= (s64)GVM_CHUNK_PAGES + spare) {
			best = (u16)at;
			break;
		}
	}
	if (best != GVM_SERVER_NONE) {
		s->place = best + 1u;
		s->links[best].chunks++;
		tell(s, best);
	}
	return best;
}
