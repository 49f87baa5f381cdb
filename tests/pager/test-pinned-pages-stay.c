// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, what a device writes into paged memory is lost silently.
 *
 * An io_uring fixed buffer pins a page for as long as the ring lives, as VFIO
 * and direct I/O do.  Far more memory than the limit is then paged through;
 * afterwards the kernel writes into the pinned page, behind the page table,
 * and the program must see it.  Where eviction copies, the page is held.
 */
#define _GNU_SOURCE
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "harness.h"

#define PAGES	4096u
#define LOCAL	(4 * MIB)
#define PINNED	17u

struct ring {
	int	fd;
	void	*sq;
	void	*cq;
	struct io_uring_sqe *sqes;
	struct io_uring_params p;
};

static void ring_open(struct ring *r)
{
	memset(r, 0, sizeof(*r));
	r->fd = (int)syscall(SYS_io_uring_setup, 2, &r->p);
	if (r->fd < 0) {
		printf("skipped: this kernel refuses io_uring\n");
		exit(77);
	}
	r->sq = mmap(NULL, r->p.sq_off.array + r->p.sq_entries * 4,
		     PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		     IORING_OFF_SQ_RING);
	r->cq = mmap(NULL, r->p.cq_off.cqes + r->p.cq_entries *
		     sizeof(struct io_uring_cqe), PROT_READ | PROT_WRITE,
		     MAP_SHARED, r->fd, IORING_OFF_CQ_RING);
	r->sqes = mmap(NULL, r->p.sq_entries * sizeof(*r->sqes),
		       PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		       IORING_OFF_SQES);
	CHECK(r->sq != MAP_FAILED && r->cq != MAP_FAILED &&
	      r->sqes != MAP_FAILED);
}

static uint32_t *at(void *base, uint32_t offset)
{
	return (uint32_t *)((char *)base + offset);
}

/* One fixed read, waited for; the result. */
static int ring_read(struct ring *r, int fd, void *buf, unsigned len)
{
	uint32_t tail = *at(r->sq, r->p.sq_off.tail);
	uint32_t slot = tail & *at(r->sq, r->p.sq_off.ring_mask);
	uint32_t head = *at(r->cq, r->p.cq_off.head);
	struct io_uring_cqe *cqes = (void *)at(r->cq, r->p.cq_off.cqes);

	r->sqes[slot] = (struct io_uring_sqe){
		.opcode = IORING_OP_READ_FIXED, .fd = fd,
		.addr = (uint64_t)(uintptr_t)buf, .len = len,
	};
	at(r->sq, r->p.sq_off.array)[slot] = slot;
	__atomic_store_n(at(r->sq, r->p.sq_off.tail), tail + 1,
			 __ATOMIC_RELEASE);
	CHECK(syscall(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS,
		      NULL, 0) == 1);
	__atomic_store_n(at(r->cq, r->p.cq_off.head), head + 1,
			 __ATOMIC_RELEASE);
	return cqes[head & *at(r->cq, r->p.cq_off.ring_mask)].res;
}

int main(void)
{
	static uint8_t fresh[PAGE];
	struct test_server server;
	struct gvm_stats st;
	struct iovec iov;
	struct gvm *gvm;
	struct ring ring;
	uint8_t *memory;
	int fds[2];

	need_userfaultfd();
	server = server_start(0, NULL);
	gvm = engine_start(&server, 1, LOCAL, NULL);
	memory = memory_map(gvm, PAGES * PAGE);
	stamp_put(memory + PINNED * PAGE, PINNED, 1);
	iov = (struct iovec){ memory + PINNED * PAGE, PAGE };
	if (gvm_needs_hold(gvm, iov.iov_base, PAGE))
		CHECK(gvm_hold(gvm, iov.iov_base, PAGE, 1) == 0);
	ring_open(&ring);
	if (syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_BUFFERS,
		    &iov, 1)) {
		printf("skipped: this kernel refuses fixed buffers\n");
		return 77;
	}
	for (uint64_t round = 2; round < 4; round++)
		for (unsigned i = 0; i < PAGES; i++)
			if (i != PINNED)
				stamp_put(memory + i * PAGE, i, round);
	stamp_put(fresh, 4711, 5);
	CHECK(pipe(fds) == 0);
	CHECK(write(fds[1], fresh, PAGE) == (ssize_t)PAGE);
	CHECK(ring_read(&ring, fds[0], iov.iov_base, PAGE) == (int)PAGE);
	CHECK(stamp_is(memory + PINNED * PAGE, 4711, 5));
	CHECK(gvm_stats(gvm, &st) == 0);
	if (evicts_by_move(gvm))
		CHECK(st.evict_busy > 0);
	/* Unpinned, it is paged like any other. */
	close(ring.fd);
	if (!evicts_by_move(gvm))
		CHECK(gvm_release(gvm, iov.iov_base, PAGE) == 0);
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(stamp_is(memory + i * PAGE, i == PINNED ? 4711 : i,
			       i == PINNED ? 5 : 3));
	printf("%s: refused %lu times because pinned\n", gvm_engine_line(gvm),
	       st.evict_busy);
	memory_unmap(gvm, memory, PAGES * PAGE);
	gvm_fini(gvm);
	server_stop(&server);
	return 0;
}
