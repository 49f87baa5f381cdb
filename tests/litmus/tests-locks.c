// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tests of what programs build out of atomic instructions and fences: counters
 * and locks.  Here a lost or torn update shows at the end.
 */
#include <sched.h>
#include <stddef.h>

#include "inside.h"

#define TIMES 2u

static void counter(struct round *round, int t, uint64_t *r)
{
	uint64_t first = 0, was;

	(void)t;
	for (unsigned i = 0; i < TIMES; i++) {
		if (i == TIMES / 2)
			dawdle(round);
		was = __atomic_fetch_add(&X, 1, __ATOMIC_SEQ_CST);
		first = i ? first : was;
		/* Did another one add between two of mine? */
		r[0] |= was != first + i;
	}
}

static bool counter_bad(const struct round *round, uint64_t total)
{
	return round->final[0] != total * 4 * TIMES;
}

static unsigned anybody(const struct round *round)
{
	return YES(0, 0) | YES(1, 0) | YES(2, 0) | YES(3, 0);
}

/* Peterson's form of Dekker's algorithm; z and w change only inside. */
static void dekker(struct round *round, int t, uint64_t *r)
{
	var *mine = t ? &Y : &X, *other = t ? &X : &Y;
	var *turn = round->v[0] + 2;
	uint64_t z;

	for (unsigned i = 0; i < TIMES; i++) {
		*mine = 1;
		*turn = (uint64_t)!t;
		FENCE();
		while (*other && *turn == (uint64_t)!t) {
			r[0] = 1;
			sched_yield();
		}
		z = Z;
		dawdle(round);
		W = W + 1;
		Z = z + 1;
		*mine = 0;
	}
}

static bool dekker_bad(const struct round *round, uint64_t total)
{
	return round->final[2] != total * 2 * TIMES ||
	       round->final[3] != total * 2 * TIMES;
}

static unsigned who_waited(const struct round *round)
{
	return YES(0, 0) << 1 | YES(1, 0);
}

/* A lock by exchange, and data on other pages that it guards. */
static void spin(struct round *round, int t, uint64_t *r)
{
	(void)t;
	for (unsigned i = 0; i < TIMES; i++) {
		while (__atomic_exchange_n(&X, 1, __ATOMIC_ACQUIRE)) {
			r[1] = 1;
			while (X)
				sched_yield();
		}
		r[0] |= Y != Z;
		Y = Y + 1;
		dawdle(round);
		Z = Z + 1;
		__atomic_store_n(&X, 0, __ATOMIC_RELEASE);
	}
}

static bool spin_bad(const struct round *round, uint64_t total)
{
	return round->r[0][0] || round->r[1][0] || round->r[2][0] ||
	       round->final[1] != total * 3 * TIMES ||
	       round->final[2] != total * 3 * TIMES;
}

static unsigned spin_waited(const struct round *round)
{
	return YES(0, 1) << 2 | YES(1, 1) << 1 | YES(2, 1);
}

/* One instruction that needs two pages at a time. */
static void straddle(struct round *round, int t, uint64_t *r)
{
	uint64_t add = 1;

	(void)t;
	__asm__ volatile("lock xaddq %0, %1" : "+r"(add), "+m"(W));
	r[0] = add;
}

static bool straddle_bad(const struct round *round, uint64_t total)
{
	return round->final[3] != total * 2 ||
	       round->r[0][0] == round->r[1][0];
}

static unsigned straddle_first(const struct round *round)
{
	return round->r[0][0] > round->r[1][0];
}

static const struct litmus tests[] = {
	{ "counter", "a lost addition", 4, counter, counter_bad,
	  anybody, 1, "1", true, 0 },
	{ "Dekker", "two at a time inside", 2, dekker, dekker_bad,
	  who_waited, 2, "1? ?1", true, 0 },
	{ "spin", "two at a time inside", 3, spin, spin_bad,
	  spin_waited, 3, "1?? ?1? ??1", true, 0 },
	{ "straddle", "a lost addition", 2, straddle, straddle_bad,
	  straddle_first, 1, "0 1", true, true },
};

#define NR ((int)(sizeof(tests) / sizeof(tests[0])))

const struct litmus *litmus_lock_nth(int n)
{
	return n < NR ? &tests[n] : NULL;
}
