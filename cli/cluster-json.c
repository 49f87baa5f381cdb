// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A cluster as JSON, for programs: the names of the file, sizes in bytes.  What
 * the file does not say is left out.
 */
#include <json-c/json.h>

#include "cluster-report.h"

static void add(struct json_object *o, const char *name, uint64_t value)
{
	json_object_object_add(o, name, json_object_new_uint64(value));
}

static void add_text(struct json_object *o, const char *name, const char *text)
{
	json_object_object_add(o, name, json_object_new_string(text));
}

static struct json_object *servers_json(const struct gvm_conf *conf,
					const uint64_t *shares)
{
	struct json_object *list = json_object_new_array();

	for (unsigned i = 0; i < conf->servers_nr; i++) {
		const struct gvm_conf_server *s = &conf->servers[i];
		struct json_object *o = json_object_new_object();

		add_text(o, "name", s->name);
		add_text(o, "address", s->address);
		if (s->memory_bytes)
			add(o, "memory", s->memory_bytes);
		if (s->node != GVM_CONF_NODE_NONE)
			add(o, "node", s->node);
		add(o, "regions", shares[i]);
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *vcpus_json(const struct gvm_conf_node *n)
{
	struct json_object *list = json_object_new_array();

	for (unsigned i = 0; i < n->vcpus_nr; i++) {
		for (uint32_t v = n->vcpus[i].first; v <= n->vcpus[i].last; v++)
			json_object_array_add(list, json_object_new_uint64(v));
	}
	return list;
}

static struct json_object *nodes_json(const struct gvm_conf *conf)
{
	struct json_object *list = json_object_new_array();

	for (unsigned i = 0; i < conf->nodes_nr; i++) {
		const struct gvm_conf_node *n = &conf->nodes[i];
		struct json_object *o = json_object_new_object();

		add(o, "id", n->id);
		add_text(o, "address", n->address);
		if (n->local_bytes)
			add(o, "local", n->local_bytes);
		if (n->vcpus_nr)
			json_object_object_add(o, "vcpus", vcpus_json(n));
		if (n->host)
			add_text(o, "host", n->host);
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *regions_json(const struct gvm_conf *conf)
{
	struct json_object *list = json_object_new_array();

	for (unsigned i = 0; i < conf->regions_nr; i++) {
		const struct gvm_conf_region *r = &conf->regions[i];
		struct json_object *o = json_object_new_object();
		struct json_object *homes = json_object_new_array();

		add_text(o, "name", r->name);
		add(o, "size", r->size_bytes);
		add(o, "slice", r->slice_bytes);
		add(o, "slices", gvm_conf_slices(r));
		for (unsigned k = 0; k < r->servers_nr; k++)
			json_object_array_add(homes, json_object_new_string(
				conf->servers[r->servers[k]].name));
		json_object_object_add(o, "servers", homes);
		json_object_array_add(list, o);
	}
	return list;
}

struct json_object *gvm_cluster_json(const struct gvm_conf *conf,
				     const uint64_t *shares)
{
	char fingerprint[2 * GVM_CONF_FINGERPRINT + 1];
	struct json_object *o = json_object_new_object();

	gvm_conf_fingerprint_print(conf, fingerprint);
	add_text(o, "name", conf->name);
	add_text(o, "fingerprint", fingerprint);
	add(o, "lease_ms", conf->lease_ms);
	if (conf->turn_us == GVM_CONF_TURN_NONE)
		add_text(o, "turn_us", "none");
	else
		add(o, "turn_us", conf->turn_us);
	add(o, "vcpus", conf->vcpus_nr);
	json_object_object_add(o, "servers", servers_json(conf, shares));
	json_object_object_add(o, "nodes", nodes_json(conf));
	json_object_object_add(o, "regions", regions_json(conf));
	return o;
}
