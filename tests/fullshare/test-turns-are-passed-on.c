// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Nodes that contend take turns that they pass on.  Whatever is late and whoever
 * has no use for his turn: the arbiter gives it to one node at a time, who waits
 * has it after at most one turn of each other node, and when turns are over all
 * nodes know.  If not, a vCPU would stand still until its node loses patience, and
 * nobody would see why the guest is slow.
 */
#include <stdio.h>
#include <string.h>

#include "../check.h"
#include "arbiter.h"

#define TURN		1000u
#define ON		50000u
#define DELAY		40u		/* of a message, at most */
#define ROUNDS		150000u
#define QUEUE		256u

struct queue {
	struct { u64 at; int what; } item[QUEUE];
	u32 head, tail;
	u64 last;
};

static struct gvm_arbiter arbiter;
static struct gvm_turn_node node[GVM_GUEST_NODES_MAX];
static struct queue down[GVM_GUEST_NODES_MAX], up[GVM_GUEST_NODES_MAX];
static u64 wants_since[GVM_GUEST_NODES_MAX];
static u64 now, seed, yours;
static u32 nodes_nr;
static int believes;		/* whom the arbiter has last given it */
static bool calm;		/* nobody contends any more */

static u32 chance(u32 n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)(seed >> 33) % n;
}

static void put(struct queue *q, int what)
{
	u64 at = now + chance(DELAY);

	CHECK(q->tail - q->head < QUEUE);
	q->last = at > q->last ? at : q->last;
	q->item[q->tail % QUEUE].at = q->last;
	q->item[q->tail++ % QUEUE].what = what;
}

static int get(struct queue *q)
{
	if (q->head == q->tail || q->item[q->head % QUEUE].at > now)
		return -1;
	return q->item[q->head++ % QUEUE].what;
}

static void tell(void *arg, u32 to, enum gvm_turn_word word)
{
	(void)arg;
	CHECK(to < nodes_nr);
	if (word == GVM_TURN_YOURS) {
		CHECK(believes < 0 || believes == (int)to);
		believes = (int)to;
		yours++;
	} else if (word == GVM_TURN_OVER) {
		CHECK(believes == (int)to);
		believes = -1;
	} else if (word == GVM_TURN_OFF) {
		believes = -1;
	}
	put(&down[to], (int)word);
}

static void hear_asks(u32 i)
{
	int what;

	while ((what = get(&up[i])) >= 0) {
		if (calm && what == GVM_TURN_CONTEND)
			continue;
		if (what == GVM_TURN_PASS && believes == (int)i)
			believes = -1;
		gvm_arbiter_hear(&arbiter, i, (enum gvm_turn_ask)what, now);
	}
}

/* busy: of a hundred, how often a node needs its turn when it looks. */
static void live(u32 i, u32 busy, u32 eager)
{
	struct gvm_turn_node *n = &node[i];
	int what;

	while ((what = get(&down[i])) >= 0) {
		gvm_turn_node_hear(n, (enum gvm_turn_word)what);
		/* Turns that begin again at once have another queue. */
		if (!n->on || n->mine)
			wants_since[i] = 0;
	}
	if (!n->on || n->mine)
		wants_since[i] = 0;
	else if (!wants_since[i] && chance(1000) < eager)
		wants_since[i] = now;
	/* Who waits looks again and again. */
	if (wants_since[i])
		n->want = true;
	if (!n->on && chance(10000) < 50)
		put(&up[i], GVM_TURN_CONTEND);
	what = gvm_turn_node_say(n, chance(100) < busy);
	if (what >= 0)
		put(&up[i], what);
	/* Nothing is on its way: both sides think the same. */
	if (down[i].head == down[i].tail && up[i].head == up[i].tail)
		CHECK(n->mine == (believes == (int)i));
	CHECK(!arbiter.taken || !(arbiter.waiting & 1ull << arbiter.holder));
	CHECK(!wants_since[i] ||
	      now - wants_since[i] <= (nodes_nr - 1) * (TURN + 2 * DELAY) +
				      4 * DELAY);
}

static void try(u32 nodes, u32 busy, u32 eager)
{
	u64 wake = 0, had = 0, taken[GVM_GUEST_NODES_MAX] = { 0 };

	memset(node, 0, sizeof(node));
	memset(down, 0, sizeof(down));
	memset(up, 0, sizeof(up));
	memset(wants_since, 0, sizeof(wants_since));
	nodes_nr = nodes;
	believes = -1;
	yours = 0;
	calm = false;
	now = 1;
	arbiter = (struct gvm_arbiter){
		.nodes_nr = nodes, .turn_ns = TURN, .on_ns = ON, .tell = tell,
	};
	for (u32 round = 0; round < ROUNDS; round++, now++) {
		bool heard = false;

		for (u32 i = 0; i < nodes; i++) {
			heard |= up[i].head != up[i].tail;
			hear_asks(i);
			live(i, busy, eager);
			taken[i] += node[i].mine;
		}
		/* Asleep until then, but for messages. */
		if (heard || now >= wake)
			wake = gvm_arbiter_tick(&arbiter, now);
		CHECK(wake > now);
	}
	for (u32 i = 0; i < nodes; i++)
		had += taken[i];
	CHECK(yours && had);
	/* Where turns are worth their while; of many nodes not all get so far. */
	for (u32 i = 0; i < nodes && nodes <= 8 && busy == 100; i++)
		CHECK(taken[i]);
	/* An end, and everybody knows. */
	calm = true;
	for (u64 end = now + ON + 2 * DELAY; now < end; now++) {
		for (u32 i = 0; i < nodes; i++) {
			hear_asks(i);
			live(i, busy, eager);
		}
		gvm_arbiter_tick(&arbiter, now);
	}
	for (u32 i = 0; i < nodes; i++)
		CHECK(!node[i].on && !node[i].mine);
	CHECK(gvm_arbiter_tick(&arbiter, now) == ~0ull);
}

