// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Locked operations that are not aligned, on all CPUs of a guest at once:
 *
 *	split N
 *
 * One 64-bit word lies half on one page and half on the next.  Each CPU adds one
 * to all of it, N times, by an instruction whose two halves no host does as
 * one, and in between adds one to its upper half alone, which is aligned: that
 * is one instruction of the host, and stops nobody by itself.  All begin a round
 * together, so that none of them has the pages.  No count may be lost.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define CPUS_MAX	254
#define PAGE		4096

static long rounds, cpus;
static char *pages;
static long arrived;

static void *word(void)
{
	return pages + PAGE - 4;
}

/* In assembly: a compiler may not assume that such an operation is atomic. */
static void add_split(void)
{
	__asm__ volatile("lock addq $1, %0" : "+m" (*(volatile char (*)[8])word()));
}

static void add_upper(void)
{
	__asm__ volatile("lock addl $1, %0" :
			 "+m" (*(volatile uint32_t *)(pages + PAGE)));
}

static void *count(void *arg)
{
	long cpu = (long)arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("split: pin");
		exit(1);
	}
	for (long i = 1; i <= rounds; i++) {
		__atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
		while (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) < i * cpus)
			sched_yield();
		add_split();
		add_upper();
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[CPUS_MAX];
	uint64_t sum, want;

	setvbuf(stdout, NULL, _IOLBF, 0);
	rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
	cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED) {
		perror("split: mmap");
		return 1;
	}
	for (long i = 0; i < cpus; i++)
		pthread_create(&threads[i], NULL, count, (void *)i);
	for (long i = 0; i < cpus; i++)
		pthread_join(threads[i], NULL);
	__builtin_memcpy(&sum, word(), sizeof(sum));
	want = (uint64_t)(cpus * rounds) << 32 | (uint64_t)(cpus * rounds);
	printf("split: %#llx of %#llx\n", (unsigned long long)sum,
	       (unsigned long long)want);
	return sum != want;
}
