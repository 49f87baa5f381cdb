// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The sections of a cluster.conf and their keys: one table.  Values are judged
 * in values.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

struct key {
	const char	*name;
	int		(*set)(struct gvm_parse *p, const char *value);
	bool		required;
	bool		continues;	/* may go on in further lines */
};

struct gvm_parse_section {
	const char	*word;
	const char	*label;		/* what it is to be; NULL: there is none */
	int		(*begin)(struct gvm_parse *p, const char *label);
	struct key	keys[GVM_PARSE_KEYS_MAX + 1];
};

static struct gvm_conf_server *server_of(struct gvm_parse *p)
{
	return &p->conf->servers[p->conf->servers_nr - 1];
}

static struct gvm_conf_node *node_of(struct gvm_parse *p)
{
	return &p->conf->nodes[p->conf->nodes_nr - 1];
}

static struct gvm_conf_region *region_of(struct gvm_parse *p)
{
	return &p->conf->regions[p->conf->regions_nr - 1];
}

static int begin_cluster(struct gvm_parse *p, const char *label)
{
	(void)label;
	if (p->cluster_line)
		return gvm_parse_fail(p, p->line, "[cluster] was in line %u already; keep one of them",
				      p->cluster_line);
	p->cluster_line = p->line;
	return 0;
}

static int begin_server(struct gvm_parse *p, const char *label)
{
	struct gvm_conf *c = p->conf;
	struct gvm_conf_server *all;

	if (c->servers_nr == GVM_CONF_SERVERS_MAX)
		return gvm_parse_fail(p, p->line, "there are more than %u servers",
				      GVM_CONF_SERVERS_MAX);
	all = gvm_parse_grow(p, c->servers, c->servers_nr, sizeof(*all));
	if (!all)
		return p->err;
	c->servers = all;
	all[c->servers_nr].line = p->line;
	all[c->servers_nr].node = GVM_CONF_NODE_NONE;
	return gvm_parse_label(p, "server", label, all[c->servers_nr++].name);
}

static int begin_node(struct gvm_parse *p, const char *label)
{
	struct gvm_conf *c = p->conf;
	struct gvm_conf_node *all;
	uint32_t id;

	if (gvm_parse_number(p, "node", label, 0, GVM_CONF_NODES_MAX - 1, &id))
		return p->err;
	if (p->node_line[id])
		return gvm_parse_fail(p, p->line, "node %u was in line %u already; give each node its own id",
				      id, p->node_line[id]);
	p->node_line[id] = p->line;
	all = gvm_parse_grow(p, c->nodes, c->nodes_nr, sizeof(*all));
	if (!all)
		return p->err;
	c->nodes = all;
	all[c->nodes_nr].line = p->line;
	all[c->nodes_nr++].id = id;
	return 0;
}

static int begin_region(struct gvm_parse *p, const char *label)
{
	struct gvm_conf *c = p->conf;
	struct gvm_conf_region *all;

	if (c->regions_nr == GVM_CONF_REGIONS_MAX)
		return gvm_parse_fail(p, p->line, "there are more than %u regions",
				      GVM_CONF_REGIONS_MAX);
	all = gvm_parse_grow(p, c->regions, c->regions_nr, sizeof(*all));
	if (!all)
		return p->err;
	c->regions = all;
	all[c->regions_nr].line = p->line;
	all[c->regions_nr].slice_bytes = GVM_CONF_SLICE;
	return gvm_parse_label(p, "region", label, all[c->regions_nr++].name);
}

static int set_name(struct gvm_parse *p, const char *value)
{
	return gvm_parse_label(p, "name", value, p->conf->name);
}

static int set_lease(struct gvm_parse *p, const char *value)
{
	return gvm_parse_number(p, "lease_ms", value, GVM_CONF_LEASE_MS_MIN,
				GVM_CONF_LEASE_MS_MAX, &p->conf->lease_ms);
}

