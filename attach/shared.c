// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Guest memory in a memfd: QEMU's memory-backend-memfd with share=on.
 *
 * Shared memory has as many entrances as mappings, and a page that rests on a
 * server is a hole in the file: whoever comes in through another entrance
 * reads zeros.  Only the first mapping is watched.  So a second mapping, or
 * handing the descriptor to another process (vhost-user), stops the program
 * with a message before a byte can be wrong.  Other shared memory is never
 * attached, because nobody can know who else looks at it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "attach.h"
#include "sys.h"

#define FILES_MAX	64
#define QEMU_NAME	"/memfd:memory-backend-memfd"

struct file {
	u64	dev;
	u64	ino;
	bool	foreign;	/* paged by the parent of this process */
};

static struct file files[FILES_MAX];
static u32 files_nr;		/* written with the lock held */

bool gvm_attach_has_files(void)
{
	return __atomic_load_n(&files_nr, __ATOMIC_ACQUIRE) != 0;
}

static bool stat_fd(int fd, struct stat *ret_stat)
{
	return fd >= 0 && gvm_sys(SYS_fstat, fd, ret_stat) == 0;
}

static int find(const struct stat *st)
{
	u32 nr = __atomic_load_n(&files_nr, __ATOMIC_ACQUIRE);
	u32 i;

	for (i = 0; i < nr; i++)
		if (files[i].dev == st->st_dev && files[i].ino == st->st_ino)
			return (int)i;
	return -1;
}

static bool in_use(int file)
{
	struct gvm_span *span = gvm_spans_first(0, ~(u64)0);

	for (; span; span = gvm_spans_next(span, ~(u64)0))
		if (span->what == GVM_SPAN_SHARED && span->file == file)
			return true;
	return false;
}

/*
 * In the child of a fork: its parent goes on paging the files, and this
 * process would be the second entrance.
 */
void gvm_attach_files_forked(void)
{
	u32 i;

	for (i = 0; i < files_nr; i++)
		files[i].foreign |= in_use((int)i);
}

static bool is_qemu_memfd(int fd)
{
	char path[40] = "/proc/self/fd/";
	char link[sizeof(QEMU_NAME)];
	struct statfs fs;
	char digits[12];
	u32 nr = 0;
	size_t at = strlen(path);
	long len;

	do {
		digits[nr++] = (char)('0' + fd % 10);
		fd /= 10;
	} while (fd);
	while (nr)
		path[at++] = digits[--nr];
	path[at] = '\0';
	len = gvm_sys(SYS_readlink, path, link, sizeof(QEMU_NAME) - 1);
	if (len != (long)sizeof(QEMU_NAME) - 1 ||
	    memcmp(link, QEMU_NAME, sizeof(QEMU_NAME) - 1) != 0)
		return false;
	/* Huge pages are not paged: one would be 2 MiB or 1 GiB at a time. */
	return gvm_sys(SYS_statfs, path, &fs) == 0 &&
	       fs.f_type == TMPFS_MAGIC;
}

int gvm_attach_file(int fd, bool shared, bool *ret_known)
{
	struct stat st;
	int file;

	if (!stat_fd(fd, &st))
		return -1;
	file = find(&st);
	*ret_known = file >= 0 && (files[file].foreign || in_use(file));
	if (*ret_known || !is_qemu_memfd(fd))
		return -1;
	if (!shared)
		return st.st_blocks == 0 ? 0 : -1;
	if (file >= 0)
		return file;
	if (files_nr == FILES_MAX)
		gvm_attach_stop(gvm_attach.name,
				" has more than 64 memfd backends; use memory-backend-ram",
				NULL);
	files[files_nr].dev = st.st_dev;
	files[files_nr].ino = st.st_ino;
	__atomic_store_n(&files_nr, files_nr + 1, __ATOMIC_RELEASE);
	return (int)files_nr - 1;
}

