// SPDX-License-Identifier: GPL-2.0-or-later
/* The shared regions of other processes, for who watches them. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mem.h"
#include "monitor.h"
#include "watch.h"

#define REGIONS_MAX	8	/* of one process, that are looked for */

static int read_one(int dir, const char *name, struct gvm_shared_stats *ret)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, ret, sizeof(*ret));
	close(fd);
	return n == (ssize_t)sizeof(*ret) &&
	       ret->version == GVM_SHARED_STATS_VERSION ? 0 : -EPROTO;
}

bool gvm_shared_lease_over(pid_t pid, struct gvm_shared_stats *ret)
{
	char path[192], name[64];
	struct timespec ts;
	bool over = false;
	int dir;

	gvm_monitor_path(path, sizeof(path), 0);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return false;
	clock_gettime(CLOCK_BOOTTIME, &ts);
	for (int i = 0; i < REGIONS_MAX && !over; i++) {
		snprintf(name, sizeof(name), "shared-%d-%d", (int)pid, i);
		over = !read_one(dir, name, ret) && ret->lease_end_ns &&
		       ret->lease_end_ns <= (uint64_t)ts.tv_sec * 1000000000u +
					    (uint64_t)ts.tv_nsec;
	}
	close(dir);
	return over;
}

int gvm_shared_list(struct gvm_shared_stats *ret_stats, int max)
{
	struct gvm_shared_stats *s;
	struct dirent *entry;
	char path[192];
	int pid, number, found = 0;
	DIR *dir;

	gvm_monitor_path(path, sizeof(path), 0);
	s = gvm_mem_map(sizeof(*s));	/* too large for a stack */
	if (!s)
		return -ENOMEM;
	dir = opendir(path);
	if (!dir) {
		gvm_mem_unmap(s, sizeof(*s));
		return errno == ENOENT ? 0 : -errno;
	}
	while ((entry = readdir(dir))) {
		if (sscanf(entry->d_name, "shared-%d-%d", &pid, &number) != 2)
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
	gvm_mem_unmap(s, sizeof(*s));
	return found;
}
