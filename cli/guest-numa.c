// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a guest's kernel should know about where its memory lies: ACPI tables
 * (SRAT, SLIT) that make each node of the cluster a NUMA node of the guest.
 *
 * A node's vCPUs are near to those slices of the RAM whose server runs on the
 * node's own host.  Slices of servers elsewhere are as far from everybody, and
 * count as node 0's; if all do, each node has a share of the RAM.  QEMU's own
 * -numa would cut the RAM into several blocks, and it must be one region; so the
 * tables are ours, and QEMU only adds them.
 *
 * A node without memory of its own is one too: that others are far is what
 * keeps the kernel from spreading work over them.
 *
 * There are no tables where the operator describes the guest's processors or
 * memory himself, or where we do not know how the machine lays out its RAM.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf.h"
#include "guest.h"
#include "hostport.h"

#define NODES_MAX	64u		/* qemu/guest.h */
#define RANGES_MAX	256u		/* the kernel has room for some hundreds */
#define NEAR		10u		/* what ACPI calls local */
/*
 * Beyond 30 Linux does not spread new programs and woken threads over nodes by
 * itself, which is right where a page comes over a network.
 */
#define FAR		40u
#define LOW_HOLE	0xa0000ull	/* no RAM from here ... */
#define LOW_HOLE_END	0x100000ull	/* ... to here */
#define SECTION		0x8000000ull	/* Linux's unit of memory on x86-64 */
#define FOUR_GIB	0x100000000ull

struct tables {
	FILE		*srat;
	unsigned	ranges;
	unsigned	nodes_nr;		/* with vCPUs: the guest's */
	const struct gvm_conf_node *node[NODES_MAX];
};

static bool host_of(const char *address, char host[GVM_HOST_MAX])
{
	char port[GVM_PORT_MAX];
	const char *why;

	return gvm_hostport_split(address, strlen(address), "0", host, port,
				  &why) == 0;
}

/* The guest's node that it is in, or on that server's host; -1: none. */
static int node_of_server(const struct tables *t,
			  const struct gvm_conf_server *server)
{
	char there[GVM_HOST_MAX], here[GVM_HOST_MAX];

	for (unsigned i = 0; i < t->nodes_nr; i++)
		if (t->node[i]->id == server->node)
			return (int)i;
	if (!host_of(server->address, there))
		return -1;
	for (unsigned i = 0; i < t->nodes_nr; i++)
		if (host_of(t->node[i]->address, here) &&
		    strcmp(here, there) == 0)
			return (int)i;
	return -1;
}

static unsigned node_of_slice(const struct tables *t,
			      const struct gvm_guest_run *run, uint64_t slice)
{
	uint32_t at = gvm_conf_slice_server(run->region, slice);
	int node = node_of_server(t, &run->conf->servers[at]);

	return node < 0 ? 0 : (unsigned)node;
}

static void put(FILE *to, uint64_t value, unsigned bytes)
{
	for (; bytes; bytes--, value >>= 8)
		putc((int)(value & 0xff), to);
}

static void put_range(struct tables *t, unsigned node, uint64_t from, uint64_t to)
{
	if (from >= to)
		return;
	t->ranges++;
	put(t->srat, 1, 1);
	put(t->srat, 40, 1);
	put(t->srat, node, 4);
	put(t->srat, 0, 2);
	put(t->srat, from, 8);
	put(t->srat, to - from, 8);
	put(t->srat, 0, 4);
	put(t->srat, 1, 4);		/* enabled */
	put(t->srat, 0, 8);
}

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Bytes of the RAM as the guest sees them: with a hole, and on from 4 GiB. */
static void put_ram(struct tables *t, unsigned node, uint64_t from, uint64_t to,
		    uint64_t below)
{
	uint64_t low = min(to, below);

	put_range(t, node, from, min(low, LOW_HOLE));
	put_range(t, node, from > LOW_HOLE_END ? from : LOW_HOLE_END, low);
	if (to <= below)
		return;
	from = from > below ? from : below;
	put_range(t, node, from - below + FOUR_GIB, to - below + FOUR_GIB);
}

/* As the machine q35 does it. */
static uint64_t below_4g(uint64_t ram)
{
	const uint64_t most = 0xb0000000;

	return ram >= most ? 0x80000000 : ram;
}

static bool is_spread(const struct tables *t, const struct gvm_guest_run *run)
{
	uint64_t slices = gvm_conf_slices(run->region);

	for (uint64_t i = 0; i < slices; i++)
		if (node_of_slice(t, run, i))
			return true;
	return false;
}

