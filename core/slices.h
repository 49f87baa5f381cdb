/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * Where a shared region's pages lie: slices of a power of two of pages are
 * dealt out to the servers of its list in turn.  Each server numbers the pages
 * that it keeps densely (0, 1, ...): those are the numbers that its directory
 * and its store know.  On the wire pages have the region's numbers.
 *
 * This is the only place that knows either mapping.
 */
#ifndef GVM_SLICES_H
#define GVM_SLICES_H

#include "limits.h"

struct gvm_slices {
	u64	pages;		/* of the region */
	u32	shift;		/* log2 of a slice's pages */
	u16	servers;
};

/* Place in the list of the server that keeps a page. */
static inline u16 gvm_slices_server(const struct gvm_slices *s, u64 page)
{
	return (u16)((page >> s->shift) % s->servers);
}

/* The page's number at that server. */
static inline u64 gvm_slices_dense(const struct gvm_slices *s, u64 page)
{
	return (page >> s->shift) / s->servers << s->shift |
	       (page & ((1ull << s->shift) - 1));
}

/* The other way. */
static inline u64 gvm_slices_page(const struct gvm_slices *s, u16 server,
				  u64 dense)
{
	return ((dense >> s->shift) * s->servers + server) << s->shift |
	       (dense & ((1ull << s->shift) - 1));
}

/* Dense numbers of a server are below this; the last slice may be cut off. */
static inline u64 gvm_slices_pages(const struct gvm_slices *s, u16 server)
{
	u64 whole = s->pages >> s->shift;	/* slices */
	u64 rest = s->pages & ((1ull << s->shift) - 1);
	u64 nr = whole / s->servers + (server < whole % s->servers);

	return (nr << s->shift) + (server == whole % s->servers ? rest : 0);
}

#endif
