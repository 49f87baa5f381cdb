// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, a device that writes to pinned memory would write to a page
 * that had been evicted under it, and the data would be lost.
 *
 * The device is io_uring with a registered buffer: its pages stay pinned from
 * registration on, so whether they are evicted meanwhile is no matter of luck.
 * argv[1] "refused": eviction copies, and io_uring must not be had.
 */
#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "live.h"

#define PINNED	(64 * PAGE)

struct ring {
	int	fd;
	struct io_uring_params params;
	char	*sq;
	char	*cq;
	struct io_uring_sqe *sqes;
};

static unsigned *word(char *ring, unsigned offset)
{
	return (unsigned *)(void *)(ring + offset);
}

static int open_ring(struct ring *r)
{
	memset(r, 0, sizeof(*r));
	r->fd = (int)syscall(SYS_io_uring_setup, 4, &r->params);
	if (r->fd < 0)
		return -errno;
	r->sq = mmap(NULL, r->params.sq_off.array + 4 * sizeof(unsigned), RW,
		     MAP_SHARED, r->fd, IORING_OFF_SQ_RING);
	r->cq = mmap(NULL, r->params.cq_off.cqes +
		     r->params.cq_entries * sizeof(struct io_uring_cqe), RW,
		     MAP_SHARED, r->fd, IORING_OFF_CQ_RING);
	r->sqes = mmap(NULL, 4 * sizeof(struct io_uring_sqe), RW, MAP_SHARED,
		       r->fd, IORING_OFF_SQES);
	CHECK(r->sq != MAP_FAILED && r->cq != MAP_FAILED &&
	      r->sqes != MAP_FAILED);
	return 0;
}

/* Read len bytes of fd into the registered buffer; wait for it. */
static int read_fixed(struct ring *r, int fd, char *at, unsigned len)
{
	unsigned tail = *word(r->sq, r->params.sq_off.tail);
	unsigned slot = tail & *word(r->sq, r->params.sq_off.ring_mask);
	struct io_uring_sqe *sqe = &r->sqes[slot];
	struct io_uring_cqe *cqe;
	unsigned head;

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_READ_FIXED;
	sqe->fd = fd;
	sqe->addr = (uintptr_t)at;
	sqe->len = len;
	sqe->off = (uint64_t)-1;
	word(r->sq, r->params.sq_off.array)[slot] = slot;
	__atomic_store_n(word(r->sq, r->params.sq_off.tail), tail + 1,
			 __ATOMIC_RELEASE);
	CHECK(syscall(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS,
		      NULL, 0) == 1);
	head = *word(r->cq, r->params.cq_off.head);
	cqe = (struct io_uring_cqe *)(void *)(r->cq + r->params.cq_off.cqes) +
	      (head & *word(r->cq, r->params.cq_off.ring_mask));
	__atomic_store_n(word(r->cq, r->params.cq_off.head), head + 1,
			 __ATOMIC_RELEASE);
	return cqe->res;
}

static void device_writes(struct ring *r, char *at)
{
	char *data = map(MIB);
	struct iovec iov = { .iov_base = at, .iov_len = PINNED };
	int ends[2];

	CHECK(pipe(ends) == 0);
	stamp(data, PAGE * 8, 5000);
	CHECK(syscall(SYS_io_uring_register, r->fd, IORING_REGISTER_BUFFERS,
		      &iov, 1) == 0);
	for (size_t off = 0; off < PINNED; off += PAGE * 8) {
		push_out();
		CHECK(write(ends[1], data, PAGE * 8) == PAGE * 8);
		CHECK(read_fixed(r, ends[0], at + off, PAGE * 8) == PAGE * 8);
		verify(at + off, PAGE * 8, 5000);
		push_out();
		verify(at + off, PAGE * 8, 5000);
	}
}

int main(int argc, char **argv)
{
	struct ring ring;
	char *at;
	int err = open_ring(&ring);

	if (argc > 1 && strcmp(argv[1], "refused") == 0) {
		CHECK(err == -ENOSYS);
		at = map(LARGE);
		stamp(at, LARGE, 1);
		/* Nor by a call that passes no wrapper. */
		__asm__ volatile("syscall" : "=a"(err)
				 : "a"(SYS_io_uring_setup), "D"(4),
				   "S"(&ring.params) : "rcx", "r11", "memory");
		CHECK(err == -ENOSYS);
		verify(at, LARGE, 1);
		return 0;
	}
	if (err) {
		printf("skipped: no io_uring here (error %d)\n", -err);
		return 77;
	}
	at = map(LARGE);
	stamp(at, LARGE, 1);
	device_writes(&ring, at);
	verify(at + PINNED, LARGE - PINNED, 1 + PINNED / PAGE);
	return 0;
}
