// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One run: build the cluster, let happen what happens in the order of time,
 * wait until it has come to rest, and compare what every home believes with
 * what is mapped.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cluster.h"

#define PROGRESS_EVENTS		(1u << 18)
#define COMPARE_MAX		(1ull << 24)	/* nodes x pages looked at */
#define FRAMES_SPARE		32u

static_assert(GVM_SIM_HIST_NR == GVM_HIST_NR, "one histogram");
static_assert(GVM_SIM_TYPES_NR == (u32)GVM_CO_TYPE_NR, "all messages counted");

static const struct sim_ops *const designs[GVM_SIM_DESIGNS_NR] = {
	[GVM_SIM_HOME] = &gvm_sim_core_ops,
	[GVM_SIM_SERIAL] = &gvm_sim_naive_ops,
	[GVM_SIM_BITMAP] = &gvm_sim_naive_ops,
	[GVM_SIM_CHAIN] = &gvm_sim_chain_ops,
};

void gvm_sim_fail(struct sim *s, u64 page, const char *format, ...)
{
	va_list args;

	s->stop = true;
	if (s->r->failed)
		return;
	s->r->failed = true;
	s->r->fail_page = page;
	va_start(args, format);
	vsnprintf(s->r->why, sizeof(s->r->why), format, args);
	va_end(args);
	if (s->cfg.story_page != ~0ull)
		gvm_sim_tell(s, page, "WRONG: %s", s->r->why);
}

static u32 round_up(u32 n)
{
	u32 p = 1;

	while (p < n)
		p *= 2;
	return p;
}

/* Long enough for everybody's turn at one page, with all that goes wrong. */
static u64 starve_ns(const struct gvm_sim_config *c)
{
	u64 turn = 8 * (c->rtt_ns + c->tail_ns) + 64 * c->cpu_ns + 200000;
	u64 all = turn * c->nodes * c->threads;

	if (c->hold_ns != ~0ull)
		all += 2 * c->hold_ns * c->nodes * c->threads;
	if (c->loss_ppm || c->reorder_ppm || c->crashes || c->partitions ||
	    c->slow)
		all = all * 256 + 8000 * c->retry_ns + 20 * c->lease_ns;
	return all + 64 * c->retry_ns + 100000000;
}

static void size(struct sim *s)
{
	const struct gvm_sim_config *c = &s->cfg;

	s->actors_nr = c->nodes + c->homes;
	s->threads_nr = c->nodes * c->threads;
	s->slice = (c->pages + c->homes - 1) / c->homes;
	s->wants = c->threads + 2;
	s->buffers = s->wants + 6;
	/* Only ours evicts. */
	s->limit = c->limit && c->limit < c->pages &&
		   c->design == GVM_SIM_HOME ? c->limit : c->pages;
	s->frame_mask = round_up(2 * (s->limit + s->wants + FRAMES_SPARE)) - 1;
	s->starve_ns = c->starve_ns ? c->starve_ns : starve_ns(c);
	s->random_net = c->seed ^ 0x6e6574;
	s->random_trouble = c->seed ^ 0x74726f75626c65;
}

static int build(struct sim *s)
{
	const struct gvm_sim_config *c = &s->cfg;

	size(s);
	s->ops = designs[c->design];
	s->actor = calloc(s->actors_nr, sizeof(*s->actor));
	s->thread = calloc(s->threads_nr, sizeof(*s->thread));
	s->frames = calloc((size_t)c->nodes * (s->frame_mask + 1u),
			   sizeof(*s->frames));
	s->buffer = calloc((size_t)c->nodes * s->buffers, sizeof(*s->buffer));
	s->store = calloc(c->pages, sizeof(*s->store));
	s->oracle = gvm_oracle_new(c->nodes, c->pages,
				   c->crashes || c->partitions);
	if (!gvm_sim_pool_init(&s->pool) || !s->actor || !s->thread ||
	    !s->frames || !s->buffer || !s->store || !s->oracle)
		return -ENOMEM;
	for (u32 i = 0; i < s->actors_nr; i++) {
		s->actor[i].alive = true;
		s->actor[i].slow = 1;
		s->actor[i].timer = SIM_NEVER;
		s->actor[i].head = SIM_NO_MSG;
	}
	return s->ops->start(s);
}

