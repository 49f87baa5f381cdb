/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one guest on several nodes does, as its QEMU processes tell: the plugin
 * writes it (qemu/watch.c), `giantvm stat` and `giantvm top` read it.  Each node
 * has all of it, because the nodes tell each other once a second.
 *
 * Not a part of libgiantvm: it changes with the programs of this tree.
 */
#ifndef GIANTVM_GUEST_H
#define GIANTVM_GUEST_H

#include "giantvm.h"

#define GVM_GUEST_STATS_VERSION	2
#define GVM_GUEST_STATS_NODES	64u
#define GVM_GUEST_STATS_VCPUS	254u

/* Since the guest started, but for what is marked as a gauge. */
enum gvm_guest_counter {
	GVM_GUEST_FAULTS,
	GVM_GUEST_MISSES_READ,
	GVM_GUEST_MISSES_WRITE,
	GVM_GUEST_MISSES_UPGRADE,
	GVM_GUEST_TAKEN,		/* pages that came */
	GVM_GUEST_GIVEN,		/* pages given to other nodes */
	GVM_GUEST_SERVED,		/* reads of others answered from here */
	GVM_GUEST_INVALIDATED,		/* copies dropped for a writer */
	GVM_GUEST_EVICTED,
	GVM_GUEST_CODE_FLUSHES,		/* pages whose translations were dropped */
	GVM_GUEST_RESIDENT_PAGES,	/* gauge */
	GVM_GUEST_LOCAL_PAGES,		/* gauge: limit */
	GVM_GUEST_READ_P50_NS,		/* gauges: of the last second in which */
	GVM_GUEST_READ_P99_NS,		/* there were any */
	GVM_GUEST_WRITE_P50_NS,
	GVM_GUEST_WRITE_P99_NS,
	GVM_GUEST_UPGRADE_P50_NS,
	GVM_GUEST_UPGRADE_P99_NS,
	GVM_GUEST_PORT_FORWARDS,	/* accesses sent to the devices: ports */
	GVM_GUEST_MEMORY_FORWARDS,	/* and memory */
	GVM_GUEST_FORWARDS_SERVED,	/* of other nodes */
	GVM_GUEST_IRQS_SENT,		/* to vCPUs of other nodes */
	GVM_GUEST_IRQS_RECEIVED,
	GVM_GUEST_LOCKS,		/* operations that stopped all vCPUs */
	GVM_GUEST_TURNS,		/* that it had while kernels contended */
	GVM_GUEST_PID,			/* gauge: of its QEMU, on its host */
	GVM_GUEST_TIME_NS,		/* gauge: its clock when it looked; last */
	GVM_GUEST_COUNTER_NR
};

struct gvm_guest_node {
	char		address[80];	/* HOST:PORT of its bus */
	uint32_t	vcpus;
	uint32_t	left;		/* 1: it has ended */
	uint64_t	counter[GVM_GUEST_COUNTER_NR];
	struct gvm_shared_hot	hot[GVM_SHARED_HOT];	/* most moved first */
};

struct gvm_guest_stats {
	uint32_t	version;
	uint32_t	pid;		/* of the QEMU that wrote this */
	char		name[64];	/* of its RAM's region, or file */
	uint32_t	me;		/* its node */
	uint32_t	nodes_nr;
	uint32_t	vcpus_nr;
	uint32_t	reserved;
	uint64_t	start_ns;	/* CLOCK_MONOTONIC */
	/* RAM is one range of pages; above this it goes on at 4 GiB. */
	uint64_t	ram_bytes;
	uint64_t	below_4g_bytes;
	uint8_t		owner[GVM_GUEST_STATS_VCPUS + 2];	/* vCPU -> node */
	/* Where a Linux kernel has each vCPU's own data; 0: not known. */
	uint64_t	area[GVM_GUEST_STATS_VCPUS];
	struct gvm_guest_node	node[GVM_GUEST_STATS_NODES];
};

/*
 * The one of this process, zero, to be written by whoever knows something.
 * Nobody else sees it where there is no folder to write to.  NULL: no memory.
 */
struct gvm_guest_stats *gvm_guest_stats_open(void);
/* From now on others may read it. */
void gvm_guest_stats_ready(struct gvm_guest_stats *stats);
/* Nobody sees it any more; it stays where it is. */
void gvm_guest_stats_forget(void);

/*
 * The guests that QEMU processes of this user (all, for root) take part in on
 * this machine.  Returns how many there are, and fills at most max.
 */
int gvm_guest_list(struct gvm_guest_stats *ret_stats, int max);

#endif
