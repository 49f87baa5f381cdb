// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From the environment of `giantvm run` to an open engine.
 *
 * The environment is read once and copied before the program's main() runs,
 * because programs overwrite it (setproctitle).  The engine is opened at the
 * first mapping that is worth it, so that sh and make in front of the real
 * program never talk to a server.
 *
 * A program that was started to be paged never runs on without paging: if the
 * engine cannot be opened, it ends with a message and status 125.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attach.h"
#include "monitor.h"
#include "sys.h"

#define MIN_MAP_DEFAULT	(1ull << 20)
#define LOCAL_MIN	(1ull << 20)

struct gvm_attach gvm_attach = { .min_map = MIN_MAP_DEFAULT };

/*
 * Where the kernel put argc, argv and envp.  Not environ: libc has not set it
 * when an allocator maps its first memory.
 */
extern void *__libc_stack_end;

static void **stack_args(void)
{
	void **at = __libc_stack_end;
	long argc = *(long *)at;

	return at + 1 + argc + 1;
}

static const char *setting(const char *name)
{
	void **env = stack_args();
	size_t len = strlen(name);

	for (; *env; env++) {
		const char *text = *env;

		if (strncmp(text, name, len) == 0 && text[len] == '=')
			return text + len + 1;
	}
	return NULL;
}

/* Decimal digits only: `giantvm run` wrote it. */
static u64 number(const char *name, u64 otherwise, u64 max)
{
	const char *text = setting(name);
	u64 v = 0;

	if (!text || !*text)
		return otherwise;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || v > max / 10)
			goto bad;
		v = v * 10 + (u64)(*text - '0');
	}
	if (v <= max)
		return v;
bad:
	gvm_attach_stop("bad value in ", name,
			"; set it by the options of `giantvm run`", NULL);
}

static u32 choice(const char *name, const char *const *names)
{
	const char *text = setting(name);
	u32 i;

	if (!text || !*text)
		return 0;
	for (i = 0; names[i]; i++)
		if (strcmp(text, names[i]) == 0)
			return i;
	gvm_attach_stop("bad value in ", name, ": ", text,
			"; set it by the options of `giantvm run`", NULL);
}

const char *gvm_attach_keep(const char *text)
{
	size_t len = strlen(text) + 1;
	long at;

	at = gvm_sys(SYS_mmap, NULL, len, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at < 0 && at > -4096)
		gvm_attach_stop("no memory for the list of servers", NULL);
	memcpy((void *)at, text, len);
	return (const char *)at;
}

