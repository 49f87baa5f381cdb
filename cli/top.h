/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of `giantvm top`: samples and their rates (top-sample.c), and the
 * picture of them (top-draw.c).  cmd-top.c has the terminal and the keys.
 */
#ifndef GVM_CLI_TOP_H
#define GVM_CLI_TOP_H

#include <stdbool.h>
#include <giantvm/giantvm.h>

struct gvm_canvas;

enum gvm_top_sort {
	GVM_TOP_BY_FAULTS,
	GVM_TOP_BY_REMOTE,
	GVM_TOP_BY_RESIDENT,
	GVM_TOP_BY_PID,
	GVM_TOP_SORT_NR
};

/* One program: its counters now, and at the sample before. */
struct gvm_top_row {
	struct gvm_stats	now;
	struct gvm_stats	before;
	double			seconds;	/* between the two */
};

struct gvm_top {
	struct gvm_top_row	*rows;
	int			rows_nr;
	uint64_t		sampled_ns;
	enum gvm_top_sort	sort;
	pid_t			chosen;		/* 0: the first */
	int			first;		/* row at the top of the list */
	bool			help;
};

extern const char *const gvm_top_sort_names[GVM_TOP_SORT_NR];

/* Take a sample.  0 or -errno; rows stay as they were on failure. */
int gvm_top_sample(struct gvm_top *t);
void gvm_top_sort(struct gvm_top *t);
/* The chosen row; the first if it has ended; -1 if there is none. */
int gvm_top_chosen(const struct gvm_top *t);
void gvm_top_fini(struct gvm_top *t);

/* Growth per second of a counter between two samples. */
double gvm_top_rate(const struct gvm_top_row *r, uint64_t now, uint64_t before);
/*
 * A latency histogram of the last interval only; of all time when nothing
 * happened in it.
 */
void gvm_top_latency(const struct gvm_stats_hist *now,
		     const struct gvm_stats_hist *before,
		     struct gvm_stats_hist *ret);

void gvm_top_draw(struct gvm_top *t, struct gvm_canvas *c);

#endif
