// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The reading side of the statistics files: list processes, read their
 * counters, ask for another limit.  Runs in ordinary programs (the command
 * line tools), never in a fault thread: libc is welcome here.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hist.h"
#include "limits.h"
#include "monitor.h"

static_assert(sizeof(struct gvm_stats) % 8 == 0, "copied by words");
static_assert(sizeof(struct gvm_hist) == sizeof(struct gvm_stats_hist),
	      "the public histogram is the core's");

#define USERS_GLOB	"/run/user/*/giantvm"
#define USERS_TMP_GLOB	"/tmp/giantvm-*"

/* Root watches everybody, unless it was told where to look. */
static bool watches_all(void)
{
	const char *dir = getenv("GIANTVM_RUNTIME");

	return geteuid() == 0 && !(dir && *dir);
}

/* The i-th place where the file of pid may be; false: no more places. */
static bool path_of(pid_t pid, unsigned i, char *buf, size_t size)
{
	char proc[32];
	struct stat st;

	if (!i)
		return gvm_monitor_path(buf, size, pid);
	snprintf(proc, sizeof(proc), "/proc/%d", (int)pid);
	if (i > 2 || !watches_all() || stat(proc, &st) < 0)
		return false;
	snprintf(buf, size, i == 1 ? "/run/user/%u/giantvm/%d" :
		 "/tmp/giantvm-%u/%d", st.st_uid, (int)pid);
	return true;
}

__attribute__((noinline)) static int open_file(pid_t pid, int flags)
{
	char path[192];
	int fd = -1;

	for (unsigned i = 0; fd < 0 && path_of(pid, i, path, sizeof(path)); i++)
		fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW);
	return fd;
}

static bool is_locked(int fd)
{
	struct flock lock = { .l_type = F_WRLCK };

	return fcntl(fd, F_OFD_GETLK, &lock) || lock.l_type != F_UNLCK;
}

int gvm_view_open(int fd, int prot, struct gvm_view *ret_view)
{
	struct gvm_view v = { .monitor = MAP_FAILED };
	const struct gvm_monitor *m;
	struct stat st;

	if (fd < 0)
		return -ESRCH;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) &&
	    st.st_size >= (off_t)sizeof(*m)) {
		v.bytes = (size_t)st.st_size;
		v.monitor = mmap(NULL, v.bytes, prot, MAP_SHARED, fd, 0);
	}
	m = v.monitor;
	if (m == MAP_FAILED) {
		close(fd);
		return -ESRCH;
	}
	/* In this order: the magic number is written under the lock. */
	if (__atomic_load_n(&m->magic, __ATOMIC_ACQUIRE) != GVM_MONITOR_MAGIC ||
	    !m->shards_nr || m->shards_nr > GVM_MONITOR_SHARDS ||
	    v.bytes < sizeof(*m) + m->shards_nr * sizeof(m->stats[0])) {
		gvm_view_close(&v);
		close(fd);
		return -ESRCH;
	}
	v.locked = is_locked(fd);
	close(fd);
	*ret_view = v;
	return 0;
}

void gvm_view_close(const struct gvm_view *v)
{
	munmap(v->monitor, v->bytes);
}

/* The file of a process; 0 or -errno. */
static int view_of(pid_t pid, int prot, struct gvm_view *ret_view)
{
	int fd = open_file(pid, prot & PROT_WRITE ? O_RDWR : O_RDONLY);
	int err;

	if (fd < 0 && errno == EACCES)
		return -EACCES;
	err = gvm_view_open(fd, prot, ret_view);
	if (!err && (pid_t)ret_view->monitor->pid != pid) {
		gvm_view_close(ret_view);
		err = -ESRCH;
	}
	return err;
}

/* Is it the process that wrote the file, and not a later one of its pid? */
static bool is_running(const struct gvm_monitor *m)
{
	unsigned long long start = 0;
	char path[32], text[384];
	const char *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/stat", m->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	at = strrchr(text, ')');
	/* After the name: state is field 3, the start time field 22. */
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (at)
		start = strtoull(at + 1, NULL, 10);
	return !m->start_time || start == m->start_time;
}

bool gvm_view_alive(const struct gvm_view *v)
{
	return v->locked && is_running(v->monitor);
}

