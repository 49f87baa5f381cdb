/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A shard: one userfaultfd, one thread, its own connections, its own pages.
 *
 * Addresses belong to shards by 1 GiB slices.  Everything in struct gvm_shard
 * is touched by its thread alone, so the path of a fault takes no lock; other
 * threads of the program ask for things through the mailbox (command.c).  The
 * fields that others read are marked.
 */
#ifndef GVM_PAGER_SHARD_H
#define GVM_PAGER_SHARD_H

#include <sys/socket.h>

#include "../include/giantvm/giantvm.h"
#include "cache.h"
#include "conn.h"
#include "fetch.h"
#include "hist.h"
#include "page.h"
#include "table.h"
#include "thread.h"
#include "uffd.h"

struct gvm;
struct gvm_command;

#define GVM_REQUESTS_MAX	1024u	/* unanswered requests of one shard */
#define GVM_REQUEST_SHIFT	7
#define GVM_REQUEST_PAGES	(1u << GVM_REQUEST_SHIFT) /* pages in one */
#define GVM_PARKED_MAX		8192u	/* faults that wait for a free frame */
#define GVM_HOLDS_MAX		1024u
#define GVM_EVENTS_MAX		1024u	/* messages read and not yet served */
#define GVM_EVENTS_KEPT		64u	/* of them for what is no fault */
#define GVM_AWAKE_NS		50000ull /* after a fault or answer: no sleep */

/* staging.c: pages taken away from the program but still local */

enum gvm_slot_what {
	GVM_SLOT_FREE,		/* nothing there */
	GVM_SLOT_LIVE,		/* the only local copy of a staged page */
	GVM_SLOT_DEAD,		/* memory still there, content not needed */
};

struct gvm_slot {
	u64	va;		/* of the page it was taken from */
	u32	crc;		/* of its content, once it was sent or is clean */
	u8	what;		/* enum gvm_slot_what */
	u8	stored;		/* home holds some (older) copy of the page */
	u8	mark;		/* prefetch mark: a touch asks for more */
	u8	reserved;
	u32	request;	/* WRITING: its entry, see gvm_request_word() */
};

/*
 * A ring in order of age: pages enter at head, are written back at send, and
 * leave at tail.  Positions only grow; position % ring is the slot.
 */
struct gvm_staging {
	u8	*memory;	/* ring pages; uffd armed if eviction moves */
	struct gvm_slot *slots;
	u64	ring;		/* slots, a power of two */
	u64	head;
	u64	send;
	u64	tail;
	u64	spare;		/* from here to tail: frames kept for recycling */
	u64	spares;		/* how many; not among those present */
	u64	present;	/* slots that hold memory (live or dead) */
	u64	live;
	u64	unsent;		/* live and in state STAGED */
};

/* recycle.c: frames of pages that left, for pages that arrive */

/* The word of a DIRTY page: has home a copy, and number + 1 of its seal. */
#define GVM_WORD_STORED	1u
#define GVM_WORD_SEAL	2u

/* What a page was when it was mapped writable: home's copy. */
struct gvm_seal {
	u64	va;
	u64	print[2];
	u32	crc;
	u32	reserved;
};

struct gvm_recycle {
	u8	*key;		/* one page of random bytes */
	struct gvm_seal *seals;	/* a ring; NULL: nothing is recycled */
	u32	seals_nr;	/* a power of two */
	u32	next;
	u64	wanted;		/* frames that streams took lately */
};

/* drop.c: a thread that gives pages back, because the kernel tells us of it */

struct gvm_dropper {
	struct gvm_thread thread;
	u8	started;
	u32	stop;
	u32	asked;		/* futex: counts the calls */
	u32	done;		/* futex: the last one that is done */
	u64	va;
	u64	len;
	u64	told;		/* the kernel told us up to here */
	u64	end;		/* 0: nothing of ours is under way */
	long	result;
};

/* request.c: what we asked servers and they have not answered */

struct gvm_request_page {
	u64	va;
	u32	crc;		/* READ: expected; WRITE: sent */
	u32	count;		/* TRIM: pages of the run; else 1 */
	u8	live;		/* 0: cancelled, its answer means nothing */
	u8	first;		/* WRITE: home held nothing of it before */
	u8	mark;		/* READ: leave it unmapped */
	u8	write;		/* READ: somebody waits to write */
};

struct gvm_request {
	u64	txn;		/* 0: free */
	u64	sent_ns;	/* first time on the wire; 0: not yet */
	u64	fault_ns;	/* READ: when the fault was read; 0: prefetch */
	u16	type;		/* GVM_MSG_READ, WRITE, TRIM, CLONE, PING */
	u16	server;
	u16	pages;
	u8	lane;
	u8	queued;		/* not on the wire: no connection, or no room */
	u32	next;		/* free list, or list of its server */
	u32	prev;
	struct gvm_request_page page[GVM_REQUEST_PAGES];
};

