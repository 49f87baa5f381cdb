// SPDX-License-Identifier: GPL-2.0-or-later
/* What simulations found, as tables and as JSON. */
#include <json-c/json.h>
#include <stdio.h>

#include "sim.h"
#include "size.h"
#include "text.h"

static double per(uint64_t a, uint64_t b)
{
	return b ? (double)a / (double)b : 0;
}

static void row(const struct gvm_sim_outcome *o)
{
	const struct gvm_sim_result *r = &o->result;
	uint64_t busy = r->busiest_ns > r->busiest_home_ns ? r->busiest_ns :
							     r->busiest_home_ns;
	char misses[GVM_TEXT_MAX], p50[GVM_TEXT_MAX], p99[GVM_TEXT_MAX];
	char max[GVM_TEXT_MAX], events[GVM_TEXT_MAX], speed[GVM_TEXT_MAX];
	char memory[GVM_SIZE_TEXT_MAX];

	printf("%-7s %-13s %6u %7s %5.2f %3u %7.2f %9s %9s %9s %7.1f %5.0f%% %7s %7s %9s\n",
	       gvm_sim_design_names[o->config.design],
	       gvm_sim_load_names[o->config.load], o->config.nodes,
	       gvm_count_print((double)r->misses, misses, sizeof(misses)),
	       per(r->hops_sum, r->misses), r->hops_max,
	       per(r->messages, r->misses),
	       gvm_time_print(gvm_sim_percentile(r, 500), p50, sizeof(p50)),
	       gvm_time_print(gvm_sim_percentile(r, 990), p99, sizeof(p99)),
	       gvm_time_print(r->latency_max, max, sizeof(max)),
	       per(r->dir_bytes, r->dir_pages), 100 * per(busy, r->sim_ns),
	       gvm_count_print((double)r->events, events, sizeof(events)),
	       gvm_count_print((double)r->events / o->seconds, speed,
			       sizeof(speed)),
	       gvm_size_print(o->memory_bytes, memory, sizeof(memory)));
}

static bool is_inval(const struct gvm_sim_outcome *o)
{
	return o->config.load == GVM_SIM_INVALIDATE;
}

static void invalidations(const struct gvm_sim_outcome *o, size_t nr)
{
	char time[GVM_TEXT_MAX];

	for (size_t i = 0; i < nr; i++) {
		const struct gvm_sim_result *r = &o[i].result;

		if (is_inval(&o[i]))
			printf("%-7s %6u sharers: %9s, %u messages for the busiest node\n",
			       gvm_sim_design_names[o[i].config.design],
			       r->inval_sharers,
			       gvm_time_print(r->inval_ns, time, sizeof(time)),
			       r->inval_messages);
	}
}

void gvm_sim_table(const struct gvm_sim_outcome *o, size_t nr)
{
	bool any = false, inval = false;

	for (size_t i = 0; i < nr; i++) {
		any |= !is_inval(&o[i]);
		inval |= is_inval(&o[i]);
	}
	if (any)
		printf("%-7s %-13s %6s %7s %9s %7s %9s %9s %9s %7s %6s %7s %7s %9s\n",
		       "design", "load", "nodes", "misses", "hops max",
		       "msg/mis", "p50", "p99", "max", "dir B/p", "busy",
		       "events", "per s", "memory");
	for (size_t i = 0; i < nr; i++) {
		if (!is_inval(&o[i]))
			row(&o[i]);
	}
	if (inval) {
		printf("\ntime to the right to write a page that all others share:\n");
		invalidations(o, nr);
	}
}

