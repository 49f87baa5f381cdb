// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a guest on several nodes is tried with, on all its CPUs at once.
 *
 *	smp counters N	one thread a CPU: N locked increments of one word, and
 *			N / 16 of a plain one under a spin lock; both must be
 *			exact
 *	smp clocks N	hand the time from CPU to CPU, N rounds: it must not go
 *			back by more than a round trip of a busy network
 *	smp spin	keep all CPUs busy, for ever
 *	smp crash CPU	reset the machine from that CPU, by its processor alone
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <time.h>
#include <unistd.h>

#define CPUS_MAX	254
#define BACK_MAX_NS	1000000

static long rounds;
static long cpus;
static long locked, guarded;
static int lock;
static int turn;
static long long handed_ns, worst_ns;

static void pin(long cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("smp: pin");
		exit(1);
	}
}

static void *count(void *arg)
{
	pin((long)arg);
	for (long i = 0; i < rounds; i++) {
		__atomic_fetch_add(&locked, 1, __ATOMIC_SEQ_CST);
		if (i % 16)
			continue;
		while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
			sched_yield();
		guarded++;
		__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
	}
	return NULL;
}

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void *hand(void *arg)
{
	long me = (long)arg;

	pin(me);
	for (long i = 0; i < rounds; i++) {
		long long t;

		while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) % cpus != me)
			sched_yield();
		t = now_ns();
		if (t - handed_ns < worst_ns)
			worst_ns = t - handed_ns;
		handed_ns = t;
		__atomic_fetch_add(&turn, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void *spin(void *arg)
{
	pin((long)arg);
	for (;;)
		__atomic_fetch_add(&locked, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void run(void *(*what)(void *))
{
	pthread_t threads[CPUS_MAX];

	for (long i = 0; i < cpus; i++)
		pthread_create(&threads[i], NULL, what, (void *)i);
	for (long i = 0; i < cpus; i++)
		pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	rounds = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
	cpus = sysconf(_SC_NPROCESSORS_ONLN);
	if (strcmp(what, "counters") == 0) {
		run(count);
		printf("smp: locked %ld of %ld, guarded %ld of %ld\n", locked,
		       rounds * cpus, guarded, (rounds + 15) / 16 * cpus);
		return locked != rounds * cpus ||
		       guarded != (rounds + 15) / 16 * cpus;
	}
	if (strcmp(what, "clocks") == 0) {
		run(hand);
		printf("smp: clocks went back by %lld ns\n", -worst_ns);
		return worst_ns < -BACK_MAX_NS;
	}
	if (strcmp(what, "spin") == 0)
		run(spin);
	if (strcmp(what, "crash") == 0) {
		pin(rounds);
		/* Port CF9 resets, whichever CPU writes it. */
		if (iopl(3))
			return 1;
		outb(6, 0xcf9);
		pause();
	}
	return 2;
}
