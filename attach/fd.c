// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Keep the engine's descriptors from being closed by the program.
 *
 * Programs close what they did not open: daemons every descriptor from 3 up,
 * dup2() onto any number.  The engine's are all at GVM_FD_MIN or above, and
 * to the program they look like descriptors that are not open.
 */
#include <errno.h>
#include <fcntl.h>

#include "attach.h"
#include "own.h"
#include "sys.h"

#define LIST_BYTES	4096u

struct entry {			/* struct linux_dirent64 */
	u64	ino;
	s64	off;
	u16	bytes;
	u8	type;
	char	name[];
};

static bool ours(int fd)
{
	if (fd < GVM_FD_MIN)
		return false;
	gvm_attach_check_orphan();
	return (gvm_attach.gvm || gvm_attach_has_regions()) &&
	       gvm_owns_fd(fd);
}

long gvm_attach_close(int fd)
{
	long ret;

	if (ours(fd))
		return -EBADF;
	ret = gvm_sys(SYS_close, fd);
	if (!ret)
		gvm_attach_dma_forget(fd);
	return ret;
}

long gvm_attach_dup3(int fd, int to, int flags, bool is_dup2)
{
	if (ours(to) || ours(fd))
		return -EBADF;
	if (is_dup2 && fd == to)
		return gvm_sys(SYS_fcntl, fd, F_GETFD) < 0 ? -EBADF : fd;
	return gvm_sys(SYS_dup3, fd, to, flags);
}

static long close_gap(unsigned first, unsigned last, int flags)
{
	return first > last ? 0 : gvm_sys(SYS_close_range, first, last, flags);
}

/* -1: not a number ("." and ".."). */
static long number(const char *name)
{
	long v = 0;

	for (; *name; name++) {
		if (*name < '0' || *name > '9')
			return -1;
		v = v * 10 + (*name - '0');
	}
	return v;
}

/* Close [*first, fd) and step over fd, if it is one of ours. */
static long step_over(long fd, unsigned *first, unsigned last, int flags)
{
	long err;

	if (fd < (long)*first || fd > (long)last || !ours((int)fd))
		return 0;
	err = close_gap(*first, (unsigned)fd - 1, flags);
	*first = (unsigned)fd + 1;
	return err;
}

/*
 * The kernel lists descriptors in rising order, so one pass finds the gaps
 * between ours.
 */
static long close_around(unsigned first, unsigned last, int flags)
{
	_Alignas(8) char list[LIST_BYTES];
	long dir;
	long err = 0;
	long got;

	dir = gvm_sys(SYS_open, "/proc/self/fd",
		      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return dir;
	while (!err && (got = gvm_sys(SYS_getdents64, dir, list,
				      sizeof(list))) > 0) {
		long at = 0;

		while (!err && at < got) {
			struct entry *e = (void *)(list + at);

			at += e->bytes;
			err = step_over(number(e->name), &first, last, flags);
		}
	}
	gvm_sys(SYS_close, dir);
	return err ? err : close_gap(first, last, flags);
}

long gvm_attach_close_range(unsigned first, unsigned last, int flags)
{
	if (first > last || last < GVM_FD_MIN ||
	    !(gvm_attach.gvm || gvm_attach_has_regions()))
		return gvm_sys(SYS_close_range, first, last, flags);
	/* Low ones first: /proc/self/fd itself would open among them. */
	if (first < GVM_FD_MIN) {
		long err = close_gap(first, GVM_FD_MIN - 1, flags);

		if (err)
			return err;
		first = GVM_FD_MIN;
	}
	return close_around(first, last, flags);
}
