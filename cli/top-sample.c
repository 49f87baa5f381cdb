// SPDX-License-Identifier: GPL-2.0-or-later
/* Samples of all programs under giantvm, and what changed between two. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "report.h"
#include "stat-guest.h"
#include "stat-shared.h"
#include "symbols.h"
#include "top.h"

const char *const gvm_top_sort_names[GVM_TOP_SORT_NR] = {
	[GVM_TOP_BY_FAULTS]	= "faults",
	[GVM_TOP_BY_REMOTE]	= "remote",
	[GVM_TOP_BY_RESIDENT]	= "resident",
	[GVM_TOP_BY_PID]	= "pid",
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static const struct gvm_top_row *find_row(const struct gvm_top *t,
					  const struct gvm_top_row *of)
{
	for (int i = 0; i < t->rows_nr; i++) {
		const struct gvm_stats *old = &t->rows[i].now;

		/* A pid may have been given again; its start was another. */
		if (old->pid == of->now.pid &&
		    old->start_ns == of->now.start_ns &&
		    !t->rows[i].shared == !of->shared)
			return &t->rows[i];
	}
	return NULL;
}

static void free_rows(struct gvm_top_row *rows, int nr)
{
	for (int i = 0; i < nr; i++)
		free(rows[i].shared);
	free(rows);
}

/* What a list of programs shows, of a shared region. */
static void look_alike(struct gvm_stats *s, const struct gvm_shared_stats *r)
{
	s->pid = r->pid;
	s->start_ns = r->start_ns;
	snprintf(s->name, sizeof(s->name), "%s", r->name);
	s->local_bytes = r->local_bytes;
	s->registered_pages = r->bytes >> 12;
	s->resident_pages = r->resident_pages;
	s->remote_pages = s->registered_pages > r->resident_pages ?
			  s->registered_pages - r->resident_pages : 0;
	s->faults = r->faults;
	for (int i = 0; i < GVM_STATS_HIST; i++)
		s->latency_remote.n[i] = r->latency[GVM_MISS_READ].n[i] +
					 r->latency[GVM_MISS_WRITE].n[i];
	for (uint32_t i = 0; i < r->links_nr && i < GVM_SHARED_LINKS; i++) {
		s->server[0].bytes_in += r->link[i].bytes_in;
		s->server[0].bytes_out += r->link[i].bytes_out;
	}
}

static struct gvm_top_shared *new_shared(struct gvm_top_row *r)
{
	r->shared = calloc(1, sizeof(*r->shared));
	return r->shared;
}

/* Rows of regions, and of guests that have none; they follow the others. */
static int add_shared(struct gvm_top_row *rows, int nr,
		      const struct gvm_shared_stats *regions, int regions_nr,
		      const struct gvm_guest_stats *guests, int guests_nr)
{
	const int first = nr;

	for (int i = 0; i < regions_nr && new_shared(&rows[nr]); i++, nr++) {
		rows[nr].shared->region = regions[i];
		rows[nr].shared->has_region = true;
		look_alike(&rows[nr].now, &regions[i]);
	}
	for (int i = 0; i < guests_nr; i++) {
		const struct gvm_guest_stats *g = &guests[i];
		struct gvm_top_row *r = NULL;

		for (int j = first; j < nr && !r; j++)
			if (rows[j].now.pid == g->pid)
				r = &rows[j];
		if (!r && new_shared(&rows[nr])) {
			r = &rows[nr++];
			r->now.pid = g->pid;
			r->now.start_ns = g->start_ns;
			snprintf(r->now.name, sizeof(r->now.name), "%s",
				 g->name);
		}
		if (r) {
			r->shared->guest = *g;
			r->shared->has_guest = true;
		}
	}
	return nr;
}

static void compare_rows(const struct gvm_top *t, struct gvm_top_row *rows,
			 int nr, double seconds)
{
	for (int i = 0; i < nr; i++) {
		struct gvm_top_row *r = &rows[i];
		const struct gvm_top_row *old = find_row(t, r);

		r->before = old ? old->now : r->now;
		r->seconds = old ? seconds : 0;
		if (!r->shared)
			continue;
		r->shared->region_before = old ? old->shared->region :
					   r->shared->region;
		r->shared->guest_before = old ? old->shared->guest :
					  r->shared->guest;
	}
}

