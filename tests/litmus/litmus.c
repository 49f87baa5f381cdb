// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Litmus tests of shared regions: every thread is a process and a node of its
 * own, pinned to a CPU.  What one machine's memory model forbids must never be
 * seen; a program that relies on it would fail on several machines only.
 *
 *	litmus [--rounds N] [--test NAME] [--layout page|pages|homes]
 *	       [--batch N] [--witness] [--seeded] | --list
 *
 * Threads meet before every round; a batch of rounds, each on variables of its
 * own, is judged at a time.  Before they meet, each reads some of the variables
 * at random: who has which page as the round begins differs, and that is what
 * an old value can come from.
 *
 * --witness: what must be seen in a long run (litmus.h) must be seen in this
 * one.  --seeded: this is the build with a seeded mistake, and the tests must
 * see it.  $GIANTVM_TEST_NET makes the network bad.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cluster.h"
#include "litmus.h"

#define REGION		(8ull << 20)
#define LOCAL		(1ull << 20)
#define STUCK_S		180
#define BATCH_MAX	128u
#define SPREAD		4u	/* pages from one round's variables on */

enum layout { LAYOUT_PAGE, LAYOUT_PAGES, LAYOUT_HOMES, LAYOUT_NR };
static const char *const layouts[] = { "page", "pages", "homes" };

/* Plain memory that all processes share: outside of what is tested. */
struct control {
	uint32_t phase;		/* futex; 2n: batch n; 2n + 1: its end is read */
	uint32_t done;		/* futex; threads that finished the phase */
	uint32_t end;
	uint32_t arrived;	/* futex; at the meetings before rounds, ever */
	struct round round[BATCH_MAX];
};

struct job {
	const struct cluster *cluster;
	const struct litmus *test;
	struct control *control;
	enum layout layout;
	uint32_t batch;
	int	thread;
};

static void place_vars(const struct job *job, uint8_t *base, uint32_t nr,
		       var **v)
{
	const uint64_t step = job->layout == LAYOUT_PAGE ? 64 :
			      job->layout == LAYOUT_PAGES ? PAGE : SLICE;
	uint8_t *at = base + (uint64_t)nr * SPREAD * PAGE;

	for (int i = 0; i < VARS; i++)
		v[i] = (var *)(at + (uint64_t)i * step);
	if (!job->test->straddles)
		return;
	/* Two homes meet at one address of the region only. */
	v[3] = (var *)(job->layout == LAYOUT_HOMES ? base + SLICE - 4 :
		       at + PAGE - 4);
}

static long futex(uint32_t *word, int op, uint32_t value)
{
	const struct timespec limit = { .tv_sec = STUCK_S };

	return syscall(SYS_futex, word, op, value, &limit, NULL, 0);
}

/* The phase that follows the one given. */
static uint32_t wait_phase(struct control *c, uint32_t was)
{
	uint32_t now;

	while ((now = __atomic_load_n(&c->phase, __ATOMIC_ACQUIRE)) == was)
		futex(&c->phase, FUTEX_WAIT, was);
	return now;
}

static void say_phase(struct control *c, uint32_t phase)
{
	__atomic_store_n(&c->phase, phase, __ATOMIC_RELEASE);
	futex(&c->phase, FUTEX_WAKE, THREADS_MAX);
}

static void say_done(struct control *c)
{
	__atomic_fetch_add(&c->done, 1, __ATOMIC_RELEASE);
	futex(&c->done, FUTEX_WAKE, 1);
}

/* All threads at once, or nearly so: whoever waits looks before it sleeps. */
static void meet(struct control *c, uint32_t all)
{
	uint32_t now = __atomic_add_fetch(&c->arrived, 1, __ATOMIC_ACQ_REL);

	if (now == all) {
		futex(&c->arrived, FUTEX_WAKE, THREADS_MAX);
		return;
	}
	/* Counts wrap: it is the distance that says who is late. */
	for (int i = 0; (int32_t)(now - all) < 0; i++) {
		if (i > 200)
			futex(&c->arrived, FUTEX_WAIT, now);
		else if (i > 50)
			sched_yield();
		now = __atomic_load_n(&c->arrived, __ATOMIC_ACQUIRE);
	}
}

static void jitter(uint64_t *random)
{
	uint64_t until = now_ns() + random_next(random) % 40000;

	if (random_next(random) % 4)
		while (now_ns() < until)
			sched_yield();
}

/* Have a copy of some of the variables, or take the page from its owner. */
static void look_around(const struct round *round, uint64_t *random)
{
	for (int i = 0; i < VARS; i++)
		if (random_next(random) % 3 == 0)
			(void)*round->v[i];
}

static void run_batch(const struct job *job, uint8_t *base, uint64_t n,
		      uint32_t *met, uint64_t *random)
{
	struct round mine = { .one = 2 * n, .two = 2 * n + 1 };
	struct control *c = job->control;

	for (uint32_t i = 0; i < job->batch; i++) {
		uint64_t *r = c->round[i].r[job->thread];

		place_vars(job, base, i, mine.v);
		memset(r, 0, RESULTS * sizeof(*r));
		look_around(&mine, random);
		mine.dawdle_ns = random_next(random) % 4 ? 0 :
				 random_next(random) % 40000;
		*met += (uint32_t)job->test->threads;
		meet(c, *met);
		jitter(random);
		job->test->run(&mine, job->thread, r);
	}
}

static void read_end(const struct job *job, uint8_t *base)
{
	for (uint32_t i = 0; i < job->batch; i++) {
		var *v[VARS];

		place_vars(job, base, i, v);
		for (int j = 0; j < VARS; j++)
			job->control->round[i].final[j] = *v[j];
	}
}

