/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The inside of a home, for home*.c only.  One piece of memory without
 * pointers; tables are found by their offset.
 */
#ifndef GVM_HOME_INSIDE_H
#define GVM_HOME_INSIDE_H

#include "home.h"

#define GVM_NONE16	0xffffu
#define GVM_NONE32	0xffffffffu
#define GVM_NEVER	(~0ull)
#define GVM_SLOTS	64u	/* ranges under invalidation, all numbers used */
#define GVM_STORMS	64u
#define GVM_STORM_READS	8u	/* home serves so many itself in a window */
#define GVM_STORM_REFERS 15u	/* readers that one sharer serves for home */
#define GVM_FLAT	8u	/* sharers that get a slot each */

/* 16 bytes; all zero: home has it, no sharers, never written. */
struct gvm_dir {
	u64	a;	/* seq 48, kind 2, format 2, busy 1, written 1, open 1 */
	u64	b;	/* 4 ids + 1 of 14 bits, handle, or vector; or of an
			 * owner: id + 1, and of an open grant another
			 * id + 1, 32 bits of its txn, 4 of tries */
};
static_assert(sizeof(struct gvm_dir) == 16, "directory entry");

enum gvm_dir_kind {
	GVM_DIR_HOME,
	GVM_DIR_OWNED,
	GVM_DIR_LOST,
};

enum gvm_dir_format {
	GVM_DIR_INLINE,
	GVM_DIR_SET,
	GVM_DIR_COARSE,
};

enum gvm_txn_kind {
	GVM_TXN_FREE,
	GVM_TXN_IDLE,		/* between two of its queue */
	GVM_TXN_INVALIDATING,	/* ends by DONE */
	GVM_TXN_MOVING,		/* exclusive, owner to requester: DONE */
	GVM_TXN_SHARING,	/* owner to requester and home: RETURN */
	GVM_TXN_FETCHING,	/* owner to home: RETURN */
	GVM_TXN_ASKING,		/* CANCEL is out: DONE, RETURN or DECLINE */
};

struct gvm_slot_range {
	u16	lo;
	u16	hi;
	u16	tries;
};

struct gvm_home_txn {
	u64	page;
	u64	seq;
	u64	txn;
	u64	driven_ns;
	u64	asked_ns;	/* others: INVALIDATE, RECALL, CANCEL */
	u64	need;		/* slots that count */
	u16	requester;
	u16	owner;
	u16	next;		/* chain of its hash, or free list */
	u16	next_todo;
	u16	first;		/* requests that wait, oldest first */
	u16	last;
	u8	kind;		/* enum gvm_txn_kind */
	u8	slots;		/* numbers used */
	u8	drives;		/* up to cfg.patience */
	bool	have;		/* the requester needs no bytes */
	bool	exclusive;	/* ASKING: what the grant was */
	bool	dead;		/* FETCHING: the requester is */
	bool	carry;		/* FETCHING: for the requester */
	bool	due;		/* to be driven by the next tick */
	bool	todo;		/* in the list, even if free by now */
	struct gvm_slot_range slot[GVM_SLOTS];
};

struct gvm_home_wait {
	u64	page;
	u64	txn;
	u16	node;
	u16	next;		/* of its transaction, or free list */
	u16	chain;		/* of its hash */
	u8	flags;
	bool	exclusive;
};

/*
 * A page that many ask for.  The server is the reader that home itself has
 * served last: its copy is there, or on the way on the link that a REFER takes.
 */
struct gvm_home_storm {
	u64	page;
	u64	since_ns;
	u64	server_ns;	/* when it was served */
	u64	seq;		/* of its copy */
	u32	reads;
	u16	server;
	u16	refers;		/* readers that were sent to it */
};

struct gvm_home {
	struct gvm_home_config cfg;
	struct gvm_home_stats stats;
	u64	deadline_ns;
	u32	epoch;
	u32	txn_chains;
	u32	wait_chains;
	u32	txns_used;
	u32	set_free;
	u32	set_fresh;	/* those from here on were never used */
	u32	idle;		/* transactions of kind IDLE */
	u32	hand;		/* next transaction to be driven for others */
	u32	claimer;	/* owner of untouched pages + 1; 0: none */
	bool	fresh;		/* no page was ever touched */
	u16	txn_free;
	u16	txn_fresh;
	u16	wait_free;
	u16	wait_fresh;
	u16	todo;		/* transactions for the next tick */
	u64	sweep_at;	/* pages left to be swept: [sweep_at, pages) */
	bool	sweeping;
	struct gvm_sharers live;	/* members */
	struct gvm_sharers dying;	/* dead, not yet swept for */
	struct gvm_sharers left;	/* of them, those that went in peace */
	struct gvm_sharers scratch;	/* list of the INVALIDATEs of a call */
	struct gvm_home_storm storm[GVM_STORMS];
	size_t	member_at;	/* epoch of each node, 0: no member */
	size_t	past_at;	/* the last it ever had */
	size_t	dir_at;
	size_t	txn_at;
	size_t	wait_at;
	size_t	set_at;
	size_t	txn_chain_at;
	size_t	wait_chain_at;
};

