/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A node of a shared region that says just what a test makes it say, over a
 * real connection to a server.  Calls return 0 or what client.h says.
 */
#ifndef GVM_TESTS_HOME_NODE_H
#define GVM_TESTS_HOME_NODE_H

#include "client.h"
#include "core/coherence.h"
#include "core/sharers.h"
#include "core/slices.h"

struct node {
	struct client	c;
	struct gvm_join	join;		/* what it says of itself */
	struct gvm_joined joined;
	u32		wants;
	/* The last message, and its page. */
	struct gvm_co_msg msg;
	struct gvm_sharers list;
	const u8	*body;
};

/* Not connected yet: node id of region name, bytes large, on one server. */
void node_init(struct node *n, u16 id, const char *name, u64 bytes);
/* Connect and JOIN. */
int node_enter(struct node *n, u16 port);
int node_leave(struct node *n);

/* A new txn of this node. */
u64 node_txn(struct node *n);
/* Fills in sender, receiver and epoch.  body: with a page. */
void node_send(struct node *n, struct gvm_co_msg msg, const void *body);
/* A request, with HAVE or without; its txn. */
u64 node_get(struct node *n, u16 type, u64 page, u16 flags);
/* The next message, news of members aside; CHECKs its type, page (if not ~0), and CRC. */
void node_next(struct node *n, u16 type, u64 page);
/* As above, but an ERROR with this code. */
void node_refused(struct node *n, u32 code);
/* Write a page that nobody else has: ask, be granted, say DONE; its seq. */
u64 node_take(struct node *n, u64 page);
/* Bring back what was taken: PUT and CONFIRM. */
void node_put(struct node *n, u64 page, u64 seq, const void *body);

#endif