#define GVM_REQUEST_NONE	0xffffffffu
#define GVM_BACKOFF_MIN_NS	20000000ull	/* between attempts to connect */

/* link.c: one server as this shard sees it */

enum gvm_lane_state {
	GVM_LANE_DOWN,
	GVM_LANE_CONNECTING,
	GVM_LANE_HELLO,		/* waits for the server's HELLO */
	GVM_LANE_ATTACH,	/* waits for ATTACHED */
	GVM_LANE_UP,
};

struct gvm_lane {
	struct gvm_conn	conn;
	u8	state;		/* enum gvm_lane_state */
	u8	wants_out;	/* EPOLLOUT is set */
	u64	out_counted;	/* of conn.bytes_out, in the statistics */
};

struct gvm_link {
	struct gvm_lane	lane[GVM_LANES];
	u32	handle;		/* region, from ATTACHED */
	u32	epoch;
	u64	pages_free;	/* as last told */
	u32	first;		/* unanswered requests, oldest first */
	u32	last;
	u32	requests;	/* how many */
	u32	trim;		/* TRIM being gathered, or GVM_REQUEST_NONE */
	u8	full;		/* refused a WRITE for lack of room */
	u8	attached_before;
	u64	stored;		/* pages it holds of ours, as we count them */
	u64	chunks;		/* placed there: each may grow to 512 pages */
	u64	promised;	/* of ours in gvm_room.promised */
	u64	retry_ns;	/* when to connect again; 0: not waiting */
	u64	backoff_ns;
	u64	alive_ns;	/* last time it answered anything */
	u64	waiting_ns;	/* since when something waits for it; 0: nothing */
};

/* What gvm_hold() asked for. */
struct gvm_held {
	u64	start;
	u64	end;
};

struct gvm_shard {
	struct gvm *gvm;
	u32	index;
	int	uffd;
	int	staging_uffd;		/* where eviction moves; or -1 */
	int	epfd;
	int	wakefd;			/* eventfd: the mailbox has something */
	u8	stop;
	u8	quiet;			/* draining: serve no fault */
	u8	starting;		/* an unreachable server ends the init */
	int	started;		/* futex (atomic): 0 not yet, 1, or -errno */
	u8	region[16];		/* our region on every server */
	u8	token[16];
	struct gvm_thread thread;

	/* messages of the kernel being served */
	struct gvm_uffd_event events[GVM_EVENTS_MAX];
	struct gvm_uffd_event fresh[GVM_UFFD_EVENTS];	/* while collecting */
	u32	events_nr;
	u8	evicting;
	u8	collecting;		/* chunks in use: remove none */
	u8	making_room;		/* between the low and the high mark */

	/* mailbox; others push (atomic), the thread takes all */
	struct gvm_command *mail;

	/* pages */
	struct gvm_table table;
	struct gvm_cache cache;
	struct gvm_fetch fetch;
	struct gvm_staging staging;
	struct gvm_recycle recycle;
	struct gvm_dropper dropper;
	u64	fetching;		/* frames promised to READs under way */
	u64	frames;			/* limit of this shard, in pages */
	u64	low;			/* water marks of free frames */
	u64	high;
	u64	staging_target;
	u64	frames_wanted;		/* set by others (atomic): new limit */
	u64	parked[GVM_PARKED_MAX];	/* addresses | 1 if write; a ring */
	u64	parked_head;
	u64	parked_tail;
	u64	parked_ns;		/* since when the oldest waits */
	struct gvm_held held[GVM_HOLDS_MAX];
	u32	held_nr;
	u64	held_pages;
	u64	zero_next;		/* end of the last run of first touches */
	u64	copying;		/* address (others read it); 0: none */
	u64	copies;			/* how many are done (likewise) */
	u64	huge_scratch;		/* address of a 2 MiB area, or 0 */
	u64	huge_hand;		/* next chunk to look at */
	u64	now_ns;			/* of this turn of the loop */
	u64	awake_ns;		/* look until then before sleeping */
	u32	looks;
	u64	tick_ns;		/* last housekeeping */

	/* network */
	struct gvm_link *links;		/* one per server */
	struct gvm_request *requests;
	u32	request_free;		/* list of those that were used before */
	u32	requests_fresh;		/* the others begin here: no memory yet */
	u32	requests_used;
	u32	read_pages;		/* largest READ: its answer needs room */
	u32	urgent;			/* of them on lane 0: a thread waits */
	u16	urgent_server;		/* where the last of them went */
	u16	full_last;		/* who refused a WRITE last, for its name */
	u32	trims_open;		/* links that gather a TRIM */
	u32	place;			/* next server for a new chunk */
	u64	txn;
	struct gvm_clone clone;		/* payload of the CLONEs under way */

