// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Open and close the engine: choose how, find the servers, start the shards.
 * What fails says why in one line that the user can act on.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>

#include "engine.h"
#include "mem.h"
#include "monitor.h"
#include "sys.h"

#define WAIT_DEFAULT_MS	30000u

static char last_why[256];	/* of an init that failed before there was a gvm */

static int open_device(void)
{
	long fd = gvm_sys(SYS_openat, AT_FDCWD, "/dev/userfaultfd",
			  O_RDWR | O_CLOEXEC, 0);

	return fd < 0 ? -1 : gvm_fd_high((int)fd);
}

static int choose_engine(struct gvm *g, const struct gvm_config *c)
{
	int err;

	if (c->engine == GVM_ENGINE_KERNEL) {
		gvm_format(g->why, sizeof(g->why),
			   "the kernel engine needs the module giantvm-kvm, which is not loaded; use the uffd engine (--mode uffd)");
		return -ENODEV;
	}
	g->dev_fd = open_device();
	err = gvm_uffd_probe(g->dev_fd, &g->caps);
	if (err && g->dev_fd >= 0) {
		gvm_fd_mine(g->dev_fd, false);
		gvm_sys(SYS_close, g->dev_fd);
		g->dev_fd = -1;
		err = gvm_uffd_probe(-1, &g->caps);
	}
	if (err) {
		gvm_format(g->why, sizeof(g->why), err == -EPERM ?
			   "no permission for userfaultfd; run `giantvm doctor` for the command that mends it" :
			   "this kernel has no userfaultfd (CONFIG_USERFAULTFD)");
		return err;
	}
	if (!g->caps.protect) {
		gvm_format(g->why, sizeof(g->why),
			   "this kernel cannot write-protect with userfaultfd; Linux 5.10 or later is needed");
		return -ENOSYS;
	}
	if (c->evict == GVM_EVICT_MOVE && !g->caps.move) {
		gvm_format(g->why, sizeof(g->why),
			   "eviction by move needs UFFDIO_MOVE, Linux 6.8 or later; use copy");
		return -ENOSYS;
	}
	g->move = c->evict == GVM_EVICT_COPY ? 0 : g->caps.move;
	g->huge = gvm_huge_host();
	gvm_format(g->engine_line, sizeof(g->engine_line),
		   "engine uffd (no kernel module is loaded), eviction by %s (%s), %u fault thread(s)",
		   g->move ? "move" : "copy",
		   c->evict != GVM_EVICT_AUTO ? "as asked" :
		   g->move ? "the kernel has UFFDIO_MOVE" :
		   "the kernel has no UFFDIO_MOVE", g->shards_nr);
	return 0;
}

static u32 choose_shards(u32 asked)
{
	u64 mask[16] = { 0 };	/* 1,024 CPUs are enough to say `many' */
	long bytes = gvm_sys(SYS_sched_getaffinity, 0, sizeof(mask), mask);
	u32 cpus = 0;

	if (bytes < 0)
		bytes = sizeof(mask);
	if (asked)
		return asked < GVM_SHARDS_MAX ? asked : GVM_SHARDS_MAX;
	for (long i = 0; i < bytes / 8; i++)
		cpus += (u32)__builtin_popcountll(mask[i]);
	/* A second thread pays when it has a CPU that nobody else needs. */
	return cpus < 8 ? 1 : cpus / 4 < 8 ? cpus / 4 : 8;
}

static void take_name(struct gvm *g, const char *name)
{
	long fd, n;

	if (name) {
		gvm_format(g->name, sizeof(g->name), "%s", name);
		return;
	}
	fd = gvm_sys(SYS_openat, AT_FDCWD, "/proc/self/comm",
		     O_RDONLY | O_CLOEXEC, 0);
	n = fd < 0 ? 0 : gvm_sys(SYS_read, fd, g->name, sizeof(g->name) - 1);
	if (fd >= 0)
		gvm_sys(SYS_close, fd);
	g->name[n > 0 ? n - 1 : 0] = '\0';
}

static int open_shards(struct gvm *g)
{
	int err;

	for (u32 i = 0; i < g->shards_nr; i++) {
		g->shards[i] = gvm_mem_map(sizeof(*g->shards[i]));
		if (!g->shards[i])
			return -ENOMEM;
		err = gvm_shard_init(g->shards[i], g, i,
				     gvm_monitor_stats(g, i));
		if (err) {
			gvm_format(g->why, sizeof(g->why),
				   "cannot set up a fault thread (error %u); `giantvm doctor` may know why",
				   (unsigned int)-err);
			return err;
		}
	}
	for (u32 i = 0; i < g->shards_nr; i++) {
		g->shards[i]->starting = 1;
		err = gvm_shard_start(g->shards[i]);
		if (err)
			return err;
	}
	for (u32 i = 0; i < g->shards_nr; i++) {
		int *word = &g->shards[i]->started;
		int started;

		while (!(started = __atomic_load_n(word, __ATOMIC_ACQUIRE)))
			gvm_futex_wait((u32 *)word, 0);
		if (started < 0)
			return started;
	}
	return 0;
}

