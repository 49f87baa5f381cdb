// SPDX-License-Identifier: GPL-2.0-or-later
/* Frames, their references and the free ones; see frames.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "frames.h"

#define GROUP		512u	/* frames taken from the cold ones at once */
#define TRIM_BATCH	8192u

/* Sized by the capacity, paid for by use. */
static void *lazy_alloc(u64 bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static u64 cold_bytes(const struct gvm_frames *f)
{
	return (u64)f->groups_nr * (GROUP / 8);
}

static void set_cold(struct gvm_frames *f, u32 frame)
{
	f->cold[frame / 64] |= 1ull << frame % 64;
	f->cold_nr[frame / GROUP]++;
	if (frame / GROUP < f->group_hint)
		f->group_hint = frame / GROUP;
}

int gvm_frames_init(struct gvm_frames *f, struct gvm_arena *arena)
{
	u64 nr = arena->frames_nr;

	memset(f, 0, sizeof(*f));
	f->arena = arena;
	f->groups_nr = (u32)((nr + GROUP - 1) / GROUP);
	f->refs = lazy_alloc(nr * sizeof(u32));
	f->warm = lazy_alloc(nr * sizeof(u32));
	f->cold = lazy_alloc(cold_bytes(f));
	f->cold_nr = lazy_alloc(f->groups_nr * sizeof(u16));
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->came, NULL);
	if (!f->refs || !f->warm || !f->cold || !f->cold_nr) {
		gvm_frames_exit(f);
		return -ENOMEM;
	}
	f->top = 1;
	return 0;
}

void gvm_frames_exit(struct gvm_frames *f)
{
	u64 nr = f->arena->frames_nr;

	if (f->refs)
		munmap(f->refs, nr * sizeof(u32));
	if (f->warm)
		munmap(f->warm, nr * sizeof(u32));
	if (f->cold)
		munmap(f->cold, cold_bytes(f));
	if (f->cold_nr)
		munmap(f->cold_nr, f->groups_nr * sizeof(u16));
	pthread_cond_destroy(&f->came);
	pthread_mutex_destroy(&f->lock);
}

/*
 * Make the cold frames of one group warm.  Pushed downwards, so that they are
 * handed out upwards and neighbours in time are neighbours in memory.
 */
static int warm_group(struct gvm_frames *f)
{
	u32 g, at, end, err_nr = 0;

	for (g = f->group_hint; g < f->groups_nr && !f->cold_nr[g]; g++)
		;
	f->group_hint = g;
	if (g == f->groups_nr)
		return -ENOSPC;

	for (end = (g + 1) * GROUP; end > g * GROUP; end = at) {
		at = end - 1;
		if (!(f->cold[at / 64] & 1ull << at % 64))
			continue;
		while (at > g * GROUP &&
		       f->cold[(at - 1) / 64] & 1ull << (at - 1) % 64)
			at--;
		if (gvm_arena_reserve(f->arena, at, end - at)) {
			err_nr++;
			continue;
		}
		for (u32 frame = end; frame-- > at; ) {
			f->cold[frame / 64] &= ~(1ull << frame % 64);
			f->warm[f->warm_nr++] = frame;
		}
		f->cold_nr[g] = (u16)(f->cold_nr[g] - (end - at));
	}
	return err_nr ? -ENOSPC : 0;
}

/*
 * Frames above top were never used: they are cold without a bit, so that a
 * large capacity costs nothing at start.
 */
static int warm_top(struct gvm_frames *f)
{
	u32 first = f->top;
	u32 end = (first / GROUP + 1) * GROUP;

	if (end > f->arena->frames_nr)
		end = f->arena->frames_nr;
	if (first >= end || gvm_arena_reserve(f->arena, first, end - first))
		return -ENOSPC;
	for (u32 frame = end; frame-- > first; )
		f->warm[f->warm_nr++] = frame;
	f->top = end;
	return 0;
}

/* Called with f->lock held. */
static bool enough(struct gvm_frames *f, u32 n)
{
	while (f->warm_nr < n) {
		if (warm_group(f) && f->warm_nr < n && warm_top(f))
			return false;
	}
	return true;
}

