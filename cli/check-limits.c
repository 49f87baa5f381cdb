// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Limits that a crowd of memory servers runs into.  For a handful of servers
 * the defaults of a distribution do; `giantvm doctor --nodes N` asks for more.
 */
#include <sys/resource.h>

#include "check.h"

#define DESCRIPTORS_OWN	4096u	/* ours begin here, above the program's */
#define DESCRIPTORS_ADD	64u	/* events, shards, files */
#define LANES		2u	/* connections to each server */
#define SOMAXCONN	"/proc/sys/net/core/somaxconn"
#define ARP_MAX		"/proc/sys/net/ipv4/neigh/default/gc_thresh3"
#define MEMLOCK_MIN	(8ull << 20)

void gvm_check_descriptors(const struct gvm_ask *ask, struct gvm_finding *f)
{
	rlim_t need = DESCRIPTORS_OWN + DESCRIPTORS_ADD + LANES * ask->nodes;
	struct rlimit lim;

	f->name = "descriptors";
	if (getrlimit(RLIMIT_NOFILE, &lim) < 0) {
		gvm_found(f, GVM_LEVEL_WARN, "cannot read the limit");
		return;
	}
	if (lim.rlim_max >= need) {
		gvm_found(f, GVM_LEVEL_OK, "%llu allowed, %llu needed for %u server%s",
			  (unsigned long long)lim.rlim_max,
			  (unsigned long long)need, ask->nodes,
			  ask->nodes == 1 ? "" : "s");
		return;
	}
	gvm_found(f, GVM_LEVEL_FAIL, "only %llu allowed, %llu needed for %u server%s",
		  (unsigned long long)lim.rlim_max, (unsigned long long)need,
		  ask->nodes, ask->nodes == 1 ? "" : "s");
	gvm_mend(f, "sudo prlimit --pid $$ --nofile=%llu",
		 (unsigned long long)need);
}

void gvm_check_memlock(const struct gvm_ask *ask, struct gvm_finding *f)
{
	struct rlimit lim;

	(void)ask;
	f->name = "locked memory";
	if (getrlimit(RLIMIT_MEMLOCK, &lim) < 0) {
		gvm_found(f, GVM_LEVEL_WARN, "cannot read the limit");
	} else if (lim.rlim_max == RLIM_INFINITY) {
		gvm_found(f, GVM_LEVEL_OK, "no limit");
	} else if (lim.rlim_max >= MEMLOCK_MIN) {
		gvm_found(f, GVM_LEVEL_OK, "%llu MiB (device pass-through needs as much as the guest's RAM)",
			  (unsigned long long)(lim.rlim_max >> 20));
	} else {
		gvm_found(f, GVM_LEVEL_WARN, "only %llu KiB: io_uring and device pass-through may fail",
			  (unsigned long long)(lim.rlim_max >> 10));
		gvm_mend(f, "sudo prlimit --pid $$ --memlock=unlimited");
	}
}

void gvm_check_backlog(const struct gvm_ask *ask, struct gvm_finding *f)
{
	int64_t max = gvm_read_number(SOMAXCONN, 0);
	int64_t need = ask->nodes < 128 ? 128 : ask->nodes;

	f->name = "accept queue";
	if (need > 4096)	/* connections come in waves, not all at once */
		need = 4096;
	if (max >= need) {
		gvm_found(f, GVM_LEVEL_OK, "somaxconn is %lld",
			  (long long)max);
		return;
	}
	gvm_found(f, GVM_LEVEL_WARN, "somaxconn is %lld: clients that start together may be turned away",
		  (long long)max);
	gvm_mend(f, "sudo sysctl -w net.core.somaxconn=4096");
}

/* Above gc_thresh3 neighbours the kernel drops packets to those it forgot. */
void gvm_check_neighbours(const struct gvm_ask *ask, struct gvm_finding *f)
{
	int64_t max = gvm_read_number(ARP_MAX, -1);
	unsigned need = ask->nodes + 64;

	f->name = "neighbours";
	if (max < 0) {
		gvm_found(f, GVM_LEVEL_OK, "no IPv4 neighbour table here");
		return;
	}
	if (max >= need) {
		gvm_found(f, GVM_LEVEL_OK, "ARP table holds %lld machines",
			  (long long)max);
		return;
	}
	gvm_found(f, GVM_LEVEL_WARN, "ARP table holds only %lld machines; %u servers on one network need more",
		  (long long)max, ask->nodes);
	gvm_mend(f, "sudo sysctl -w net.ipv4.neigh.default.gc_thresh1=%u net.ipv4.neigh.default.gc_thresh2=%u net.ipv4.neigh.default.gc_thresh3=%u",
		 need * 2, need * 3, need * 4);
}
