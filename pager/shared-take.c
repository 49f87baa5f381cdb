// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Take a page that is given away whole, in one step.
 *
 * To protect it, read it and drop it interrupts the other CPUs twice, and each
 * time waits for them: 10 us if they run threads of ours in a virtual machine.
 * UFFDIO_MOVE takes the page itself out of the program's memory at once; then
 * nobody can write or read it there, and it is read where it is now.  What it
 * refuses (a page that is pinned, kernels before 6.8, a memfd) goes the long way.
 *
 * What was taken lies in a few pages of our own, which are emptied when all are
 * used: that interrupts the others too, but once for all of them.
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "engine.h"
#include "mem.h"
#include "shared.h"
#include "sys.h"

#define TAKEN_PAGES	32u
#define TAKEN_BYTES	(TAKEN_PAGES * GVM_PAGE_BYTES)

void gvm_take_init(struct gvm_shared *r)
{
	if (!r->caps.move || r->memfd >= 0)
		return;
	r->taken = gvm_mem_map(TAKEN_BYTES);
	if (!r->taken)
		return;
	gvm_sys(SYS_madvise, r->taken, TAKEN_BYTES, MADV_NOHUGEPAGE);
	gvm_sys(SYS_madvise, r->taken, TAKEN_BYTES, MADV_DONTFORK);
	if (gvm_uffd_register(r->uffd, (u64)(uintptr_t)r->taken, TAKEN_BYTES))
		gvm_take_fini(r);
}

void gvm_take_fini(struct gvm_shared *r)
{
	gvm_mem_unmap(r->taken, TAKEN_BYTES);
	r->taken = NULL;
}

const u8 *gvm_page_take(struct gvm_shared *r, u64 page)
{
	u8 *to;
	u64 done;

	if (!r->taken)
		return NULL;
	if (r->taken_nr == TAKEN_PAGES) {
		if (gvm_sys(SYS_madvise, r->taken, TAKEN_BYTES, MADV_DONTNEED))
			return NULL;
		r->taken_nr = 0;
	}
	to = r->taken + r->taken_nr * GVM_PAGE_BYTES;
	if (gvm_uffd_move(r->uffd, (u64)(uintptr_t)to,
			  (u64)(uintptr_t)r->base + (page << GVM_PAGE_SHIFT),
			  GVM_PAGE_BYTES, &done) != GVM_FILL_OK)
		return NULL;
	r->taken_nr++;
	return to;
}
