/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * A home: the directory of the pages of a shared region that one server keeps,
 * and the order in which nodes get them.
 *
 * Like node.h: nothing here sends, sleeps, allocates or reads a clock.  The
 * home's driver owns the store; STORE and BYTES_STORE refer to it.
 *
 * Pages are numbered as in the region; the home has [page0, page0 + pages).
 *
 * Memory: 16 bytes a page, which the driver may hand in as untouched zero
 * pages, so that what no node has used costs nothing; 1,304 bytes for a page
 * with more than four sharers, from a slab; when the slab is empty, 56 bits
 * that each stand for 183 nodes.
 */
#ifndef GVM_HOME_H
#define GVM_HOME_H

#include "coherence.h"
#include "sharers.h"

struct gvm_home_config {
	u64	page0;
	u64	pages;		/* <= 2^36 */
	u32	nodes_max;	/* ids below this, <= GVM_NODES_MAX */
	u32	txns_max;	/* transactions under way, <= 65535 */
	u32	waits_max;	/* requests queued behind them, <= 65535 */
	u32	sets_max;	/* pages with more than 4 sharers at a time */
	u32	fanout;		/* 2..8; 0: 8 */
	u64	retry_ns;	/* drive a transaction again after so long */
	u64	storm_ns;	/* window of the referral; 0: never refer */
	u32	epoch0;		/* epochs of members are larger than this */
	u32	patience;	/* drives in vain, then home carries what one
				 * node has for another; 0: 2, at most 15 */
};

struct gvm_home_stats {
	u64	reads;		/* GET_SHARED carried out */
	u64	writes;		/* GET_EXCLUSIVE carried out */
	u64	recalls;	/* of them, through an owner */
	u64	invalidations;	/* nodes told to drop a copy */
	u64	referred;
	u64	queued;		/* requests that waited for another */
	u64	refused;	/* for lack of room: will be sent again */
	u64	driven;		/* transactions driven again */
	u64	coarse;		/* sharers that became a coarse vector */
	u64	puts;
	u64	lost;		/* pages whose only copy is gone */
	u64	ignored;	/* messages that meant nothing any more */
};

struct gvm_home;	/* opaque; lies at the start of the memory */

/*
 * mem: gvm_home_size() bytes, aligned to 8, zero (fresh mmap).  It holds no
 * pointers.  NULL: the configuration is out of bounds.
 */
size_t gvm_home_size(const struct gvm_home_config *config);
struct gvm_home *gvm_home_init(void *mem, const struct gvm_home_config *config);

/*
 * A message of a node.  -ESTALE: its membership ended (an old epoch): tell it
 * FENCED and drop it.  -EPROTO: nothing was changed, drop the node.
 */
int gvm_home_recv(struct gvm_home *h, const struct gvm_co_msg *msg, u64 now_ns,
		  struct gvm_co_out *out);

void gvm_home_tick(struct gvm_home *h, u64 now_ns, struct gvm_co_out *out);
u64 gvm_home_deadline(const struct gvm_home *h);

/*
 * Membership.  The node's messages must carry the epoch from now on.  A region
 * with several homes needs one epoch for all: the first home chooses (*epoch is
 * 0 on entry), the others are told.  -ESTALE: not newer than an earlier one of
 * this node.  -EBUSY: what it left behind is still being cleaned up (call
 * tick).  -EEXIST: a member of this id is alive.
 */
int gvm_home_join(struct gvm_home *h, u32 node, u32 *epoch);

/*
 * Give the node every page of this home, exclusive and zero, as if it had asked
 * for each (seq 1): so that the first user of fresh memory, a guest that boots,
 * needs no round trip for each first touch.  Costs nothing: an entry that
 * was never touched then means "the claimer's".  -EBUSY: not fresh, some page was
 * asked for or found; the same node may repeat its claim.  -EINVAL: no member.
 */
int gvm_home_claim(struct gvm_home *h, u32 node);

/*
 * The node is dead, or has been fenced: it can no longer read or write pages,
 * or answer.  Pages that it alone had are lost.
 */
void gvm_home_dead(struct gvm_home *h, u32 node, u64 now_ns,
		   struct gvm_co_out *out);
/*
 * The node leaves of its own will, after it has given back all it held: nothing
 * is lost.  What it had claimed and never touched is zero, and home's again.
 */
void gvm_home_leave(struct gvm_home *h, u32 node, u64 now_ns,
		    struct gvm_co_out *out);
bool gvm_home_member(const struct gvm_home *h, u32 node);
u32 gvm_home_epoch(const struct gvm_home *h);

/* The store has this page of before: it is not known to be zero. */
void gvm_home_found(struct gvm_home *h, u64 page);

/* Who has a page: for status, checks and tests. */
struct gvm_home_page {
	u64	seq;
	u16	owner;		/* GVM_NODE_NONE: home's copy is the latest */
	bool	lost;
	bool	zero;		/* never written */
	bool	busy;
	bool	coarse;		/* sharers is a superset by groups of 183 */
	u32	sharers;
};
int gvm_home_page(const struct gvm_home *h, u64 page,
		  struct gvm_home_page *ret);
/* Add the page's sharers to the set (members only). */
void gvm_home_sharers(const struct gvm_home *h, u64 page,
		      struct gvm_sharers *set);
/* The first lost page >= from, or ~0. */
u64 gvm_home_next_lost(const struct gvm_home *h, u64 from);

bool gvm_home_idle(const struct gvm_home *h);
const struct gvm_home_stats *gvm_home_stats(const struct gvm_home *h);
void gvm_home_check(const struct gvm_home *h);

#endif
