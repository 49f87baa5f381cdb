// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Checked data under stress: nodes read and write pages at random, with room
 * for a quarter of the region each.  If this failed, a program would compute
 * with an old page, or with one that was lost.
 *
 *	stress [--seconds N] [--nodes N] [--pages N]
 *
 * Every page has a ticket in plain memory that all processes share: the number
 * of its writes that are over.  A writer takes a lock of the page there, which
 * gives the order of its writes, makes sure that the page is as the last one
 * left it, and writes the next version.  Readers do not lock: they must see a
 * version that is whole, at least as new as the ticket was before they looked,
 * and not newer than one that was begun.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"

#define NODES_MAX	16
#define PAGES_MAX	16384u
#define HOT		16u		/* pages that half of the accesses go to */

struct ticket {
	uint32_t lock;
	uint32_t reserved;
	uint64_t begun;			/* version being written */
	uint64_t done;
};

struct shared {
	uint64_t end_ns;
	uint64_t reads;
	uint64_t writes;
	uint64_t bad;
	struct ticket ticket[PAGES_MAX];
};

struct job {
	const struct cluster *cluster;
	struct shared *shared;
	unsigned node;
	unsigned pages;
};

static void lock(uint32_t *word)
{
	while (__atomic_exchange_n(word, 1, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void unlock(uint32_t *word)
{
	__atomic_store_n(word, 0, __ATOMIC_RELEASE);
}

/* First and last word of a page hold its version, others derive from it. */
static void put(volatile uint64_t *page, uint64_t number, uint64_t version)
{
	page[0] = version;
	for (unsigned i = 1; i < 511; i += 17)
		page[i] = version * 0x9e3779b97f4a7c15ull + number + i;
	page[511] = version;
}

static bool is(const volatile uint64_t *page, uint64_t number,
	       uint64_t version)
{
	if (page[0] != version || page[511] != version)
		return false;
	for (unsigned i = 1; i < 511; i += 17)
		if (page[i] != (version ? version * 0x9e3779b97f4a7c15ull +
				number + i : 0))
			return false;
	return true;
}

static void complain(const struct job *job, unsigned page, const char *what,
		     uint64_t saw, uint64_t wanted)
{
	fprintf(stderr, "node %u, page %u: %s: version %llu, not %llu\n",
		job->node, page, what, (unsigned long long)saw,
		(unsigned long long)wanted);
	__atomic_fetch_add(&job->shared->bad, 1, __ATOMIC_RELAXED);
}

static void write_page(const struct job *job, uint8_t *base, unsigned nr)
{
	struct ticket *t = &job->shared->ticket[nr];
	volatile uint64_t *page = (void *)(base + nr * PAGE);

	lock(&t->lock);
	if (!is(page, nr, t->done))
		complain(job, nr, "before a write", page[0], t->done);
	__atomic_store_n(&t->begun, t->done + 1, __ATOMIC_SEQ_CST);
	put(page, nr, t->done + 1);
	/* The write is over when everybody would see it. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&t->done, t->done + 1, __ATOMIC_SEQ_CST);
	unlock(&t->lock);
}

static void read_page(const struct job *job, uint8_t *base, unsigned nr)
{
	const struct ticket *t = &job->shared->ticket[nr];
	const volatile uint64_t *page = (void *)(base + nr * PAGE);
	uint64_t least, most, first, last;

	least = __atomic_load_n(&t->done, __ATOMIC_SEQ_CST);
	/* Writers go up from the first word: the last one is never newer. */
	last = page[511];
	first = page[0];
	most = __atomic_load_n(&t->begun, __ATOMIC_SEQ_CST);
	if (last < least)
		complain(job, nr, "old", last, least);
	if (first < last)
		complain(job, nr, "went back", first, last);
	if (first > most)
		complain(job, nr, "too new", first, most);
}

static int node_main(void *arg)
{
	const struct job *job = arg;
	struct shared *s = job->shared;
	uint64_t random = 77 + job->node, local = job->pages * PAGE / 4;
	uint64_t reads = 0, writes = 0;
	struct node node;

	pin_to(job->node);
	node_join(job->cluster, job->node, job->pages * PAGE,
		  local < MIB ? MIB : local, &node);
	while (now_ns() < s->end_ns) {
		uint64_t dice = random_next(&random);
		unsigned nr = (unsigned)((dice >> 8) % (dice & 1 ? HOT :
							job->pages));

		if (dice >> 32 & 3) {
			read_page(job, node.at, nr);
			reads++;
		} else {
			write_page(job, node.at, nr);
			writes++;
		}
	}
	__atomic_fetch_add(&s->reads, reads, __ATOMIC_RELAXED);
	__atomic_fetch_add(&s->writes, writes, __ATOMIC_RELAXED);
	node_leave(&node);
	return 0;
}

/* What nobody holds any more must be at its home, as it was written last. */
static int reader_main(void *arg)
{
	const struct job *job = arg;
	struct node node;

	node_join(job->cluster, job->node, job->pages * PAGE, 4 * MIB, &node);
	for (unsigned i = 0; i < job->pages; i++)
		if (!is((void *)(node.at + i * PAGE), i,
			job->shared->ticket[i].done))
			complain(job, i, "at the end",
				 *(uint64_t *)(void *)(node.at + i * PAGE),
				 job->shared->ticket[i].done);
	node_leave(&node);
	return 0;
}

static unsigned number(const char *text, unsigned most)
{
	unsigned long n = strtoul(text, NULL, 0);

	CHECK(n > 0 && n <= most);
	return (unsigned)n;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 's' },
		{ "nodes", required_argument, NULL, 'n' },
		{ "pages", required_argument, NULL, 'p' },
		{ 0 }
	};
	unsigned seconds = 5, nodes = 8, pages = 2048;
	struct job job[NODES_MAX + 1];
	struct cluster cluster;
	pid_t pid[NODES_MAX];
	struct shared *s;
	int o, failed = 0;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 's')
			seconds = number(optarg, 1000000);
		else if (o == 'n')
			nodes = number(optarg, NODES_MAX);
		else if (o == 'p')
			pages = number(optarg, PAGES_MAX);
		else
			return 2;
	}
	s = common_map(sizeof(*s));
	cluster_start(&cluster, 2, NULL);
	s->end_ns = now_ns() + seconds * 1000000000ull;
	for (unsigned i = 0; i <= nodes; i++)
		job[i] = (struct job){ &cluster, s, i, pages };
	for (unsigned i = 0; i < nodes; i++)
		pid[i] = spawn(node_main, &job[i]);
	for (unsigned i = 0; i < nodes; i++)
		failed |= reap(pid[i]);
	failed |= reap(spawn(reader_main, &job[nodes]));
	cluster_stop(&cluster);
	printf("%u nodes, %u pages, %u s: %llu reads, %llu writes, %llu wrong\n",
	       nodes, pages, seconds, (unsigned long long)s->reads,
	       (unsigned long long)s->writes, (unsigned long long)s->bad);
	CHECK(s->writes > 0);
	return failed || s->bad ? 1 : 0;
}
