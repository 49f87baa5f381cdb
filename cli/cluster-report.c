// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A cluster for people: servers, nodes, regions, and which slice is at home
 * where.  Says what the file says; asks nobody whether it is true.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster-report.h"
#include "size.h"

#define RANGE_TEXT_MAX	12u	/* "65535-65535," */
#define SLICES_TEXT_MAX	96u

uint64_t *gvm_cluster_shares(const struct gvm_conf *conf)
{
	uint64_t *shares = calloc(conf->servers_nr, sizeof(*shares));

	if (!shares)
		return NULL;
	for (unsigned i = 0; i < conf->regions_nr; i++) {
		const struct gvm_conf_region *r = &conf->regions[i];

		for (unsigned at = 0; at < r->servers_nr; at++)
			shares[r->servers[at]] += gvm_conf_share(r, at);
	}
	return shares;
}

char *gvm_cluster_vcpus(const struct gvm_conf_node *node)
{
	size_t room = (size_t)node->vcpus_nr * RANGE_TEXT_MAX + 1;
	char *text = calloc(1, room);
	size_t len = 0;

	for (unsigned i = 0; text && i < node->vcpus_nr; i++) {
		const struct gvm_conf_vcpus *v = &node->vcpus[i];

		len += (size_t)snprintf(text + len, room - len, "%s%u",
					i ? "," : "", v->first);
		if (v->last != v->first)
			len += (size_t)snprintf(text + len, room - len, "-%u",
						v->last);
	}
	return text;
}

/* A size, or "-" for none. */
static char *size_or_none(uint64_t bytes, char *buf)
{
	if (bytes)
		return gvm_size_print(bytes, buf, GVM_SIZE_TEXT_MAX);
	buf[0] = '-';
	buf[1] = '\0';
	return buf;
}

static int longer(int width, const char *text)
{
	int len = (int)strlen(text);

	return len > width ? len : width;
}

static void report_head(const struct gvm_conf *conf)
{
	char fingerprint[2 * GVM_CONF_FINGERPRINT + 1];
	uint64_t memory = 0, local = 0, regions = 0;
	char text[GVM_SIZE_TEXT_MAX];

	for (unsigned i = 0; i < conf->servers_nr; i++)
		memory += conf->servers[i].memory_bytes;
	for (unsigned i = 0; i < conf->nodes_nr; i++)
		local += conf->nodes[i].local_bytes;
	for (unsigned i = 0; i < conf->regions_nr; i++)
		regions += conf->regions[i].size_bytes;
	gvm_conf_fingerprint_print(conf, fingerprint);
	printf("cluster      %s\n", conf->name);
	printf("fingerprint  %s\n", fingerprint);
	printf("lease        %.1f s\n", conf->lease_ms / 1e3);
	if (conf->turn_us == GVM_CONF_TURN_NONE)
		printf("turns        none\n");
	else if (conf->turn_us)
		printf("turns        %.1f ms\n", conf->turn_us / 1e3);
	printf("servers      %u, memory %s\n", conf->servers_nr,
	       size_or_none(memory, text));
	printf("nodes        %u, local %s, %u vCPU%s\n", conf->nodes_nr,
	       size_or_none(local, text), conf->vcpus_nr,
	       conf->vcpus_nr == 1 ? "" : "s");
	printf("regions      %u, together %s\n", conf->regions_nr,
	       size_or_none(regions, text));
}

static void report_servers(const struct gvm_conf *conf, const uint64_t *shares)
{
	char memory[GVM_SIZE_TEXT_MAX], share[GVM_SIZE_TEXT_MAX];
	int name = 6, address = 7;

	for (unsigned i = 0; i < conf->servers_nr; i++) {
		name = longer(name, conf->servers[i].name);
		address = longer(address, conf->servers[i].address);
	}
	printf("\n%-*s  %-*s  %10s  %10s\n", name, "SERVER", address,
	       "ADDRESS", "MEMORY", "REGIONS");
	for (unsigned i = 0; i < conf->servers_nr; i++) {
		const struct gvm_conf_server *s = &conf->servers[i];

		printf("%-*s  %-*s  %10s  %10s", name, s->name, address,
		       s->address, size_or_none(s->memory_bytes, memory),
		       size_or_none(shares[i], share));
		if (s->node != GVM_CONF_NODE_NONE)
			printf("  in node %u", s->node);
		putchar('\n');
	}
}

