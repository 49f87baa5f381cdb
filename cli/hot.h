/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pages that move most between nodes: of a shared region as one node sees
 * it, of a guest's memory as all its nodes do together.
 */
#ifndef GVM_CLI_HOT_H
#define GVM_CLI_HOT_H

#include <stdbool.h>
#include <giantvm/guest.h>

struct gvm_symbols;

#define GVM_HOT_ROWS	(GVM_GUEST_STATS_NODES * GVM_SHARED_HOT)

struct gvm_hot_row {
	uint64_t	address;	/* in the region, or guest physical */
	uint64_t	gives;
	uint64_t	gets;
};

struct gvm_hot_rows {
	int			nr;
	struct gvm_hot_row	row[GVM_HOT_ROWS];	/* most moved first */
};

void gvm_hot_of_region(const struct gvm_shared_stats *s,
		       struct gvm_hot_rows *ret);
void gvm_hot_of_guest(const struct gvm_guest_stats *g,
		      struct gvm_hot_rows *ret);

/* Both at once: what came between two looks.  Sorts by it. */
void gvm_hot_since(struct gvm_hot_rows *now, const struct gvm_hot_rows *before);

/*
 * `giantvm stat --hot`: of all processes, or of one (pid 0: all).  An exit
 * status.
 */
int gvm_stat_hot(pid_t pid, const char *symbols, bool json);

#endif
