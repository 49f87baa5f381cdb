// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Our descriptors live at 4096 and above, and we know which are ours.
 *
 * A program that uses select() can name descriptors below 1024 only, and one
 * that closes everything at its start must not close ours.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/resource.h>

#include "engine.h"
#include "sys.h"

#define FDS_MAX		(1u << 20)

static u64 mine[FDS_MAX / 64];

void gvm_fd_mine(int fd, bool yes)
{
	u64 bit = 1ull << ((u32)fd % 64);

	if (fd < 0 || (u32)fd >= FDS_MAX)
		return;
	if (yes)
		__atomic_fetch_or(&mine[(u32)fd / 64], bit, __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(&mine[(u32)fd / 64], ~bit,
				   __ATOMIC_RELAXED);
}

int gvm_owns_fd(int fd)
{
	if (fd < 0 || (u32)fd >= FDS_MAX)
		return 0;
	return mine[(u32)fd / 64] >> ((u32)fd % 64) & 1;
}

/*
 * The soft limit may be 1024; what we need lies above it.  It is raised for
 * this one call: the limit is the program's, and programs that it starts
 * inherit it.  A descriptor above the limit works like any other.
 */
static long dup_high(int fd)
{
	static struct gvm_lock one;	/* else a raised limit is "restored" */
	struct rlimit old, raised;
	long high = gvm_sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, GVM_FD_MIN);

	if (high != -EINVAL)
		return high;
	gvm_lock(&one);
	if (gvm_sys(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &old) == 0) {
		raised = old;
		raised.rlim_cur = raised.rlim_max;
		gvm_sys(SYS_prlimit64, 0, RLIMIT_NOFILE, &raised, 0);
		high = gvm_sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, GVM_FD_MIN);
		gvm_sys(SYS_prlimit64, 0, RLIMIT_NOFILE, &old, 0);
	}
	gvm_unlock(&one);
	return high;
}

int gvm_fd_high(int fd)
{
	long high;

	if (fd < 0)
		return fd;
	high = dup_high(fd);
	/* A hard limit below 4096 leaves no choice. */
	if (high == -EINVAL)
		high = fd;
	else
		gvm_sys(SYS_close, fd);
	if (high >= 0)
		gvm_fd_mine((int)high, true);
	return (int)high;
}
