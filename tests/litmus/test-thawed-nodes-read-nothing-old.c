// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A node stands still for longer than its lease, and goes on.  Its homes have
 * given its pages to others meanwhile: whatever its threads read before they are
 * stopped is old.  If this failed, a program that was suspended would compute
 * with old bytes for a moment, and might send the result to somebody.
 *
 * Only the kernel can be sure to act before the program does.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "cluster.h"

#define REGION		(4 * MIB)
#define LIMIT_NS	30000000000ull

struct stage {
	uint32_t ready;		/* the reader has read once */
	uint32_t changed;	/* the page is another one by now */
	uint64_t old;		/* reads of the page as it was, after that */
};

static struct cluster cluster;
static struct stage *stage;

/* Reads all the time. */
static int reader(void *arg)
{
	volatile uint64_t *word;
	struct node n;

	(void)arg;
	node_join(&cluster, 1, REGION, REGION, &n);
	word = (void *)n.at;
	CHECK(*word == 1);
	__atomic_store_n(&stage->ready, 1, __ATOMIC_RELEASE);
	for (;;) {
		uint32_t changed = __atomic_load_n(&stage->changed,
						   __ATOMIC_ACQUIRE);

		if (*word == 1 && changed)
			__atomic_fetch_add(&stage->old, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

static int writer(void *arg)
{
	const uint64_t until = now_ns() + LIMIT_NS;
	volatile uint64_t *word;
	struct node n;
	int status;
	pid_t pid;

	(void)arg;
	node_join(&cluster, 0, REGION, REGION, &n);
	word = (void *)n.at;
	*word = 1;
	pid = spawn(reader, NULL);
	while (!__atomic_load_n(&stage->ready, __ATOMIC_ACQUIRE)) {
		CHECK(now_ns() < until);
		sched_yield();
	}
	CHECK(kill(pid, SIGSTOP) == 0);
	/* All of its threads, or one might still give the page up. */
	CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	/* This waits until home has given the reader up. */
	*word = 2;
	__atomic_store_n(&stage->changed, 1, __ATOMIC_RELEASE);
	kill(pid, SIGCONT);
	CHECK(reap(pid) == 128 + SIGKILL);
	node_leave(&n);
	return 0;
}

int main(void)
{
	static const char *const args[] = { "--node-lease", "3000", NULL };

	stage = common_map(sizeof(*stage));
	cluster_start(&cluster, 1, args);
	CHECK(reap(spawn(writer, NULL)) == 0);
	cluster_stop(&cluster);
	printf("%llu old reads\n", (unsigned long long)stage->old);
	CHECK(stage->old == 0);
	return 0;
}
