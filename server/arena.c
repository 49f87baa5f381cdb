// SPDX-License-Identifier: GPL-2.0-or-later
/* The mapping under a store; see arena.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arena-layout.h"
#include "core/crc32c.h"

#define LEAF_STEP	4096u	/* leaf records reserved at a time: 64 KiB */

static u64 round_up(u64 v, u64 to)
{
	return (v + to - 1) / to * to;
}

/*
 * Beside the frames of as many pages as may be stored there are some more: for
 * leaves (one for 512 pages of dense memory), and for pages that were replaced
 * but are still being sent, so that a full server can still be written to.
 * They take memory only when they are used.
 */
static void plan(struct gvm_arena *a, u64 pages_max)
{
	a->pages_max = pages_max;
	a->frames_nr = (u32)(1 + pages_max + pages_max / 64 + 4096);
	a->leaves_max = a->frames_nr;
}

u64 gvm_arena_leaves_offset(void)
{
	return sizeof(struct gvm_super) +
	       GVM_REGIONS_MAX * sizeof(struct gvm_region_rec);
}

static u64 frames_offset(const struct gvm_arena *a)
{
	return round_up(gvm_arena_leaves_offset() +
			(u64)a->leaves_max * sizeof(struct gvm_leaf_rec),
			GVM_CHUNK_BYTES);
}

u64 gvm_arena_bytes(const struct gvm_arena *a)
{
	return frames_offset(a) + ((u64)a->frames_nr << GVM_PAGE_SHIFT);
}

u32 gvm_arena_super_crc(const struct gvm_super *s)
{
	return gvm_crc32c(0, &s->version, offsetof(struct gvm_super, state) -
			  offsetof(struct gvm_super, version));
}

void gvm_arena_fill_super(const struct gvm_arena *a, struct gvm_super *s)
{
	memset(s, 0, sizeof(*s));
	s->magic = GVM_STORE_MAGIC;
	s->version = GVM_STORE_VERSION;
	s->page_bytes = GVM_PAGE_BYTES;
	s->pages_max = a->pages_max;
	s->frames_nr = a->frames_nr;
	s->regions_max = GVM_REGIONS_MAX;
	s->leaves_max = a->leaves_max;
	s->crc = gvm_arena_super_crc(s);
}

