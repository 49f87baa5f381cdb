/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine as a whole: what its shards share, and who may touch it. */
#ifndef GVM_PAGER_ENGINE_H
#define GVM_PAGER_ENGINE_H

#include <stdarg.h>

#include "shard.h"

#define GVM_SHARDS_MAX	16u
#define GVM_LOCAL_MIN	(1ull << 20)	/* least local limit, bytes */
#define GVM_SLICE_SHIFT	30		/* addresses belong to shards by 1 GiB */

enum gvm_huge_mode {
	GVM_HUGE_NEVER,
	GVM_HUGE_ASKED,		/* for ranges with MADV_HUGEPAGE */
	GVM_HUGE_ALWAYS,
};

/* A registered range; never spans a slice when there are several shards. */
struct gvm_range {
	u64	start;
	u64	end;
	u64	offset;		/* in fd, of start */
	int	fd;		/* -1: anonymous */
	u8	shared;
	u8	no_fork;	/* the child must not inherit it */
	u8	huge;		/* the program asked for huge pages */
};

/*
 * All registered ranges, sorted.  Written under ranges.lock; read by anybody
 * without it: readers retry when seq was odd or has changed.  A grown array's
 * predecessor is never unmapped, because a reader may still be in it.
 */
struct gvm_ranges {
	struct gvm_lock	lock;
	u32	seq;
	struct gvm_range *list;
	u64	nr;
	u64	cap;
	u64	pages;
};

struct gvm_server_addr {
	struct sockaddr_storage	addr;
	socklen_t	len;
	char		text[56];
};

/* A server's room, as all shards see it (atomic); place.c. */
struct gvm_room {
	u64	pages_free;	/* as it told any of them last */
	u64	promised;	/* what their chunks there may still need */
};

struct gvm_monitor;

/* What other threads ask of a shard; command.c. */
enum gvm_op {
	GVM_OP_REGISTER,
	GVM_OP_UNREGISTER,
	GVM_OP_DISCARD,
	GVM_OP_HOLD,
	GVM_OP_RELEASE,
	GVM_OP_QUERY,		/* which pages of a chunk are not known zero */
	GVM_OP_QUIESCE,		/* drain, clone, and stop until resumed */
	GVM_OP_STOP,
};

struct gvm_command {
	struct gvm_command *next;
	enum gvm_op op;
	u64	start;
	u64	end;
	struct gvm_range range;		/* REGISTER */
	bool	populate;		/* HOLD */
	u64	bitmap[GVM_CHUNK_PAGES / 64];	/* QUERY */
	u8	new_region[16];		/* QUIESCE */
	u8	new_token[16];
	u32	resume;			/* QUIESCE: futex, 1: go on */
	int	result;
	u32	done;			/* futex */
};

struct gvm {
	struct gvm_server_addr *servers;
	u32	servers_nr;
	struct gvm_room *rooms;		/* one per server */
	u32	shards_nr;
	struct gvm_shard *shards[GVM_SHARDS_MAX];
	struct gvm_uffd_caps caps;
	int	dev_fd;			/* /dev/userfaultfd, kept for fork; or -1 */
	u8	move;			/* eviction by UFFDIO_MOVE */
	u8	huge;			/* enum gvm_huge_mode: the host's setting */
	u8	forked;			/* pages may be shared by a fork */
	u8	fork_failed;		/* this fork's child inherits nothing */
	u64	local_bytes;
	u32	prefetch_pages;
	u32	wait_ms;
	u64	start_ns;
	char	engine_line[192];
	char	name[64];
	char	why[256];		/* reason of a failed init */
	void	(*fatal)(const char *message, void *arg);
	void	*fatal_arg;
	struct gvm_ranges ranges;
	struct gvm_lock fork_lock;	/* one fork at a time */
	struct gvm_lock limit_lock;
	struct gvm_command *fork_commands;	/* one per shard */
	u64	fork_signals;		/* mask to restore */
	struct gvm_monitor *monitor;
	u64	monitor_bytes;
	struct gvm_thread guard;	/* guard.c */
	u32	guarded;
	u32	guard_stop;		/* futex */
	int	monitor_fd;		/* holds the lock on its file; or -1 */
};

static inline struct gvm_shard *gvm_shard_of(const struct gvm *g, u64 va)
{
	return g->shards[(va >> GVM_SLICE_SHIFT) % g->shards_nr];
}

