// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a race between paging and what a program does to its memory
 * hangs the program or hands it a wrong byte.
 *
 * A frozen server (SIGSTOP) holds every race open for as long as the test
 * needs: what is in flight stays in flight until SIGCONT.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

#define PAGES	2048u
#define LOCAL	(2 * MIB)

static struct gvm *gvm;
static struct test_server server;
static uint8_t *memory;

static void freeze(void)
{
	siginfo_t info;

	kill(server.pid, SIGSTOP);
	CHECK(waitid(P_PID, (id_t)server.pid, &info, WSTOPPED) == 0);
}

static void thaw(void)
{
	kill(server.pid, SIGCONT);
}

static struct gvm_stats stats(void)
{
	static struct gvm_stats st;

	CHECK(gvm_stats(gvm, &st) == 0);
	return st;
}

static void write_all(uint64_t version)
{
	for (unsigned i = 0; i < PAGES; i++)
		stamp_put(memory + i * PAGE, i, version);
}

static void check_all(uint64_t version)
{
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(stamp_is(memory + i * PAGE, i, version));
}

/* mincore() is blind to swapped-out; absent means not mapped here. */
static bool is_mapped(unsigned i)
{
	unsigned char here = 0;

	CHECK(mincore(memory + i * PAGE, PAGE, &here) == 0);
	return here & 1;
}

/*
 * A page that only the server holds.  Making ready for a fork empties staging;
 * after that whatever is not mapped is remote.
 */
static unsigned a_remote_page(void)
{
	CHECK(gvm_fork_prepare(gvm) == 0);
	CHECK(gvm_fork_parent(gvm) == 0);
	for (unsigned i = 0; i < PAGES; i++)
		if (!is_mapped(i))
			return i;
	fprintf(stderr, "no page is remote\n");
	exit(1);
}

struct toucher {
	pthread_t	thread;
	_Atomic pid_t	tid;
	unsigned	page;
	bool		wrote;
	atomic_int	result;	/* 1 stamp, 2 zero, 3 signal, 4 other */
};

static __thread sigjmp_buf escape;

static void on_segv(int sig)
{
	(void)sig;
	siglongjmp(escape, 1);
}

static void *touch(void *arg)
{
	struct toucher *t = arg;
	const uint8_t *p = memory + t->page * PAGE;

	t->tid = (pid_t)syscall(SYS_gettid);
	if (sigsetjmp(escape, 1)) {
		t->result = 3;
		return NULL;
	}
	t->result = stamp_is(p, t->page, 1) ? 1 : is_zero(p) ? 2 : 4;
	return NULL;
}

static void start_toucher(struct toucher *t, unsigned page)
{
	memset((void *)t, 0, sizeof(*t));
	t->page = page;
	CHECK(!pthread_create(&t->thread, NULL, touch, t));
}

static int end_toucher(struct toucher *t)
{
	pthread_join(t->thread, NULL);
	return t->result;
}

static void discard_during_fetch(void)
{
	struct toucher t;
	unsigned i = a_remote_page();

	freeze();
	start_toucher(&t, i);
	wait_until(thread_waits_for_page, (void *)&t.tid);
	CHECK(gvm_discard(gvm, memory + i * PAGE, PAGE) == 0);
	/* The server is still frozen: nobody but the discard woke it. */
	CHECK(end_toucher(&t) == 2);
	thaw();
	stamp_put(memory + i * PAGE, i, 1);
	check_all(1);
	printf("discard during fetch: ok\n");
}

static void many_threads_on_one_page(void)
{
	static struct toucher t[48];
	struct gvm_stats before;
	unsigned i = a_remote_page();

	before = stats();
	freeze();
	for (unsigned n = 0; n < 48; n++)
		start_toucher(&t[n], i);
	for (unsigned n = 0; n < 48; n++)
		wait_until(thread_waits_for_page, (void *)&t[n].tid);
	thaw();
	for (unsigned n = 0; n < 48; n++)
		CHECK(end_toucher(&t[n]) == 1);
	CHECK(stats().faults_remote == before.faults_remote + 1);
	printf("many threads on one page: one fetch\n");
}

/*
 * All frames dirty, the server frozen: what eviction takes away now cannot
 * leave, and comes back without the network, already sent or not.
 */
