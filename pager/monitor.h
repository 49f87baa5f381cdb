/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file through which others watch a process: <runtime dir>/<pid>, mapped
 * by the process and by its watchers.  Counters are plain words with one
 * writer each; a watcher may see them a moment apart.
 *
 * The process holds a lock on it (F_OFD_SETLK) by a close-on-exec descriptor.
 * A file without that lock was left behind: its process has ended, or has
 * become another program by exec().  That program, if it is paged too, finds
 * the file in its way and renames it to <pid>.<number>, because the keys to
 * the old regions are in it.
 */
#ifndef GVM_PAGER_MONITOR_H
#define GVM_PAGER_MONITOR_H

#include <sys/types.h>
#include "../include/giantvm/giantvm.h"
#include "gvm_port.h"

#define GVM_MONITOR_MAGIC	0x334e4f4d4d5647ull	/* of this layout */
#define GVM_MONITOR_SHARDS	16u

struct gvm_monitor {
	u64	magic;
	u32	pid;
	u32	shards_nr;
	u64	start_time;	/* of the process, /proc/PID/stat field 22 */
	u64	wanted_bytes;	/* written by a watcher: new local limit */
	u64	supervisor;	/* pid of its `giantvm run`; 0: none */
	u8	region[GVM_MONITOR_SHARDS][16];
	u8	token[GVM_MONITOR_SHARDS][16];
	u8	servers[2048];	/* addresses, comma separated, cut to fit */
	u8	reserved[1496];
	struct gvm_stats stats[];	/* one per shard */
};

static_assert(offsetof(struct gvm_monitor, stats) == 4096, "file layout");

/* "<runtime dir>" or "<runtime dir>/<pid>" into buf; false: too long. */
bool gvm_monitor_path(char *buf, size_t size, pid_t pid);

/*
 * Is this the first process of its run to ask?  True for one that has no
 * supervisor.
 */
bool gvm_monitor_first(pid_t supervisor);
/* The mark of that. */
void gvm_monitor_first_path(char *buf, size_t size, pid_t supervisor);

/* A file as its readers see it. */
struct gvm_view {
	struct gvm_monitor *monitor;
	size_t	bytes;
	bool	locked;		/* by the process that wrote it */
};

/* Takes the descriptor, -1 too.  0, or -ESRCH if that is no sound file. */
int gvm_view_open(int fd, int prot, struct gvm_view *ret_view);
void gvm_view_close(const struct gvm_view *v);
/* Does the process run on, as the program that wrote the file? */
bool gvm_view_alive(const struct gvm_view *v);

/* The process is the sum of its shards. */
void gvm_stats_sum(const struct gvm_monitor *m, struct gvm_stats *ret_stats);

#endif
