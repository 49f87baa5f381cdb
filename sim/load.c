// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which page a thread accesses next, and how.  What a thread does depends on
 * the seed and its own number only, so that a run with fewer nodes is the same
 * for those that are left.
 */
#include <stdlib.h>

#include "cluster.h"
#include "load.h"

#define STORM_PAGES	16u
#define PAIR_PAGES	8u	/* that a producer fills in turn */
#define QUIET_NS	100000u	/* between two looks whether it is quiet */
#define SHARERS		4u	/* nodes that write one page by mistake */

const char *const gvm_sim_load_names[] = {
	[GVM_SIM_PRIVATE] = "private",
	[GVM_SIM_READ_MOSTLY] = "read-mostly",
	[GVM_SIM_MIGRATORY] = "migratory",
	[GVM_SIM_PRODUCER] = "producer",
	[GVM_SIM_STORM] = "storm",
	[GVM_SIM_ZIPF] = "zipf",
	[GVM_SIM_FALSE_SHARING] = "false-sharing",
	[GVM_SIM_MIXED] = "mixed",
	[GVM_SIM_INVALIDATE] = "invalidate",
	[GVM_SIM_TRACE] = "trace",
	NULL
};

/* Walker's aliases for the weights 1, 1/2, 1/3 ...: a page in one step. */
static bool make_zipf(struct sim_load_table *t, u32 n)
{
	double *weight = malloc(n * sizeof(*weight));
	u32 *todo = malloc(n * sizeof(*todo));
	u32 low = 0, high = n;
	double sum = 0;

	t->alias = malloc(n * sizeof(*t->alias));
	if (!weight || !todo || !t->alias) {
		free(weight);
		free(todo);
		return false;
	}
	for (u32 i = 0; i < n; i++)
		sum += 1. / (i + 1);
	/* Those below the mean from the left, the others from the right. */
	for (u32 i = 0; i < n; i++) {
		weight[i] = n / sum / (i + 1);
		if (weight[i] < 1)
			todo[low++] = i;
		else
			todo[--high] = i;
	}
	for (u32 i = 0; i < n; i++)
		t->alias[i] = (struct sim_alias){ UINT32_MAX, i };
	while (low && high < n) {
		u32 small = todo[--low];
		u32 large = todo[high];

		t->alias[small].keep = (u32)(weight[small] * 4294967295.);
		t->alias[small].other = large;
		weight[large] -= 1 - weight[small];
		if (weight[large] < 1) {
			high++;
			todo[low++] = large;
		}
	}
	free(weight);
	free(todo);
	return true;
}

int gvm_sim_load_start(struct sim *s)
{
	struct sim_load_table *t = calloc(1, sizeof(*t));
	bool zipf = s->cfg.load == GVM_SIM_ZIPF || s->cfg.load == GVM_SIM_MIXED;

	if (!t)
		return -ENOMEM;
	s->table = t;
	s->phase_left = s->threads_nr - 1;
	if (zipf && !make_zipf(t, s->cfg.pages))
		return -ENOMEM;
	if (s->cfg.load == GVM_SIM_TRACE)
		return gvm_sim_trace_read(s);
	return 0;
}

void gvm_sim_load_stop(struct sim *s)
{
	if (!s->table)
		return;
	free(s->table->alias);
	free(s->table->access);
	free(s->table->first);
	free(s->table);
}

static u32 zipf(struct sim *s, struct sim_thread *t)
{
	u32 i = gvm_sim_below(&t->random, s->cfg.pages);
	struct sim_alias a = s->table->alias[i];

	if ((u32)gvm_sim_random(&t->random) > a.keep)
		i = a.other;
	/* Popular pages lie everywhere: an odd factor permutes 2^n pages. */
	if (s->cfg.pages & (s->cfg.pages - 1))
		return i;
	return i * 0x9e3779b1u & (s->cfg.pages - 1);
}

static u32 storm(struct sim *s, struct sim_thread *t)
{
	u32 pages = s->cfg.pages < STORM_PAGES ? s->cfg.pages : STORM_PAGES;
	u32 i = gvm_sim_below(&t->random, pages);

	return i * (s->cfg.pages / pages);
}

static void pair(struct sim *s, struct sim_thread *t, u32 node)
{
	u64 first = node / 2 * PAIR_PAGES;

	t->page = (u32)((first + t->cursor++ % PAIR_PAGES) % s->cfg.pages);
	t->write = !(node & 1);
}