static int set_turn(struct gvm_parse *p, const char *value)
{
	if (!strcmp(value, "none")) {
		p->conf->turn_us = GVM_CONF_TURN_NONE;
		return 0;
	}
	return gvm_parse_number(p, "turn_us", value, 0, GVM_CONF_TURN_US_MAX,
				&p->conf->turn_us);
}

static int set_server_address(struct gvm_parse *p, const char *value)
{
	return gvm_parse_address(p, value, &server_of(p)->address);
}

static int set_server_memory(struct gvm_parse *p, const char *value)
{
	return gvm_parse_size(p, "memory", value, GVM_CONF_LOCAL_MIN,
			      &server_of(p)->memory_bytes);
}

static int set_server_node(struct gvm_parse *p, const char *value)
{
	return gvm_parse_number(p, "node", value, 0, GVM_CONF_NODES_MAX - 1,
				&server_of(p)->node);
}

static int set_node_address(struct gvm_parse *p, const char *value)
{
	return gvm_parse_address(p, value, &node_of(p)->address);
}

static int set_node_local(struct gvm_parse *p, const char *value)
{
	return gvm_parse_size(p, "local", value, GVM_CONF_LOCAL_MIN,
			      &node_of(p)->local_bytes);
}

static int set_node_vcpus(struct gvm_parse *p, const char *value)
{
	return gvm_parse_vcpus(p, value, node_of(p));
}

static int set_node_host(struct gvm_parse *p, const char *value)
{
	if (strlen(value) > GVM_CONF_LABEL_MAX)
		return gvm_parse_fail(p, p->line, "host has more than %u characters; shorten it",
				      GVM_CONF_LABEL_MAX);
	node_of(p)->host = strdup(value);
	return node_of(p)->host ? 0 : gvm_parse_fail_memory(p);
}

static int set_region_size(struct gvm_parse *p, const char *value)
{
	return gvm_parse_size(p, "size", value, 4096,
			      &region_of(p)->size_bytes);
}

static int set_region_servers(struct gvm_parse *p, const char *value)
{
	return gvm_parse_wishes(p, value);
}

static int set_region_slice(struct gvm_parse *p, const char *value)
{
	uint64_t bytes;

	if (gvm_parse_size(p, "slice", value, GVM_CONF_SLICE_MIN, &bytes))
		return p->err;
	if (bytes & (bytes - 1))
		return gvm_parse_fail(p, p->line, "slice '%s' is not a power of two; write it like 64M or 1G",
				      value);
	region_of(p)->slice_bytes = bytes;
	return 0;
}

static const struct gvm_parse_section sections[] = {
	{ "cluster", NULL, begin_cluster, {
		{ "name", set_name, .required = true },
		{ "lease_ms", set_lease },
		{ "turn_us", set_turn },
	} },
	{ "server", "a name", begin_server, {
		{ "address", set_server_address, .required = true },
		{ "memory", set_server_memory },
		{ "node", set_server_node },
	} },
	{ "node", "an id", begin_node, {
		{ "address", set_node_address, .required = true },
		{ "local", set_node_local },
		{ "vcpus", set_node_vcpus, .continues = true },
		{ "host", set_node_host },
	} },
	{ "region", "a name", begin_region, {
		{ "size", set_region_size, .required = true },
		{ "servers", set_region_servers, .continues = true },
		{ "slice", set_region_slice },
	} },
};

#define SECTIONS_NR	(sizeof(sections) / sizeof(sections[0]))

int gvm_parse_section_end(struct gvm_parse *p)
{
	const struct gvm_parse_section *s = p->section;

	if (!s || p->err)
		return p->err;
	for (unsigned i = 0; s->keys[i].name; i++) {
		if (s->keys[i].required && !p->key_line[i])
			return gvm_parse_fail(p, p->section_line, "[%s] lacks the key '%s'; add a line '%s = ...'",
					      s->word, s->keys[i].name,
					      s->keys[i].name);
	}
	return 0;
}

