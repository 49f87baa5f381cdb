// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, data read from a file would arrive in a page that had just
 * been taken away, and be lost while the read reported success.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "live.h"

#define FILE_BYTES	(4 * MIB)
#define BLOCK		(64 * 1024)

static char path[256];
static volatile int stop;

/* Keeps eviction going. */
static void *presser(void *arg)
{
	char *at = map(2 * LOCAL);

	while (!stop)
		stamp(at, 2 * LOCAL, 1);
	CHECK(munmap(at, 2 * LOCAL) == 0);
	return arg;
}

static void make_file(void)
{
	const char *dir = getenv("TMPDIR");
	char *at = map(FILE_BYTES);
	int fd;

	snprintf(path, sizeof(path), "%s/gvm-live-XXXXXX", dir ? dir : "/tmp");
	fd = mkstemp(path);
	CHECK(fd >= 0);
	stamp(at, FILE_BYTES, 1000);
	push_out();
	/* The kernel reads pages that are elsewhere. */
	CHECK(write(fd, at, FILE_BYTES) == (ssize_t)FILE_BYTES);
	CHECK(fsync(fd) == 0);
	close(fd);
	CHECK(munmap(at, FILE_BYTES) == 0);
}

/* The kernel writes pages that are elsewhere, in every way there is. */
static void read_into(char *at, int fd, int how)
{
	for (size_t off = 0; off < FILE_BYTES; off += BLOCK) {
		struct iovec iov[2] = {
			{ .iov_base = at + off, .iov_len = BLOCK / 2 },
			{ .iov_base = at + off + BLOCK / 2,
			  .iov_len = BLOCK / 2 },
		};
		ssize_t got;

		if (how == 0)
			got = read(fd, at + off, BLOCK);
		else if (how == 1)
			got = pread(fd, at + off, BLOCK, (off_t)off);
		else if (how == 2)
			got = preadv(fd, iov, 2, (off_t)off);
		else
			got = readv(fd, iov, 2);
		CHECK(got == BLOCK);
	}
}

static void read_back(int flags)
{
	char *at = map(LARGE);

	for (int how = 0; how < 4; how++) {
		int fd = open(path, O_RDONLY | flags);
		size_t place = (size_t)how * LOCAL;

		if (fd < 0)	/* the file system has no direct I/O */
			break;
		stamp(at, LARGE, 5);
		read_into(at + place, fd, how);
		verify(at + place, FILE_BYTES, 1000);
		push_out();
		verify(at + place, FILE_BYTES, 1000);
		verify(at, place, 5);
		close(fd);
	}
	CHECK(munmap(at, LARGE) == 0);
}

static void through_pipes(void)
{
	char *at = map(LARGE);
	char *back = map(PAGE * 16);
	int ends[2];

	CHECK(pipe(ends) == 0);
	stamp(at, LARGE, 6);
	for (size_t off = 0; off < LARGE; off += PAGE * 16) {
		CHECK(write(ends[1], at + off, PAGE * 16) == PAGE * 16);
		CHECK(read(ends[0], back, PAGE * 16) == PAGE * 16);
		verify(back, PAGE * 16, 6 + off / PAGE);
	}
	close(ends[0]);
	close(ends[1]);
	CHECK(munmap(at, LARGE) == 0);
}

int main(void)
{
	pthread_t thread;

	make_file();
	CHECK(pthread_create(&thread, NULL, presser, NULL) == 0);
	read_back(0);
	read_back(O_DIRECT);
	stop = 1;
	CHECK(pthread_join(thread, NULL) == 0);
	through_pipes();
	unlink(path);
	return 0;
}
