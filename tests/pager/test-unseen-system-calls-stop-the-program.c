// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a program that changes its mappings by system calls of its own,
 * which giantvm cannot see, hangs for ever or goes on with a wrong byte, instead
 * of being stopped with the reason.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

#define LOCAL	(2 * MIB)
#define PAGES	256u
#define OTHER	2048u
#define ROUNDS	400u
#define SECONDS	10	/* a busy machine does fewer rounds */
#define LOST	3
#define OLD	4

static struct test_server server;
static struct gvm *gvm;

static void open_engine(void)
{
	struct gvm_config c = { .prefetch_pages = 0, .name = "victim" };

	gvm = engine_start(&server, 1, LOCAL, &c);
}

/* Given up while it was here. */
static void given_up(void *advice)
{
	uint8_t *memory;

	open_engine();
	memory = memory_map(gvm, PAGES * PAGE);
	for (unsigned i = 0; i < PAGES; i++)
		stamp_put(memory + i * PAGE, i, 1);
	CHECK(syscall(SYS_madvise, memory, PAGES * PAGE, *(int *)advice) == 0);
	alarm(20);	/* freed pages may keep their content for a while */
	for (;;)
		pause();
}

/* In staging or at the server: what comes back must not be the old content. */
static void given_up_elsewhere(void *advice)
{
	uint8_t *memory, *other;
	unsigned char here[PAGES];

	open_engine();
	memory = memory_map(gvm, PAGES * PAGE);
	other = memory_map(gvm, OTHER * PAGE);
	for (unsigned i = 0; i < PAGES; i++)
		stamp_put(memory + i * PAGE, i, 1);
	for (unsigned i = 0; i < OTHER; i++)
		stamp_put(other + i * PAGE, i, 1);
	CHECK(mincore(memory, PAGES * PAGE, here) == 0);
	CHECK(!memchr(here, 1, PAGES));
	CHECK(syscall(SYS_madvise, memory, PAGES * PAGE, *(int *)advice) == 0);
	for (unsigned i = 0; i < PAGES; i++)
		if (!is_zero(memory + i * PAGE))
			_exit(OLD);
	_exit(0);
}

/* What the program gives up through us is no surprise, wherever it is. */
static void given_up_properly(void *arg)
{
	uint8_t *memory, *other;

	(void)arg;
	open_engine();
	memory = memory_map(gvm, PAGES * PAGE);
	other = memory_map(gvm, OTHER * PAGE);
	for (unsigned i = 0; i < PAGES; i++)
		stamp_put(memory + i * PAGE, i, 1);
	for (unsigned i = 0; i < OTHER - PAGES; i++)
		stamp_put(other + i * PAGE, i, 1);
	for (unsigned i = 0; i < PAGES; i += 2)
		CHECK(!gvm_discard(gvm, memory + i * PAGE, PAGE));
	CHECK(!gvm_discard(gvm, other, OTHER * PAGE));
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(i % 2 ? stamp_is(memory + i * PAGE, i, 1) :
		      is_zero(memory + i * PAGE));
	for (unsigned i = 0; i < OTHER; i++)
		CHECK(is_zero(other + i * PAGE));
	gvm_fini(gvm);
	_exit(0);
}

/* Memory that is evicted, unmapped and mapped anew, all at once. */
static uint8_t *range;
static sem_t going, settled;
static atomic_bool end;

/*
 * What was taken by mistake is noticed just after (copy.c): a thread may see it
 * first, when the machine is busy.  Then the program is about to be stopped.
 */
static void wait_for_the_end(void)
{
	const time_t last = time(NULL) + SECONDS;

	while (time(NULL) < last)
		sched_yield();
	_exit(LOST);
}

/* Takes the place as soon as it is free; what it writes must stay. */
static void *settler(void *arg)
{
	(void)arg;
	for (;;) {
		uint8_t *at;

		sem_wait(&going);
		if (end)
			return NULL;
		do {
			at = mmap(range, PAGES * PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS |
				  MAP_FIXED_NOREPLACE, -1, 0);
		} while (at == MAP_FAILED && errno == EEXIST);
		CHECK(at == range);
		for (unsigned i = 0; i < PAGES; i++)
			*(volatile uint64_t *)(at + i * PAGE) = i + 1;
		usleep(100);
		for (unsigned i = 0; i < PAGES; i++)
			if (*(volatile uint64_t *)(at + i * PAGE) != i + 1)
				wait_for_the_end();
		CHECK(syscall(SYS_munmap, at, PAGES * PAGE) == 0);
		sem_post(&settled);
	}
}

/* Keeps eviction busy. */
static void *pusher(void *other)
{
	for (unsigned i = 0; !end; i++)
		*(volatile uint64_t *)((uint8_t *)other + i % OTHER * PAGE) = i;
	return NULL;
}

/* Eviction has begun with it, so that it is amidst the rest of it now. */
static void wait_for_eviction(void)
{
	unsigned char here[PAGES];

	do {
		sched_yield();
		CHECK(mincore(range, PAGES * PAGE, here) == 0);
	} while (!memchr(here, 0, PAGES));
}

static void replaced(void *arg)
{
	const time_t last = time(NULL) + SECONDS;
	pthread_t threads[2];

	(void)arg;
	open_engine();
	CHECK(!sem_init(&going, 0, 0) && !sem_init(&settled, 0, 0));
	CHECK(!pthread_create(&threads[0], NULL, settler, NULL));
	CHECK(!pthread_create(&threads[1], NULL, pusher,
			      memory_map(gvm, OTHER * PAGE)));
	for (unsigned round = 0; round < ROUNDS && time(NULL) < last; round++) {
		range = memory_map(gvm, PAGES * PAGE);
		for (unsigned i = 0; i < PAGES; i++)
			stamp_put(range + i * PAGE, i, 1);
		wait_for_eviction();
		sem_post(&going);
		CHECK(syscall(SYS_munmap, range, PAGES * PAGE) == 0);
		sem_wait(&settled);
	}
	end = true;
	sem_post(&going);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	gvm_fini(gvm);
	_exit(0);
}

static void stopped(const char *where, void (*run)(void *arg), int advice)
{
	char text[4096];
	int status = run_apart(run, &advice, text, sizeof(text));

	printf("given up %s: status %d: %s\n", where, status, text);
	CHECK(status == 125);
	CHECK(strstr(text, "giantvm did not see"));
	CHECK(strstr(text, "victim"));
}

int main(void)
{
	char text[4096];
	int status;

	need_userfaultfd();
	server = server_start(0, NULL);
	open_engine();		/* skips here what cannot be tested */
	gvm_fini(gvm);

	stopped("here", given_up, MADV_DONTNEED);
	stopped("here, freed", given_up, MADV_FREE);
	stopped("elsewhere", given_up_elsewhere, MADV_DONTNEED);
	stopped("elsewhere, freed", given_up_elsewhere, MADV_FREE);
	status = run_apart(given_up_properly, NULL, text, sizeof(text));
	printf("given up properly: status %d: %s\n", status, text);
	CHECK(status == 0);

	status = run_apart(replaced, NULL, text, sizeof(text));
	printf("replaced: status %d: %s\n", status, text);
	CHECK(status == 0 || status == 125);
	if (status)
		CHECK(strstr(text, "giantvm did not see"));
	server_stop(&server);
	return 0;
}