static int report_nodes(const struct gvm_conf *conf)
{
	char local[GVM_SIZE_TEXT_MAX];
	int address = 7, vcpus = 5;

	for (unsigned i = 0; i < conf->nodes_nr; i++) {
		char *text = gvm_cluster_vcpus(&conf->nodes[i]);

		if (!text)
			return -ENOMEM;
		address = longer(address, conf->nodes[i].address);
		vcpus = longer(vcpus, text);
		free(text);
	}
	printf("\n%5s  %-*s  %10s  %-*s  HOST\n", "NODE", address, "ADDRESS",
	       "LOCAL", vcpus, "VCPUS");
	for (unsigned i = 0; i < conf->nodes_nr; i++) {
		const struct gvm_conf_node *n = &conf->nodes[i];
		char *text = gvm_cluster_vcpus(n);

		if (!text)
			return -ENOMEM;
		printf("%5u  %-*s  %10s  %-*s  %s\n", n->id, address,
		       n->address, size_or_none(n->local_bytes, local), vcpus,
		       *text ? text : "-", n->host ? n->host : "-");
		free(text);
	}
	return 0;
}

/* "0", "0, 2" or "0, 2, ... 30": slices of the at-th server of nr. */
static char *slices_of(const struct gvm_conf_region *r, unsigned at, char *buf)
{
	unsigned nr = r->servers_nr;
	uint64_t last = (gvm_conf_slices(r) - 1 - at) / nr * nr + at;
	unsigned long long first = at, second = at + nr, end = last;

	if (nr == 1 && last > 1)
		snprintf(buf, SLICES_TEXT_MAX, "0 to %llu", end);
	else if (end == first)
		snprintf(buf, SLICES_TEXT_MAX, "%llu", first);
	else if (end == second)
		snprintf(buf, SLICES_TEXT_MAX, "%llu, %llu", first, second);
	else
		snprintf(buf, SLICES_TEXT_MAX, "%llu, %llu, ... %llu", first,
			 second, end);
	return buf;
}

static void report_region(const struct gvm_conf *conf,
			  const struct gvm_conf_region *r)
{
	char size[GVM_SIZE_TEXT_MAX], slice[GVM_SIZE_TEXT_MAX];
	char slices[SLICES_TEXT_MAX];
	uint64_t nr = gvm_conf_slices(r);
	int name = 6;

	printf("\nregion %s: %s in %llu slice%s of %s\n", r->name,
	       gvm_size_print(r->size_bytes, size, sizeof(size)),
	       (unsigned long long)nr, nr == 1 ? "" : "s",
	       gvm_size_print(r->slice_bytes, slice, sizeof(slice)));
	for (unsigned at = 0; at < r->servers_nr; at++)
		name = longer(name, conf->servers[r->servers[at]].name);
	printf("  %-*s  %10s  SLICES\n", name, "SERVER", "SHARE");
	for (unsigned at = 0; at < r->servers_nr && at < nr; at++)
		printf("  %-*s  %10s  %s\n", name,
		       conf->servers[r->servers[at]].name,
		       gvm_size_print(gvm_conf_share(r, at), size,
				      sizeof(size)),
		       slices_of(r, at, slices));
}

int gvm_cluster_report(const struct gvm_conf *conf, const uint64_t *shares)
{
	report_head(conf);
	report_servers(conf, shares);
	if (report_nodes(conf))
		return -ENOMEM;
	for (unsigned i = 0; i < conf->regions_nr; i++)
		report_region(conf, &conf->regions[i]);
	return 0;
}
