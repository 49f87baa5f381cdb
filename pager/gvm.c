// SPDX-License-Identifier: GPL-2.0-or-later
/* The public face of the pager: open, register, and the other calls. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "engine.h"
#include "mem.h"
#include "monitor.h"
#include "sys.h"

#define LOCAL_MIN	(1ull << 20)
#define WAIT_DEFAULT_MS	30000u

static char last_why[256];	/* of an init that failed before there was a gvm */

static int open_device(void)
{
	long fd = gvm_sys(SYS_openat, AT_FDCWD, "/dev/userfaultfd",
			  O_RDWR | O_CLOEXEC, 0);

	return fd < 0 ? -1 : gvm_fd_high((int)fd);
}

static int choose_engine(struct gvm *g, const struct gvm_config *c)
{
	int err;

	if (c->engine == GVM_ENGINE_KERNEL) {
		gvm_format(g->why, sizeof(g->why),
			   "the kernel engine needs the module giantvm-kvm, which is not loaded; use the uffd engine (--mode uffd)");
		return -ENODEV;
	}
	g->dev_fd = open_device();
	err = gvm_uffd_probe(g->dev_fd, &g->caps);
	if (err && g->dev_fd >= 0) {
		gvm_fd_mine(g->dev_fd, false);
		gvm_sys(SYS_close, g->dev_fd);
		g->dev_fd = -1;
		err = gvm_uffd_probe(-1, &g->caps);
	}
	if (err) {
		gvm_format(g->why, sizeof(g->why), err == -EPERM ?
			   "no permission for userfaultfd; run `giantvm doctor` for the command that mends it" :
			   "this kernel has no userfaultfd (CONFIG_USERFAULTFD)");
		return err;
	}
	if (!g->caps.protect) {
		gvm_format(g->why, sizeof(g->why),
			   "this kernel cannot write-protect with userfaultfd; Linux 5.10 or later is needed");
		return -ENOSYS;
	}
	if (c->evict == GVM_EVICT_MOVE && !g->caps.move) {
		gvm_format(g->why, sizeof(g->why),
			   "eviction by move needs UFFDIO_MOVE, Linux 6.8 or later; use copy");
		return -ENOSYS;
	}
	g->move = c->evict == GVM_EVICT_COPY ? 0 : g->caps.move;
	g->huge = gvm_huge_host();
	gvm_format(g->engine_line, sizeof(g->engine_line),
		   "engine uffd (no kernel module is loaded), eviction by %s (%s), %u fault thread(s)",
		   g->move ? "move" : "copy",
		   c->evict != GVM_EVICT_AUTO ? "as asked" :
		   g->move ? "the kernel has UFFDIO_MOVE" :
		   "the kernel has no UFFDIO_MOVE", g->shards_nr);
	return 0;
}

/* "1.2.3.4:99", "[::1]:99" or "name:99"; the port may be left out. */
static int parse_server(struct gvm_server_addr *a, const char *text, size_t len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&a->addr;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a->addr;
	char host[256], *port = NULL, *end = host;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	unsigned int number = GVM_PORT_DEFAULT;

	if (!len || len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	gvm_format(a->text, sizeof(a->text), "%s", host);
	if (*host == '[') {
		end = host + 1;
		while (*end && *end != ']')
			end++;
		if (!*end)
			return -EINVAL;
		*end++ = '\0';
	}
	while (*end && *end != ':')
		end++;
	if (*end) {
		*end = '\0';
		port = end + 1;
		number = 0;
		for (const char *p = port; *p; p++) {
			if (*p < '0' || *p > '9' || number > 65535)
				return -EINVAL;
			number = number * 10 + (unsigned int)(*p - '0');
		}
		if (!number || number > 65535)
			return -EINVAL;
	}
	if (*host == '[') {
		a->len = sizeof(*v6);
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)number);
		return inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1 ?
		       0 : -EINVAL;
	}
	v4->sin_family = AF_INET;
	a->len = sizeof(*v4);
	if (inet_pton(AF_INET, host, &v4->sin_addr) != 1) {
		/* A name: the one place that enters libc's resolver. */
		hints.ai_family = AF_INET;
		if (getaddrinfo(host, NULL, &hints, &found))
			return -EINVAL;
		memcpy(v4, found->ai_addr, sizeof(*v4));
		freeaddrinfo(found);
	}
	v4->sin_port = htons((uint16_t)number);
	return 0;
}