/* Word and label of "[WORD LABEL]"; false after a complaint. */
static bool split(struct gvm_parse *p, char *line, char **ret_word,
		  char **ret_label)
{
	char *end = strchr(line, ']');
	char *blank;

	if (!end) {
		gvm_parse_fail(p, p->line, "the ] of the section is missing");
		return false;
	}
	if (end[1 + strspn(end + 1, " \t")] &&
	    !strchr(";#", end[1 + strspn(end + 1, " \t")])) {
		gvm_parse_fail(p, p->line, "there is more after the ] of the section; put it into a line of its own");
		return false;
	}
	while (end > line + 1 && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = '\0';
	*ret_word = line + 1 + strspn(line + 1, " \t");
	blank = *ret_word + strcspn(*ret_word, " \t");
	*ret_label = blank + strspn(blank, " \t");
	*blank = '\0';
	return true;
}

static const struct gvm_parse_section *find_section(const char *word)
{
	for (size_t i = 0; i < SECTIONS_NR; i++) {
		if (!strcmp(sections[i].word, word))
			return &sections[i];
	}
	return NULL;
}

int gvm_parse_section_begin(struct gvm_parse *p, const char *line)
{
	char copy[GVM_PARSE_LINE_MAX + 1];
	const struct gvm_parse_section *s;
	char *word, *label;

	snprintf(copy, sizeof(copy), "%s", line);
	if (gvm_parse_section_end(p) || !split(p, copy, &word, &label))
		return p->err;
	if (!gvm_parse_plain(word) || !gvm_parse_plain(label))
		return gvm_parse_fail(p, p->line, GVM_PARSE_NOT_PLAIN);
	s = find_section(word);
	if (!s)
		return gvm_parse_fail(p, p->line, "no section is called [%s]; there are [cluster], [server NAME], [node ID] and [region NAME]",
				      word);
	if (s->label && !*label)
		return gvm_parse_fail(p, p->line, "[%s] needs %s, like [%s %s]",
				      word, s->label, word,
				      !strcmp(word, "node") ? "0" : "a");
	if (!s->label && *label)
		return gvm_parse_fail(p, p->line, "[%s] takes no name; write [%s]",
				      word, word);
	p->section = s;
	p->section_line = p->line;
	p->key = -1;
	memset(p->key_line, 0, sizeof(p->key_line));
	return s->begin(p, label);
}

static int unknown_key(struct gvm_parse *p, const char *name)
{
	const struct key *k = p->section->keys;
	char all[128] = "";
	size_t len = 0;

	for (; k->name; k++)
		len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s",
					len ? ", " : "", k->name);
	return gvm_parse_fail(p, p->line, "[%s] has no key '%s'; its keys are %s",
			      p->section->word, name, all);
}

static int continue_key(struct gvm_parse *p, const char *value)
{
	const struct key *k = &p->section->keys[p->key];

	if (!k->continues)
		return gvm_parse_fail(p, p->line, "this continues '%s', which is no list; write KEY = VALUE, or begin a comment with #",
				      k->name);
	return k->set(p, value);
}

int gvm_parse_key(struct gvm_parse *p, const char *name, const char *value)
{
	const struct key *k;
	int i = 0;

	if (!p->section)
		return gvm_parse_fail(p, p->line, "'%s' stands before the first section; begin with [cluster]",
				      name);
	if (p->indented && p->key >= 0)
		return continue_key(p, value);
	k = p->section->keys;
	while (k[i].name && strcmp(k[i].name, name))
		i++;
	if (!k[i].name)
		return unknown_key(p, name);
	if (p->key_line[i])
		return gvm_parse_fail(p, p->line, "'%s' was in line %u already; keep one of them",
				      name, p->key_line[i]);
	if (!*value)
		return gvm_parse_fail(p, p->line, "'%s' has no value; write one, or take the line out",
				      name);
	p->key_line[i] = p->line;
	p->key = i;
	return k[i].set(p, value);
}
