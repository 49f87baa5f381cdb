// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The lock of the folder: a futex, with all signals blocked while it is held.
 *
 * Not a pthread mutex: it is taken inside allocators and before libc has run
 * its constructors.  Signals: a handler that maps memory in the thread that
 * holds the lock would wait for itself.
 */
#include <linux/futex.h>

#include "attach.h"
#include "sys.h"

#define SIG_BLOCK_ALL	0	/* SIG_BLOCK; the kernel's mask is 8 bytes */
#define SIG_SET_MASK	2	/* SIG_SETMASK */

static u32 word;		/* 0 free, 1 taken, 2 taken and waited for */

void gvm_attach_lock(u64 *ret_mask)
{
	u64 all = ~(u64)0;
	u32 seen = 0;

	gvm_attach_check_orphan();
	gvm_sys(SYS_rt_sigprocmask, SIG_BLOCK_ALL, &all, ret_mask, 8);
	if (__atomic_compare_exchange_n(&word, &seen, 1, false,
					__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	while (__atomic_exchange_n(&word, 2, __ATOMIC_ACQUIRE) != 0)
		gvm_sys(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 2, NULL);
}

void gvm_attach_unlock(u64 mask)
{
	if (__atomic_exchange_n(&word, 0, __ATOMIC_RELEASE) == 2)
		gvm_sys(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1);
	gvm_sys(SYS_rt_sigprocmask, SIG_SET_MASK, &mask, NULL, 8);
}

void gvm_attach_lock_reset(bool held)
{
	__atomic_store_n(&word, held, __ATOMIC_RELAXED);
}
