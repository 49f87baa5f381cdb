// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Shared regions for programs that map a file: `giantvm run --shared
 * NAME:SIZE@PATH`.  Opening PATH joins the region, and mapping what was opened
 * maps the region, any number of times.
 *
 * No such file exists.  The program gets a descriptor of an empty memory file
 * of the region's size, which can be asked for its size and closed like any
 * other; reading and writing it fails, because that would be past the pager.
 * The program is given back to the servers when it ends by exit().
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "attach.h"
#include "own.h"
#include "sys.h"

#define REGIONS_MAX	8u
#define PATH_BYTES	4096u

struct region {
	struct gvm_shared *shared;	/* NULL: not opened yet */
	char	name[GVM_SHARED_NAME_MAX];
	const char *path;		/* absolute */
	const char *servers;
	u64	bytes;
	u64	slice;
	int	fd;			/* what the program gets copies of */
	u64	dev;
	u64	ino;
};

static struct region regions[REGIONS_MAX];
static u32 regions_nr;
static struct gvm_shared_config config;
static int owner;			/* pid that joined: not its children */

bool gvm_attach_has_regions(void)
{
	return regions_nr != 0;
}

static u64 number(const char *text, u64 otherwise)
{
	u64 v = 0;

	if (!text || *text < '0' || *text > '9')
		return otherwise;
	while (*text >= '0' && *text <= '9')
		v = v * 10 + (u64)(*text++ - '0');
	return v;
}

/* The next word of a line, which a space ends; the last one may have some. */
static char *word(char **at, char end)
{
	char *start = *at;
	char *stop = start ? strchr(start, end) : NULL;

	*at = stop ? stop + 1 : NULL;
	if (stop)
		*stop = '\0';
	return start;
}

/* "NAME BYTES SLICE SERVERS PATH" and a newline; `giantvm run` wrote it. */
static char *parse_one(struct region *r, char *line)
{
	char *at = line;
	const char *name = word(&at, ' ');
	const char *bytes = word(&at, ' ');
	const char *slice = word(&at, ' ');

	r->servers = word(&at, ' ');
	r->path = word(&at, '\n');
	if (!r->path || strlen(name) >= sizeof(r->name))
		gvm_attach_stop("bad value in GIANTVM_SHARED: ", line,
				"; set it by the options of `giantvm run`",
				NULL);
	memcpy(r->name, name, strlen(name));
	r->bytes = number(bytes, 0);
	r->slice = number(slice, 0);
	r->fd = -1;
	return at;
}

static void parse_cluster(const char *text)
{
	static const char hex[] = "0123456789abcdef";

	for (u32 i = 0; text && text[i] && i < 2 * sizeof(config.cluster); i++) {
		const char *digit = strchr(hex, text[i]);

		if (digit)
			config.cluster[i / 2] |= (u8)((digit - hex) <<
						      (i % 2 ? 0 : 4));
	}
}

void gvm_attach_regions_ready(const char *(*setting)(const char *name))
{
	const char *all = setting("GIANTVM_SHARED");
	char *at;
	const char *listen = setting("GIANTVM_LISTEN");

	if (!all || !*all)
		return;
	config = (struct gvm_shared_config){
		.size = sizeof(config),
		.node = (u32)number(setting("GIANTVM_NODE"), 0),
		.listen = listen && *listen ? gvm_attach_keep(listen) : NULL,
		.local_bytes = number(setting("GIANTVM_SHARED_LOCAL"), 0),
		.wait_ms = gvm_attach.config.wait_ms,
		.flags = GVM_SHARED_MEMFD | GVM_SHARED_WAIT,
	};
	parse_cluster(setting("GIANTVM_CLUSTER"));
	at = (char *)(uintptr_t)gvm_attach_keep(all);
	while (at && *at && regions_nr < REGIONS_MAX)
		at = parse_one(&regions[regions_nr++], at);
}

/* The file that stands for the region: it has its size, and nothing else. */
static int make_file(struct region *r)
{
	char self[40] = "/proc/self/fd/";
	const int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK |
			  F_SEAL_SEAL;
	struct stat st;
	char digits[12];
	long fd, blind;
	u32 nr = 0, at = (u32)strlen(self);

	fd = gvm_sys(SYS_memfd_create, r->name, MFD_CLOEXEC |
		     MFD_ALLOW_SEALING);
	if (fd < 0)
		return (int)fd;
	gvm_sys(SYS_ftruncate, fd, r->bytes);
	gvm_sys(SYS_fcntl, fd, F_ADD_SEALS, seals);
	gvm_sys(SYS_fstat, fd, &st);
	r->dev = st.st_dev;
	r->ino = st.st_ino;
	for (long v = fd; v || !nr; v /= 10)
		digits[nr++] = (char)('0' + v % 10);
	while (nr)
		self[at++] = digits[--nr];
	self[at] = '\0';
	/* Only to be written, which the seal forbids: nobody reads zeros. */
	blind = gvm_sys(SYS_openat, AT_FDCWD, self, O_WRONLY | O_CLOEXEC, 0);
	gvm_sys(SYS_close, fd);
	if (blind < 0)
		return (int)blind;
	r->fd = gvm_fd_high((int)blind);
	return r->fd < 0 ? r->fd : 0;
}

/* Called with the lock held. */
static long join(struct region *r)
{
	struct gvm_shared_config c = config;
	const char *why = NULL;
	char text[24];
	int err;

	if (r->shared)
		return owner == (int)gvm_sys(SYS_getpid) ? 0 : -EBUSY;
	c.servers = r->servers;
	c.slice_bytes = r->slice;
	/* All of it: each region has its own size. */
	if (!c.local_bytes)
		c.local_bytes = r->bytes < (1u << 20) ? 1u << 20 : r->bytes;
	err = gvm_map_shared(r->name, r->bytes, &c, &r->shared, NULL, &why);
	if (err)
		gvm_attach_stop(gvm_attach.name, " cannot join region ",
				r->name, ": ", why ? why :
				gvm_attach_errno_text(text, err), NULL);
	owner = (int)gvm_sys(SYS_getpid);
	return make_file(r);
}

static bool is_path(const struct region *r, int dir, const char *path)
{
	char here[PATH_BYTES];
	long len;

	if (strcmp(path, r->path) == 0)
		return true;
	if (*path == '/' || dir != AT_FDCWD)
		return false;
	while (path[0] == '.' && path[1] == '/')
		path += 2;
	len = gvm_sys(SYS_getcwd, here, sizeof(here));
	if (len <= 1)
		return false;
	len--;			/* its NUL */
	return strncmp(r->path, here, (size_t)len) == 0 &&
	       r->path[len] == '/' && strcmp(r->path + len + 1, path) == 0;
}

bool gvm_attach_region_open(int dir, const char *path, int flags, long *ret)
{
	struct region *r = NULL;
	u64 mask;

	for (u32 i = 0; i < regions_nr && !r; i++)
		if (is_path(&regions[i], dir, path))
			r = &regions[i];
	if (!r)
		return false;
	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) {
		*ret = -EEXIST;
		return true;
	}
	gvm_attach_lock(&mask);
	*ret = join(r);
	if (!*ret)
		*ret = gvm_sys(SYS_fcntl, r->fd, flags & O_CLOEXEC ?
			       F_DUPFD_CLOEXEC : F_DUPFD, 0);
	gvm_attach_unlock(mask);
	return true;
}

int gvm_attach_region_of(int fd)
{
	struct stat st;

	if (fd < 0 || !regions_nr || gvm_sys(SYS_fstat, fd, &st))
		return -1;
	for (u32 i = 0; i < regions_nr; i++)
		if (regions[i].shared && regions[i].dev == st.st_dev &&
		    regions[i].ino == st.st_ino)
			return (int)i;
	return -1;
}

/* Called with the lock held; what was at a fixed place has been dropped. */
long gvm_attach_region_map(int index, u64 addr, u64 len, int prot, u64 off)
{
	struct gvm_span span = {
		.offset = off,
		.file = (u16)index,
		.what = GVM_SPAN_REGION,
		.prot = (u8)prot,
	};
	void *at;
	int err;

	if (owner != (int)gvm_sys(SYS_getpid))
		return -EBUSY;
	if (prot & PROT_EXEC)
		return -EACCES;
	err = gvm_shared_map(regions[index].shared, (void *)addr, len, prot,
			     off, &at);
	if (err)
		return err;
	span.start = (u64)at;
	span.end = span.start + len;
	gvm_spans_add(&span);
	return (long)at;
}

/* All of it is there from the beginning, and none can be taken away. */
long gvm_attach_region_allocate(int index, int mode, u64 off, u64 len)
{
	if (mode & ~1)			/* FALLOC_FL_KEEP_SIZE */
		return -EOPNOTSUPP;
	return off + len >= off && off + len <= regions[index].bytes ? 0 :
	       -ENOSPC;
}

void gvm_attach_region_forget(int index, u64 start, u64 end)
{
	/* A child of fork() does not have it. */
	if (owner == (int)gvm_sys(SYS_getpid))
		gvm_shared_forget(regions[index].shared, (void *)start,
				  end - start);
}

/* Last of all: the program's own handlers may still have written. */
__attribute__((destructor)) static void leave(void)
{
	for (u32 i = 0; i < regions_nr; i++)
		if (regions[i].shared && owner == (int)gvm_sys(SYS_getpid))
			gvm_leave_shared(regions[i].shared);
}
