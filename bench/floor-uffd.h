/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The least a userfaultfd pager can cost on this machine: one thread touches a
 * missing page, another reads the message and copies 4 KiB in.  No table, no
 * eviction, no statistics, no network.
 */
#ifndef GVM_BENCH_FLOOR_UFFD_H
#define GVM_BENCH_FLOOR_UFFD_H

#include <pthread.h>
#include "lib.h"

struct floor_tcp;

struct floor_uffd {
	int		uffd;
	int		handler_cpu;	/* -1: where the scheduler likes */
	u8		*mem;
	u64		pages;
	u64		*order;		/* a shuffle of the page numbers */
	u64		next;
	struct floor_tcp *fetch;	/* ask it for each page, if not NULL */
	pthread_t	handler;
};

/* Exits 77 if userfaultfd is not permitted. */
void floor_uffd_open(struct floor_uffd *f, u64 pages, int handler_cpu,
		     struct floor_tcp *fetch);

/* The same for floor_uffd_own_block(): pages of it can be protected. */
void floor_uffd_open_own(struct floor_uffd *f, u64 pages, int handler_cpu);

/*
 * Touch nr missing pages in random order and add each wait to *h.  ret_ns, if
 * not NULL, gets the single waits too.
 */
void floor_uffd_block(struct floor_uffd *f, u64 nr, struct hist *h,
		      u64 *ret_ns);

/*
 * What an owner pays and who waits for it, for nr pages in random order, each filled
 * before: to take the right to write from a page (*protect), to get it back by a
 * fault (*upgrade, the wait of the thread that writes), to drop it (*drop).
 */
void floor_uffd_own_block(struct floor_uffd *f, u64 nr, struct hist *protect,
			  struct hist *upgrade, struct hist *drop);
void floor_uffd_close(struct floor_uffd *f);

/* userfaultfd for this user, features asked for; -1 if not permitted. */
int uffd_open(u64 features);

#endif
