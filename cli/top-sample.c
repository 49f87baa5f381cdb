// SPDX-License-Identifier: GPL-2.0-or-later
/* Samples of all programs under giantvm, and what changed between two. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "report.h"
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
					  const struct gvm_stats *s)
{
	for (int i = 0; i < t->rows_nr; i++) {
		const struct gvm_stats *old = &t->rows[i].now;

		/* A pid may have been given again; its start was another. */
		if (old->pid == s->pid && old->start_ns == s->start_ns)
			return &t->rows[i];
	}
	return NULL;
}

int gvm_top_sample(struct gvm_top *t)
{
	static pid_t pids[GVM_PIDS_MAX];
	int n = gvm_report_pids(pids);
	uint64_t at = now_ns();
	double seconds = t->sampled_ns ? (double)(at - t->sampled_ns) / 1e9 : 0;
	struct gvm_top_row *rows;
	int nr = 0;

	if (n < 0)
		return n;
	rows = calloc((size_t)n + 1, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	for (int i = 0; i < n; i++) {
		struct gvm_top_row *r = &rows[nr];
		const struct gvm_top_row *old;

		if (gvm_report_read(pids[i], &r->now))
			continue;	/* it ended since it was listed */
		old = find_row(t, &r->now);
		r->before = old ? old->now : r->now;
		r->seconds = old ? seconds : 0;
		nr++;
	}
	free(t->rows);
	t->rows = rows;
	t->rows_nr = nr;
	t->sampled_ns = at;
	return 0;
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
		if ((pid_t)t->rows[i].now.pid == t->chosen)
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
	free(t->rows);
	memset(t, 0, sizeof(*t));
}
