// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tests of the order of single accesses.  What x86 forbids between threads of one machine is
 * forbidden between nodes: a processor may let a load overtake its own earlier
 * store (SB), and nothing else.
 */
#include <sched.h>
#include <stddef.h>

#include "inside.h"

/* Store buffering: allowed on x86 without a fence; counted, not judged. */
static void sb(struct round *round, int t, uint64_t *r)
{
	if (t == 0) {
		X = round->one;
		dawdle(round);
		r[0] = Y;
	} else {
		Y = round->one;
		dawdle(round);
		r[0] = X;
	}
}

static void sb_fence(struct round *round, int t, uint64_t *r)
{
	if (t == 0) {
		X = round->one;
		FENCE();
		dawdle(round);
		r[0] = Y;
	} else {
		Y = round->one;
		FENCE();
		dawdle(round);
		r[0] = X;
	}
}

static bool sb_bad(const struct round *round, uint64_t total)
{
	(void)total;
	return !NEW(round->r[0][0]) && !NEW(round->r[1][0]);
}

static bool never(const struct round *round, uint64_t total)
{
	(void)round;
	(void)total;
	return false;
}

static unsigned both(const struct round *round)
{
	return BIT(0, 0) << 1 | BIT(1, 0);
}

/* Message passing. */
static void mp(struct round *round, int t, uint64_t *r)
{
	if (t == 0) {
		X = round->one;
		dawdle(round);
		Y = round->one;
	} else {
		r[0] = Y;
		dawdle(round);
		r[1] = X;
	}
}

static bool mp_bad(const struct round *round, uint64_t total)
{
	(void)total;
	return NEW(round->r[1][0]) && !NEW(round->r[1][1]);
}

static unsigned mp_saw(const struct round *round)
{
	return BIT(1, 0) << 1 | BIT(1, 1);
}

/* Message passing with waiting: the reader always sees the message. */
static void mp_wait(struct round *round, int t, uint64_t *r)
{
	if (t == 0) {
		X = round->one;
		dawdle(round);
		Y = round->one;
		return;
	}
	while (!NEW(Y)) {
		r[2] = 1;
		sched_yield();
	}
	r[0] = round->one;
	r[1] = X;
}

static unsigned mp_waited(const struct round *round)
{
	return YES(1, 2) << 1 | BIT(1, 1);
}

/* Load buffering. */
static void lb(struct round *round, int t, uint64_t *r)
{
	if (t == 0) {
		r[0] = X;
		dawdle(round);
		Y = round->one;
	} else {
		r[0] = Y;
		dawdle(round);
		X = round->one;
	}
}

static bool lb_bad(const struct round *round, uint64_t total)
{
	(void)total;
	return NEW(round->r[0][0]) && NEW(round->r[1][0]);
}

/* Two readers must agree on the order of independent writes. */
static void iriw(struct round *round, int t, uint64_t *r)
{
	switch (t) {
	case 0:
		X = round->one;
		break;
	case 1:
		Y = round->one;
		break;
	case 2:
		r[0] = X;
		dawdle(round);
		r[1] = Y;
		break;
	case 3:
		r[0] = Y;
		dawdle(round);
		r[1] = X;
		break;
	}
}

static bool iriw_bad(const struct round *round, uint64_t total)
{
	(void)total;
	return NEW(round->r[2][0]) && !NEW(round->r[2][1]) &&
	       NEW(round->r[3][0]) && !NEW(round->r[3][1]);
}

static unsigned iriw_saw(const struct round *round)
{
	return BIT(2, 0) << 3 | BIT(2, 1) << 2 | BIT(3, 0) << 1 | BIT(3, 1);
}

/* Write-to-read causality. */
static void wrc(struct round *round, int t, uint64_t *r)
{
	switch (t) {
	case 0:
		X = round->one;
		break;
	case 1:
		r[0] = X;
		dawdle(round);
		Y = round->one;
		break;
	case 2:
		r[0] = Y;
		dawdle(round);
		r[1] = X;
		break;
	}
}

static bool wrc_bad(const struct round *round, uint64_t total)
{
	(void)total;
	return NEW(round->r[1][0]) && NEW(round->r[2][0]) &&
	       !NEW(round->r[2][1]);
}

