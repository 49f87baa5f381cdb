/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who of the nodes has the turn: a turn that is passed on, not one by the clock.
 *
 * Only arithmetic; node 0 has one.  Nodes tell it that their kernels contend;
 * for a while there are turns then, and a node asks for pages only in its own.
 * A turn ends when its node passes it on, or after turn_ns if somebody waits.
 * Who waits is served round robin, so that nobody waits for more than one turn
 * of each other node.
 *
 * Turns are worth their while if nodes would use them for longer than they may.
 * If none does, the nodes wait for each other, as they do while a guest boots:
 * turns end, and are tried again later, less and less often.
 *
 * Messages of one node keep their order.  `on`, `mine` and `want` of a node may
 * be read and set in another thread, atomically: `want` is believed when it is
 * seen, and who still waits sets it again.
 */
#ifndef GVM_QEMU_ARBITER_H
#define GVM_QEMU_ARBITER_H

#include "guest.h"

/* What a node says to the arbiter. */
enum gvm_turn_ask {
	GVM_TURN_CONTEND,	/* my kernel and another's want the same pages */
	GVM_TURN_WANT,		/* a vCPU of mine waits for a page */
	GVM_TURN_PASS,		/* I do not need my turn any more */
	GVM_TURN_ASKS
};

/* And the arbiter to a node. */
enum gvm_turn_word {
	GVM_TURN_ON,		/* there are turns from now on */
	GVM_TURN_OFF,		/* there are none: ask whenever you like */
	GVM_TURN_YOURS,
	GVM_TURN_WANTED,	/* it is yours, and another node waits for it */
	GVM_TURN_OVER,		/* it is not yours any more */
	GVM_TURN_WORDS
};

struct gvm_arbiter {
	u32	nodes_nr;
	u64	turn_ns;	/* longest, while another node waits */
	u64	on_ns;		/* there are turns for so long, or none is tried */
	void	(*tell)(void *arg, u32 node, enum gvm_turn_word word);
	void	*arg;
	/* Zero at first. */
	bool	on;
	bool	taken;		/* by holder */
	u32	holder;
	u64	since_ns;	/* its turn began */
	u64	end_ns;		/* of turns */
	u64	ended_ns;	/* the last ones */
	u64	begin_ns;	/* not before */
	u64	quiet_ns;	/* how long to wait with the next try */
	u64	length_ns;	/* of a turn at present */
	u32	contender;	/* the last one who said so, and 1; 0: nobody yet */
	u64	contended_ns;	/* and when */
	u64	over_ns;	/* the last turn that was too long; or they began */
	bool	worth;		/* there was one */
	u64	waiting;	/* a bit for each node */
};

/* A node's side. */
struct gvm_turn_node {
	bool	on;		/* there are turns */
	bool	mine;		/* and it is ours */
	bool	wanted;		/* and another node waits for it */
	bool	want;		/* somebody here waits: set by whoever knows */
	bool	asked;		/* and the arbiter has been told */
};

void gvm_turn_node_hear(struct gvm_turn_node *n, enum gvm_turn_word word);

/* What is to be said now: an enum gvm_turn_ask, or -1.  needed: our turn is. */
int gvm_turn_node_say(struct gvm_turn_node *n, bool needed);

/* Asks are never wrong, only late: what makes no sense now is ignored. */
void gvm_arbiter_hear(struct gvm_arbiter *a, u32 node, enum gvm_turn_ask ask,
		      u64 now_ns);

/* When to come again at the latest, if nothing is heard; ~0: never. */
u64 gvm_arbiter_tick(struct gvm_arbiter *a, u64 now_ns);

#endif