static int parse_servers(struct gvm *g, const char *list)
{
	u32 nr = 1;

	if (!list || !*list) {
		gvm_format(g->why, sizeof(g->why), "no memory server was given");
		return -EINVAL;
	}
	for (const char *p = list; *p; p++)
		nr += *p == ',';
	if (nr > GVM_NODES_MAX) {
		gvm_format(g->why, sizeof(g->why),
			   "%u servers are more than the limit of %u", nr,
			   GVM_NODES_MAX);
		return -EINVAL;
	}
	g->servers = gvm_mem_map(nr * sizeof(*g->servers));
	if (!g->servers)
		return -ENOMEM;
	while (true) {
		size_t len = 0;

		while (list[len] && list[len] != ',')
			len++;
		if (parse_server(&g->servers[g->servers_nr], list, len)) {
			gvm_format(g->why, sizeof(g->why),
				   "`%s` is not an address of the form HOST:PORT",
				   g->servers[g->servers_nr].text);
			return -EINVAL;
		}
		g->servers_nr++;
		if (!list[len])
			return 0;
		list += len + 1;
	}
}

static u32 choose_shards(u32 asked)
{
	u64 mask[16] = { 0 };	/* 1,024 CPUs are enough to say `many' */
	long bytes = gvm_sys(SYS_sched_getaffinity, 0, sizeof(mask), mask);
	u32 cpus = 0;

	if (bytes < 0)
		bytes = sizeof(mask);
	if (asked)
		return asked < GVM_SHARDS_MAX ? asked : GVM_SHARDS_MAX;
	for (long i = 0; i < bytes / 8; i++)
		cpus += (u32)__builtin_popcountll(mask[i]);
	/* A second thread pays when it has a CPU that nobody else needs. */
	return cpus < 8 ? 1 : cpus / 4 < 8 ? cpus / 4 : 8;
}

static void take_name(struct gvm *g, const char *name)
{
	long fd, n;

	if (name) {
		gvm_format(g->name, sizeof(g->name), "%s", name);
		return;
	}
	fd = gvm_sys(SYS_openat, AT_FDCWD, "/proc/self/comm",
		     O_RDONLY | O_CLOEXEC, 0);
	n = fd < 0 ? 0 : gvm_sys(SYS_read, fd, g->name, sizeof(g->name) - 1);
	if (fd >= 0)
		gvm_sys(SYS_close, fd);
	g->name[n > 0 ? n - 1 : 0] = '\0';
}

static int open_shards(struct gvm *g)
{
	int err;

	for (u32 i = 0; i < g->shards_nr; i++) {
		g->shards[i] = gvm_mem_map(sizeof(*g->shards[i]));
		if (!g->shards[i])
			return -ENOMEM;
		err = gvm_shard_init(g->shards[i], g, i,
				     gvm_monitor_stats(g, i));
		if (err) {
			gvm_format(g->why, sizeof(g->why),
				   "cannot set up a fault thread (error %u); `giantvm doctor` may know why",
				   (unsigned int)-err);
			return err;
		}
	}
	for (u32 i = 0; i < g->shards_nr; i++) {
		g->shards[i]->starting = 1;
		err = gvm_shard_start(g->shards[i]);
		if (err)
			return err;
	}
	for (u32 i = 0; i < g->shards_nr; i++) {
		int *word = &g->shards[i]->started;
		int started;

		while (!(started = __atomic_load_n(word, __ATOMIC_ACQUIRE)))
			gvm_futex_wait((u32 *)word, 0);
		if (started < 0)
			return started;
	}
	return 0;
}

