/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of `giantvm top`: samples and their rates (top-sample.c), and the
 * picture of them (top-draw.c).  cmd-top.c has the terminal and the keys.
 */
#ifndef GVM_CLI_TOP_H
#define GVM_CLI_TOP_H

#include <stdbool.h>
#include <giantvm/guest.h>

struct gvm_canvas;
struct gvm_symbols;

enum gvm_top_sort {
	GVM_TOP_BY_FAULTS,
	GVM_TOP_BY_REMOTE,
	GVM_TOP_BY_RESIDENT,
	GVM_TOP_BY_PID,
	GVM_TOP_SORT_NR
};

/* A shared region of a program, or a guest whose memory it is, or both. */
struct gvm_top_shared {
	struct gvm_shared_stats	region, region_before;
	struct gvm_guest_stats	guest, guest_before;
	bool			has_region, has_guest;
};

/*
 * One program: its counters now, and at the sample before.  A shared region has
 * a row of its own, with as much of it as both kinds have.
 */
struct gvm_top_row {
	struct gvm_stats	now;
	struct gvm_stats	before;
	double			seconds;	/* between the two */
	struct gvm_top_shared	*shared;	/* or NULL */
};

struct gvm_top {
	struct gvm_top_row	*rows;
	int			rows_nr;
	uint64_t		sampled_ns;
	enum gvm_top_sort	sort;
	uint32_t		chosen;		/* a pid; 0: the first */
	uint64_t		chosen_ns;	/* and its start_ns */
	int			first;		/* row at the top of the list */
	bool			help;
	bool			hot;		/* pages of what is chosen */
	struct gvm_symbols	*symbols;	/* or NULL */
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

/* Parts of it, from row y, in `room` rows. */
void gvm_top_draw_region(struct gvm_canvas *c, unsigned y, unsigned room,
			 const struct gvm_top_row *r);
void gvm_top_draw_guest(struct gvm_canvas *c, unsigned y, unsigned room,
			const struct gvm_top_row *r);
void gvm_top_draw_hot(struct gvm_canvas *c, unsigned y, unsigned room,
		      const struct gvm_top_row *r,
		      const struct gvm_symbols *symbols);
void gvm_top_draw(struct gvm_top *t, struct gvm_canvas *c);

#endif
