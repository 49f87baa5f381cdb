/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fault threads, and waiting without libc.
 *
 * A fault thread is made by a bare clone: pthread_create() would call the
 * program's allocator, which may need a page that only this thread could
 * bring.  It shares its creator's thread-local storage, so it must not call
 * anything of libc that uses it (errno, malloc, stdio); mem* are fine.  All
 * signals are blocked in it.
 */
#ifndef GVM_PAGER_THREAD_H
#define GVM_PAGER_THREAD_H

#include "gvm_port.h"

struct gvm_thread {
	u32	tid;		/* futex: the kernel clears it at the end */
	void	*stack;
	void	(*run)(void *arg);
	void	*arg;
};

#define GVM_THREAD_STACK_BYTES	(256u << 10)

/* 0 or -errno.  t must stay where it is until gvm_thread_join(). */
int gvm_thread_start(struct gvm_thread *t, void (*run)(void *arg), void *arg);
/* Wait for the end of run(); frees the stack. */
void gvm_thread_join(struct gvm_thread *t);
/* After fork, in the child: the thread does not exist here. */
void gvm_thread_forget(struct gvm_thread *t);

/* Sleep while *word == value; spurious returns happen. */
void gvm_futex_wait(u32 *word, u32 value);
void gvm_futex_wake(u32 *word);

/* A lock for rare, short work; never taken on the fault path. */
struct gvm_lock {
	u32	word;		/* 0 free, 1 taken, 2 taken and waited for */
};

void gvm_lock(struct gvm_lock *l);
void gvm_unlock(struct gvm_lock *l);

u64 gvm_now_ns(void);		/* CLOCK_MONOTONIC */

#endif
