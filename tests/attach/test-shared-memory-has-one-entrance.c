// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, a second mapping of a guest's memory (vhost-user) would read
 * zeros where pages rest on servers.
 */
#include <errno.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mock.h"
#include "sys.h"

#define NAME	"memory-backend-memfd"

static int fd;
static u64 at;

static long map_file(int file, u64 len, int flags)
{
	return gvm_attach_mmap(0, len, RW, flags, file, 0);
}

static void map_again(void)
{
	map_file(fd, 8 * MIB, MAP_SHARED);
}

static void map_private_view(void)
{
	map_file(fd, 4096, MAP_PRIVATE);
}

static void pass_it_on(void)
{
	char room[CMSG_SPACE(sizeof(int))];
	struct msghdr m = { .msg_control = room, .msg_controllen = sizeof(room) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	gvm_attach_check_message(&m);
}

static void punching_goes_through_the_engine(void)
{
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	mock.discards = 0;
	CHECK(gvm_attach_fallocate(fd, mode, MIB, 2 * MIB) == 0);
	CHECK(mock.discards == 1 && mock.discarded_start == at + MIB &&
	      mock.discarded_len == 2 * MIB);
	/* Beyond what is mapped, the kernel does it. */
	CHECK(gvm_attach_fallocate(fd, mode, 7 * MIB, 9 * MIB) == 0);
	CHECK(mock.discards == 2 && mock.discarded_len == MIB);
	CHECK(gvm_attach_fallocate(fd, mode, 9 * MIB, MIB) == 0);
	CHECK(mock.discards == 2);
	/* Pages out of nothing would hide those on the servers. */
	CHECK(gvm_attach_fallocate(fd, 0, 0, 8 * MIB) == 0);
	CHECK(gvm_attach_fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, MIB) ==
	      -EOPNOTSUPP);
	CHECK(gvm_attach_ftruncate(fd, MIB) == -EPERM);
	CHECK(gvm_attach_madvise(at, MIB, MADV_REMOVE) == 0);
	CHECK(mock.discards == 3);
}

int main(void)
{
	int other = memfd_create("other", 0);
	int own = memfd_create(NAME, 0);
	long ret;

	mock_configure();
	fd = memfd_create(NAME, 0);
	CHECK(fd >= 0 && other >= 0 && own >= 0);
	CHECK(ftruncate(fd, 16 * MIB) == 0 && ftruncate(other, 8 * MIB) == 0 &&
	      ftruncate(own, 8 * MIB) == 0);

	/* Somebody else's shared memory is never attached. */
	CHECK(map_file(other, 8 * MIB, MAP_SHARED) > 0);
	CHECK(mock.inits == 0);

	/* share=off is plain anonymous memory. */
	CHECK(map_file(own, 8 * MIB, MAP_PRIVATE) > 0);
	CHECK(mock.registers == 1 && mock.shared == 0);

	ret = map_file(fd, 8 * MIB, MAP_SHARED);
	CHECK(ret > 0 && mock.shared == 1);
	at = (u64)ret;
	CHECK(mock_status_of(map_again) == 125);
	CHECK(mock_status_of(map_private_view) == 125);
	CHECK(mock_status_of(pass_it_on) == 125);
	CHECK(map_file(other, 4 * MIB, MAP_SHARED) > 0);
	punching_goes_through_the_engine();

	/* Once it is unmapped, it is nobody's. */
	CHECK(gvm_attach_munmap(at, 8 * MIB) == 0);
	CHECK(map_file(fd, 8 * MIB, MAP_SHARED) > 0);
	return 0;
}
