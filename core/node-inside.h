/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The inside of a node, for node*.c only.  All of it lies in one piece of
 * memory without pointers; tables are found by their offset.
 */
#ifndef GVM_NODE_INSIDE_H
#define GVM_NODE_INSIDE_H

#include "node.h"
#include "node-steps.h"
#include "sharers.h"

#define GVM_NONE16	0xffffu
#define GVM_NO_PAGE	(~0ull)
#define GVM_NEVER	(~0ull)
#define GVM_DEMANDS	32u	/* demands that wait for a hold or pin */
#define GVM_GUESTS	32u	/* readers referred to us that wait */
#define GVM_TAKEN	16u
#define GVM_SERVINGS	8u
#define GVM_BACKOFF_DIRECT 3u	/* so many times asked: home itself, please */
#define GVM_GIVES_MAX	255u	/* unconfirmed gives of one page */
#define GVM_BACKOFF_MAX	6u	/* retries are at most 64 times retry_ns apart */

/* A page of which something is known; all others are INVALID. */
struct gvm_node_rec {
	u64	page;		/* GVM_NO_PAGE: free */
	u64	seq;		/* of the copy mapped */
	u64	since_ns;	/* when it was mapped */
	u16	want;
	u16	demand;
	u8	state;		/* enum gvm_share_state */
	u8	gives;		/* unconfirmed give records of this page */
	u8	puts;		/* of them, those that were a PUT */
	bool	waited;		/* a thread waited for it: the hold counts */
	bool	serves;		/* a shared copy that home refers others to */
};

struct gvm_node_want {
	u64	page;
	u64	txn;		/* 0: not asked for yet (WAIT_) */
	u64	seq;		/* of the grant; 0: none */
	u64	need;
	u64	got;		/* slots, of acknowledgements with got_seq */
	u64	got_seq;
	u64	stale;		/* grants with a smaller seq are not mapped */
	u64	first_ns;
	u64	retry_ns;
	u16	buffer;		/* bytes kept */
	u16	giver;
	u16	next;		/* free list */
	u8	backoff;
	bool	used;
	bool	zero;		/* kept bytes are zeros */
	bool	open;		/* the grant needs no DONE */
	bool	waited;
	bool	asked_once;	/* its answer measures a round trip */
};

enum gvm_give_kind {
	GVM_GIVE_FREE,
	GVM_GIVE_TEMP,		/* until the end of this call */
	GVM_GIVE_KEPT,		/* bytes of a grant with slots missing */
	GVM_GIVE_SERVE,		/* for those who are referred to us */
	GVM_GIVE_GRANT,		/* given exclusive to requester */
	GVM_GIVE_RETURN,
	GVM_GIVE_PUT,
};

/* A buffer, and what it is there for. */
struct gvm_node_give {
	u64	page;
	u64	seq;
	u64	txn;
	u64	retry_ns;
	u16	requester;
	u16	next;		/* free list, or chain of its hash */
	u8	kind;		/* enum gvm_give_kind */
	u8	backoff;
	bool	was_put;
	bool	shared;		/* RETURN: requester has a shared grant, too */
};

struct gvm_node_demand {
	struct gvm_co_msg msg;
	u64	until_ns;
	u16	relay;
	bool	used;
};

struct gvm_node_relay {
	u64	page;
	u64	seq;
	u64	txn;
	u64	born_ns;
	u16	to;		/* whom to answer */
	u16	slot;
	u16	lo;
	u16	hi;
	u16	at[GVM_FANOUT + 1];
	u8	need;		/* children */
	u8	got;
	bool	local;		/* our own copy is gone */
	bool	used;
};

/* A reader that home has referred to us before we had the page. */
struct gvm_node_guest {
	u64	page;
	u64	seq;
	u64	txn;
	u64	until_ns;	/* then it is sent back to home */
	u16	node;
	bool	used;
};

/* Bytes that came for a want that was over: home takes us for a server. */
struct gvm_node_serving {
	u64	page;
	u64	seq;
	u64	until_ns;
	u16	buffer;
	bool	used;
};

/* A copy that others were referred to, and that was taken from us. */
struct gvm_node_taken {
	u64	page;		/* GVM_NO_PAGE: none */
	u64	seq;
};

