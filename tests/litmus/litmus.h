/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The litmus tests and what runs them (litmus.c). */
#ifndef GVM_TEST_LITMUS_H
#define GVM_TEST_LITMUS_H

#include <stdbool.h>
#include <stdint.h>

#define THREADS_MAX	4
#define RESULTS		4
#define VARS		4

typedef volatile uint64_t var;

/*
 * One round of one test.  No variable is ever reset: the n-th time a store of
 * "1" is one of 2n, of "2" one of 2n + 1, and whatever is less is "0".
 */
struct round {
	uint64_t one;			/* 2n */
	uint64_t two;			/* 2n + 1 */
	uint64_t dawdle_ns;		/* between two accesses of a thread */
	var	*v[VARS];
	uint64_t r[THREADS_MAX][RESULTS];	/* what threads saw */
	uint64_t final[VARS];		/* read by thread 0 after the round */
};

struct litmus {
	const char *name;
	const char *what;		/* is forbidden */
	int	threads;
	void	(*run)(struct round *round, int thread, uint64_t *r);
	/* Forbidden?  total: how often it ran on these variables by now. */
	bool	(*forbidden)(const struct round *round, uint64_t total);
	/* What came out, as bits: the first one told is the highest. */
	unsigned (*outcome)(const struct round *round);
	int	bits;
	/*
	 * Outcomes, with blanks between, that are allowed and must be seen in a
	 * long run: without them the threads never met, and nothing was tested.
	 * A '?' stands for both bits.
	 */
	const char *witness;
	bool	final;			/* forbidden() looks at final[] */
	bool	straddles;		/* v[3] lies on two pages */
};

/* What came out of one test. */
#define OUTCOMES	16u

struct tally {
	uint64_t rounds;
	uint64_t forbidden;
	uint64_t seen[OUTCOMES];
	bool	stuck;
};

/* tests.c, tests-locks.c: the test of that number, or NULL. */
const struct litmus *litmus_nth(int n);
const struct litmus *litmus_lock_nth(int n);

/*
 * report.c: print it.  True: nothing forbidden was seen, and, if they are asked
 * for, all witnesses were.
 */
bool litmus_report(const struct litmus *test, const char *layout,
		   const struct tally *tally, uint64_t ns, bool witness);

#define FENCE()		__atomic_thread_fence(__ATOMIC_SEQ_CST)
/* No compiler may move or join accesses of volatile; the CPU may. */

#endif
