/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One page in one small world: the program's threads, the driver, a network
 * that delays, reorders and repeats, and a home.  Everything that can happen
 * next is one move; the explorer makes them all.
 *
 * Content is a version number, 0 is zeros.  `truth` is what a reader must see.
 */
#ifndef GVM_TESTS_MODEL_H
#define GVM_TESTS_MODEL_H

#include "page.h"

#define NET_MAX		7u

enum pte { PTE_NONE, PTE_READ, PTE_WRITE };
enum op { OP_NONE, OP_READ, OP_WRITE, OP_TRIM };
enum kind { K_READ, K_WRITE, K_TRIM, K_DATA, K_WRITTEN, K_TRIMMED, K_REFUSED };

/* A message on its way.  live: its request has not been answered yet. */
struct note {
	u8	kind;
	u8	live;
	u8	version;
};

struct model {
	u8	state;		/* enum gvm_page_state */
	u8	pte;
	u8	local;		/* version mapped or in the slot */
	u8	truth;
	u8	home;
	u8	slot;		/* 1: staging slot taken */
	u8	queued;
	u8	waiting;	/* 1: a reader sleeps, 2: a writer */
	u8	pending;	/* OP_WRITE or OP_TRIM that is unanswered */
	u8	sent;		/* version of the pending WRITE */
	u8	reading;	/* a READ is unanswered */
	u8	writes;		/* what was used up of the limits below */
	u8	discards;
	u8	sessions;
	u8	repeats;
	u8	refusals;
	u8	net_nr;
	struct note net[NET_MAX];	/* sorted: order does not matter */
};

struct limits {
	u8	writes;
	u8	discards;
	u8	sessions;
	u8	repeats;
	u8	refusals;
};

/* Ways to break the rules, so that the explorer is seen to notice. */
enum sabotage {
	SABOTAGE_NONE,
	SABOTAGE_LATE_REPEAT,	/* an answered WRITE is carried out again */
	SABOTAGE_STALE_DATA,	/* DATA of a cancelled READ is fed */
	SABOTAGE_NO_TRIM,	/* ZERO_WB: the answer to a WRITE is fed */
	SABOTAGE_FORGET_WRITE,	/* new session: WRITING counts as answered */
	SABOTAGE_TABLE,		/* one cell of the table is replaced */
	SABOTAGE_NR
};

struct world {
	struct limits	limits;
	enum sabotage	sabotage;
	u8		cell_state;	/* SABOTAGE_TABLE */
	u8		cell_event;
	u8		cell_next;
	u16		cell_actions;
};

/*
 * Make move number n of a model.  1: *m is the state after it.  0: not
 * possible now.  -1: a rule is broken, *why says which.
 */
int model_move(const struct world *w, struct model *m, u32 n,
	       const char **why);

/* Moves from here on are not the program's: what must happen by itself. */
extern const u32 model_moves_nr;
bool model_move_is_program(u32 n);
const char *model_move_name(u32 n);

/* Everything has come to rest and home holds the truth. */
bool model_quiet(const struct model *m);

#endif
