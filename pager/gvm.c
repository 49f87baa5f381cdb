// SPDX-License-Identifier: GPL-2.0-or-later
/* The public face of the pager: register, discard, hold, and the other calls. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>

#include "engine.h"
#include "monitor.h"
#include "sys.h"

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
	if (local_bytes < GVM_LOCAL_MIN)
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
