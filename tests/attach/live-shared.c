// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, a guest whose memory is a memfd (QEMU's
 * memory-backend-memfd) would lose pages.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>

#include "live.h"

#define NAME	"memory-backend-memfd"

static char *map_like_qemu(int flags, int *ret_fd)
{
	int fd = memfd_create(NAME, MFD_CLOEXEC);
	char *at;

	CHECK(fd >= 0 && ftruncate(fd, (off_t)LARGE) == 0);
	at = mmap(NULL, LARGE + 2 * MIB, PROT_NONE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(at != MAP_FAILED);
	/* Not at a multiple of 2 MiB: QEMU's is not, either. */
	at = mmap(at + PAGE, LARGE, RW, flags | MAP_FIXED, fd, 0);
	CHECK(at != MAP_FAILED);
	*ret_fd = fd;
	return at;
}

static void use(int flags)
{
	int fd;
	char *at = map_like_qemu(flags, &fd);

	stamp(at, LARGE, 12);
	verify(at, LARGE, 12);
	stamp(at, LARGE / 2, 13);
	CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			(off_t)(2 * MIB), (off_t)(4 * MIB)) == 0);
	CHECK(madvise(at + 2 * MIB, 4 * MIB, MADV_DONTNEED) == 0);
	verify(at, 2 * MIB, 13);
	verify_zero(at + 2 * MIB, 4 * MIB);
	verify(at + 6 * MIB, LARGE / 2 - 6 * MIB, 13 + 6 * MIB / PAGE);
	verify(at + LARGE / 2, LARGE / 2, 12 + LARGE / 2 / PAGE);
	CHECK(munmap(at, LARGE) == 0);
	close(fd);
}

int main(int argc, char **argv)
{
	int fd;

	if (argc > 1 && strcmp(argv[1], "twice") == 0) {
		map_like_qemu(MAP_SHARED, &fd);
		mmap(NULL, LARGE, RW, MAP_SHARED, fd, 0);
		return 0;	/* must not be reached */
	}
	use(MAP_PRIVATE);
	use(MAP_SHARED);
	return 0;
}
