// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, threads that meet on a page at the same moment, one of them
 * to give it up, to unmap it or to map something over it, would see content
 * that was never there, lose a write, or hang.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>

#include "live.h"

#define THREADS	6u
#define PAGES	((size_t)256)
#define ROUNDS	12u

static char *at;
static volatile int stop;
static pthread_barrier_t barrier;

static volatile uint64_t *word(size_t page, size_t i)
{
	return (volatile uint64_t *)(at + page * PAGE) + i;
}

/* Everybody wants the same page, which is on the server, at once. */
static void *crowd(void *arg)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		pthread_barrier_wait(&barrier);
		for (size_t page = 0; page < PAGES; page++)
			__atomic_fetch_add(word(page, page % 500), 1,
					   __ATOMIC_RELAXED);
		pthread_barrier_wait(&barrier);
		if (arg == 0)
			push_out();
	}
	return NULL;
}

static void many_on_one_page(void)
{
	pthread_t threads[THREADS];

	pthread_barrier_init(&barrier, NULL, THREADS);
	for (size_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, crowd,
				     (void *)i) == 0);
	for (size_t i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	for (size_t page = 0; page < PAGES; page++)
		CHECK(*word(page, page % 500) == THREADS * ROUNDS);
}

/* What I wrote last is there, or has been given up; nothing older is. */
static void *toucher(void *arg)
{
	size_t me = (size_t)arg;
	uint64_t n = 1;

	for (; !stop; n++)
		for (size_t page = 0; page < PAGES; page++) {
			uint64_t seen = *word(page, me);

			CHECK(seen == 0 || seen == n - 1);
			*word(page, me) = n;
			seen = *word(page, me);
			CHECK(seen == n || seen == 0);
		}
	return NULL;
}

static void *presser(void *arg)
{
	while (!stop)
		push_out();
	return arg;
}

static void give_up_while_touched(void)
{
	pthread_t threads[3];

	stop = 0;
	CHECK(madvise(at, PAGES * PAGE, MADV_DONTNEED) == 0);
	CHECK(pthread_create(&threads[0], NULL, toucher, (void *)0) == 0);
	CHECK(pthread_create(&threads[1], NULL, toucher, (void *)1) == 0);
	CHECK(pthread_create(&threads[2], NULL, presser, NULL) == 0);
	for (size_t i = 0; i < 4000; i++) {
		size_t page = i * 37 % PAGES;
		size_t nr = 1 + i % 5;

		if (page + nr > PAGES)
			nr = 1;
		CHECK(madvise(at + page * PAGE, nr * PAGE,
			      i % 2 ? MADV_DONTNEED : MADV_FREE) == 0);
	}
	stop = 1;
	for (size_t i = 0; i < 3; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

static __thread sigjmp_buf out;

static void on_fault(int sig)
{
	siglongjmp(out, sig);
}

/* Sees nothing, zeros, or a page of a mapping that was here. */
static void *visitor(void *arg)
{
	for (volatile size_t i = 0; !stop; i++) {
		size_t page = i % PAGES;

		if (sigsetjmp(out, 1) == 0) {
			uint64_t seen = *word(page, 9);

			CHECK(seen == 0 || (seen & 0xfff) == page);
		}
	}
	return arg;
}

static void unmap_while_touched(void)
{
	pthread_t threads[3];

	stop = 0;
	signal(SIGSEGV, on_fault);
	CHECK(madvise(at, PAGES * PAGE, MADV_DONTNEED) == 0);
	CHECK(pthread_create(&threads[0], NULL, visitor, NULL) == 0);
	CHECK(pthread_create(&threads[1], NULL, visitor, NULL) == 0);
	CHECK(pthread_create(&threads[2], NULL, presser, NULL) == 0);
	for (uint64_t round = 1; round < 60; round++) {
		if (round % 2)
			CHECK(munmap(at, PAGES * PAGE) == 0);
		CHECK(mmap(at, PAGES * PAGE, RW,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
		      at);
		for (size_t page = 0; page < PAGES; page++) {
			CHECK(*word(page, 9) == 0);
			*word(page, 9) = round << 12 | page;
		}
	}
	stop = 1;
	for (size_t i = 0; i < 3; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	signal(SIGSEGV, SIG_DFL);
}

int main(void)
{
	at = map(PAGES * PAGE);
	many_on_one_page();
	give_up_while_touched();
	unmap_while_touched();
	return 0;
}
