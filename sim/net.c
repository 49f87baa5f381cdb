// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The network, and the queue before each actor.  A message leaves when its
 * sender's processor has dealt with it, travels for half a round trip and an
 * exponential tail, may be lost, doubled or late, and waits for its receiver's
 * processor.  Nothing keeps the order of two messages but their delays.
 */
#include "cluster.h"

#define LATE_RTTS	8u	/* a reordered message comes up to so much later */
#define HEADER_BYTES	72u	/* on the wire, of ours */
#define SUMMARY_BYTES	24u

static u64 delay(struct sim *s)
{
	u64 ns = s->cfg.rtt_ns / 2 +
		 gvm_sim_exponential(&s->random_net, s->cfg.tail_ns);

	if (gvm_sim_chance(&s->random_net, s->cfg.reorder_ppm))
		ns += s->cfg.rtt_ns * gvm_sim_below(&s->random_net,
						    LATE_RTTS * 64) / 64;
	return ns;
}

static u32 wire_bytes(const struct sim *s, const struct sim_msg *m)
{
	u32 words = m->list_class == SIM_NO_LIST ? 0 : gvm_sim_list_words(m);
	u32 bytes = HEADER_BYTES + words * 8 + (words ? SUMMARY_BYTES : 0);

	if (m->co.flags & GVM_CO_BYTES)
		bytes += GVM_PAGE_BYTES;
	return bytes + s->ops->extra_bytes(s, &m->co);
}

static void work(struct sim *s, struct sim_actor *a)
{
	u64 ns = s->cfg.cpu_ns * a->slow;

	s->clock += ns;
	a->work_ns += ns;
	a->handled++;
}

/* The same message once more. */
static void send_twice(struct sim *s, u32 m)
{
	u32 twin = gvm_sim_msg_new(&s->pool);
	struct sim_msg *to, *from;

	if (twin == SIM_NO_MSG)
		return;
	to = &s->pool.msg[twin];
	from = &s->pool.msg[m];
	*to = *from;
	to->next = SIM_NO_MSG;
	if (from->list_class != SIM_NO_LIST &&
	    !gvm_sim_list_copy(&s->pool, to, from)) {
		to->list_class = SIM_NO_LIST;
		gvm_sim_msg_free(&s->pool, twin);
		return;
	}
	s->r->duplicated++;
	gvm_sim_queue_push(&s->queue, s->clock + delay(s), SIM_DELIVER, twin);
}

void gvm_sim_send(struct sim *s, u32 from, u32 to, u32 m)
{
	struct sim_msg *msg = &s->pool.msg[m];
	const char *what = "to";

	work(s, &s->actor[from]);
	msg->sent = s->clock;
	msg->lives_from = s->actor[from].lives;
	msg->lives_to = s->actor[to].lives;
	s->r->messages++;
	s->r->bytes += wire_bytes(s, msg);
	s->r->by_type[msg->co.type]++;
	if (s->cuts && gvm_sim_is_cut(s, from, to))
		what = "cut off from";
	else if (gvm_sim_chance(&s->random_net, s->cfg.loss_ppm))
		what = "loses what it sends to";
	if (gvm_sim_told(s, msg->co.page))
		gvm_sim_tell_msg(s, what, from, to, msg);
	if (what[0] != 't') {
		s->r->dropped++;
		gvm_sim_msg_free(&s->pool, m);
		return;
	}
	if (gvm_sim_chance(&s->random_net, s->cfg.dup_ppm))
		send_twice(s, m);
	gvm_sim_queue_push(&s->queue, s->clock + delay(s), SIM_DELIVER, m);
}

static void receive(struct sim *s, u32 actor, struct sim_msg *m)
{
	struct sim_actor *a = &s->actor[actor];
	int err;

	work(s, a);
	s->at_hand = m;
	s->out.nr = 0;
	if (!gvm_sim_is_home(s, actor))
		gvm_sim_heard(s, actor, m);
	if (gvm_sim_is_home(s, actor))
		err = s->ops->home_recv(s, actor - s->cfg.nodes, &m->co,
					s->clock);
	else
		err = s->ops->node_recv(s, actor, &m->co, s->clock);
	if (err && err != -EAGAIN && err != -ESTALE)
		gvm_sim_fail(s, m->co.page, "actor %u calls message %u of %u a broken protocol (%d)",
			     actor, m->co.type, m->co.from, err);
	gvm_sim_apply(s, actor, m);
	s->at_hand = NULL;
}

