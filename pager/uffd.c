// SPDX-License-Identifier: GPL-2.0-or-later
/* The only file that knows UFFDIO_*; see uffd.h. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#include "sys.h"
#include "uffd.h"

/* Headers of Linux 6.1 lack what 6.8 brought. */
#ifndef UFFD_FEATURE_MOVE
#define UFFD_FEATURE_MOVE	(1 << 16)
#endif
#ifndef UFFDIO_MOVE
struct uffdio_move {
	__u64	dst;
	__u64	src;
	__u64	len;
	__u64	mode;
	__s64	move;
};
#define UFFDIO_MOVE		_IOWR(UFFDIO, 0x05, struct uffdio_move)
#endif
#ifndef UFFD_FEATURE_POISON
#define UFFD_FEATURE_POISON	(1 << 14)
#endif
#ifndef UFFDIO_POISON
struct uffdio_poison {
	struct uffdio_range range;
	__u64	mode;
	__s64	updated;
};
#define UFFDIO_POISON		_IOWR(UFFDIO, 0x08, struct uffdio_poison)
#endif
#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW	_IO(0xAA, 0x00)
#endif
#ifndef UFFD_FEATURE_WP_HUGETLBFS_SHMEM
#define UFFD_FEATURE_WP_HUGETLBFS_SHMEM	(1 << 12)
#endif

