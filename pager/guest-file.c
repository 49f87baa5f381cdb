// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Statistics of a guest on several nodes: in a file guest-<pid> beside those of
 * the engine, mapped by QEMU and read by whoever watches.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../include/giantvm/guest.h"
#include "mem.h"
#include "monitor.h"

static void path_of(char *buf, size_t size, pid_t pid)
{
	char dir[176];

	gvm_monitor_path(dir, sizeof(dir), 0);
	mkdir(dir, 0700);
	snprintf(buf, size, "%s/guest-%d", dir, (int)pid);
}

struct gvm_guest_stats *gvm_guest_stats_open(void)
{
	struct gvm_guest_stats *s = MAP_FAILED;
	char path[224];
	int fd;

	path_of(path, sizeof(path), getpid());
	/* One that has our pid was left behind. */
	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		  0600);
	if (fd >= 0 && !ftruncate(fd, sizeof(*s)))
		s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED,
			 fd, 0);
	if (fd >= 0)
		close(fd);
	return s == MAP_FAILED ? gvm_mem_map(sizeof(*s)) : s;
}

void gvm_guest_stats_ready(struct gvm_guest_stats *stats)
{
	__atomic_store_n(&stats->version, GVM_GUEST_STATS_VERSION,
			 __ATOMIC_RELEASE);
}

void gvm_guest_stats_forget(void)
{
	char path[224];

	path_of(path, sizeof(path), getpid());
	unlink(path);
}

static int read_one(int dir, const char *name, struct gvm_guest_stats *ret)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, ret, sizeof(*ret));
	close(fd);
	if (n != (ssize_t)sizeof(*ret) ||
	    ret->version != GVM_GUEST_STATS_VERSION ||
	    ret->nodes_nr > GVM_GUEST_STATS_NODES ||
	    ret->vcpus_nr > GVM_GUEST_STATS_VCPUS ||
	    ret->me >= ret->nodes_nr)
		return -EPROTO;
	return 0;
}

int gvm_guest_list(struct gvm_guest_stats *ret_stats, int max)
{
	struct gvm_guest_stats *s;
	struct dirent *entry;
	char path[192];
	int pid, found = 0;
	DIR *dir;

	gvm_monitor_path(path, sizeof(path), 0);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	s = gvm_mem_map(sizeof(*s));	/* too large for a stack */
	while (s && (entry = readdir(dir))) {
		if (sscanf(entry->d_name, "guest-%d", &pid) != 1)
			continue;
		/* Of one that was killed: nobody else takes it away. */
		if (kill(pid, 0) && errno == ESRCH) {
			unlinkat(dirfd(dir), entry->d_name, 0);
			continue;
		}
		if (read_one(dirfd(dir), entry->d_name, s))
			continue;
		if (found < max)
			ret_stats[found] = *s;
		found++;
	}
	closedir(dir);
	if (!s)
		return -ENOMEM;
	gvm_mem_unmap(s, sizeof(*s));
	return found;
}