/* ranges.c */
int gvm_ranges_init(struct gvm_ranges *r);
int gvm_ranges_add(struct gvm_ranges *r, const struct gvm_range *range);
void gvm_ranges_cut(struct gvm_ranges *r, u64 start, u64 end);
bool gvm_ranges_find(const struct gvm_ranges *r, u64 va,
		     struct gvm_range *ret_range);
int gvm_ranges_set(struct gvm_ranges *r, u64 start, u64 end, int huge,
		   int no_fork);
void gvm_ranges_put_fd(struct gvm_ranges *r, int fd);
/* The first range that overlaps [start, end); false: none. */
bool gvm_ranges_first(const struct gvm_ranges *r, u64 start, u64 end,
		      struct gvm_range *ret_range);

/* fatal.c: paging cannot go on; tell why and stop.  Printf-like: %s %u %x. */
void gvm_fatal(struct gvm *g, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));
/* Like snprintf for %s %u %llu %llx, without libc. */
void gvm_format(char *buf, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

void gvm_format_list(char *buf, size_t size, const char *format, va_list ap);
/* Like gvm_fatal, for who has no engine: told to its own function first. */
void gvm_fatal_text(void (*fatal)(const char *message, void *arg), void *arg,
		    const char *format, va_list ap) __attribute__((noreturn));

/* A descriptor moved to 4096 or above, close-on-exec; closes the old one. */
int gvm_fd_high(int fd);
/* Is this descriptor ours?  For wrappers of close(). */
int gvm_owns_fd(int fd);
void gvm_fd_mine(int fd, bool mine);

/* socket.c: a connection that is under way, or -errno */
long gvm_socket_connect(const struct sockaddr_storage *addr, u32 len);

/* servers.c: "host:port,host:port"; on failure g->why says what is wrong */
int gvm_parse_servers(struct gvm *g, const char *list);
/* The same for anybody; to be unmapped (nr entries). */
int gvm_parse_list(const char *list, struct gvm_server_addr **ret, u32 *ret_nr,
		   char *why, size_t why_bytes);
/* One; without resolve no name, and any thread may. */
int gvm_parse_address(struct gvm_server_addr *a, const char *text,
		      bool resolve);

/* guard.c: notices a shard that waits for itself */
void gvm_guard_start(struct gvm *g);
void gvm_guard_stop(struct gvm *g);
void gvm_guard_forget(struct gvm *g);

/* copy.c: a run of victims into staging; how many pages were dealt with */
u32 gvm_copy_run(struct gvm_shard *s, struct gvm_chunk *chunk, u32 first, u32 n,
		 const struct gvm_range *range);
/*
 * What lay at va was taken away just now.  Was anything unmapped meanwhile, or
 * since the list of events had `at` entries?  If it was this, and there is new
 * memory in its place, nobody knows which of the two was taken: the program is
 * stopped.  (Nor do we see new memory that was used and unmapped again within
 * these few microseconds.)
 */
void gvm_look_back(struct gvm_shard *s, u64 va, u64 len, u32 at);

/* limits: share local_bytes among the shards */
void gvm_share_limit(struct gvm *g);

/* monitor.c */
int gvm_monitor_open(struct gvm *g);
void gvm_monitor_close(struct gvm *g);
struct gvm_stats *gvm_monitor_stats(struct gvm *g, u32 shard);
void gvm_monitor_region(struct gvm *g, u32 shard, const u8 *region,
			const u8 *token);
/* Has another process asked for a new limit?  0: no. */
u64 gvm_monitor_wanted(struct gvm *g);

/* command.c */
int gvm_command_run(struct gvm_shard *s, struct gvm_command *c);
void gvm_command_post(struct gvm_shard *s, struct gvm_command *c);
int gvm_command_wait(struct gvm_command *c);
void gvm_commands_serve(struct gvm_shard *s);

/* discard.c, hold.c, fork.c: commands, in the shard's thread */
int gvm_do_register(struct gvm_shard *s, struct gvm_command *c);
int gvm_do_unregister(struct gvm_shard *s, u64 start, u64 end);
int gvm_do_discard(struct gvm_shard *s, u64 start, u64 end);
void gvm_forget_pages(struct gvm_shard *s, u64 start, u64 end);
int gvm_do_hold(struct gvm_shard *s, u64 start, u64 end, bool populate);
int gvm_do_release(struct gvm_shard *s, u64 start, u64 end);
void gvm_do_query(struct gvm_shard *s, struct gvm_command *c);
void gvm_do_quiesce(struct gvm_shard *s, struct gvm_command *c);

#endif