static long new_descriptor(int dev_fd)
{
	if (dev_fd >= 0)
		return gvm_sys(SYS_ioctl, dev_fd, USERFAULTFD_IOC_NEW,
			       O_CLOEXEC | O_NONBLOCK);
	return gvm_sys(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
}

int gvm_uffd_probe(int dev_fd, struct gvm_uffd_caps *ret_caps)
{
	struct uffdio_api api = { .api = UFFD_API };
	long fd = new_descriptor(dev_fd);
	long err;

	if (fd < 0)
		return (int)fd;
	/* Asking with no feature tells all; the handshake works only once. */
	err = gvm_sys(SYS_ioctl, fd, UFFDIO_API, &api);
	gvm_sys(SYS_close, fd);
	if (err < 0)
		return (int)err;

	*ret_caps = (struct gvm_uffd_caps){
		.protect = api.features & UFFD_FEATURE_PAGEFAULT_FLAG_WP,
		.shmem = api.features & UFFD_FEATURE_MISSING_SHMEM,
		.protect_shmem =
			api.features & UFFD_FEATURE_WP_HUGETLBFS_SHMEM,
		.move = api.features & UFFD_FEATURE_MOVE,
		.poison = api.features & UFFD_FEATURE_POISON,
		.by_device = dev_fd >= 0,
		.features = api.features,
	};
	return 0;
}

void gvm_uffd_caps_6_1(struct gvm_uffd_caps *caps)
{
	/* The last one of 6.1 is WP_HUGETLBFS_SHMEM. */
	caps->features &= 2ull * UFFD_FEATURE_WP_HUGETLBFS_SHMEM - 1;
	caps->move = false;
	caps->poison = false;
}

void gvm_uffd_caps_no_events(struct gvm_uffd_caps *caps)
{
	caps->features &= ~(u64)(UFFD_FEATURE_EVENT_UNMAP |
				 UFFD_FEATURE_EVENT_REMAP |
				 UFFD_FEATURE_EVENT_REMOVE);
}

int gvm_uffd_open(int dev_fd, const struct gvm_uffd_caps *caps)
{
	/*
	 * UNMAP, REMAP and REMOVE are trip wires: the wrappers tell us first, so
	 * an event means that the program went around them (drop.c).  While one is unread
	 * the kernel refuses COPY and MOVE on this descriptor, so nothing of
	 * ours can land in, or be taken from, what now lies at that address.
	 */
	const u64 wanted = UFFD_FEATURE_PAGEFAULT_FLAG_WP |
		UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_WP_HUGETLBFS_SHMEM |
		UFFD_FEATURE_MOVE | UFFD_FEATURE_POISON |
		UFFD_FEATURE_THREAD_ID |
		UFFD_FEATURE_EVENT_UNMAP |
		UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE;
	struct uffdio_api api = {
		.api = UFFD_API, .features = wanted & caps->features,
	};
	long fd = new_descriptor(dev_fd);
	long err;

	if (fd < 0)
		return (int)fd;
	err = gvm_sys(SYS_ioctl, fd, UFFDIO_API, &api);
	if (err < 0) {
		gvm_sys(SYS_close, fd);
		return (int)err;
	}
	return (int)fd;
}

int gvm_uffd_register(int uffd, u64 addr, u64 len)
{
	struct uffdio_register r = {
		.range = { addr, len },
		.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP,
	};

	return (int)gvm_sys(SYS_ioctl, uffd, UFFDIO_REGISTER, &r);
}

int gvm_uffd_unregister(int uffd, u64 addr, u64 len)
{
	struct uffdio_range r = { addr, len };

	return (int)gvm_sys(SYS_ioctl, uffd, UFFDIO_UNREGISTER, &r);
}

/* What an errno of COPY or MOVE asks for. */
static enum gvm_fill judge(long err)
{
	switch (-err) {
	case 0:		return GVM_FILL_OK;
	case EEXIST:	return GVM_FILL_EXISTS;
	case EAGAIN:	return GVM_FILL_AGAIN;
	case EINTR:	return GVM_FILL_AGAIN;
	case EBUSY:	return GVM_FILL_BUSY;
	case ENOENT:	return GVM_FILL_GONE;
	case ENOMEM:	return GVM_FILL_NOMEM;
	case EINVAL:	return GVM_FILL_MISFIT;
	default:	return GVM_FILL_FAILED;
	}
}

static enum gvm_fill copy(int uffd, u64 addr, const void *src, u64 len,
			  u64 mode, u64 *ret_done)
{
	struct uffdio_copy c = {
		.dst = addr, .src = (u64)(uintptr_t)src, .len = len,
		.mode = mode,
	};
	long err = gvm_sys(SYS_ioctl, uffd, UFFDIO_COPY, &c);

	/*
	 * A partial copy is EAGAIN with the bytes done in .copy.  A whole
	 * failure has -errno there, or 0 from kernels before 6.15.
	 */
	*ret_done = c.copy > 0 ? (u64)c.copy : 0;
	if (err == 0)
		*ret_done = len;
	return judge(err);
}

enum gvm_fill gvm_uffd_copy(int uffd, u64 addr, const void *src, u64 len,
			    bool protect, u64 *ret_done)
{
	return copy(uffd, addr, src, len, protect ? UFFDIO_COPY_MODE_WP : 0,
		    ret_done);
}

enum gvm_fill gvm_uffd_copy_silent(int uffd, u64 addr, const void *src,
				   u64 len, u64 *ret_done)
{
	return copy(uffd, addr, src, len, UFFDIO_COPY_MODE_DONTWAKE, ret_done);
}

enum gvm_fill gvm_uffd_move(int uffd, u64 dst, u64 src, u64 len,
			    u64 *ret_done)
{
	struct uffdio_move m = { .dst = dst, .src = src, .len = len };
	long err = gvm_sys(SYS_ioctl, uffd, UFFDIO_MOVE, &m);

	*ret_done = m.move > 0 ? (u64)m.move : 0;
	if (err == 0)
		*ret_done = len;
	/* Here ENOENT is a hole in the source, or no mapping. */
	if (err == -ENOENT)
		return GVM_FILL_HOLE;
	return judge(err);
}

static enum gvm_fill protect(int uffd, u64 addr, u64 len, u64 mode)
{
	struct uffdio_writeprotect w = { .range = { addr, len }, .mode = mode };

	return judge(gvm_sys(SYS_ioctl, uffd, UFFDIO_WRITEPROTECT, &w));
}

enum gvm_fill gvm_uffd_protect(int uffd, u64 addr, u64 len, bool on)
{
	return protect(uffd, addr, len, on ? UFFDIO_WRITEPROTECT_MODE_WP : 0);
}

enum gvm_fill gvm_uffd_unprotect_silent(int uffd, u64 addr, u64 len)
{
	return protect(uffd, addr, len, UFFDIO_WRITEPROTECT_MODE_DONTWAKE);
}

bool gvm_uffd_changing(int uffd)
{
	struct uffdio_writeprotect nothing = { .mode = 0 };

	/* Asked first of all; that the range is empty is seen after it. */
	return gvm_sys(SYS_ioctl, uffd, UFFDIO_WRITEPROTECT, &nothing) ==
	       -EAGAIN;
}

void gvm_uffd_wake(int uffd, u64 addr, u64 len)
{
	struct uffdio_range r = { addr, len };

	gvm_sys(SYS_ioctl, uffd, UFFDIO_WAKE, &r);
}

enum gvm_fill gvm_uffd_poison(int uffd, u64 addr, u64 len)
{
	struct uffdio_poison p = { .range = { addr, len } };

	return judge(gvm_sys(SYS_ioctl, uffd, UFFDIO_POISON, &p));
}

static enum gvm_fill zero(int uffd, u64 addr, u64 len, u64 mode, u64 *ret_done)
{
	struct uffdio_zeropage z = { .range = { addr, len }, .mode = mode };
	long err = gvm_sys(SYS_ioctl, uffd, UFFDIO_ZEROPAGE, &z);

	*ret_done = z.zeropage > 0 ? (u64)z.zeropage : 0;
	if (err == 0)
		*ret_done = len;
	return judge(err);
}

enum gvm_fill gvm_uffd_zero(int uffd, u64 addr, u64 len, u64 *ret_done)
{
	return zero(uffd, addr, len, 0, ret_done);
}

enum gvm_fill gvm_uffd_zero_silent(int uffd, u64 addr, u64 len, u64 *ret_done)
{
	return zero(uffd, addr, len, UFFDIO_ZEROPAGE_MODE_DONTWAKE, ret_done);
}

static struct gvm_uffd_event sort(const struct uffd_msg *msg)
{
	struct gvm_uffd_event e = { .what = GVM_UFFD_BROKEN };

	switch (msg->event) {
	case UFFD_EVENT_PAGEFAULT:
		e.addr = msg->arg.pagefault.address & ~4095ull;
		e.thread = msg->arg.pagefault.feat.ptid;
		if (msg->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP)
			e.what = GVM_UFFD_PROTECT;
		else if (msg->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WRITE)
			e.what = GVM_UFFD_WRITE;
		else
			e.what = GVM_UFFD_READ;
		break;
	case UFFD_EVENT_UNMAP:
	case UFFD_EVENT_REMOVE:
		e.what = msg->event == UFFD_EVENT_UNMAP ? GVM_UFFD_UNMAP :
			 GVM_UFFD_REMOVE;
		e.addr = msg->arg.remove.start;
		e.len = msg->arg.remove.end - msg->arg.remove.start;
		break;
	case UFFD_EVENT_REMAP:
		e.what = GVM_UFFD_REMAP;
		e.addr = msg->arg.remap.from;
		e.len = msg->arg.remap.len;
		break;
	}
	return e;
}

u32 gvm_uffd_read(int uffd, struct gvm_uffd_event *ret_events)
{
	struct uffd_msg msgs[8];
	u32 nr = 0;
	long n;

	while (nr + 8 <= GVM_UFFD_EVENTS) {
		n = gvm_sys(SYS_read, uffd, msgs, sizeof(msgs));
		if (n == -EAGAIN || n == -EINTR)
			break;
		if (n <= 0 || n % (long)sizeof(msgs[0])) {
			ret_events[nr++].what = GVM_UFFD_BROKEN;
			break;
		}
		for (long i = 0; i < n / (long)sizeof(msgs[0]); i++)
			ret_events[nr++] = sort(&msgs[i]);
		if (n < (long)sizeof(msgs))
			break;
	}
	return nr;
}
