/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of a simulation.
 *
 * An actor is a node or a home: one thread that pages, with a queue before it.
 * Taking in a message costs it cpu_ns, and so does each that it sends.  What a
 * message makes of the core happens when the actor turns to it, and is dated
 * when it is done with it: nothing else of the actor comes between.
 */
#ifndef GVM_SIM_CLUSTER_H
#define GVM_SIM_CLUSTER_H

#include "coherence.h"
#include "hist.h"
#include "oracle.h"
#include "queue.h"
#include "random.h"
#include "sharers.h"
#include "sim.h"

#define SIM_NEVER	(~0ull)
#define SIM_NO_MSG	(~0u)
#define SIM_STEP_NS	100u	/* between two ticks of one actor */
#define SIM_WAKE_NS	1000u	/* from mapping a page to its thread's access */
#define SIM_PARK_NS	20000u	/* a fault without room tries again */

/* sim_event.what */
enum sim_what {
	SIM_DELIVER,	/* arg: message */
	SIM_RUN,	/* arg: actor that is free again */
	SIM_TICK,	/* arg: actor */
	SIM_ACCESS,	/* arg: thread */
	SIM_TROUBLE,	/* arg: of trouble.c */
	SIM_WATCH,	/* somebody starves? */
};

/* sim_msg.co.type below the wire's: a thread's fault waits for its pager. */
#define SIM_JOB_FAULT	1u

struct sim_msg {
	struct gvm_co_msg co;	/* list: unused, see below */
	u64	value;		/* the page's content */
	u64	sent;
	u32	next;		/* in an actor's queue, or free */
	u32	list;		/* in the pool of its class */
	u16	lives_from;	/* of the sender, when it sent */
	u16	lives_to;
	u8	list_class;	/* 1 << class words; SIM_NO_LIST */
	u8	hops;		/* longest causal path from the request */
	u8	level;		/* of relays, on that path */
	u8	job;		/* SIM_JOB_ or 0 */
};

#define SIM_NO_LIST	0xffu
#define SIM_CLASSES	9u	/* 1 .. 256 words */

/* Messages under way, and the parts of node sets that travel with them. */
struct sim_pool {
	struct sim_msg *msg;
	u32	max;
	u32	free;
	u32	used;
	struct sim_words {
		u64	*word;
		u32	max;	/* lists */
		u32	free;
	} words[SIM_CLASSES];
	struct gvm_sharers scratch;	/* all zero between two uses */
};

bool gvm_sim_pool_init(struct sim_pool *p);
void gvm_sim_pool_free(struct sim_pool *p);
/* SIM_NO_MSG: no memory. */
u32 gvm_sim_msg_new(struct sim_pool *p);
void gvm_sim_msg_free(struct sim_pool *p, u32 m);
/* Copy the words of [lo, hi).  False: no memory. */
bool gvm_sim_list_pack(struct sim_pool *p, struct sim_msg *m,
		       const struct gvm_sharers *s);
bool gvm_sim_list_copy(struct sim_pool *p, struct sim_msg *to,
		       const struct sim_msg *from);
/* Into the scratch set, and out of it again. */
void gvm_sim_list_unpack(struct sim_pool *p, struct sim_msg *m);
void gvm_sim_list_wipe(struct sim_pool *p, const struct sim_msg *m);
u32 gvm_sim_list_words(const struct sim_msg *m);

struct sim_actor {
	u64	busy;		/* until then */
	u64	timer;		/* its next tick in the queue, or never */
	u64	work_ns;
	u32	head, tail;	/* messages that wait, or SIM_NO_MSG */
	u32	handled;	/* messages in and out */
	u32	mark;		/* handled, when a measure began */
	u16	lives;		/* counts deaths: what was sent to an older
				 * life does not arrive */
	u8	slow;		/* factor of its work */
	bool	running;	/* a RUN is in the queue */
	bool	alive;
};

