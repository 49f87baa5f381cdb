// SPDX-License-Identifier: GPL-2.0-or-later
/* What servers said of shared regions, for people and for programs. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "region.h"
#include "size.h"
#include "text.h"

#define LOST_SHOWN	16u	/* lost pages in words; --json has all */

static void add_number(struct json_object *o, const char *name, uint64_t value)
{
	json_object_object_add(o, name, json_object_new_uint64(value));
}

static void add_text(struct json_object *o, const char *name, const char *text)
{
	json_object_object_add(o, name, json_object_new_string(text));
}

static void add_info(struct json_object *o, const struct gvm_region_info *i)
{
	char id[33];

	for (unsigned b = 0; b < 16; b++)
		snprintf(id + 2 * b, 3, "%02x", i->region[b]);
	add_text(o, "name", i->name);
	add_text(o, "id", id);
	add_number(o, "bytes", i->bytes);
	add_number(o, "slice_bytes", i->slice_bytes);
	add_number(o, "server", i->server);
	add_number(o, "servers", i->servers);
	add_number(o, "nodes", i->members);
	add_number(o, "pages_stored", i->pages_stored);
	add_number(o, "pages_lost", i->pages_lost);
}

static struct json_object *list_json(const struct gvm_region_answer *a)
{
	struct json_object *o = json_object_new_object();
	struct json_object *list = json_object_new_array();

	add_text(o, "server", a->address);
	if (a->error[0])
		add_text(o, "error", a->error);
	for (uint32_t i = 0; i < a->list_nr; i++) {
		struct json_object *one = json_object_new_object();

		add_info(one, &a->list[i]);
		json_object_array_add(list, one);
	}
	json_object_object_add(o, "regions", list);
	return o;
}

static void list_words(const struct gvm_region_answer *a)
{
	char size[GVM_SIZE_TEXT_MAX], stored[GVM_SIZE_TEXT_MAX];

	for (uint32_t i = 0; i < a->list_nr; i++) {
		const struct gvm_region_info *r = &a->list[i];

		printf("%-24s %10s %10s %6u %6llu  %u of %u, %s\n", r->name,
		       gvm_size_print(r->bytes, size, sizeof(size)),
		       gvm_pages_print(r->pages_stored, stored, sizeof(stored)),
		       r->members, (unsigned long long)r->pages_lost,
		       r->server + 1u, r->servers, a->address);
	}
}

int gvm_region_show_list(const struct gvm_region_answer *a, unsigned nr,
			 int json)
{
	struct json_object *all;
	uint32_t regions = 0;

	if (json) {
		all = json_object_new_array();
		for (unsigned i = 0; i < nr; i++)
			json_object_array_add(all, list_json(&a[i]));
		return gvm_json_print(all);
	}
	for (unsigned i = 0; i < nr; i++)
		regions += a[i].list_nr;
	if (!regions) {
		printf("no shared regions; make one with 'giantvm region make'\n");
		return 0;
	}
	printf("%-24s %10s %10s %6s %6s  %s\n", "NAME", "SIZE", "STORED",
	       "NODES", "LOST", "PART, SERVER");
	for (unsigned i = 0; i < nr; i++)
		list_words(&a[i]);
	return 0;
}

static struct json_object *nodes_json(const struct gvm_region_report *r)
{
	struct json_object *list = json_object_new_array();

