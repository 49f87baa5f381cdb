/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory server, to be started inside a program: what `giantvm serve` is,
 * and what `giantvm run` starts for itself when it is given no server.
 */
#ifndef GVM_SERVER_SERVER_H
#define GVM_SERVER_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GVM_SERVER_LISTEN	"127.0.0.1:9999"
#define GVM_SERVER_THREADS_MAX	64u
#define GVM_SERVER_LEASE_MS	60000u
/* 0 in the configuration: the default.  This: never. */
#define GVM_SERVER_SPIN_US	100u
#define GVM_SERVER_SPIN_US_MAX	10000u
#define GVM_SERVER_SPIN_NEVER	UINT32_MAX
#define GVM_SERVER_NODE_LEASE_MS 5000u
#define GVM_SERVER_LEASE_MS_MAX	(7u * 24 * 3600 * 1000)

struct gvm_server;
struct gvm_pipe;

struct gvm_server_config {
	const char	*listen;	/* "ADDR:PORT"; port 0: any.  NULL: default */
	uint64_t	memory_bytes;	/* capacity */
	const char	*store;		/* NULL or "anon", or "file:PATH" */
	unsigned	threads;	/* 0: one */
	uint32_t	lease_ms;	/* 0: default */
	uint32_t	node_lease_ms;	/* of nodes of shared regions; 0: default */
	uint32_t	spin_us;	/* before a thread sleeps; 0: default */
	bool		insecure;	/* other than loopback addresses too */
	/*
	 * No thread answers requests: the caller does, with gvm_server_turn().
	 * For a program with a thread that asks this server more than all
	 * others do, and would only wait for ours.  One thread.
	 */
	bool		driven;
	int		fd_min;		/* no descriptor of ours below this */
	/*
	 * One line for the operator, without an end of line.  From any thread.
	 * NULL: nobody wants to know.
	 */
	void		(*log)(const char *line, void *arg);
	void		*log_arg;
};

struct gvm_server_stats_now {
	uint64_t	pages_max;
	uint64_t	pages_used;
	uint64_t	overhead_bytes;
	uint64_t	regions;
	uint64_t	connections;
	uint64_t	pages_read;
	uint64_t	pages_written;
	uint64_t	requests;
};

/*
 * 0, or -errno and *ret_why, one line that says what to do; it is valid until
 * the next call in this thread.  Signals that the threads of the server must
 * not take have to be blocked by the caller before.
 */
int gvm_server_start(const struct gvm_server_config *config,
		     struct gvm_server **ret_server, const char **ret_why);

/* Cuts all connections; a file store is synced first.  0 or -errno of that. */
int gvm_server_stop(struct gvm_server *server);

/* Driven: readable when there is something to do for gvm_server_turn(). */
int gvm_server_fd(const struct gvm_server *server);
/*
 * Driven: do a bounded part of what there is to do, without waiting.  Always
 * by the same thread, which may be any that libc knows.  events: that was
 * readable; else only the pipe is looked at.  True: there is more.  To be called
 * some times a second in any case: messages that nobody waits for are kept back to
 * go with others, for 2 ms or until the next call after that.
 */
bool gvm_server_turn(struct gvm_server *server, bool events);
/*
 * Driven, before the first turn: a connection for the thread that drives, as
 * the client's end of a pipe (net/pipe.h).  NULL: no memory.
 */
struct gvm_pipe *gvm_server_pipe(struct gvm_server *server);

uint16_t gvm_server_port(const struct gvm_server *server);
/* "127.0.0.1:9999", as it really is.  Valid until the stop. */
const char *gvm_server_address(const struct gvm_server *server);
void gvm_server_stats(struct gvm_server *server,
		      struct gvm_server_stats_now *ret_stats);

#endif
