/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A shared region in this process: one userfaultfd, one thread, a connection
 * to each of its homes, and connections to peers as they are needed.
 *
 * core/node.c decides; here is what it decides about.  There is one instance
 * of it for each home, because memberships, and so epochs, are per home; a
 * page's home (slices.h) says which one a message or a fault is for.
 *
 * Everything in struct gvm_shared is touched by its thread alone, except what
 * is marked.  Other threads ask through the mailbox (shared-command.c).
 */
#ifndef GVM_PAGER_SHARED_H
#define GVM_PAGER_SHARED_H

#include <sys/socket.h>
#include <sys/uio.h>

#include "../include/giantvm/giantvm.h"
#include "codec.h"
#include "conn.h"
#include "hist.h"
#include "migratory.h"
#include "node.h"
#include "sharers.h"
#include "slices.h"
#include "thread.h"
#include "uffd.h"

#define GVM_VIEWS_MAX		64u	/* mappings of one region */
#define GVM_PEERS_MAX		256u	/* connections at a time */
#define GVM_PEER_NONE		0xffffu
#define GVM_FAULTS_SEEN_MAX	4096u	/* read, and not served yet */
#define GVM_FAULTS_PARKED_MAX	1024u
#define GVM_STAMPS		1024u	/* faults whose time is known */
#define GVM_SHARED_AWAKE_NS	200000ull /* after an event: no sleep */
#define GVM_SHARED_PROMPT_NS	20000ull /* the same, where CPUs wake up soon */
#define GVM_HOME_BACKOFF_MIN_NS	10000000ull
#define GVM_HOME_RX_BYTES	(256u << 10)
#define GVM_HOME_TX_BYTES	(1u << 20)
#define GVM_PEER_RX_BYTES	(64u << 10)
#define GVM_PEER_TX_BYTES	(128u << 10)

/* One mapping of (a part of) the region. */
struct gvm_shared_view {
	u64	start;
	u64	end;
	u64	page0;		/* of the region, at start */
};

/* A page that was read or kept: core/node.c names it by its number. */
struct gvm_kept {
	u32	crc;
	bool	zero;
};

enum gvm_link_state {
	GVM_LINK_DOWN,
	GVM_LINK_ASKING,	/* peer: for its address */
	GVM_LINK_CONNECTING,
	GVM_LINK_HELLO,
	GVM_LINK_JOIN,		/* peer: waits for PEER_HELLO */
	GVM_LINK_LEAVE,
	GVM_LINK_UP,
};

/* A home as this node sees it, and the node's side of its pages. */
struct gvm_home_link {
	struct gvm_conn conn;
	u8	state;		/* enum gvm_link_state */
	u8	joined;		/* once: now it is REJOIN */
	u8	left;
	bool	wants_out;
	u32	handle;
	u32	epoch;
	u64	lease_ns;
	u64	renewed_ns;	/* home had heard us then, at the latest */
	u64	ping_ns;	/* when the last PING went out */
	u64	retry_ns;	/* when to connect again */
	u64	backoff_ns;
	u64	began_ns;	/* of the try to connect */
	struct gvm_node *node;
	size_t	node_bytes;
	u8	*buffers;
	struct gvm_kept *kept;
	u32	buffers_nr;
};

struct gvm_peer_link {
	struct gvm_conn conn;
	u8	state;
	bool	wants_out;
	bool	inbound;
	bool	busy;		/* its message is being served: stays */
	u16	node;		/* GVM_NODE_NONE: not known yet */
	u32	epoch;
	u64	used_ns;
	u64	began_ns;	/* DOWN: not to be tried before */
};

struct gvm_stamp {
	u64	page;
	u64	ns;
	u8	kind;		/* enum gvm_shared_miss */
};

struct gvm_parked {
	u64	page;
	u8	want;		/* enum gvm_want */
	u32	thread;
};

struct gvm_shared_command;
struct gvm_test_net;
struct gvm_record;