static void close_all(struct gvm *g)
{
	struct gvm_command stop = { .op = GVM_OP_STOP };

	for (u32 i = 0; i < g->shards_nr; i++) {
		struct gvm_shard *s = g->shards[i];

		if (!s)
			continue;
		if (s->thread.run) {
			gvm_command_post(s, &stop);
			gvm_thread_join(&s->thread);
		}
		gvm_shard_fini(s);
		gvm_mem_unmap(s, sizeof(*s));
	}
	if (g->monitor)
		gvm_monitor_close(g);
	if (g->dev_fd >= 0) {
		gvm_fd_mine(g->dev_fd, false);
		gvm_sys(SYS_close, g->dev_fd);
	}
	gvm_mem_unmap(g->servers, g->servers_nr * sizeof(*g->servers));
	gvm_mem_unmap(g->fork_commands, GVM_SHARDS_MAX *
		      sizeof(*g->fork_commands));
	gvm_mem_unmap(g->ranges.list, g->ranges.cap * sizeof(*g->ranges.list));
	gvm_mem_unmap(g, sizeof(*g));
}

static int open_all(struct gvm *g, const struct gvm_config *c)
{
	int err;

	g->dev_fd = -1;
	g->start_ns = gvm_now_ns();
	g->local_bytes = c->local_bytes;
	g->prefetch_pages = c->prefetch_pages < GVM_PREFETCH_PAGES_MAX ?
			    c->prefetch_pages : GVM_PREFETCH_PAGES_MAX;
	g->wait_ms = c->wait_ms ? c->wait_ms : WAIT_DEFAULT_MS;
	g->fatal = c->fatal;
	g->fatal_arg = c->fatal_arg;
	g->shards_nr = choose_shards(c->shards);
	/* Each thread needs room to work in. */
	while (g->shards_nr > 1 && c->local_bytes / g->shards_nr < 8 * LOCAL_MIN)
		g->shards_nr--;
	take_name(g, c->name);
	if (c->local_bytes < LOCAL_MIN) {
		gvm_format(g->why, sizeof(g->why),
			   "a local limit of %llu bytes is too small; 1 MiB is the least",
			   (unsigned long long)c->local_bytes);
		return -EINVAL;
	}
	err = parse_servers(g, c->servers);
	if (!err)
		err = choose_engine(g, c);
	if (!err)
		err = gvm_ranges_init(&g->ranges);
	if (!err)
		err = gvm_monitor_open(g);
	if (err)
		return err;
	g->fork_commands = gvm_mem_map(GVM_SHARDS_MAX *
				       sizeof(*g->fork_commands));
	return g->fork_commands ? open_shards(g) : -ENOMEM;
}

int gvm_init(const struct gvm_config *config, struct gvm **ret_gvm,
	     const char **ret_why)
{
	struct gvm *g;
	int err;

	if (ret_why)
		*ret_why = last_why;
	if (config->size != sizeof(*config)) {
		gvm_format(last_why, sizeof(last_why),
			   "the program was built for another version of libgiantvm");
		return -EINVAL;
	}
	g = gvm_mem_map(sizeof(*g));
	if (!g)
		return -ENOMEM;
	err = open_all(g, config);
	if (err) {
		gvm_format(last_why, sizeof(last_why), "%s",
			   *g->why ? g->why : "out of memory");
		close_all(g);
		return err;
	}
	*ret_gvm = g;
	return 0;
}

void gvm_fini(struct gvm *g)
{
	/*
	 * Without its userfaultfd a missing page would read as zero.  Whoever
	 * still touches registered memory gets a signal instead.
	 */
	for (u64 i = 0; i < g->ranges.nr; i++)
		gvm_sys(SYS_mprotect, g->ranges.list[i].start,
			g->ranges.list[i].end - g->ranges.list[i].start,
			PROT_NONE);
	close_all(g);
}

const char *gvm_engine_line(const struct gvm *g)
{
	return g->engine_line;
}

/* Shards share the limit by how much memory they look after. */
void gvm_share_limit(struct gvm *g)
{
	u64 frames = g->local_bytes >> GVM_PAGE_SHIFT;
	u64 pages[GVM_SHARDS_MAX] = { 0 }, sum = 0, least;

	gvm_lock(&g->limit_lock);
	least = frames / g->shards_nr / 8;
	gvm_lock(&g->ranges.lock);
	for (u64 i = 0; i < g->ranges.nr; i++) {
		const struct gvm_range *r = &g->ranges.list[i];
		u64 n = (r->end - r->start) >> GVM_PAGE_SHIFT;

		pages[(r->start >> GVM_SLICE_SHIFT) % g->shards_nr] += n;
		sum += n;
	}
	gvm_unlock(&g->ranges.lock);
	for (u32 i = 0; i < g->shards_nr; i++) {
		u64 share = frames / g->shards_nr;

		if (sum)
			share = least + (u64)((double)(frames - least *
				g->shards_nr) * (double)pages[i] / (double)sum);
		__atomic_store_n(&g->shards[i]->frames_wanted, share,
				 __ATOMIC_RELEASE);
	}
	gvm_unlock(&g->limit_lock);
}

