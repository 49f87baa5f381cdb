// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a guest on several nodes is tried with, on all its CPUs at once.
 *
 *	smp counters N	one thread a CPU: N locked increments of one word, and
 *			N / 16 of a plain one under a spin lock; both must be
 *			exact
 *	smp clocks N	hand the time from CPU to CPU, N rounds: it must not go
 *			back by more than a round trip of a busy network
 *	smp code N	one CPU writes a function, the next one runs it, N rounds
 *			for each pair of neighbours
 *	smp patch N	one CPU changes a function that another of its node runs, N
 *			times for each of four; CPU k and k + 2 are of one node
 *	smp filter N	the kernel compiles a packet filter on one CPU, and the
 *			next one's packets go through it, N rounds
 *	smp litmus N	tests/litmus, with a CPU for each thread, N rounds
 *	smp storm N	each CPU starts N programs, one after the other
 *	smp private N	a process on each CPU works on 1 MiB, N times over; all must
 *			come to the same
 *	smp spin	keep all CPUs busy, for ever
 *	smp ports CPU	that CPU asks a device for something, for ever
 *	smp crash CPU	reset the machine from that CPU: by its chipset
 *	smp true	nothing, well: what a storm starts
 *
 * "CPU k" and "CPU k + 1" are of different nodes where the test wants that.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "smp.h"

#define PATIENCE_NS	60000000000ll
#define TRIES_UNTIMED	256u

long smp_cpus;

void smp_pin(long cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)(cpu % smp_cpus), &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("smp: pin");
		exit(1);
	}
}

long long smp_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

void smp_wait(struct smp_patience *patience, const char *who)
{
	long long now;

	sched_yield();
	if (++patience->tries % TRIES_UNTIMED)
		return;
	now = smp_now_ns();
	if (!patience->since_ns)
		patience->since_ns = now;
	if (now - patience->since_ns < PATIENCE_NS)
		return;
	printf("smp: %s: what a CPU waited for was lost\n", who);
	exit(1);
}

void *smp_pages(long nr, int protection)
{
	void *at = mmap(NULL, (size_t)nr * SMP_PAGE, protection,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED) {
		perror("smp: mmap");
		exit(1);
	}
	return at;
}

void smp_run(void *(*what)(void *), long nr)
{
	pthread_t threads[SMP_CPUS_MAX];

	for (long i = 0; i < nr; i++) {
		if (pthread_create(&threads[i], NULL, what, (void *)i)) {
			perror("smp: thread");
			exit(1);
		}
	}
	for (long i = 0; i < nr; i++)
		pthread_join(threads[i], NULL);
}

static void *spin_on(void *arg)
{
	static long word;

	smp_pin((long)arg);
	for (;;)
		__atomic_fetch_add(&word, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static int spin(long unused)
{
	(void)unused;
	smp_run(spin_on, smp_cpus);
	return 1;
}

/* Port CF9 resets, whichever CPU writes it. */
static int crash(long cpu)
{
	smp_pin(cpu);
	if (iopl(3))
		return 1;
	outb(6, 0xcf9);
	pause();
	return 1;
}

/* The clock's, which do not mind. */
static int ports(long cpu)
{
	smp_pin(cpu);
	if (iopl(3))
		return 1;
	puts("smp: asking");
	for (;;)
		inb(0x71);
	return 1;
}

static int nothing(long unused)
{
	(void)unused;
	return 0;
}

static const struct {
	const char	*name;
	int		(*run)(long number);
} trials[] = {
	{ "counters", smp_counters },
	{ "clocks", smp_clocks },
	{ "code", smp_code },
	{ "patch", smp_patch },
	{ "filter", smp_filter },
	{ "litmus", smp_litmus },
	{ "storm", smp_storm },
	{ "private", smp_private },
	{ "spin", spin },
	{ "ports", ports },
	{ "crash", crash },
	{ "true", nothing },
};

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	long number = argc > 2 ? strtol(argv[2], NULL, 10) : 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	smp_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	for (size_t i = 0; i < sizeof(trials) / sizeof(trials[0]); i++)
		if (strcmp(what, trials[i].name) == 0)
			return trials[i].run(number);
	fprintf(stderr, "smp: no trial '%s'\n", what);
	return 2;
}
