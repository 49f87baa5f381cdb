// SPDX-License-Identifier: GPL-2.0-or-later
/* Counters that all CPUs count on, and clocks that they compare. */
#include <stdio.h>

#include "smp.h"

#define BACK_MAX_NS	1000000

static long rounds;
static long locked, guarded;
static int lock;
static int turn;
static long long handed_ns, worst_ns;

static void *count(void *arg)
{
	smp_pin((long)arg);
	for (long i = 0; i < rounds; i++) {
		struct smp_patience patience = { 0 };

		__atomic_fetch_add(&locked, 1, __ATOMIC_SEQ_CST);
		if (i % 16)
			continue;
		while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
			smp_wait(&patience, "guarded");
		guarded++;
		__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
	}
	return NULL;
}

int smp_counters(long n)
{
	rounds = n;
	smp_run(count, smp_cpus);
	printf("smp: locked %ld of %ld, guarded %ld of %ld\n", locked,
	       n * smp_cpus, guarded, (n + 15) / 16 * smp_cpus);
	return locked != n * smp_cpus || guarded != (n + 15) / 16 * smp_cpus;
}

static void *hand(void *arg)
{
	long me = (long)arg;

	smp_pin(me);
	for (long i = 0; i < rounds; i++) {
		struct smp_patience patience = { 0 };
		long long t;

		while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) % smp_cpus != me)
			smp_wait(&patience, "clocks");
		t = smp_now_ns();
		if (t - handed_ns < worst_ns)
			worst_ns = t - handed_ns;
		handed_ns = t;
		__atomic_fetch_add(&turn, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

int smp_clocks(long n)
{
	rounds = n;
	smp_run(hand, smp_cpus);
	printf("smp: clocks went back by %lld ns\n", -worst_ns);
	return worst_ns < -BACK_MAX_NS;
}