struct gvm_home_call {
	struct gvm_home	*h;
	u64	now;
	struct gvm_co_out *out;
	const struct gvm_co_msg *msg;
	bool	listed;		/* scratch is in use by an effect */
};

/* A request, from a message or from the queue. */
struct gvm_request_in {
	u64	page;
	u64	txn;
	u64	got;
	u64	got_seq;
	u16	node;
	u8	flags;		/* GVM_CO_HAVE, GVM_CO_DIRECT */
	bool	exclusive;
};

static inline void *gvm_home_table(const struct gvm_home *h, size_t at)
{
	return (u8 *)(size_t)h + at;
}

static inline u32 *gvm_members(const struct gvm_home *h)
{
	return gvm_home_table(h, h->member_at);
}

static inline u32 *gvm_past(const struct gvm_home *h)
{
	return gvm_home_table(h, h->past_at);
}

static inline struct gvm_dir *gvm_dir(const struct gvm_home *h, u64 page)
{
	return (struct gvm_dir *)gvm_home_table(h, h->dir_at) +
		(page - h->cfg.page0);
}

static inline struct gvm_home_txn *gvm_txn(const struct gvm_home *h, u32 i)
{
	return (struct gvm_home_txn *)gvm_home_table(h, h->txn_at) + i;
}

static inline struct gvm_home_wait *gvm_wait(const struct gvm_home *h, u32 i)
{
	return (struct gvm_home_wait *)gvm_home_table(h, h->wait_at) + i;
}

static inline struct gvm_sharers *gvm_set(const struct gvm_home *h, u64 i)
{
	return (struct gvm_sharers *)gvm_home_table(h, h->set_at) + i;
}

/* Of one node and page; the lower half, a counter, may have wrapped. */
static inline bool gvm_txn_older(u64 a, u64 b)
{
	return a >> 32 != b >> 32 ? a < b : (s32)((u32)a - (u32)b) < 0;
}

static inline void gvm_home_due(struct gvm_home *h, u64 at_ns)
{
	if (at_ns < h->deadline_ns)
		h->deadline_ns = at_ns;
}

static inline void gvm_txn_become(struct gvm_home *h, struct gvm_home_txn *t,
				  enum gvm_txn_kind kind)
{
	h->idle -= t->kind == GVM_TXN_IDLE;
	h->idle += kind == GVM_TXN_IDLE;
	t->kind = (u8)kind;
}

/* home-dir.c */
/* The entry of a page that a message is about. */
struct gvm_dir *gvm_dir_touch(struct gvm_home *h, u64 page);
/* Never touched, and so the claimer's if there is one. */
bool gvm_dir_untouched(const struct gvm_dir *d);
u64 gvm_dir_seq(const struct gvm_dir *d);
u64 gvm_dir_next_seq(struct gvm_dir *d);
enum gvm_dir_kind gvm_dir_kind(const struct gvm_dir *d);
enum gvm_dir_format gvm_dir_format(const struct gvm_dir *d);
bool gvm_dir_busy(const struct gvm_dir *d);
void gvm_dir_set_busy(struct gvm_dir *d, bool busy);
bool gvm_dir_written(const struct gvm_dir *d);
void gvm_dir_set_written(struct gvm_dir *d, bool written);
u16 gvm_dir_owner(const struct gvm_dir *d);
/*
 * The owner was granted home's own copy and has said nothing yet: see "Open
 * grants" in PROTOCOL.md.  other: a sharer that it must hear from first, or NONE.
 */
void gvm_dir_open(struct gvm_home *h, struct gvm_dir *d, u16 owner, u16 other,
		  u64 txn);
bool gvm_dir_is_open(const struct gvm_dir *d);
/* Its owner is dead: whether it took it, nobody can say any more. */
void gvm_dir_close(struct gvm_dir *d);
u16 gvm_dir_open_other(const struct gvm_dir *d);
/* It has said that it has no copy. */
void gvm_dir_open_alone(struct gvm_dir *d);
/* How often it was sent again, up to 15; counted. */
u32 gvm_dir_open_tries(struct gvm_dir *d);
/* Of the owner's membership, which is alive. */
u64 gvm_dir_open_txn(const struct gvm_home *h, const struct gvm_dir *d);
/* Live sharers but node: 0, 1 (which?) or more: 2 and no more is counted. */
u32 gvm_dir_others(const struct gvm_home *h, const struct gvm_dir *d, u16 node,
		   u16 *ret_one);