static void fault_on_a_page_being_written_back(void)
{
	const unsigned old = 256, fresh = LOCAL / PAGE - old - 4;
	struct gvm_stats before, after;
	uint8_t *more;

	CHECK(gvm_discard(gvm, memory, PAGES * PAGE) == 0);
	more = memory_map(gvm, fresh * PAGE);
	for (unsigned i = 0; i < old; i++)
		stamp_put(memory + i * PAGE, i, 1);
	freeze();
	for (unsigned i = 0; i < fresh; i++)
		stamp_put(more + i * PAGE, i, 7);
	before = stats();
	for (unsigned round = 2; round < 5; round++)
		for (unsigned i = 0; i < old; i++) {
			CHECK(stamp_is(memory + i * PAGE, i, round - 1));
			stamp_put(memory + i * PAGE, i, round);
		}
	after = stats();
	/* The server still sleeps: none of this can have used the network. */
	CHECK(after.faults_remote == before.faults_remote);
	CHECK(after.faults_steal > before.faults_steal);
	thaw();
	for (unsigned i = 0; i < fresh; i++)
		CHECK(stamp_is(more + i * PAGE, i, 7));
	memory_unmap(gvm, more, fresh * PAGE);
	printf("steal from write-back: %lu steals while frozen\n",
	       after.faults_steal - before.faults_steal);
	write_all(4);
	check_all(4);
	write_all(1);
	check_all(1);
}

static atomic_bool stop;

static void *write_ever(void *arg)
{
	uint64_t seed = (uint64_t)(uintptr_t)arg;

	/* One word of a page of its own stripe, again and again. */
	while (!stop) {
		unsigned i = (unsigned)random_next(&seed) % PAGES;
		uint64_t *word = (uint64_t *)(memory + i * PAGE) +
				 64 * (uintptr_t)arg;

		__atomic_fetch_add(word, 1, __ATOMIC_RELAXED);
		__atomic_fetch_sub(word, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Writers never pause while eviction, freezes and resizes go on. */
static void write_during_eviction(void)
{
	pthread_t threads[3];
	uint64_t seed = 9;

	stop = false;
	write_all(1);
	for (uintptr_t n = 0; n < 3; n++)
		CHECK(!pthread_create(&threads[n], NULL, write_ever,
				      (void *)(n + 1)));
	for (int round = 0; round < 60; round++) {
		uint64_t r = random_next(&seed);

		if (round % 6 == 5) {
			freeze();
			usleep((useconds_t)(r % 3000));
			thaw();
		}
		CHECK(gvm_set_local(gvm, LOCAL / 2 +
				    (r >> 20) % 4 * LOCAL) == 0);
		for (unsigned n = 0; n < 200; n++) {
			unsigned i = (unsigned)random_next(&seed) % PAGES;

			/* The first words of a page belong to nobody else. */
			CHECK(!memcmp(memory + i * PAGE, &(uint64_t[2]){
				*(uint64_t *)(memory + i * PAGE),
				((uint64_t *)(memory + i * PAGE))[1] }, 16));
		}
	}
	stop = true;
	for (int n = 0; n < 3; n++)
		pthread_join(threads[n], NULL);
	check_all(1);
	CHECK(gvm_set_local(gvm, LOCAL) == 0);
	printf("write during eviction and resize: ok\n");
}

static void unmap_with_faults_in_flight(void)
{
	struct sigaction sa = { .sa_handler = on_segv };
	struct toucher t;
	unsigned i = a_remote_page();

	CHECK(sigaction(SIGSEGV, &sa, NULL) == 0);
	freeze();
	start_toucher(&t, i);
	wait_until(thread_waits_for_page, (void *)&t.tid);
	/* Access ends first, as a program that unmaps in use deserves. */
	CHECK(mprotect(memory, PAGES * PAGE, PROT_NONE) == 0);
	memory_unmap(gvm, memory, PAGES * PAGE);
	CHECK(end_toucher(&t) == 3);
	thaw();
	printf("unmap with faults in flight: ok\n");
}

int main(void)
{
	struct gvm_config c = { .prefetch_pages = 0 };

	need_userfaultfd();
	server = server_start(0, NULL);
	gvm = engine_start(&server, 1, LOCAL, &c);
	printf("%s\n", gvm_engine_line(gvm));
	memory = memory_map(gvm, PAGES * PAGE);
	write_all(1);
	check_all(1);
	discard_during_fetch();
	many_threads_on_one_page();
	fault_on_a_page_being_written_back();
	write_during_eviction();
	unmap_with_faults_in_flight();
	gvm_fini(gvm);
	server_stop(&server);
	return 0;
}