	for (uint32_t i = 0; i < r->nodes_nr; i++) {
		struct json_object *o = json_object_new_object();

		add_number(o, "id", r->nodes[i].id);
		add_number(o, "epoch", r->nodes[i].epoch);
		add_text(o, "address", r->nodes[i].address);
		add_number(o, "heard_ms", r->nodes[i].heard_ms);
		json_object_object_add(o, "connected",
			json_object_new_boolean(r->nodes[i].connected));
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *status_json(const struct gvm_region_answer *a)
{
	const struct gvm_region_report *r = &a->report;
	struct json_object *o = json_object_new_object();
	struct json_object *lost = json_object_new_array();
	struct json_object *counters = json_object_new_object();

	add_text(o, "address", a->address);
	if (a->error[0]) {
		add_text(o, "error", a->error);
		json_object_put(lost);
		json_object_put(counters);
		return o;
	}
	add_info(o, &r->info);
	add_number(o, "directory_bytes", r->directory_bytes);
	add_number(o, "messages_in", r->messages_in);
	add_number(o, "messages_out", r->messages_out);
	add_number(o, "messages_dropped", r->messages_dropped);
	for (unsigned i = 0; i < GVM_REGION_COUNTERS; i++)
		add_number(counters, gvm_region_counters[i], r->counters[i]);
	json_object_object_add(o, "counters", counters);
	json_object_object_add(o, "members", nodes_json(r));
	for (uint32_t i = 0; i < r->lost_nr; i++)
		json_object_array_add(lost, json_object_new_uint64(r->lost[i]));
	json_object_object_add(o, "lost_pages", lost);
	return o;
}

static void server_words(const struct gvm_region_answer *a)
{
	const struct gvm_region_report *r = &a->report;
	char stored[GVM_SIZE_TEXT_MAX], directory[GVM_SIZE_TEXT_MAX];
	char reads[GVM_TEXT_MAX], writes[GVM_TEXT_MAX], recalls[GVM_TEXT_MAX];
	char invalidations[GVM_TEXT_MAX];

	printf("server    %s: %s stored, %s of directory, %llu pages lost\n",
	       a->address,
	       gvm_pages_print(r->info.pages_stored, stored, sizeof(stored)),
	       gvm_size_print(r->directory_bytes, directory,
			      sizeof(directory)),
	       (unsigned long long)r->info.pages_lost);
	printf("          %s reads, %s writes, %s recalls, %s invalidations\n",
	       gvm_count_print((double)r->counters[0], reads, sizeof(reads)),
	       gvm_count_print((double)r->counters[1], writes, sizeof(writes)),
	       gvm_count_print((double)r->counters[2], recalls,
			       sizeof(recalls)),
	       gvm_count_print((double)r->counters[3], invalidations,
			       sizeof(invalidations)));
}

static void node_words(const struct gvm_region_node *n)
{
	char heard[GVM_TEXT_MAX];

	printf("node      %-5u %-24s %s, heard %s ago\n", n->id, n->address,
	       n->connected ? "connected" : "gone, its lease runs out",
	       gvm_time_print(n->heard_ms * 1000000, heard, sizeof(heard)));
}

static void lost_words(const struct gvm_region_report *r)
{
	for (uint32_t i = 0; i < r->lost_nr && i < LOST_SHOWN; i++)
		printf("lost      page 0x%llx, at byte 0x%llx of the region\n",
		       (unsigned long long)r->lost[i],
		       (unsigned long long)r->lost[i] << 12);
	if (r->info.pages_lost > LOST_SHOWN)
		printf("lost      %llu in all; --json lists up to %u\n",
		       (unsigned long long)r->info.pages_lost,
		       GVM_REGION_LOST_MAX);
}

int gvm_region_show_status(const char *name, const struct gvm_region_answer *a,
			   unsigned nr, int json)
{
	char size[GVM_SIZE_TEXT_MAX], slice[GVM_SIZE_TEXT_MAX];
	const struct gvm_region_report *first = NULL;
	struct json_object *all;

	if (json) {
		all = json_object_new_array();
		for (unsigned i = 0; i < nr; i++)
			json_object_array_add(all, status_json(&a[i]));
		return gvm_json_print(all);
	}
	for (unsigned i = nr; i--; ) {
		if (!a[i].error[0])
			first = &a[i].report;
	}
	if (!first)
		return 0;
	printf("region    %s: %s in slices of %s on %u server%s\n", name,
	       gvm_size_print(first->info.bytes, size, sizeof(size)),
	       gvm_size_print(first->info.slice_bytes, slice, sizeof(slice)),
	       first->info.servers, first->info.servers == 1 ? "" : "s");
	for (unsigned i = 0; i < nr; i++) {
		if (!a[i].error[0])
			server_words(&a[i]);
	}
	for (uint32_t i = 0; i < first->nodes_nr; i++)
		node_words(&first->nodes[i]);
	for (unsigned i = 0; i < nr; i++)
		lost_words(&a[i].report);
	return 0;
}
