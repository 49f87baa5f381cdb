// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The threads of the nodes' programs: each accesses a page, waits for it if it
 * must, thinks, and accesses the next.  Every access is shown to the oracle.
 */
#include "cluster.h"

#define SWEEP_MAX	20000u	/* reads of the sweep, if everybody reads all */

static u32 node_of(const struct sim *s, u32 thread)
{
	return thread / s->cfg.threads;
}

static void at(struct sim *s, u32 thread, u64 when)
{
	struct sim_thread *t = &s->thread[thread];

	if (t->pending)
		return;
	t->pending = true;
	gvm_sim_queue_push(&s->queue, when, SIM_ACCESS, thread);
}

static u64 think(struct sim *s, struct sim_thread *t)
{
	u32 span = (u32)(s->cfg.think_ns < 1u << 30 ? s->cfg.think_ns : 1u << 30);

	/* Half to one and a half of the mean. */
	return s->cfg.think_ns / 2 + (span ? gvm_sim_below(&t->random, span) : 0);
}

void gvm_sim_threads_start(struct sim *s)
{
	for (u32 i = 0; i < s->threads_nr; i++) {
		struct sim_thread *t = &s->thread[i];

		t->random = s->cfg.seed * 0x100000001b3ull + i;
		t->left = s->cfg.ops;
		t->state = SIM_THREAD_THINK;
		at(s, i, think(s, t) + 1);
	}
}

static void count_miss(struct sim *s, struct sim_thread *t)
{
	struct gvm_sim_result *r = s->r;
	u64 ns = s->now - t->since;
	u32 hops = t->hops < 7 ? t->hops : 7;

	r->misses++;
	r->hops[hops]++;
	r->hops_sum += t->hops;
	if (t->hops > r->hops_max)
		r->hops_max = t->hops;
	if (t->level > r->levels_max)
		r->levels_max = t->level;
	r->again += t->asked > 1;
	gvm_hist_add((struct gvm_hist *)r->latency, ns);
	r->latency_sum += ns;
	if (ns > r->latency_max)
		r->latency_max = ns;
	if (ns > s->starve_ns)
		gvm_sim_fail(s, t->page, "an access to page %u took %llu us; none may take longer than %llu us",
			     t->page, (unsigned long long)ns / 1000,
			     (unsigned long long)s->starve_ns / 1000);
}

static void done(struct sim *s, u32 thread)
{
	struct sim_thread *t = &s->thread[thread];

	s->r->accesses++;
	if (t->missed)
		count_miss(s, t);
	else
		s->r->hits++;
	t->missed = false;
	t->state = SIM_THREAD_THINK;
	if (!s->sweeping)
		gvm_sim_load_done(s, thread);
	if (--t->left) {
		at(s, thread, s->now + think(s, t));
		return;
	}
	t->state = SIM_THREAD_DONE;
	s->threads_done++;
}

/* True: the access was carried out. */
static bool touch(struct sim *s, u32 node, const struct sim_thread *t)
{
	struct sim_frame *f = gvm_sim_frame(s, node, t->page);
	gvm_oracle_verdict broken;

	if (!f->page || (t->write && f->right != GVM_ORACLE_WRITE))
		return false;
	if (t->write)
		broken = gvm_oracle_write(s->oracle, node, t->page, &f->value);
	else
		broken = gvm_oracle_read(s->oracle, node, t->page, f->value);
	if (broken)
		gvm_sim_fail(s, t->page, "%s", broken);
	if (t->missed && gvm_sim_told(s, t->page))
		gvm_sim_tell(s, t->page, "node %u %s write %llu", node,
			     t->write ? "makes" : "reads",
			     (unsigned long long)f->value);
	return true;
}

void gvm_sim_access(struct sim *s, u32 thread)
{
	struct sim_thread *t = &s->thread[thread];
	u32 node = node_of(s, thread);
	u32 m;

	t->pending = false;
	if (!s->actor[node].alive || t->state == SIM_THREAD_DONE ||
	    t->state == SIM_THREAD_WAIT)
		return;
	if (t->state == SIM_THREAD_THINK) {
		if (s->sweeping) {
			t->page = (u32)(t->cursor % s->cfg.pages);
			t->write = false;
			t->cursor += s->sweep_step;
		} else if (!gvm_sim_load_next(s, thread)) {
			return;
		}
		t->state = SIM_THREAD_TRY;
	}
	s->clock = s->now;
	if (touch(s, node, t)) {
		done(s, thread);
		return;
	}
	if (!t->missed) {
		t->missed = true;
		t->since = s->now;
		t->hops = t->level = t->asked = 0;
	}
	t->state = SIM_THREAD_WAIT;
	m = gvm_sim_msg_new(&s->pool);
	if (m == SIM_NO_MSG) {
		gvm_sim_fail(s, ~0ull, "no memory for faults");
		return;
	}
	s->pool.msg[m].job = SIM_JOB_FAULT;
	s->pool.msg[m].co.page = thread;
	gvm_sim_hand(s, node, m);
}

