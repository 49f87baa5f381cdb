// SPDX-License-Identifier: GPL-2.0-or-later
/* `giantvm stat --shared`: the shared regions that programs here have mapped. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "report.h"
#include "stat-shared.h"
#include "text.h"

static const char *const kinds[GVM_MISS_NR] = { "read", "write", "upgrade" };

int gvm_regions_read(struct gvm_shared_stats *ret)
{
	int n = gvm_shared_list(ret, GVM_REGIONS_MAX);

	if (n > GVM_REGIONS_MAX)
		n = GVM_REGIONS_MAX;
	for (int i = 0; i < n; i++) {
		gvm_make_printable(ret[i].name, sizeof(ret[i].name));
		gvm_make_printable(ret[i].servers, sizeof(ret[i].servers));
		for (int j = 0; j < (int)GVM_SHARED_LINKS; j++)
			gvm_make_printable(ret[i].link[j].address,
					   sizeof(ret[i].link[j].address));
	}
	return n < 0 ? 0 : n;
}

static void add_number(struct json_object *o, const char *name, uint64_t v)
{
	json_object_object_add(o, name, json_object_new_int64((int64_t)v));
}

static struct json_object *misses(const struct gvm_shared_stats *s)
{
	struct json_object *all = json_object_new_object();

	for (int i = 0; i < GVM_MISS_NR; i++) {
		struct json_object *o = json_object_new_object();

		add_number(o, "count", s->misses[i]);
		add_number(o, "p50_ns",
			   gvm_stats_percentile(&s->latency[i], 500));
		add_number(o, "p99_ns",
			   gvm_stats_percentile(&s->latency[i], 990));
		json_object_object_add(all, kinds[i], o);
	}
	return all;
}

static struct json_object *hot(const struct gvm_shared_stats *s)
{
	struct json_object *list = json_object_new_array();

	for (uint32_t i = 0; i < s->hot_nr && i < GVM_SHARED_HOT; i++) {
		struct json_object *o = json_object_new_object();

		add_number(o, "page", s->hot[i].page);
		add_number(o, "gives", s->hot[i].gives);
		add_number(o, "gets", s->hot[i].gets);
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *links(const struct gvm_shared_stats *s)
{
	struct json_object *list = json_object_new_array();

	for (uint32_t i = 0; i < s->links_nr && i < GVM_SHARED_LINKS; i++) {
		const struct gvm_shared_link *l = &s->link[i];
		struct json_object *o = json_object_new_object();

		if (*l->address)
			json_object_object_add(o, "server",
				json_object_new_string(l->address));
		else
			add_number(o, "node", l->node);
		add_number(o, "bytes_in", l->bytes_in);
		add_number(o, "bytes_out", l->bytes_out);
		json_object_object_add(o, "connected",
			json_object_new_boolean(l->connected != 0));
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *to_json(const struct gvm_shared_stats *s)
{
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
		{ "pid", s->pid }, { "node", s->node }, { "bytes", s->bytes },
		{ "local_bytes", s->local_bytes },
		{ "resident_pages", s->resident_pages }, { "wants", s->wants },
		{ "peers", s->peers }, { "faults", s->faults },
		{ "foreseen", s->foreseen },
		{ "installed", s->installed }, { "given", s->given },
		{ "served", s->served }, { "invalidated", s->invalidated },
		{ "relayed", s->relayed },
		{ "evicted_dirty", s->evicted_dirty },
		{ "evicted_clean", s->evicted_clean }, { "stale", s->stale },
		{ "retries", s->retries }, { "held", s->held },
		{ "parked", s->parked }, { "lost", s->lost },
		{ "sent", s->sent }, { "received", s->received },
		{ "pages_sent", s->pages_sent }, { "refused", s->refused },
		{ "reconnects", s->reconnects }, { "cpu_ns", s->cpu_ns },
	};
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "name", json_object_new_string(s->name));
	json_object_object_add(o, "servers",
			       json_object_new_string(s->servers));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		add_number(o, numbers[i].name, numbers[i].value);
	json_object_object_add(o, "misses", misses(s));
	json_object_object_add(o, "hot", hot(s));
	json_object_object_add(o, "links", links(s));
	return o;
}

static void print_row(const struct gvm_shared_stats *s)
{
	char here[GVM_TEXT_MAX], limit[GVM_TEXT_MAX], count[4][GVM_TEXT_MAX];
	char time[2][GVM_TEXT_MAX];

	printf("%7u %-16.16s %5u %10s %10s %8s %8s %8s %8s %9s %9s\n", s->pid,
	       s->name, s->node, gvm_pages_print(s->resident_pages, here,
						 sizeof(here)),
	       gvm_pages_print(s->local_bytes / 4096, limit, sizeof(limit)),
	       gvm_count_print((double)s->misses[GVM_MISS_READ], count[0],
			       GVM_TEXT_MAX),
	       gvm_count_print((double)s->misses[GVM_MISS_WRITE], count[1],
			       GVM_TEXT_MAX),
	       gvm_count_print((double)s->misses[GVM_MISS_UPGRADE], count[2],
			       GVM_TEXT_MAX),
	       gvm_count_print((double)s->given, count[3], GVM_TEXT_MAX),
	       gvm_time_print(gvm_stats_percentile(
				&s->latency[GVM_MISS_READ], 500), time[0],
			      GVM_TEXT_MAX),
	       gvm_time_print(gvm_stats_percentile(
				&s->latency[GVM_MISS_WRITE], 500), time[1],
			      GVM_TEXT_MAX));
}

int gvm_stat_shared(bool json, bool quiet)
{
	struct gvm_shared_stats *s = calloc(GVM_REGIONS_MAX, sizeof(*s));
	struct json_object *list = json ? json_object_new_array() : NULL;
	int n = s ? gvm_regions_read(s) : 0;

	if (n > 0 && !json)
		printf("%7s %-16s %5s %10s %10s %8s %8s %8s %8s %9s %9s\n",
		       "PID", "SHARED REGION", "NODE", "HERE", "LIMIT", "READS",
		       "WRITES", "UPGRADES", "GIVEN", "READ p50", "WRITE p50");
	for (int i = 0; i < n; i++) {
		if (json)
			json_object_array_add(list, to_json(&s[i]));
		else
			print_row(&s[i]);
	}
	free(s);
	if (json)
		return gvm_json_print(list) ? GVM_EXIT_FAIL : GVM_EXIT_OK;
	if (n <= 0 && !quiet)
		printf("no program of this user has mapped a shared region\n");
	return GVM_EXIT_OK;
}
