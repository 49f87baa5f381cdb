// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Made-up programs under giantvm, linked into `giantvm-fake` in place of the
 * library: stat, top and set are tested with every figure known.
 *
 * FAKE_PIDS says how many there are (default 3); pid 1000 + i.  Every look at
 * one is a second of work later: the i-th takes (i + 1) * 1000 remote faults.
 * FAKE_SHARED adds a shared region and a guest; every look is a second later.
 * Pid 1 belongs to somebody else, pid 2 has control characters in its name.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <giantvm/guest.h>

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

static bool shared(void)
{
	return getenv("FAKE_SHARED") != NULL;
}

static void fill_region(struct gvm_shared_stats *s, bool guest, uint64_t looks)
{
	memset(s, 0, sizeof(*s));
	s->version = GVM_SHARED_STATS_VERSION;
	s->pid = guest ? 3000 : 2000;
	s->start_ns = 1;
	snprintf(s->name, sizeof(s->name), "%s", guest ? "guest" : "board");
	s->node = 7;
	s->bytes = 1ull << 30;
	s->local_bytes = 1ull << 29;
	s->resident_pages = 1 << 16;
	s->faults = 6000 * looks;
	for (int i = 0; i < GVM_MISS_NR; i++) {
		s->misses[i] = (uint64_t)(i + 1) * 1000 * looks;
		s->latency[i].n[20 * (i + 1)] = s->misses[i];
	}
	s->installed = 3000 * looks;
	s->given = 400 * looks;
	s->links_nr = 3;
	snprintf(s->link[0].address, sizeof(s->link[0].address), "10.0.0.1:9");
	s->link[0].bytes_in = looks << 20;
	s->link[1].node = 3;
	s->link[1].connected = 1;
	s->link[1].bytes_out = looks << 21;
	s->link[2].node = GVM_SHARED_OTHERS;
	s->hot_nr = 2;
	s->hot[0] = (struct gvm_shared_hot){ 5, (uint32_t)(50 * looks), 2 };
	s->hot[1] = (struct gvm_shared_hot){ 6, 1, 1 };
}

int gvm_shared_list(struct gvm_shared_stats *ret_stats, int max)
{
	static uint64_t looks;

	if (!shared())
		return 0;
	looks += max != 0;
	for (int i = 0; i < 2 && i < max; i++)
		fill_region(&ret_stats[i], i == 1, looks);
	return 2;
}

/*
 * A guest of 3 nodes, 5 GiB: on page 0x2a07 of its RAM is a kernel's jiffies,
 * at 1 MiB vCPU 1's own data, and the first page above 4 GiB moves, too.
 */
int gvm_guest_list(struct gvm_guest_stats *ret_stats, int max)
{
	static uint64_t looks;
	struct gvm_guest_stats *g = ret_stats;

	if (!shared() || !max)
		return shared();
	looks++;
	memset(g, 0, sizeof(*g));
	g->version = GVM_GUEST_STATS_VERSION;
	g->pid = 3000;
	snprintf(g->name, sizeof(g->name), "guest");
	g->me = 1;
	g->nodes_nr = 3;
	g->vcpus_nr = 4;
	g->ram_bytes = 5ull << 30;
	g->below_4g_bytes = 2ull << 30;
	g->area[1] = 0xffff888000100000;
	for (uint32_t i = 0; i < 3; i++) {
		struct gvm_guest_node *n = &g->node[i];

		snprintf(n->address, sizeof(n->address), "10.0.0.%u:9", i);
		n->vcpus = 1 + (i == 0);
		n->left = i == 2;
		for (int c = 0; c < GVM_GUEST_COUNTER_NR; c++)
			n->counter[c] = (uint64_t)(c + 1) * 100 * (i + 1) *
					looks;
		n->counter[GVM_GUEST_READ_P50_NS] = 20000;
		n->counter[GVM_GUEST_RESIDENT_PAGES] = 1 << 16;
		n->counter[GVM_GUEST_TIME_NS] = looks * 1000000000u;
		n->hot[0] = (struct gvm_shared_hot){ 0x2a07,
			(uint32_t)(10 * looks), (uint32_t)(20 * looks) };
		n->hot[1] = (struct gvm_shared_hot){ 0x101,
			(uint32_t)looks, 0 };
		n->hot[2] = (struct gvm_shared_hot){ 2u << 18, 0, 1 };
	}
	return 1;
}
