// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, threads that share memory larger than the limit would see
 * each other's writes lost, or given-up memory come back.
 */
#include <pthread.h>

#include "live.h"

#define THREADS	4u
#define ROUNDS	2u
#define SLICE	(LARGE / THREADS)

static char *all;
static uint64_t counters[THREADS];

/* Everybody writes one word of every page; nobody else writes that word. */
static void *sharer(void *arg)
{
	size_t me = (size_t)arg;

	for (size_t round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < LARGE / PAGE; i++) {
			size_t page = (i * 7919 + me * 131) % (LARGE / PAGE);
			volatile uint64_t *word = (volatile uint64_t *)
				(all + page * PAGE + me * 64);

			CHECK(*word == round);
			*word = round + 1;
			counters[me]++;
		}
	return NULL;
}

/* Everybody has a slice, and gives parts of it up while others page. */
static void *owner(void *arg)
{
	size_t me = (size_t)arg;
	char *slice = all + me * SLICE;

	for (size_t round = 0; round < 4 * ROUNDS; round++) {
		size_t cut = ((round * 5 + me) % 7) * (SLICE / 8);

		cut -= cut % PAGE;
		stamp(slice, SLICE, round * 1000003 + me);
		CHECK(madvise(slice + cut, SLICE / 8 / PAGE * PAGE,
			      round % 2 ? MADV_DONTNEED : MADV_FREE) == 0);
		verify_zero(slice + cut, SLICE / 8 / PAGE * PAGE);
		verify(slice, cut, round * 1000003 + me);
	}
	return NULL;
}

/* Mapping and unmapping beside all of it. */
static void *mapper(void *arg)
{
	for (size_t i = 0; i < 60; i++) {
		char *at = map(2 * MIB);

		stamp(at, 2 * MIB, i);
		verify(at, 2 * MIB, i);
		CHECK(munmap(at, 2 * MIB) == 0);
	}
	return arg;
}

static void run(void *(*f)(void *))
{
	pthread_t threads[THREADS + 1];

	for (size_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, f, (void *)i) == 0);
	CHECK(pthread_create(&threads[THREADS], NULL, mapper, NULL) == 0);
	for (size_t i = 0; i <= THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

int main(void)
{
	all = map(LARGE);
	run(sharer);
	for (size_t page = 0; page < LARGE / PAGE; page++)
		for (size_t i = 0; i < THREADS; i++)
			CHECK(*(uint64_t *)(all + page * PAGE + i * 64) ==
			      ROUNDS);
	CHECK(madvise(all, LARGE, MADV_DONTNEED) == 0);
	run(owner);
	return 0;
}
