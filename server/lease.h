/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who holds which region.  A region belongs to whoever knows its token; a
 * session is a set of connections with one epoch.
 *
 * Cutting an old session.  Requests of a connection are carried out by its
 * worker thread, and another worker may start a new session of the same region
 * at any moment.  What decides is the region's epoch: it is raised with the
 * region's lock held for writing, and every request compares its own epoch
 * under that same lock, in the same critical section in which it reads or
 * publishes.  So when ATTACHED is sent, each older request is either carried
 * out completely or will be refused; no message needs to reach the other
 * worker first.  Shutting the old sockets down comes after, and is only
 * courtesy: it tells the old client early.
 *
 * Lock order: leases -> region -> frames.
 */
#ifndef GVM_SERVER_LEASE_H
#define GVM_SERVER_LEASE_H

#include "core/wire.h"
#include "store.h"

#define GVM_LEASE_BUCKETS	4096u

/* A refusal, as it goes into ERROR. */
struct gvm_refusal {
	u32	code;		/* enum gvm_wire_error */
	char	text[GVM_ERROR_TEXT_MAX];
};

struct gvm_leases {
	struct gvm_store *store;
	u32	lease_ms;
	/* Called, with the lock held, when gvm_leases_reap() has work. */
	void	(*wake)(void *arg);
	void	*wake_arg;

	pthread_mutex_t	lock;	/* below, and the upper part of regions */
	struct gvm_region *buckets[GVM_LEASE_BUCKETS];
	struct gvm_region *reap; /* dropped, their pages still to be freed */
	u32	nr;
	u32	slots_nr;	/* free ones, a stack */
	u16	slots[GVM_REGIONS_MAX];
};

/* Opens the regions that a file store holds; their leases run from now. */
int gvm_leases_init(struct gvm_leases *l, struct gvm_store *store, bool fresh,
		    const char *path, u32 lease_ms, char *why, size_t why_len);
/* No session is left. */
void gvm_leases_exit(struct gvm_leases *l);

/* Enter.  False: refused, with the reason, and nothing was changed. */
bool gvm_lease_attach(struct gvm_leases *l, struct gvm_session *session,
		      const struct gvm_attach *attach, u32 epoch,
		      struct gvm_refusal *ret);
/* Leave, and if drop, forget the region. */
void gvm_lease_leave(struct gvm_leases *l, struct gvm_session *session,
		     bool drop);
bool gvm_lease_clone(struct gvm_leases *l, struct gvm_session *session,
		     const struct gvm_clone *clone, struct gvm_refusal *ret);

/*
 * A region of the store that no session can attach to, for a shared one; its
 * epoch is 1, and a restart drops it.  NULL: refused.
 */
struct gvm_region *gvm_lease_reserve(struct gvm_leases *l, const u8 id[16],
				     const char *name, struct gvm_refusal *ret);
void gvm_lease_release(struct gvm_leases *l, struct gvm_region *r);

/* Drop what nobody came back for.  Returns ms until the next one, or -1. */
int gvm_leases_expire(struct gvm_leases *l);
/* Free the pages of one dropped region.  False: there was none. */
bool gvm_leases_reap(struct gvm_leases *l);

u32 gvm_leases_count(struct gvm_leases *l);

void gvm_refuse(struct gvm_refusal *ret, u32 code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
