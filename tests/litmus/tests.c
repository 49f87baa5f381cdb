// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tests themselves.  What x86 forbids between threads of one machine is
 * forbidden between nodes: a processor may let a load overtake its own earlier
 * store (SB), and nothing else.
 */
#include <sched.h>
#include <stddef.h>

#include "litmus.h"

#define X (*round->v[0])
#define Y (*round->v[1])
#define Z (*round->v[2])
#define W (*round->v[3])
#define NEW(value) ((value) >= round->one)

/* Store buffering: allowed on x86 without a fence; counted, not judged. */
static void sb(struct round *round, int t, uint64_t *r)
{
	if (t == 0) {
		X = round->one;
		r[0] = Y;
	} else {
		Y = round->one;
		r[0] = X;
	}
}

static void sb_fence(struct round *round, int t, uint64_t *r)
{
	if (t == 0) {
		X = round->one;
		FENCE();
		r[0] = Y;
	} else {
		Y = round->one;
		FENCE();
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

/* Message passing. */
static void mp(struct round *round, int t, uint64_t *r)
{
	if (t == 0) {
		X = round->one;
		Y = round->one;
	} else {
		r[0] = Y;
		r[1] = X;
	}
}

static bool mp_bad(const struct round *round, uint64_t total)
{
	(void)total;
	return NEW(round->r[1][0]) && !NEW(round->r[1][1]);
}

/* Message passing with waiting: the reader always sees the message. */
static void mp_wait(struct round *round, int t, uint64_t *r)
{
	if (t == 0) {
		X = round->one;
		Y = round->one;
		return;
	}
	while (!NEW(Y))
		sched_yield();
	r[0] = round->one;
	r[1] = X;
}

/* Load buffering. */
static void lb(struct round *round, int t, uint64_t *r)
{
	if (t == 0) {
		r[0] = X;
		Y = round->one;
	} else {
		r[0] = Y;
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
		r[1] = Y;
		break;
	case 3:
		r[0] = Y;
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

/* Write-to-read causality. */
static void wrc(struct round *round, int t, uint64_t *r)
{
	switch (t) {
	case 0:
		X = round->one;
		break;
	case 1:
		r[0] = X;
		Y = round->one;
		break;
	case 2:
		r[0] = Y;
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

static void two_plus_two_w(struct round *round, int t, uint64_t *r)
{
	(void)r;
	if (t == 0) {
		X = round->one;
		Y = round->two;
	} else {
		Y = round->one;
		X = round->two;
	}
}

static bool two_plus_two_w_bad(const struct round *round, uint64_t total)
{
	(void)total;
	return round->final[0] == round->one && round->final[1] == round->one;
}

/* Nobody sees one variable go backwards. */
static void corr(struct round *round, int t, uint64_t *r)
{
	uint64_t last = 0, now;

	if (t == 0) {
		X = round->one;
		X = round->two;
		return;
	}
	for (int i = 0; i < 16; i++) {
		now = X;
		r[0] |= now < last;
		last = now;
	}
}

static bool corr_bad(const struct round *round, uint64_t total)
{
	(void)total;
	return round->r[1][0] || round->r[2][0];
}

/* A thread's own writes keep their order, for it and for the end. */
static void coww(struct round *round, int t, uint64_t *r)
{
	var *mine = t == 0 ? &X : &Y;

	*mine = round->one;
	*mine = round->two;
	r[0] = *mine != round->two;
	(void)X;
	(void)Y;
}

static bool coww_bad(const struct round *round, uint64_t total)
{
	(void)total;
	return round->r[0][0] || round->r[1][0] ||
	       round->final[0] != round->two || round->final[1] != round->two;
}

#define TIMES 4

static void counter(struct round *round, int t, uint64_t *r)
{
	(void)t;
	(void)r;
	for (int i = 0; i < TIMES; i++)
		__atomic_fetch_add(&X, 1, __ATOMIC_SEQ_CST);
}

static bool counter_bad(const struct round *round, uint64_t total)
{
	return round->final[0] != total * 4 * TIMES;
}

/* Peterson's form of Dekker's algorithm; z and w change only inside. */
static void dekker(struct round *round, int t, uint64_t *r)
{
	var *mine = t ? &Y : &X, *other = t ? &X : &Y;
	var *turn = round->v[0] + 2;
	uint64_t z;

	(void)r;
	for (int i = 0; i < TIMES; i++) {
		*mine = 1;
		*turn = (uint64_t)!t;
		FENCE();
		while (*other && *turn == (uint64_t)!t)
			sched_yield();
		z = Z;
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

/* A lock by exchange, and data on other pages that it guards. */
static void spin(struct round *round, int t, uint64_t *r)
{
	(void)t;
	for (int i = 0; i < TIMES; i++) {
		while (__atomic_exchange_n(&X, 1, __ATOMIC_ACQUIRE))
			while (X)
				sched_yield();
		r[0] |= Y != Z;
		Y = Y + 1;
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

/* One instruction that needs two pages at a time. */
static void straddle(struct round *round, int t, uint64_t *r)
{
	(void)t;
	(void)r;
	__asm__ volatile("lock addq $1, %0" : "+m"(W));
}

static bool straddle_bad(const struct round *round, uint64_t total)
{
	return round->final[3] != total * 2;
}

const struct litmus litmus[] = {
	{ "SB", "nothing (x86 allows both to be old)", 2, sb, never, 0, 0 },
	{ "SB+fence", "both old", 2, sb_fence, sb_bad, 0, 0 },
	{ "MP", "the flag without the data", 2, mp, mp_bad, 0, 0 },
	{ "MP+wait", "the flag without the data", 2, mp_wait, mp_bad, 0, 0 },
	{ "LB", "both new", 2, lb, lb_bad, 0, 0 },
	{ "IRIW", "two orders of two writes", 4, iriw, iriw_bad, 0, 0 },
	{ "WRC", "an effect without its cause", 3, wrc, wrc_bad, 0, 0 },
	{ "2+2W", "both first writes last", 2, two_plus_two_w,
	  two_plus_two_w_bad, true, 0 },
	{ "CoRR", "a variable that goes backwards", 3, corr, corr_bad, 0, 0 },
	{ "CoWW", "own writes out of order", 2, coww, coww_bad, true, 0 },
	{ "counter", "a lost addition", 4, counter, counter_bad, true, 0 },
	{ "Dekker", "two at a time inside", 2, dekker, dekker_bad, true, 0 },
	{ "spin", "two at a time inside", 3, spin, spin_bad, true, 0 },
	{ "straddle", "a lost addition", 2, straddle, straddle_bad, true,
	  true },
};
const int litmus_nr = sizeof(litmus) / sizeof(litmus[0]);