int gvm_set_local(struct gvm *g, uint64_t local_bytes)
{
	if (local_bytes < LOCAL_MIN)
		return -EINVAL;
	g->local_bytes = local_bytes;
	gvm_share_limit(g);
	return 0;
}

/* The end of the slice that addr lies in, or end if that comes first. */
static u64 slice_end(const struct gvm *g, u64 addr, u64 end)
{
	u64 next = (addr | ((1ull << GVM_SLICE_SHIFT) - 1)) + 1;

	return g->shards_nr > 1 && next < end ? next : end;
}

static bool is_bad(const void *addr, uint64_t len)
{
	return !len || ((u64)(uintptr_t)addr | len) % GVM_PAGE_BYTES ||
	       (u64)(uintptr_t)addr + len < len;
}

/* The same command for every slice of a range. */
static int run_sliced(struct gvm *g, struct gvm_command *c, u64 start, u64 end)
{
	int err, first = 0;

	while (start < end) {
		c->start = start;
		c->end = slice_end(g, start, end);
		if (c->op == GVM_OP_REGISTER) {
			c->range.offset += start - c->range.start;
			c->range.start = start;
			c->range.end = c->end;
		}
		err = gvm_command_run(gvm_shard_of(g, start), c);
		if (err && !first)
			first = err;
		if (err && c->op == GVM_OP_REGISTER)
			break;
		start = c->end;
	}
	return first;
}

int gvm_register(struct gvm *g, void *addr, uint64_t len,
		 const struct gvm_backing *backing)
{
	const u64 start = (u64)(uintptr_t)addr;
	struct gvm_command c = {
		.op = GVM_OP_REGISTER,
		.range = { .start = start, .fd = -1 },
		.populate = true,
	};
	int err;

	if (is_bad(addr, len))
		return -EINVAL;
	if (backing) {
		if (backing->shared && !g->caps.protect_shmem)
			return -EOPNOTSUPP;
		c.range.fd = gvm_fd_high((int)gvm_sys(SYS_fcntl, backing->fd,
						      F_DUPFD_CLOEXEC, 3));
		if (c.range.fd < 0)
			return c.range.fd;
		c.range.offset = backing->offset;
		c.range.shared = backing->shared != 0;
		/* Two pagers cannot serve one memory. */
		c.range.no_fork = c.range.shared;
	}
	/* Children of a fork that we do not see must not see zeros. */
	gvm_sys(SYS_madvise, start, len, MADV_DONTFORK);
	gvm_sys(SYS_madvise, start, len, MADV_UNMERGEABLE);
	err = run_sliced(g, &c, start, start + len);
	if (err) {
		if (err != -EEXIST)
			gvm_unregister(g, addr, len);
		return err;
	}
	if (g->shards_nr > 1)
		gvm_share_limit(g);
	return 0;
}

int gvm_unregister(struct gvm *g, void *addr, uint64_t len)
{
	struct gvm_command c = { .op = GVM_OP_UNREGISTER };
	const u64 start = (u64)(uintptr_t)addr;

	if (is_bad(addr, len))
		return -EINVAL;
	return run_sliced(g, &c, start, start + len);
}

int gvm_discard(struct gvm *g, void *addr, uint64_t len)
{
	struct gvm_command c = { .op = GVM_OP_DISCARD };
	const u64 start = (u64)(uintptr_t)addr;

	if (is_bad(addr, len))
		return -EINVAL;
	return run_sliced(g, &c, start, start + len);
}

int gvm_advise(struct gvm *g, const void *addr, uint64_t len, int advice)
{
	const u64 start = (u64)(uintptr_t)addr;

	switch (advice) {
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
		return gvm_ranges_set(&g->ranges, start, start + len,
				      advice == MADV_HUGEPAGE, -1);
	case MADV_DONTFORK:
	case MADV_DOFORK:
		return gvm_ranges_set(&g->ranges, start, start + len, -1,
				      advice == MADV_DONTFORK);
	}
	return -EINVAL;
}