struct gvm_shared {
	char	name[GVM_SHARED_NAME_MAX];
	u16	id;		/* this node */
	u8	region[16];
	u8	identity[16];
	u8	cluster[16];
	struct gvm_slices slices;
	u64	bytes;
	u64	slice_bytes;
	u32	lease_ms;	/* of a region that we make; 0: the server's */
	u64	frames;		/* limit, pages */
	u32	wait_ms;
	u64	hold_ns;
	u64	retry_ns;
	u32	flags;		/* GVM_SHARED_* */
	char	address[GVM_ADDRESS_MAX];
	struct gvm_uffd_caps caps;
	int	dev_fd;
	int	uffd;
	int	epfd;
	int	wakefd;
	int	listenfd;
	int	lease_timer;	/* of the kernel: kills us; -1: none */
	void	*memory;	/* the program's own, or NULL */
	int	memfd;		/* -1: private anonymous memory */
	void	*base;		/* of that */
	u8	stop;
	u8	create;		/* make the region if it is not there */
	u32	lost_told;
	int	started;	/* futex (atomic): 0 not yet, 1, or -errno */
	struct gvm_thread thread;
	int	(*start)(void (*run)(void *), void *region, void *arg);
	u32	running;	/* futex: the program's own thread is in run() */
	struct gvm_shared_command *mail;	/* atomic */
	struct gvm_shared_command *leave;	/* who waits for the end */
	u64	leave_ns;

	struct gvm_shared_view views[GVM_VIEWS_MAX];
	u32	views_nr;

	struct gvm_server_addr *servers;
	struct gvm_home_link *homes;
	u32	homes_nr;
	struct gvm_home_link *later;	/* has messages that nobody waits for */
	struct gvm_peer_link peers[GVM_PEERS_MAX];
	u16	peer_of[GVM_NODES_MAX];		/* index in peers */

	/* faults */
	struct gvm_uffd_event fresh[GVM_UFFD_EVENTS];	/* while reading */
	struct gvm_uffd_event seen[GVM_FAULTS_SEEN_MAX];	/* a ring */
	u32	seen_in;
	u32	seen_out;
	struct gvm_parked parked[GVM_FAULTS_PARKED_MAX];
	u32	parked_nr;
	struct gvm_stamp stamps[GVM_STAMPS];
	u64	now_ns;
	u64	awake_ns;	/* look until then before sleeping */
	u64	crowded_ns[2];	/* until then it is better to sleep at once:
				 * while no thread waits, while one does */
	int	idle_fd;	/* /dev/cpu_dma_latency; -1: none */
	bool	prompt;		/* idle CPUs are kept within call */
	u32	calm_ticks;
	u64	idle_moves;	/* until the last tick */
	u64	tick_ns;
	u64	stood_ns;	/* from the tick before to this one */
	struct gvm_migratory migratory;

	/* pages that are given away */
	u8	*taken;		/* shared-take.c; NULL: the long way */
	u32	taken_nr;	/* since it was empty */
	const u8 *took;		/* the one whose effects are carried out */

	/* the message being served */
	const u8 *body;		/* its page, or NULL */
	u32	body_crc;
	struct gvm_sharers list;
	struct gvm_co_out out;
	u8	head[GVM_CO_HEAD_BYTES_MAX];

	void	(*fatal)(const char *message, void *arg);
	void	(*flush_code)(void *addr, u64 bytes, void *arg);
	void	(*store_waits)(void *addr, u32 thread, void *arg);
	void	(*store_goes_on)(void *addr, u64 bytes, void *arg);
	int	(*own_server)(int readable, void *arg);
	u64	(*turn)(void *arg, u32 thread);	/* ns until pages may be asked for */
	struct gvm_pipe *own_pipe;	/* NULL: none, or it was closed */
	u32	own_at;			/* whose home link that is */
	bool	own_readable;		/* its sockets have something */
	bool	own_more;		/* it was not done */
	void	*arg;
	struct gvm_test_net *test_net;
	struct gvm_record *record;	/* NULL: nobody wants one */
	struct gvm_shared_stats *stats;		/* others read it */
	struct gvm_link_seen *links_seen;	/* shared-links.c */
	u64	stats_bytes;
	struct gvm_hot hot_of_home[GVM_SHARED_HOT];	/* shared-monitor.c */
	struct gvm_shared_hot hot[GVM_SHARED_HOT];
	u32	file;		/* its number */
	char	why[256];
};

static inline struct gvm_home_link *gvm_home_link_of(struct gvm_shared *r, u64 page)
{
	return &r->homes[gvm_slices_server(&r->slices, page)];
}

static inline u32 gvm_home_link_index(const struct gvm_shared *r,
				      const struct gvm_home_link *h)
{
	return (u32)(h - r->homes);
}

static inline const char *gvm_home_link_name(const struct gvm_shared *r,
					     const struct gvm_home_link *h)
{
	return r->servers[gvm_home_link_index(r, h)].text;
}

