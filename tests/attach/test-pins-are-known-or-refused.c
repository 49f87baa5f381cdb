// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, a device would write to a page that was evicted under it:
 * a read that reports success and is lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <sys/mman.h>
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
	CHECK(mock_status_of(late_aio) == 125);
	CHECK(mock_status_of(raw_calls_are_refused) == 0);
	CHECK(mock_status_of(foreseen) == 0);
	return 0;
}
