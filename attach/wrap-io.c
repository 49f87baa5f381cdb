// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The functions that programs call instead of libc's: input, output, users.
 *
 * Unlike those in wrap.c these wait, so a thread may be cancelled in them, or
 * concern all threads, and only libc's own functions know how.  They are
 * looked up once, at start.
 *
 * While the guard is down (pins.c) and no shared memory is attached, each
 * costs one test.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "attach.h"
#include "sys.h"

enum real {
	REAL_READ,
	REAL_PREAD,
	REAL_READV,
	REAL_PREADV,
	REAL_PREADV2,
	REAL_SENDMSG,
	REAL_SENDMMSG,
	REAL_OPENAT,
	REAL_SETUID,
	REAL_SETREUID,
	REAL_SETRESUID,
	REAL_URING,
	REAL_URING_PARAMS,
	REAL_NR,
};

static const char *const names[REAL_NR] = {
	[REAL_READ]		= "read",
	[REAL_PREAD]		= "pread64",
	[REAL_READV]		= "readv",
	[REAL_PREADV]		= "preadv64",
	[REAL_PREADV2]		= "preadv64v2",
	[REAL_SENDMSG]		= "sendmsg",
	[REAL_SENDMMSG]		= "sendmmsg",
	[REAL_OPENAT]		= "openat64",
	[REAL_SETUID]		= "setuid",
	[REAL_SETREUID]		= "setreuid",
	[REAL_SETRESUID]	= "setresuid",
	[REAL_URING]		= "io_uring_queue_init",
	[REAL_URING_PARAMS]	= "io_uring_queue_init_params",
};

static void *functions[REAL_NR];

static void *real(enum real which)
{
	void *f = __atomic_load_n(&functions[which], __ATOMIC_RELAXED);

	if (f)
		return f;
	f = dlsym(RTLD_NEXT, names[which]);
	__atomic_store_n(&functions[which], f, __ATOMIC_RELAXED);
	return f;
}

/* Looked up later, one of these could find its caller inside an allocator. */
__attribute__((constructor)) static void look_up(void)
{
	for (enum real i = REAL_READ; i < REAL_URING; i++)
		real(i);
}

static bool guarded(int fd, const struct iovec *iov, int nr)
{
	return __builtin_expect(gvm_attach.guard, 0) &&
	       gvm_attach_must_bounce(fd, iov, nr);
}

static ssize_t bounce(int fd, const struct iovec *iov, int nr, off_t off,
		      int flags)
{
	long ret = gvm_attach_bounce(fd, iov, nr, off, flags);

	if (ret < 0) {
		errno = (int)-ret;
		return -1;
	}
	return ret;
}

ssize_t read(int fd, void *buf, size_t len)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	ssize_t (*f)(int, void *, size_t);

	if (guarded(fd, &iov, 1))
		return bounce(fd, &iov, 1, -1, 0);
	f = real(REAL_READ);
	return f(fd, buf, len);
}

ssize_t pread(int fd, void *buf, size_t len, off_t off)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	ssize_t (*f)(int, void *, size_t, off_t);

	if (off >= 0 && guarded(fd, &iov, 1))
		return bounce(fd, &iov, 1, off, 0);
	f = real(REAL_PREAD);
	return f(fd, buf, len, off);
}

ssize_t pread64(int fd, void *buf, size_t len, off64_t off)
	__attribute__((alias("pread")));

ssize_t readv(int fd, const struct iovec *iov, int nr)
{
	ssize_t (*f)(int, const struct iovec *, int);

	if (guarded(fd, iov, nr))
		return bounce(fd, iov, nr, -1, 0);
	f = real(REAL_READV);
	return f(fd, iov, nr);
}

ssize_t preadv(int fd, const struct iovec *iov, int nr, off_t off)
{
	ssize_t (*f)(int, const struct iovec *, int, off_t);

	if (off >= 0 && guarded(fd, iov, nr))
		return bounce(fd, iov, nr, off, 0);
	f = real(REAL_PREADV);
	return f(fd, iov, nr, off);
}

ssize_t preadv64(int fd, const struct iovec *iov, int nr, off64_t off)
	__attribute__((alias("preadv")));

ssize_t preadv2(int fd, const struct iovec *iov, int nr, off_t off, int flags)
{
	ssize_t (*f)(int, const struct iovec *, int, off_t, int);

	if (guarded(fd, iov, nr))
		return bounce(fd, iov, nr, off, flags);
	f = real(REAL_PREADV2);
	return f(fd, iov, nr, off, flags);
}

ssize_t preadv64v2(int fd, const struct iovec *iov, int nr, off64_t off,
		   int flags) __attribute__((alias("preadv2")));

