// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The file under a store: made, or judged before it is trusted.  What is
 * refused is left as it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena-layout.h"

static void read_boot_id(char *buf, size_t len)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;

	memset(buf, 0, len);
	if (fd >= 0) {
		n = read(fd, buf, len - 1);
		close(fd);
	}
	/* Without it nothing tells boots apart: trust synced files only. */
	if (n <= 0)
		memset(buf, 0, len);
}

/*
 * A file without data becomes a store: empty, or sparse with nothing in it,
 * which is what a death between the next two steps leaves.
 */
static int make_file(struct gvm_arena *a, const char *path, char *why,
		     size_t why_len)
{
	struct gvm_super super;
	ssize_t n;

	gvm_arena_fill_super(a, &super);
	if (ftruncate(a->fd, (off_t)a->map_bytes)) {
		int err = -errno;

		snprintf(why, why_len, "%s: cannot make it %llu MiB long: %s", path,
			 (unsigned long long)(a->map_bytes >> 20),
			 strerror(-err));
		return err;
	}
	/* Reserved now, so that no store to a record can hit a full disk. */
	if (fallocate(a->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)gvm_arena_leaves_offset())) {
		int err = -errno;

		snprintf(why, why_len, err == -EOPNOTSUPP ?
			 "%s: this file system cannot reserve space (fallocate); choose another" :
			 "%s: no space for the store's tables; free some or choose another place",
			 path);
		return err;
	}
	/* Last: from here on it is a store. */
	n = pwrite(a->fd, &super, sizeof(super), 0);
	if (n != (ssize_t)sizeof(super)) {
		snprintf(why, why_len, "%s: cannot write the superblock", path);
		return -EIO;
	}
	return 0;
}

/* Is this ours, whole, and of this capacity? */
static int judge_file(struct gvm_arena *a, const char *path, u64 size,
		      char *why, size_t why_len)
{
	struct gvm_super super;

	if (pread(a->fd, &super, sizeof(super), 0) != (ssize_t)sizeof(super) ||
	    super.magic != GVM_STORE_MAGIC) {
		snprintf(why, why_len, "%s: not a giantvm store; it is left as it is, choose another path",
			 path);
		return -EINVAL;
	}
	if (super.version != GVM_STORE_VERSION) {
		snprintf(why, why_len, "%s: store format %u, this program knows %u; use the version that made it, or remove the file",
			 path, super.version, GVM_STORE_VERSION);
		return -EINVAL;
	}
	if (super.crc != gvm_arena_super_crc(&super)) {
		snprintf(why, why_len, "%s: damaged (superblock); remove the file to start empty",
			 path);
		return -EUCLEAN;
	}
	if (super.pages_max != a->pages_max) {
		snprintf(why, why_len, "%s: made with --memory %lluK, not %lluK; give the same size, or remove the file",
			 path, (unsigned long long)super.pages_max * 4,
			 (unsigned long long)a->pages_max * 4);
		return -EINVAL;
	}
	if (super.frames_nr != a->frames_nr || size != a->map_bytes ||
	    super.leaf_top > a->leaves_max) {
		snprintf(why, why_len, "%s: damaged (%llu bytes long, not %llu); remove the file to start empty",
			 path, (unsigned long long)size,
			 (unsigned long long)a->map_bytes);
		return -EUCLEAN;
	}
	return 0;
}

/* Refuse what a machine left behind that stopped in the middle. */
static int judge_boot(struct gvm_arena *a, const char *path, bool fresh,
		      char *why, size_t why_len)
{
	char boot[sizeof(a->super->boot)];

	read_boot_id(boot, sizeof(boot));
	if (!fresh && a->super->state != GVM_STORE_SYNCED &&
	    (!boot[0] || memcmp(boot, a->super->boot, sizeof(boot)))) {
		snprintf(why, why_len, "%s: the machine stopped while pages were being written; some may be older than acknowledged, so none is handed out; remove the file to start empty",
			 path);
		return -EUCLEAN;
	}
	/* Then the disk says already what it is to say. */
	if (!fresh && a->super->state == GVM_STORE_CHANGING)
		return 0;
	memcpy(a->super->boot, boot, sizeof(boot));
	a->super->state = GVM_STORE_CHANGING;
	/* On the disk before the first change that it warns of. */
	if (fdatasync(a->fd)) {
		snprintf(why, why_len, "%s: cannot write: %s", path,
			 strerror(errno));
		return -EIO;
	}
	return 0;
}

/* Descriptor of a regular file that nobody else serves. */
static int open_locked(const char *path, struct stat *ret_st, char *why,
		       size_t why_len)
{
	int err;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0) {
		err = -errno;
		snprintf(why, why_len, "%s: cannot open: %s", path,
			 strerror(-err));
		return err;
	}
	if (fstat(fd, ret_st) || !S_ISREG(ret_st->st_mode)) {
		err = -EINVAL;
		snprintf(why, why_len, "%s: not a regular file; choose another path",
			 path);
		goto err_close;
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		err = -EBUSY;
		snprintf(why, why_len, "%s: another server uses it; stop that one or choose another path",
			 path);
		goto err_close;
	}
	/* Again: the other one may just have made it. */
	if (fstat(fd, ret_st)) {
		err = -errno;
		goto err_close;
	}
	return fd;

err_close:
	close(fd);
	return err;
}

int gvm_arena_open_file(struct gvm_arena *a, const char *path, bool *ret_fresh,
			char *why, size_t why_len)
{
	struct stat st;
	bool fresh;
	int err;

	a->map_bytes = gvm_arena_bytes(a);
	a->fd = open_locked(path, &st, why, why_len);
	if (a->fd < 0)
		return a->fd;

	fresh = st.st_size == 0 ||
		(lseek(a->fd, 0, SEEK_DATA) < 0 && errno == ENXIO);
	err = fresh ? make_file(a, path, why, why_len) :
		      judge_file(a, path, (u64)st.st_size, why, why_len);
	if (err)
		goto err_close;
	err = gvm_arena_map(a);
	if (err) {
		snprintf(why, why_len, "%s: cannot map it: %s", path,
			 strerror(-err));
		goto err_close;
	}
	err = judge_boot(a, path, fresh, why, why_len);
	if (err)
		goto err_unmap;
	*ret_fresh = fresh;
	return 0;

err_unmap:
	munmap(a->map, a->map_bytes);
err_close:
	close(a->fd);
	return err;
}
