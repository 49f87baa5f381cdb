/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the processes of a run leave behind; see remains.c. */
#ifndef GVM_CLI_REMAINS_H
#define GVM_CLI_REMAINS_H

#include <giantvm/giantvm.h>

#include "address.h"

/* What the processes of a run have done, all that have ended together. */
struct gvm_tally {
	unsigned		processes;	/* with attached memory; again after exec() */
	uint64_t		faults;
	uint64_t		faults_remote;
	uint64_t		pages_in;
	uint64_t		pages_out;
	uint64_t		peak_bytes;	/* of the largest process */
	struct gvm_stats_hist	latency;
	char			away[GVM_ADDRESS_TEXT_MAX]; /* did not answer */
};

/*
 * Count and clear away what is left of processes of this run, and of
 * runs that were killed themselves.  servers: "ip:port,..." of this run.
 */
void gvm_remains_clear(struct gvm_tally *t, const char *servers);

/* One line for people. */
void gvm_tally_print(const struct gvm_tally *t, const char *name);

#endif