static int add_programs(struct gvm_top_row *rows, const pid_t *pids, int n)
{
	int nr = 0;

	/* One may have ended since it was listed. */
	for (int i = 0; i < n; i++)
		if (!gvm_report_read(pids[i], &rows[nr].now))
			nr++;
	return nr;
}

int gvm_top_sample(struct gvm_top *t)
{
	struct gvm_shared_stats *regions = calloc(GVM_REGIONS_MAX,
						  sizeof(*regions));
	struct gvm_guest_stats *guests = calloc(GVM_GUESTS_MAX,
						sizeof(*guests));
	static pid_t pids[GVM_PIDS_MAX];
	int n = gvm_report_pids(pids);
	uint64_t at = now_ns();
	double seconds = t->sampled_ns ? (double)(at - t->sampled_ns) / 1e9 : 0;
	struct gvm_top_row *rows = NULL;
	int regions_nr, guests_nr, nr;

	if (n >= 0 && regions && guests) {
		regions_nr = gvm_regions_read(regions);
		guests_nr = gvm_guests_read(guests);
		rows = calloc((size_t)(n + regions_nr + guests_nr) + 1,
			      sizeof(*rows));
	}
	if (rows) {
		nr = add_programs(rows, pids, n);
		nr = add_shared(rows, nr, regions, regions_nr, guests,
				guests_nr);
		compare_rows(t, rows, nr, seconds);
		free_rows(t->rows, t->rows_nr);
		t->rows = rows;
		t->rows_nr = nr;
		t->sampled_ns = at;
	}
	free(regions);
	free(guests);
	return rows ? 0 : n < 0 ? n : -ENOMEM;
}

double gvm_top_rate(const struct gvm_top_row *r, uint64_t now, uint64_t before)
{
	if (r->seconds <= 0 || now < before)
		return 0;
	return (double)(now - before) / r->seconds;
}

static double sort_key(const struct gvm_top_row *r, enum gvm_top_sort sort)
{
	switch (sort) {
	case GVM_TOP_BY_FAULTS:
		return gvm_top_rate(r, r->now.faults, r->before.faults);
	case GVM_TOP_BY_REMOTE:
		return (double)r->now.remote_pages;
	case GVM_TOP_BY_RESIDENT:
		return (double)(r->now.resident_pages + r->now.staged_pages);
	default:
		return -(double)r->now.pid;
	}
}

static int compare(const void *a, const void *b, void *sort)
{
	enum gvm_top_sort by = *(enum gvm_top_sort *)sort;
	double x = sort_key(a, by);
	double y = sort_key(b, by);

	if (x < y || x > y)
		return x < y ? 1 : -1;
	/* Programs that are alike must not change places all the time. */
	x = sort_key(a, GVM_TOP_BY_PID);
	y = sort_key(b, GVM_TOP_BY_PID);
	return (x < y) - (x > y);
}

void gvm_top_sort(struct gvm_top *t)
{
	if (t->rows_nr)
		qsort_r(t->rows, (size_t)t->rows_nr, sizeof(*t->rows), compare,
			&t->sort);
}

int gvm_top_chosen(const struct gvm_top *t)
{
	for (int i = 0; i < t->rows_nr; i++) {
		if (t->rows[i].now.pid == t->chosen &&
		    t->rows[i].now.start_ns == t->chosen_ns)
			return i;
	}
	return t->rows_nr ? 0 : -1;
}

void gvm_top_latency(const struct gvm_stats_hist *now,
		     const struct gvm_stats_hist *before,
		     struct gvm_stats_hist *ret)
{
	uint64_t grown = 0;

	for (int i = 0; i < GVM_STATS_HIST; i++) {
		ret->n[i] = now->n[i] - before->n[i];
		grown += ret->n[i];
	}
	if (!grown)
		*ret = *now;
}

void gvm_top_fini(struct gvm_top *t)
{
	free_rows(t->rows, t->rows_nr);
	gvm_symbols_free(t->symbols);
	memset(t, 0, sizeof(*t));
}
