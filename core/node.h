/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * One node's side of a shared region: which pages it holds, which it wants,
 * and what an event makes of them.
 *
 * Nothing here sends, sleeps, allocates or reads a clock; memory is handed in
 * at init, and an instance is driven by one thread.  Every call fills an
 * output (coherence.h) that the driver carries out before it makes the next.
 *
 * Bounds: pages held (records), wants under way, buffers of one page each.  A
 * call that would pass one returns -EAGAIN and changes nothing: the driver
 * keeps the fault and tries again after the next CONFIRM or grant.
 */
#ifndef GVM_NODE_H
#define GVM_NODE_H

#include "coherence.h"

#define GVM_FANOUT		8u	/* children of a home or relay */
#define GVM_HOLD_AUTO		(~0ull)	/* hold_ns: twice the measured fetch */
#define GVM_PINS_MAX		2u

struct gvm_node_config {
	u16	id;		/* 0 .. GVM_NODES_MAX - 1 */
	u32	epoch;		/* of the membership, from home */
	u32	pages_max;	/* pages held and wanted at a time (records) */
	u32	wants_max;	/* wants under way, <= 4096 */
	u32	buffers_max;	/* >= wants_max + 1, <= 16384 */
	u32	relays_max;	/* invalidations relayed at a time */
	u64	retry_ns;	/* ask again after so long without an answer */
	u64	hold_ns;	/* a page stays at least so long; GVM_HOLD_AUTO */
	u64	claim_pages;	/* of the region, if pages may be claimed; else 0 */
};

enum gvm_want {
	GVM_WANT_SHARED,
	GVM_WANT_EXCLUSIVE,
};

struct gvm_node_stats {
	u64	faults;		/* calls that led to a want */
	u64	fetched;	/* pages granted with bytes or zero */
	u64	upgrades;	/* exclusive without bytes */
	u64	stale;		/* grants that were overtaken, asked again */
	u64	given;		/* pages given to other nodes */
	u64	served;		/* reads of others answered by referral */
	u64	invalidated;	/* copies dropped for a writer */
	u64	relayed;	/* invalidations passed on */
	u64	put;		/* modified pages evicted */
	u64	dropped;	/* shared pages evicted */
	u64	retries;	/* messages sent again */
	u64	held;		/* demands that had to wait for a hold or pin */
	u64	ignored;	/* messages that meant nothing any more */
	u64	pins_broken;
};

struct gvm_node;	/* opaque; lies at the start of the memory */

/* Bytes that gvm_node_init() needs for this configuration. */
size_t gvm_node_size(const struct gvm_node_config *config);

/*
 * mem: gvm_node_size() bytes, aligned to 8, need not be zero.  It may be saved
 * and restored by copying as a whole: it holds no pointers.  NULL: the
 * configuration is out of bounds.
 */
struct gvm_node *gvm_node_init(void *mem, const struct gvm_node_config *config);

/*
 * Home has given us these pages by gvm_home_claim(): ours, exclusive and zero,
 * without a record until they are touched or recalled.  Below claim_pages.
 */
void gvm_node_claim(struct gvm_node *n, u64 page, u64 pages);
/* Is it one of those, and was neither touched nor recalled yet? */
bool gvm_node_claimed(const struct gvm_node *n, u64 page);
/*
 * Such a page as if it had been touched, so that the caller can map many as
 * zeros, writable, with one call: 0.  -EAGAIN: no room.  -ENOENT: not claimed.
 */
int gvm_node_touch(struct gvm_node *n, u64 page, u64 now_ns);

/*
 * A thread waits for a page.  0; or -EAGAIN: no room now.  A fault that the
 * state already satisfies yields WAKE.
 */
int gvm_node_fault(struct gvm_node *n, u64 page, enum gvm_want want, u64 now_ns,
		   struct gvm_co_out *out);

/* Nobody waits, but a reader will: like a fault, without hold. */
int gvm_node_prefetch(struct gvm_node *n, u64 page, u64 now_ns,
		      struct gvm_co_out *out);

/*
 * A message for this node.  -EPROTO: the sender broke the protocol; nothing
 * was changed.  -EAGAIN: a bound; drop it, it will be sent again.
 */
int gvm_node_recv(struct gvm_node *n, const struct gvm_co_msg *msg, u64 now_ns,
		  struct gvm_co_out *out);

/* Time has come: retries, ended holds, broken pins. */
void gvm_node_tick(struct gvm_node *n, u64 now_ns, struct gvm_co_out *out);

/* When tick must be called at the latest; ~0: not needed. */
u64 gvm_node_deadline(const struct gvm_node *n);

/*
 * Give up a page of this node's own will.  -ENOENT: not held.  -EBUSY: wanted,
 * held or pinned just now.  -EAGAIN: no buffer.
 */
int gvm_node_evict(struct gvm_node *n, u64 page, u64 now_ns,
		   struct gvm_co_out *out);

/*
 * A page worth evicting: of some candidates the one installed longest ago
 * (sampling as in Redis' approximated LRU).  False: nothing can go.
 */
bool gvm_node_victim(struct gvm_node *n, u64 now_ns, u64 *ret_page);

/*
 * Keep a page exclusive until unpin, whatever others demand; PINNED tells when
 * it is.  At most GVM_PINS_MAX, in ascending order of page (-EINVAL), so that
 * two nodes cannot wait for each other.  After deadline_ns others get it all
 * the same and PIN_BROKEN is reported.
 */
int gvm_node_pin(struct gvm_node *n, u64 page, u64 deadline_ns, u64 now_ns,
		 struct gvm_co_out *out);
void gvm_node_unpin(struct gvm_node *n, u64 page, u64 now_ns,
		    struct gvm_co_out *out);

/* Pages held (shared or modified), asked for, and records in use. */
u32 gvm_node_held(const struct gvm_node *n);
u32 gvm_node_wanted(const struct gvm_node *n);
u32 gvm_node_records(const struct gvm_node *n);
u32 gvm_node_buffers_free(const struct gvm_node *n);
/* True when nothing is under way: no want, nothing unconfirmed. */
bool gvm_node_idle(const struct gvm_node *n);

enum gvm_node_right {
	GVM_RIGHT_NONE,
	GVM_RIGHT_READ,
	GVM_RIGHT_WRITE,
};
enum gvm_node_right gvm_node_right(const struct gvm_node *n, u64 page);

/* Position i of the pages held: for sweeps.  False: none there. */
u32 gvm_node_slots(const struct gvm_node *n);
bool gvm_node_slot(const struct gvm_node *n, u32 i, u64 *ret_page,
		   enum gvm_node_right *ret_right, u64 *ret_seq);

/* How often a page was given away and fetched (approximate), most often first. */
#define GVM_HOT_MAX	256u
struct gvm_hot {
	u64	page;
	u32	gives;
	u32	gets;
};
u32 gvm_node_hot(const struct gvm_node *n, struct gvm_hot *ret, u32 max);

const struct gvm_node_stats *gvm_node_stats(const struct gvm_node *n);

/* Everything that must hold inside one instance; gvm_bug() if not. */
void gvm_node_check(const struct gvm_node *n);

#endif
