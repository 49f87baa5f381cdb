// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, a daemon that closes all descriptors at start would close
 * the engine's userfaultfd, and its memory would read as zeros.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "mock.h"
#include "sys.h"

static bool is_open(int fd)
{
	return gvm_sys(SYS_fcntl, fd, F_GETFD) >= 0;
}

/* In the mock, multiples of ten are the engine's. */
static void open_some(int from, int to)
{
	for (int fd = from; fd <= to; fd++)
		CHECK(gvm_sys(SYS_dup2, 2, fd) == fd);
}

int main(void)
{
	struct rlimit limit;

	mock_configure();
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (gvm_sys(SYS_dup2, 2, 5000) < 0)
		SKIP("the hard limit of descriptors is below 5000");

	open_some(4098, 4141);
	/* Before there is an engine, everything is the program's. */
	CHECK(gvm_attach_close(4100) == 0 && !is_open(4100));
	map_anon(8 * MIB, RW, 0, 0);
	open_some(4098, 4141);
	CHECK(gvm_attach_close(4100) == -EBADF && is_open(4100));
	CHECK(gvm_attach_close(4101) == 0 && !is_open(4101));
	CHECK(gvm_attach_dup3(2, 4110, 0, true) == -EBADF);
	CHECK(gvm_attach_dup3(2, 4111, 0, true) == 4111);

	open_some(100, 103);
	CHECK(gvm_attach_close_range(101, ~0u, 0) == 0);
	CHECK(is_open(100) && !is_open(101) && !is_open(103));
	for (int fd = 4098; fd <= 4141; fd++)
		CHECK(is_open(fd) == (fd % 10 == 0));
	CHECK(is_open(5000));
	CHECK(gvm_attach_close_range(5, 4, 0) == -EINVAL);
	return 0;
}
