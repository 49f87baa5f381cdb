// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, a device would write to a page that was evicted under it:
 * a read that reports success and is lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/vfio.h>
#include <linux/videodev2.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "mock.h"
#include "sys.h"

#ifndef O_DIRECT
#define O_DIRECT 040000
#endif

static u64 at;

static long vfio_map(int fd, u64 size)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.vaddr = at,
		.size = size,
	};

	return gvm_attach_ioctl(fd, VFIO_IOMMU_MAP_DMA, &map);
}

static void vfio(void)
{
	int fd = open("/dev/null", O_RDWR);
	struct vfio_iommu_type1_dma_unmap unmap = { .size = MIB };

	/* The kernel refuses (no container): what was held is let go. */
	CHECK(vfio_map(fd, 8 * MIB) == -ENOTTY);
	CHECK(mock.holds == 1 && mock.releases == 1);
	/* More than the limit: the kernel is not even asked. */
	mock.hold_result = -ENOMEM;
	CHECK(vfio_map(fd, 8 * MIB) == -ENOMEM);
	CHECK(mock.holds == 1 && mock.releases == 1);
	mock.hold_result = 0;
	CHECK(gvm_attach_ioctl(fd, VFIO_IOMMU_UNMAP_DMA, &unmap) == -ENOTTY);
	CHECK(mock.releases == 1);
	CHECK(gvm_attach_ioctl(fd, 0x3b85, NULL) == -EOPNOTSUPP);
	close(fd);
}

struct nvidia_alloc {
	u32	client, parent, object, class, flags;
	u64	address, last;
	u32	status, pad, fd;
};

struct nvidia_free {
	u32	client, parent, object, status;
};

/* A driver that says yes to everything. */
static void pretend_driver(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, GVM_IOCTL_NVIDIA_ALLOC, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, GVM_IOCTL_NVIDIA_FREE, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 0),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static long give_to_gpu(u32 object, u64 address, u64 size, u32 status)
{
	struct nvidia_alloc a = {
		.client = 1, .parent = 2, .object = object, .class = 0x71,
		.address = address, .last = size - 1, .status = status,
	};

	return gvm_attach_ioctl(-1, GVM_IOCTL_NVIDIA_ALLOC, &a);
}

static void take_from_gpu(u32 object, u32 status)
{
	struct nvidia_free f = {
		.client = 1, .parent = 2, .object = object, .status = status,
	};

	CHECK(gvm_attach_ioctl(-1, GVM_IOCTL_NVIDIA_FREE, &f) == 0);
}

static void gpu(void)
{
	struct nvidia_alloc other = { .class = 0x3e, .address = at, .last = 9 };

	mock.holds = mock.releases = 0;
	pretend_driver();
	/* Held as long as the driver has it. */
	CHECK(give_to_gpu(7, at + 100, MIB, 0) == 0);
	CHECK(mock.holds == 1 && mock.releases == 0);
	take_from_gpu(8, 0);
	take_from_gpu(7, 0x57);
	CHECK(mock.releases == 0);
	take_from_gpu(7, 0);
	CHECK(mock.releases == 1);
	take_from_gpu(7, 0);
	CHECK(mock.releases == 1);
	/* The driver did not want it. */
	CHECK(give_to_gpu(7, at, MIB, 0x1f) == 0);
	CHECK(mock.holds == 2 && mock.releases == 2);
	/* It goes with its parent, or with all that this client has. */
	CHECK(give_to_gpu(7, at, MIB, 0) == 0);
	CHECK(give_to_gpu(8, at, MIB, 0) == 0);
	take_from_gpu(2, 0);
	CHECK(mock.holds == 4 && mock.releases == 4);
	CHECK(give_to_gpu(7, at, MIB, 0) == 0);
	take_from_gpu(1, 0);
	CHECK(mock.holds == 5 && mock.releases == 5);
	/* Only what is attached: behind it lies something else. */
	CHECK(give_to_gpu(7, at + 7 * MIB, 9 * MIB, 0) == 0);
	CHECK(mock.holds == 6);
	/* More than the limit, other kinds of memory, and nonsense. */
	mock.hold_result = -ENOMEM;
	CHECK(give_to_gpu(9, at, MIB, 0) == -ENOMEM);
	CHECK(gvm_attach_ioctl(-1, GVM_IOCTL_NVIDIA_ALLOC, &other) == 0);
	CHECK(give_to_gpu(9, at, 0, 0) == 0);
	CHECK(mock.holds == 6 && mock.releases == 5);
}

