/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tests of shared regions share: servers of their own, and nodes that are
 * real processes.
 */
#ifndef GVM_TEST_CLUSTER_H
#define GVM_TEST_CLUSTER_H

#include "../pager/harness.h"

#define SERVERS_MAX	4
#define SLICE		(2ull << 20)

struct cluster {
	struct test_server server[SERVERS_MAX];
	int	servers;
	char	list[256];
};

/*
 * Servers with these extra arguments (NULL ends them), at $TEST_SERVERS_AT or
 * the loopback.  $TEST_LEASE_MS: nodes may be silent for so long.
 */
void cluster_start(struct cluster *c, int servers, const char *const *args);
void cluster_stop(struct cluster *c);

struct node {
	struct gvm_shared *region;
	uint8_t	*at;
};

/*
 * Join region "test" as node id; fails the test if that fails.  $TEST_MEMFD:
 * by a memfd.  $GIANTVM_KERNEL=6.1: with the features of that kernel.
 */
void node_join(const struct cluster *c, unsigned id, uint64_t bytes,
	       uint64_t local_bytes, struct node *ret);
void node_leave(struct node *n);

/* Memory that all processes made later share: not a shared region. */
void *common_map(size_t bytes);

/* Run a function in a process of its own, which ends with what it returns. */
pid_t spawn(int (*run)(void *arg), void *arg);
/* Its exit status; 128 + signal if one ended it. */
int reap(pid_t pid);
void pin_to(unsigned cpu);
uint64_t now_ns(void);

#endif
