/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a dead process left behind, for whoever cleans up after it: a program
 * that is killed, or just exits, does not tell its servers.
 */
#ifndef GVM_PAGER_WATCH_H
#define GVM_PAGER_WATCH_H

#include <stdint.h>
#include <sys/types.h>

#define GVM_REMAINS_REGIONS	16u

struct gvm_remains {
	pid_t		pid;
	pid_t		supervisor;	/* its `giantvm run`; 0: it had none */
	unsigned	regions_nr;
	uint8_t		region[GVM_REMAINS_REGIONS][16];
	uint8_t		token[GVM_REMAINS_REGIONS][16];
	char		servers[2048];	/* "ip:port,ip:port"; cut to fit */
};

/* Processes that are no more but have a file.  How many, as gvm_pids(). */
int gvm_dead_pids(pid_t *ret_pids, int max);
/* 0 or -errno. */
int gvm_remains_of(pid_t pid, struct gvm_remains *ret_remains);
/* Take away the file of a process that is no more. */
int gvm_remains_forget(pid_t pid);

/* Take away what the processes of a run left there together. */
void gvm_run_forget(pid_t supervisor);

#endif