static int thread_main(void *arg)
{
	const struct job *job = arg;
	struct control *c = job->control;
	uint64_t random = 12345 + (uint64_t)job->thread;
	uint32_t phase = 0, met = 0;
	struct node node;

	pin_to((unsigned)job->thread);
	node_join(job->cluster, (unsigned)job->thread, REGION, LOCAL, &node);
	say_done(c);
	for (;;) {
		phase = wait_phase(c, phase);
		if (__atomic_load_n(&c->end, __ATOMIC_ACQUIRE))
			break;
		if (phase % 2 == 0)
			run_batch(job, node.at, phase / 2, &met, &random);
		else if (!job->thread)
			read_end(job, node.at);
		say_done(c);
	}
	node_leave(&node);
	return 0;
}

/* Wait for all threads; a test that hangs has failed, too. */
static bool gather(struct control *c, int threads)
{
	const uint64_t until = now_ns() + STUCK_S * 1000000000ull;
	uint32_t done;

	while ((done = __atomic_load_n(&c->done, __ATOMIC_ACQUIRE)) <
	       (uint32_t)threads) {
		if (now_ns() > until)
			return false;
		futex(&c->done, FUTEX_WAIT, done);
	}
	__atomic_store_n(&c->done, 0, __ATOMIC_RELEASE);
	return true;
}

static bool one_batch(const struct job *job, uint32_t n, struct tally *tally)
{
	const struct litmus *t = job->test;
	struct control *c = job->control;

	say_phase(c, 2 * n);
	if (!gather(c, t->threads))
		return false;
	if (t->final) {
		say_phase(c, 2 * n + 1);
		if (!gather(c, t->threads))
			return false;
	}
	for (uint32_t i = 0; i < job->batch; i++) {
		c->round[i].one = 2ull * n;
		c->round[i].two = 2ull * n + 1;
		tally->forbidden += t->forbidden(&c->round[i], n);
		tally->seen[t->outcome(&c->round[i]) % OUTCOMES]++;
	}
	tally->rounds += job->batch;
	return true;
}

static void run_test(const struct job *like, uint64_t rounds,
		     struct tally *tally)
{
	struct control *c = like->control;
	struct job job[THREADS_MAX];
	pid_t pid[THREADS_MAX];
	int threads = like->test->threads;

	for (int i = 0; i < threads; i++) {
		job[i] = *like;
		job[i].thread = i;
		pid[i] = spawn(thread_main, &job[i]);
	}
	CHECK(gather(c, threads));
	for (uint32_t n = 1; tally->rounds < rounds && !tally->stuck; n++)
		tally->stuck = !one_batch(like, n, tally);
	__atomic_store_n(&c->end, 1, __ATOMIC_RELEASE);
	say_phase(c, ~0u);
	for (int i = 0; i < threads; i++) {
		if (tally->stuck)
			kill(pid[i], SIGKILL);
		if (reap(pid[i]) && !tally->stuck)
			tally->forbidden++;
	}
}

/* Each test has servers of its own: its variables begin as zeros. */
static bool judge(const struct litmus *t, enum layout layout, uint64_t rounds,
		  uint32_t batch, bool witness)
{
	struct cluster cluster;
	struct job job = {
		.cluster = &cluster, .test = t, .layout = layout,
		.control = common_map(sizeof(struct control)),
		/* Of that one address there is only one. */
		.batch = t->straddles && layout == LAYOUT_HOMES ? 1 : batch,
	};
	struct tally tally = { 0 };
	uint64_t begin;

	cluster_start(&cluster, 2, NULL);
	begin = now_ns();
	run_test(&job, rounds, &tally);
	begin = now_ns() - begin;
	cluster_stop(&cluster);
	return litmus_report(t, layouts[layout], &tally, begin, witness);
}

static int list(void)
{
	for (int i = 0; litmus_nth(i); i++)
		puts(litmus_nth(i)->name);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "rounds", required_argument, NULL, 'r' },
		{ "test", required_argument, NULL, 't' },
		{ "layout", required_argument, NULL, 'l' },
		{ "batch", required_argument, NULL, 'b' },
		{ "witness", no_argument, NULL, 'w' },
		{ "seeded", no_argument, NULL, 's' },
		{ "list", no_argument, NULL, 'i' },
		{ 0 }
	};
	const char *only = NULL, *layout = NULL;
	const struct litmus *t;
	bool seeded = false, witness = false, good = true;
	uint64_t rounds = 200;
	uint32_t batch = 16;
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'r')
			rounds = strtoull(optarg, NULL, 0);
		else if (o == 't')
			only = optarg;
		else if (o == 'l')
			layout = optarg;
		else if (o == 'b')
			batch = (uint32_t)strtoul(optarg, NULL, 0);
		else if (o == 'w')
			witness = true;
		else if (o == 's')
			seeded = true;
		else if (o == 'i')
			return list();
		else
			return 2;
	}
	CHECK(batch && batch <= BATCH_MAX);
	for (int i = 0; (t = litmus_nth(i)); i++) {
		for (enum layout l = 0; l < LAYOUT_NR; l++) {
			if ((only && strcmp(only, t->name)) ||
			    (layout && strcmp(layout, layouts[l])))
				continue;
			good &= judge(t, l, rounds, batch, witness);
		}
	}
	if (seeded) {
		printf("the seeded mistake was %s\n", good ? "NOT seen" : "seen");
		return good;
	}
	return !good;
}
