// SPDX-License-Identifier: GPL-2.0-or-later
/* See cluster.h. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cluster.h"

void cluster_start(struct cluster *c, int servers, const char *const *args)
{
	const char *host = getenv("TEST_SERVERS_AT");
	const char *lease = getenv("TEST_LEASE_MS");
	const char *all[18] = { NULL };
	char listen_at[64];
	int nr = 0;

	*c = (struct cluster){ .servers = servers };
	need_userfaultfd();
	while (args && args[nr] && nr < 12) {
		all[nr] = args[nr];
		nr++;
	}
	if (host) {
		snprintf(listen_at, sizeof(listen_at), "%s:0", host);
		all[nr++] = "--listen";
		all[nr++] = listen_at;
		all[nr++] = "--insecure";
	}
	if (lease) {
		all[nr++] = "--node-lease";
		all[nr++] = lease;
	}
	for (int i = 0; i < servers; i++) {
		size_t at = strlen(c->list);

		c->server[i] = server_start(0, all);
		snprintf(c->list + at, sizeof(c->list) - at, "%s%s:%d",
			 i ? "," : "", host ? host : "127.0.0.1",
			 c->server[i].port);
	}
}

/* $TEST_NETNS: node N lives in the network namespace of that name and N. */
static void move_in(unsigned id)
{
	const char *prefix = getenv("TEST_NETNS");
	char path[128];
	int fd;

	if (!prefix)
		return;
	snprintf(path, sizeof(path), "/run/netns/%s%u", prefix, id);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && setns(fd, CLONE_NEWNET) == 0);
	close(fd);
}

void cluster_stop(struct cluster *c)
{
	for (int i = 0; i < c->servers; i++)
		server_stop(&c->server[i]);
}

static bool is_set(const char *name)
{
	const char *value = getenv(name);

	return value && *value;
}

void node_join(const struct cluster *c, unsigned id, uint64_t bytes,
	       uint64_t local_bytes, struct node *ret)
{
	struct gvm_shared_config config = {
		.size = sizeof(config),
		.node = id,
		.servers = c->list,
		.local_bytes = local_bytes,
		.slice_bytes = SLICE,
		.flags = is_set("TEST_MEMFD") ? GVM_SHARED_MEMFD : 0,
		.hold_us = getenv("TEST_HOLD_US") ?
			   (uint32_t)atoi(getenv("TEST_HOLD_US")) : 0,
	};
	const char *why = "";
	void *at = NULL;
	int err;

	move_in(id);
	err = gvm_map_shared("test", bytes, &config, &ret->region, &at, &why);
	if (!err && !at)
		err = gvm_shared_map(ret->region, NULL, bytes,
				     PROT_READ | PROT_WRITE, 0, &at);
	if (err)
		fprintf(stderr, "node %u: %s (%d)\n", id, why, err);
	CHECK(err == 0);
	ret->at = at;
}

void node_leave(struct node *n)
{
	CHECK(gvm_unmap_shared(n->region) == 0);
	n->region = NULL;
}

void *common_map(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(at != MAP_FAILED);
	return at;
}

pid_t spawn(int (*run)(void *arg), void *arg)
{
	pid_t pid;

	fflush(stdout);
	fflush(stderr);
	pid = fork();
	CHECK(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	_exit(run(arg));
}

int reap(pid_t pid)
{
	int status;

	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) :
	       128 + WTERMSIG(status);
}

void pin_to(unsigned cpu)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % (unsigned long)cpus, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}
