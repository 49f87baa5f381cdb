// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Programs that make system calls by number, through syscall(): allocators
 * and language run-times do.  The same decisions as for the named functions.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "attach.h"
#include "sys.h"

static long raw(long nr, long a, long b, long c, long d, long e, long f)
{
	return gvm_sys(nr, a, b, c, d, e, f);
}

/* Returns false if the call is none of these. */
static bool memory_call(long nr, long a, long b, long c, long d, long e,
			long f, long *ret)
{
	switch (nr) {
	case SYS_mmap:
		*ret = gvm_attach_mmap((u64)a, (u64)b, (int)c, (int)d, (int)e,
				       (u64)f);
		return true;
	case SYS_munmap:
		*ret = gvm_attach_munmap((u64)a, (u64)b);
		return true;
	case SYS_mremap:
		*ret = gvm_attach_mremap((u64)a, (u64)b, (u64)c, (int)d,
					 (u64)e);
		return true;
	case SYS_mprotect:
		*ret = gvm_attach_mprotect((u64)a, (u64)b, (int)c);
		return true;
	case SYS_madvise:
		*ret = gvm_attach_madvise((u64)a, (u64)b, (int)c);
		return true;
	case SYS_mlock:
		*ret = gvm_attach_mlock((u64)a, (u64)b, 0);
		return true;
	case SYS_mlock2:
		*ret = gvm_attach_mlock((u64)a, (u64)b, (unsigned)c);
		return true;
	case SYS_munlock:
		*ret = gvm_attach_munlock((u64)a, (u64)b);
		return true;
	case SYS_mlockall:
		*ret = gvm_attach_mlockall((int)a);
		return true;
	default:
		return false;
	}
}

static bool file_call(long nr, long a, long b, long c, long d, long *ret)
{
	switch (nr) {
#ifdef SYS_open
	case SYS_open:
		return gvm_attach_has_regions() &&
		       gvm_attach_region_open(AT_FDCWD, (const char *)a,
					      (int)b, ret);
#endif
	case SYS_openat:
		return gvm_attach_has_regions() &&
		       gvm_attach_region_open((int)a, (const char *)b, (int)c,
					      ret);
	case SYS_fallocate:
		*ret = gvm_attach_fallocate((int)a, (int)b, (u64)c, (u64)d);
		return true;
	case SYS_ftruncate:
		*ret = gvm_attach_ftruncate((int)a, (u64)b);
		return true;
	case SYS_ioctl:
		*ret = gvm_attach_ioctl((int)a, (unsigned long)b, (void *)c);
		return true;
	case SYS_close:
		*ret = gvm_attach_close((int)a);
		return true;
	case SYS_close_range:
		*ret = gvm_attach_close_range((unsigned)a, (unsigned)b,
					      (int)c);
		return true;
#ifdef SYS_dup2
	case SYS_dup2:
		*ret = gvm_attach_dup3((int)a, (int)b, 0, true);
		return true;
#endif
	case SYS_dup3:
		*ret = gvm_attach_dup3((int)a, (int)b, (int)c, false);
		return true;
	default:
		return false;
	}
}

static long read_guarded(long nr, long fd, long buf, long len, long off,
			 long e, long flags)
{
	struct iovec one = { .iov_base = (void *)buf, .iov_len = (size_t)len };
	bool vector = nr == SYS_readv || nr == SYS_preadv ||
		      nr == SYS_preadv2;
	const struct iovec *iov = vector ? (const void *)buf : &one;
	int iov_nr = vector ? (int)len : 1;

	if (!gvm_attach_must_bounce((int)fd, iov, iov_nr))
		return raw(nr, fd, buf, len, off, e, flags);
	return gvm_attach_bounce((int)fd, iov, iov_nr,
				 nr == SYS_read || nr == SYS_readv ? -1 : off,
				 nr == SYS_preadv2 ? (int)flags : 0);
}

static bool io_call(long nr, long a, long b, long c, long d, long e, long f,
		    long *ret)
{
	switch (nr) {
	case SYS_read:
	case SYS_pread64:
	case SYS_readv:
	case SYS_preadv:
	case SYS_preadv2:
		if (!gvm_attach.guard)
			return false;
		*ret = read_guarded(nr, a, b, c, d, e, f);
		return true;
	case SYS_sendmsg:
		if (gvm_attach_has_files())
			gvm_attach_check_message((const void *)b);
		return false;
	case SYS_io_setup:
		*ret = -ENOSYS;
		return !gvm_attach_async_allowed(GVM_ASYNC_AIO);
	case SYS_io_uring_setup:
		*ret = -ENOSYS;
		return !gvm_attach_async_allowed(GVM_ASYNC_URING);
	default:
		return false;
	}
}

long gvm_attach_syscall(long nr, long a, long b, long c, long d, long e,
			long f)
{
	long ret;

	if (memory_call(nr, a, b, c, d, e, f, &ret) ||
	    file_call(nr, a, b, c, d, &ret) ||
	    io_call(nr, a, b, c, d, e, f, &ret))
		return ret;
	return raw(nr, a, b, c, d, e, f);
}
