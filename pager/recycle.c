// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Frames of pages that left, used again for pages that arrive.
 *
 * UFFDIO_COPY takes every frame new from the kernel, and what staging releases
 * is given back: allocating, charging and freeing a frame costs more than
 * moving the bytes.  So a long run of pages that arrives is put into frames
 * that staging has released, and UFFDIO_MOVE maps them.  Those frames are free
 * ones that happen to hold memory: never more than the limit leaves free.
 *
 * MOVE cannot write-protect, and protecting a page afterwards leaves a moment
 * in which the program writes unseen.  So such a page is mapped writable, and
 * only when it leaves is it found out whether it was written: then it lies in
 * staging, out of everybody's reach, and its fingerprint is compared with the
 * one from before it was mapped.  Equal: it is home's copy, and clean.
 *
 * The fingerprint is no checksum.  It is a universal hash with a secret random
 * key of the length of a page (CLNH: Lemire and Kaser, "Faster 64-bit universal
 * hashing using carry-less multiplications", 2016): whatever was written, the
 * chance that a changed page passes is 2^-64.  At a million changed pages a
 * second that is one in half a million years.  Nobody sees key or fingerprint.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <sys/mman.h>
#include <wmmintrin.h>

#include "engine.h"
#include "mem.h"
#include "sys.h"

#define RUN_MIN		8u	/* fewer pages are not worth a MOVE */
#define GIVE_MIN	64u	/* frames given back at once, at least */
#define SEALS_MAX	(1u << 30)

static bool has_clmul(void)
{
	u32 a, b, c, d;

	return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_PCLMUL);
}

/* Without it nothing is recycled: slower, and right all the same. */
int gvm_recycle_init(struct gvm_shard *s, u64 frames)
{
	struct gvm_recycle *r = &s->recycle;
	u32 nr = 64;

	*r = (struct gvm_recycle){ .seals = NULL };
	if (!s->gvm->move || !has_clmul())
		return 0;
	while (nr < frames && nr < SEALS_MAX)
		nr *= 2;
	r->key = gvm_mem_map(GVM_PAGE_BYTES);
	r->seals = gvm_mem_map((u64)nr * sizeof(*r->seals));
	if (!r->key || !r->seals)
		return -ENOMEM;
	r->seals_nr = nr;
	for (u32 at = 0; at < GVM_PAGE_BYTES; at += 256)
		if (gvm_sys(SYS_getrandom, r->key + at, 256, 0) != 256)
			return -EIO;
	return 0;
}

void gvm_recycle_fini(struct gvm_shard *s)
{
	struct gvm_recycle *r = &s->recycle;

	gvm_mem_unmap(r->key, GVM_PAGE_BYTES);
	gvm_mem_unmap(r->seals, (u64)r->seals_nr * sizeof(*r->seals));
	*r = (struct gvm_recycle){ .seals = NULL };
}

/* Products of 64 bit halves; four sums, because each waits for its last. */
__attribute__((target("pclmul")))
static void fingerprint(const u8 *page, const u8 *key, u64 ret_print[2])
{
	__m128i a = _mm_setzero_si128(), b = a, c = a, d = a;

	for (u32 at = 0; at < GVM_PAGE_BYTES; at += 64) {
		const __m128i *p = (const void *)(page + at);
		const __m128i *k = (const void *)(key + at);
		__m128i w = _mm_xor_si128(_mm_loadu_si128(p), k[0]);
		__m128i x = _mm_xor_si128(_mm_loadu_si128(p + 1), k[1]);
		__m128i y = _mm_xor_si128(_mm_loadu_si128(p + 2), k[2]);
		__m128i z = _mm_xor_si128(_mm_loadu_si128(p + 3), k[3]);

		a = _mm_xor_si128(a, _mm_clmulepi64_si128(w, w, 0x10));
		b = _mm_xor_si128(b, _mm_clmulepi64_si128(x, x, 0x10));
		c = _mm_xor_si128(c, _mm_clmulepi64_si128(y, y, 0x10));
		d = _mm_xor_si128(d, _mm_clmulepi64_si128(z, z, 0x10));
	}
	a = _mm_xor_si128(_mm_xor_si128(a, b), _mm_xor_si128(c, d));
	_mm_storeu_si128((__m128i *)(void *)ret_print, a);
}

static struct gvm_seal *seal_at(struct gvm_recycle *r, u32 nr)
{
	return &r->seals[nr % r->seals_nr];
}

/*
 * Does the dirty page, now at memory, equal home's copy?  Its word says which
 * seal it had; a later page may have taken that over, then nobody knows.
 */
bool gvm_recycle_same(struct gvm_shard *s, u64 va, u32 word,
		      const u8 *memory, u32 *ret_crc)
{
	const struct gvm_seal *seal;
	u64 print[2];

	if (word < GVM_WORD_SEAL)
		return false;
	seal = seal_at(&s->recycle, word / GVM_WORD_SEAL - 1);
	if (seal->va != va)
		return false;
	fingerprint(memory, s->recycle.key, print);
	if (print[0] != seal->print[0] || print[1] != seal->print[1])
		return false;
	*ret_crc = seal->crc;
	return true;
}

static struct gvm_slot *slot_at(struct gvm_staging *st, u64 pos)
{
	return &st->slots[pos % st->ring];
}