/* What the compiler calls under -D_FORTIFY_SOURCE. */
ssize_t __read_chk(int fd, void *buf, size_t len, size_t room);
ssize_t __pread_chk(int fd, void *buf, size_t len, off_t off, size_t room);
ssize_t __pread64_chk(int fd, void *buf, size_t len, off64_t off, size_t room)
	__attribute__((alias("__pread_chk")));

ssize_t __read_chk(int fd, void *buf, size_t len, size_t room)
{
	if (len > room)
		gvm_attach_stop("buffer overflow in read() of ",
				gvm_attach.name, NULL);
	return read(fd, buf, len);
}

ssize_t __pread_chk(int fd, void *buf, size_t len, off_t off, size_t room)
{
	if (len > room)
		gvm_attach_stop("buffer overflow in pread() of ",
				gvm_attach.name, NULL);
	return pread(fd, buf, len, off);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	ssize_t (*f)(int, const struct msghdr *, int);

	if (gvm_attach_has_files())
		gvm_attach_check_message(message);
	f = real(REAL_SENDMSG);
	return f(fd, message, flags);
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned nr, int flags)
{
	int (*f)(int, struct mmsghdr *, unsigned, int);
	unsigned i;

	for (i = 0; gvm_attach_has_files() && i < nr; i++)
		gvm_attach_check_message(&messages[i].msg_hdr);
	f = real(REAL_SENDMMSG);
	return f(fd, messages, nr, flags);
}

/*
 * An allocator may open files before anything can be looked up; what it opens
 * is there at once.
 */
static int open_at(int dir, const char *path, int flags, mode_t mode)
{
	int (*f)(int, const char *, int, ...) = functions[REAL_OPENAT];
	long ret;

	if (!(gvm_attach_has_regions() &&
	      gvm_attach_region_open(dir, path, flags, &ret))) {
		if (f)
			return f(dir, path, flags, mode);
		ret = gvm_sys(SYS_openat, dir, path, flags, mode);
	}
	if (ret < 0) {
		errno = (int)-ret;
		return -1;
	}
	return (int)ret;
}

/* Only what makes a file has a mode; else there is rubbish in its place. */
#define MODE_OF(mode, flags, last) \
	do { \
		va_list args; \
\
		va_start(args, last); \
		if ((flags) & O_CREAT || ((flags) & O_TMPFILE) == O_TMPFILE) \
			(mode) = va_arg(args, mode_t); \
		va_end(args); \
	} while (0)

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;

	MODE_OF(mode, flags, flags);
	return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
	mode_t mode = 0;

	MODE_OF(mode, flags, flags);
	return open_at(dir, path, flags, mode);
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));
int openat64(int dir, const char *path, int flags, ...)
	__attribute__((alias("openat")));

/* What the compiler calls under -D_FORTIFY_SOURCE. */
int __open_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int __open64_2(const char *path, int flags)
	__attribute__((alias("__open_2")));
int __openat64_2(int dir, const char *path, int flags)
	__attribute__((alias("__openat_2")));

int __open_2(const char *path, int flags)
{
	return open_at(AT_FDCWD, path, flags, 0);
}

int __openat_2(int dir, const char *path, int flags)
{
	return open_at(dir, path, flags, 0);
}

int setuid(uid_t uid)
{
	int (*f)(uid_t);

	gvm_attach_before_uid(uid);
	f = real(REAL_SETUID);
	return f(uid);
}

int setreuid(uid_t uid, uid_t effective)
{
	int (*f)(uid_t, uid_t);

	gvm_attach_before_uid(effective);
	f = real(REAL_SETREUID);
	return f(uid, effective);
}

int setresuid(uid_t uid, uid_t effective, uid_t saved)
{
	int (*f)(uid_t, uid_t, uid_t);

	gvm_attach_before_uid(effective);
	f = real(REAL_SETRESUID);
	return f(uid, effective, saved);
}

/* libaio's and liburing's: they return -errno, and errno stays as it is. */
int io_setup(int nr, void **context);
int io_uring_queue_init(unsigned entries, void *ring, unsigned flags);
int io_uring_queue_init_params(unsigned entries, void *ring, void *params);

int io_setup(int nr, void **context)
{
	if (!gvm_attach_async_allowed(GVM_ASYNC_AIO))
		return -ENOSYS;
	return (int)gvm_sys(SYS_io_setup, nr, context);
}

int io_uring_queue_init(unsigned entries, void *ring, unsigned flags)
{
	int (*f)(unsigned, void *, unsigned) = real(REAL_URING);

	if (!f || !gvm_attach_async_allowed(GVM_ASYNC_URING))
		return -ENOSYS;
	return f(entries, ring, flags);
}

int io_uring_queue_init_params(unsigned entries, void *ring, void *params)
{
	int (*f)(unsigned, void *, void *) = real(REAL_URING_PARAMS);

	if (!f || !gvm_attach_async_allowed(GVM_ASYNC_URING))
		return -ENOSYS;
	return f(entries, ring, params);
}
