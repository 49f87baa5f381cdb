// SPDX-License-Identifier: GPL-2.0-or-later
/* What a process under giantvm does, for people.  See report-json.c too. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "text.h"

static int by_number(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a;
	pid_t y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

int gvm_report_pids(pid_t *ret_pids)
{
	int n = gvm_pids(ret_pids, GVM_PIDS_MAX);

	if (n < 0)
		return n;
	if (n > GVM_PIDS_MAX)
		n = GVM_PIDS_MAX;
	qsort(ret_pids, (size_t)n, sizeof(*ret_pids), by_number);
	return n;
}

int gvm_report_read(pid_t pid, struct gvm_stats *s)
{
	int err = gvm_stats_of(pid, s);

	if (err)
		return err;
	gvm_make_printable(s->name, sizeof(s->name));
	gvm_make_printable(s->engine, sizeof(s->engine));
	for (int i = 0; i < GVM_STATS_SERVERS; i++)
		gvm_make_printable(s->server[i].address,
			       sizeof(s->server[i].address));
	return 0;
}

double gvm_report_accuracy(uint64_t hits, uint64_t misses)
{
	if (!hits && !misses)
		return -1;
	return 100.0 * (double)hits / (double)(hits + misses);
}

const char *gvm_report_engine(const struct gvm_stats *s)
{
	return strncmp(s->engine, "engine ", 7) ? s->engine : s->engine + 7;
}

uint64_t gvm_report_evicted(const struct gvm_stats *s)
{
	return s->evicted_clean + s->evicted_dirty + s->evicted_zero;
}

#define ROW	"%7s  %-20.20s %10s %10s %10s %8s %9s %9s\n"

void gvm_report_table_head(void)
{
	printf(ROW, "PID", "NAME", "LIMIT", "RESIDENT", "REMOTE", "FAULTS",
	       "P50", "P99");
}

void gvm_report_table_row(const struct gvm_stats *s)
{
	char pid[GVM_TEXT_MAX], limit[GVM_TEXT_MAX], resident[GVM_TEXT_MAX];
	char remote[GVM_TEXT_MAX], faults[GVM_TEXT_MAX], p50[GVM_TEXT_MAX];
	char p99[GVM_TEXT_MAX];
	size_t n = GVM_TEXT_MAX;

	snprintf(pid, n, "%u", s->pid);
	printf(ROW, pid, s->name,
	       gvm_pages_print(s->local_bytes >> 12, limit, n),
	       gvm_pages_print(s->resident_pages + s->staged_pages, resident, n),
	       gvm_pages_print(s->remote_pages, remote, n),
	       gvm_count_print((double)s->faults, faults, n),
	       gvm_time_print(gvm_stats_percentile(&s->latency_remote, 500),
			      p50, n),
	       gvm_time_print(gvm_stats_percentile(&s->latency_remote, 990),
			      p99, n));
}

static void print_memory(const struct gvm_stats *s)
{
	char a[GVM_TEXT_MAX], b[GVM_TEXT_MAX];
	size_t n = GVM_TEXT_MAX;

	printf("memory    %s attached, limit %s\n",
	       gvm_pages_print(s->registered_pages, a, n),
	       gvm_pages_print(s->local_bytes >> 12, b, n));
	printf("  resident  %10s    staged    %10s\n",
	       gvm_pages_print(s->resident_pages, a, n),
	       gvm_pages_print(s->staged_pages, b, n));
	printf("  remote    %10s    held      %10s\n",
	       gvm_pages_print(s->remote_pages, a, n),
	       gvm_pages_print(s->held_pages, b, n));
	printf("  write-back queue %llu pages, huge pages given %llu\n",
	       (unsigned long long)s->queue_pages,
	       (unsigned long long)s->huge);
}

static void print_faults(const struct gvm_stats *s)
{
	printf("faults    %llu\n", (unsigned long long)s->faults);
	printf("  first touch %llu, remote %llu, stolen back %llu, first write %llu, race %llu\n",
	       (unsigned long long)s->faults_zero,
	       (unsigned long long)s->faults_remote,
	       (unsigned long long)s->faults_steal,
	       (unsigned long long)s->faults_protect,
	       (unsigned long long)s->faults_race);
}

static void print_latency(const char *name, const struct gvm_stats_hist *h)
{
	static const unsigned permille[] = { 500, 900, 990, 1000 };
	char text[4][GVM_TEXT_MAX];

	for (int i = 0; i < 4; i++)
		gvm_time_print(gvm_stats_percentile(h, permille[i]), text[i],
			       GVM_TEXT_MAX);
	printf("  %s p50 %s, p90 %s, p99 %s, max %s\n", name, text[0], text[1],
	       text[2], text[3]);
}

static void print_transfers(const struct gvm_stats *s)
{
	double accuracy = gvm_report_accuracy(s->prefetch_hits,
					      s->prefetch_misses);

	printf("evicted   %llu: clean %llu, dirty %llu, zero %llu; pinned and kept %llu\n",
	       (unsigned long long)gvm_report_evicted(s),
	       (unsigned long long)s->evicted_clean,
	       (unsigned long long)s->evicted_dirty,
	       (unsigned long long)s->evicted_zero,
	       (unsigned long long)s->evict_busy);
	printf("prefetch  %llu pages", (unsigned long long)s->prefetched);
	if (accuracy >= 0)
		printf(", %.0f %% of them used", accuracy);
	printf("\nforks     %llu, engine's CPU time %.1f s\n",
	       (unsigned long long)s->forks, (double)s->cpu_ns / 1e9);
}

static void print_servers(const struct gvm_stats *s)
{
	uint64_t nr = s->servers_nr;
	char out[GVM_TEXT_MAX], in[GVM_TEXT_MAX], room[GVM_TEXT_MAX];
	size_t n = GVM_TEXT_MAX;

	printf("servers   %llu\n", (unsigned long long)nr);
	if (nr > GVM_STATS_SERVERS)
		nr = GVM_STATS_SERVERS;
	for (uint64_t i = 0; i < nr; i++) {
		const struct gvm_stats_server *v = &s->server[i];

		printf("  %-28s sent %s, received %s, room %s, %s",
		       v->address, gvm_pages_print(v->bytes_out >> 12, out, n),
		       gvm_pages_print(v->bytes_in >> 12, in, n),
		       gvm_pages_print(v->pages_free, room, n),
		       v->connected ? "connected" : "NOT CONNECTED");
		if (v->reconnects)
			printf(", %u reconnects", v->reconnects);
		printf("\n");
	}
	if (s->servers_nr > GVM_STATS_SERVERS)
		printf("  (the last line sums up %llu servers)\n",
		       (unsigned long long)(s->servers_nr -
					    GVM_STATS_SERVERS + 1));
}

void gvm_report_details(const struct gvm_stats *s)
{
	printf("process   %u %s\n", s->pid, s->name);
	printf("engine    %s\n", gvm_report_engine(s));
	print_memory(s);
	print_faults(s);
	print_latency("remote latency", &s->latency_remote);
	print_latency("local latency ", &s->latency_local);
	print_transfers(s);
	print_servers(s);
}