	/* room for gathering one message, too large for a stack */
	struct iovec iov[GVM_REQUEST_PAGES + 2];
	const void *bodies[GVM_REQUEST_PAGES];
	u8	head[sizeof(struct gvm_msg) + sizeof(struct gvm_batch) +
		     GVM_REQUEST_PAGES * sizeof(struct gvm_write_desc)];

	struct gvm_stats *stats;	/* in shared memory; one writer: us */
};

/* Servers beyond the last that has figures of its own are summed there. */
static inline struct gvm_stats_server *
gvm_server_stats(const struct gvm_shard *s, u16 server)
{
	return &s->stats->server[server < GVM_STATS_SERVERS ? server :
				 GVM_STATS_SERVERS - 1];
}

static inline u64 gvm_page_va(const struct gvm_chunk *chunk, u32 idx)
{
	return chunk->va0 + ((u64)idx << GVM_PAGE_SHIFT);
}

static inline u32 gvm_page_idx(u64 va)
{
	return (u32)(va >> GVM_PAGE_SHIFT) & (GVM_CHUNK_PAGES - 1);
}

/* shard.c */
int gvm_shard_init(struct gvm_shard *s, struct gvm *gvm, u32 index,
		   struct gvm_stats *stats);
int gvm_shard_open(struct gvm_shard *s);
void gvm_shard_close(struct gvm_shard *s);
int gvm_shard_start(struct gvm_shard *s);
void gvm_shard_fini(struct gvm_shard *s);
void gvm_shard_run(void *shard);
/* Serve the network once, no faults; waits at most timeout_ms. */
void gvm_shard_pump(struct gvm_shard *s, int timeout_ms);
void gvm_shard_limit(struct gvm_shard *s, u64 frames);

/* fault.c: what a message of the kernel means */
void gvm_fault_read_all(struct gvm_shard *s);
void gvm_fault_collect(struct gvm_shard *s);
void gvm_fault(struct gvm_shard *s, u64 va, bool write);
void gvm_fault_retry_parked(struct gvm_shard *s);
void gvm_fault_check_parked(struct gvm_shard *s);

/* apply.c: carry out what the page table of states said */
struct gvm_chunk *gvm_chunk_of(struct gvm_shard *s, u64 va);
void gvm_page_event(struct gvm_shard *s, struct gvm_chunk *chunk, u32 idx,
		    enum gvm_page_event event, u16 *ret_actions);
void gvm_apply_zero(struct gvm_shard *s, struct gvm_chunk *chunk, u32 idx,
		    bool write);
void gvm_apply_steal(struct gvm_shard *s, struct gvm_chunk *chunk, u32 idx,
		     u32 slot, bool dirty);
void gvm_apply_data(struct gvm_shard *s, struct gvm_request *r,
		    const void *payload);
u64 gvm_free_frames(const struct gvm_shard *s);
void gvm_fetch_page(struct gvm_shard *s, struct gvm_chunk *chunk, u32 idx,
		    bool write);
void gvm_fetch_touched(struct gvm_shard *s, u64 page);
void gvm_prefetch(struct gvm_shard *s, const struct gvm_fetch_advice *advice);
void gvm_cancel_fetch(struct gvm_shard *s, u32 word);
void gvm_park(struct gvm_shard *s, u64 va, bool write);

/* huge.c: huge pages where there is room for them */
u8 gvm_huge_host(void);
bool gvm_huge_first_touch(struct gvm_shard *s, struct gvm_chunk *chunk);
void gvm_huge_tick(struct gvm_shard *s);
void gvm_huge_forget(struct gvm_chunk *chunk);

/* evict.c: keep room free, ahead of demand */
bool gvm_evict_work(struct gvm_shard *s);
void gvm_evict_drain(struct gvm_shard *s);
/* The page at idx now rests in the slot at head. */
void gvm_evict_staged(struct gvm_shard *s, struct gvm_chunk *chunk, u32 idx);
/* It stays, and is looked at again later. */
void gvm_evict_rotate(struct gvm_shard *s, struct gvm_chunk *chunk, u32 idx);
bool gvm_held_overlaps(const struct gvm_shard *s, u64 start, u64 end);

/* drop.c: MADV_DONTNEED in the program's memory, ours and others' */
long gvm_drop(struct gvm_shard *s, u64 va, u64 len);
void gvm_drop_told(struct gvm_shard *s, const struct gvm_uffd_event *e);
void gvm_drop_fini(struct gvm_shard *s);
void gvm_drop_forget(struct gvm_shard *s);