/* No sharers any more; then one owner, or lost, or home's own. */
void gvm_dir_become(struct gvm_home *h, struct gvm_dir *d,
		    enum gvm_dir_kind kind, u16 owner);
void gvm_dir_add(struct gvm_home *h, struct gvm_dir *d, u16 node);
/* Surely or (coarse) possibly a sharer. */
bool gvm_dir_has(const struct gvm_home *h, const struct gvm_dir *d, u16 node);
/* The sharers that are members, into set (which is cleared first). */
void gvm_dir_list(const struct gvm_home *h, const struct gvm_dir *d,
		  struct gvm_sharers *set);
u32 gvm_dir_count(const struct gvm_home *h, const struct gvm_dir *d);

/* home-table.c */
struct gvm_home_txn *gvm_txn_find(const struct gvm_home *h, u64 page);
struct gvm_home_txn *gvm_txn_take(struct gvm_home *h, u64 page);
void gvm_txn_put(struct gvm_home *h, struct gvm_home_txn *t);
/* Let the next tick look at it: IDLE, or due. */
void gvm_txn_todo(struct gvm_home_call *c, struct gvm_home_txn *t);
bool gvm_wait_add(struct gvm_home *h, struct gvm_home_txn *t,
		  const struct gvm_request_in *r);
bool gvm_wait_next(struct gvm_home *h, struct gvm_home_txn *t,
		   struct gvm_request_in *ret);

/* home.c */
struct gvm_co_msg *gvm_home_send(struct gvm_home_call *c, u16 type, u16 to,
				 u64 page, u64 seq, u64 txn);
void gvm_home_confirm(struct gvm_home_call *c, u16 to, u64 page, u64 seq);
/* A transaction is over: whose turn is next? */
void gvm_home_finish(struct gvm_home_call *c, struct gvm_home_txn *t);
void gvm_home_lose(struct gvm_home *h, struct gvm_dir *d);
/* The owner is no member any more, and nothing is under way. */
void gvm_home_lose_owner(struct gvm_home *h, struct gvm_dir *d);
bool gvm_home_room(const struct gvm_home_call *c);

void gvm_home_grant_shared(struct gvm_home_call *c, struct gvm_dir *d,
			   const struct gvm_request_in *r);

/* home-open.c */
/* False: it needs a transaction. */
bool gvm_open_begin(struct gvm_home_call *c, struct gvm_dir *d,
		    const struct gvm_request_in *r);
/*
 * The owner asks.  True: that was all; false: its grant is void, or it has given
 * the page away and asks anew.
 */
bool gvm_open_asked(struct gvm_home_call *c, struct gvm_dir *d,
		    const struct gvm_request_in *r);
/* The owner never took it, and never will. */
void gvm_open_undo(struct gvm_home *h, struct gvm_dir *d);
/* The sharer tells home, since it does not reach the owner. */
void gvm_open_invalidated(struct gvm_home_call *c);
/* A DECLINE for a page that is not busy. */
void gvm_open_declined(struct gvm_home_call *c);

/* home-txn.c */
void gvm_txn_begin(struct gvm_home_call *c, struct gvm_home_txn *t,
		   const struct gvm_request_in *r);
/* Send again what is missing.  r: the requester asked; NULL: somebody else. */
void gvm_txn_drive(struct gvm_home_call *c, struct gvm_home_txn *t,
		   const struct gvm_request_in *r);
/* Nothing was heard of it for longer than retry_ns. */
bool gvm_txn_late(const struct gvm_home_call *c, const struct gvm_home_txn *t);
void gvm_txn_asked(struct gvm_home_call *c, struct gvm_home_txn *t,
		   const struct gvm_request_in *r);
void gvm_txn_recall(struct gvm_home_call *c, const struct gvm_home_txn *t);
void gvm_txn_grant(struct gvm_home_call *c, const struct gvm_home_txn *t);
/* Home's copy is the latest: tell the sharers, and grant it. */
void gvm_txn_invalidate(struct gvm_home_call *c, struct gvm_home_txn *t,
			bool said_have);

/* home-answer.c */
int gvm_on_done(struct gvm_home_call *c);
int gvm_on_decline(struct gvm_home_call *c);
int gvm_home_invalidated(struct gvm_home_call *c);
int gvm_on_return(struct gvm_home_call *c);
int gvm_on_put(struct gvm_home_call *c);

#endif
