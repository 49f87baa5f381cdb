// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The start on a file that has pages: count who refers to what.
 *
 * Trusts nothing in the file that would lead out of it; what cannot be true is
 * damage, and then nothing is served.  Bytes of pages are not read: their CRC
 * travels with them and their reader checks it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "leaf.h"

static bool bit(const u64 *bits, u32 i)
{
	return bits[i / 64] >> i % 64 & 1;
}

/* Find the record's region; NULL: not in use, or of a region that went. */
static struct gvm_region *owner(struct gvm_store *s,
				struct gvm_region **regions, u32 rec)
{
	u64 slot = s->arena.leaves[rec].where >> 32;

	return slot && slot <= GVM_REGIONS_MAX ? regions[slot - 1] : NULL;
}

/* Pass 1: leaves find their region, and frames of leaves are known. */
static int adopt_leaf(struct gvm_store *s, struct gvm_region *r, u32 rec,
		      u64 *nodes)
{
	struct gvm_leaf_rec *leaf = &s->arena.leaves[rec];
	u32 frame = gvm_leaf_frame(s, rec);

	if (!frame || frame >= s->arena.frames_nr ||
	    leaf->leafno > GVM_PAGE_NO_MAX >> GVM_LEAF_SHIFT)
		return -EUCLEAN;
	if (gvm_index_find(&r->index, s->arena.leaves, leaf->leafno) !=
	    GVM_LEAF_NONE)
		return -EUCLEAN;
	if (gvm_leaf_index_grow(s, r, 1))
		return -ENOMEM;
	gvm_index_insert(&r->index, s->arena.leaves, rec);
	gvm_frames_adopt(&s->frames, GVM_FRAME_NODE, frame);
	nodes[frame / 64] |= 1ull << frame % 64;
	return 0;
}

/* Pass 2: a leaf's pages count once, however many regions share the leaf. */
static int adopt_pages(struct gvm_store *s, struct gvm_region *r, u32 rec,
		       const u64 *nodes, u64 *seen)
{
	const u64 *entries = gvm_leaf_entries(s, rec);
	u32 leaf = gvm_leaf_frame(s, rec);
	bool first = !bit(seen, leaf);

	seen[leaf / 64] |= 1ull << leaf % 64;
	s->live[rec] = 0;
	for (u32 i = 0; i < GVM_LEAF_PAGES; i++) {
		u32 frame = gvm_entry_frame(entries[i]);

		if (!frame)
			continue;
		if (frame >= s->arena.frames_nr || bit(nodes, frame))
			return -EUCLEAN;
		if (first)
			gvm_frames_adopt(&s->frames, GVM_FRAME_DATA, frame);
		s->live[rec]++;
	}
	r->pages += s->live[rec];
	/* Which regions are copies of each other is not kept: any may be. */
	r->copied = true;
	return 0;
}

static int adopt_all(struct gvm_store *s, struct gvm_region **regions,
		     u64 *nodes, u64 *seen)
{
	u32 top = (u32)s->arena.super->leaf_top;
	int err = 0;

	s->leaf_fresh = top;
	for (u32 rec = 0; rec < top && !err; rec++) {
		struct gvm_region *r = owner(s, regions, rec);

		if (r)
			err = adopt_leaf(s, r, rec, nodes);
	}
	for (u32 rec = 0; rec < top && !err; rec++) {
		struct gvm_region *r = owner(s, regions, rec);

		if (r)
			err = adopt_pages(s, r, rec, nodes, seen);
	}
	/* From the top, so that the lowest is used first. */
	for (u32 rec = top; !err && rec--; ) {
		if (owner(s, regions, rec))
			continue;
		s->arena.leaves[rec].where = 0;
		gvm_leaf_rec_free(s, rec);
	}
	return err;
}

int gvm_store_recover(struct gvm_store *s, struct gvm_region **regions,
		      const char *path, char *why, size_t why_len)
{
	size_t words = s->arena.frames_nr / 64 + 1;
	u64 *nodes = calloc(words, sizeof(u64));
	u64 *seen = calloc(words, sizeof(u64));
	int err = -ENOMEM;

	if (nodes && seen)
		err = adopt_all(s, regions, nodes, seen);
	free(seen);
	free(nodes);
	if (!err && s->frames.used[GVM_FRAME_DATA] > s->arena.pages_max)
		err = -EUCLEAN;
	if (err == -EUCLEAN)
		snprintf(why, why_len, "%s: damaged (page tables); remove the file to start empty",
			 path);
	else if (err)
		snprintf(why, why_len, "%s: not enough memory to open it",
			 path);
	else
		gvm_frames_settle(&s->frames);
	return err;
}
