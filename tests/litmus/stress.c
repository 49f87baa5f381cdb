// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Checked data under stress: nodes read and write pages at random, with room
 * for a quarter of the region each.  If this failed, a program would compute
 * with an old page, or with one that was lost.
 *
 *	stress [--seconds N] [--nodes N] [--pages N] [--seeded]
 *
 * No lock orders the accesses.  A write adds one to the page's first word, its
 * version, and to the writer's own word.  Judged are
 *
 *  - every page that is mapped anywhere, whole, and every read during which the
 *    node's right to the page did not change: by home's own order (order.h);
 *  - the own word: nobody else writes it, so it is what this node wrote last;
 *  - versions: none goes back in a node, and in the end none is missing.
 *
 * --seeded: this is the build with a seeded mistake, which must be seen.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "order.h"

#define NODES_MAX	16
#define HOT		16u		/* pages that half of the accesses go to */
#define OWN_WORDS	8u		/* a node's own word is here + its id */
#define NOISE_WORDS	64u		/* from here on anybody writes anything */
#define PAGE_WORDS	512u

struct shared {
	uint64_t end_ns;
	uint64_t reads;
	uint64_t judged;
	uint64_t writes;
	uint32_t own[NODES_MAX][ORDER_PAGES_MAX];
};

struct job {
	const struct cluster *cluster;
	struct shared *shared;
	struct order_books *books;
	unsigned node;
	unsigned pages;
};

/* What one node knows of the pages by itself. */
struct memory {
	const struct job *job;
	uint8_t	*base;
	uint64_t random;
	uint64_t seen[ORDER_PAGES_MAX];	/* the newest version */
	uint64_t reads, judged, writes;
};

static volatile uint64_t *word(const struct memory *m, unsigned page,
			       unsigned i)
{
	return (volatile uint64_t *)(m->base + page * PAGE) + i;
}

static void newer(struct memory *m, unsigned page, uint64_t version)
{
	if (version < m->seen[page])
		order_wrong(page, "an older version than before", version,
			    m->seen[page]);
	m->seen[page] = version;
}

static void check_own(const struct memory *m, unsigned page)
{
	const struct job *job = m->job;
	uint64_t own = *word(m, page, OWN_WORDS + job->node);
	uint32_t wrote = job->shared->own[job->node][page];

	if (own != wrote)
		order_wrong(page, "this node's own word is not what it wrote",
			    own, wrote);
}

static void write_page(struct memory *m, unsigned page)
{
	uint32_t *own = &m->job->shared->own[m->job->node][page];
	unsigned noise = NOISE_WORDS + (unsigned)(random_next(&m->random) %
						  (PAGE_WORDS - NOISE_WORDS));
	struct order_view before;
	uint64_t was;

	order_look(page, &before);
	was = __atomic_fetch_add(word(m, page, 0), 1, __ATOMIC_SEQ_CST);
	if (order_judge(page, &before, was)) {
		m->judged++;
		if (!before.writable)
			order_wrong(page, "was written without the right", was,
				    before.seq);
	}
	newer(m, page, was + 1);
	check_own(m, page);
	*word(m, page, OWN_WORDS + m->job->node) = ++*own;
	*word(m, page, noise) = m->random;
	m->writes++;
}

static void read_page(struct memory *m, unsigned page)
{
	struct order_view before;
	uint64_t version;

	order_look(page, &before);
	version = *word(m, page, 0);
	m->judged += order_judge(page, &before, version);
	newer(m, page, version);
	check_own(m, page);
	m->reads++;
}