/* staging.c */
int gvm_staging_init(struct gvm_shard *s, u64 target);
void gvm_staging_fini(struct gvm_shard *s);
u64 gvm_staging_room(const struct gvm_staging *st);
static inline u8 *gvm_slot_memory(const struct gvm_staging *st, u32 slot)
{
	return st->memory + (u64)slot * GVM_PAGE_BYTES;
}
/* The slot's content is not needed; has_memory: but its page is still there. */
void gvm_slot_free(struct gvm_staging *st, u32 slot, bool has_memory);
void gvm_staging_unfill(struct gvm_staging *st, u64 pages);
u64 gvm_staging_release(struct gvm_shard *s, u64 pages);
/* Give the memory of these positions back. */
void gvm_staging_drop(struct gvm_staging *st, u64 from, u64 to);
void gvm_staging_send(struct gvm_shard *s, u64 up_to);
void gvm_staging_written(struct gvm_shard *s, struct gvm_request *r);
void gvm_staging_refused(struct gvm_shard *s, struct gvm_request *r);

/* recycle.c */
int gvm_recycle_init(struct gvm_shard *s, u64 frames);
void gvm_recycle_fini(struct gvm_shard *s);
u32 gvm_recycle_install(struct gvm_shard *s, const struct gvm_request_page *p,
			u32 n, const void *body, enum gvm_cache_why why);
bool gvm_recycle_same(struct gvm_shard *s, u64 va, u32 word,
		      const u8 *memory, u32 *ret_crc);
void gvm_recycle_keep(struct gvm_shard *s, u64 frames);
void gvm_recycle_fit(struct gvm_shard *s, u64 frames);

/* trim.c: tell homes what nobody will read again */
void gvm_trim_add(struct gvm_shard *s, struct gvm_chunk *chunk, u32 idx);
void gvm_trim_flush(struct gvm_shard *s);
void gvm_page_trimmed(struct gvm_shard *s, u64 va, u32 count);

/* request.c */
int gvm_requests_init(struct gvm_shard *s);
struct gvm_request *gvm_request_get(struct gvm_shard *s, u16 type,
				    u16 server, u8 lane);
u32 gvm_request_index(const struct gvm_shard *s, const struct gvm_request *r);
/* True: gvm_request_get() would find none. */
bool gvm_request_none(const struct gvm_shard *s);
struct gvm_request *gvm_request_find(struct gvm_shard *s, u64 txn);
void gvm_request_put(struct gvm_shard *s, struct gvm_request *r);
/* The next entry of a request as one word, and back. */
static inline u32 gvm_request_word(const struct gvm_shard *s,
				   const struct gvm_request *r)
{
	return (u32)(r - s->requests) << GVM_REQUEST_SHIFT | r->pages;
}

static inline struct gvm_request_page *
gvm_request_entry(const struct gvm_shard *s, u32 word)
{
	return &s->requests[word >> GVM_REQUEST_SHIFT].
		page[word % GVM_REQUEST_PAGES];
}

/* Put it on the wire, or leave it queued until the link can. */
void gvm_request_send(struct gvm_shard *s, struct gvm_request *r);
void gvm_request_resend_all(struct gvm_shard *s, u16 server);
void gvm_request_answered(struct gvm_shard *s, u16 server,
			  const struct gvm_head *head, const void *payload);

/* place.c */
void gvm_place_told(struct gvm_shard *s, u16 server, u64 pages_free);
void gvm_place_tick(struct gvm_shard *s);
u16 gvm_link_place(struct gvm_shard *s);

/* session.c: from a socket to both lanes up */
void gvm_session_open(struct gvm_shard *s, u16 server);
void gvm_session_connected(struct gvm_shard *s, u16 server, u8 lane);
void gvm_session_message(struct gvm_shard *s, u16 server, u8 lane,
			 const struct gvm_head *head, const void *payload);
void gvm_session_failed(struct gvm_shard *s, u16 server, int err,
			const char *why);

/* link.c */
int gvm_links_init(struct gvm_shard *s);
void gvm_links_fini(struct gvm_shard *s, bool drop);
void gvm_link_event(struct gvm_shard *s, u16 server, u8 lane, u32 events);
void gvm_links_tick(struct gvm_shard *s);
void gvm_links_forgive(struct gvm_shard *s);
void gvm_link_lost(struct gvm_shard *s, u16 server, const char *why);
bool gvm_link_up(const struct gvm_shard *s, u16 server);
void gvm_lane_watch(struct gvm_shard *s, u16 server, u8 lane);
void gvm_lane_want_out(struct gvm_shard *s, u16 server, u8 lane, bool on);

#endif
