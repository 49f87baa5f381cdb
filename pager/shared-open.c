// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Open and close a shared region: check what was asked for, join, map; and the
 * calls of programs that map it more than once.  What fails says why in one
 * line that the user can act on.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "engine.h"
#include "mem.h"
#include "shared.h"
#include "sys.h"

#define WAIT_DEFAULT_MS		30000u
#define RETRY_DEFAULT_MS	100u
#define MS			1000000ull

static char last_why[256];	/* of the last call */

static int wrong(struct gvm_shared *r, int err, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	gvm_format_list(r->why, sizeof(r->why), format, ap);
	va_end(ap);
	return err;
}

static int check(struct gvm_shared *r, const char *name, u64 bytes,
		 const struct gvm_shared_config *c)
{
	size_t len = 0;

	while (name[len] && len < sizeof(r->name) - 1)
		r->name[len] = name[len], len++;
	if (name[len] || !gvm_codec_name_ok(r->name))
		return wrong(r, -EINVAL, "`%s` cannot be the name of a region: 1 to 47 letters, digits, '.', '_' or '-', not first '.' or '-'",
			     name);
	if (c->node >= GVM_NODES_MAX)
		return wrong(r, -EINVAL, "node id %u is too large: 0 to %u",
			     c->node, GVM_NODES_MAX - 1);
	if (bytes % GVM_PAGE_BYTES ||
	    bytes >> GVM_PAGE_SHIFT > GVM_SHARED_PAGES_MAX ||
	    (!bytes && !(c->flags & GVM_SHARED_EXISTING)))
		return wrong(r, -EINVAL, "a region of %llu bytes cannot be: it must be a multiple of 4096, at most 1 PiB",
			     (unsigned long long)bytes);
	if (c->local_bytes < GVM_LOCAL_MIN)
		return wrong(r, -EINVAL, "a local limit of %llu bytes is too small; 1 MiB is the least",
			     (unsigned long long)c->local_bytes);
	if (c->memory && (c->flags & GVM_SHARED_MEMFD ||
			  (u64)(uintptr_t)c->memory % GVM_PAGE_BYTES))
		return wrong(r, -EINVAL, "the memory that is to become a region must be whole pages, and cannot be a memfd");
	if (!c->store_waits != !c->store_goes_on)
		return wrong(r, -EINVAL, "who is to hear that a store waits must hear that it goes on, too");
	if (c->slice_bytes & (c->slice_bytes - 1) ||
	    (c->slice_bytes && c->slice_bytes < GVM_CHUNK_BYTES))
		return wrong(r, -EINVAL, "slices of %llu bytes cannot be: a power of two, at least 2 MiB",
			     (unsigned long long)c->slice_bytes);
	return 0;
}

static u64 setting(const char *name, u64 otherwise)
{
	const char *text = getenv(name);
	u64 v = 0;

	if (!text || *text < '0' || *text > '9')
		return otherwise;
	while (*text >= '0' && *text <= '9')
		v = v * 10 + (u64)(*text++ - '0');
	return v;
}

static int choose_caps(struct gvm_shared *r)
{
	const char *old = getenv("GIANTVM_KERNEL");
	long fd = gvm_sys(SYS_openat, AT_FDCWD, "/dev/userfaultfd",
			  O_RDWR | O_CLOEXEC, 0);
	int err;

	r->dev_fd = fd < 0 ? -1 : gvm_fd_high((int)fd);
	err = gvm_uffd_probe(r->dev_fd, &r->caps);
	if (err && r->dev_fd >= 0) {
		gvm_fd_mine(r->dev_fd, false);
		gvm_sys(SYS_close, r->dev_fd);
		r->dev_fd = -1;
		err = gvm_uffd_probe(-1, &r->caps);
	}
	if (err)
		return wrong(r, err, err == -EPERM ?
			     "no permission for userfaultfd; run `giantvm doctor` for the command that mends it" :
			     "this kernel has no userfaultfd (CONFIG_USERFAULTFD)");
	gvm_uffd_caps_no_events(&r->caps);
	if (r->flags & GVM_SHARED_LINUX_6_1 || (old && !strcmp(old, "6.1")))
		gvm_uffd_caps_6_1(&r->caps);
	if (!r->caps.protect ||
	    (r->flags & GVM_SHARED_MEMFD && !r->caps.protect_shmem))
		return wrong(r, -ENOSYS, "this kernel cannot write-protect such memory with userfaultfd; Linux 5.19 or later is needed");
	return 0;
}