enum sim_thread_state {
	SIM_THREAD_THINK,	/* will choose its next access */
	SIM_THREAD_TRY,		/* has chosen, and will access */
	SIM_THREAD_WAIT,	/* the page is wanted */
	SIM_THREAD_PARKED,	/* no room for the fault */
	SIM_THREAD_DONE,
};

struct sim_thread {
	u64	random;
	u64	since;		/* its fault */
	u64	cursor;		/* of its workload */
	u32	page;
	u32	left;		/* accesses */
	u8	state;
	bool	write;
	bool	missed;
	bool	pending;	/* an ACCESS is in the queue */
	u8	hops, level;	/* of the best path so far */
	u8	asked;		/* requests for this miss */
};

/* A page that a node has mapped. */
struct sim_frame {
	u64	value;
	u32	page;		/* + 1; 0: free */
	u32	right;		/* enum gvm_oracle_right */
};

struct sim_cut {	/* messages of these do not arrive */
	u32	from_lo, from_hi, to_lo, to_hi;	/* actors */
	u64	until;
};

#define SIM_CUTS_MAX	16u

struct sim;

/* What makes a design.  All fill sim->out. */
struct sim_ops {
	int (*start)(struct sim *s);
	void (*stop)(struct sim *s);
	int (*fault)(struct sim *s, u32 node, u32 page, bool write, u64 now);
	int (*node_recv)(struct sim *s, u32 node, const struct gvm_co_msg *m,
			 u64 now);
	int (*home_recv)(struct sim *s, u32 home, const struct gvm_co_msg *m,
			 u64 now);
	void (*tick)(struct sim *s, u32 actor, u64 now);
	u64 (*deadline)(struct sim *s, u32 actor);
	/* Into the cache, if it helps. */
	void (*fetch_ahead)(const struct sim *s, u32 actor);
	/* A page that must go before another comes: its effects.  False: none. */
	bool (*evict)(struct sim *s, u32 node, u64 now);
	void (*dead)(struct sim *s, u32 home, u32 node, u64 now);
	/* False: not yet. */
	bool (*join)(struct sim *s, u32 node);
	/* Bytes of the directory for a page; 0: never touched. */
	u32 (*dir_bytes)(struct sim *s, u32 page, u32 *ret_sharers);
	/* Bytes that a message has beyond header, list and page. */
	u32 (*extra_bytes)(const struct sim *s, const struct gvm_co_msg *m);
	void (*check)(struct sim *s, u32 actor);	/* its invariants */
	bool (*idle)(struct sim *s, u32 actor);
	/* Does its directory agree with what is mapped?  NULL: yes. */
	const char *(*agree)(struct sim *s, u32 page);
};

extern const struct sim_ops gvm_sim_core_ops;	/* design-core.c */
extern const struct sim_ops gvm_sim_naive_ops;	/* design-naive.c */
extern const struct sim_ops gvm_sim_chain_ops;	/* design-chain.c */

struct sim {
	struct gvm_sim_config cfg;
	const struct gvm_sim_watch *watch;
	struct gvm_sim_result *r;
	const struct sim_ops *ops;
	void	*design;	/* its memory */

	u64	now;		/* of the event */
	u64	clock;		/* of the actor at work: >= now */
	struct sim_queue queue;
	struct sim_pool pool;
	struct gvm_oracle *oracle;
	struct gvm_co_out out;
	const struct sim_msg *at_hand;	/* what is being received, or NULL */
	u64	random_net, random_trouble;

	u32	actors_nr;	/* nodes, then homes */
	u32	slice;		/* pages of a home */
	u32	limit;		/* pages of a node */
	u32	wants;		/* of a node, at a time */
	u32	buffers;	/* of a node */
	struct sim_actor *actor;
	struct sim_thread *thread;
	u32	threads_nr, threads_done;
	struct sim_frame *frames;	/* of all nodes */
	u32	frame_mask;
	u64	*buffer;	/* of all nodes */
	u64	*store;		/* of all homes, by page */

