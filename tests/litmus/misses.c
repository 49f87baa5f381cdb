// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long a thread waits for a page of a shared region, by kind of miss, and
 * how often two nodes can hand one page to each other.  Prints one line of
 * JSON.  All on one machine: what counts is the ratio to the floor, which is
 * the same number of messages between processes that do nothing else, and a
 * local userfaultfd round trip.
 *
 *	misses [--pages N] [--seconds N] [--nodes N] [--one-cpu] [--waits-only]
 *
 * --waits-only: no rates, which take seconds.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cluster.h"

#define SAMPLES_MAX	4096u
#define NODES_MAX	16

enum order { ORDER_NONE, ORDER_WRITE, ORDER_READ, ORDER_TURNS, ORDER_BUSY,
	     ORDER_END };

/* Plain memory of all processes: what the helper is to do. */
struct control {
	uint32_t order;		/* enum order, by node 0 */
	uint32_t number;	/* futex; of the order */
	uint32_t done;		/* futex; of the last order that was done */
	unsigned first;
	uint64_t end_ns;
	uint64_t misses;
};

static struct cluster cluster;
static struct control *control;
static bool waits_only;
static unsigned pages = 1000, seconds = 2, nodes = 8;
static uint64_t bytes;

static int by_value(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void report(const char *name, uint64_t *sample, unsigned n)
{
	qsort(sample, n, sizeof(*sample), by_value);
	printf("\"%s_p50_us\": %.1f, \"%s_p99_us\": %.1f, ", name,
	       (double)sample[n / 2] / 1e3, name,
	       (double)sample[n * 99 / 100] / 1e3);
}

static volatile uint64_t *word(const struct node *n, unsigned page)
{
	return (volatile uint64_t *)(void *)(n->at + page * PAGE);
}

static void touch(const struct node *n, unsigned first, bool write)
{
	for (unsigned i = first; i < first + pages; i++) {
		if (write)
			*word(n, i) = i;
		else
			(void)*word(n, i);
	}
}

/*
 * Asleep: who looks on would take its turn on the CPU of those who are measured,
 * between any two of them.
 */
static uint32_t wait_beyond(uint32_t *word, uint32_t was)
{
	uint32_t now;

	while ((now = __atomic_load_n(word, __ATOMIC_ACQUIRE)) == was)
		syscall(SYS_futex, word, FUTEX_WAIT, was, NULL, NULL, 0);
	return now;
}

static void say(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* Each side writes when the number is its own. */
static uint64_t take_turns(const struct node *n, unsigned side)
{
	volatile uint64_t *at = word(n, 0);
	uint64_t count = 0;

	while (now_ns() < control->end_ns) {
		if (*at % 2 != side) {
			sched_yield();
			continue;
		}
		*at = *at + 1;
		count++;
	}
	return count;
}

static void be_busy(const struct node *n, unsigned id)
{
	struct gvm_shared_stats before, after;
	uint64_t random = id + 1;

	CHECK(gvm_shared_stats(n->region, &before) == 0);
	while (now_ns() < control->end_ns) {
		uint64_t dice = random_next(&random);
		unsigned page = (unsigned)(dice >> 8) % (4 * pages);

		if (dice & 7)
			(void)*word(n, page);
		else
			*word(n, page) = dice;
	}
	CHECK(gvm_shared_stats(n->region, &after) == 0);
	__atomic_fetch_add(&control->misses,
			   after.installed - before.installed,
			   __ATOMIC_RELAXED);
}

static int helper(void *arg)
{
	uint32_t number = 0;
	struct node n;
	bool end = false;

	(void)arg;
	node_join(&cluster, 1, bytes, bytes, &n);
	while (!end) {
		number = wait_beyond(&control->number, number);
		switch (control->order) {
		case ORDER_WRITE:
		case ORDER_READ:
			touch(&n, control->first,
			      control->order == ORDER_WRITE);
			break;
		case ORDER_TURNS:
			take_turns(&n, 1);
			break;
		default:
			end = true;
		}
		say(&control->done, number);
	}
	node_leave(&n);
	return 0;
}

static void begin(enum order order, unsigned first)
{
	control->order = order;
	control->first = first;
	say(&control->number, control->number + 1);
}

static void finish(void)
{
	uint32_t done = control->number - 1;

	while (done != control->number)
		done = wait_beyond(&control->done, done);
}

static void order(enum order what, unsigned first)
{
	begin(what, first);
	finish();
}

static void measure(const struct node *n, const char *name, unsigned first,
		    bool write)
{
	static uint64_t sample[SAMPLES_MAX];

	for (unsigned i = 0; i < pages; i++) {
		uint64_t before = now_ns();

		if (write)
			*word(n, first + i) = i + 1;
		else
			(void)*word(n, first + i);
		sample[i] = now_ns() - before;
	}
	report(name, sample, pages);
}

/* Fill a part of the region and leave: its home has the latest then. */
static int fill(void *arg)
{
	struct node n;

	(void)arg;
	node_join(&cluster, 2, bytes, bytes, &n);
	touch(&n, 0, true);
	touch(&n, pages, true);
	node_leave(&n);
	return 0;
}

static void measure_turns(const struct node *n)
{
	uint64_t count;

	order(ORDER_WRITE, 0);
	control->end_ns = now_ns() + seconds * 1000000000ull;
	begin(ORDER_TURNS, 0);
	count = take_turns(n, 0);
	printf("\"handovers_per_s\": %.0f, ", (double)(2 * count) / seconds);
	finish();
}

static int main_node(void *arg)
{
	struct node n;

	(void)arg;
	node_join(&cluster, 0, bytes, bytes, &n);
	measure(&n, "read_clean", 0, false);
	measure(&n, "upgrade_alone", 0, true);
	measure(&n, "write_clean", pages, true);
	order(ORDER_WRITE, 2 * pages);
	measure(&n, "read_dirty", 2 * pages, false);
	measure(&n, "upgrade", 2 * pages, true);
	order(ORDER_WRITE, 3 * pages);
	measure(&n, "write_dirty", 3 * pages, true);
	if (!waits_only)
		measure_turns(&n);
	order(ORDER_END, 0);
	node_leave(&n);
	fflush(stdout);
	return 0;
}

static int busy_node(void *arg)
{
	const unsigned id = *(unsigned *)arg;
	struct node n;

	node_join(&cluster, id, bytes, bytes / 4 < MIB ? MIB : bytes / 4, &n);
	__atomic_fetch_add(&control->done, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&control->end_ns, __ATOMIC_ACQUIRE))
		sched_yield();
	be_busy(&n, id);
	node_leave(&n);
	return 0;
}

static void many(void)
{
	unsigned id[NODES_MAX];
	pid_t pid[NODES_MAX];

	control->end_ns = 0;
	control->done = 0;
	for (unsigned i = 0; i < nodes; i++) {
		id[i] = i;
		pid[i] = spawn(busy_node, &id[i]);
	}
	while (__atomic_load_n(&control->done, __ATOMIC_ACQUIRE) < nodes)
		sched_yield();
	__atomic_store_n(&control->end_ns, now_ns() + seconds * 1000000000ull,
			 __ATOMIC_RELEASE);
	for (unsigned i = 0; i < nodes; i++)
		CHECK(reap(pid[i]) == 0);
	printf("\"busy_nodes\": %u, \"misses_per_s\": %.0f", nodes,
	       (double)control->misses / seconds);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "pages", required_argument, NULL, 'p' },
		{ "seconds", required_argument, NULL, 's' },
		{ "nodes", required_argument, NULL, 'n' },
		{ "one-cpu", no_argument, NULL, '1' },
		{ "waits-only", no_argument, NULL, 'w' },
		{ 0 }
	};
	pid_t pid;
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned v = optarg ? (unsigned)strtoul(optarg, NULL, 0) : 0;

		if (o == 'p' && v && v <= SAMPLES_MAX)
			pages = v;
		else if (o == 's' && v)
			seconds = v;
		else if (o == 'n' && v && v <= NODES_MAX)
			nodes = v;
		else if (o == 'w')
			waits_only = true;
		else if (o == '1')
			pin_to(0);	/* and so are all that it starts */
		else
			return 2;
	}
	bytes = (4 * pages * PAGE + SLICE - 1) / SLICE * SLICE;
	control = common_map(sizeof(*control));
	cluster_start(&cluster, 1, NULL);
	printf("{");
	CHECK(reap(spawn(fill, NULL)) == 0);
	pid = spawn(helper, NULL);
	CHECK(reap(spawn(main_node, NULL)) == 0);
	CHECK(reap(pid) == 0);
	if (waits_only)
		printf("\"waits_only\": true");
	else
		many();
	printf("}\n");
	cluster_stop(&cluster);
	return 0;
}