static int open_fds(struct gvm_shared *r)
{
	r->uffd = gvm_fd_high(gvm_uffd_open(r->dev_fd, &r->caps));
	r->epfd = gvm_fd_high((int)gvm_sys(SYS_epoll_create1, EPOLL_CLOEXEC));
	r->wakefd = gvm_fd_high((int)gvm_sys(SYS_eventfd2, 0, EFD_CLOEXEC |
					     EFD_NONBLOCK));
	if (r->uffd < 0 || r->epfd < 0 || r->wakefd < 0)
		return wrong(r, -EMFILE, "no more descriptors; raise the limit of open files");
	gvm_shared_watch(r, EPOLL_CTL_ADD, r->uffd, GVM_DATA_UFFD, false);
	gvm_shared_watch(r, EPOLL_CTL_ADD, r->wakefd, GVM_DATA_WAKE, false);
	return 0;
}

static void take_config(struct gvm_shared *r, u64 bytes,
			const struct gvm_shared_config *c)
{
	r->id = (u16)c->node;
	r->bytes = bytes;
	r->slice_bytes = c->slice_bytes;
	r->lease_ms = c->lease_ms;
	r->frames = c->local_bytes >> GVM_PAGE_SHIFT;
	r->wait_ms = c->wait_ms ? c->wait_ms : WAIT_DEFAULT_MS;
	r->flags = c->flags;
	r->create = !(c->flags & GVM_SHARED_EXISTING);
	r->hold_ns = c->hold_us ? c->hold_us * 1000ull : GVM_HOLD_AUTO;
	r->retry_ns = setting("GIANTVM_TEST_RETRY_US", 1000ull *
			      (c->retry_ms ? c->retry_ms : RETRY_DEFAULT_MS)) *
		      1000;
	memcpy(r->cluster, c->cluster, sizeof(r->cluster));
	r->fatal = c->fatal;
	r->flush_code = c->flush_code;
	r->store_waits = c->store_waits;
	r->store_goes_on = c->store_goes_on;
	r->start = c->start;
	r->own_server = c->own_server;
	r->turn = c->turn;
	r->own_pipe = c->own_server ? c->own_pipe : NULL;
	r->own_at = c->own_at;
	r->arg = c->arg;
	r->memory = c->memory;
}

static int prepare(struct gvm_shared *r, const struct gvm_shared_config *c)
{
	int err;

	if (gvm_sys(SYS_getrandom, r->identity, 16, 0) != 16)
		return -EIO;
	err = gvm_parse_list(c->servers, &r->servers, &r->homes_nr, r->why,
			     sizeof(r->why));
	if (!err)
		err = choose_caps(r);
	if (!err)
		err = open_fds(r);
	if (err)
		return err;
	r->homes = gvm_mem_map(r->homes_nr * sizeof(*r->homes));
	if (!r->homes)
		return -ENOMEM;
	for (u32 i = 0; i < r->homes_nr; i++)
		r->homes[i].conn.fd = -1;
	err = gvm_peers_init(r, c->listen);
	if (err)
		return wrong(r, err, "cannot listen for other nodes at %s (error %u)",
			     c->listen ? c->listen : "any port",
			     (unsigned int)-err);
	gvm_shared_watch(r, EPOLL_CTL_ADD, r->listenfd, GVM_DATA_LISTEN, false);
	if (r->own_server)
		gvm_shared_watch(r, EPOLL_CTL_ADD, c->own_fd, GVM_DATA_OWN,
				 false);
	err = gvm_shared_monitor_open(r);
	if (!err)
		gvm_lease_timer_init(r);
	if (!err)
		gvm_idle_init(r);
	if (!err)
		err = gvm_record_init(r);
	return err ? err : gvm_test_net_init(r);
}

