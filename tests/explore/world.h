/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small world that can be saved and restored: one home, a few nodes, the
 * letters under way, and what a page holds where.  It runs the real core; what
 * is made up is time: see world_forget_time().
 *
 * A page's content is the number of the write that made it.  The oracle knows
 * only that, and what the effects have mapped.
 */
#ifndef GVM_EXPLORE_WORLD_H
#define GVM_EXPLORE_WORLD_H

#include "home-inside.h"
#include "node-inside.h"

#define NODES_MAX	12u
#define PAGES_MAX	2u
#define BUFFERS		6u
#define LETTERS_MAX	64u
#define QUIET_MAX	8u	/* rounds of asking again that must suffice */

struct config {
	const char *name;
	const char *prefix;	/* what has happened before: "r0a w1b", in peace */
	const char *may;	/* operations to explore: "r", "w", "e" */
	u32	nodes;
	u32	pages;
	u32	active;		/* nodes that fault; 0: all */
	u32	ops;
	u32	losses;
	u32	dups;
	u32	retries;	/* impatient ones: while letters are under way */
	u32	crashes;
	u32	joins;
	u32	leaves;		/* nodes that go in peace */
	u32	fanout;
	bool	storm;		/* every read is referred to a sharer */
	bool	hold;		/* pages stay a while */
	bool	coarse;		/* no room for sets of sharers */
	bool	claim;		/* node 0 claims everything at first */
	bool	late;		/* home always finds a busy page late */
	bool	apart;		/* nodes 0 and 1 do not reach each other */
	bool	quick;		/* belongs to the short run */
};

enum {
	WAIT_READ = 1,
	WAIT_WRITE = 2,
};

struct letter {
	struct gvm_co_msg msg;	/* list is NULL: see members */
	u64	members;
	u32	value;
	u32	pad;
};

/* All of it but the core's memory. */
struct world {
	u32	value[NODES_MAX][PAGES_MAX];
	u8	right[NODES_MAX][PAGES_MAX];	/* as mapped by the effects */
	u8	waits[NODES_MAX][PAGES_MAX];
	u8	wanted[NODES_MAX][PAGES_MAX];	/* ever */
	u8	alive[NODES_MAX];
	u8	suspect[PAGES_MAX];	/* a dead node may have had it */
	u32	buffer[NODES_MAX][BUFFERS];
	u32	store[PAGES_MAX];
	u32	latest[PAGES_MAX];
	u8	ops, losses, dups, retries, crashes, joins, leaves;
	u8	quiet;
	u8	nr;
	struct letter net[LETTERS_MAX];
};

extern struct world w;
extern const struct config *cfg;
extern bool verbose;

/* Report and stop; the explorer prints the story. */
void fail(const char *what, ...)
	__attribute__((noreturn, format(printf, 1, 2)));

void world_start(const struct config *config);
/* Bytes that save() writes at most. */
size_t world_size(void);
size_t world_save(void *to);
void world_restore(const void *from);
u64 world_hash(void);

void world_deliver(u32 i, bool stays);
void world_lose(u32 i);
/* False: it makes no sense in this state. */
bool world_fault(u32 node, u32 page, bool write);
bool world_evict(u32 node, u32 page);
void world_node_tick(u32 node);
void world_demands(u32 node);
void world_home_tick(bool late);
bool world_home_due(void);
bool world_has_demand(u32 node);
/* It has something that it could send again. */
bool world_restless(u32 node);
void world_crash(u32 node);
void world_declare(u32 node);
bool world_join(u32 node);
/* False: it has something yet. */
bool world_leave(u32 node);
/* Everybody asks again. */
void world_quiet(void);

bool world_member(u32 node);
/* Somebody waits, or has something unconfirmed. */
bool world_pending(void);
/* What must hold whenever a step is over. */
void world_judge(void);
/* Nothing goes on any more: can everybody still have every page? */
void world_probe(void);

#endif