/* Aligned to 2 MiB, so that huge pages and chunks of frames coincide. */
int gvm_arena_map(struct gvm_arena *a)
{
	u64 room = a->map_bytes + GVM_CHUNK_BYTES;
	u8 *all, *at;
	void *got;

	all = mmap(NULL, room, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (all == MAP_FAILED)
		return -errno;
	at = (u8 *)round_up((u64)all, GVM_CHUNK_BYTES);
	if (a->fd < 0)
		got = mmap(at, a->map_bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
			   MAP_FIXED, -1, 0);
	else
		got = mmap(at, a->map_bytes, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_FIXED, a->fd, 0);
	if (got == MAP_FAILED) {
		int err = -errno;

		munmap(all, room);
		return err;
	}
	if (at > all)
		munmap(all, (size_t)(at - all));
	munmap(at + a->map_bytes, room - a->map_bytes - (size_t)(at - all));

	a->map = at;
	a->super = (struct gvm_super *)at;
	a->regions = (struct gvm_region_rec *)(at + sizeof(struct gvm_super));
	a->leaves = (struct gvm_leaf_rec *)(at + gvm_arena_leaves_offset());
	a->frames = at + frames_offset(a);
	return 0;
}

static int open_anon(struct gvm_arena *a, char *why, size_t why_len)
{
	int err;

	a->fd = -1;
	a->map_bytes = gvm_arena_bytes(a);
	err = gvm_arena_map(a);
	if (err) {
		snprintf(why, why_len, "cannot reserve %llu MiB of addresses: %s; lower --memory",
			 (unsigned long long)(a->map_bytes >> 20),
			 strerror(-err));
		return err;
	}
	/* Only advice: without huge pages it works as well, only slower. */
	madvise(a->frames, (u64)a->frames_nr << GVM_PAGE_SHIFT, MADV_HUGEPAGE);
	gvm_arena_fill_super(a, a->super);
	return 0;
}

int gvm_arena_open(struct gvm_arena *a, const char *path, u64 pages_max,
		   bool *ret_fresh, char *why, size_t why_len)
{
	int err;

	memset(a, 0, sizeof(*a));
	if (pages_max < GVM_STORE_PAGES_MIN || pages_max > GVM_STORE_PAGES_MAX) {
		snprintf(why, why_len, "--memory must be 1 MiB to 8 TiB");
		return -EINVAL;
	}
	plan(a, pages_max);
	if (path) {
		err = gvm_arena_open_file(a, path, ret_fresh, why, why_len);
	} else {
		err = open_anon(a, why, why_len);
		if (!err)
			*ret_fresh = true;
	}
	if (!err)
		pthread_mutex_init(&a->sync_lock, NULL);
	return err;
}

void gvm_arena_close(struct gvm_arena *a)
{
	pthread_mutex_destroy(&a->sync_lock);
	munmap(a->map, a->map_bytes);
	if (a->fd >= 0)
		close(a->fd);
}

int gvm_arena_reserve(struct gvm_arena *a, u32 first, u32 count)
{
	if (a->fd < 0)
		return 0;
	if (fallocate(a->fd, FALLOC_FL_KEEP_SIZE,
		      (off_t)(frames_offset(a) +
			      ((u64)first << GVM_PAGE_SHIFT)),
		      (off_t)count << GVM_PAGE_SHIFT))
		return -errno;
	return 0;
}

void gvm_arena_release(struct gvm_arena *a, u32 first, u32 count)
{
	/*
	 * Failure is harmless: the frames stay free, only their memory stays
	 * taken until they are used again.
	 */
	if (a->fd < 0)
		madvise(gvm_arena_frame(a, first),
			(size_t)count << GVM_PAGE_SHIFT, MADV_DONTNEED);
	else if (fallocate(a->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			   (off_t)(frames_offset(a) +
				   ((u64)first << GVM_PAGE_SHIFT)),
			   (off_t)count << GVM_PAGE_SHIFT))
		return;
}

int gvm_arena_raise_leaf_top(struct gvm_arena *a, u32 top)
{
	u64 step = round_up(top, LEAF_STEP);
	u64 from = a->super->leaf_top;

	if (step > a->leaves_max)
		step = a->leaves_max;
	if (from >= top)
		return 0;
	if (a->fd >= 0 &&
	    fallocate(a->fd, FALLOC_FL_KEEP_SIZE,
		      (off_t)(gvm_arena_leaves_offset() +
			      from * sizeof(struct gvm_leaf_rec)),
		      (off_t)((step - from) * sizeof(struct gvm_leaf_rec))))
		return -errno;
	/* Before a record up there is used: the scan at start stops here. */
	__atomic_store_n(&a->super->leaf_top, step, __ATOMIC_RELEASE);
	return 0;
}

/*
 * begin() counts itself and then looks at synced; sync() sets synced and then
 * looks at the count.  Whatever the order, one of them sees the other: a change
 * is never made to a file that is marked as synced on the disk.
 */
int gvm_arena_begin(struct gvm_arena *a)
{
	int err = 0;

	if (a->fd < 0)
		return 0;
	__atomic_add_fetch(&a->begun, 1, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&a->synced, __ATOMIC_SEQ_CST))
		return 0;

	pthread_mutex_lock(&a->sync_lock);
	if (a->synced) {
		a->super->state = GVM_STORE_CHANGING;
		if (fdatasync(a->fd))
			err = -errno;
		else
			__atomic_store_n(&a->synced, false, __ATOMIC_SEQ_CST);
	}
	pthread_mutex_unlock(&a->sync_lock);
	if (err)
		gvm_arena_end(a);
	return err;
}

void gvm_arena_end(struct gvm_arena *a)
{
	if (a->fd >= 0)
		__atomic_add_fetch(&a->ended, 1, __ATOMIC_SEQ_CST);
}

int gvm_arena_sync(struct gvm_arena *a)
{
	u64 ended, begun;
	int err = 0;

	if (a->fd < 0)
		return 0;
	/* In this order: equal means that no change was under way. */
	ended = __atomic_load_n(&a->ended, __ATOMIC_SEQ_CST);
	begun = __atomic_load_n(&a->begun, __ATOMIC_SEQ_CST);
	/* Writes dirty pages of shared mappings of the file as well. */
	if (fdatasync(a->fd))
		return -errno;
	if (begun != ended)
		return 0;

	pthread_mutex_lock(&a->sync_lock);
	if (a->synced)
		goto unlock;
	__atomic_store_n(&a->synced, true, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&a->begun, __ATOMIC_SEQ_CST) != begun) {
		__atomic_store_n(&a->synced, false, __ATOMIC_SEQ_CST);
		goto unlock;
	}
	a->super->state = GVM_STORE_SYNCED;
	if (fdatasync(a->fd))
		err = -errno;
unlock:
	pthread_mutex_unlock(&a->sync_lock);
	return err;
}
