/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of `giantvm run`: what was asked for (cmd-run.c), the program's
 * environment (launch.c), its life (supervise.c), and a memory server of its
 * own where none was named (embed.c).
 */
#ifndef GVM_CLI_RUN_H
#define GVM_CLI_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define GVM_RUN_SHARED_MAX	8

enum gvm_heap {
	GVM_HEAP_AUTO,
	GVM_HEAP_JEMALLOC,
	GVM_HEAP_LIBC,
};

/* NULL and negative: leave it to the attach library's default. */
struct gvm_run {
	char		*servers;	/* "ip:port,ip:port" */
	uint64_t	local_bytes;
	int64_t		prefetch_pages;
	int64_t		min_map_bytes;
	int64_t		wait_ms;
	int64_t		shards;
	const char	*engine;
	const char	*evict;
	enum gvm_heap	heap;
	bool		quiet;
	char		*shared;	/* GIANTVM_SHARED, see shared.c */
	uint64_t	shared_local;	/* 0: all of a region */
	const char	*record;	/* a file for its misses; NULL: none */
	int64_t		node;
	const char	*listen;
	struct gvm_conf	*cluster;
	char		**argv;		/* the command */
};

struct gvm_program;
struct gvm_conf;

/*
 * Regions as the command line names them, NAME:SIZE@PATH (NAME@PATH with a
 * cluster file), each with its servers.  Complains and returns false.
 */
bool gvm_run_shared(struct gvm_run *run, char *const *words, int nr);
bool gvm_run_cluster(struct gvm_run *run, const char *path);

/*
 * Set up this process's environment for the program; called before it is
 * forked.  Complains and returns false if something is missing.
 */
bool gvm_launch_prepare(const struct gvm_run *run,
			const struct gvm_program *program);

/*
 * Start a memory server in a process of its own, on a free port of the
 * loopback.  *ret_address is to be freed.  Returns its pid; complains, -1.
 */
pid_t gvm_embed_start(char **ret_address);
/* The last client is gone: end it, and wait until it has ended. */
void gvm_embed_stop(pid_t pid);

/*
 * Run the command, and stay until it and everything it left running have
 * ended.  server_pid: of the embedded server, or 0.  Returns the exit status.
 */
int gvm_supervise(const struct gvm_run *run, pid_t server_pid);

#endif
