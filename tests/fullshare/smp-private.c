// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each CPU works on memory that no other one touches: what a guest on several
 * nodes should do as fast as on one.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>

#include "smp.h"

#define PAGES	256l
#define WORDS	(PAGES * SMP_PAGE / 8)

static long rounds;
static unsigned long result[SMP_CPUS_MAX];

static void *work(void *arg)
{
	long me = (long)arg;
	unsigned long *at, sum = 0;

	smp_pin(me);
	at = smp_pages(PAGES, PROT_READ | PROT_WRITE);
	for (long round = 0; round < rounds; round++) {
		for (long i = 0; i < WORDS; i++) {
			at[i] = at[i] * 6364136223846793005ul +
				(unsigned long)i + 1442695040888963407ul;
			sum ^= at[i] >> 17;
		}
	}
	result[me] = sum;
	return NULL;
}

int smp_private(long n)
{
	int wrong = 0;

	rounds = n;
	smp_run(work, smp_cpus);
	for (long i = 1; i < smp_cpus; i++)
		wrong += result[i] != result[0];
	printf("smp: private work came to %lx, %d of %ld CPUs to something else\n",
	       result[0], wrong, smp_cpus);
	return wrong != 0;
}
