// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Turns that are passed on, and a node that takes part.
 *
 * Short turns first, for who only looks busy; each that was too short for its node
 * makes the next ones longer.
 */
#include "arbiter.h"

static_assert(GVM_GUEST_NODES_MAX <= 64, "a bit for each");

#define TOGETHER_NS	60000000ull	/* who contends says so every 20 ms */
#define QUIET_MOST	2u		/* times on_ns */

static void tell_all(struct gvm_arbiter *a, enum gvm_turn_word word)
{
	for (u32 i = 0; i < a->nodes_nr; i++)
		a->tell(a->arg, i, word);
}

static void give(struct gvm_arbiter *a, u32 node, u64 now_ns)
{
	a->taken = true;
	a->holder = node;
	a->since_ns = now_ns;
	a->waiting &= ~(1ull << node);
	a->tell(a->arg, node, GVM_TURN_YOURS);
	if (a->waiting)
		a->tell(a->arg, node, GVM_TURN_WANTED);
}

/* The next one that waits, after the one whose turn it was. */
static void pass(struct gvm_arbiter *a, u64 now_ns)
{
	a->taken = false;
	for (u32 i = 1; a->waiting && !a->taken; i++) {
		u32 node = (a->holder + i) % a->nodes_nr;

		if (a->waiting & 1ull << node)
			give(a, node, now_ns);
	}
}

static void want(struct gvm_arbiter *a, u32 node, u64 now_ns)
{
	const bool first = !a->waiting;

	if (!a->taken) {
		give(a, node, now_ns);
		return;
	}
	/*
	 * It asked before it heard that the turn is its own.  To say so again would
	 * be wrong if it passes that on at once: it would hear it afterwards.
	 */
	if (a->holder == node)
		return;
	a->waiting |= 1ull << node;
	if (first)
		a->tell(a->arg, a->holder, GVM_TURN_WANTED);
}

/* Two nodes at the same time, or there is nobody to contend with. */
static bool contend(struct gvm_arbiter *a, u32 node, u64 now_ns)
{
	const bool both = a->contender != node + 1 && a->contender &&
			  now_ns - a->contended_ns < TOGETHER_NS;

	/* After a calm it is something else that contends. */
	if (now_ns - a->contended_ns > a->on_ns / 2)
		a->begin_ns = a->quiet_ns = 0;
	a->contender = node + 1;
	a->contended_ns = now_ns;
	return both && !a->on && now_ns >= a->begin_ns;
}

static void begin(struct gvm_arbiter *a, u32 node, u64 now_ns)
{
	/* They were only tested for being worth their while. */
	if (!a->worth || now_ns - a->ended_ns > a->on_ns)
		a->length_ns = a->turn_ns / 8;
	a->on = true;
	a->worth = false;
	a->over_ns = now_ns;
	a->end_ns = now_ns + a->on_ns;
	tell_all(a, GVM_TURN_ON);
	give(a, node, now_ns);
}

static void end(struct gvm_arbiter *a, u64 now_ns)
{
	a->on = a->taken = false;
	a->waiting = 0;
	a->ended_ns = now_ns;
	if (a->worth || !a->quiet_ns)
		a->quiet_ns = a->on_ns;
	a->begin_ns = a->worth ? now_ns : now_ns + a->quiet_ns;
	if (!a->worth && a->quiet_ns < QUIET_MOST * a->on_ns)
		a->quiet_ns *= 2;
	tell_all(a, GVM_TURN_OFF);
}

void gvm_arbiter_hear(struct gvm_arbiter *a, u32 node, enum gvm_turn_ask ask,
		      u64 now_ns)
{
	if (ask == GVM_TURN_CONTEND && contend(a, node, now_ns))
		begin(a, node, now_ns);
	else if (ask == GVM_TURN_WANT && a->on)
		want(a, node, now_ns);
	else if (ask == GVM_TURN_PASS && a->on && a->taken &&
		 a->holder == node)
		pass(a, now_ns);
}

static u64 end_of_turns(const struct gvm_arbiter *a)
{
	const u64 trial_ns = a->over_ns + 4 * a->length_ns;

	return trial_ns < a->end_ns ? trial_ns : a->end_ns;
}

u64 gvm_arbiter_tick(struct gvm_arbiter *a, u64 now_ns)
{
	if (a->on && now_ns >= end_of_turns(a))
		end(a, now_ns);
	if (!a->on)
		return ~0ull;
	if (a->waiting && now_ns >= a->since_ns + a->length_ns) {
		a->worth = true;
		a->over_ns = now_ns;
		a->length_ns = a->length_ns * 2 < a->turn_ns ?
			       a->length_ns * 2 : a->turn_ns;
		a->tell(a->arg, a->holder, GVM_TURN_OVER);
		pass(a, now_ns);
	}
	if (a->waiting && a->since_ns + a->length_ns < end_of_turns(a))
		return a->since_ns + a->length_ns;
	return end_of_turns(a);
}

static void put(bool *flag, bool value)
{
	__atomic_store_n(flag, value, __ATOMIC_RELAXED);
}

void gvm_turn_node_hear(struct gvm_turn_node *n, enum gvm_turn_word word)
{
	switch (word) {
	case GVM_TURN_ON:
		put(&n->on, true);
		return;
	case GVM_TURN_OFF:
	case GVM_TURN_YOURS:
		put(&n->on, word == GVM_TURN_YOURS);
		put(&n->mine, n->on);
		put(&n->want, false);
		n->asked = n->wanted = false;
		return;
	case GVM_TURN_WANTED:
		n->wanted = true;
		return;
	case GVM_TURN_OVER:
		put(&n->mine, false);
		return;
	case GVM_TURN_WORDS:
		return;
	}
}

int gvm_turn_node_say(struct gvm_turn_node *n, bool needed)
{
	if (n->mine && n->wanted && !needed) {
		put(&n->mine, false);
		return GVM_TURN_PASS;
	}
	if (n->on && !n->mine && !n->asked &&
	    __atomic_load_n(&n->want, __ATOMIC_RELAXED)) {
		n->asked = true;
		return GVM_TURN_WANT;
	}
	return -1;
}