/* Adds the processes of one folder; *nr counts those without room too. */
static int list_folder(const char *path, pid_t *ret_pids, int max, int *nr)
{
	struct dirent *e;
	DIR *dir;

	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((e = readdir(dir))) {
		char *end;
		long pid = strtol(e->d_name, &end, 10);
		struct gvm_view v;

		if (*end || pid <= 0 || view_of((pid_t)pid, PROT_READ, &v))
			continue;
		if (gvm_view_alive(&v)) {
			if (*nr < max)
				ret_pids[*nr] = (pid_t)pid;
			++*nr;
		}
		gvm_view_close(&v);
	}
	closedir(dir);
	return 0;
}

int gvm_pids(pid_t *ret_pids, int max)
{
	char path[192];
	glob_t users;
	int nr = 0;
	int err;

	gvm_monitor_path(path, sizeof(path), 0);
	err = list_folder(path, ret_pids, max, &nr);
	if (err || !watches_all())
		return err ? err : nr;
	memset(&users, 0, sizeof(users));
	glob(USERS_GLOB, GLOB_NOSORT, NULL, &users);
	glob(USERS_TMP_GLOB, GLOB_NOSORT | GLOB_APPEND, NULL, &users);
	for (size_t i = 0; i < users.gl_pathc; i++)
		list_folder(users.gl_pathv[i], ret_pids, max, &nr);
	globfree(&users);
	return nr;
}

/*
 * The counters change while they are read: each is a word with one writer, and
 * a moment's difference between two of them harms nobody.
 */
#define RACY __attribute__((no_sanitize("thread")))

RACY static void add_server(struct gvm_stats_server *to,
		       const struct gvm_stats_server *from)
{
	to->pages_read += from->pages_read;
	to->pages_written += from->pages_written;
	to->bytes_in += from->bytes_in;
	to->bytes_out += from->bytes_out;
	to->reconnects += from->reconnects;
}

/* Shards count alone; the process is their sum. */
RACY static void add_shard(struct gvm_stats *to, const struct gvm_stats *from)
{
	uint64_t *a = &to->local_bytes;
	const uint64_t *b = &from->local_bytes;
	/* Everything from local_bytes up to cpu_ns is a sum. */
	const size_t nr = (offsetof(struct gvm_stats, servers_nr) -
			   offsetof(struct gvm_stats, local_bytes)) / 8;

	for (size_t i = 0; i < nr; i++)
		a[i] += b[i];
	for (int i = 0; i < GVM_STATS_HIST; i++) {
		to->latency_remote.n[i] += from->latency_remote.n[i];
		to->latency_local.n[i] += from->latency_local.n[i];
	}
	for (int i = 0; i < GVM_STATS_SERVERS; i++)
		add_server(&to->server[i], &from->server[i]);
}

RACY void gvm_stats_sum(const struct gvm_monitor *m,
			struct gvm_stats *ret_stats)
{
	const volatile uint64_t *from = (const uint64_t *)&m->stats[0];
	uint64_t *to = (uint64_t *)ret_stats;

	/* Word by word: memcpy is not ours to excuse. */
	for (size_t i = 0; i < sizeof(*ret_stats) / 8; i++)
		to[i] = from[i];
	for (uint32_t i = 1; i < m->shards_nr; i++)
		add_shard(ret_stats, &m->stats[i]);
}

int gvm_stats_of(pid_t pid, struct gvm_stats *ret_stats)
{
	struct gvm_view v;
	int err;

	err = view_of(pid, PROT_READ, &v);
	if (err)
		return err;
	gvm_stats_sum(v.monitor, ret_stats);
	gvm_view_close(&v);
	return 0;
}

int gvm_set_local_of(pid_t pid, uint64_t local_bytes)
{
	struct gvm_view v;
	int err;

	if (local_bytes < (1u << 20))
		return -EINVAL;
	err = view_of(pid, PROT_READ | PROT_WRITE, &v);
	if (err)
		return err;
	err = gvm_view_alive(&v) ? 0 : -ESRCH;
	if (!err)
		__atomic_store_n(&v.monitor->wanted_bytes, local_bytes,
				 __ATOMIC_RELEASE);
	gvm_view_close(&v);
	return err;
}

uint64_t gvm_stats_percentile(const struct gvm_stats_hist *hist,
			      unsigned permille)
{
	return gvm_hist_percentile((const struct gvm_hist *)hist, permille);
}