static unsigned wrc_saw(const struct round *round)
{
	return BIT(1, 0) << 2 | BIT(2, 0) << 1 | BIT(2, 1);
}

static void two_plus_two_w(struct round *round, int t, uint64_t *r)
{
	(void)r;
	if (t == 0) {
		X = round->one;
		dawdle(round);
		Y = round->two;
	} else {
		Y = round->one;
		dawdle(round);
		X = round->two;
	}
}

static bool two_plus_two_w_bad(const struct round *round, uint64_t total)
{
	(void)total;
	return round->final[0] == round->one && round->final[1] == round->one;
}

/* Whose write is the last one of x, and of y? */
static unsigned two_plus_two_w_end(const struct round *round)
{
	return (unsigned)(round->final[0] == round->one) << 1 |
	       (round->final[1] == round->one);
}

/* Nobody sees one variable go backwards. */
static void corr(struct round *round, int t, uint64_t *r)
{
	uint64_t last = 0, now;

	if (t == 0) {
		X = round->one;
		dawdle(round);
		X = round->two;
		return;
	}
	for (int i = 0; i < 16; i++) {
		now = X;
		if (i % 8 == 4)
			dawdle(round);
		r[0] |= now < last;
		r[1] |= i && !NEW(last) && NEW(now);
		last = now;
	}
}

static bool corr_bad(const struct round *round, uint64_t total)
{
	(void)total;
	return round->r[1][0] || round->r[2][0];
}

/* Who saw it change while looking? */
static unsigned corr_saw(const struct round *round)
{
	return YES(1, 1) << 1 | YES(2, 1);
}

/* A thread's own writes keep their order, for it and for the end. */
static void coww(struct round *round, int t, uint64_t *r)
{
	var *mine = t == 0 ? &X : &Y, *other = t == 0 ? &Y : &X;
	uint64_t saw;

	*mine = round->one;
	saw = *other;
	dawdle(round);
	*mine = round->two;
	r[0] = *mine != round->two;
	r[1] = *other;
	/* The other's variable does not go backwards either. */
	r[0] |= r[1] < saw;
}

static bool coww_bad(const struct round *round, uint64_t total)
{
	(void)total;
	return round->r[0][0] || round->r[1][0] ||
	       round->final[0] != round->two || round->final[1] != round->two;
}

static unsigned coww_saw(const struct round *round)
{
	return BIT(0, 1) << 1 | BIT(1, 1);
}

static const struct litmus tests[] = {
	{ "SB", "nothing (x86 allows both to be old)", 2, sb, never,
	  both, 2, "01 10 11", 0, 0 },
	{ "SB+fence", "both old", 2, sb_fence, sb_bad,
	  both, 2, "01 10 11", 0, 0 },
	{ "MP", "the flag without the data", 2, mp, mp_bad,
	  mp_saw, 2, "00 01 11", 0, 0 },
	{ "MP+wait", "the flag without the data", 2, mp_wait, mp_bad,
	  mp_waited, 2, "11", 0, 0 },
	{ "LB", "both new", 2, lb, lb_bad,
	  both, 2, "00 01 10", 0, 0 },
	{ "IRIW", "two orders of two writes", 4, iriw, iriw_bad,
	  iriw_saw, 4, "0000 1111 10?? ??10", 0, 0 },
	{ "WRC", "an effect without its cause", 3, wrc, wrc_bad,
	  wrc_saw, 3, "000 111 ?01 100 011", 0, 0 },
	{ "2+2W", "both first writes last", 2, two_plus_two_w,
	  two_plus_two_w_bad, two_plus_two_w_end, 2, "00 01 10", true, 0 },
	{ "CoRR", "a variable that goes backwards", 3, corr, corr_bad,
	  corr_saw, 2, "00 ?1 1?", 0, 0 },
	{ "CoWW", "own writes out of order", 2, coww, coww_bad,
	  coww_saw, 2, "01 10 11", true, 0 },
};

#define NR ((int)(sizeof(tests) / sizeof(tests[0])))

const struct litmus *litmus_nth(int n)
{
	return n < NR ? &tests[n] : litmus_lock_nth(n - NR);
}
