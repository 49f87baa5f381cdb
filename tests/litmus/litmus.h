/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The litmus tests (tests.c) and what runs them (litmus.c). */
#ifndef GVM_TEST_LITMUS_H
#define GVM_TEST_LITMUS_H

#include <stdbool.h>
#include <stdint.h>

#define THREADS_MAX	4
#define RESULTS		4
#define VARS		4

typedef volatile uint64_t var;

/*
 * One round of one test.  No variable is ever reset: in round k a store of
 * "1" is one of 2k, of "2" one of 2k + 1, and whatever is less is "0".
 */
struct round {
	uint64_t one;			/* 2k */
	uint64_t two;			/* 2k + 1 */
	var	*v[VARS];
	uint64_t r[THREADS_MAX][RESULTS];	/* what threads saw */
	uint64_t final[VARS];		/* read by thread 0 after the round */
};

struct litmus {
	const char *name;
	const char *what;		/* is forbidden */
	int	threads;
	void	(*run)(struct round *round, int thread, uint64_t *r);
	/* Forbidden?  total: how many rounds are done, with this one. */
	bool	(*forbidden)(const struct round *round, uint64_t total);
	bool	final;			/* forbidden() looks at final[] */
	bool	straddles;		/* v[3] lies on two pages */
};

extern const struct litmus litmus[];
extern const int litmus_nr;

#define FENCE()		__atomic_thread_fence(__ATOMIC_SEQ_CST)
/* No compiler may move or join accesses of volatile; the CPU may. */

#endif
