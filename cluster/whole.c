// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What only the whole of a cluster.conf shows: things described twice, names
 * that lead nowhere, vCPUs that are missing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "limits.h"
#include "parse.h"

static_assert(GVM_CONF_NODES_MAX == GVM_NODES_MAX, "ids fit the protocol");

/* Something that must be there once, and where it is. */
struct mention {
	const char	*text;
	unsigned	line;
	uint32_t	index;
};

static int by_text(const void *a, const void *b)
{
	const struct mention *x = a;
	const struct mention *y = b;
	int order = strcmp(x->text, y->text);

	return order ? order : (x->line > y->line) - (x->line < y->line);
}

/* Sort, and complain about the twice one that comes first in the file. */
static int check_unique(struct gvm_parse *p, struct mention *list, size_t nr,
			const char *what)
{
	const struct mention *twice = NULL;

	qsort(list, nr, sizeof(*list), by_text);
	for (size_t i = 1; i < nr; i++) {
		if (!strcmp(list[i - 1].text, list[i].text) &&
		    (!twice || list[i].line < twice->line))
			twice = &list[i];
	}
	if (!twice)
		return 0;
	return gvm_parse_fail(p, twice->line, "%s '%s' was in line %u already; each may be there once",
			      what, twice->text, twice[-1].line);
}

static int check_there(struct gvm_parse *p)
{
	if (!p->section)
		return gvm_parse_fail(p, 0, "the file is empty; describe [cluster], [server NAME] and [node ID], as giantvm-cluster.conf(5) shows");
	if (!p->cluster_line)
		return gvm_parse_fail(p, 0, "there is no [cluster]; add one with name = ...");
	if (!p->conf->servers_nr)
		return gvm_parse_fail(p, 0, "there is no [server NAME]; add one with address = HOST:PORT");
	if (!p->conf->nodes_nr)
		return gvm_parse_fail(p, 0, "there is no [node ID]; add one with address = HOST:PORT");
	return 0;
}

/* `list` has room for all servers and nodes. */
static int check_addresses(struct gvm_parse *p, struct mention *list)
{
	const struct gvm_conf *c = p->conf;
	size_t nr = 0;

	for (unsigned i = 0; i < c->servers_nr; i++)
		list[nr++] = (struct mention){ c->servers[i].address,
					       c->servers[i].line, i };
	for (unsigned i = 0; i < c->nodes_nr; i++)
		list[nr++] = (struct mention){ c->nodes[i].address,
					       c->nodes[i].line, i };
	return check_unique(p, list, nr, "address");
}

static int check_regions(struct gvm_parse *p)
{
	const struct gvm_conf *c = p->conf;
	struct mention list[GVM_CONF_REGIONS_MAX];

	for (unsigned i = 0; i < c->regions_nr; i++)
		list[i] = (struct mention){ c->regions[i].name,
					    c->regions[i].line, i };
	return check_unique(p, list, c->regions_nr, "region");
}

/* `list` becomes the servers, sorted by name. */
static int check_servers(struct gvm_parse *p, struct mention *list)
{
	const struct gvm_conf *c = p->conf;

	for (unsigned i = 0; i < c->servers_nr; i++)
		list[i] = (struct mention){ c->servers[i].name,
					    c->servers[i].line, i };
	return check_unique(p, list, c->servers_nr, "server");
}

/* `wished[server]` is the last region that wished for it, plus 1. */
static int grant(struct gvm_parse *p, const struct gvm_parse_wish *w,
		 const struct mention *list, uint32_t *wished)
{
	struct gvm_conf_region *r = &p->conf->regions[w->region];
	struct mention key = { w->server, 0, 0 };
	const struct mention *end = list + p->conf->servers_nr;
	const struct mention *low = list;
	uint32_t *all;

	while (low < end) {
		const struct mention *mid = low + (end - low) / 2;

		if (strcmp(mid->text, key.text) < 0)
			low = mid + 1;
		else
			end = mid;
	}
	if (low == list + p->conf->servers_nr || strcmp(low->text, key.text))
		return gvm_parse_fail(p, w->line, "region '%s' is to be on server '%s', which is not described; add a [server %s]",
				      r->name, w->server, w->server);
	if (wished[low->index] == w->region + 1)
		return gvm_parse_fail(p, w->line, "region '%s' names server '%s' twice; keep one of them",
				      r->name, w->server);
	wished[low->index] = w->region + 1;
	all = gvm_parse_grow(p, r->servers, r->servers_nr, sizeof(*all));
	if (!all)
		return p->err;
	r->servers = all;
	all[r->servers_nr++] = low->index;
	return 0;
}

