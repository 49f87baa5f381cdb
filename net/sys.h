/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System calls without libc: the result or -errno, and errno is never touched.
 *
 * Why not libc: the pager lives inside a program that it serves.  Its threads
 * are made by a bare clone (pager/thread.c) so that no allocator of that
 * program is entered, and they share the creator's thread-local storage, where
 * errno lives.
 */
#ifndef GVM_NET_SYS_H
#define GVM_NET_SYS_H

#include <sys/syscall.h>

#if defined(__x86_64__)
static inline long gvm_sys6(long nr, long a, long b, long c, long d, long e,
			    long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
			   "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
static inline long gvm_sys6(long nr, long a, long b, long c, long d, long e,
			    long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}
#else
#error "net/sys.h: write the system call of this machine here"
#endif

/* Pointers and integers both: gvm_sys(SYS_read, fd, buf, len). */
#define GVM_SYS_ARG(x)		((long)(x))
#define GVM_SYS0(n)		gvm_sys6(n, 0, 0, 0, 0, 0, 0)
#define GVM_SYS1(n, a)		gvm_sys6(n, GVM_SYS_ARG(a), 0, 0, 0, 0, 0)
#define GVM_SYS2(n, a, b)	gvm_sys6(n, GVM_SYS_ARG(a), GVM_SYS_ARG(b), \
					 0, 0, 0, 0)
#define GVM_SYS3(n, a, b, c)	gvm_sys6(n, GVM_SYS_ARG(a), GVM_SYS_ARG(b), \
					 GVM_SYS_ARG(c), 0, 0, 0)
#define GVM_SYS4(n, a, b, c, d)	gvm_sys6(n, GVM_SYS_ARG(a), GVM_SYS_ARG(b), \
					 GVM_SYS_ARG(c), GVM_SYS_ARG(d), 0, 0)
#define GVM_SYS5(n, a, b, c, d, e) \
	gvm_sys6(n, GVM_SYS_ARG(a), GVM_SYS_ARG(b), GVM_SYS_ARG(c), \
		 GVM_SYS_ARG(d), GVM_SYS_ARG(e), 0)
#define GVM_SYS6(n, a, b, c, d, e, f) \
	gvm_sys6(n, GVM_SYS_ARG(a), GVM_SYS_ARG(b), GVM_SYS_ARG(c), \
		 GVM_SYS_ARG(d), GVM_SYS_ARG(e), GVM_SYS_ARG(f))
#define GVM_SYS_PICK(a, b, c, d, e, f, g, name, ...) name
#define gvm_sys(...) \
	GVM_SYS_PICK(__VA_ARGS__, GVM_SYS6, GVM_SYS5, GVM_SYS4, GVM_SYS3, \
		     GVM_SYS2, GVM_SYS1, GVM_SYS0)(__VA_ARGS__)

#endif
