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
 * protection that succeeds, after one that did, says that there was no unmap
 * in between: asked once more before the drop it makes the dangerous time
 * short, and asked after it, it tells whether anything happened.
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
		ok = gvm_uffd_copy(s->uffd, (u64)(uintptr_t)to,
				   (const void *)(uintptr_t)va, GVM_PAGE_BYTES,
				   false, &done) == GVM_FILL_OK;
	else
		ok = gvm_sys(SYS_process_vm_readv, gvm_sys(SYS_getpid), &local,
			     1, &remote, 1, 0) == (long)GVM_PAGE_BYTES;
	__atomic_store_n(&s->copying, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&s->copies, s->copies + 1, __ATOMIC_RELAXED);
	return ok;
}

/* Nothing was unmapped since the last time that this was true. */
static bool undisturbed(struct gvm_shard *s, u64 va)
{
	return gvm_uffd_protect(s->uffd, va, GVM_PAGE_BYTES, true) ==
	       GVM_FILL_OK;
}

/* Is anything mapped in this range? */
static bool is_mapped(u64 va, u64 len)
{
	u8 here;

	for (u64 at = va; at < va + len; at += GVM_PAGE_BYTES)
		if (!gvm_sys(SYS_mincore, at, GVM_PAGE_BYTES, &here))
			return true;
	return false;
}

/*
 * Something was unmapped around the time of the drop.  Read what; if it was
 * this, and there is new memory in its place, nobody knows whether the drop
 * came before or behind it.  (Nor do we see new memory that was used and
 * unmapped again within these few microseconds.)
 */
static void look_into(struct gvm_shard *s, u64 va, u64 len)
{
	u32 tries = 0, at = s->events_nr;

	do {
		if (++tries > TRIES_MAX)
			gvm_fatal(s->gvm, "the kernel does not tell what was unmapped near 0x%llx; stopping %s",
				  (unsigned long long)va, s->gvm->name);
		gvm_fault_collect(s);
		gvm_sys(SYS_sched_yield);
	} while (gvm_uffd_protect(s->uffd, va, GVM_PAGE_BYTES, true) ==
		 GVM_FILL_AGAIN);

	for (; at < s->events_nr; at++) {
		const struct gvm_uffd_event *e = &s->events[at];
		u64 from = e->addr > va ? e->addr : va;
		u64 to = e->addr + e->len < va + len ? e->addr + e->len :
			 va + len;

		if (from < to && is_mapped(from, to - from))
			gvm_fatal(s->gvm, "the page at 0x%llx was unmapped and mapped anew by system calls that giantvm did not see, while it was being taken away; stopping %s before it can see a wrong byte",
				  (unsigned long long)from, s->gvm->name);
	}
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
		err = gvm_sys(SYS_madvise, va, len, MADV_DONTNEED);
	if (err && (range->shared || err != -ENOMEM))
		gvm_fatal(s->gvm, "cannot drop the page at 0x%llx; stopping %s",
			  (unsigned long long)va, s->gvm->name);
}

u32 gvm_copy_run(struct gvm_shard *s, struct gvm_chunk *chunk, u32 first, u32 n,
		 const struct gvm_range *range)
{
	const u64 va = gvm_page_va(chunk, first);
	struct gvm_staging *st = &s->staging;
	u32 copied = 0;

	gvm_guard_start(s->gvm);
	if (gvm_uffd_protect(s->uffd, va, (u64)n * GVM_PAGE_BYTES, true) !=
	    GVM_FILL_OK)
		return 0;
	while (copied < n &&
	       copy_to_slot(s, (u32)((st->head + copied) % st->ring),
			    va + (u64)copied * GVM_PAGE_BYTES))
		copied++;
	if (!undisturbed(s, va)) {
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
			gvm_evict_staged(s, chunk, first + i);
		if (!range->shared && !undisturbed(s, va))
			look_into(s, va, (u64)copied * GVM_PAGE_BYTES);
	}
	/* Writers that met the protection sleep until told to look again. */
	gvm_uffd_wake(s->uffd, va, (u64)n * GVM_PAGE_BYTES);
	return copied == n ? n : copied + 1;
}
