// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A node that was told to be prompt asks its kernel for CPUs that wake up soon,
 * while pages move.  If it did not, each miss would pay for waking up sleeping
 * CPUs; if it did not take that back, a guest at rest would keep its host warm.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "cluster.h"

#define WISH		2	/* us, at most, is what is asked for */
#define LIMIT_NS	20000000000ull

static struct cluster cluster;

/* What all processes of this machine together ask for, in us. */
static int32_t latency(void)
{
	int fd = open("/dev/cpu_dma_latency", O_RDONLY | O_CLOEXEC);
	int32_t us = -1;

	CHECK(fd >= 0 && read(fd, &us, sizeof(us)) == sizeof(us));
	close(fd);
	return us;
}

static bool has_driver(void)
{
	char name[16] = "";
	int fd = open("/sys/devices/system/cpu/cpuidle/current_driver",
		      O_RDONLY | O_CLOEXEC);
	bool has;

	has = fd >= 0 && read(fd, name, sizeof(name) - 1) > 0 &&
		strncmp(name, "none", 4) != 0;
	if (fd >= 0)
		close(fd);
	return has;
}

static struct gvm_shared *join(uint32_t id, void **ret_at)
{
	struct gvm_shared_config config = {
		.size = sizeof(config), .node = id, .servers = cluster.list,
		.local_bytes = SLICE, .slice_bytes = SLICE,
		.flags = GVM_SHARED_PROMPT,
	};
	struct gvm_shared *region;
	const char *why = "";

	if (gvm_map_shared("prompt", SLICE, &config, &region, ret_at, &why))
		fprintf(stderr, "node %u: %s\n", id, why);
	CHECK(*ret_at);
	return region;
}

/* Take turns with the other node until the machine's wish is as wanted. */
static int node(void *arg)
{
	const uint32_t id = *(const uint32_t *)arg;
	const uint64_t end = now_ns() + LIMIT_NS;
	void *memory = NULL;
	struct gvm_shared *region = join(id, &memory);
	volatile uint32_t *word = memory;
	volatile uint32_t *stop = (void *)((char *)memory + PAGE);

	while (!*stop && now_ns() < end) {
		for (int i = 0; i < 100; i++)
			__atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST);
		if (id == 0 && latency() <= WISH)
			*stop = 1;
	}
	CHECK(*stop);
	/* Nothing moves from here on. */
	while (id == 0 && latency() <= WISH && now_ns() < end)
		usleep(10000);
	CHECK(id || latency() > WISH);
	CHECK(gvm_unmap_shared(region) == 0);
	return 0;
}

int main(void)
{
	uint32_t id[2] = { 0, 1 };
	pid_t pid[2];

	if (access("/dev/cpu_dma_latency", R_OK | W_OK)) {
		printf("skipped: no access to /dev/cpu_dma_latency: %s\n",
		       strerror(errno));
		return 77;
	}
	if (!has_driver()) {
		puts("skipped: this kernel has no cpuidle driver");
		return 77;
	}
	if (latency() <= WISH) {
		puts("skipped: another program keeps the CPUs awake");
		return 77;
	}
	cluster_start(&cluster, 1, NULL);
	for (int i = 0; i < 2; i++)
		pid[i] = spawn(node, &id[i]);
	for (int i = 0; i < 2; i++)
		CHECK(reap(pid[i]) == 0);
	CHECK(latency() > WISH);
	cluster_stop(&cluster);
	return 0;
}