void gvm_sim_details(const struct gvm_sim_outcome *o)
{
	const struct gvm_sim_result *r = &o->result;
	char sim[GVM_TEXT_MAX];

	printf("\n%llu accesses in %s: %llu hits, %llu misses, %llu pages evicted\n",
	       (unsigned long long)r->accesses,
	       gvm_time_print(r->sim_ns, sim, sizeof(sim)),
	       (unsigned long long)r->hits, (unsigned long long)r->misses,
	       (unsigned long long)r->evicted);
	printf("hops:");
	for (unsigned i = 0; i < 8; i++) {
		if (r->hops[i])
			printf(" %u%s: %.2f %%", i, i == 7 ? "+" : "",
			       100 * per(r->hops[i], r->misses));
	}
	printf("; relays %u levels deep; %llu misses asked again\n",
	       r->levels_max, (unsigned long long)r->again);
	printf("messages: %llu, %.0f bytes a miss, %llu lost or cut off, %llu doubled\n",
	       (unsigned long long)r->messages, per(r->bytes, r->misses),
	       (unsigned long long)r->dropped,
	       (unsigned long long)r->duplicated);
	printf("directory: %llu pages, %.1f bytes each, %llu at most, %llu with up to 4 sharers\n",
	       (unsigned long long)r->dir_pages,
	       per(r->dir_bytes, r->dir_pages),
	       (unsigned long long)r->dir_page_max,
	       (unsigned long long)r->dir_few_max);
	if (r->crashed || r->fenced)
		printf("troubles: %llu nodes crashed, %llu were cut off, %llu came back; %llu pages lost (%llu of them still read by somebody), %llu accesses told so\n",
		       (unsigned long long)r->crashed,
		       (unsigned long long)r->fenced,
		       (unsigned long long)r->rejoined,
		       (unsigned long long)r->lost,
		       (unsigned long long)r->avoidable,
		       (unsigned long long)r->errors);
	printf("hash %016llx\n", (unsigned long long)r->hash);
}

static void add(struct json_object *o, const char *name, uint64_t v)
{
	json_object_object_add(o, name, json_object_new_uint64(v));
}

static void add_double(struct json_object *o, const char *name, double v)
{
	json_object_object_add(o, name, json_object_new_double(v));
}

static void add_text(struct json_object *o, const char *name, const char *v)
{
	json_object_object_add(o, name, json_object_new_string(v));
}

static struct json_object *run_json(const struct gvm_sim_outcome *o)
{
	const struct gvm_sim_result *r = &o->result;
	struct json_object *j = json_object_new_object();
	char hash[20];

	snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)r->hash);
	add_text(j, "design", gvm_sim_design_names[o->config.design]);
	add_text(j, "load", gvm_sim_load_names[o->config.load]);
	add(j, "nodes", o->config.nodes);
	add(j, "seed", o->config.seed);
	add_text(j, "hash", hash);
	json_object_object_add(j, "failed",
			       json_object_new_boolean(gvm_sim_bad(o)));
	add_text(j, "why", r->why);
	add(j, "sim_ns", r->sim_ns);
	add(j, "events", r->events);
	add_double(j, "seconds", o->seconds);
	add_double(j, "events_per_second",
		   o->seconds > 0 ? (double)r->events / o->seconds : 0);
	add(j, "memory_bytes", o->memory_bytes);
	add(j, "accesses", r->accesses);
	add(j, "hits", r->hits);
	add(j, "misses", r->misses);
	add(j, "asked_again", r->again);
	add_double(j, "hops_mean", per(r->hops_sum, r->misses));
	add(j, "hops_max", r->hops_max);
	add(j, "relay_levels_max", r->levels_max);
	add(j, "messages", r->messages);
	add_double(j, "messages_per_miss", per(r->messages, r->misses));
	add_double(j, "bytes_per_miss", per(r->bytes, r->misses));
	add(j, "p50_ns", gvm_sim_percentile(r, 500));
	add(j, "p90_ns", gvm_sim_percentile(r, 900));
	add(j, "p99_ns", gvm_sim_percentile(r, 990));
	add(j, "max_ns", r->latency_max);
	add_double(j, "directory_bytes_per_page",
		   per(r->dir_bytes, r->dir_pages));
	add(j, "directory_bytes_max", r->dir_page_max);
	add(j, "directory_bytes_few_max", r->dir_few_max);
	add_double(j, "busiest_node", per(r->busiest_ns, r->sim_ns));
	add_double(j, "busiest_home", per(r->busiest_home_ns, r->sim_ns));
	add(j, "invalidate_ns", r->inval_ns);
	add(j, "invalidate_sharers", r->inval_sharers);
	add(j, "invalidate_messages_max", r->inval_messages);
	add(j, "evicted", r->evicted);
	add(j, "crashed", r->crashed);
	add(j, "fenced", r->fenced);
	add(j, "rejoined", r->rejoined);
	add(j, "lost_pages", r->lost);
	add(j, "lost_pages_avoidable", r->avoidable);
	return j;
}

int gvm_sim_json(const struct gvm_sim_outcome *o, size_t nr)
{
	struct json_object *j = json_object_new_object();
	struct json_object *runs = json_object_new_array();

	add_text(j, "commit", gvm_commit);
	for (size_t i = 0; i < nr; i++)
		json_object_array_add(runs, run_json(&o[i]));
	json_object_object_add(j, "runs", runs);
	return gvm_json_print(j);
}
