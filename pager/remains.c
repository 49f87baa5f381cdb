// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files that were left behind: by processes that have ended, and by programs
 * that became another one by exec().  Runs in ordinary programs, as watch.c.
 *
 * A file that is still locked belongs to somebody and is never touched here.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "monitor.h"
#include "watch.h"

/* Not inlined: two buffers of this size do not fit a frame. */
__attribute__((noinline))
static void path_of(char *buf, size_t size, const char *name)
{
	char dir[192];

	gvm_monitor_path(dir, sizeof(dir), 0);
	snprintf(buf, size, "%s/%s", dir, name);
}

__attribute__((noinline))
static int view_of(const char *name, struct gvm_view *ret_view)
{
	char path[256];

	path_of(path, sizeof(path), name);
	return gvm_view_open(open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW),
			     PROT_READ, ret_view);
}

/* PID or PID.NUMBER */
static bool is_name(const char *name)
{
	return name[0] >= '1' && name[0] <= '9' &&
	       strspn(name, "0123456789.") == strlen(name) &&
	       strlen(name) < GVM_REMAINS_NAME;
}

int gvm_remains_list(char (*ret_names)[GVM_REMAINS_NAME], int max)
{
	char path[192];
	struct gvm_view v;
	struct dirent *e;
	int nr = 0;
	DIR *dir;

	gvm_monitor_path(path, sizeof(path), 0);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((e = readdir(dir))) {
		if (!is_name(e->d_name) || view_of(e->d_name, &v))
			continue;
		if (!gvm_view_alive(&v)) {
			if (nr < max)
				snprintf(ret_names[nr], GVM_REMAINS_NAME, "%s",
					 e->d_name);
			nr++;
		}
		gvm_view_close(&v);
	}
	closedir(dir);
	return nr;
}

int gvm_remains_of(const char *name, struct gvm_remains *r)
{
	const struct gvm_monitor *m;
	struct gvm_view v;
	int err;

	err = view_of(name, &v);
	if (err)
		return err;
	m = v.monitor;
	static_assert(sizeof(r->region) == sizeof(m->region), "all of them");
	static_assert(sizeof(r->servers) == sizeof(m->servers), "all of it");
	r->supervisor = (pid_t)m->supervisor;
	r->regions_nr = m->shards_nr;
	memcpy(r->region, m->region, sizeof(r->region));
	memcpy(r->token, m->token, sizeof(r->token));
	memcpy(r->servers, m->servers, sizeof(r->servers));
	r->servers[sizeof(r->servers) - 1] = '\0';
	gvm_stats_sum(m, &r->stats);
	gvm_view_close(&v);
	return 0;
}

int gvm_remains_forget(const char *name)
{
	char path[256];

	path_of(path, sizeof(path), name);
	return unlink(path) ? -errno : 0;
}

void gvm_run_forget(pid_t supervisor)
{
	char path[192];

	gvm_monitor_first_path(path, sizeof(path), supervisor);
	unlink(path);
}
