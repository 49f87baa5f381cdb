// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A fault thread that copies a page reads the program's memory.  If the page is
 * not there, because the program gave it up by a system call that we did not
 * see, the kernel puts the thread to sleep until the fault is served: by the
 * same thread.  Nothing wakes it, and every later fault waits behind it.
 *
 * This thread notices, and stops the program with the reason.  It is made when
 * the first page is copied, so never where pages are moved, and wakes up as
 * often as an idle fault thread.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <time.h>

#include "engine.h"
#include "sys.h"

#define LOOK_NS		250000000l
#define LOOKS_PRIVATE	4u	/* the page table says for sure */
#define LOOKS_SHARED	40u	/* it does not know what is swapped out */
#define HERE_BITS	(3ull << 62)	/* /proc/self/pagemap: present, swapped */

static bool is_absent(u64 va)
{
	u64 entry = HERE_BITS;
	long fd = gvm_sys(SYS_openat, AT_FDCWD, "/proc/self/pagemap",
			  O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return false;
	gvm_sys(SYS_pread64, fd, &entry, sizeof(entry),
		(va >> GVM_PAGE_SHIFT) * sizeof(entry));
	gvm_sys(SYS_close, fd);
	return !(entry & HERE_BITS);
}

static void look_at(struct gvm *g, const struct gvm_shard *s, u64 *copies,
		    u32 *looks)
{
	u64 now = __atomic_load_n(&s->copies, __ATOMIC_RELAXED);
	u64 va = __atomic_load_n(&s->copying, __ATOMIC_RELAXED);
	struct gvm_range range;

	if (!va || now != *copies) {
		*copies = now;
		*looks = 0;
		return;
	}
	if (++*looks < LOOKS_PRIVATE)
		return;
	if (gvm_ranges_find(&g->ranges, va, &range) && range.shared &&
	    *looks < LOOKS_SHARED)
		return;
	if (is_absent(va))
		gvm_fatal(g, "the page at 0x%llx was dropped by a system call that giantvm did not see; stopping %s",
			  (unsigned long long)va, g->name);
}

static void run(void *gvm)
{
	static const struct timespec pause = { .tv_nsec = LOOK_NS };
	u64 copies[GVM_SHARDS_MAX] = { 0 };
	u32 looks[GVM_SHARDS_MAX] = { 0 };
	struct gvm *g = gvm;

	while (!__atomic_load_n(&g->guard_stop, __ATOMIC_ACQUIRE)) {
		gvm_sys(SYS_futex, &g->guard_stop, FUTEX_WAIT, 0, &pause, 0, 0);
		for (u32 i = 0; i < g->shards_nr; i++)
			look_at(g, g->shards[i], &copies[i], &looks[i]);
	}
}

/* From any shard's thread; without memory for it there is no guard. */
void gvm_guard_start(struct gvm *g)
{
	if (__atomic_load_n(&g->guarded, __ATOMIC_RELAXED) ||
	    __atomic_exchange_n(&g->guarded, 1, __ATOMIC_RELAXED))
		return;
	gvm_thread_start(&g->guard, run, g);
}

/* The shards have stopped. */
void gvm_guard_stop(struct gvm *g)
{
	if (!g->guarded)
		return;
	__atomic_store_n(&g->guard_stop, 1, __ATOMIC_RELEASE);
	gvm_futex_wake(&g->guard_stop);
	gvm_thread_join(&g->guard);
	g->guarded = 0;
}

/* In the child of a fork: it is not here. */
void gvm_guard_forget(struct gvm *g)
{
	gvm_thread_forget(&g->guard);
	g->guarded = 0;
}