/* The pager takes the fault; s->clock is its time. */
void gvm_sim_fault(struct sim *s, u32 thread)
{
	struct sim_thread *t = &s->thread[thread];
	u32 node = node_of(s, thread);
	int err;

	if (t->state != SIM_THREAD_WAIT)
		return;
	while (!gvm_sim_frame(s, node, t->page)->page) {
		s->out.nr = 0;
		if (!s->ops->evict(s, node, s->clock))
			break;
		s->r->evicted++;
		gvm_sim_apply(s, node, NULL);
	}
	if (gvm_sim_told(s, t->page))
		gvm_sim_tell(s, t->page, "node %u faults to %s", node,
			     t->write ? "write" : "read");
	s->out.nr = 0;
	err = s->ops->fault(s, node, t->page, t->write, s->clock);
	if (err && err != -EAGAIN) {
		gvm_sim_fail(s, t->page, "node %u: a fault is refused (%d)",
			     node, err);
		return;
	}
	gvm_sim_apply(s, node, NULL);
	if (err == -EAGAIN) {
		t->state = SIM_THREAD_PARKED;
		at(s, thread, s->clock + SIM_PARK_NS);
	}
}

/* What the path of the answer was, for the threads that it serves. */
static void note_path(struct sim_thread *t, const struct sim_msg *m)
{
	if (m->hops > t->hops)
		t->hops = m->hops;
	if (m->level > t->level)
		t->level = m->level;
}

void gvm_sim_heard(struct sim *s, u32 node, const struct sim_msg *m)
{
	if (m->co.type != GVM_CO_GRANT && m->co.type != GVM_CO_INVALIDATED)
		return;
	for (u32 i = 0; i < s->cfg.threads; i++) {
		struct sim_thread *t = &s->thread[node * s->cfg.threads + i];

		if (t->missed && t->page == m->co.page)
			note_path(t, m);
	}
}

void gvm_sim_asks(struct sim *s, u32 node, u64 page)
{
	for (u32 i = 0; i < s->cfg.threads; i++) {
		struct sim_thread *t = &s->thread[node * s->cfg.threads + i];

		if (!t->missed || t->page != page)
			continue;
		t->hops = 0;
		t->level = 0;
		if (t->asked < 255)
			t->asked++;
	}
}

void gvm_sim_wake(struct sim *s, u32 node, u32 page)
{
	for (u32 i = 0; i < s->cfg.threads; i++) {
		u32 thread = node * s->cfg.threads + i;
		struct sim_thread *t = &s->thread[thread];

		if (t->state != SIM_THREAD_WAIT || t->page != page)
			continue;
		t->state = SIM_THREAD_TRY;
		at(s, thread, s->clock + SIM_WAKE_NS);
	}
}

void gvm_sim_page_lost(struct sim *s, u32 node, u32 page)
{
	gvm_oracle_verdict broken = gvm_oracle_lost(s->oracle, page);

	if (broken)
		gvm_sim_fail(s, page, "%s", broken);
	for (u32 i = 0; i < s->cfg.threads; i++) {
		u32 thread = node * s->cfg.threads + i;
		struct sim_thread *t = &s->thread[thread];

		if (t->state != SIM_THREAD_WAIT || t->page != page)
			continue;
		s->r->errors++;
		t->missed = false;
		done(s, thread);
	}
}

void gvm_sim_threads_die(struct sim *s, u32 node, bool for_good)
{
	for (u32 i = 0; i < s->cfg.threads; i++) {
		struct sim_thread *t = &s->thread[node * s->cfg.threads + i];

		if (t->state == SIM_THREAD_DONE)
			continue;
		t->missed = false;
		t->state = SIM_THREAD_THINK;
		if (!for_good)
			continue;
		t->state = SIM_THREAD_DONE;
		s->threads_done++;
	}
}

void gvm_sim_threads_live(struct sim *s, u32 node)
{
	for (u32 i = 0; i < s->cfg.threads; i++) {
		u32 thread = node * s->cfg.threads + i;

		if (s->thread[thread].state != SIM_THREAD_DONE)
			at(s, thread, s->now + SIM_WAKE_NS);
	}
}

/*
 * Each page is read once more by somebody, or by everybody if that is not too
 * much.  What was lost on the way to its home comes to light by that: requests
 * are what drives the protocol.
 */
void gvm_sim_sweep(struct sim *s)
{
	bool all = (u64)s->cfg.nodes * s->cfg.pages <= SWEEP_MAX;

	s->sweeping = true;
	s->sweep_step = all ? 1 : s->cfg.nodes;
	for (u32 node = 0; node < s->cfg.nodes; node++) {
		u32 thread = node * s->cfg.threads;
		struct sim_thread *t = &s->thread[thread];

		if (!s->actor[node].alive || (!all && node >= s->cfg.pages))
			continue;
		s->threads_done -= t->state == SIM_THREAD_DONE;
		t->state = SIM_THREAD_THINK;
		t->cursor = node;
		t->left = all ? s->cfg.pages :
			(s->cfg.pages - 1 - node) / s->cfg.nodes + 1;
		t->pending = false;
		at(s, thread, s->now + SIM_WAKE_NS);
	}
}

/* Now and then: has somebody waited for too long?  It may never end. */
void gvm_sim_starving(struct sim *s)
{
	for (u32 i = 0; i < s->threads_nr; i++) {
		const struct sim_thread *t = &s->thread[i];

		if (!t->missed || !s->actor[node_of(s, i)].alive ||
		    s->now - t->since <= s->starve_ns)
			continue;
		gvm_sim_fail(s, t->page, "node %u has waited %llu us to %s page %u",
			     node_of(s, i),
			     (unsigned long long)(s->now - t->since) / 1000,
			     t->write ? "write" : "read", t->page);
		return;
	}
	gvm_sim_queue_push(&s->queue, s->now + s->starve_ns / 4, SIM_WATCH, 0);
}
