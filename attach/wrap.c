// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The functions that programs call instead of libc's: memory and descriptors.
 *
 * Nothing is decided here; errno is set here and nowhere else.  None of these
 * needs libc's own function: a system call is all it is, and looking one up
 * (dlsym) could enter the allocator that is calling us.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attach.h"
#include "sys.h"

static long give(long ret)
{
	if (ret < 0 && ret > -4096) {
		errno = (int)-ret;
		return -1;
	}
	return ret;
}

void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	return (void *)give(gvm_attach_mmap((u64)addr, len, prot, flags, fd,
					    (u64)off));
}

void *mmap64(void *addr, size_t len, int prot, int flags, int fd, off64_t off)
	__attribute__((alias("mmap")));

int munmap(void *addr, size_t len)
{
	return (int)give(gvm_attach_munmap((u64)addr, len));
}

void *mremap(void *from, size_t from_len, size_t to_len, int flags, ...)
{
	u64 to = 0;

	if (flags & MREMAP_FIXED) {
		va_list args;

		va_start(args, flags);
		to = (u64)va_arg(args, void *);
		va_end(args);
	}
	return (void *)give(gvm_attach_mremap((u64)from, from_len, to_len,
					      flags, to));
}

int mprotect(void *addr, size_t len, int prot)
{
	return (int)give(gvm_attach_mprotect((u64)addr, len, prot));
}

int madvise(void *addr, size_t len, int advice)
{
	return (int)give(gvm_attach_madvise((u64)addr, len, advice));
}

int mlock(const void *addr, size_t len)
{
	return (int)give(gvm_attach_mlock((u64)addr, len, 0));
}

int mlock2(const void *addr, size_t len, unsigned flags)
{
	return (int)give(gvm_attach_mlock((u64)addr, len, flags));
}

int munlock(const void *addr, size_t len)
{
	return (int)give(gvm_attach_munlock((u64)addr, len));
}

int mlockall(int flags)
{
	return (int)give(gvm_attach_mlockall(flags));
}

int fallocate(int fd, int mode, off_t off, off_t len)
{
	return (int)give(gvm_attach_fallocate(fd, mode, (u64)off, (u64)len));
}

int fallocate64(int fd, int mode, off64_t off, off64_t len)
	__attribute__((alias("fallocate")));

int posix_fallocate(int fd, off_t off, off_t len)
{
	return (int)-gvm_attach_fallocate(fd, 0, (u64)off, (u64)len);
}

int posix_fallocate64(int fd, off64_t off, off64_t len)
	__attribute__((alias("posix_fallocate")));

int ftruncate(int fd, off_t len)
{
	return (int)give(gvm_attach_ftruncate(fd, (u64)len));
}

int ftruncate64(int fd, off64_t len) __attribute__((alias("ftruncate")));

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	return (int)give(gvm_attach_ioctl(fd, request, arg));
}

int close(int fd)
{
	return (int)give(gvm_attach_close(fd));
}

int close_range(unsigned first, unsigned last, int flags)
{
	return (int)give(gvm_attach_close_range(first, last, flags));
}

void closefrom(int first)
{
	gvm_attach_close_range(first < 0 ? 0 : (unsigned)first, ~0u, 0);
}

int dup2(int fd, int to)
{
	return (int)give(gvm_attach_dup3(fd, to, 0, true));
}

int dup3(int fd, int to, int flags)
{
	return (int)give(gvm_attach_dup3(fd, to, flags, false));
}

/*
 * Not variadic, although libc's is: all arguments are words, which arrive in
 * the same places.  Those that the caller did not pass are rubbish, as in the
 * kernel.
 */
long gvm_attach_entry(long nr, long a, long b, long c, long d, long e, long f)
	__asm__("syscall");

long gvm_attach_entry(long nr, long a, long b, long c, long d, long e, long f)
{
	return give(gvm_attach_syscall(nr, a, b, c, d, e, f));
}
