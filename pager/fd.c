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

/* The soft limit may be 1024; what we need lies above it. */
static void raise_limit(void)
{
	struct rlimit lim;

	if (gvm_sys(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &lim))
		return;
	lim.rlim_cur = lim.rlim_max;
	gvm_sys(SYS_prlimit64, 0, RLIMIT_NOFILE, &lim, 0);
}

int gvm_fd_high(int fd)
{
	long high;

	if (fd < 0)
		return fd;
	high = gvm_sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, GVM_FD_MIN);
	if (high == -EINVAL) {
		raise_limit();
		high = gvm_sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, GVM_FD_MIN);
	}
	/* A hard limit below 4096 leaves no choice. */
	if (high == -EINVAL)
		high = fd;
	else
		gvm_sys(SYS_close, fd);
	if (high >= 0)
		gvm_fd_mine((int)high, true);
	return (int)high;
}