void gvm_attach_refuse_entrance(int fd, const char *how)
{
	struct stat st;

	if (!stat_fd(fd, &st) || find(&st) < 0)
		return;
	gvm_attach_stop("paged shared memory of ", gvm_attach.name, " was ",
			how,
			", where giantvm cannot see accesses; use memory-backend-ram, without vhost-user",
			NULL);
}

void gvm_attach_check_message(const struct msghdr *message)
{
	struct msghdr m = *message;
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		const int *fds = (const void *)CMSG_DATA(c);
		size_t nr = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		while (nr--)
			gvm_attach_refuse_entrance(*fds++,
						   "passed to another process");
	}
}

/* The part of the span that shows [off, end) of the file. */
static bool shows(const struct gvm_span *span, u64 off, u64 end, u64 *ret_start,
		  u64 *ret_end)
{
	u64 from = span->offset;
	u64 to = span->offset + (span->end - span->start);

	if (from < off)
		from = off;
	if (to > end)
		to = end;
	if (from >= to)
		return false;
	*ret_start = span->start + (from - span->offset);
	*ret_end = span->start + (to - span->offset);
	return true;
}

/*
 * Called with the lock held.  Punch the attached parts through the engine and
 * the rest by the kernel: a page that appears or goes behind the engine's
 * back would be taken for another.
 */
static long punch(int fd, int file, int mode, u64 off, u64 len)
{
	u64 end = off + len;

	while (off < end) {
		struct gvm_span *span = gvm_spans_first(0, ~(u64)0);
		u64 next = end;
		u64 start;
		u64 stop;
		bool here = false;
		long err;

		for (; span; span = gvm_spans_next(span, ~(u64)0)) {
			if (span->what != GVM_SPAN_SHARED ||
			    span->file != file ||
			    !shows(span, off, end, &start, &stop))
				continue;
			if (span->start + (off - span->offset) == start) {
				here = true;
				next = off + (stop - start);
				break;
			}
			if (span->offset > off && span->offset < next)
				next = span->offset;
		}
		err = here ? gvm_discard(gvm_attach.gvm, (void *)start,
					 stop - start) :
		      gvm_sys(SYS_fallocate, fd, mode, off, next - off);
		if (err)
			return err;
		off = next;
	}
	return 0;
}

long gvm_attach_fallocate(int fd, int mode, u64 off, u64 len)
{
	struct stat st;
	long ret;
	u64 mask;
	int file = gvm_attach_region_of(fd);

	if (file >= 0)
		return gvm_attach_region_allocate(file, mode, off, len);
	if (!gvm_attach_has_files() || !stat_fd(fd, &st))
		return gvm_sys(SYS_fallocate, fd, mode, off, len);
	gvm_attach_lock(&mask);
	file = find(&st);
	if (file < 0 || !in_use(file))
		ret = gvm_sys(SYS_fallocate, fd, mode, off, len);
	else if (mode & FALLOC_FL_PUNCH_HOLE)
		ret = gvm_page_aligned(off) && gvm_page_aligned(len) ?
		      punch(fd, file, mode, off, len) : -EINVAL;
	else if ((mode & ~FALLOC_FL_KEEP_SIZE) == 0 &&
		 off + len <= (u64)st.st_size)
		ret = 0;	/* room is what the servers are for */
	else
		ret = -EOPNOTSUPP;
	gvm_attach_unlock(mask);
	return ret;
}

long gvm_attach_ftruncate(int fd, u64 len)
{
	struct stat st;

	if (gvm_attach_has_files() && stat_fd(fd, &st) && find(&st) >= 0 &&
	    len < (u64)st.st_size) {
		long ret;
		u64 mask;

		gvm_attach_lock(&mask);
		ret = in_use(find(&st)) ? -EPERM : 0;
		gvm_attach_unlock(mask);
		if (ret)
			return ret;
	}
	return gvm_sys(SYS_ftruncate, fd, len);
}