int gvm_frames_take(struct gvm_frames *f, enum gvm_frame_kind kind, u32 n,
		    u32 *ret_frames)
{
	if (!n)
		return 0;
	pthread_mutex_lock(&f->lock);
	if (!enough(f, n)) {
		int err = f->owed ? -EAGAIN : -ENOSPC;

		pthread_mutex_unlock(&f->lock);
		return err;
	}
	for (u32 i = 0; i < n; i++) {
		u32 frame = f->warm[--f->warm_nr];

		__atomic_store_n(&f->refs[frame], 1, __ATOMIC_RELAXED);
		ret_frames[i] = frame;
	}
	if (kind == GVM_FRAME_NODE)
		f->used[kind] += n;
	pthread_mutex_unlock(&f->lock);
	return 0;
}

void gvm_frames_wait(struct gvm_frames *f)
{
	pthread_mutex_lock(&f->lock);
	/* Whatever is owed comes, and is told, so this ends. */
	if (f->owed) {
		f->waiters++;
		pthread_cond_wait(&f->came, &f->lock);
		f->waiters--;
	}
	pthread_mutex_unlock(&f->lock);
}

int gvm_frames_charge(struct gvm_frames *f, u32 n)
{
	int err = 0;

	if (!n)
		return 0;
	pthread_mutex_lock(&f->lock);
	if (f->used[GVM_FRAME_DATA] + n <= f->arena->pages_max)
		f->used[GVM_FRAME_DATA] += n;
	else
		err = f->owed ? -EAGAIN : -ENOSPC;
	pthread_mutex_unlock(&f->lock);
	return err;
}

void gvm_frames_recharge(struct gvm_frames *f, u32 n)
{
	if (!n)
		return;
	pthread_mutex_lock(&f->lock);
	f->used[GVM_FRAME_DATA] += n;
	pthread_mutex_unlock(&f->lock);
}

/* n frames without references, of which so many had a place of their own. */
static void give_back(struct gvm_frames *f, enum gvm_frame_kind kind, u32 n,
		      const u32 *frames, u32 charged)
{
	if (!n)
		return;
	pthread_mutex_lock(&f->lock);
	memcpy(f->warm + f->warm_nr, frames, n * sizeof(u32));
	f->warm_nr += n;
	f->used[kind] -= charged;
	if (f->waiters)
		pthread_cond_broadcast(&f->came);
	pthread_mutex_unlock(&f->lock);
}

/* Release what we read of it; acquire what the others did. */
static u32 drop_one(struct gvm_frames *f, u32 frame)
{
	return __atomic_sub_fetch(&f->refs[frame], 1, __ATOMIC_ACQ_REL);
}

void gvm_frames_put(struct gvm_frames *f, enum gvm_frame_kind kind, u32 n,
		    u32 *frames)
{
	u32 last = 0, charged = 0;

	for (u32 i = 0; i < n; i++) {
		u32 refs = drop_one(f, frames[i]);

		if (refs & ~GVM_FRAME_SUCCEEDED)
			continue;
		charged += !refs;
		frames[last++] = frames[i];
	}
	give_back(f, kind, last, frames, charged);
}

void gvm_frames_untake(struct gvm_frames *f, u32 n, const u32 *frames)
{
	give_back(f, GVM_FRAME_DATA, n, frames, 0);
}

bool gvm_frames_drop(struct gvm_frames *f, u32 frame)
{
	return !drop_one(f, frame);
}

void gvm_frames_free_node(struct gvm_frames *f, u32 frame)
{
	give_back(f, GVM_FRAME_NODE, 1, &frame, 1);
}

void gvm_frames_adopt(struct gvm_frames *f, enum gvm_frame_kind kind, u32 frame)
{
	if (!f->refs[frame]++)
		f->used[kind]++;
	if (frame >= f->top)
		f->top = frame + 1;
}

void gvm_frames_settle(struct gvm_frames *f)
{
	u32 end;

	/* Free ones may have kept their place on the disk until now. */
	for (u32 frame = 1; frame < f->top; frame = end) {
		end = frame + 1;
		if (f->refs[frame])
			continue;
		while (end < f->top && !f->refs[end])
			end++;
		for (u32 i = frame; i < end; i++)
			set_cold(f, i);
		gvm_arena_release(f->arena, frame, end - frame);
	}
	gvm_arena_release(f->arena, f->top, f->arena->frames_nr - f->top);
}

