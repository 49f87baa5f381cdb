// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tests of tests/litmus between the CPUs of a guest: thread t runs on CPU t,
 * and the variables lie on one page or on a page each.  What the test's threads
 * tell each other to keep in step is on yet other pages.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "../litmus/cluster.h"
#include "../litmus/litmus.h"
#include "smp.h"

#define LAYOUTS_NR	2

static const struct litmus *test;
static struct round shared;
static uint64_t rounds;
static uint64_t forbidden;
static uint8_t *base;
static uint64_t step;		/* between two variables */
static uint64_t arrived;	/* threads, at the points where all wait */

/* All threads wait here for each other; `point` counts these. */
static void meet(uint64_t point)
{
	struct smp_patience patience = { 0 };

	__atomic_fetch_add(&arrived, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) <
	       point * (uint64_t)test->threads)
		smp_wait(&patience, test->name);
}

static void judge(uint64_t k)
{
	for (int i = 0; test->final && i < VARS; i++)
		shared.final[i] = *shared.v[i];
	shared.one = 2 * k;
	shared.two = 2 * k + 1;
	forbidden += test->forbidden(&shared, k);
}

/* For the tests. */
uint64_t now_ns(void)
{
	return (uint64_t)smp_now_ns();
}

/* Threads that start at different moments meet in different ways. */
static void jitter(uint32_t *random)
{
	*random = *random * 1664525u + 1013904223u;
	for (volatile uint32_t i = 0; i < (*random >> 8) % 3000; i++)
		;
}

static void *play(void *arg)
{
	int me = (int)(long)arg;
	uint32_t random = 77u + (uint32_t)me;
	struct round mine = { 0 };

	smp_pin(me);
	memcpy(mine.v, shared.v, sizeof(mine.v));
	for (uint64_t k = 1; k <= rounds; k++) {
		uint64_t r[RESULTS] = { 0 };

		mine.one = 2 * k;
		mine.two = 2 * k + 1;
		meet(3 * k - 2);
		jitter(&random);
		mine.dawdle_ns = random >> 16 & 1 ? random >> 12 & 0xffff : 0;
		test->run(&mine, me, r);
		memcpy(shared.r[me], r, sizeof(r));
		meet(3 * k - 1);
		if (me == 0)
			judge(k);
		meet(3 * k);
	}
	return NULL;
}

static void one_test(void)
{
	base = smp_pages(VARS + 1, PROT_READ | PROT_WRITE);
	memset(&shared, 0, sizeof(shared));
	for (uint64_t i = 0; i < VARS; i++)
		shared.v[i] = (var *)(base + i * step);
	if (test->straddles)
		shared.v[3] = (var *)(base + SMP_PAGE - 4);
	arrived = 0;
	smp_run(play, test->threads);
	munmap(base, (VARS + 1) * SMP_PAGE);
}

int smp_litmus(long n)
{
	rounds = (uint64_t)n;
	for (int layout = 0; layout < LAYOUTS_NR; layout++) {
		step = layout ? SMP_PAGE : 64;
		for (int i = 0; (test = litmus_nth(i)); i++) {
			uint64_t before = forbidden;

			one_test();
			if (forbidden == before)
				continue;
			printf("smp: litmus %s: %llu times of %ld: %s\n",
			       test->name,
			       (unsigned long long)(forbidden - before), n,
			       test->what);
		}
	}
	printf("smp: litmus: %llu forbidden outcomes\n",
	       (unsigned long long)forbidden);
	return forbidden != 0;
}