/* In a thread of the program. */
static void run_for_program(void *region)
{
	struct gvm_shared *r = region;

	gvm_shared_run(r);
	__atomic_store_n(&r->running, 0, __ATOMIC_RELEASE);
	gvm_futex_wake(&r->running);
}

static int start_thread(struct gvm_shared *r)
{
	int err;

	if (!r->start)
		return gvm_thread_start(&r->thread, gvm_shared_run, r);
	r->running = 1;
	err = r->start(run_for_program, r, r->arg);
	if (err)
		r->running = 0;
	return err;
}

static bool has_thread(const struct gvm_shared *r)
{
	return r->thread.run ||
		__atomic_load_n(&r->running, __ATOMIC_ACQUIRE);
}

static void join_thread(struct gvm_shared *r)
{
	if (r->thread.run)
		gvm_thread_join(&r->thread);
	r->thread.run = NULL;
	while (__atomic_load_n(&r->running, __ATOMIC_ACQUIRE))
		gvm_futex_wait(&r->running, 1);
}

/* The thread joins; we wait. */
static int join(struct gvm_shared *r)
{
	const u64 end = gvm_now_ns() + r->wait_ms * MS;
	struct timespec ts = { 0, 50000000 };
	int *word = &r->started;
	int err = start_thread(r);
	int started;

	if (err)
		return err;
	while (!(started = __atomic_load_n(word, __ATOMIC_ACQUIRE))) {
		if (gvm_now_ns() > end)
			return wrong(r, -ETIMEDOUT, "the servers of region %s do not answer (first: %s)",
				     r->name, r->servers[0].text);
		gvm_sys(SYS_futex, word, 0 /* FUTEX_WAIT */, 0, &ts, 0, 0);
	}
	return started < 0 ? started : 0;
}

static void stop_thread(struct gvm_shared *r)
{
	const u64 one = 1;

	if (!has_thread(r))
		return;
	__atomic_store_n(&r->stop, 1, __ATOMIC_RELEASE);
	gvm_sys(SYS_write, r->wakefd, &one, sizeof(one));
	join_thread(r);
}

static void close_all(struct gvm_shared *r)
{
	int *const fds[] = { &r->uffd, &r->epfd, &r->wakefd, &r->dev_fd };

	stop_thread(r);
	gvm_lease_timer_fini(r);
	gvm_idle_fini(r);
	gvm_record_fini(r);
	/* Before the userfaultfd: missing pages would be zeros without it. */
	gvm_shared_memory_fini(r);
	gvm_take_fini(r);
	gvm_peers_fini(r);
	gvm_homes_fini(r);
	gvm_test_net_fini(r);
	gvm_shared_monitor_close(r);
	for (u32 i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] < 0)
			continue;
		gvm_fd_mine(*fds[i], false);
		gvm_sys(SYS_close, *fds[i]);
	}
	gvm_mem_unmap(r->servers, r->homes_nr * sizeof(*r->servers));
	gvm_mem_unmap(r, sizeof(*r));
}

/* The memory exists only after joining: only then its size is known. */
static int map(struct gvm_shared *r)
{
	struct gvm_shared_command c = {
		.op = GVM_SHARED_VIEW_ADD,
	};
	int err = gvm_shared_memory_init(r);

	if (err || r->memfd >= 0)
		return err;
	gvm_take_init(r);
	c.start = (u64)(uintptr_t)r->base;
	c.end = c.start + r->bytes;
	return gvm_shared_command_run(r, &c);
}

static int open_all(struct gvm_shared *r, const char *name, u64 bytes,
		    const struct gvm_shared_config *c)
{
	int err = check(r, name, bytes, c);

	if (err)
		return err;
	take_config(r, bytes, c);
	err = prepare(r, c);
	if (!err)
		err = join(r);
	if (err)
		return err;
	err = map(r);
	if (err)
		return wrong(r, err, "cannot map region %s of %llu bytes (error %u)",
			     r->name, (unsigned long long)r->bytes,
			     (unsigned int)-err);
	return 0;
}