static void destroy(struct sim *s)
{
	if (s->ops && s->design)
		s->ops->stop(s);
	gvm_sim_load_stop(s);
	gvm_oracle_free(s->oracle);
	gvm_sim_pool_free(&s->pool);
	free(s->queue.heap);
	free(s->trouble);
	free(s->actor);
	free(s->thread);
	free(s->frames);
	free(s->buffer);
	free(s->store);
}

static void happen(struct sim *s, const struct sim_event *e)
{
	s->now = e->at;
	s->clock = e->at;
	s->r->events++;
	s->r->hash = (s->r->hash ^ e->at ^ (u64)e->what << 56) * 0x100000001b3ull +
		     e->arg;
	switch (e->what) {
	case SIM_DELIVER:
		gvm_sim_deliver(s, e->arg);
		break;
	case SIM_RUN:
		gvm_sim_run_actor(s, e->arg);
		break;
	case SIM_TICK:
		gvm_sim_tick(s, e->arg);
		break;
	case SIM_ACCESS:
		gvm_sim_access(s, e->arg);
		break;
	case SIM_TROUBLE:
		gvm_sim_trouble(s, e->arg);
		break;
	default:
		gvm_sim_starving(s);
	}
}

/*
 * Ten thousand nodes do not fit into any cache: fetch what one of the next
 * events will touch while this one is at work.
 */
static void fetch_ahead(const struct sim *s)
{
	const struct sim_event *e = gvm_sim_queue_peek(&s->queue);
	const struct sim_msg *m;
	u32 actor;

	if (!e)
		return;
	switch (e->what) {
	case SIM_DELIVER:
		m = &s->pool.msg[e->arg];
		actor = m->co.to;
		if (actor >= s->cfg.nodes)
			return;
		__builtin_prefetch(gvm_sim_frame_at(s, actor, (u32)m->co.page));
		break;
	case SIM_ACCESS:
		__builtin_prefetch(&s->thread[e->arg]);
		actor = e->arg / s->cfg.threads;
		break;
	case SIM_RUN:
	case SIM_TICK:
		actor = e->arg;
		break;
	default:
		return;
	}
	__builtin_prefetch(&s->actor[actor]);
	s->ops->fetch_ahead(s, actor);
}

static bool finished(const struct sim *s)
{
	return s->threads_done == s->threads_nr;
}

static void progress(struct sim *s)
{
	u64 all = (u64)s->threads_nr * s->cfg.ops;

	if (s->watch && s->watch->progress)
		s->watch->progress(s->watch->arg, s->r,
				   (unsigned)(s->r->accesses * 1000 / all));
}

static void work(struct sim *s)
{
	struct sim_event e;

	while (!s->stop && !finished(s)) {
		if (!gvm_sim_queue_pop(&s->queue, &e)) {
			gvm_sim_fail(s, ~0ull, "nothing will ever happen again, and %u threads wait",
				     s->threads_nr - s->threads_done);
			break;
		}
		fetch_ahead(s);
		happen(s, &e);
		if (!(s->r->events % PROGRESS_EVENTS) && !s->sweeping)
			progress(s);
	}
	s->r->sim_ns = s->now;
}

/* With a perfect network; what is counted was counted before. */
static void sweep(struct sim *s)
{
	struct gvm_sim_result counted = *s->r;

	s->cfg.loss_ppm = s->cfg.dup_ppm = s->cfg.reorder_ppm = 0;
	s->cuts = 0;
	gvm_sim_sweep(s);
	work(s);
	counted.failed = s->r->failed;
	counted.fail_page = s->r->fail_page;
	memcpy(counted.why, s->r->why, sizeof(counted.why));
	counted.hash = s->r->hash;
	*s->r = counted;
}

