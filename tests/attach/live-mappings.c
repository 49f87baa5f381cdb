// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, a program that resizes, gives up or protects its memory
 * would find other content in it than it wrote.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>

#include "live.h"

static void resize(void)
{
	char *at = map(LARGE);
	char *wall;

	stamp(at, LARGE, 100);
	/* Shrink: the tail is lost, the rest stays. */
	CHECK(mremap(at, LARGE, LARGE / 2, 0) == at);
	verify(at, LARGE / 2, 100);
	/* Grow in place: the new part is zero, whatever was there before. */
	CHECK(mremap(at, LARGE / 2, LARGE, 0) == at);
	verify(at, LARGE / 2, 100);
	verify_zero(at + LARGE / 2, LARGE / 2);
	/* Grow by moving, most pages on the server. */
	wall = mmap(at + LARGE, PAGE, PROT_READ,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(wall == at + LARGE);
	stamp(at + LARGE / 2, LARGE / 2, 9000000);
	at = mremap(at, LARGE, LARGE + 8 * MIB, MREMAP_MAYMOVE);
	CHECK(at != MAP_FAILED && at + LARGE != wall);
	verify(at, LARGE / 2, 100);
	verify(at + LARGE / 2, LARGE / 2, 9000000);
	verify_zero(at + LARGE, 8 * MIB);
	CHECK(munmap(at, LARGE + 8 * MIB) == 0);
	CHECK(munmap(wall, PAGE) == 0);
}

static void move_over(void)
{
	char *from = map(LOCAL * 2);
	char *to = map(LOCAL * 3);

	stamp(from, LOCAL * 2, 5);
	stamp(to, LOCAL * 3, 7000);
	CHECK(mremap(from + MIB, LOCAL, LOCAL, MREMAP_MAYMOVE | MREMAP_FIXED,
		     to + 2 * MIB) == to + 2 * MIB);
	verify(from, MIB, 5);
	verify(to, 2 * MIB, 7000);
	verify(to + 2 * MIB, LOCAL, 5 + MIB / PAGE);
	verify(to + 2 * MIB + LOCAL, LOCAL * 2 - 2 * MIB,
	       7000 + (2 * MIB + LOCAL) / PAGE);
	CHECK(munmap(from, MIB) == 0);
	CHECK(munmap(from + MIB + LOCAL, LOCAL - MIB) == 0);
	CHECK(munmap(to, LOCAL * 3) == 0);
}

static void give_up(void)
{
	char *at = map(LARGE);

	stamp(at, LARGE, 1);
	/* A piece out of the middle, and something new in its place. */
	CHECK(munmap(at + 4 * MIB, 4 * MIB) == 0);
	CHECK(mmap(at + 4 * MIB, 4 * MIB, RW,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	      at + 4 * MIB);
	verify_zero(at + 4 * MIB, 4 * MIB);
	/* New memory over old, without unmapping it first. */
	CHECK(mmap(at + 8 * MIB, 2 * MIB, RW,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	      at + 8 * MIB);
	verify_zero(at + 8 * MIB, 2 * MIB);
	CHECK(madvise(at + 10 * MIB, 4 * MIB, MADV_DONTNEED) == 0);
	verify_zero(at + 10 * MIB, 4 * MIB);
	verify(at, 4 * MIB, 1);
	verify(at + 14 * MIB, LARGE - 14 * MIB, 1 + 14 * MIB / PAGE);
	/* Freed, but written again: the new content stays. */
	CHECK(madvise(at + 14 * MIB, 4 * MIB, MADV_FREE) == 0);
	stamp(at + 14 * MIB, 4 * MIB, 42);
	push_out();
	verify(at + 14 * MIB, 4 * MIB, 42);
	CHECK(munmap(at, LARGE) == 0);
}

static sigjmp_buf out;

static void on_fault(int sig)
{
	siglongjmp(out, sig);
}

static int faults(char *at, int write)
{
	int sig = sigsetjmp(out, 1);

	if (sig)
		return sig;
	if (write)
		*(volatile char *)at = 1;
	else
		(void)*(volatile char *)at;
	return 0;
}

static void protect(void)
{
	char *at = map(LARGE);
	char *wall;

	signal(SIGSEGV, on_fault);
	stamp(at, LARGE, 77);
	CHECK(mprotect(at, LARGE / 2, PROT_READ) == 0);
	CHECK(mprotect(at + LARGE / 2, LARGE / 4, PROT_NONE) == 0);
	verify(at, LARGE / 2, 77);
	CHECK(faults(at + 5 * MIB, 1) == SIGSEGV);
	CHECK(faults(at + LARGE / 2 + MIB, 0) == SIGSEGV);
	push_out();
	verify(at, LARGE / 2, 77);
	verify(at + LARGE - LARGE / 4, LARGE / 4,
	       77 + (LARGE - LARGE / 4) / PAGE);
	/* Moved while it is protected. */
	wall = mmap(at + LARGE, PAGE, PROT_READ,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(wall != MAP_FAILED);
	CHECK(mprotect(at, LARGE, PROT_READ) == 0);
	at = mremap(at, LARGE, LARGE + MIB, MREMAP_MAYMOVE);
	CHECK(at != MAP_FAILED && at + LARGE != wall);
	CHECK(munmap(wall, PAGE) == 0);
	CHECK(faults(at, 1) == SIGSEGV);
	CHECK(mremap(at, LARGE + MIB, LARGE, 0) == at);
	CHECK(mprotect(at, LARGE, RW) == 0);
	verify(at, LARGE, 77);
	stamp(at, LARGE, 78);
	verify(at, LARGE, 78);
	CHECK(munmap(at, LARGE) == 0);
	signal(SIGSEGV, SIG_DFL);
}

static void reserve_then_open(void)
{
	char *at = mmap(NULL, 1024 * MIB, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(at != MAP_FAILED);
	for (size_t i = 0; i < LARGE; i += 4 * MIB)
		CHECK(mprotect(at + i, 4 * MIB, RW) == 0);
	stamp(at, LARGE, 31);
	verify(at, LARGE, 31);
	CHECK(munmap(at, 1024 * MIB) == 0);
}

static void locking(void)
{
	char *at = map(LARGE);

	CHECK(mlockall(MCL_CURRENT | MCL_FUTURE) == 0);
	CHECK(mlock(at, LARGE) == 0);
	stamp(at, LARGE, 3);
	verify(at, LARGE, 3);
	CHECK(munlock(at, LARGE) == 0 && munlockall() == 0);
	CHECK(munmap(at, LARGE) == 0);
}

int main(void)
{
	resize();
	move_over();
	give_up();
	protect();
	reserve_then_open();
	locking();
	return 0;
}
