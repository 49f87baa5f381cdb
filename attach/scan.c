// SPDX-License-Identifier: GPL-2.0-or-later
/* Look into /proc/self, without malloc.  See scan.h. */
#include <fcntl.h>
#include <string.h>

#include "gvm_port.h"
#include "scan.h"
#include "sys.h"

#define BLOCK_BYTES	4096u
#define KEEP_BYTES	64u	/* longer than any pattern */

struct entry {			/* struct linux_dirent64 */
	u64	ino;
	s64	off;
	u16	bytes;
	u8	type;
	char	name[];
};

/* Does the text of the file hold the pattern?  NULs do not end it. */
static bool file_holds(const char *path, const char *pattern)
{
	char block[KEEP_BYTES + BLOCK_BYTES];
	size_t pattern_len = strlen(pattern);
	size_t kept = 0;
	bool found = false;
	long got;
	long fd;

	fd = gvm_sys(SYS_open, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	while (!found && (got = gvm_sys(SYS_read, fd, block + kept,
					BLOCK_BYTES)) > 0) {
		size_t len = kept + (size_t)got;

		found = memmem(block, len, pattern, pattern_len) != NULL;
		kept = len < KEEP_BYTES ? len : KEEP_BYTES;
		memmove(block, block + len - kept, kept);
	}
	gvm_sys(SYS_close, fd);
	return found;
}

bool gvm_scan_has_io_uring(void)
{
	static const char ring[] = "anon_inode:[io_uring]";
	_Alignas(8) char list[BLOCK_BYTES];
	char link[sizeof(ring)];
	bool found = false;
	long dir;
	long got;

	dir = gvm_sys(SYS_open, "/proc/self/fd",
		      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return false;
	while (!found && (got = gvm_sys(SYS_getdents64, dir, list,
					sizeof(list))) > 0) {
		long at = 0;

		while (!found && at < got) {
			struct entry *e = (void *)(list + at);
			long len = gvm_sys(SYS_readlinkat, dir, e->name, link,
					   sizeof(link));

			at += e->bytes;
			found = len == (long)sizeof(ring) - 1 &&
				memcmp(link, ring, sizeof(ring) - 1) == 0;
		}
	}
	gvm_sys(SYS_close, dir);
	return found;
}

bool gvm_scan_has_aio(void)
{
	return file_holds("/proc/self/maps", "/[aio]");
}

bool gvm_scan_args_hold(const char *text)
{
	return file_holds("/proc/self/cmdline", text);
}