/* shared.c */
void gvm_shared_run(void *region);
void gvm_shared_fatal(struct gvm_shared *r, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));
void gvm_shared_watch(struct gvm_shared *r, int op, int fd, u64 data,
		      bool out);
/* The start has come to an end: 1, or -errno with r->why set. */
void gvm_shared_started(struct gvm_shared *r, int result);

/* What epoll says: a kind and an index. */
#define GVM_DATA_UFFD		(1ull << 32)
#define GVM_DATA_WAKE		(2ull << 32)
#define GVM_DATA_LISTEN		(3ull << 32)
#define GVM_DATA_HOME		(4ull << 32)
#define GVM_DATA_PEER		(5ull << 32)
#define GVM_DATA_OWN		(6ull << 32)

/* shared-memory.c: what a page of the region is in this process */
int gvm_shared_memory_init(struct gvm_shared *r);
void gvm_shared_memory_fini(struct gvm_shared *r);
int gvm_shared_view_add(struct gvm_shared *r, u64 start, u64 end, u64 page0);
void gvm_shared_view_cut(struct gvm_shared *r, u64 start, u64 end);
/* Page of an address; false: none of ours. */
bool gvm_shared_view_page(const struct gvm_shared *r, u64 va, u64 *ret_page);
void gvm_page_protect(struct gvm_shared *r, u64 page);
void gvm_page_read(struct gvm_shared *r, u64 page, u8 *to);
void gvm_page_unmap(struct gvm_shared *r, u64 page);
void gvm_page_flush_code(struct gvm_shared *r, u64 page);
void gvm_page_install(struct gvm_shared *r, u64 page, const u8 *from,
		      bool writable);
/* The same for many pages that are missing: zeros, writable. */
void gvm_pages_zero(struct gvm_shared *r, u64 page, u64 pages);
/* Is it private memory that one view shows whole?  Then the above may do. */
bool gvm_pages_one_view(const struct gvm_shared *r, u64 page, u64 pages);
void gvm_page_unprotect(struct gvm_shared *r, u64 page);
/* The fault is satisfied already; writable: for writers too. */
void gvm_page_wake(struct gvm_shared *r, u64 page, bool writable);
void gvm_page_lost(struct gvm_shared *r, u64 page);

/* shared-take.c: protect, read and unmap in one */
void gvm_take_init(struct gvm_shared *r);
void gvm_take_fini(struct gvm_shared *r);
/*
 * Nobody can write or read the page from here on (TLBs too); its bytes, until
 * the next call.  NULL: that cannot be, and nothing was changed.
 */
const u8 *gvm_page_take(struct gvm_shared *r, u64 page);

/* shared-apply.c: carry out what the core said */
void gvm_shared_carry(struct gvm_shared *r, struct gvm_home_link *home);
/* Does nothing, but in a build for one test. */
void gvm_seed_tick(struct gvm_shared *r);
/* A judged message 32 .. 45 from a home or peer. */
void gvm_shared_message(struct gvm_shared *r, const struct gvm_head *head,
			const void *payload, u16 from);

/* shared-fault.c: what the kernel says, and the local limit */
/* Read all faults.  Who waits with a store is known then; false: not all. */
bool gvm_shared_see(struct gvm_shared *r);
/* Serve those that were read. */
void gvm_shared_faults(struct gvm_shared *r);
void gvm_shared_retry_parked(struct gvm_shared *r);
void gvm_shared_make_room(struct gvm_shared *r, struct gvm_home_link *home,
			  u32 pages);
/* A page came: how long did it take? */
void gvm_shared_stamp_end(struct gvm_shared *r, u64 page);
/* Give everything back; true when nothing is left. */
bool gvm_shared_sweep(struct gvm_shared *r);

/* shared-home.c: connections to homes, and the lease */
void gvm_home_link_event(struct gvm_shared *r, u32 index, u32 events);
void gvm_homes_tick(struct gvm_shared *r);
void gvm_homes_fini(struct gvm_shared *r);
/* A whole message; dropped if the home is not there, or takes no more. */
void gvm_home_link_send(struct gvm_shared *r, u32 index, struct iovec *iov, int nr);
/* The same, of which nobody waits for: it goes with the next, or by the flush. */
void gvm_home_link_later(struct gvm_shared *r, u32 index, struct iovec *iov,
			 int nr);
