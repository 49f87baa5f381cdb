// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Take pages away by copying: write-protect, copy, drop, wake.  For kernels
 * that cannot move a page, and for memory that is not plain anonymous.
 *
 * A write between the copy and the drop is impossible, because the page is
 * protected and this thread alone could lift that.  The writer sleeps; nothing
 * but our WAKE wakes it, after which it finds the page missing.  Device DMA
 * ignores the protection: pages that a device may write must be held
 * (gvm_hold).
 *
 * The drop goes by address, and the program may have unmapped it meanwhile by
 * a system call that we did not see, and have mapped something new there: what
 * was written to that would be lost.  While memory of ours is being unmapped
 * the kernel refuses UFFDIO_WRITEPROTECT, until we have read the event.  So a
 * question that is not refused, after one that was not, says that there was no
 * unmap in between: asked before the drop it makes the dangerous time short,
 * and asked after it, it tells whether anything happened.  That is too late to
 * hide it (the kernel has no call that drops a page only if it is still ours):
 * another thread may have read a zero by the time the program is stopped.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>

#include "engine.h"
#include "sys.h"

#define TRIES_MAX	200000u

/* Fill a slot with what lies at va; false: it cannot be read. */
static bool copy_to_slot(struct gvm_shard *s, u32 slot, u64 va)
{
	u8 *to = gvm_slot_memory(&s->staging, slot);
	struct iovec local = { to, GVM_PAGE_BYTES };
	struct iovec remote = { (void *)(uintptr_t)va, GVM_PAGE_BYTES };
	bool ok;
	u64 done;

	/* If it is not there after all, this waits for ourselves: guard.c. */
	__atomic_store_n(&s->copying, va, __ATOMIC_RELAXED);
	/*
	 * Not memcpy: the program may have taken read permission away, and
	 * that must not become a signal in its own name.
	 */
	if (s->gvm->move)
		ok = gvm_uffd_copy(s->staging_uffd, (u64)(uintptr_t)to,
				   (const void *)(uintptr_t)va, GVM_PAGE_BYTES,
				   false, &done) == GVM_FILL_OK;
	else
		ok = gvm_sys(SYS_process_vm_readv, gvm_sys(SYS_getpid), &local,
			     1, &remote, 1, 0) == (long)GVM_PAGE_BYTES;
	__atomic_store_n(&s->copying, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&s->copies, s->copies + 1, __ATOMIC_RELAXED);
	return ok;
}

static_assert(GVM_REQUEST_PAGES <= 128, "one bit for each page of a run");

/* Which pages of this range are mapped, as bits. */
static void see_mapped(u64 va, u64 len, u64 ret_mapped[2])
{
	u8 here;

	ret_mapped[0] = ret_mapped[1] = 0;
	for (u64 i = 0; i < len >> GVM_PAGE_SHIFT; i++)
		if (!gvm_sys(SYS_mincore, va + (i << GVM_PAGE_SHIFT),
			     GVM_PAGE_BYTES, &here))
			ret_mapped[i / 64] |= 1ull << i % 64;
}

/* This was unmapped; is there anything new in its place? */
static void judge(struct gvm_shard *s, const struct gvm_uffd_event *e, u64 va,
		  u64 len, const u64 mapped[2])
{
	for (u64 i = 0; i < len >> GVM_PAGE_SHIFT; i++) {
		u64 page = va + (i << GVM_PAGE_SHIFT);

		if (page >= e->addr && page < e->addr + e->len &&
		    mapped[i / 64] >> i % 64 & 1)
			gvm_fatal(s->gvm, "the page at 0x%llx was unmapped and mapped anew by system calls that giantvm did not see, while it was being taken away; what was written there since may be lost, so %s is stopped (munmap() of the C library is supported)",
				  (unsigned long long)page, s->gvm->name);
	}
}

