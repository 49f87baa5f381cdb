// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Statistics as JSON, for programs: the names of struct gvm_stats, so that the
 * public header is the documentation.
 */
#include <json-c/json.h>

#include "report.h"

static void add(struct json_object *o, const char *name, uint64_t value)
{
	json_object_object_add(o, name, json_object_new_uint64(value));
}

static void add_text(struct json_object *o, const char *name, const char *text)
{
	json_object_object_add(o, name, json_object_new_string(text));
}

static void add_latency(struct json_object *o, const char *name,
			const struct gvm_stats_hist *h)
{
	struct json_object *l = json_object_new_object();

	add(l, "p50_ns", gvm_stats_percentile(h, 500));
	add(l, "p90_ns", gvm_stats_percentile(h, 900));
	add(l, "p99_ns", gvm_stats_percentile(h, 990));
	add(l, "max_ns", gvm_stats_percentile(h, 1000));
	json_object_object_add(o, name, l);
}

static struct json_object *server_json(const struct gvm_stats_server *v)
{
	struct json_object *o = json_object_new_object();

	add_text(o, "address", v->address);
	add(o, "pages_read", v->pages_read);
	add(o, "pages_written", v->pages_written);
	add(o, "bytes_in", v->bytes_in);
	add(o, "bytes_out", v->bytes_out);
	add(o, "pages_free", v->pages_free);
	add(o, "reconnects", v->reconnects);
	json_object_object_add(o, "connected",
			       json_object_new_boolean(v->connected != 0));
	return o;
}

#define ADD(field)	add(o, #field, s->field)

static void add_counters(struct json_object *o, const struct gvm_stats *s)
{
	ADD(local_bytes);
	ADD(registered_pages);
	ADD(resident_pages);
	ADD(staged_pages);
	ADD(remote_pages);
	ADD(held_pages);
	ADD(queue_pages);
	ADD(faults);
	ADD(faults_zero);
	ADD(faults_remote);
	ADD(faults_steal);
	ADD(faults_protect);
	ADD(faults_race);
	ADD(prefetched);
	ADD(prefetch_hits);
	ADD(prefetch_misses);
	ADD(evicted_clean);
	ADD(evicted_dirty);
	ADD(evicted_zero);
	ADD(evict_busy);
	ADD(written);
	ADD(discarded);
	ADD(huge);
	ADD(forks);
	ADD(cpu_ns);
	ADD(servers_nr);
}

struct json_object *gvm_report_json(const struct gvm_stats *s)
{
	struct json_object *o = json_object_new_object();
	struct json_object *servers = json_object_new_array();
	uint64_t nr = s->servers_nr;

	add(o, "pid", s->pid);
	add_text(o, "name", s->name);
	add_text(o, "engine", s->engine);
	ADD(start_ns);
	add_counters(o, s);
	add_latency(o, "latency_remote", &s->latency_remote);
	add_latency(o, "latency_local", &s->latency_local);
	if (nr > GVM_STATS_SERVERS)
		nr = GVM_STATS_SERVERS;
	for (uint64_t i = 0; i < nr; i++)
		json_object_array_add(servers, server_json(&s->server[i]));
	json_object_object_add(o, "servers", servers);
	return o;
}
