/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stories: what happens to shared pages, told line by line, on the real core.
 * One home and some nodes; every message waits in the post until a line
 * delivers, copies or loses it, so each race is played exactly as written.
 *
 * A line is what happens, and all that follows from it, in order:
 *
 *	{ "write 1",		"GX:1>H" },
 *	{ "> GX 1>H",		"IV1:H>2#0 GRxz1:H>1!1" },
 *
 * What happens (N: a node; "@P" at the end: page P, else page 0):
 *
 *	read N, write N, fetch N	a thread waits; a prefetch
 *	set N				it stores something new
 *	look N				-> "-", "r" or "w", then its bytes
 *	evict N, pin N T, unpin N	T: for how long
 *	> TYPE a>b			deliver the oldest such message
 *	& TYPE a>b			deliver a copy of it
 *	x TYPE a>b			lose it
 *	wait T				time goes on; nobody is called
 *	tick N, tick H
 *	own N, share N, put N	as write and set, read, evict, with all that is
 *				said delivered at once; says nothing itself
 *	die N, leave N, join N
 *	home				-> what the directory says
 *	post				-> what is under way
 *
 * TYPE is two letters, and a seq if it matters.  A message reads: type, flags
 * (x exclusive, h have, d direct, g gave, b bytes, z zeros, s serve, o open),
 * seq, ":from>to",
 * and where they say something "?requester", "#slot[lo-hi)" (with a list),
 * "!need".
 */
#ifndef GVM_TESTS_STORY_H
#define GVM_TESTS_STORY_H

#include "home.h"
#include "node.h"

#define STORY_NODES	32u
#define STORY_PAGES	80u
#define STORY_RETRY	1000u

struct story_line {
	const char *act;
	const char *then;
};

/* Zero: a default that is in nobody's way. */
struct story_config {
	u32	nodes;		/* 3 */
	u32	stride;		/* ids are multiples of it; 1 */
	u32	sets, txns, waits;	/* of the home */
	u32	wants, buffers, relays;	/* of each node */
	u64	hold_ns, storm_ns;
};

struct story {
	const char *name;
	const struct story_line *lines;
	u32	nr;
	struct story_config config;
};

#define STORY(title, text, ...) \
	{ title, text, sizeof(text) / sizeof(*(text)), { __VA_ARGS__ } }

void story_begin(const char *name, const struct story_config *config);
void story_tell(const struct story_line *lines, u32 nr);
/* One after the other; each must end with nobody waiting. */
void story_tell_all(const struct story *stories, u32 nr);
/* One line made up by a test; returns what followed. */
const char *story_do(const char *act);
/* Deliver everything and let time pass until nobody waits any more. */
void story_settle(void);

struct gvm_home *story_home(void);
struct gvm_node *story_node(u32 n);

#endif