static int by_number(const void *a, const void *b)
{
	u32 x = *(const u32 *)a;
	u32 y = *(const u32 *)b;

	return x < y ? -1 : x > y;
}

static void release_runs(struct gvm_frames *f, u32 *batch, u32 n)
{
	u32 end;

	qsort(batch, n, sizeof(*batch), by_number);
	for (u32 i = 0; i < n; i = end) {
		for (end = i + 1; end < n; end++) {
			if (batch[end] != batch[end - 1] + 1)
				break;
		}
		gvm_arena_release(f->arena, batch[i], end - i);
	}
}

void gvm_frames_trim(struct gvm_frames *f, u32 keep)
{
	u32 *batch = malloc(TRIM_BATCH * sizeof(*batch));
	u32 n;

	/* No memory to give memory back: the next call may have some. */
	if (!batch)
		return;
	pthread_mutex_lock(&f->lock);
	while (f->warm_nr > keep) {
		n = f->warm_nr - keep;
		if (n > TRIM_BATCH)
			n = TRIM_BATCH;
		/* From the bottom, which has rested longest. */
		memcpy(batch, f->warm, n * sizeof(u32));
		f->warm_nr -= n;
		memmove(f->warm, f->warm_nr > n ? f->warm + f->warm_nr :
			f->warm + n, (f->warm_nr > n ? n : f->warm_nr) *
			sizeof(u32));
		/* For a moment they are nobody's: whoever needs them waits. */
		f->owed++;
		pthread_mutex_unlock(&f->lock);

		release_runs(f, batch, n);

		pthread_mutex_lock(&f->lock);
		for (u32 i = 0; i < n; i++)
			set_cold(f, batch[i]);
		f->owed--;
		if (f->waiters)
			pthread_cond_broadcast(&f->came);
	}
	pthread_mutex_unlock(&f->lock);
	free(batch);
}

bool gvm_frames_want_trim(struct gvm_frames *f)
{
	bool want;

	pthread_mutex_lock(&f->lock);
	want = f->warm_nr > 2 * GVM_FRAMES_KEEP + f->used[GVM_FRAME_DATA] / 16;
	pthread_mutex_unlock(&f->lock);
	return want;
}

void gvm_frames_owe(struct gvm_frames *f)
{
	pthread_mutex_lock(&f->lock);
	f->owed++;
	pthread_mutex_unlock(&f->lock);
}

void gvm_frames_paid(struct gvm_frames *f)
{
	pthread_mutex_lock(&f->lock);
	f->owed--;
	pthread_cond_broadcast(&f->came);
	pthread_mutex_unlock(&f->lock);
}

u32 gvm_frames_used(struct gvm_frames *f, enum gvm_frame_kind kind)
{
	u32 n;

	pthread_mutex_lock(&f->lock);
	n = f->used[kind];
	pthread_mutex_unlock(&f->lock);
	return n;
}

u32 gvm_frames_room(struct gvm_frames *f)
{
	u64 used, by_capacity, by_frames;

	pthread_mutex_lock(&f->lock);
	used = f->used[GVM_FRAME_DATA];
	/* For a moment it can be a page too many (gvm_frames_recharge). */
	by_capacity = f->arena->pages_max > used ?
		      f->arena->pages_max - used : 0;
	by_frames = f->arena->frames_nr - 1 - used - f->used[GVM_FRAME_NODE];
	pthread_mutex_unlock(&f->lock);
	return (u32)(by_capacity < by_frames ? by_capacity : by_frames);
}

u64 gvm_frames_overhead_bytes(struct gvm_frames *f)
{
	u64 bytes;

	pthread_mutex_lock(&f->lock);
	bytes = (u64)f->top * sizeof(u32) + f->top / 8 +
		f->top / GROUP * sizeof(u16) + (u64)f->warm_nr * sizeof(u32) +
		(u64)f->used[GVM_FRAME_NODE] * GVM_PAGE_BYTES;
	pthread_mutex_unlock(&f->lock);
	return bytes;
}
