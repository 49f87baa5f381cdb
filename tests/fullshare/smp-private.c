// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each CPU works on memory that no other one touches: what a guest on several
 * nodes should do as fast as on one.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "smp.h"

#define PAGES	256l
#define WORDS	(PAGES * SMP_PAGE / 8)

static unsigned long work(long cpu, long rounds)
{
	unsigned long *at, sum = 0;

	smp_pin(cpu);
	at = smp_pages(PAGES, PROT_READ | PROT_WRITE);
	for (long round = 0; round < rounds; round++) {
		for (long i = 0; i < WORDS; i++) {
			at[i] = at[i] * 6364136223846793005ul +
				(unsigned long)i + 1442695040888963407ul;
			sum ^= at[i] >> 17;
		}
	}
	return sum;
}

int smp_private(long rounds)
{
	unsigned long *result = mmap(NULL, sizeof(*result) * SMP_CPUS_MAX,
				     PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int wrong = 0;

	if (result == MAP_FAILED)
		return 1;
	for (long i = 0; i < smp_cpus; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return 1;
		if (pid == 0) {
			result[i] = work(i, rounds);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	for (long i = 1; i < smp_cpus; i++)
		wrong += result[i] != result[0];
	printf("smp: private work came to %lx, %d of %ld CPUs to something else\n",
	       result[0], wrong, smp_cpus);
	return wrong != 0;
}