/*
 * All homes are equally far, or with the first node: then a page is where it is
 * used, and the kernel had better use other pages on each node.  The same share
 * for each, of whole sections; if that is not one, all is the first node's.
 */
static void put_shares(struct tables *t, uint64_t bytes)
{
	uint64_t share = bytes / t->nodes_nr / SECTION * SECTION;
	uint64_t first = bytes - share * (t->nodes_nr - 1);

	put_ram(t, 0, 0, first, below_4g(bytes));
	for (unsigned i = 1; share && i < t->nodes_nr; i++)
		put_ram(t, i, first + (i - 1) * share, first + i * share,
			below_4g(bytes));
}

static void put_memory(struct tables *t, const struct gvm_guest_run *run)
{
	const struct gvm_conf_region *r = run->region;
	uint64_t slices = gvm_conf_slices(r), from = 0;
	unsigned node;

	if (!is_spread(t, run)) {
		put_shares(t, r->size_bytes);
		return;
	}
	for (uint64_t i = 0; i < slices; i++) {
		node = node_of_slice(t, run, i);
		if (i + 1 < slices && node_of_slice(t, run, i + 1) == node)
			continue;
		put_ram(t, node, from, min((i + 1) * r->slice_bytes, r->size_bytes),
			below_4g(r->size_bytes));
		from = (i + 1) * r->slice_bytes;
	}
}

/*
 * Of as many vCPUs as one node has in a row everywhere; a power of two, since
 * otherwise APIC ids would have gaps.
 */
unsigned gvm_guest_socket(const struct gvm_conf *conf)
{
	unsigned cores = 1;

	for (;;) {
		unsigned twice = 2 * cores;

		if (conf->vcpus_nr % twice)
			return cores;
		for (unsigned i = 0; i < conf->vcpus_nr; i++)
			if (conf->vcpu_node[i] !=
			    conf->vcpu_node[i / twice * twice])
				return cores;
		cores = twice;
	}
}

/* A vCPU's APIC id is its number, with gvm_guest_socket() as without. */
static void put_vcpus(struct tables *t, const struct gvm_guest_run *run)
{
	for (unsigned i = 0; i < run->conf->vcpus_nr; i++) {
		unsigned node = 0;

		while (t->node[node]->id != run->conf->vcpu_node[i])
			node++;
		put(t->srat, 0, 1);
		put(t->srat, 16, 1);
		put(t->srat, node, 1);
		put(t->srat, i, 1);
		put(t->srat, 1, 4);	/* enabled */
		put(t->srat, 0, 8);
	}
}

/* A file without a name, which QEMU finds by its number. */
static int keep(const char *name, const void *bytes, size_t len)
{
	int fd = memfd_create(name, 0);

	if (fd >= 0 && write(fd, bytes, len) != (ssize_t)len) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int make_slit(const struct tables *t)
{
	unsigned char slit[8 + NODES_MAX * NODES_MAX] = { 0 };
	size_t n = 8;

	slit[0] = (unsigned char)t->nodes_nr;
	for (unsigned i = 0; i < t->nodes_nr; i++)
		for (unsigned j = 0; j < t->nodes_nr; j++)
			slit[n++] = i == j ? NEAR : FAR;
	return keep("giantvm-slit", slit, n);
}

static bool wanted(const struct gvm_guest_run *run, struct tables *t)
{
	if (!run->region || run->index != 0)
		return false;
	for (unsigned i = 0; i < run->conf->nodes_nr; i++) {
		if (!run->conf->nodes[i].vcpus_nr)
			continue;
		if (t->nodes_nr == NODES_MAX)
			return false;
		t->node[t->nodes_nr++] = &run->conf->nodes[i];
	}
	return t->nodes_nr > 1;
}

bool gvm_guest_numa(const struct gvm_guest_run *run, int *ret_srat, int *ret_slit)
{
	struct tables t = { 0 };
	char *bytes = NULL;
	size_t len = 0;
	bool good = false;

	if (!wanted(run, &t))
		return false;
	t.srat = open_memstream(&bytes, &len);
	if (!t.srat)
		return false;
	put(t.srat, 1, 4);
	put(t.srat, 0, 8);
	put_vcpus(&t, run);
	put_memory(&t, run);
	if (fclose(t.srat) == 0 && t.ranges <= RANGES_MAX) {
		*ret_srat = keep("giantvm-srat", bytes, len);
		*ret_slit = make_slit(&t);
		good = *ret_srat >= 0 && *ret_slit >= 0;
	}
	free(bytes);
	return good;
}