static u32 said[GVM_TURN_WORDS];

static void note(void *arg, u32 to, enum gvm_turn_word word)
{
	(void)arg;
	said[word] += to == 0;
}

/* Node 0 has its turn until it is told otherwise, and node 1 wants it. */
static u64 turn_of_0(u64 at)
{
	const u64 since = at;

	memset(said, 0, sizeof(said));
	gvm_arbiter_hear(&arbiter, 1, GVM_TURN_WANT, at);
	CHECK(said[GVM_TURN_WANTED] == 1);
	for (; !said[GVM_TURN_OVER]; at++) {
		CHECK(!said[GVM_TURN_OFF]);
		gvm_arbiter_tick(&arbiter, at);
	}
	return at - 1 - since;
}

/* Both contend, and node 0 has the first turn. */
static void both(u64 at)
{
	gvm_arbiter_hear(&arbiter, 1, GVM_TURN_CONTEND, at);
	gvm_arbiter_hear(&arbiter, 0, GVM_TURN_CONTEND, at);
	if (arbiter.on && arbiter.holder == 1) {
		gvm_arbiter_hear(&arbiter, 0, GVM_TURN_WANT, at);
		gvm_arbiter_hear(&arbiter, 1, GVM_TURN_PASS, at);
	}
}

/* When there are turns, and how long they are. */
static void rules(void)
{
	u64 at = ON;

	arbiter = (struct gvm_arbiter){
		.nodes_nr = 2, .turn_ns = TURN, .on_ns = ON, .tell = note,
	};
	/* One node alone has nobody to contend with. */
	for (u32 i = 0; i < 100; i++)
		gvm_arbiter_hear(&arbiter, 1, GVM_TURN_CONTEND, at++);
	CHECK(!arbiter.on && gvm_arbiter_tick(&arbiter, at) == ~0ull);
	gvm_arbiter_hear(&arbiter, 0, GVM_TURN_CONTEND, at);
	CHECK(arbiter.on && said[GVM_TURN_ON] == 1 && said[GVM_TURN_YOURS] == 1);

	/* Longer and longer, while they end only because time is over. */
	for (u64 length = TURN / 8; length <= 2 * TURN; length *= 2) {
		CHECK(turn_of_0(at) == (length < TURN ? length : TURN));
		at = arbiter.over_ns;
		gvm_arbiter_hear(&arbiter, 0, GVM_TURN_WANT, at);
		gvm_arbiter_hear(&arbiter, 1, GVM_TURN_PASS, at);
	}
	/* Nobody waits: not for long, and at once if they contend again. */
	memset(said, 0, sizeof(said));
	for (u64 last = at; !said[GVM_TURN_OFF]; at++) {
		CHECK(at <= last + 4 * TURN);
		gvm_arbiter_tick(&arbiter, at);
	}
	both(at);
	CHECK(arbiter.on && turn_of_0(at) == TURN);

	/* Always in use: an end comes all the same. */
	for (at = arbiter.over_ns; at < arbiter.end_ns; at++) {
		CHECK(arbiter.on);
		gvm_arbiter_hear(&arbiter, 0, GVM_TURN_WANT, at);
		gvm_arbiter_hear(&arbiter, 1, GVM_TURN_WANT, at);
		gvm_arbiter_tick(&arbiter, at);
	}
	gvm_arbiter_tick(&arbiter, at);
	CHECK(!arbiter.on);

	/* Passed on each time: not worth it, and tried again less and less often. */
	both(at);
	for (u64 quiet = ON; quiet <= 8 * ON; quiet *= 2) {
		u64 last = at;

		CHECK(arbiter.on);
		for (; arbiter.on; at++) {
			CHECK(at <= last + 4 * TURN);
			gvm_arbiter_hear(&arbiter, arbiter.holder,
					 GVM_TURN_PASS, at);
			gvm_arbiter_hear(&arbiter, at % 2, GVM_TURN_WANT, at);
			gvm_arbiter_tick(&arbiter, at);
		}
		last = at - 1;
		for (; at < last + (quiet < 2 * ON ? quiet : 2 * ON); at++) {
			gvm_arbiter_hear(&arbiter, at % 2, GVM_TURN_CONTEND, at);
			CHECK(!arbiter.on);
		}
		gvm_arbiter_hear(&arbiter, at % 2, GVM_TURN_CONTEND, at);
	}
	while (arbiter.on)
		gvm_arbiter_tick(&arbiter, at++);
	/* After a calm they are tried at once. */
	at += ON;
	both(at);
	/* And short ones again. */
	CHECK(arbiter.on && arbiter.length_ns == TURN / 8);
}

int main(void)
{
	static const u32 sizes[] = { 2, 3, 4, 8, 64 };

	rules();
	for (u32 s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
		for (u32 busy = 0; busy <= 100; busy += 50)
			for (u32 eager = 10; eager <= 1000; eager += 330) {
				seed = s * 1000 + busy + eager;
				try(sizes[s], busy, eager);
			}
	return 0;
}
