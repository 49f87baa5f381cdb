// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, every sh and ls under giantvm would connect to the servers,
 * because their allocator maps some megabytes; or a program that grows later
 * would never be paged.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mock.h"

static u64 at[3];

static void little_is_remembered(void)
{
	at[0] = map_anon(2 * MIB, RW, 0, 0);
	at[1] = map_anon(4 * MIB, RW, MAP_POPULATE, 0);
	CHECK(mock.inits == 0);
	*(char *)at[0] = 1;
	*(char *)at[1] = 1;
	/* Freed lazily, a page would go after the engine has counted it. */
	CHECK(gvm_attach_madvise(at[1], MIB, MADV_FREE) == 0);
	CHECK(*(char *)at[1] == 0);
	CHECK(gvm_attach_mlock(at[0], MIB, 0) == 0);
	CHECK(gvm_attach_munmap(at[1] + 3 * MIB, MIB) == 0);
	CHECK(gvm_attach_madvise(at[1], MIB, MADV_DONTFORK) == 0);
	gvm_attach_fork_prepare();
	gvm_attach_fork_parent();
	CHECK(mock.inits == 0 && mock.forks == 0);
}

static void it_grows(void)
{
	at[2] = map_anon(16 * MIB, RW, 0, 0);
	CHECK(mock.inits == 1);
	/* This is a child, without the first part of the second. */
	CHECK(mock_all(at[0], 2 * MIB) && mock_none(at[1], MIB) &&
	      mock_all(at[1] + MIB, 2 * MIB) &&
	      mock_none(at[1] + 3 * MIB, MIB) && mock_all(at[2], 16 * MIB));
	CHECK(*(char *)at[0] == 1);
}

static void it_grows_by_mremap(void)
{
	long to = gvm_attach_mremap(at[0], 2 * MIB, 32 * MIB, MREMAP_MAYMOVE,
				    0);

	CHECK(to > 0 && mock.inits == 1 && mock_all((u64)to, 32 * MIB));
}

static void grow_one_way(void)
{
	it_grows();
}

static void grow_the_other_way(void)
{
	it_grows_by_mremap();
}

/* Direct I/O is kept off memory that will be copied and dropped later. */
static void copying_is_foreseen(void)
{
	char path[] = "/tmp/gvm-attach-XXXXXX";
	struct iovec iov = { .iov_len = 4096 };
	int fd = mkstemp(path);

	gvm_attach.config.evict = GVM_EVICT_COPY;
	iov.iov_base = (void *)map_anon(MIB, RW, 0, 0);
	CHECK(mock.inits == 0 && gvm_attach.guard);
	if (fcntl(fd, F_SETFL, O_DIRECT) == 0)
		CHECK(gvm_attach_must_bounce(fd, &iov, 1));
	unlink(path);
}

int main(void)
{
	mock_configure();
	gvm_attach.config.local_bytes = 1024 * MIB;
	little_is_remembered();
	CHECK(mock_status_of(grow_one_way) == 0);
	CHECK(mock_status_of(grow_the_other_way) == 0);
	CHECK(mock_status_of(copying_is_foreseen) == 0);
	return 0;
}
