/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * Which pages migrate: are read, then written, by one node after the other, as
 * what a lock guards is.  Such a page costs two misses each time it moves, a
 * read and an upgrade.  A node that sees it coming asks for the page exclusive
 * at once.
 *
 * The idea is that of migratory sharing: A. L. Cox and R. J. Fowler, "Adaptive
 * Cache Coherency for Detecting Migratory Shared Data", and P. Stenstrom,
 * M. Brorsson and L. Sandberg, "An Adaptive Cache Coherence Protocol Optimized
 * for Migratory Sharing", both ISCA 1993.  There the home decides; here each
 * node does, by what it did with the page itself, so that the protocol knows
 * nothing of it: a node may ask for any page exclusive at any time, and a
 * wrong guess costs time, never a byte.
 *
 * A page that was written after it was read migrates, until it leaves with the
 * bytes that it came with: then it was read only, and others need not have lost
 * it.  What tells is its checksum, which is there anyway.  A page that is written
 * with what it held already looks the same, and that costs an upgrade.
 *
 * Memory handed in, all zero at first: one instance for a region.  Pages that
 * share an entry forget each other.  One thread.
 */
#ifndef GVM_MIGRATORY_H
#define GVM_MIGRATORY_H

#include "gvm_port.h"

#define GVM_MIGRATORY_PAGES	16384u	/* entries, a power of two */

enum gvm_migratory_state {
	GVM_MIGRATORY_UNKNOWN,
	GVM_MIGRATORY_READ,	/* fetched to be read, not written since */
	GVM_MIGRATORY_ASKED,	/* to be fetched exclusive for a reader */
	GVM_MIGRATORY_CAME,	/* so it came, with bytes of this crc */
};

struct gvm_migratory_entry {
	u64	page;		/* + 1; 0: free */
	u32	crc;
	u8	state;		/* enum gvm_migratory_state */
	bool	migrates;
};

struct gvm_migratory {
	struct gvm_migratory_entry entry[GVM_MIGRATORY_PAGES];
};

/* A thread waits to read a page that is not here.  True: fetch it exclusive. */
bool gvm_migratory_read(struct gvm_migratory *m, u64 page);
/* A page that is here to be read will be written. */
void gvm_migratory_write(struct gvm_migratory *m, u64 page);
/* The page is here, exclusive, with bytes of this checksum. */
void gvm_migratory_came(struct gvm_migratory *m, u64 page, u32 crc);
/* Its bytes are given to others.  Whoever got it may have written it. */
void gvm_migratory_leaves(struct gvm_migratory *m, u64 page, u32 crc);
/* The page is not here any more. */
void gvm_migratory_gone(struct gvm_migratory *m, u64 page);

#endif
