// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the processes of a run leave behind.  A program that exits, is killed or
 * becomes another one by exec() tells its servers nothing; its statistics file
 * stays, with the keys to its regions.  Here they are counted, dropped from the
 * servers, and the file is taken away.  What cannot be dropped the server
 * forgets by itself when the lease runs out.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <giantvm/giantvm.h>

#include "address.h"
#include "pager/watch.h"
#include "remains.h"
#include "server/query.h"
#include "size.h"
#include "text.h"

#define FILES_MAX	1024
#define PATIENCE_MS	2000u

/* Drop every region of a process from one server; -errno if it is away. */
static int drop_from(const struct gvm_address *a, const struct gvm_remains *r)
{
	char why[GVM_QUERY_WHY_MAX];

	for (unsigned i = 0; i < r->regions_nr; i++) {
		int err = gvm_query_drop((const struct sockaddr *)&a->sa,
					 a->sa_len, PATIENCE_MS, r->region[i],
					 r->token[i], why);

		/* A refusal: it is not ours any more, or was dropped. */
		if (err && err != -EREMOTEIO)
			return err;
	}
	return 0;
}

/*
 * servers: of this run.  A server that did not answer once is not asked again:
 * each time would take the whole patience.
 */
static void drop(struct gvm_tally *t, const char *servers,
		 const struct gvm_remains *r)
{
	while (*servers) {
		size_t len = strcspn(servers, ",");
		struct gvm_address a;
		const char *why;

		if (gvm_address_resolve(servers, len, &a, &why) == 0 &&
		    strcmp(a.text, t->away) != 0 && drop_from(&a, r) < 0)
			snprintf(t->away, sizeof(t->away), "%s", a.text);
		servers += len + (servers[len] == ',');
	}
}

static void count(struct gvm_tally *t, const struct gvm_stats *s)
{
	t->processes++;
	t->faults += s->faults;
	t->faults_remote += s->faults_remote;
	for (int i = 0; i < GVM_STATS_SERVERS; i++) {
		t->pages_in += s->server[i].pages_read;
		t->pages_out += s->server[i].pages_written;
	}
	for (int i = 0; i < GVM_STATS_HIST; i++)
		t->latency.n[i] += s->latency_remote.n[i];
}

/* Is there a `giantvm run` that will care for it, other than this one? */
static bool is_of_another(const struct gvm_remains *r)
{
	return r->supervisor && r->supervisor != getpid() &&
	       (kill(r->supervisor, 0) == 0 || errno == EPERM);
}

void gvm_remains_clear(struct gvm_tally *t, const char *servers)
{
	static struct gvm_tally others;	/* nobody wants to know */
	static char names[FILES_MAX][GVM_REMAINS_NAME];
	static struct gvm_remains r;
	int nr = gvm_remains_list(names, FILES_MAX);

	for (int i = 0; i < nr && i < FILES_MAX; i++) {
		if (gvm_remains_of(names[i], &r) || is_of_another(&r))
			continue;
		if (r.supervisor == getpid()) {
			count(t, &r.stats);
			drop(t, servers, &r);
		} else {
			/* Its supervisor was killed before it. */
			drop(&others, r.servers, &r);
		}
		gvm_remains_forget(names[i]);
	}
}

void gvm_tally_print(const struct gvm_tally *t, const char *name)
{
	char faults[GVM_TEXT_MAX], remote[GVM_TEXT_MAX], p99[GVM_TEXT_MAX];
	char in[GVM_TEXT_MAX], out[GVM_TEXT_MAX], peak[GVM_SIZE_TEXT_MAX];
	size_t n = GVM_TEXT_MAX;
	char processes[40] = "";

	if (!t->processes) {
		gvm_complain("%s: nothing was paged: it needed little memory, or none of the kind that is paged ('man giantvm-run' says which)",
			     name);
		return;
	}
	if (t->processes > 1)
		snprintf(processes, sizeof(processes), " (%u processes)",
			 t->processes);
	gvm_complain("%s%s: %s faults, %s of them remote (p99 %s); %s sent away, %s fetched; peak resident %s in all",
		     name, processes,
		     gvm_count_print((double)t->faults, faults, n),
		     gvm_count_print((double)t->faults_remote, remote, n),
		     gvm_time_print(gvm_stats_percentile(&t->latency, 990),
				    p99, n),
		     gvm_pages_print(t->pages_out, out, n),
		     gvm_pages_print(t->pages_in, in, n),
		     gvm_size_print(t->peak_bytes, peak, sizeof(peak)));
	if (t->away[0])
		gvm_complain("server %s could not be told that %s has ended; it forgets its memory by itself (giantvm serve --lease)",
			     t->away, name);
}
