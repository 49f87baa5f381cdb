/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The shared regions of a server, as others see them; shared.h is the inside. */
#ifndef GVM_SERVER_SHAREDS_H
#define GVM_SERVER_SHAREDS_H

#include "core/limits.h"
#include "lease.h"

#define GVM_SHAREDS_MAX	1024u

struct gvm_service;
struct gvm_shared;

struct gvm_shareds {
	struct gvm_service *service;
	u32	lease_ms;	/* of nodes, unless a region says otherwise */
	u64	looked_ns;	/* the keeper's: when leases were looked at */
	u64	planned_ns;	/* and when that was meant to happen */
	bool	due;		/* atomic: the keeper has been told */

	pthread_mutex_t	lock;	/* below; taken before a region's */
	struct gvm_shared *first;
	u32	nr;
};

void gvm_shareds_init(struct gvm_shareds *x, struct gvm_service *service,
		      u32 lease_ms);
/* No session is left. */
void gvm_shareds_exit(struct gvm_shareds *x);
u32 gvm_shareds_count(struct gvm_shareds *x);

/*
 * The keeper's: end the leases of nodes that are silent, and go on with what a
 * message left to be done.  Returns ms until it wants to be called again, or
 * -1.
 */
int gvm_shareds_tick(struct gvm_shareds *x);

u32 gvm_shared_handle(const struct gvm_shared *r);
/* The connection is gone: its node may come back within its lease. */
void gvm_member_part(struct gvm_session *s);
/* A message to it was not sent, for want of room. */
void gvm_member_dropped(struct gvm_session *s);
/* The node has been heard: its lease begins anew. */
void gvm_member_heard(struct gvm_session *s);

#endif
