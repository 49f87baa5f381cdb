// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The environment that makes a program load the attach library, and tells the
 * library what to do.  Whatever was not asked for on the command line is left
 * as it is in the environment.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf.h"
#include "find.h"
#include "program.h"
#include "run.h"
#include "text.h"

#define ATTACH_NAME	"libgiantvm-attach.so"
#define JEMALLOC_NAME	"libjemalloc.so.2"
#define JEMALLOC_APT	"sudo apt-get install libjemalloc2"
#define PRELOAD_MAX	16384u
#define VARIABLE_MAX	100000u	/* the kernel takes 128 KiB in one string */

static void set_number(const char *name, int64_t value)
{
	char text[24];

	if (value < 0)
		return;
	snprintf(text, sizeof(text), "%" PRId64, value);
	setenv(name, text, 1);
}

static void set_text(const char *name, const char *value)
{
	if (value)
		setenv(name, value, 1);
}

static bool has_allocator(const char *preload)
{
	return strstr(preload, "jemalloc") || strstr(preload, "tcmalloc") ||
	       strstr(preload, "mimalloc");
}

/*
 * Ours goes first: the library that comes first is the one whose mmap() the
 * program calls.  Without ours from a run around this one.
 */
static bool join_preload(const char *attach, const char *before,
			 const char *allocator, char ret[PRELOAD_MAX])
{
	int used = snprintf(ret, PRELOAD_MAX, "%s", attach);

	while (*before && used < (int)PRELOAD_MAX) {
		size_t len = strcspn(before, ": ");

		if (len && !memmem(before, len, ATTACH_NAME,
				   strlen(ATTACH_NAME)))
			used += snprintf(ret + used,
					 PRELOAD_MAX - (size_t)used, ":%.*s",
					 (int)len, before);
		before += len + (before[len] != '\0');
	}
	if (*allocator && used < (int)PRELOAD_MAX)
		used += snprintf(ret + used, PRELOAD_MAX - (size_t)used, ":%s",
				 allocator);
	return used < (int)PRELOAD_MAX;
}

/*
 * The heap of glibc grows by brk() and by an mmap() of libc's own, neither of
 * which can be caught; jemalloc's comes from the mmap() that we see.  Empty:
 * leave the heap alone.
 * QEMU's large memory is the guest's, which is mapped in any case.
 */
static bool choose_allocator(const struct gvm_run *run,
			     const struct gvm_program *program,
			     const char *before, char *ret, size_t bytes)
{
	ret[0] = '\0';
	if (run->heap == GVM_HEAP_LIBC)
		return true;
	if (run->heap == GVM_HEAP_AUTO &&
	    (program->is_vmm || program->has_allocator ||
	     has_allocator(before)))
		return true;
	if (gvm_find_library(JEMALLOC_NAME, ret, bytes) == 0)
		return true;
	ret[0] = '\0';
	if (run->heap == GVM_HEAP_JEMALLOC) {
		gvm_complain("run: --heap jemalloc: %s is not installed; %s",
			     JEMALLOC_NAME, JEMALLOC_APT);
		return false;
	}
	if (!run->quiet)
		gvm_complain("what the program gets from malloc() is not paged; for that: %s",
			     JEMALLOC_APT);
	return true;
}

static bool set_preload(const struct gvm_run *run,
			const struct gvm_program *program)
{
	const char *before = getenv("LD_PRELOAD");
	char attach[4096], allocator[4096], all[PRELOAD_MAX];

	if (!before)
		before = "";
	if (gvm_find_attach(attach, sizeof(attach)) < 0) {
		gvm_complain("run: there is no %s; install giantvm, or set GIANTVM_ATTACH to where it is",
			     attach);
		return false;
	}
	if (strpbrk(attach, ": ")) {
		gvm_complain("run: the loader cannot preload %s: its path has a colon or a space; install it elsewhere",
			     attach);
		return false;
	}
	if (!choose_allocator(run, program, before, allocator,
			      sizeof(allocator)))
		return false;
	if (!join_preload(attach, before, allocator, all)) {
		gvm_complain("run: LD_PRELOAD is too long");
		return false;
	}
	setenv("LD_PRELOAD", all, 1);
	return true;
}

/*
 * A list of thousands of servers does not fit into a variable: it goes into a
 * memory file that we keep open for as long as the program runs.
 */
static bool set_servers(const char *servers)
{
	size_t len = strlen(servers);
	char path[64];
	int fd;

	if (len <= VARIABLE_MAX) {
		setenv("GIANTVM_SERVERS", servers, 1);
		return true;
	}
	fd = memfd_create("giantvm-servers", MFD_CLOEXEC);
	if (fd < 0 || write(fd, servers, len) != (ssize_t)len) {
		gvm_complain("run: cannot keep the list of servers: %s",
			     strerror(errno));
		return false;
	}
	snprintf(path, sizeof(path), "@/proc/%d/fd/%d", (int)getpid(), fd);
	setenv("GIANTVM_SERVERS", path, 1);
	return true;
}

static void set_shared(const struct gvm_run *run)
{
	char text[2 * GVM_CONF_FINGERPRINT + 1];

	setenv("GIANTVM_SHARED", run->shared, 1);
	set_number("GIANTVM_NODE", run->node);
	set_number("GIANTVM_SHARED_LOCAL", run->shared_local ?
		   (int64_t)run->shared_local : -1);
	set_text("GIANTVM_LISTEN", run->listen);
	set_text("GIANTVM_RECORD", run->record);
	if (!run->cluster)
		return;
	gvm_conf_fingerprint_print(run->cluster, text);
	setenv("GIANTVM_CLUSTER", text, 1);
}

bool gvm_launch_prepare(const struct gvm_run *run,
			const struct gvm_program *program)
{
	if (!set_preload(run, program) ||
	    (run->servers && !set_servers(run->servers)))
		return false;
	if (run->shared)
		set_shared(run);
	else
		unsetenv("GIANTVM_SHARED");
	set_number("GIANTVM_SUPERVISOR", getpid());
	if (run->local_bytes)
		set_number("GIANTVM_LOCAL", (int64_t)run->local_bytes);
	else
		unsetenv("GIANTVM_LOCAL");
	set_number("GIANTVM_PREFETCH", run->prefetch_pages);
	set_number("GIANTVM_MIN_MAP", run->min_map_bytes);
	set_number("GIANTVM_WAIT_MS", run->wait_ms);
	set_number("GIANTVM_SHARDS", run->shards);
	set_text("GIANTVM_ENGINE", run->engine);
	set_text("GIANTVM_EVICT", run->evict);
	set_text("GIANTVM_QUIET", run->quiet ? "1" : NULL);
	return true;
}