/* Give back the oldest spare frames, so many or a few more. */
static void give_back(struct gvm_staging *st, u64 frames)
{
	const u64 from = st->spare;

	for (; st->spare < st->tail && frames; st->spare++) {
		struct gvm_slot *slot = slot_at(st, st->spare);

		if (slot->what != GVM_SLOT_DEAD)
			continue;
		slot->what = GVM_SLOT_FREE;
		st->spares--;
		frames--;
	}
	gvm_staging_drop(st, from, st->spare);
}

/*
 * Staging has released `frames` frames: which are kept?  As many as streams
 * took lately.  The rest of the ring must not fill up behind a few old ones.
 */
void gvm_recycle_keep(struct gvm_shard *s, u64 frames)
{
	struct gvm_staging *st = &s->staging;
	u64 most = s->recycle.wanted < s->high ? s->recycle.wanted : s->high;

	if (st->spares > most)
		give_back(st, st->spares - most);
	if (st->tail - st->spare > st->ring / 4)
		give_back(st, st->spares);
	if (!st->spares)
		st->spare = st->tail;
	frames = (frames + 3) / 4;
	s->recycle.wanted -= frames < s->recycle.wanted ? frames :
			     s->recycle.wanted;
}

/* So many frames are about to be taken from the kernel: do they fit? */
void gvm_recycle_fit(struct gvm_shard *s, u64 frames)
{
	struct gvm_staging *st = &s->staging;
	u64 all = s->cache.resident + st->present + st->spares + frames;

	if (!st->spares || all <= s->frames)
		return;
	all -= s->frames;
	give_back(st, all < GIVE_MIN ? GIVE_MIN : all);
}

/* Neighbouring spare frames at the old end, at most so many. */
static u32 spare_run(struct gvm_staging *st, u32 most)
{
	u64 lap_end;
	u32 n = 0;

	while (st->spare < st->tail &&
	       slot_at(st, st->spare)->what != GVM_SLOT_DEAD)
		st->spare++;
	lap_end = (st->spare / st->ring + 1) * st->ring;
	while (n < most && st->spare + n < st->tail &&
	       st->spare + n < lap_end &&
	       slot_at(st, st->spare + n)->what == GVM_SLOT_DEAD)
		n++;
	return n;
}

/* Fill n spare frames, seal them, and map them at va; how many were. */
static u32 move_in(struct gvm_shard *s, const struct gvm_request_page *p, u32 n,
		   const u8 *body)
{
	struct gvm_staging *st = &s->staging;
	struct gvm_recycle *r = &s->recycle;
	u8 *memory = gvm_slot_memory(st, (u32)(st->spare % st->ring));
	u64 done;

	for (u32 i = 0; i < n; i++) {
		struct gvm_seal *seal = seal_at(r, r->next + i);

		seal->va = p[i].va;
		seal->crc = p[i].crc;
		fingerprint(body + (u64)i * GVM_PAGE_BYTES, r->key,
			    seal->print);
	}
	memcpy(memory, body, (u64)n * GVM_PAGE_BYTES);
	/* Whatever it refuses is copied, and what copying says counts. */
	gvm_uffd_move(s->uffd, p->va, (u64)(uintptr_t)memory,
		      (u64)n * GVM_PAGE_BYTES, &done);
	n = (u32)(done >> GVM_PAGE_SHIFT);
	for (u32 i = 0; i < n; i++)
		slot_at(st, st->spare + i)->what = GVM_SLOT_FREE;
	st->spare += n;
	st->spares -= n;
	return n;
}

/*
 * Install as many as possible of n neighbours that arrived side by side.  The
 * caller copies the rest, and all of them where a mapping is not plain.
 */
u32 gvm_recycle_install(struct gvm_shard *s, const struct gvm_request_page *p,
			u32 n, const void *body, enum gvm_cache_why why)
{
	struct gvm_recycle *r = &s->recycle;
	struct gvm_chunk *chunk = gvm_chunk_of(s, p->va);
	u32 idx = gvm_page_idx(p->va), done = 0, run, moved;
	struct gvm_range range;
	u16 actions;

	if (!r->seals || n < RUN_MIN)
		return 0;
	r->wanted += n;
	if (r->wanted > s->high)
		r->wanted = s->high;
	if (!s->staging.spares ||
	    !gvm_ranges_find(&s->gvm->ranges, p->va, &range) || range.fd >= 0)
		return 0;
	do {
		run = spare_run(&s->staging, n - done);
		if (run < RUN_MIN && run < n - done)
			break;
		moved = move_in(s, p + done, run,
				(const u8 *)body + (u64)done * GVM_PAGE_BYTES);
		for (u32 i = 0; i < moved; i++, done++) {
			gvm_page_event(s, chunk, idx + done, GVM_EV_DATA,
				       &actions);
			gvm_page_event(s, chunk, idx + done,
				       GVM_EV_WRITE_FAULT, &actions);
			chunk->word[idx + done] = GVM_WORD_STORED |
				(r->next++ % r->seals_nr + 1) * GVM_WORD_SEAL;
			gvm_cache_insert(&s->cache, chunk, idx + done, why);
		}
	} while (done < n && moved == run);
	/* Refused, as where the program changed permissions: ask for none. */
	if (!done)
		r->wanted = 0;
	return done;
}