struct gvm_node_pin {
	u64	page;		/* GVM_NO_PAGE: free */
	u64	deadline_ns;
	bool	ready;
};

/* Holds end often, and must not make tick() look at everything else. */
enum gvm_due {
	GVM_DUE_HOLD,		/* demands and pins */
	GVM_DUE_GIVE,
	GVM_DUE_WANT,
	GVM_DUE_NR
};

struct gvm_node {
	struct gvm_node_config cfg;
	struct gvm_node_stats stats;
	u32	counter;	/* of txns; wraps after as many wants */
	u64	fetch_ns;	/* measured, smoothed */
	u64	hold_ns;
	u64	due_ns[GVM_DUE_NR];	/* nothing of that kind before */
	u64	rand;
	u32	recs;		/* capacity, a power of two */
	u32	recs_used;
	u32	held;
	u32	chains;		/* a power of two */
	u32	wants_used;
	u32	wants_high;	/* those from here on were never used */
	u32	gives_free;
	u32	gives_high;
	u16	want_free;
	u16	give_free;
	u32	relays_used;
	struct gvm_node_pin pin[GVM_PINS_MAX];
	u32	guests_used;
	u32	servings_used;
	u32	taken_at;	/* the next one to be overwritten */
	struct gvm_node_demand demand[GVM_DEMANDS];
	struct gvm_node_guest guest[GVM_GUESTS];
	struct gvm_node_taken taken[GVM_TAKEN];
	struct gvm_node_serving serving[GVM_SERVINGS];
	struct gvm_hot	hot[GVM_HOT_MAX];
	struct gvm_sharers others;	/* list of the INVALIDATEs of a call */
	size_t	rec_at;
	size_t	want_at;
	size_t	give_at;
	size_t	chain_at;
	size_t	relay_at;
	size_t	claim_at;	/* a bit for each page that is claimed */
};

/* One call, and the page it is about. */
struct gvm_node_call {
	struct gvm_node	*n;
	u64	now;
	struct gvm_co_out *out;
	const struct gvm_co_msg *msg;	/* what was received; else NULL */
	u64	page;
	u16	buffer;		/* of READ or KEEP */
	u16	relay;		/* on whose behalf an INVALIDATE is */
};

static inline struct gvm_node_rec *gvm_recs(const struct gvm_node *n)
{
	return (struct gvm_node_rec *)((u8 *)(size_t)n + n->rec_at);
}

static inline struct gvm_node_want *gvm_want(const struct gvm_node *n, u32 i)
{
	return (struct gvm_node_want *)((u8 *)(size_t)n + n->want_at) + i;
}

static inline struct gvm_node_give *gvm_give(const struct gvm_node *n, u32 i)
{
	return (struct gvm_node_give *)((u8 *)(size_t)n + n->give_at) + i;
}

static inline struct gvm_node_relay *gvm_relay(const struct gvm_node *n, u32 i)
{
	return (struct gvm_node_relay *)((u8 *)(size_t)n + n->relay_at) + i;
}

static inline u16 *gvm_chain(const struct gvm_node *n, u64 page)
{
	u16 *heads = (u16 *)((u8 *)(size_t)n + n->chain_at);

	return &heads[page * 0x9e3779b97f4a7c15ull >> 40 & (n->chains - 1)];
}

static inline u64 gvm_backoff(const struct gvm_node *n, u8 *backoff)
{
	u64 wait = n->cfg.retry_ns << *backoff;

	if (*backoff < GVM_BACKOFF_MAX)
		(*backoff)++;
	return wait;
}

static inline void gvm_node_due(struct gvm_node *n, enum gvm_due what,
				u64 at_ns)
{
	if (at_ns < n->due_ns[what])
		n->due_ns[what] = at_ns;
}

static inline u64 *gvm_claims(const struct gvm_node *n)
{
	return (u64 *)((u8 *)(size_t)n + n->claim_at);
}

