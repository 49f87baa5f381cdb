/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A whole cluster in one thread: the protocol core of every node and home, over
 * a simulated network, clock and workload, judged by an oracle that knows
 * nothing of the core (oracle.h).  A configuration with its seed is a run: it
 * happens again exactly, on any machine.
 *
 * A broken invariant of the core ends the process (gvm_bug), so whoever wants
 * to go on runs a simulation in a child.
 */
#ifndef GVM_SIM_H
#define GVM_SIM_H

#include <stdbool.h>
#include <stdint.h>

#define GVM_SIM_HOMES_MAX	64u
#define GVM_SIM_THREADS_MAX	8u
#define GVM_SIM_PAGES_MAX	(1u << 22)
#define GVM_SIM_TEXT_MAX	320u
#define GVM_SIM_HIST_NR		320u	/* as core/hist.h */
#define GVM_SIM_TYPES_NR	46u	/* message types, as core/coherence.h */

enum gvm_sim_design {
	GVM_SIM_HOME,		/* ours: the core */
	GVM_SIM_SERIAL,		/* a home that invalidates one after another */
	GVM_SIM_BITMAP,		/* a home with full bitmaps, all at once */
	GVM_SIM_CHAIN,		/* chains of probable owners, no home */
	GVM_SIM_DESIGNS_NR
};

enum gvm_sim_load {
	GVM_SIM_PRIVATE,	/* every node its own pages */
	GVM_SIM_READ_MOSTLY,	/* one node writes, the others read */
	GVM_SIM_MIGRATORY,	/* read, then write, then the next node */
	GVM_SIM_PRODUCER,	/* pairs: one writes, the other reads */
	GVM_SIM_STORM,		/* all nodes on a few pages */
	GVM_SIM_ZIPF,		/* some pages are far more popular */
	GVM_SIM_FALSE_SHARING,	/* four nodes write parts of one page */
	GVM_SIM_MIXED,		/* storm and zipf by turns */
	GVM_SIM_INVALIDATE,	/* all read a page, then one writes it */
	GVM_SIM_TRACE,		/* what a file says */
	GVM_SIM_LOADS_NR
};

struct gvm_sim_config {
	uint64_t	seed;
	enum gvm_sim_design design;
	enum gvm_sim_load load;
	uint32_t	nodes;
	uint32_t	homes;
	uint32_t	threads;	/* per node */
	uint32_t	pages;
	uint32_t	limit;		/* pages a node holds; 0: no limit */
	uint32_t	ops;		/* accesses of each thread */
	uint32_t	writes_ppm;	/* of a million accesses */
	uint64_t	think_ns;	/* between two accesses, mean */

	uint64_t	rtt_ns;		/* two times the fixed delay */
	uint64_t	tail_ns;	/* mean of the exponential part, one way */
	uint64_t	cpu_ns;		/* per message and node, both ends */
	uint32_t	loss_ppm;
	uint32_t	dup_ppm;
	uint32_t	reorder_ppm;	/* of messages that come much later */

	uint32_t	crashes;	/* nodes that die at some time */
	uint32_t	partitions;	/* one-way cuts of links */
	uint32_t	slow;		/* spells of a node 50 times slower */
	bool		restart;	/* the dead come back */
	uint64_t	lease_ns;

	uint64_t	hold_ns;	/* ~0: as the core chooses */
	uint64_t	retry_ns;
	uint64_t	storm_ns;	/* window of referral; 0: none */
	uint32_t	fanout;
	uint32_t	sets;		/* of a home, for many sharers */
	uint32_t	txns;		/* of a home, under way */
	uint64_t	starve_ns;	/* no access waits longer; 0: by itself */
	bool		check;		/* all invariants after every event */
	const char	*trace;		/* for GVM_SIM_TRACE */
	uint64_t	story_page;	/* told by watch.line; ~0: none */
#define GVM_SIM_STORY_ALL	(~0ull - 1)
};

struct gvm_sim_result {
	bool		failed;
	char		why[GVM_SIM_TEXT_MAX];
	uint64_t	fail_page;	/* ~0: of no page in particular */
	uint64_t	hash;		/* of everything that happened */

	uint64_t	sim_ns;		/* simulated time */
	uint64_t	events;
	uint64_t	accesses;
	uint64_t	hits;
	uint64_t	misses;
	uint64_t	errors;		/* accesses to lost pages */
	uint64_t	again;		/* misses that a race made ask again */
	uint64_t	messages;
	uint64_t	bytes;		/* of messages, on the wire */
	uint64_t	by_type[GVM_SIM_TYPES_NR];
	uint64_t	dropped, duplicated;
	uint64_t	hops[8];	/* misses by hops; the last: 7 and more */
	uint64_t	hops_sum;
	uint32_t	hops_max;
	uint32_t	levels_max;	/* of relays below the first */
	uint64_t	latency[GVM_SIM_HIST_NR];
	uint64_t	latency_sum, latency_max;
	uint64_t	evicted;
	uint64_t	lost;		/* pages */
	uint64_t	avoidable;	/* of them, still read by somebody */
	uint64_t	crashed, fenced, rejoined;

	uint64_t	dir_pages;	/* pages with an entry */
	uint64_t	dir_bytes;
	uint64_t	dir_page_max;	/* bytes of the largest */
	uint64_t	dir_few_max;	/* the same, of those with <= 4 sharers */

	uint64_t	busiest_ns;	/* work of the busiest node */
	uint64_t	busiest_home_ns;
	uint64_t	busiest_messages;

	/* GVM_SIM_INVALIDATE: the slowest of the rounds. */
	uint64_t	inval_ns;
	uint32_t	inval_sharers;
	uint32_t	inval_messages;	/* most that one actor handled */
};

struct gvm_sim_watch {
	/* Now and then, with what there is. */
	void	(*progress)(void *arg, const struct gvm_sim_result *r,
			    unsigned permille);
	/* What happens to story_page, a line each. */
	void	(*line)(void *arg, const char *line);
	void	*arg;
};

extern const char *const gvm_sim_design_names[];	/* end with NULL */
extern const char *const gvm_sim_load_names[];

/* Fit for this many nodes. */
void gvm_sim_defaults(struct gvm_sim_config *config, uint32_t nodes);

/* A small cluster and everything that can go wrong, drawn from its seed. */
void gvm_sim_nasty(struct gvm_sim_config *config);

/* What is wrong with a configuration, for people; NULL: nothing. */
const char *gvm_sim_check(const struct gvm_sim_config *config);

/*
 * Run it.  0, whether or not the oracle found a fault: ret->failed says.
 * -ENOMEM; -EINVAL: the trace cannot be read, ret->why says what is wrong.
 */
int gvm_sim_run(const struct gvm_sim_config *config,
		const struct gvm_sim_watch *watch, struct gvm_sim_result *ret);

/*
 * Number step of the ways to make a configuration smaller.  False: there are
 * no more.  What does not apply returns the same configuration.
 */
bool gvm_sim_smaller(const struct gvm_sim_config *config, unsigned step,
		     struct gvm_sim_config *ret);

/* Upper edge, ns, of the bucket with the permille-th latency. */
uint64_t gvm_sim_percentile(const struct gvm_sim_result *r, unsigned permille);
/* Upper edge of bucket i. */
uint64_t gvm_sim_bucket_ns(unsigned i);

#endif
