/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a process left behind, for whoever cleans up after it: a program that is
 * killed, or just exits, or becomes another one by exec(), does not tell its
 * servers.
 */
#ifndef GVM_PAGER_WATCH_H
#define GVM_PAGER_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <giantvm/giantvm.h>

#define GVM_REMAINS_REGIONS	16u
#define GVM_REMAINS_NAME	48u

struct gvm_remains {
	pid_t		supervisor;	/* its `giantvm run`; 0: it had none */
	unsigned	regions_nr;
	uint8_t		region[GVM_REMAINS_REGIONS][16];
	uint8_t		token[GVM_REMAINS_REGIONS][16];
	char		servers[2048];	/* "ip:port,ip:port"; cut to fit */
	struct gvm_stats stats;		/* the last of them */
};

/* Names of files that were left behind.  How many there are, or -errno. */
int gvm_remains_list(char (*ret_names)[GVM_REMAINS_NAME], int max);
/* 0 or -errno. */
int gvm_remains_of(const char *name, struct gvm_remains *ret_remains);
/* Take the file away. */
int gvm_remains_forget(const char *name);

/*
 * Was this dead process killed because the lease of a shared region of its had
 * run out?  ret: that region.
 */
bool gvm_shared_lease_over(pid_t pid, struct gvm_shared_stats *ret);

/* Take away what the processes of a run left there together. */
void gvm_run_forget(pid_t supervisor);

#endif
