// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The writing side of the statistics file.  Raw system calls: it is opened in
 * the middle of the program's mmap(), and again in a forked child.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "engine.h"
#include "mem.h"
#include "monitor.h"
#include "sys.h"

bool gvm_monitor_path(char *buf, size_t size, pid_t pid)
{
	const char *dir = getenv("GIANTVM_RUNTIME");
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	unsigned int uid = (unsigned int)gvm_sys(SYS_geteuid);
	char base[176];

	if (dir && *dir)
		gvm_format(base, sizeof(base), "%s", dir);
	else if (!uid)
		gvm_format(base, sizeof(base), "/run/giantvm");
	else if (xdg && *xdg)
		gvm_format(base, sizeof(base), "%s/giantvm", xdg);
	else
		gvm_format(base, sizeof(base), "/tmp/giantvm-%u", uid);
	if (pid)
		gvm_format(buf, size, "%s/%u", base, (unsigned int)pid);
	else
		gvm_format(buf, size, "%s", base);
	return true;
}

void gvm_monitor_first_path(char *buf, size_t size, pid_t supervisor)
{
	char dir[224];

	gvm_monitor_path(dir, sizeof(dir), 0);
	gvm_format(buf, size, "%s/run-%u", dir, (unsigned int)supervisor);
}

bool gvm_monitor_first(pid_t supervisor)
{
	char path[192];
	long fd;

	if (!supervisor)
		return true;
	gvm_monitor_first_path(path, sizeof(path), supervisor);
	fd = gvm_sys(SYS_openat, AT_FDCWD, path,
		     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		     0600);
	if (fd >= 0)
		gvm_sys(SYS_close, fd);
	return fd != -EEXIST;
}

/* Field 22 of /proc/self/stat tells two processes of one pid apart. */
__attribute__((noinline)) static u64 start_time(void)
{
	char text[384];
	long fd = gvm_sys(SYS_openat, AT_FDCWD, "/proc/self/stat",
			  O_RDONLY | O_CLOEXEC, 0);
	long n, at;
	u64 value = 0;
	int field = 2;

	if (fd < 0)
		return 0;
	n = gvm_sys(SYS_read, fd, text, sizeof(text) - 1);
	gvm_sys(SYS_close, fd);
	/* The name may hold anything, but ends with the last parenthesis. */
	for (at = n - 1; at > 0 && text[at] != ')'; at--)
		;
	for (; at < n && field < 22; at++)
		if (text[at] == ' ')
			field++;
	for (; at < n && text[at] >= '0' && text[at] <= '9'; at++)
		value = value * 10 + (u64)(text[at] - '0');
	return value;
}

/* `giantvm run` leaves its pid, so that it knows which files are of its run. */
static u64 supervisor(void)
{
	const char *text = getenv("GIANTVM_SUPERVISOR");
	u64 pid = 0;

	for (; text && *text >= '0' && *text <= '9'; text++)
		pid = pid * 10 + (u64)(*text - '0');
	return pid;
}

/* Whose it was is gone, or was us before exec(); keep the keys in it. */
static void set_aside(const char *path)
{
	char aside[224];

	gvm_format(aside, sizeof(aside), "%s.%llu", path,
		   (unsigned long long)gvm_now_ns());
	gvm_sys(SYS_rename, path, aside);
}

/* Locked before it has a magic number, so nobody takes it for left behind. */
static int open_file(u64 bytes)
{
	struct flock lock = { .l_type = F_WRLCK };
	char path[192];
	long fd;

	gvm_monitor_path(path, sizeof(path), 0);
	gvm_sys(SYS_mkdir, path, 0700);
	gvm_monitor_path(path, sizeof(path), (pid_t)gvm_sys(SYS_getpid));
	set_aside(path);
	fd = gvm_sys(SYS_openat, AT_FDCWD, path,
		     O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	if (gvm_sys(SYS_ftruncate, fd, bytes) ||
	    gvm_sys(SYS_fcntl, fd, F_OFD_SETLK, &lock)) {
		gvm_sys(SYS_unlink, path);
		gvm_sys(SYS_close, fd);
		return -1;
	}
	return gvm_fd_high((int)fd);
}

static void close_file(struct gvm *g)
{
	if (g->monitor_fd < 0)
		return;
	gvm_fd_mine(g->monitor_fd, false);
	gvm_sys(SYS_close, g->monitor_fd);
	g->monitor_fd = -1;
}

static void put_servers(struct gvm *g)
{
	char *at = (char *)g->monitor->servers;
	size_t left = sizeof(g->monitor->servers);

	for (u32 i = 0; i < g->servers_nr && left > 64; i++) {
		size_t n = 0;

		gvm_format(at, left, i ? ",%s" : "%s", g->servers[i].text);
		while (at[n])
			n++;
		at += n;
		left -= n;
	}
}

/* Without a directory to write to, the counters are just not visible. */
int gvm_monitor_open(struct gvm *g)
{
	u64 bytes = sizeof(struct gvm_monitor) +
		    g->shards_nr * sizeof(struct gvm_stats);
	long at;

	/* In the child of a fork this is the parent's; its lock stays. */
	close_file(g);
	gvm_mem_unmap(g->monitor, g->monitor_bytes);
	g->monitor_bytes = bytes;
	g->monitor_fd = open_file(bytes);
	at = g->monitor_fd < 0 ? -1 :
	     gvm_sys(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		     g->monitor_fd, 0);
	g->monitor = at < 0 ? gvm_mem_map(bytes) : (void *)at;
	if (!g->monitor)
		return -ENOMEM;
	g->monitor->pid = (u32)gvm_sys(SYS_getpid);
	g->monitor->shards_nr = g->shards_nr;
	g->monitor->start_time = start_time();
	g->monitor->supervisor = supervisor();
	put_servers(g);
	for (u32 i = 0; i < g->shards_nr; i++) {
		struct gvm_stats *st = &g->monitor->stats[i];

		st->version = GVM_STATS_VERSION;
		st->pid = g->monitor->pid;
		st->start_ns = g->start_ns;
		st->servers_nr = g->servers_nr;
		memcpy(st->name, g->name, sizeof(st->name));
		memcpy(st->engine, g->engine_line, sizeof(st->engine));
		for (u32 j = 0; j < g->servers_nr && j < GVM_STATS_SERVERS; j++)
			memcpy(st->server[j].address, g->servers[j].text,
			       sizeof(st->server[j].address));
	}
	__atomic_store_n(&g->monitor->magic, GVM_MONITOR_MAGIC,
			 __ATOMIC_RELEASE);
	return 0;
}

void gvm_monitor_close(struct gvm *g)
{
	char path[192];

	gvm_monitor_path(path, sizeof(path), (pid_t)gvm_sys(SYS_getpid));
	gvm_sys(SYS_unlink, path);
	close_file(g);
	gvm_mem_unmap(g->monitor, g->monitor_bytes);
	g->monitor = NULL;
}

struct gvm_stats *gvm_monitor_stats(struct gvm *g, u32 shard)
{
	return &g->monitor->stats[shard];
}

void gvm_monitor_region(struct gvm *g, u32 shard, const u8 *region,
			const u8 *token)
{
	memcpy(g->monitor->region[shard], region, 16);
	memcpy(g->monitor->token[shard], token, 16);
}

u64 gvm_monitor_wanted(struct gvm *g)
{
	if (!__atomic_load_n(&g->monitor->wanted_bytes, __ATOMIC_RELAXED))
		return 0;
	return __atomic_exchange_n(&g->monitor->wanted_bytes, 0,
				   __ATOMIC_ACQUIRE);
}
