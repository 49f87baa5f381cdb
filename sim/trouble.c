// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What goes wrong, and when: drawn from the seed before the run begins.
 *
 * A node's lease is not made of messages here.  Who crashes is called dead by
 * the homes a lease later; who is cut off stops by itself shortly before.  The
 * id may come back as a new member, without anything of before.
 */
#include <stdlib.h>

#include "cluster.h"

#define SLOW_FACTOR	50u

enum kind {
	CRASH,
	FENCE,		/* cut off for longer than the lease */
	CUT,		/* one way, for less */
	SLOW,
};

struct sim_trouble {
	u8	kind;
	u8	step;
	u32	node;
	u32	other;		/* CUT: actor */
	u64	spell_ns;
};

static void again(struct sim *s, u32 i, u64 after)
{
	s->trouble[i].step++;
	gvm_sim_queue_push(&s->queue, s->now + after, SIM_TROUBLE, i);
}

static void add_cut(struct sim *s, u32 from, u32 from_end, u32 to, u32 to_end,
		    u64 until)
{
	if (s->cuts < SIM_CUTS_MAX)
		s->cut[s->cuts++] = (struct sim_cut){
			from, from_end, to, to_end, until };
}

bool gvm_sim_is_cut(const struct sim *s, u32 from, u32 to)
{
	for (u32 i = 0; i < s->cuts; i++) {
		const struct sim_cut *c = &s->cut[i];

		if (from >= c->from_lo && from < c->from_hi &&
		    to >= c->to_lo && to < c->to_hi && s->clock < c->until)
			return true;
	}
	return false;
}

static void mend(struct sim *s)
{
	u32 left = 0;

	for (u32 i = 0; i < s->cuts; i++) {
		if (s->cut[i].until > s->now)
			s->cut[left++] = s->cut[i];
	}
	s->cuts = left;
}

static void tell(struct sim *s, u32 node, const char *what)
{
	if (s->cfg.story_page == ~0ull)
		return;
	s->clock = s->now;
	gvm_sim_tell(s, ~0ull, "node %u %s", node, what);
}

static bool die(struct sim *s, struct sim_trouble *t)
{
	struct sim_actor *a = &s->actor[t->node];

	if (!a->alive)
		return false;
	tell(s, t->node, t->kind == CRASH ? "dies" :
	     "stops, because its lease ends");
	a->alive = false;
	a->lives++;
	a->timer = SIM_NEVER;
	a->slow = 1;
	gvm_sim_forget(s, t->node);
	gvm_sim_frames_drop(s, t->node);
	gvm_oracle_died(s->oracle, t->node);
	gvm_sim_threads_die(s, t->node, !s->cfg.restart);
	if (t->kind == CRASH)
		s->r->crashed++;
	else
		s->r->fenced++;
	return true;
}

static void bury(struct sim *s, u32 node)
{
	tell(s, node, "is dead to the homes");
	for (u32 h = 0; h < s->cfg.homes; h++) {
		u32 actor = s->cfg.nodes + h;
		struct sim_actor *a = &s->actor[actor];

		s->clock = a->busy > s->now ? a->busy : s->now;
		s->out.nr = 0;
		s->ops->dead(s, h, node, s->clock);
		gvm_sim_apply(s, actor, NULL);
		a->busy = s->clock;
		gvm_sim_rearm(s, actor);
	}
	gvm_oracle_buried(s->oracle, node);
}

static void rejoin(struct sim *s, u32 i)
{
	struct sim_trouble *t = &s->trouble[i];
	struct sim_actor *a = &s->actor[t->node];

	if (!s->ops->join(s, t->node)) {
		gvm_sim_queue_push(&s->queue, s->now + s->cfg.rtt_ns * 4 + 1000,
				   SIM_TROUBLE, i);
		return;
	}
	tell(s, t->node, "joins again");
	a->alive = true;
	a->busy = s->now;
	s->r->rejoined++;
	s->trouble_left--;
	gvm_sim_threads_live(s, t->node);
}

static void death(struct sim *s, u32 i)
{
	struct sim_trouble *t = &s->trouble[i];

	if (t->step == 0 && t->kind == FENCE) {
		u32 n = t->node;

		add_cut(s, n, n + 1, 0, s->actors_nr, s->now + 2 * s->cfg.lease_ns);
		add_cut(s, 0, s->actors_nr, n, n + 1, s->now + 2 * s->cfg.lease_ns);
		tell(s, n, "is cut off");
		again(s, i, s->cfg.lease_ns / 10 * 9);
	} else if (t->step <= 1) {
		if (!die(s, t)) {
			s->trouble_left--;
			return;
		}
		t->step = 1;
		again(s, i, t->kind == FENCE ? s->cfg.lease_ns / 10 :
		      s->cfg.lease_ns);
	} else if (t->step == 2) {
		bury(s, t->node);
		if (s->cfg.restart)
			again(s, i, t->spell_ns);
		else
			s->trouble_left--;
	} else {
		rejoin(s, i);
	}
}

static void spell(struct sim *s, u32 i)
{
	struct sim_trouble *t = &s->trouble[i];

	if (t->step) {
		s->actor[t->node].slow = 1;
		s->trouble_left--;
		return;
	}
	if (t->kind == SLOW)
		s->actor[t->node].slow = SLOW_FACTOR;
	else if (t->spell_ns & 1)
		add_cut(s, t->node, t->node + 1, t->other, t->other + 1,
			s->now + t->spell_ns);
	else
		add_cut(s, t->other, t->other + 1, t->node, t->node + 1,
			s->now + t->spell_ns);
	tell(s, t->node, t->kind == SLOW ? "becomes slow" : "has a link cut");
	again(s, i, t->spell_ns);
}

void gvm_sim_trouble(struct sim *s, u32 i)
{
	struct sim_trouble *t = &s->trouble[i];

	mend(s);
	/* Nobody is left to be troubled. */
	if (!t->step && s->threads_done == s->threads_nr) {
		s->trouble_left--;
		return;
	}
	if (t->kind == CRASH || t->kind == FENCE)
		death(s, i);
	else
		spell(s, i);
}

static u32 draw(struct sim *s, u32 n)
{
	return gvm_sim_below(&s->random_trouble, n);
}

static void make(struct sim *s, u32 i)
{
	struct sim_trouble *t = &s->trouble[i];
	/* About as long as a run without any trouble takes. */
	u64 span = s->cfg.ops * (s->cfg.think_ns + 4 * s->cfg.rtt_ns +
				 4 * s->cfg.cpu_ns);

	t->node = draw(s, s->cfg.nodes);
	t->spell_ns = s->cfg.lease_ns / 100 * draw(s, 80) + draw(s, 100);
	if (i < s->cfg.crashes)
		t->kind = CRASH;
	else if (i < s->cfg.crashes + s->cfg.partitions)
		t->kind = draw(s, 4) ? CUT : FENCE;
	else
		t->kind = SLOW;
	do
		t->other = draw(s, s->actors_nr);
	while (t->other == t->node);
	gvm_sim_queue_push(&s->queue, gvm_sim_random(&s->random_trouble) % span,
			   SIM_TROUBLE, i);
}

bool gvm_sim_trouble_start(struct sim *s)
{
	s->trouble_nr = s->cfg.crashes + s->cfg.partitions + s->cfg.slow;
	s->trouble_left = s->trouble_nr;
	if (!s->trouble_nr)
		return true;
	s->trouble = calloc(s->trouble_nr, sizeof(*s->trouble));
	if (!s->trouble)
		return false;
	for (u32 i = 0; i < s->trouble_nr; i++)
		make(s, i);
	return true;
}