static int give_all(struct gvm_parse *p, struct gvm_conf_region *r)
{
	unsigned nr = p->conf->servers_nr;

	r->servers = calloc(nr, sizeof(*r->servers));
	if (!r->servers)
		return gvm_parse_fail_memory(p);
	for (r->servers_nr = 0; r->servers_nr < nr; r->servers_nr++)
		r->servers[r->servers_nr] = r->servers_nr;
	return 0;
}

static int grant_all(struct gvm_parse *p, const struct mention *list)
{
	struct gvm_conf *c = p->conf;
	uint32_t *wished = calloc(c->servers_nr, sizeof(*wished));

	if (!wished)
		return gvm_parse_fail_memory(p);
	for (unsigned i = 0; i < p->wishes_nr && !p->err; i++)
		grant(p, &p->wishes[i], list, wished);
	free(wished);
	for (unsigned i = 0; i < c->regions_nr && !p->err; i++) {
		if (!c->regions[i].servers_nr)
			give_all(p, &c->regions[i]);
	}
	return p->err;
}

static const struct gvm_conf_node *node_with(const struct gvm_conf *c,
					     uint32_t id)
{
	for (unsigned i = 0; i < c->nodes_nr; i++) {
		if (c->nodes[i].id == id)
			return &c->nodes[i];
	}
	return NULL;
}

/* A server in the process of a node: that process is a guest's. */
static int check_hosts(struct gvm_parse *p)
{
	const struct gvm_conf *c = p->conf;

	for (unsigned i = 0; i < c->servers_nr; i++) {
		const struct gvm_conf_server *s = &c->servers[i];
		const struct gvm_conf_node *n = node_with(c, s->node);

		if (s->node == GVM_CONF_NODE_NONE)
			continue;
		if (!n || !n->vcpus_nr)
			return gvm_parse_fail(p, s->line, "server '%s' is to be in node %u, which is not described or has no vCPUs; add a [node %u] with vcpus, or take the line node = out",
					      s->name, s->node, s->node);
		for (unsigned k = 0; k < i; k++) {
			if (c->servers[k].node == s->node)
				return gvm_parse_fail(p, s->line, "node %u has server '%s' already; a node has one at most",
						      s->node,
						      c->servers[k].name);
		}
	}
	return 0;
}

/* Nobody has vCPU `missing`; complain where a higher one is. */
static int complain_gap(struct gvm_parse *p, uint32_t missing)
{
	const struct gvm_conf *c = p->conf;
	unsigned line = 0;
	uint32_t v = missing;

	while (!p->vcpu_taken[v])
		v++;
	for (unsigned i = 0; i < c->nodes_nr; i++) {
		if (c->nodes[i].id + 1 == p->vcpu_taken[v])
			line = c->nodes[i].line;
	}
	return gvm_parse_fail(p, line, "node %u has vCPU %u, but no node has vCPU %u; number them from 0 without gaps",
			      p->vcpu_taken[v] - 1u, v, missing);
}

static int number_vcpus(struct gvm_parse *p)
{
	struct gvm_conf *c = p->conf;
	uint32_t nr = GVM_CONF_VCPUS_MAX;

	while (nr && !p->vcpu_taken[nr - 1])
		nr--;
	if (!nr)
		return 0;
	c->vcpu_node = calloc(nr, sizeof(*c->vcpu_node));
	if (!c->vcpu_node)
		return gvm_parse_fail_memory(p);
	c->vcpus_nr = nr;
	for (uint32_t v = 0; v < nr; v++) {
		if (!p->vcpu_taken[v])
			return complain_gap(p, v);
		c->vcpu_node[v] = (uint16_t)(p->vcpu_taken[v] - 1);
	}
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct gvm_conf_node *x = a;
	const struct gvm_conf_node *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

int gvm_parse_whole(struct gvm_parse *p)
{
	struct gvm_conf *c = p->conf;
	struct mention *list;

	if (check_there(p))
		return p->err;
	list = calloc((size_t)c->servers_nr + c->nodes_nr, sizeof(*list));
	if (!list)
		return gvm_parse_fail_memory(p);
	if (!check_addresses(p, list) && !check_regions(p) &&
	    !check_servers(p, list))
		grant_all(p, list);
	free(list);
	qsort(c->nodes, c->nodes_nr, sizeof(*c->nodes), by_id);
	if (p->err || check_hosts(p))
		return p->err;
	return number_vcpus(p);
}
