// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, memory that a program gave up would come back with old
 * content, or a program that locks its memory would defeat the limit.
 */
#include <errno.h>
#include <sys/mman.h>

#include "mock.h"

#define GUARD_INSTALL	102

static u64 at;

static void discarding(void)
{
	u64 other = map_anon(8 * MIB, RW, MAP_STACK, 0);

	CHECK(gvm_attach_madvise(at + MIB, MIB, MADV_DONTNEED) == 0);
	CHECK(mock.discards == 1 && mock.discarded_start == at + MIB &&
	      mock.discarded_len == MIB);
	CHECK(gvm_attach_madvise(at, 4096, MADV_FREE) == 0);
	CHECK(mock.discards == 2);
	CHECK(gvm_attach_madvise(at, MIB, MADV_REMOVE) == -EINVAL);
	CHECK(gvm_attach_madvise(at + 1, MIB, MADV_DONTNEED) == -EINVAL);
	CHECK(gvm_attach_madvise(at, MIB, GUARD_INSTALL) == -EINVAL);
	CHECK(gvm_attach_madvise(at, MIB, MADV_MERGEABLE) == 0);
	CHECK(gvm_attach_madvise(at, MIB, MADV_PAGEOUT) == 0);
	CHECK(mock.discards == 2);

	/* Half of it is not ours: the kernel does that half. */
	*(char *)other = 1;
	CHECK(gvm_attach_madvise(other, 8 * MIB, MADV_DONTNEED) == 0);
	CHECK(*(char *)other == 0 && mock.discards == 2);
}

static void beyond_the_end(void)
{
	u64 last = at + 16 * MIB - 4096;

	/* The kernel does what it can, and then says ENOMEM. */
	gvm_attach_munmap(last, 4096);
	CHECK(gvm_attach_madvise(last - 4096, 8192, MADV_DONTNEED) ==
	      -ENOMEM);
	CHECK(mock.discarded_start == last - 4096 &&
	      mock.discarded_len == 4096);
}

static void locking(void)
{
	CHECK(gvm_attach_mlock(at, 8 * MIB, 0) == 0);
	CHECK(gvm_attach_munlock(at, 8 * MIB) == 0);
	CHECK(gvm_attach_mlockall(MCL_CURRENT | MCL_FUTURE) == 0);
	CHECK(gvm_attach_mlockall(0) == -EINVAL);
}

static void child_sees_what_was_asked_for(void)
{
	CHECK(gvm_attach_madvise(at, MIB, MADV_DONTFORK) == 0);
	CHECK(gvm_attach_madvise(at + MIB, MIB, MADV_WIPEONFORK) == 0);
	CHECK(gvm_attach_madvise(at + 2 * MIB, MIB, MADV_WIPEONFORK) == 0);
	CHECK(gvm_attach_madvise(at + 2 * MIB, MIB, MADV_KEEPONFORK) == 0);
	*(char *)(at + MIB) = 1;
	*(char *)(at + 2 * MIB) = 2;

	gvm_attach_fork_prepare();
	gvm_attach_fork_child();	/* this process plays the child */
	CHECK(mock.forks == 1 && mock.advised == 1);
	CHECK(mock_none(at, MIB) && mock_all(at + MIB, MIB));
	CHECK(*(char *)(at + MIB) == 0 && *(char *)(at + 2 * MIB) == 2);
}

int main(void)
{
	mock_configure();
	at = map_anon(16 * MIB, RW, 0, 0);
	discarding();
	beyond_the_end();
	locking();
	child_sees_what_was_asked_for();
	return 0;
}