int gvm_map_shared(const char *name, uint64_t bytes,
		   const struct gvm_shared_config *config,
		   struct gvm_shared **ret_region, void **ret_addr,
		   const char **ret_why)
{
	struct gvm_shared *r;
	int err;

	if (ret_why)
		*ret_why = last_why;
	if (config->size != sizeof(*config)) {
		gvm_format(last_why, sizeof(last_why),
			   "the program was built for another version of libgiantvm");
		return -EINVAL;
	}
	r = gvm_mem_map(sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->uffd = r->epfd = r->wakefd = r->listenfd = -1;
	r->dev_fd = r->memfd = r->lease_timer = -1;
	for (u32 i = 0; i < GVM_PEERS_MAX; i++)
		r->peers[i].conn.fd = -1;
	err = open_all(r, name, bytes, config);
	if (err) {
		gvm_format(last_why, sizeof(last_why), "%s",
			   *r->why ? r->why : "out of memory");
		close_all(r);
		return err;
	}
	*ret_region = r;
	if (ret_addr)
		*ret_addr = r->base;
	return 0;
}

int gvm_leave_shared(struct gvm_shared *r)
{
	struct gvm_shared_command c = { .op = GVM_SHARED_LEAVE };
	int err = gvm_shared_command_run(r, &c);

	join_thread(r);
	gvm_lease_timer_fini(r);
	gvm_record_fini(r);
	gvm_shared_monitor_close(r);
	return err;
}

int gvm_unmap_shared(struct gvm_shared *r)
{
	int err = has_thread(r) ? gvm_leave_shared(r) : 0;

	close_all(r);
	return err;
}

uint64_t gvm_shared_bytes(const struct gvm_shared *r)
{
	return r->bytes;
}

static bool is_bad(const struct gvm_shared *r, u64 addr, u64 len)
{
	return r->memfd < 0 || !len || (addr | len) % GVM_PAGE_BYTES ||
	       addr + len < len;
}

int gvm_shared_map(struct gvm_shared *r, void *addr, uint64_t len, int prot,
		   uint64_t offset, void **ret_addr)
{
	struct gvm_shared_command c = {
		.op = GVM_SHARED_VIEW_ADD,
		.page0 = offset >> GVM_PAGE_SHIFT,
	};
	long at;
	int err;

	if (is_bad(r, (u64)(uintptr_t)addr, len) || offset % GVM_PAGE_BYTES ||
	    offset > r->bytes || len > r->bytes - offset)
		return -EINVAL;
	at = gvm_sys(SYS_mmap, addr, len, PROT_NONE, MAP_SHARED |
		     (addr ? MAP_FIXED : 0), r->memfd, offset);
	if (at < 0 && at > -4096)
		return (int)at;
	c.start = (u64)at;
	c.end = c.start + len;
	err = gvm_shared_command_run(r, &c);
	/* Only now that it is watched may anybody look at it. */
	if (!err)
		err = (int)gvm_sys(SYS_mprotect, at, len, prot);
	if (err) {
		gvm_sys(SYS_munmap, at, len);
		return err;
	}
	*ret_addr = (void *)at;
	return 0;
}

int gvm_shared_forget(struct gvm_shared *r, void *addr, uint64_t len)
{
	struct gvm_shared_command c = {
		.op = GVM_SHARED_VIEW_CUT,
		.start = (u64)(uintptr_t)addr,
		.end = (u64)(uintptr_t)addr + len,
	};

	if (is_bad(r, c.start, len))
		return -EINVAL;
	return gvm_shared_command_run(r, &c);
}

int gvm_shared_stats(const struct gvm_shared *r,
		     struct gvm_shared_stats *ret_stats)
{
	memcpy(ret_stats, r->stats, sizeof(*ret_stats));
	return 0;
}