/* A list of servers that is too long for a variable: "@" and a file of it. */
static const char *keep_file(const char *path)
{
	long fd = gvm_sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	long len = fd < 0 ? fd : gvm_sys(SYS_lseek, fd, 0, SEEK_END);
	long at = -ENOENT;

	if (len > 0)	/* and a zero behind it */
		at = gvm_sys(SYS_mmap, NULL, len + 1, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if ((at < 0 && at > -4096) ||
	    gvm_sys(SYS_pread64, fd, at, len, 0) != len)
		gvm_attach_stop("cannot read the list of servers in ", path,
				"; is its `giantvm run` gone?", NULL);
	gvm_sys(SYS_close, fd);
	return (const char *)at;
}

static void read_environment(void)
{
	static const char *const engines[] = { "auto", "uffd", "kernel", NULL };
	static const char *const evicts[] = { "auto", "move", "copy", NULL };
	struct gvm_config *c = &gvm_attach.config;
	const char *servers = setting("GIANTVM_SERVERS");
	const char *quiet = setting("GIANTVM_QUIET");

	c->size = sizeof(*c);
	if (servers && *servers == '@')
		c->servers = keep_file(servers + 1);
	else
		c->servers = servers && *servers ? gvm_attach_keep(servers) : NULL;
	c->local_bytes = number("GIANTVM_LOCAL", 0, ~0ull >> 1);
	c->prefetch_pages = (u32)number("GIANTVM_PREFETCH", GVM_PREFETCH_PAGES,
					GVM_PREFETCH_PAGES_MAX);
	c->wait_ms = (u32)number("GIANTVM_WAIT_MS", 0, UINT32_MAX);
	c->shards = (u32)number("GIANTVM_SHARDS", 0, 4096);
	c->engine = (enum gvm_engine)choice("GIANTVM_ENGINE", engines);
	c->evict = (enum gvm_evict)choice("GIANTVM_EVICT", evicts);
	gvm_attach.min_map = number("GIANTVM_MIN_MAP", MIN_MAP_DEFAULT,
				    ~0ull >> 1);
	if (gvm_attach.min_map < GVM_PAGE_BYTES)
		gvm_attach.min_map = GVM_PAGE_BYTES;
	gvm_attach_regions_ready(setting);
	gvm_attach.regions_only = gvm_attach_has_regions() && !c->local_bytes;
	gvm_attach.quiet = quiet && *quiet && strcmp(quiet, "0") != 0;
	gvm_attach.supervisor = (pid_t)number("GIANTVM_SUPERVISOR", 0, 1u << 30);
	gvm_attach.name = (const char *)getauxval(AT_EXECFN);
	if (!gvm_attach.name)
		gvm_attach.name = "the program";
	gvm_attach.name = gvm_attach_keep(gvm_attach.name);
}

/*
 * Called by the constructor, or before it when an allocator maps memory
 * first.  The order of the fork handlers matters: registered first, ours run
 * last before a fork and first in the child, so that an allocator's own
 * handlers find their memory when they touch it.
 */
void gvm_attach_ready(void)
{
	if (gvm_attach.ready)
		return;
	gvm_attach.ready = true;
	gvm_attach.pid = (int)gvm_sys(SYS_getpid);
	gvm_attach_mark();
	read_environment();
	if (pthread_atfork(gvm_attach_fork_prepare, gvm_attach_fork_parent,
			   gvm_attach_fork_child))
		gvm_attach_stop("cannot watch fork() of ", gvm_attach.name,
				"; free some memory", NULL);
}

static bool note_of_go(const char *at, u64 len)
{
	while (len >= sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *note = (const void *)at;
		u64 size = sizeof(*note) + ((note->n_namesz + 3u) & ~3u) +
			   ((note->n_descsz + 3u) & ~3u);

		if (note->n_namesz == 3 && memcmp(note + 1, "Go", 3) == 0)
			return true;
		if (note->n_namesz == 4 && memcmp(note + 1, "Go\0", 4) == 0)
			return true;
		if (size > len)
			break;
		at += size;
		len -= size;
	}
	return false;
}

/*
 * A Go program maps through libc when it is linked with it, but advises the
 * kernel by system calls of its own that we do not see: pages it gave up
 * would come back with old content.
 */
static bool is_go(void)
{
	const ElfW(Phdr) *ph = (const void *)getauxval(AT_PHDR);
	u64 nr = getauxval(AT_PHNUM);
	u64 base = 0;
	u64 i;

	if (!ph)
		return false;
	for (i = 0; i < nr; i++)
		if (ph[i].p_type == PT_PHDR)
			base = (u64)ph - ph[i].p_vaddr;
	for (i = 0; i < nr; i++)
		if (ph[i].p_type == PT_NOTE &&
		    note_of_go((const char *)(base + ph[i].p_vaddr),
			       ph[i].p_memsz))
			return true;
	return false;
}

void gvm_attach_start(void)
{
	const char *why = NULL;
	char text[24];
	int err;

	if (gvm_attach.gvm)
		return;
	gvm_attach_ready();
	if (!gvm_attach.config.servers ||
	    gvm_attach.config.local_bytes < LOCAL_MIN)
		gvm_attach_stop("libgiantvm-attach.so is preloaded into ",
				gvm_attach.name,
				" without servers or limit; start it with `giantvm run`",
				NULL);
	if (is_go())
		gvm_attach_stop(gvm_attach.name,
				" is a Go program, whose memory cannot be paged: it bypasses libc; run it without giantvm",
				NULL);
	err = gvm_init(&gvm_attach.config, &gvm_attach.gvm, &why);
	if (err)
		gvm_attach_stop("cannot page the memory of ", gvm_attach.name,
				": ", why ? why :
				gvm_attach_errno_text(text, err), NULL);
	/* A run may have hundreds of processes: the first speaks for all. */
	if (!gvm_attach.quiet && gvm_monitor_first(gvm_attach.supervisor))
		gvm_attach_say(gvm_engine_line(gvm_attach.gvm), NULL);
}

/* -z initfirst: before the constructors of every other library. */
__attribute__((constructor)) static void begin(void)
{
	gvm_attach_ready();
}
