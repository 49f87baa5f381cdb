// SPDX-License-Identifier: GPL-2.0-or-later
/* Bare threads, futexes and the clock; see thread.h for the reasons. */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

#include "mem.h"
#include "sys.h"
#include "thread.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define WITH_PTHREAD 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define WITH_PTHREAD 1
#endif
#endif

void gvm_futex_wait(u32 *word, u32 value)
{
	gvm_sys(SYS_futex, word, FUTEX_WAIT, value, 0, 0, 0);
}

void gvm_futex_wake(u32 *word)
{
	gvm_sys(SYS_futex, word, FUTEX_WAKE, 1 << 30, 0, 0, 0);
}

/* Drepper, "Futexes Are Tricky" (2011), mutex 2. */
void gvm_lock(struct gvm_lock *l)
{
	u32 seen = 0;

	if (__atomic_compare_exchange_n(&l->word, &seen, 1, false,
					__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	while (__atomic_exchange_n(&l->word, 2, __ATOMIC_ACQUIRE))
		gvm_futex_wait(&l->word, 2);
}

void gvm_unlock(struct gvm_lock *l)
{
	if (__atomic_exchange_n(&l->word, 0, __ATOMIC_RELEASE) == 2)
		gvm_futex_wake(&l->word);
}

u64 gvm_now_ns(void)
{
	struct timespec ts = { 0, 0 };

	/* The vDSO call has no use for thread-local storage on success. */
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000ull + (u64)ts.tv_nsec;
}

#ifdef WITH_PTHREAD

/* Sanitizers must see every thread being made. */
static void *pthread_main(void *arg)
{
	struct gvm_thread *t = arg;

	t->run(t->arg);
	__atomic_store_n(&t->tid, 0, __ATOMIC_RELEASE);
	gvm_futex_wake(&t->tid);
	return NULL;
}

static int start(struct gvm_thread *t)
{
	pthread_t id;
	int err;

	t->tid = 1;
	err = pthread_create(&id, NULL, pthread_main, t);
	if (err)
		return -err;
	pthread_detach(id);
	return 0;
}

#else

static void bare_main(void *arg)
{
	struct gvm_thread *t = arg;

	t->run(t->arg);
	gvm_sys(SYS_exit, 0);
	__builtin_unreachable();
}

/*
 * clone(2) by hand: the child comes back on its own empty stack, so the call
 * and what follows it must be one piece of assembly.
 */
static long bare_clone(unsigned long flags, void *stack_top, u32 *clear_tid,
		       void (*fn)(void *arg), void *arg)
{
#if defined(__x86_64__)
	register long r10 __asm__("r10") = (long)clear_tid;
	register long r8 __asm__("r8") = 0;
	register long r12 __asm__("r12") = (long)fn;
	register long r13 __asm__("r13") = (long)arg;
	long ret;

	__asm__ volatile(
		"syscall\n\t"
		"test %%rax, %%rax\n\t"
		"jnz 1f\n\t"
		"xor %%ebp, %%ebp\n\t"
		"mov %%r13, %%rdi\n\t"
		"call *%%r12\n\t"
		"ud2\n"
		"1:\n\t"
		: "=a"(ret)
		: "a"((long)SYS_clone), "D"(flags), "S"(stack_top),
		  "d"((long)clear_tid), "r"(r10), "r"(r8), "r"(r12), "r"(r13)
		: "rcx", "r11", "memory");
	return ret;
#else
#error "pager/thread.c: write the clone of this machine here"
#endif
}

static int start(struct gvm_thread *t)
{
	const unsigned long flags = CLONE_VM | CLONE_FS | CLONE_FILES |
		CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
		CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
	long ret;

	t->stack = gvm_mem_map(GVM_THREAD_STACK_BYTES);
	if (!t->stack)
		return -ENOMEM;
	ret = bare_clone(flags, (u8 *)t->stack + GVM_THREAD_STACK_BYTES,
			 &t->tid, bare_main, t);
	if (ret < 0) {
		gvm_mem_unmap(t->stack, GVM_THREAD_STACK_BYTES);
		t->stack = NULL;
		return (int)ret;
	}
	return 0;
}

#endif

int gvm_thread_start(struct gvm_thread *t, void (*run)(void *arg), void *arg)
{
	u64 all = ~0ull, old = 0;
	int err;

	*t = (struct gvm_thread){ .run = run, .arg = arg };
	/* Inherited by the thread: no handler of the program may run in it. */
	gvm_sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof(all));
	err = start(t);
	gvm_sys(SYS_rt_sigprocmask, SIG_SETMASK, &old, 0, sizeof(old));
	return err;
}

void gvm_thread_join(struct gvm_thread *t)
{
	u32 tid;

	while ((tid = __atomic_load_n(&t->tid, __ATOMIC_ACQUIRE)))
		gvm_futex_wait(&t->tid, tid);
	gvm_thread_forget(t);
}

void gvm_thread_forget(struct gvm_thread *t)
{
	gvm_mem_unmap(t->stack, GVM_THREAD_STACK_BYTES);
	t->stack = NULL;
	t->tid = 0;
}