static void others_that_pin(void)
{
	struct v4l2_requestbuffers buffers = { .memory = V4L2_MEMORY_USERPTR };

	CHECK(gvm_attach_ioctl(-1, VIDIOC_REQBUFS, &buffers) == -EBADF);
	CHECK(gvm_attach_ioctl(-1, 0xc0181b01u, NULL) == -EBADF);
	mock.needs_hold = 1;
	map_anon(8 * MIB, RW, 0, 0);
	CHECK(gvm_attach_ioctl(-1, VIDIOC_REQBUFS, &buffers) == -EINVAL);
	buffers.memory = V4L2_MEMORY_MMAP;
	CHECK(gvm_attach_ioctl(-1, VIDIOC_REQBUFS, &buffers) == -EBADF);
	CHECK(gvm_attach_ioctl(-1, 0xc0181b01u, NULL) == -EOPNOTSUPP);
}

static void copying_keeps_direct_reads_off(void)
{
	char path[] = "/tmp/gvm-attach-XXXXXX";
	int fd = mkstemp(path);
	struct iovec iov[2] = {
		{ .iov_base = (void *)at, .iov_len = 3 },
		{ .iov_base = (void *)(at + 4096), .iov_len = 100 },
	};

	CHECK(fd >= 0 && write(fd, "abcdef", 6) == 6);
	CHECK(!gvm_attach_must_bounce(fd, iov, 2));
	CHECK(gvm_attach_bounce(fd, iov, 2, 1, 0) == 5);
	CHECK(*(char *)at == 'b' && *(char *)(at + 4096) == 'e' &&
	      *(char *)(at + 4097) == 'f');
	CHECK(gvm_attach_bounce(-1, iov, 2, 1, 0) == -EBADF);
	if (fcntl(fd, F_SETFL, O_DIRECT) == 0)
		CHECK(gvm_attach_must_bounce(fd, iov, 2));
	iov[0].iov_base = iov[1].iov_base = path;
	CHECK(!gvm_attach_must_bounce(fd, iov, 2));
	close(fd);
	unlink(path);
}

static void late_aio(void)
{
	void *context = NULL;

	CHECK(gvm_attach_async_allowed(GVM_ASYNC_AIO));
	CHECK(gvm_sys(SYS_io_setup, 4, &context) == 0);
	mock.needs_hold = 1;
	map_anon(8 * MIB, RW, 0, 0);
}

static void raw_calls_are_refused(void)
{
	void *context = NULL;

	mock.needs_hold = 1;
	map_anon(8 * MIB, RW, 0, 0);
	CHECK(!gvm_attach_async_allowed(GVM_ASYNC_URING));
	CHECK(gvm_sys(SYS_io_setup, 4, &context) == -ENOSYS);
	CHECK(gvm_sys(SYS_io_uring_setup, 4, NULL) == -ENOSYS);
	CHECK(gvm_sys(SYS_getpid) > 0);
}

static void foreseen(void)
{
	gvm_attach.gvm = NULL;
	gvm_attach.config.evict = GVM_EVICT_AUTO;
	mock.can_move = 0;
	CHECK(!gvm_attach_async_allowed(GVM_ASYNC_URING));
	mock.can_move = 1;
	CHECK(gvm_attach_async_allowed(GVM_ASYNC_URING));
	gvm_attach.config.evict = GVM_EVICT_COPY;
	CHECK(!gvm_attach_async_allowed(GVM_ASYNC_URING));
}

int main(void)
{
	mock_configure();
	at = map_anon(8 * MIB, RW, 0, 0);
	CHECK(gvm_attach_async_allowed(GVM_ASYNC_URING));
	vfio();
	copying_keeps_direct_reads_off();
	CHECK(mock_status_of(gpu) == 0);
	CHECK(mock_status_of(others_that_pin) == 0);
	CHECK(mock_status_of(late_aio) == 125);
	CHECK(mock_status_of(raw_calls_are_refused) == 0);
	CHECK(mock_status_of(foreseen) == 0);
	return 0;
}