static void close_all(struct gvm *g)
{
	struct gvm_command stop = { .op = GVM_OP_STOP };

	for (u32 i = 0; i < g->shards_nr; i++) {
		struct gvm_shard *s = g->shards[i];

		if (!s || !s->thread.run)
			continue;
		gvm_command_post(s, &stop);
		gvm_thread_join(&s->thread);
	}
	gvm_guard_stop(g);
	for (u32 i = 0; i < g->shards_nr; i++) {
		struct gvm_shard *s = g->shards[i];

		if (!s)
			continue;
		gvm_shard_fini(s);
		gvm_mem_unmap(s, sizeof(*s));
	}
	if (g->monitor)
		gvm_monitor_close(g);
	if (g->dev_fd >= 0) {
		gvm_fd_mine(g->dev_fd, false);
		gvm_sys(SYS_close, g->dev_fd);
	}
	gvm_mem_unmap(g->rooms, g->servers_nr * sizeof(*g->rooms));
	gvm_mem_unmap(g->servers, g->servers_nr * sizeof(*g->servers));
	gvm_mem_unmap(g->fork_commands, GVM_SHARDS_MAX *
		      sizeof(*g->fork_commands));
	gvm_mem_unmap(g->ranges.list, g->ranges.cap * sizeof(*g->ranges.list));
	gvm_mem_unmap(g, sizeof(*g));
}

static int open_all(struct gvm *g, const struct gvm_config *c)
{
	int err;

	g->dev_fd = -1;
	g->monitor_fd = -1;
	g->start_ns = gvm_now_ns();
	g->local_bytes = c->local_bytes;
	g->prefetch_pages = c->prefetch_pages < GVM_PREFETCH_PAGES_MAX ?
			    c->prefetch_pages : GVM_PREFETCH_PAGES_MAX;
	g->wait_ms = c->wait_ms ? c->wait_ms : WAIT_DEFAULT_MS;
	g->fatal = c->fatal;
	g->fatal_arg = c->fatal_arg;
	g->shards_nr = choose_shards(c->shards);
	/* Each thread needs room to work in. */
	while (g->shards_nr > 1 && c->local_bytes / g->shards_nr < 8 * GVM_LOCAL_MIN)
		g->shards_nr--;
	take_name(g, c->name);
	if (c->local_bytes < GVM_LOCAL_MIN) {
		gvm_format(g->why, sizeof(g->why),
			   "a local limit of %llu bytes is too small; 1 MiB is the least",
			   (unsigned long long)c->local_bytes);
		return -EINVAL;
	}
	err = gvm_parse_servers(g, c->servers);
	if (!err)
		err = choose_engine(g, c);
	if (!err)
		err = gvm_ranges_init(&g->ranges);
	if (!err)
		err = gvm_monitor_open(g);
	if (err)
		return err;
	g->fork_commands = gvm_mem_map(GVM_SHARDS_MAX *
				       sizeof(*g->fork_commands));
	g->rooms = gvm_mem_map(g->servers_nr * sizeof(*g->rooms));
	return g->fork_commands && g->rooms ? open_shards(g) : -ENOMEM;
}

int gvm_init(const struct gvm_config *config, struct gvm **ret_gvm,
	     const char **ret_why)
{
	struct gvm *g;
	int err;

	if (ret_why)
		*ret_why = last_why;
	if (config->size != sizeof(*config)) {
		gvm_format(last_why, sizeof(last_why),
			   "the program was built for another version of libgiantvm");
		return -EINVAL;
	}
	g = gvm_mem_map(sizeof(*g));
	if (!g)
		return -ENOMEM;
	err = open_all(g, config);
	if (err) {
		gvm_format(last_why, sizeof(last_why), "%s",
			   *g->why ? g->why : "out of memory");
		close_all(g);
		return err;
	}
	*ret_gvm = g;
	return 0;
}

void gvm_fini(struct gvm *g)
{
	/*
	 * Without its userfaultfd a missing page would read as zero.  Whoever
	 * still touches registered memory gets a signal instead.
	 */
	for (u64 i = 0; i < g->ranges.nr; i++)
		gvm_sys(SYS_mprotect, g->ranges.list[i].start,
			g->ranges.list[i].end - g->ranges.list[i].start,
			PROT_NONE);
	close_all(g);
}
