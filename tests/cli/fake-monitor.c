// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Made-up programs under giantvm, linked into `giantvm-fake` in place of the
 * library: stat, top and set are tested with every figure known.
 *
 * FAKE_PIDS says how many there are (default 3); pid 1000 + i.  Every look at
 * one is a second of work later: the i-th takes (i + 1) * 1000 remote faults.
 * Pid 1 belongs to somebody else, pid 2 has control characters in its name.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <giantvm/giantvm.h>

#include "pager/watch.h"

#define PID_FIRST	1000
#define PIDS_MAX	5000

static int pids_nr(void)
{
	const char *n = getenv("FAKE_PIDS");

	return n ? atoi(n) : 3;
}

int gvm_pids(pid_t *ret_pids, int max)
{
	int n = pids_nr();

	if (n < 0)
		return -EIO;
	/* Backwards: whoever shows them must sort them. */
	for (int i = 0; i < n && i < max; i++)
		ret_pids[i] = PID_FIRST + n - 1 - i;
	return n;
}

static void add_server(struct gvm_stats *s, unsigned i, uint64_t work)
{
	struct gvm_stats_server *v = &s->server[i];

	snprintf(v->address, sizeof(v->address), "10.0.0.%u:9999", i + 1);
	v->pages_read = 500 * work;
	v->bytes_in = 500 * work * 4096;
	v->bytes_out = 100 * work * 4096;
	v->pages_written = 100 * work;
	v->pages_free = 1 << 20;
	v->connected = i != 1;
	v->reconnects = i == 1 ? 3 : 0;
}

static void fill(struct gvm_stats *s, pid_t pid, unsigned i, uint64_t looks)
{
	uint64_t work = (i + 1) * looks;

	memset(s, 0, sizeof(*s));
	s->version = GVM_STATS_VERSION;
	s->pid = (uint32_t)pid;
	s->start_ns = 1;
	snprintf(s->name, sizeof(s->name), "%s%u",
		 i == 2 ? "a-name-that-is-longer-than-its-column-" : "prog", i);
	snprintf(s->engine, sizeof(s->engine),
		 "engine uffd (no kernel module), eviction by move");
	s->local_bytes = 1ull << 30;
	s->registered_pages = 1 << 20;
	s->resident_pages = 250000;
	s->staged_pages = 1000;
	s->remote_pages = 500000 + 1000 * i;
	s->queue_pages = 42;
	s->faults = 1600 * work;
	s->faults_remote = 1000 * work;
	s->faults_zero = 300 * work;
	s->faults_steal = 200 * work;
	s->faults_protect = 99 * work;
	s->faults_race = 1 * work;
	s->prefetched = 5000 * work;
	s->prefetch_hits = 90 * work;
	s->prefetch_misses = 10 * work;
	s->evicted_clean = 4000 * work;
	s->evicted_dirty = 1500 * work;
	s->evicted_zero = 500 * work;
	s->latency_remote.n[64] = 900 * work;
	s->latency_remote.n[100] = 100 * work;
	s->servers_nr = i == 1 ? 10240 : 2;
	for (unsigned v = 0; v < s->servers_nr && v < GVM_STATS_SERVERS; v++)
		add_server(s, v, work);
}

int gvm_stats_of(pid_t pid, struct gvm_stats *ret_stats)
{
	static uint64_t looks[PIDS_MAX];
	int i = pid - PID_FIRST;

	if (pid == 1)
		return -EACCES;
	if (pid == 2) {
		fill(ret_stats, pid, 0, 1);
		strcpy(ret_stats->name, "evil\033[2J\n");
		return 0;
	}
	if (i < 0 || i >= pids_nr() || i >= PIDS_MAX)
		return -ESRCH;
	fill(ret_stats, pid, (unsigned)i, ++looks[i]);
	return 0;
}

int gvm_set_local_of(pid_t pid, uint64_t local_bytes)
{
	struct gvm_stats s;

	(void)local_bytes;
	return gvm_stats_of(pid, &s);
}

/* Nobody of them has died. */
int gvm_remains_list(char (*ret_names)[GVM_REMAINS_NAME], int max)
{
	(void)ret_names;
	(void)max;
	return 0;
}

int gvm_remains_of(const char *name, struct gvm_remains *ret_remains)
{
	(void)name;
	(void)ret_remains;
	return -ESRCH;
}

int gvm_remains_forget(const char *name)
{
	(void)name;
	return -ESRCH;
}

void gvm_run_forget(pid_t supervisor)
{
	(void)supervisor;
}

uint64_t gvm_stats_percentile(const struct gvm_stats_hist *hist,
			      unsigned permille)
{
	uint64_t all = 0, seen = 0;

	for (int i = 0; i < GVM_STATS_HIST; i++)
		all += hist->n[i];
	for (int i = 0; i < GVM_STATS_HIST; i++) {
		seen += hist->n[i];
		if (all && seen * 1000 >= all * permille)
			return (uint64_t)i * 1000;
	}
	return 0;
}

bool gvm_shared_lease_over(pid_t pid, struct gvm_shared_stats *ret)
{
	(void)pid;
	(void)ret;
	return false;
}

int gvm_shared_list(struct gvm_shared_stats *ret_stats, int max)
{
	(void)ret_stats;
	(void)max;
	return 0;
}
