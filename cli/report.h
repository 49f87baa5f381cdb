/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a process under giantvm does, in a table, in words and as JSON. */
#ifndef GVM_CLI_REPORT_H
#define GVM_CLI_REPORT_H

#include <giantvm/giantvm.h>

struct json_object;

#define GVM_PIDS_MAX	4096	/* processes of one machine that are shown */

/*
 * Pids that are shown, in ascending order, and how many; -errno.  ret_pids has
 * room for GVM_PIDS_MAX.
 */
int gvm_report_pids(pid_t *ret_pids);

/*
 * gvm_stats_of(), fit for a terminal: another user's program may have put
 * control characters into its name.
 */
int gvm_report_read(pid_t pid, struct gvm_stats *ret_stats);

void gvm_report_table_head(void);
void gvm_report_table_row(const struct gvm_stats *s);
void gvm_report_details(const struct gvm_stats *s);
struct json_object *gvm_report_json(const struct gvm_stats *s);

/* Share of sampled prefetched pages that were used, percent; -1: no sample. */
double gvm_report_accuracy(uint64_t hits, uint64_t misses);

/* The engine line without the word "engine", for a place that has said it. */
const char *gvm_report_engine(const struct gvm_stats *s);

/* Pages that left without, or after, a transfer. */
uint64_t gvm_report_evicted(const struct gvm_stats *s);

#endif
