// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a forked child sees its parent's later writes, or zeros.
 *
 * A region four times the local limit is forked while another thread keeps
 * paging.  Parent and child then rewrite different pages and check all of
 * them; the child forks once more.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

#define PAGES	4096u
#define LOCAL	(4 * MIB)

static struct gvm *gvm;
static uint8_t *memory;
static atomic_bool stop;

static uint64_t version(unsigned i, unsigned generation)
{
	/* Generation g rewrites the pages whose number has remainder g. */
	return i % 3 == generation ? 10 + generation : 1;
}

static void check_all(unsigned generation, const char *who)
{
	for (unsigned i = 0; i < PAGES; i++) {
		if (stamp_is(memory + i * PAGE, i, version(i, generation)))
			continue;
		fprintf(stderr, "%s: page %u has wrong content%s\n", who, i,
			is_zero(memory + i * PAGE) ? " (zeros)" : "");
		_exit(1);
	}
}

static void rewrite(unsigned generation)
{
	for (unsigned i = generation; i < PAGES; i += 3)
		stamp_put(memory + i * PAGE, i, 10 + generation);
}

static void *keep_paging(void *arg)
{
	uint64_t seed = 1;

	(void)arg;
	while (!stop) {
		unsigned i = (unsigned)random_next(&seed) % PAGES;

		/* Only pages of remainder 2: nobody rewrites them here. */
		i -= i % 3;
		CHECK(stamp_is(memory + (i + 2) % PAGES * PAGE,
			       (i + 2) % PAGES, 1) || (i + 2) >= PAGES);
	}
	return NULL;
}

static int finish(pid_t pid)
{
	int status;

	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static pid_t do_fork(void)
{
	pid_t pid;

	CHECK(gvm_fork_prepare(gvm) == 0);
	pid = fork();
	CHECK(pid >= 0);
	CHECK((pid ? gvm_fork_parent(gvm) : gvm_fork_child(gvm)) == 0);
	return pid;
}

static void child(void)
{
	pid_t grandchild;

	rewrite(1);
	check_all(1, "child");
	grandchild = do_fork();
	if (!grandchild) {
		check_all(1, "grandchild");
		_exit(0);
	}
	check_all(1, "child again");
	_exit(finish(grandchild));
}

int main(void)
{
	struct test_server servers[2];
	pthread_t thread;
	struct gvm_stats st;

	need_userfaultfd();
	servers[0] = server_start(0, NULL);
	servers[1] = server_start(0, NULL);
	gvm = engine_start(servers, 2, LOCAL, NULL);
	memory = memory_map(gvm, PAGES * PAGE);
	for (unsigned i = 0; i < PAGES; i++)
		stamp_put(memory + i * PAGE, i, 1);
	for (int round = 0; round < 3; round++) {
		pid_t pid;

		stop = false;
		CHECK(!pthread_create(&thread, NULL, keep_paging, NULL));
		pid = do_fork();
		if (!pid)
			child();
		rewrite(0);
		check_all(0, "parent");
		CHECK(finish(pid) == 0);
		check_all(0, "parent afterwards");
		stop = true;
		pthread_join(thread, NULL);
		for (unsigned i = 0; i < PAGES; i += 3)
			stamp_put(memory + i * PAGE, i, 1);
	}
	CHECK(gvm_stats(gvm, &st) == 0);
	printf("%s: forks %lu remote %lu busy %lu\n", gvm_engine_line(gvm),
	       st.forks, st.faults_remote, st.evict_busy);
	memory_unmap(gvm, memory, PAGES * PAGE);
	gvm_fini(gvm);
	server_stop(&servers[0]);
	server_stop(&servers[1]);
	return 0;
}
