// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Huge pages, for memory whose program asked for them (MADV_HUGEPAGE) or where
 * the host gives them to everybody.  Only while the local limit leaves plenty
 * of room: a huge page that must be cut up again has cost more than it gave.
 *
 * First touch: userfaultfd can only lay 4 KiB pages, but it can move.  A huge
 * page is taken in an area of our own and moved whole into the untouched
 * chunk: one fault instead of 512.
 *
 * Later: a chunk that has become fully resident page by page is collapsed by
 * the kernel (MADV_COLLAPSE), one at a time, when there is nothing else to do.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>

#include "engine.h"
#include "mem.h"
#include "sys.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define LOOK_PER_TICK	256u
#define FLAG_COLLAPSED	0x1u	/* gvm_chunk.flags: done, or not possible */

/* "always [madvise] never": what the host's setting is. */
u8 gvm_huge_host(void)
{
	char text[64] = "";
	long fd = gvm_sys(SYS_openat, AT_FDCWD,
			  "/sys/kernel/mm/transparent_hugepage/enabled",
			  O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return GVM_HUGE_NEVER;
	gvm_sys(SYS_read, fd, text, sizeof(text) - 1);
	gvm_sys(SYS_close, fd);
	for (const char *p = text; *p; p++)
		if (*p == '[')
			return p[1] == 'a' ? GVM_HUGE_ALWAYS :
			       p[1] == 'm' ? GVM_HUGE_ASKED : GVM_HUGE_NEVER;
	return GVM_HUGE_NEVER;
}

static bool is_wanted(const struct gvm_shard *s, const struct gvm_chunk *chunk)
{
	struct gvm_range r;

	if (!s->gvm->move || s->gvm->huge == GVM_HUGE_NEVER)
		return false;
	if (gvm_free_frames(s) < s->frames / 4 + GVM_CHUNK_PAGES + s->high)
		return false;
	return gvm_ranges_find(&s->gvm->ranges, chunk->va0, &r) && r.fd < 0 &&
	       r.start <= chunk->va0 && r.end >= chunk->va0 + GVM_CHUNK_BYTES &&
	       (r.huge || s->gvm->huge == GVM_HUGE_ALWAYS);
}

static bool is_untouched(const struct gvm_chunk *chunk)
{
	u64 word;

	if (chunk->resident || chunk->stored)
		return false;
	for (u32 i = 0; i < GVM_CHUNK_PAGES; i += sizeof(word)) {
		memcpy(&word, &chunk->state[i], sizeof(word));
		if (word)
			return false;
	}
	return true;
}

static_assert(GVM_PAGE_ZERO == 0, "an untouched chunk is all zero bytes");

static u64 scratch(struct gvm_shard *s)
{
	void *area;

	if (s->huge_scratch)
		return s->huge_scratch;
	area = gvm_mem_map_aligned(GVM_CHUNK_BYTES);
	if (!area)
		return 0;
	gvm_sys(SYS_madvise, area, GVM_CHUNK_BYTES, MADV_HUGEPAGE);
	gvm_sys(SYS_madvise, area, GVM_CHUNK_BYTES, MADV_DONTFORK);
	s->huge_scratch = (u64)(uintptr_t)area;
	return s->huge_scratch;
}

/*
 * Fill the whole untouched chunk around a first touch.  False: it was not
 * done, and the caller fills what was touched.
 */
bool gvm_huge_first_touch(struct gvm_shard *s, struct gvm_chunk *chunk)
{
	u64 from, done = 0;
	u16 actions;

	if (!is_untouched(chunk) || !is_wanted(s, chunk))
		return false;
	from = scratch(s);
	gvm_recycle_fit(s, GVM_CHUNK_PAGES);
	/* Huge where the host has one to spare; else small ones: still right. */
	if (!from || gvm_sys(SYS_madvise, from, GVM_CHUNK_BYTES,
			     MADV_POPULATE_WRITE))
		return false;
	gvm_uffd_move(s->uffd, chunk->va0, from, GVM_CHUNK_BYTES, &done);
	for (u32 i = 0; i < done >> GVM_PAGE_SHIFT; i++) {
		gvm_page_event(s, chunk, i, GVM_EV_WRITE_FAULT, &actions);
		chunk->word[i] = 0;
		gvm_cache_insert(&s->cache, chunk, i, GVM_CACHE_TOUCH);
	}
	if (done < GVM_CHUNK_BYTES) {
		/* The first part is there; whoever waits for it looks again. */
		gvm_sys(SYS_madvise, from, GVM_CHUNK_BYTES, MADV_DONTNEED);
		gvm_uffd_wake(s->uffd, chunk->va0, GVM_CHUNK_BYTES);
		return done;
	}
	chunk->flags |= FLAG_COLLAPSED;
	s->stats->huge++;
	return true;
}

/* The kernel collapses no page that is write-protected: lift that first. */
static void make_writable(struct gvm_shard *s, struct gvm_chunk *chunk)
{
	u16 actions;

	for (u32 i = 0; i < GVM_CHUNK_PAGES; i++) {
		if (chunk->state[i] != GVM_PAGE_CLEAN)
			continue;
		chunk->word[i] = 1;
		gvm_page_event(s, chunk, i, GVM_EV_WRITE_FAULT, &actions);
	}
	gvm_uffd_protect(s->uffd, chunk->va0, GVM_CHUNK_BYTES, false);
}

void gvm_huge_tick(struct gvm_shard *s)
{
	for (u32 i = 0; i < LOOK_PER_TICK && i < s->table.all_nr; i++) {
		struct gvm_chunk *chunk;

		if (s->huge_hand >= s->table.all_nr)
			s->huge_hand = 0;
		chunk = s->table.all[s->huge_hand++];
		if (!chunk || chunk->resident != GVM_CHUNK_PAGES ||
		    chunk->flags & FLAG_COLLAPSED || !is_wanted(s, chunk))
			continue;
		make_writable(s, chunk);
		chunk->flags |= FLAG_COLLAPSED;
		if (!gvm_sys(SYS_madvise, chunk->va0, GVM_CHUNK_BYTES,
			     MADV_COLLAPSE))
			s->stats->huge++;
		return;
	}
}

/* Once a chunk has lost a page it may be collapsed again later. */
void gvm_huge_forget(struct gvm_chunk *chunk)
{
	chunk->flags &= (u8)~FLAG_COLLAPSED;
}