	struct sim_cut	cut[SIM_CUTS_MAX];
	u32	cuts;
	struct sim_trouble *trouble;
	u32	trouble_nr;
	u32	trouble_left;	/* that has not ended */

	struct sim_load_table *table;	/* of load.c */
	u32	phase;		/* of GVM_SIM_INVALIDATE */
	u32	phase_left;
	u64	starve_ns;
	u32	sweep_step;
	bool	sweeping;	/* the work is done, all pages are read */
	bool	stop;
};

static inline bool gvm_sim_is_home(const struct sim *s, u32 actor)
{
	return actor >= s->cfg.nodes;
}

static inline u32 gvm_sim_home_of(const struct sim *s, u64 page)
{
	return (u32)page / s->slice;
}

/* The first failure ends the run.  page: ~0 for none. */
void gvm_sim_fail(struct sim *s, u64 page, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* frames.c: a node's page table. */
struct sim_frame *gvm_sim_frame(struct sim *s, u32 node, u32 page);
/* About where it is, without looking. */
const struct sim_frame *gvm_sim_frame_at(const struct sim *s, u32 node,
					 u32 page);
/* right NONE takes it out. */
void gvm_sim_frame_set(struct sim *s, u32 node, u32 page, u32 right, u64 value);
void gvm_sim_frames_drop(struct sim *s, u32 node);

/* net.c */
/* m is new; it leaves at s->clock. */
void gvm_sim_send(struct sim *s, u32 from, u32 to, u32 m);
void gvm_sim_deliver(struct sim *s, u32 m);
void gvm_sim_run_actor(struct sim *s, u32 actor);
/* Put into the queue before the actor, or do it now if it is free. */
void gvm_sim_hand(struct sim *s, u32 actor, u32 m);
void gvm_sim_tick(struct sim *s, u32 actor);
/* After every call of the core. */
void gvm_sim_rearm(struct sim *s, u32 actor);
/* Drop what waits before it. */
void gvm_sim_forget(struct sim *s, u32 actor);

/* apply.c: carry out s->out for an actor; m: what was received, or NULL. */
void gvm_sim_apply(struct sim *s, u32 actor, const struct sim_msg *m);

/* thread.c */
void gvm_sim_threads_start(struct sim *s);
void gvm_sim_access(struct sim *s, u32 thread);
void gvm_sim_fault(struct sim *s, u32 thread);	/* its actor is free */
void gvm_sim_wake(struct sim *s, u32 node, u32 page);
/* An answer has come; a request leaves: for the count of hops. */
void gvm_sim_heard(struct sim *s, u32 node, const struct sim_msg *m);
void gvm_sim_asks(struct sim *s, u32 node, u64 page);
void gvm_sim_page_lost(struct sim *s, u32 node, u32 page);
void gvm_sim_threads_die(struct sim *s, u32 node, bool for_good);
void gvm_sim_threads_live(struct sim *s, u32 node);
void gvm_sim_starving(struct sim *s);
void gvm_sim_sweep(struct sim *s);

/* load.c */
int gvm_sim_load_start(struct sim *s);
void gvm_sim_load_stop(struct sim *s);
/* Choose a thread's next access.  False: it has none now. */
bool gvm_sim_load_next(struct sim *s, u32 thread);
void gvm_sim_load_done(struct sim *s, u32 thread);

/* trouble.c: crashes, cuts, slowness. */
bool gvm_sim_trouble_start(struct sim *s);
void gvm_sim_trouble(struct sim *s, u32 i);
bool gvm_sim_is_cut(const struct sim *s, u32 from, u32 to);

/* story.c: what happens to one page, in words. */
bool gvm_sim_told(const struct sim *s, u64 page);
void gvm_sim_tell(struct sim *s, u64 page, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void gvm_sim_tell_msg(struct sim *s, const char *what, u32 from, u32 to,
		      const struct sim_msg *m);
const char *gvm_sim_actor_name(const struct sim *s, u32 actor, char *buf,
			       size_t len);

#endif