/* Read a page, then write it. */
static void migrate(struct sim *s, struct sim_thread *t)
{
	if (t->cursor++ & 1) {
		t->write = true;
		return;
	}
	t->page = storm(s, t);
	t->write = false;
}

/* The readers of a round are done, and the network is quiet. */
static void measure(struct sim *s)
{
	for (u32 i = 0; i < s->actors_nr; i++)
		s->actor[i].mark = s->actor[i].handled;
}

/* All others read page 0, then one node writes it; and again. */
static bool invalidate(struct sim *s, struct sim_thread *t, u32 thread)
{
	bool writer = thread == s->phase % s->threads_nr;

	t->page = 0;
	t->write = writer;
	if (!writer)
		return t->cursor <= s->phase;
	if (s->phase_left)
		return false;
	if (s->pool.used) {
		t->pending = true;
		gvm_sim_queue_push(&s->queue, s->now + QUIET_NS, SIM_ACCESS,
				   thread);
		return false;
	}
	measure(s);
	return true;
}

static bool replay(struct sim *s, struct sim_thread *t, u32 node)
{
	const struct sim_load_table *table = s->table;
	u64 i = table->first[node] + t->cursor++;

	if (i >= table->first[node + 1]) {
		t->left = 1;
		t->page = 0;
		t->write = false;
		return true;
	}
	t->page = table->access[i].page;
	t->write = table->access[i].write;
	t->left = (u32)(table->first[node + 1] - i);
	return true;
}

bool gvm_sim_load_next(struct sim *s, u32 thread)
{
	struct sim_thread *t = &s->thread[thread];
	u32 node = thread / s->cfg.threads;
	u32 own = s->cfg.pages / s->cfg.nodes;
	u32 pages = s->cfg.pages;

	t->write = gvm_sim_chance(&t->random, s->cfg.writes_ppm);
	switch (s->cfg.load) {
	case GVM_SIM_PRIVATE:
		own = own ? own : 1;
		t->page = (u32)(((u64)node * own +
				 gvm_sim_below(&t->random, own)) % pages);
		return true;
	case GVM_SIM_READ_MOSTLY:
		t->page = gvm_sim_below(&t->random, pages);
		t->write = t->write && !node;
		return true;
	case GVM_SIM_MIGRATORY:
		migrate(s, t);
		return true;
	case GVM_SIM_PRODUCER:
		pair(s, t, node);
		return true;
	case GVM_SIM_STORM:
		t->page = storm(s, t);
		return true;
	case GVM_SIM_ZIPF:
		t->page = zipf(s, t);
		return true;
	case GVM_SIM_FALSE_SHARING:
		t->page = node / SHARERS % pages;
		t->write = true;
		return true;
	case GVM_SIM_MIXED:
		t->page = gvm_sim_random(&t->random) & 1 ? zipf(s, t) :
			  storm(s, t);
		return true;
	case GVM_SIM_INVALIDATE:
		return invalidate(s, t, thread);
	default:
		return replay(s, t, node);
	}
}

static void start_threads(struct sim *s, u32 from, u32 to)
{
	for (u32 i = from; i < to; i++) {
		struct sim_thread *t = &s->thread[i];

		if (t->pending || t->state != SIM_THREAD_THINK)
			continue;
		t->pending = true;
		gvm_sim_queue_push(&s->queue, s->now + 1, SIM_ACCESS, i);
	}
}

static void measured(struct sim *s, const struct sim_thread *t)
{
	u64 ns = s->now - t->since;

	for (u32 i = 0; i < s->actors_nr; i++) {
		u32 n = s->actor[i].handled - s->actor[i].mark;

		if (n > s->r->inval_messages)
			s->r->inval_messages = n;
	}
	if (ns > s->r->inval_ns)
		s->r->inval_ns = ns;
	s->r->inval_sharers = s->threads_nr - 1;
}

void gvm_sim_load_done(struct sim *s, u32 thread)
{
	struct sim_thread *t = &s->thread[thread];

	if (s->cfg.load != GVM_SIM_INVALIDATE)
		return;
	t->cursor = s->phase + 1;
	if (!t->write) {
		if (!--s->phase_left)
			start_threads(s, s->phase % s->threads_nr,
				      s->phase % s->threads_nr + 1);
		return;
	}
	measured(s, t);
	s->phase++;
	s->phase_left = s->threads_nr - 1;
	if (s->phase == s->cfg.ops)
		s->stop = true;
	else
		start_threads(s, 0, s->threads_nr);
}