static void whole_pages(const void *addr, uint64_t len, u64 *start, u64 *end)
{
	*start = (u64)(uintptr_t)addr & ~(u64)(GVM_PAGE_BYTES - 1);
	*end = ((u64)(uintptr_t)addr + len + GVM_PAGE_BYTES - 1) &
	       ~(u64)(GVM_PAGE_BYTES - 1);
}

int gvm_hold(struct gvm *g, const void *addr, uint64_t len, int populate)
{
	struct gvm_command c = { .op = GVM_OP_HOLD, .populate = populate };
	u64 start, end, at;
	int err = 0;

	whole_pages(addr, len, &start, &end);
	for (at = start; !err && at < end; at = slice_end(g, at, end)) {
		c.start = at;
		c.end = slice_end(g, at, end);
		err = gvm_command_run(gvm_shard_of(g, at), &c);
		if (err)
			break;
	}
	if (err && at > start)
		gvm_release(g, (const void *)(uintptr_t)start, at - start);
	return err;
}

int gvm_release(struct gvm *g, const void *addr, uint64_t len)
{
	struct gvm_command c = { .op = GVM_OP_RELEASE };
	u64 start, end;

	whole_pages(addr, len, &start, &end);
	return run_sliced(g, &c, start, end);
}

int gvm_covers(const struct gvm *g, const void *addr, uint64_t len)
{
	u64 start = (u64)(uintptr_t)addr;

	return len && gvm_ranges_first(&g->ranges, start, start + len, NULL);
}

int gvm_needs_hold(const struct gvm *g, const void *addr, uint64_t len)
{
	u64 start = (u64)(uintptr_t)addr;
	struct gvm_range r;

	if (!len || !gvm_ranges_first(&g->ranges, start, start + len, &r))
		return 0;
	return !g->move || r.fd >= 0;
}

/*
 * Copy what is not known to be zero, chunk by chunk, and let go of the old
 * place behind it.  Both places are paged like any other memory meanwhile, so
 * the limit holds; a program that uses a range while it is being moved has no
 * right to any answer.
 */
static void move_content(struct gvm *g, u64 from, u64 to, u64 len)
{
	for (u64 at = from; at < from + len;) {
		struct gvm_command c = { .op = GVM_OP_QUERY, .start = at };
		u64 next = (at | (GVM_CHUNK_BYTES - 1)) + 1;
		u64 first = at;

		if (next > from + len)
			next = from + len;
		gvm_command_run(gvm_shard_of(g, at), &c);
		for (; at < next; at += GVM_PAGE_BYTES) {
			u32 idx = gvm_page_idx(at);

			if (c.bitmap[idx / 64] >> (idx % 64) & 1)
				memcpy((void *)(uintptr_t)(to + (at - from)),
				       (const void *)(uintptr_t)at,
				       GVM_PAGE_BYTES);
		}
		gvm_discard(g, (void *)(uintptr_t)first, next - first);
	}
}

int gvm_move(struct gvm *g, void *from, uint64_t from_len, void *to,
	     uint64_t to_len)
{
	struct gvm_range r;
	long at;
	int err;

	if (is_bad(from, from_len) || is_bad(to, to_len))
		return -EINVAL;
	if (!gvm_ranges_find(&g->ranges, (u64)(uintptr_t)from, &r) || r.fd >= 0)
		return -EINVAL;
	at = gvm_sys(SYS_mmap, to, to_len, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE,
		     -1, 0);
	if (at < 0)
		return (int)at;
	err = gvm_register(g, to, to_len, NULL);
	if (err)
		return err;
	move_content(g, (u64)(uintptr_t)from, (u64)(uintptr_t)to,
		     from_len < to_len ? from_len : to_len);
	gvm_unregister(g, from, from_len);
	gvm_sys(SYS_munmap, from, from_len);
	return 0;
}

int gvm_stats(struct gvm *g, struct gvm_stats *ret_stats)
{
	gvm_stats_sum(g->monitor, ret_stats);
	return 0;
}