void gvm_homes_flush(struct gvm_shared *r);
/* Anything but pages; false: the connection has failed. */
bool gvm_home_link_post(struct gvm_shared *r, struct gvm_home_link *h, u16 type,
			u64 txn, void *payload, u32 bytes);
void gvm_home_link_connect(struct gvm_shared *r, struct gvm_home_link *h);
void gvm_home_link_down(struct gvm_shared *r, struct gvm_home_link *h);
/* Down, and before the start the end of it. */
void gvm_home_link_lost(struct gvm_shared *r, struct gvm_home_link *h,
			const char *why);

/* shared-session.c: HELLO, JOIN, who the others are, LEAVE */
void gvm_shared_hello(struct gvm_shared *r, struct gvm_home_link *h);
/* Any message of a home. */
void gvm_shared_session(struct gvm_shared *r, struct gvm_home_link *h,
			const struct gvm_head *head, const void *payload);
void gvm_home_link_ask_peer(struct gvm_shared *r, u16 node);
/* Everything has been given back: say so.  True: all know. */
bool gvm_homes_leave(struct gvm_shared *r);

/* shared-lease.c: the lease ends, and our thread does not run */
void gvm_lease_timer_init(struct gvm_shared *r);
void gvm_lease_timer_fini(struct gvm_shared *r);
/* A home was joined, left or heard. */
void gvm_lease_timer_set(struct gvm_shared *r);

/* shared-idle.c: the host's idle CPUs */
void gvm_idle_init(struct gvm_shared *r);
void gvm_idle_tick(struct gvm_shared *r);
void gvm_idle_fini(struct gvm_shared *r);

/* shared-peer.c: connections to other nodes */
int gvm_peers_init(struct gvm_shared *r, const char *listen);
void gvm_peers_fini(struct gvm_shared *r);
void gvm_peer_accept(struct gvm_shared *r);
void gvm_peer_event(struct gvm_shared *r, u32 index, u32 events);
void gvm_peer_send(struct gvm_shared *r, u16 node, struct iovec *iov, int nr);
void gvm_peer_is(struct gvm_shared *r, u16 node, u32 epoch,
		 const char *address);
void gvm_peer_gone(struct gvm_shared *r, u16 node);
void gvm_peers_tick(struct gvm_shared *r);

/* socket.c */
void gvm_peers_address(struct gvm_shared *r, int fd);
int gvm_peers_listen(struct gvm_shared *r, const char *at, int backlog);

/* shared-monitor.c: the statistics, for other processes, too */
int gvm_shared_monitor_open(struct gvm_shared *r);
void gvm_shared_monitor_close(struct gvm_shared *r);
void gvm_shared_monitor_tick(struct gvm_shared *r);

/* shared-links.c: what went over which connection */
int gvm_shared_links_init(struct gvm_shared *r);
void gvm_shared_links_fini(struct gvm_shared *r);
void gvm_shared_links_tick(struct gvm_shared *r);

/* shared-test-net.c: a bad network for tests ($GIANTVM_TEST_NET) */
int gvm_test_net_init(struct gvm_shared *r);
void gvm_test_net_fini(struct gvm_shared *r);
/* True: taken care of (lost, or delayed); else send it now. */
bool gvm_test_net_takes(struct gvm_shared *r, u16 node, u32 home,
			const struct iovec *iov, int nr);
u64 gvm_test_net_tick(struct gvm_shared *r);

/* shared-record.c: $GIANTVM_RECORD; without it these do nothing */
int gvm_record_init(struct gvm_shared *r);
void gvm_record_fini(struct gvm_shared *r);
void gvm_record_fault(struct gvm_shared *r, u64 page, bool write);
void gvm_record_flush(struct gvm_shared *r);

/* shared-command.c: what other threads ask for */
enum gvm_shared_op {
	GVM_SHARED_VIEW_ADD,
	GVM_SHARED_VIEW_CUT,
	GVM_SHARED_LEAVE,
};

struct gvm_shared_command {
	struct gvm_shared_command *next;
	enum gvm_shared_op op;
	u64	start;
	u64	end;
	u64	page0;
	int	result;
	u32	done;		/* futex */
};

int gvm_shared_command_run(struct gvm_shared *r, struct gvm_shared_command *c);
void gvm_shared_commands_serve(struct gvm_shared *r);
void gvm_shared_command_end(struct gvm_shared_command *c, int result);

#endif