/* An actor that is free turns to a message, or to a fault of its threads. */
static void turn_to(struct sim *s, u32 actor, u32 index)
{
	struct sim_actor *a = &s->actor[actor];
	struct sim_msg m = s->pool.msg[index];

	s->clock = a->busy > s->now ? a->busy : s->now;
	if (m.job) {
		gvm_sim_msg_free(&s->pool, index);
		gvm_sim_fault(s, (u32)m.co.page);
	} else {
		m.co.list = NULL;
		gvm_sim_list_unpack(&s->pool, &m);
		gvm_sim_msg_free(&s->pool, index);
		receive(s, actor, &m);
		gvm_sim_list_wipe(&s->pool, &m);
	}
	a->busy = s->clock;
	gvm_sim_rearm(s, actor);
}

void gvm_sim_hand(struct sim *s, u32 actor, u32 m)
{
	struct sim_actor *a = &s->actor[actor];

	if (a->head == SIM_NO_MSG && a->busy <= s->now) {
		turn_to(s, actor, m);
		return;
	}
	if (a->head == SIM_NO_MSG)
		a->head = m;
	else
		s->pool.msg[a->tail].next = m;
	a->tail = m;
	if (!a->running) {
		a->running = true;
		gvm_sim_queue_push(&s->queue, a->busy, SIM_RUN, actor);
	}
}

void gvm_sim_run_actor(struct sim *s, u32 actor)
{
	struct sim_actor *a = &s->actor[actor];
	u32 m = a->head;

	a->running = false;
	if (m == SIM_NO_MSG)
		return;
	if (a->busy <= s->now) {
		a->head = s->pool.msg[m].next;
		turn_to(s, actor, m);
	}
	if (a->head != SIM_NO_MSG && !a->running) {
		a->running = true;
		gvm_sim_queue_push(&s->queue, a->busy, SIM_RUN, actor);
	}
}

void gvm_sim_deliver(struct sim *s, u32 m)
{
	struct sim_msg *msg = &s->pool.msg[m];
	u32 to = msg->co.to;
	struct sim_actor *a;

	if (to == GVM_NODE_HOME)
		to = s->cfg.nodes + gvm_sim_home_of(s, msg->co.page);
	a = &s->actor[to];
	if (!a->alive || a->lives != msg->lives_to) {
		s->r->dropped++;
		gvm_sim_msg_free(&s->pool, m);
		return;
	}
	gvm_sim_hand(s, to, m);
}

void gvm_sim_tick(struct sim *s, u32 actor)
{
	struct sim_actor *a = &s->actor[actor];

	/* An older event of a timer that was set earlier since. */
	if (s->now != a->timer || !a->alive)
		return;
	a->timer = SIM_NEVER;
	if (s->ops->deadline(s, actor) <= s->now) {
		s->clock = a->busy > s->now ? a->busy : s->now;
		s->out.nr = 0;
		s->ops->tick(s, actor, s->clock);
		gvm_sim_apply(s, actor, NULL);
		a->busy = s->clock;
	}
	gvm_sim_rearm(s, actor);
}

void gvm_sim_rearm(struct sim *s, u32 actor)
{
	struct sim_actor *a = &s->actor[actor];
	u64 at = s->ops->deadline(s, actor);

	if (at == SIM_NEVER || !a->alive)
		return;
	if (at < s->now + SIM_STEP_NS)
		at = s->now + SIM_STEP_NS;
	if (at >= a->timer)
		return;
	a->timer = at;
	gvm_sim_queue_push(&s->queue, at, SIM_TICK, actor);
}

void gvm_sim_forget(struct sim *s, u32 actor)
{
	struct sim_actor *a = &s->actor[actor];

	while (a->head != SIM_NO_MSG) {
		u32 m = a->head;

		a->head = s->pool.msg[m].next;
		gvm_sim_msg_free(&s->pool, m);
	}
}
