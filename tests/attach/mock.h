/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An engine that pages nothing and remembers what it was told.
 *
 * It is strict: what the real one leaves to its caller (no overlap, whole
 * pages, memory that is mapped) stops the test.
 */
#ifndef GVM_TESTS_ATTACH_MOCK_H
#define GVM_TESTS_ATTACH_MOCK_H

#include <sys/mman.h>

#include "attach.h"
#include "check.h"

struct mock {
	int	inits;
	int	registers;
	int	unregisters;
	int	discards;
	int	moves;
	int	holds;
	int	releases;
	int	forks;
	int	advised;		/* MADV_DONTFORK */
	int	shared;			/* ranges registered with a backing */
	int	register_result;	/* what the next ones return */
	int	hold_result;
	int	fork_result;
	int	needs_hold;
	int	can_move;		/* what the kernel is said to offer */
	u64	pages;			/* registered now */
	u64	discarded_start;	/* of the last discard */
	u64	discarded_len;
};

extern struct mock mock;

/* A configuration as `giantvm run` would make it. */
void mock_configure(void);
/* Are all, or none, of the pages registered? */
bool mock_all(u64 start, u64 len);
bool mock_none(u64 start, u64 len);
/* Runs f in a child: its exit status. */
int mock_status_of(void (*f)(void));

static inline u64 map_anon(u64 len, int prot, int flags, u64 at)
{
	long ret = gvm_attach_mmap(at, len, prot,
				   MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	CHECK(ret > 0 || ret < -4096);
	return (u64)ret;
}

#define RW	(PROT_READ | PROT_WRITE)
#define MIB	(1ull << 20)

#endif
