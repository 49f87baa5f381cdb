// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Code that changes under a CPU of the writer's own node.
 *
 * A node that translates guest code forgets a translation when one of its own
 * CPUs stores to the page, just before it stores.  Where pages travel that
 * store may have to wait for the right to write, and another CPU of the node
 * can translate the old bytes again meanwhile.  So here one CPU changes a
 * function that a neighbour on its node calls all the time, and a third CPU, on
 * another node, reads the bytes, so that each store has to wait.  Once it has
 * been told, the neighbour must not get an older number.  (Stores that do not
 * wait are QEMU's business alone, and 7.2 misses many.)
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "smp.h"

enum { WRITER, CALLER, READER };

static long rounds, first;
static long wrong, calls;
static unsigned char *code;	/* mov $number, %eax; ret; the number is aligned */
static int *number;
static long *told, *read_back, *called;	/* each on a page of its own */

static long load(const long *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

static void store(long *at, long value)
{
	__atomic_store_n(at, value, __ATOMIC_RELEASE);
}

static void await(const long *at, long value)
{
	struct smp_patience patience = { 0 };

	while (load(at) < value)
		smp_wait(&patience, "patch");
}

/* A jump: what comes after it is translated by itself. */
static void __attribute__((noinline)) write_number(int i)
{
	__atomic_store_n(number, i, __ATOMIC_RELAXED);
}

static void write_all(void)
{
	for (long i = 1; i <= rounds; i++) {
		/* The first is there: the other node has it before it is changed. */
		if (i > 1)
			write_number((int)i);
		store(told, i);
		await(read_back, i);
		await(called, i);
	}
}

static void call_all(void)
{
	int (*function)(void) = (int (*)(void))(void *)code;
	long now;

	do {
		now = load(told);
		smp_serialize();
		wrong += function() < (int)now;
		calls++;
		if (now != load(called))
			store(called, now);
	} while (now < rounds);
}

static void read_all(void)
{
	int now;

	do {
		now = __atomic_load_n(number, __ATOMIC_ACQUIRE);
		store(read_back, now);
	} while (now < rounds);
}

static void *patch(void *arg)
{
	const long who = (long)arg;

	smp_pin(first + (who == CALLER ? 2 : who == READER ? 1 : 0));
	if (who == WRITER)
		write_all();
	else if (who == CALLER)
		call_all();
	else
		read_all();
	return NULL;
}

int smp_patch(long n)
{
	if (smp_cpus < 4) {
		puts("smp: patch needs two nodes of two CPUs");
		return 1;
	}
	rounds = n;
	for (first = 0; first < 4; first++) {
		code = smp_pages(1, PROT_READ | PROT_WRITE | PROT_EXEC);
		told = smp_pages(1, PROT_READ | PROT_WRITE);
		read_back = smp_pages(1, PROT_READ | PROT_WRITE);
		called = smp_pages(1, PROT_READ | PROT_WRITE);
		number = (int *)(void *)(code + 4);
		code[3] = 0xb8;
		code[8] = 0xc3;
		*number = 1;
		code += 3;
		smp_run(patch, 3);
	}
	printf("smp: patched code was old %ld times of %ld\n", wrong, calls);
	return wrong != 0;
}
