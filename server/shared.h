/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A shared region at this server: its part of the pages in the store, the
 * directory of them (core/home.c), and the nodes that are members.
 *
 * Whichever worker receives a message drives the directory, under the region's
 * lock, and sends what it says to other members' connections (session->send).
 * Nothing waits for the network; the only wait under the lock is for frames
 * that another thread is about to free.  What is sent to a node that does not
 * read is dropped beyond a bound: the protocol sends it again.
 *
 * Room.  A page that a node may write must find room here when it comes back,
 * so its frame is taken when the right to write it is first asked for.  No room
 * then is an ERROR (FULL) to that node; a STORE never fails for want of room.
 * Of a region that a node has claimed, it is taken when a page first comes home.
 *
 * The region dies with the server: who owned which page is nowhere else.  In a
 * file store its record stays GVM_REGION_GOING, so that a restart drops it.
 *
 * Lock order: shareds -> leases; shareds -> shared -> store's region -> frames;
 * shared -> a worker's.
 */
#ifndef GVM_SERVER_SHARED_H
#define GVM_SERVER_SHARED_H

#include "core/home.h"
#include "core/slices.h"
#include "core/wire.h"
#include "session.h"

/* A node's membership.  Under the region's lock, but heard_ns. */
struct gvm_seat {
	u64	heard_ns;	/* atomic */
	struct gvm_session *session;	/* NULL: not connected just now */
	u32	epoch;
	u16	node;
	u8	identity[16];
	char	address[GVM_ADDRESS_MAX];
};

struct gvm_shared {
	struct gvm_shared *next;	/* shareds->lock */
	bool	listed;			/* shareds->lock */
	struct gvm_service *service;

	/* Never change. */
	char	name[GVM_SHARED_NAME_MAX];
	u8	id[16];
	u8	cluster[16];
	u64	bytes;
	struct gvm_slices slices;
	u16	server;
	u32	lease_ms;
	u32	handle;
	struct gvm_region *region;	/* by dense page; not when gone */
	size_t	home_bytes;

	u32	users;		/* atomic: the list, sessions, who looks at it */

	pthread_mutex_t	lock;	/* below */
	struct gvm_home	*home;
	struct gvm_seat *seats[GVM_NODES_MAX];
	u32	seats_nr;
	u32	claim_epoch;	/* membership that has claimed; 0: none */
	bool	gone;		/* removed: nothing is good any more */
	bool	broken;		/* the store failed: nothing can be trusted */
	u64	messages_in;
	u64	messages_out;
	u64	dropped;	/* atomic: not sent for want of room */
	struct gvm_co_out out;
};

/* What must agree when somebody makes or joins a region. */
struct gvm_shared_want {
	const char *name;
	const u8 *region;	/* zeros: not known */
	const u8 *cluster;	/* zeros: there is none */
	u64	bytes;		/* 0: as it is */
	u64	slice_bytes;	/* 0: the default */
	u32	lease_ms;
	u16	server;
	u16	servers;
};

/* shared.c.  One user more, or NULL. */
struct gvm_shared *gvm_shared_find(struct gvm_shareds *x, const char *name);
/*
 * Find or, if make, make.  One user more; NULL: refused.  *ret_made (may be
 * NULL): it was not there before.
 */
struct gvm_shared *gvm_shared_get(struct gvm_shareds *x,
				  const struct gvm_shared_want *want, bool make,
				  bool *ret_made, struct gvm_refusal *ret);
void gvm_shared_put(struct gvm_shared *r);
/* Nobody finds it any more, its members are fenced, its pages freed. */
void gvm_shared_remove(struct gvm_shareds *x, struct gvm_shared *r);
/* The keeper should look at the regions soon. */
void gvm_shareds_wake(struct gvm_shareds *x);
bool gvm_is_zeros(const u8 *bytes, u32 nr);

/* member.c.  All with r->lock held. */
/* why: GVM_MEMBER_DIED, GVM_MEMBER_LEFT. */
void gvm_member_end(struct gvm_shared *r, struct gvm_seat *seat, u16 why);
/* End all, telling nobody: the region goes. */
void gvm_members_drop(struct gvm_shared *r);
/* Those not heard within the lease.  Returns when to look again. */
u64 gvm_members_expire(struct gvm_shared *r, u64 now_ns);
/* The server did not run for a while: their messages are still to be read. */
void gvm_members_excuse(struct gvm_shared *r, u64 now_ns);

/* home.c.  With r->lock held. */
/* Up to nr ticks of the directory, if it wants any.  True: it wants more. */
bool gvm_home_run(struct gvm_shared *r, u64 now_ns, u32 nr);
/* Head is one message; frame as in session->send. */
/* later: see gvm_session.send. */
void gvm_member_send(struct gvm_shared *r, u16 node, const void *head,
		     u32 bytes, u32 frame, bool later);

#endif