/*
 * Who unmapped sleeps until we read the event.  So what is mapped before the
 * reading was mapped by somebody else, and perhaps before we took it; what is
 * mapped only after it we cannot have taken.  Only where events were read
 * meanwhile, as copying does, is what is mapped now all that can be known.
 */
void gvm_look_back(struct gvm_shard *s, u64 va, u64 len, u32 at)
{
	const bool changing = gvm_uffd_changing(s->uffd);
	u64 mapped[2];
	u32 tries = 0;

	if (!len || (!changing && at == s->events_nr))
		return;
	see_mapped(va, len, mapped);
	while (gvm_uffd_changing(s->uffd)) {
		if (++tries > TRIES_MAX)
			gvm_fatal(s->gvm, "the kernel does not tell what was unmapped near 0x%llx; stopping %s",
				  (unsigned long long)va, s->gvm->name);
		gvm_fault_collect(s);
		gvm_sys(SYS_sched_yield);
	}
	for (; at < s->events_nr; at++)
		judge(s, &s->events[at], va, len, mapped);
}

/*
 * Let go of what was copied.  ENOMEM: unmapped by now.  Whoever did that
 * sleeps until we read the event, which then forgets these pages.
 */
static void drop(struct gvm_shard *s, const struct gvm_range *range, u64 va,
		 u64 len)
{
	long err;

	if (range->shared)
		err = gvm_sys(SYS_fallocate, range->fd, FALLOC_FL_PUNCH_HOLE |
			      FALLOC_FL_KEEP_SIZE,
			      range->offset + (va - range->start), len);
	else
		err = gvm_drop(s, va, len);
	if (err && (range->shared || err != -ENOMEM))
		gvm_fatal(s->gvm, "cannot drop the page at 0x%llx; stopping %s",
			  (unsigned long long)va, s->gvm->name);
}

/* The next slot has a page's content.  Forgotten while it was dropped: dead. */
static void stage(struct gvm_shard *s, struct gvm_chunk *chunk, u32 idx)
{
	struct gvm_staging *st = &s->staging;

	if (gvm_page_resident(chunk->state[idx])) {
		gvm_evict_staged(s, chunk, idx);
		return;
	}
	st->slots[st->head % st->ring] = (struct gvm_slot){
		.what = GVM_SLOT_DEAD,
	};
	st->head++;
	st->present++;
}

u32 gvm_copy_run(struct gvm_shard *s, struct gvm_chunk *chunk, u32 first, u32 n,
		 const struct gvm_range *range)
{
	const u64 va = gvm_page_va(chunk, first);
	struct gvm_staging *st = &s->staging;
	const u32 events = s->events_nr;
	u32 copied = 0;

	gvm_guard_start(s->gvm);
	if (gvm_uffd_protect(s->uffd, va, (u64)n * GVM_PAGE_BYTES, true) !=
	    GVM_FILL_OK)
		return 0;
	while (copied < n &&
	       copy_to_slot(s, (u32)((st->head + copied) % st->ring),
			    va + (u64)copied * GVM_PAGE_BYTES))
		copied++;
	if (gvm_uffd_changing(s->uffd)) {
		/* The pages stay; the loop reads the event first. */
		gvm_staging_unfill(st, copied);
		gvm_uffd_wake(s->uffd, va, (u64)n * GVM_PAGE_BYTES);
		return 0;
	}
	if (copied < n)
		gvm_evict_rotate(s, chunk, first + copied);
	if (copied) {
		drop(s, range, va, (u64)copied * GVM_PAGE_BYTES);
		for (u32 i = 0; i < copied; i++)
			stage(s, chunk, first + i);
		if (!range->shared)
			gvm_look_back(s, va, (u64)copied * GVM_PAGE_BYTES,
				      events);
	}
	/* Writers that met the protection sleep until told to look again. */
	gvm_uffd_wake(s->uffd, va, (u64)n * GVM_PAGE_BYTES);
	return copied == n ? n : copied + 1;
}