static u32 alive(const struct sim *s)
{
	u32 n = 0;

	for (u32 i = 0; i < s->cfg.nodes; i++)
		n += s->actor[i].alive;
	return n;
}

/* Nobody accesses any more: everything under way must come to its end. */
static void rest(struct sim *s)
{
	u64 end = s->now + s->starve_ns;
	struct sim_event e;

	while (!s->stop && gvm_sim_queue_pop(&s->queue, &e)) {
		if (e.what == SIM_WATCH)
			continue;
		if (e.at > end) {
			gvm_sim_fail(s, ~0ull, "all accesses are done, but messages go on for ever");
			return;
		}
		happen(s, &e);
	}
	/*
	 * Of a page whose last message was lost, home learns when somebody asks:
	 * nobody does if the only node that is left has the page.
	 */
	if (alive(s) < 2)
		return;
	for (u32 i = 0; i < s->actors_nr && !s->stop; i++) {
		if (!s->actor[i].alive)
			continue;
		s->ops->check(s, i);
		if (!s->ops->idle(s, i))
			gvm_sim_fail(s, ~0ull, "%s %u waits for ever for something, though nothing is under way",
				     gvm_sim_is_home(s, i) ? "home" : "node",
				     gvm_sim_is_home(s, i) ? i - s->cfg.nodes : i);
	}
	if ((u64)s->cfg.nodes * s->cfg.pages > COMPARE_MAX)
		return;
	for (u32 p = 0; p < s->cfg.pages && !s->stop; p++) {
		const char *wrong = s->ops->agree(s, p);

		if (wrong)
			gvm_sim_fail(s, p, "page %u: %s", p, wrong);
	}
}

static void directory(struct sim *s)
{
	struct gvm_sim_result *r = s->r;

	for (u32 p = 0; p < s->cfg.pages; p++) {
		u32 sharers = 0;
		u32 bytes = s->ops->dir_bytes(s, p, &sharers);

		if (!bytes)
			continue;
		r->dir_pages++;
		r->dir_bytes += bytes;
		if (bytes > r->dir_page_max)
			r->dir_page_max = bytes;
		if (sharers <= 4 && bytes > r->dir_few_max)
			r->dir_few_max = bytes;
	}
}

static void sum_up(struct sim *s)
{
	struct gvm_sim_result *r = s->r;

	for (u32 i = 0; i < s->actors_nr; i++) {
		const struct sim_actor *a = &s->actor[i];
		u64 *busiest = gvm_sim_is_home(s, i) ? &r->busiest_home_ns :
						       &r->busiest_ns;

		if (a->work_ns > *busiest)
			*busiest = a->work_ns;
		if (a->handled > r->busiest_messages)
			r->busiest_messages = a->handled;
	}
	r->lost = gvm_oracle_lost_pages(s->oracle);
	r->avoidable = gvm_oracle_avoidable(s->oracle);
	directory(s);
}

static int run(struct sim *s)
{
	int err = build(s);

	if (err)
		return err;
	err = gvm_sim_load_start(s);
	if (err)
		return err;
	gvm_sim_threads_start(s);
	if (!gvm_sim_trouble_start(s))
		return -ENOMEM;
	gvm_sim_queue_push(&s->queue, s->starve_ns / 4, SIM_WATCH, 0);
	work(s);
	sum_up(s);
	if (!s->stop) {
		sweep(s);
		rest(s);
	}
	if (s->queue.failed)
		return -ENOMEM;
	return 0;
}

int gvm_sim_run(const struct gvm_sim_config *config,
		const struct gvm_sim_watch *watch, struct gvm_sim_result *ret)
{
	struct sim *s = calloc(1, sizeof(*s));
	int err;

	memset(ret, 0, sizeof(*ret));
	ret->fail_page = ~0ull;
	ret->hash = 0xcbf29ce484222325ull;
	if (!s)
		return -ENOMEM;
	s->cfg = *config;
	s->watch = watch;
	s->r = ret;
	if (!watch || !watch->line)
		s->cfg.story_page = ~0ull;
	err = run(s);
	destroy(s);
	free(s);
	return err;
}
