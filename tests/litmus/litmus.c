// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Litmus tests of shared regions: every thread is a process and a node of its
 * own, pinned to a CPU.  What one machine's memory model forbids must never be
 * seen; a program that relies on it would fail on several machines only.
 *
 *	litmus [--rounds N] [--test NAME] [--layout page|pages|homes] [--seeded]
 *
 * $GIANTVM_TEST_NET makes the network bad.  --seeded: this is the build with a
 * seeded mistake, and the tests must see it.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "litmus.h"

#define REGION		(8ull << 20)
#define LOCAL		(1ull << 20)
#define STUCK_NS	60000000000ull

enum layout { LAYOUT_PAGE, LAYOUT_PAGES, LAYOUT_HOMES, LAYOUT_NR };
static const char *const layouts[] = { "page", "pages", "homes" };

/* Plain memory that all processes share: outside of what is tested. */
struct control {
	uint64_t phase;		/* 2k: round k; 2k + 1: its end is read */
	uint64_t done;		/* threads that finished the phase */
	uint64_t end;
	struct round round;
};

struct job {
	const struct cluster *cluster;
	const struct litmus *test;
	struct control *control;
	enum layout layout;
	int	thread;
	uint64_t place;		/* of the test's variables in the region */
};

static void place_vars(const struct job *job, uint8_t *base, var **v)
{
	const uint64_t step = job->layout == LAYOUT_PAGE ? 64 :
			      job->layout == LAYOUT_PAGES ? PAGE : SLICE;
	uint8_t *at = base + job->place * PAGE;

	for (int i = 0; i < VARS; i++)
		v[i] = (var *)(at + (uint64_t)i * step);
	if (job->test->straddles)
		v[3] = (var *)(job->layout == LAYOUT_HOMES ?
			       base + SLICE - 4 : at + PAGE - 4);
}

static void wait_phase(const uint64_t *phase, uint64_t at_least)
{
	for (int i = 0; __atomic_load_n(phase, __ATOMIC_ACQUIRE) < at_least; i++)
		if (i > 50)
			sched_yield();
}

static void jitter(uint64_t *random)
{
	uint64_t until = now_ns() + random_next(random) % 40000;

	if (random_next(random) % 4)
		while (now_ns() < until)
			sched_yield();
}

static int thread_main(void *arg)
{
	const struct job *job = arg;
	struct control *c = job->control;
	uint64_t random = 12345 + (uint64_t)job->thread;
	struct round mine = { 0 };
	struct node node;
	uint64_t k;

	pin_to((unsigned)job->thread);
	node_join(job->cluster, (unsigned)job->thread, REGION, LOCAL, &node);
	place_vars(job, node.at, mine.v);
	__atomic_fetch_add(&c->done, 1, __ATOMIC_RELEASE);
	for (k = 1;; k++) {
		uint64_t *r = c->round.r[job->thread];

		wait_phase(&c->phase, 2 * k);
		if (__atomic_load_n(&c->end, __ATOMIC_ACQUIRE))
			break;
		mine.one = 2 * k;
		mine.two = 2 * k + 1;
		jitter(&random);
		memset(r, 0, RESULTS * sizeof(*r));
		job->test->run(&mine, job->thread, r);
		__atomic_fetch_add(&c->done, 1, __ATOMIC_RELEASE);
		if (!job->test->final || job->thread)
			continue;
		wait_phase(&c->phase, 2 * k + 1);
		for (int i = 0; i < VARS; i++)
			c->round.final[i] = *mine.v[i];
		__atomic_fetch_add(&c->done, 1, __ATOMIC_RELEASE);
	}
	node_leave(&node);
	return 0;
}

/* Wait for n threads; a test that hangs has failed, too. */
static bool gather(struct control *c, int n)
{
	const uint64_t until = now_ns() + STUCK_NS;

	for (int i = 0;
	     __atomic_load_n(&c->done, __ATOMIC_ACQUIRE) < (uint64_t)n; i++) {
		sched_yield();
		if (i % 1000 == 999 && now_ns() > until)
			return false;
	}
	__atomic_store_n(&c->done, 0, __ATOMIC_RELEASE);
	return true;
}

static bool one_round(const struct litmus *t, struct control *c, uint64_t k,
		      uint64_t *forbidden)
{
	c->round.one = 2 * k;
	c->round.two = 2 * k + 1;
	__atomic_store_n(&c->phase, 2 * k, __ATOMIC_RELEASE);
	if (!gather(c, t->threads))
		return false;
	if (t->final) {
		__atomic_store_n(&c->phase, 2 * k + 1, __ATOMIC_RELEASE);
		if (!gather(c, 1))
			return false;
	}
	*forbidden += t->forbidden(&c->round, k);
	return true;
}

/* True: nothing forbidden was seen. */
static bool run_test(const struct cluster *cluster, const struct litmus *t,
		     enum layout layout, uint64_t rounds, uint64_t place)
{
	struct control *c = common_map(sizeof(*c));
	struct job job[THREADS_MAX];
	pid_t pid[THREADS_MAX];
	uint64_t forbidden = 0, k, begin;
	bool stuck = false;

	for (int i = 0; i < t->threads; i++) {
		job[i] = (struct job){ cluster, t, c, layout, i, place };
		pid[i] = spawn(thread_main, &job[i]);
	}
	CHECK(gather(c, t->threads));
	begin = now_ns();
	for (k = 1; k <= rounds && !stuck; k++)
		stuck = !one_round(t, c, k, &forbidden);
	begin = now_ns() - begin;
	c->end = 1;
	__atomic_store_n(&c->phase, ~0ull >> 1, __ATOMIC_RELEASE);
	for (int i = 0; i < t->threads; i++) {
		if (stuck)
			kill(pid[i], SIGKILL);
		if (reap(pid[i]) && !stuck)
			forbidden++;
	}
	printf("%-9s %-6s %8llu rounds  %6.0f/s  forbidden (%s): %llu%s\n",
	       t->name, layouts[layout], (unsigned long long)(k - 1),
	       (double)(k - 1) / ((double)begin / 1e9), t->what,
	       (unsigned long long)forbidden, stuck ? "  STUCK" : "");
	fflush(stdout);
	return !forbidden && !stuck;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "rounds", required_argument, NULL, 'r' },
		{ "test", required_argument, NULL, 't' },
		{ "layout", required_argument, NULL, 'l' },
		{ "seeded", no_argument, NULL, 's' },
		{ 0 }
	};
	const char *only = NULL, *layout = NULL;
	bool seeded = false, good = true;
	uint64_t rounds = 200, place = 0;
	struct cluster cluster;
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'r')
			rounds = strtoull(optarg, NULL, 0);
		else if (o == 't')
			only = optarg;
		else if (o == 'l')
			layout = optarg;
		else if (o == 's')
			seeded = true;
		else
			return 2;
	}
	cluster_start(&cluster, 2, NULL);
	for (int t = 0; t < litmus_nr; t++) {
		for (enum layout l = 0; l < LAYOUT_NR; l++, place += 8) {
			if ((only && strcmp(only, litmus[t].name)) ||
			    (layout && strcmp(layout, layouts[l])))
				continue;
			good &= run_test(&cluster, &litmus[t], l, rounds,
					 place);
		}
	}
	cluster_stop(&cluster);
	if (seeded) {
		printf("the seeded mistake was %s\n", good ? "NOT seen" : "seen");
		return good;
	}
	return !good;
}