/* node-table.c */
struct gvm_node_rec *gvm_rec_find(const struct gvm_node *n, u64 page);
struct gvm_node_rec *gvm_rec_get(struct gvm_node *n, u64 page);
/* Forget the page if nothing is known of it any more. */
void gvm_rec_tidy(struct gvm_node *n, u64 page);
u16 gvm_want_take(struct gvm_node *n, u64 page);
void gvm_want_free(struct gvm_node *n, u16 i);
u16 gvm_give_take(struct gvm_node *n);
void gvm_give_put_back(struct gvm_node *n, u16 i);
void gvm_hot_count(struct gvm_node *n, u64 page, bool give);

bool gvm_claimed(const struct gvm_node *n, u64 page);

/* node-event.c */
struct gvm_co_effect *gvm_emit(struct gvm_node_call *c, enum gvm_co_do what);
struct gvm_co_msg *gvm_emit_send(struct gvm_node_call *c, u16 type, u16 to,
				 u64 seq, u64 txn);
struct gvm_co_msg *gvm_emit_bytes(struct gvm_node_call *c, u16 type, u16 to,
				  u64 seq, u64 txn, u16 buffer);
int gvm_node_event(struct gvm_node_call *c, struct gvm_node_rec *rec,
		   enum gvm_share_event event);
void gvm_node_ask(struct gvm_node_call *c, struct gvm_node_rec *rec);
void gvm_send_done(struct gvm_node_call *c, u64 seq, u64 txn, u16 giver);
void gvm_pins_ready(struct gvm_node_call *c);
/* The record's state was another one before. */
void gvm_became(struct gvm_node_call *c, struct gvm_node_rec *rec, u8 before);

/* node-grant.c */
int gvm_on_grant(struct gvm_node_call *c);
int gvm_on_lost(struct gvm_node_call *c);
/* c->msg is the grant, of the want's txn. */
int gvm_exclusive_grant(struct gvm_node_call *c, struct gvm_node_rec *rec,
			struct gvm_node_want *w);

/* node.c */
/* A claimed page gets its record, and is mapped.  -EAGAIN: no record. */
int gvm_node_unclaim(struct gvm_node_call *c);
/* How long the page must stay yet; 0: it may go. */
u64 gvm_node_stays(const struct gvm_node_call *c,
		   const struct gvm_node_rec *rec);
bool gvm_node_pinned(const struct gvm_node_call *c);
/* Keep a demand for later.  False: no room; a hold may be cut short. */
bool gvm_node_defer(struct gvm_node_call *c, struct gvm_node_rec *rec,
		    u64 until_ns);

/* node-give.c: what was given away and is not confirmed */
void gvm_give_start(struct gvm_node_call *c, u16 buffer,
		    enum gvm_give_kind kind, u64 seq);
void gvm_give_send(struct gvm_node_call *c, u16 buffer);
int gvm_on_recall(struct gvm_node_call *c);
int gvm_on_confirm(struct gvm_node_call *c);
int gvm_on_cancel(struct gvm_node_call *c);
/* Does an unconfirmed PUT of the page have this seq? */
bool gvm_give_is_put(const struct gvm_node *n, u64 page, u64 seq);

/* node-refer.c: readers that we serve for home */
int gvm_on_refer(struct gvm_node_call *c);
/* A grant came for a want that is over, and home refers others to us. */
void gvm_serving_keep(struct gvm_node_call *c);
void gvm_servings_tick(struct gvm_node_call *c);
void gvm_guests_tick(struct gvm_node_call *c);
/* Eviction spares a copy that home may refer somebody to. */
bool gvm_node_serves(const struct gvm_node_call *c,
		     const struct gvm_node_rec *rec);
/* The shared copy that others were referred to is gone, by this number. */
void gvm_served_no_more(struct gvm_node_call *c, struct gvm_node_rec *rec,
			u64 seq);
/* A shared grant was mapped: its bytes are the message's. */
void gvm_guests_serve(struct gvm_node_call *c, u64 seq);
/* The want is over, and those who are left were not served. */
void gvm_guests_leave(struct gvm_node_call *c, u64 stale);

/* node-relay.c: invalidations */
int gvm_on_invalidate(struct gvm_node_call *c);
int gvm_on_invalidated(struct gvm_node_call *c);
/* Our own copy is gone: answer, or count it for the relay. */
void gvm_acknowledge(struct gvm_node_call *c);

#endif
