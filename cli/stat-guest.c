// SPDX-License-Identifier: GPL-2.0-or-later
/* `giantvm stat --guest`: what all nodes of a guest do, seen from one of them. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "stat-guest.h"
#include "text.h"

#define N	GVM_TEXT_MAX

static const char *const names[GVM_GUEST_COUNTER_NR] = {
	[GVM_GUEST_FAULTS]		= "faults",
	[GVM_GUEST_MISSES_READ]		= "misses_read",
	[GVM_GUEST_MISSES_WRITE]	= "misses_write",
	[GVM_GUEST_MISSES_UPGRADE]	= "misses_upgrade",
	[GVM_GUEST_TAKEN]		= "taken",
	[GVM_GUEST_GIVEN]		= "given",
	[GVM_GUEST_SERVED]		= "served",
	[GVM_GUEST_INVALIDATED]		= "invalidated",
	[GVM_GUEST_EVICTED]		= "evicted",
	[GVM_GUEST_CODE_FLUSHES]	= "code_flushes",
	[GVM_GUEST_RESIDENT_PAGES]	= "resident_pages",
	[GVM_GUEST_LOCAL_PAGES]		= "local_pages",
	[GVM_GUEST_READ_P50_NS]		= "read_p50_ns",
	[GVM_GUEST_READ_P99_NS]		= "read_p99_ns",
	[GVM_GUEST_WRITE_P50_NS]	= "write_p50_ns",
	[GVM_GUEST_WRITE_P99_NS]	= "write_p99_ns",
	[GVM_GUEST_UPGRADE_P50_NS]	= "upgrade_p50_ns",
	[GVM_GUEST_UPGRADE_P99_NS]	= "upgrade_p99_ns",
	[GVM_GUEST_PORT_FORWARDS]	= "port_forwards",
	[GVM_GUEST_MEMORY_FORWARDS]	= "memory_forwards",
	[GVM_GUEST_FORWARDS_SERVED]	= "forwards_served",
	[GVM_GUEST_IRQS_SENT]		= "irqs_sent",
	[GVM_GUEST_IRQS_RECEIVED]	= "irqs_received",
	[GVM_GUEST_LOCKS]		= "locks",
	[GVM_GUEST_TURNS]		= "turns",
	[GVM_GUEST_PID]			= "pid",
	[GVM_GUEST_TIME_NS]		= "time_ns",
};

int gvm_guests_read(struct gvm_guest_stats *ret)
{
	int n = gvm_guest_list(ret, GVM_GUESTS_MAX);

	if (n > GVM_GUESTS_MAX)
		n = GVM_GUESTS_MAX;
	for (int i = 0; i < n; i++) {
		gvm_make_printable(ret[i].name, sizeof(ret[i].name));
		for (uint32_t j = 0; j < ret[i].nodes_nr; j++)
			gvm_make_printable(ret[i].node[j].address,
					   sizeof(ret[i].node[j].address));
	}
	return n < 0 ? 0 : n;
}

static struct json_object *node_json(const struct gvm_guest_stats *g,
				     uint32_t node)
{
	const struct gvm_guest_node *n = &g->node[node];
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "node", json_object_new_uint64(node));
	json_object_object_add(o, "address",
			       json_object_new_string(n->address));
	json_object_object_add(o, "vcpus", json_object_new_uint64(n->vcpus));
	json_object_object_add(o, "left", json_object_new_boolean(n->left != 0));
	for (int i = 0; i < GVM_GUEST_COUNTER_NR; i++)
		json_object_object_add(o, names[i],
				       json_object_new_uint64(n->counter[i]));
	return o;
}

static struct json_object *guest_json(const struct gvm_guest_stats *g)
{
	struct json_object *o = json_object_new_object();
	struct json_object *nodes = json_object_new_array();

	json_object_object_add(o, "name", json_object_new_string(g->name));
	json_object_object_add(o, "pid", json_object_new_uint64(g->pid));
	json_object_object_add(o, "node", json_object_new_uint64(g->me));
	json_object_object_add(o, "vcpus", json_object_new_uint64(g->vcpus_nr));
	json_object_object_add(o, "ram_bytes",
			       json_object_new_uint64(g->ram_bytes));
	for (uint32_t i = 0; i < g->nodes_nr; i++)
		json_object_array_add(nodes, node_json(g, i));
	json_object_object_add(o, "nodes", nodes);
	return o;
}

static char *count(const struct gvm_guest_node *n, int which, char *buf)
{
	return gvm_count_print((double)n->counter[which], buf, N);
}

static char *both(const struct gvm_guest_node *n, int one, int other, char *buf)
{
	return gvm_count_print((double)(n->counter[one] + n->counter[other]),
			       buf, N);
}

#define ROW	"%4s  %-21s %5s %10s %8s %8s %8s %8s %8s %8s %6s %9s %9s\n"

static void print_node(const struct gvm_guest_stats *g, uint32_t node)
{
	const struct gvm_guest_node *n = &g->node[node];
	const uint64_t *c = n->counter;
	char id[N], vcpus[N], here[N], text[7][N], time[2][N];

	snprintf(id, N, "%u", node);
	snprintf(vcpus, N, "%u", n->vcpus);
	printf(ROW, id, n->address, vcpus,
	       gvm_pages_print(c[GVM_GUEST_RESIDENT_PAGES], here, N),
	       count(n, GVM_GUEST_FAULTS, text[0]),
	       count(n, GVM_GUEST_TAKEN, text[1]),
	       count(n, GVM_GUEST_GIVEN, text[2]),
	       both(n, GVM_GUEST_PORT_FORWARDS, GVM_GUEST_MEMORY_FORWARDS,
		    text[3]),
	       count(n, GVM_GUEST_IRQS_SENT, text[4]),
	       count(n, GVM_GUEST_IRQS_RECEIVED, text[5]),
	       count(n, GVM_GUEST_LOCKS, text[6]),
	       gvm_time_print(c[GVM_GUEST_READ_P50_NS], time[0], N),
	       gvm_time_print(c[GVM_GUEST_READ_P99_NS], time[1], N));
}

static void print_guest(const struct gvm_guest_stats *g)
{
	char ram[N];

	printf("guest with %s as its memory: %u nodes, %u vCPUs, %s; process %u here is node %u\n",
	       g->name, g->nodes_nr, g->vcpus_nr,
	       gvm_pages_print(g->ram_bytes >> 12, ram, N), g->pid, g->me);
	printf(ROW, "NODE", "ADDRESS", "VCPUS", "RESIDENT", "FAULTS", "TAKEN",
	       "GIVEN", "FORWARDS", "IRQS OUT", "IRQS IN", "LOCKS", "READ p50",
	       "READ p99");
	for (uint32_t i = 0; i < g->nodes_nr; i++)
		print_node(g, i);
}

int gvm_stat_guest(bool json)
{
	struct gvm_guest_stats *g = calloc(GVM_GUESTS_MAX, sizeof(*g));
	struct json_object *list = json ? json_object_new_array() : NULL;
	int n = g ? gvm_guests_read(g) : 0;

	for (int i = 0; i < n; i++) {
		if (json)
			json_object_array_add(list, guest_json(&g[i]));
		else
			print_guest(&g[i]);
	}
	free(g);
	if (json)
		return gvm_json_print(list) ? GVM_EXIT_FAIL : GVM_EXIT_OK;
	if (!n)
		printf("no guest on several nodes has a QEMU of this user here\n");
	return GVM_EXIT_OK;
}
