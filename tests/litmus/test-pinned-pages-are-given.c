// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A page that another node wants to write is taken out of memory in one step,
 * which the kernel refuses while the page is pinned.  It must go all the same, and
 * with its bytes: a node that could not give it would keep the others waiting for
 * ever.  Beside it lie pages that are not pinned, and one that was never written.
 */
#define _GNU_SOURCE
#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cluster.h"

#define PAGES	8u
#define PINNED	3u
#define ZERO	5u	/* only read before it goes */

static struct cluster cluster;

static int pin(void *at)
{
	struct io_uring_params p = { 0 };
	struct iovec iov = { at, PAGE };
	int fd = (int)syscall(SYS_io_uring_setup, 1, &p);

	if (fd < 0 || syscall(SYS_io_uring_register, fd,
			      IORING_REGISTER_BUFFERS, &iov, 1)) {
		printf("skipped: no io_uring here (%m)\n");
		exit(77);
	}
	return fd;
}

/* Reads what node 0 has written, writes it, and gives it back by leaving. */
static int other(void *arg)
{
	struct node n;

	(void)arg;
	node_join(&cluster, 1, SLICE, SLICE, &n);
	for (unsigned i = 0; i < PAGES; i++) {
		/* The first touch is a write: then it goes whole. */
		*(volatile uint64_t *)(n.at + i * PAGE + PAGE - 8) = 1;
		CHECK(n.at[i * PAGE] == (i == ZERO ? 0 : i + 1));
		n.at[i * PAGE] = (uint8_t)(i + 100);
	}
	node_leave(&n);
	return 0;
}

int main(void)
{
	struct node n;
	int fd;

	cluster_start(&cluster, 1, NULL);
	node_join(&cluster, 0, SLICE, SLICE, &n);
	for (unsigned i = 0; i < PAGES; i++) {
		if (i == ZERO)
			CHECK(n.at[i * PAGE] == 0);
		else
			n.at[i * PAGE] = (uint8_t)(i + 1);
	}
	fd = pin(n.at + PINNED * PAGE);
	CHECK(reap(spawn(other, NULL)) == 0);
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(n.at[i * PAGE] == i + 100);
	close(fd);
	node_leave(&n);
	cluster_stop(&cluster);
	return 0;
}