static int node_main(void *arg)
{
	const struct job *job = arg;
	static struct memory m;
	struct shared *s = job->shared;
	uint64_t local = job->pages * PAGE / 4;
	struct node node;

	pin_to(job->node);
	order_node(job->books, job->node);
	node_join(job->cluster, job->node, job->pages * PAGE,
		  local < MIB ? MIB : local, &node);
	m = (struct memory){ .job = job, .base = node.at,
			     .random = 77 + job->node };
	while (now_ns() < s->end_ns) {
		uint64_t dice = random_next(&m.random);
		unsigned nr = (unsigned)((dice >> 8) % (dice & 1 ? HOT :
							job->pages));

		if (dice >> 32 & 3)
			read_page(&m, nr);
		else
			write_page(&m, nr);
	}
	__atomic_fetch_add(&s->reads, m.reads, __ATOMIC_RELAXED);
	__atomic_fetch_add(&s->writes, m.writes, __ATOMIC_RELAXED);
	__atomic_fetch_add(&s->judged, m.judged, __ATOMIC_RELAXED);
	node_leave(&node);
	return 0;
}

/* What nobody holds any more must be at its home, with every write in it. */
static int reader_main(void *arg)
{
	const struct job *job = arg;
	struct node node;

	order_node(job->books, job->node);
	node_join(job->cluster, job->node, job->pages * PAGE, 4 * MIB, &node);
	for (unsigned i = 0; i < job->pages; i++) {
		const uint64_t *page = (void *)(node.at + i * PAGE);
		uint64_t all = 0;

		for (unsigned n = 0; n < NODES_MAX; n++) {
			all += job->shared->own[n][i];
			if (page[OWN_WORDS + n] != job->shared->own[n][i])
				order_wrong(i, "a node's last write is missing",
					    page[OWN_WORDS + n],
					    job->shared->own[n][i]);
		}
		if (page[0] != all)
			order_wrong(i, "at the end", page[0], all);
	}
	node_leave(&node);
	return 0;
}

static unsigned number(const char *text, unsigned most)
{
	unsigned long n = strtoul(text, NULL, 0);

	CHECK(n > 0 && n <= most);
	return (unsigned)n;
}

static int run(unsigned seconds, unsigned nodes, unsigned pages)
{
	struct order_books *books = order_begin();
	struct shared *s = common_map(sizeof(*s));
	struct job job[NODES_MAX + 1];
	struct cluster cluster;
	pid_t pid[NODES_MAX];
	uint32_t wrong;
	int failed = 0;

	cluster_start(&cluster, 2, NULL);
	s->end_ns = now_ns() + seconds * 1000000000ull;
	for (unsigned i = 0; i <= nodes; i++)
		job[i] = (struct job){ &cluster, s, books, i, pages };
	for (unsigned i = 0; i < nodes; i++)
		pid[i] = spawn(node_main, &job[i]);
	for (unsigned i = 0; i < nodes; i++)
		failed |= reap(pid[i]);
	failed |= reap(spawn(reader_main, &job[nodes]));
	cluster_stop(&cluster);
	wrong = order_report(books);
	printf("%u nodes, %u pages, %u s: %llu reads, %llu writes (%llu judged by home's order), %llu pages moved, %llu rights to write, %u wrong\n",
	       nodes, pages, seconds, (unsigned long long)s->reads,
	       (unsigned long long)s->writes, (unsigned long long)s->judged,
	       (unsigned long long)books->installs,
	       (unsigned long long)books->epochs, wrong);
	CHECK(s->writes > 0 && s->judged > 0);
	CHECK(books->installs > pages && books->epochs > pages / 2);
	return failed || wrong;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 's' },
		{ "nodes", required_argument, NULL, 'n' },
		{ "pages", required_argument, NULL, 'p' },
		{ "seeded", no_argument, NULL, 'x' },
		{ 0 }
	};
	unsigned seconds = 5, nodes = 8, pages = 2048;
	bool seeded = false, bad;
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 's')
			seconds = number(optarg, 1000000);
		else if (o == 'n')
			nodes = number(optarg, NODES_MAX);
		else if (o == 'p')
			pages = number(optarg, ORDER_PAGES_MAX);
		else if (o == 'x')
			seeded = true;
		else
			return 2;
	}
	bad = run(seconds, nodes, pages);
	if (seeded)
		printf("the seeded mistake was %s\n", bad ? "seen" : "NOT seen");
	return seeded ? !bad : bad;
}
