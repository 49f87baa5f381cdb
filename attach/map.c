// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mmap() and munmap(): which memory is worth paging, and its whole life.
 *
 * Attached is private anonymous memory, readable and writable, of at least
 * the minimum size; and QEMU's memfd backends (shared.c).  Left alone: code,
 * stacks, huge pages, files, and small mappings, of which a program has
 * thousands and which together weigh little.
 *
 * Memory reserved without access and opened piece by piece (QEMU, language
 * run-times) is remembered and attached when it is opened.
 */
#include <errno.h>
#include <sys/mman.h>

#include "attach.h"
#include "sys.h"

#define ACCESS		(PROT_READ | PROT_WRITE | PROT_EXEC)
#define READ_WRITE	(PROT_READ | PROT_WRITE)
#define NEVER		(MAP_STACK | MAP_GROWSDOWN | MAP_HUGETLB)
#define START_BYTES	(16ull << 20)

enum kind {
	KIND_OTHER,
	KIND_RESERVE,
	KIND_PRIVATE,
	KIND_SHARED,
};

bool gvm_attach_drop(u64 start, u64 end)
{
	struct gvm_span *span;
	bool attached = false;

	span = gvm_spans_first(start, end);
	for (; span; span = gvm_spans_next(span, end)) {
		attached |= gvm_span_attached(span);
		if (span->what == GVM_SPAN_REGION)
			gvm_attach_region_forget(span->file,
				span->start > start ? span->start : start,
				span->end < end ? span->end : end);
	}
	if (attached)
		gvm_unregister(gvm_attach.gvm, (void *)start, end - start);
	gvm_spans_cut(start, end);
	return attached;
}

static long hand_over(u64 start, u64 end, const struct gvm_backing *backing)
{
	char text[24];
	int err;

	err = gvm_register(gvm_attach.gvm, (void *)start, end - start,
			   backing);
	if (err == -ENOMEM)
		return err;
	if (err)
		gvm_attach_stop("the memory of ", gvm_attach.name,
				" cannot be paged: ",
				gvm_attach_errno_text(text, err),
				"; `giantvm doctor` checks this machine", NULL);
	if (!gvm_attach.filtered &&
	    gvm_needs_hold(gvm_attach.gvm, (void *)start, end - start))
		gvm_attach_guard();
	return 0;
}

/*
 * An allocator maps megabytes in every sh and ls; they should not talk to
 * servers for that.  As long as all of it is little, or fits the limit, it
 * may as well stay here: the engine takes populated memory, too.
 */
static bool enough(void)
{
	u64 most = START_BYTES;
	u64 sum = 0;
	struct gvm_span *span = gvm_spans_first(0, ~(u64)0);

	if (gvm_attach.config.servers && gvm_attach.config.local_bytes < most)
		most = gvm_attach.config.local_bytes;
	for (; span; span = gvm_spans_next(span, ~(u64)0))
		if (span->what == GVM_SPAN_PENDING)
			sum += span->end - span->start;
	return sum > most;
}

long gvm_attach_pending(bool at_once)
{
	struct gvm_span *span;
	u64 at = 0;
	long err = 0;

	/* A vforked child must not start what would be its parent's. */
	if (gvm_attach.gvm || !(at_once || enough()) ||
	    gvm_sys(SYS_getpid) != gvm_attach.pid)
		return 0;
	gvm_attach_start();
	while (!err && (span = gvm_spans_first(at, ~(u64)0))) {
		at = span->end;
		if (span->what != GVM_SPAN_PENDING)
			continue;
		/* From now on this is ours to do (fork.c). */
		if (span->wipe)
			gvm_sys(SYS_madvise, span->start, at - span->start,
				MADV_KEEPONFORK);
		err = hand_over(span->start, at, NULL);
		if (!err)
			span->what = GVM_SPAN_PRIVATE;
		if (!err && span->no_fork)
			gvm_advise(gvm_attach.gvm, (void *)span->start,
				   at - span->start, MADV_DONTFORK);
	}
	if (err)
		gvm_attach_stop("no memory to page ", gvm_attach.name,
				"; raise vm.max_map_count", NULL);
	return 0;
}

long gvm_attach_adopt(u64 start, u64 end, int prot,
		      const struct gvm_backing *backing, u16 file)
{
	struct gvm_span span = {
		.start = start,
		.end = end,
		.offset = backing ? backing->offset : 0,
		.file = file,
		.what = backing ? GVM_SPAN_SHARED : GVM_SPAN_PRIVATE,
		.prot = (u8)prot,
	};
	long err;

	if (backing)
		gvm_attach_pending(true);
	if (backing && !gvm_attach.gvm)
		return -ENOMEM;
	if (!gvm_attach.gvm) {
		span.what = GVM_SPAN_PENDING;
		gvm_spans_add(&span);
		gvm_attach_foresee();
		return gvm_attach_pending(false);
	}
	err = hand_over(start, end, backing);
	if (!err)
		gvm_spans_add(&span);
	return err;
}

/* Is the small range next to attached memory, inside one reservation? */
static bool grows_a_heap(u64 start, u64 end)
{
	struct gvm_span *span = gvm_spans_first(start, end);

	if (!span || span->what != GVM_SPAN_RESERVED || span->start > start ||
	    span->end < end)
		return false;
	if (span->start == start && start) {
		span = gvm_spans_first(start - 1, start);
		if (span && gvm_span_taken(span))
			return true;
	}
	span = gvm_spans_first(end, end + 1);
	return span && gvm_span_taken(span);
}

static enum kind judge(u64 size, int prot, int flags)
{
	bool private = (flags & MAP_TYPE) == MAP_PRIVATE;

	if (flags & NEVER || gvm_attach.regions_only)
		return KIND_OTHER;
	if (flags & MAP_ANONYMOUS) {
		if (!private || (prot & PROT_EXEC))
			return KIND_OTHER;
		if ((prot & ACCESS) == PROT_NONE)
			return KIND_RESERVE;
		return (prot & ACCESS) == READ_WRITE ? KIND_PRIVATE :
		       KIND_OTHER;
	}
	if (size < gvm_attach.min_map || (prot & ACCESS) != READ_WRITE)
		return KIND_OTHER;
	return KIND_SHARED;	/* if it is a file that we take */
}

struct request {
	u64	addr;
	u64	len;		/* as the program gave it */
	u64	size;		/* whole pages */
	u64	off;
	int	prot;
	int	flags;
	int	fd;
	int	file;
	bool	fixed;
};

static long map_now(const struct request *r)
{
	return gvm_sys(SYS_mmap, r->addr, r->len, r->prot, r->flags, r->fd,
		       r->off);
}

static bool failed(long ret)
{
	return ret < 0 && ret > -4096;
}

/* The new mapping is there; make it what it is to be. */
static long settle(const struct request *r, enum kind kind, long at)
{
	struct gvm_backing backing = {
		.fd = r->fd,
		.shared = 1,
		.offset = r->off,
	};
	struct gvm_span span = {
		.start = (u64)at,
		.end = (u64)at + r->size,
		.what = GVM_SPAN_RESERVED,
		.prot = (u8)(r->prot & ACCESS),
	};
	long err;

	if (kind == KIND_RESERVE) {
		gvm_spans_add(&span);
		return at;
	}
	err = gvm_attach_adopt(span.start, span.end, r->prot & ACCESS,
			       kind == KIND_SHARED ? &backing : NULL,
			       (u16)r->file);
	if (!err)
		return at;
	gvm_sys(SYS_munmap, at, r->size);
	return err;
}

/* Called with the lock held. */
static long map_locked(struct request *r, enum kind kind)
{
	bool lost = false;
	char text[24];
	long at;

	if (gvm_attach.off)
		return map_now(r);
	if (!gvm_spans_room())
		return -ENOMEM;
	if (kind == KIND_PRIVATE && r->size < gvm_attach.min_map &&
	    !grows_a_heap(r->addr, r->addr + r->size))
		kind = KIND_OTHER;
	/*
	 * The memory may be larger than this machine, so it must not be
	 * counted against its commit limit; and to fill it now, or to lock
	 * it, would bring all of it here.
	 */
	if (kind == KIND_PRIVATE || kind == KIND_RESERVE)
		r->flags |= MAP_NORESERVE;
	if (kind == KIND_PRIVATE || kind == KIND_SHARED)
		r->flags &= ~(MAP_POPULATE | MAP_LOCKED);
	if (r->fixed)
		lost = gvm_attach_drop(r->addr, r->addr + r->size);
	at = map_now(r);
	if (failed(at)) {
		if (lost)
			gvm_attach_stop("mmap over paged memory of ",
					gvm_attach.name, " failed: ",
					gvm_attach_errno_text(text, at),
					"; raise vm.max_map_count", NULL);
		return at;
	}
	return kind == KIND_OTHER ? at : settle(r, kind, at);
}

/*
 * A private mapping of an empty memfd of QEMU (share=off) is anonymous memory
 * that takes a detour; without it, pages can be moved out, not only copied.
 */
static enum kind judge_file(struct request *r)
{
	bool known = false;
	bool shared = (r->flags & MAP_TYPE) != MAP_PRIVATE;

	r->file = gvm_attach_file(r->fd, shared, &known);
	if (known)
		gvm_attach_refuse_entrance(r->fd, "mapped a second time");
	if (r->file < 0)
		return KIND_OTHER;
	if (shared)
		return KIND_SHARED;
	r->flags |= MAP_ANONYMOUS;
	r->fd = -1;
	r->off = 0;
	return KIND_PRIVATE;
}

static bool file_may_matter(const struct request *r, enum kind kind)
{
	if (r->flags & MAP_ANONYMOUS)
		return false;
	return kind == KIND_SHARED || gvm_attach_has_files();
}

/* A file that stands for a shared region is mapped. */
static long map_region(struct request *r, int index)
{
	u64 mask;
	long ret;

	if ((r->flags & MAP_TYPE) == MAP_PRIVATE ||
	    !gvm_page_aligned(r->off))
		return -EINVAL;
	gvm_attach_lock(&mask);
	if (!gvm_spans_room()) {
		ret = -ENOMEM;
	} else {
		if (r->fixed)
			gvm_attach_drop(r->addr, r->addr + r->size);
		ret = gvm_attach_region_map(index, r->fixed ? r->addr : 0,
					    r->size, r->prot & ACCESS, r->off);
	}
	gvm_attach_unlock(mask);
	return ret;
}

long gvm_attach_mmap(u64 addr, u64 len, int prot, int flags, int fd, u64 off)
{
	struct request r = {
		.addr = addr,
		.len = len,
		.size = gvm_page_up(len),
		.off = off,
		.prot = prot,
		.flags = flags,
		.fd = fd,
		.fixed = (flags & MAP_FIXED) != 0,
	};
	enum kind kind = judge(r.size, prot, flags);
	bool near;
	u64 mask;
	long ret;

	if (len == 0 || r.size < len || addr + r.size < addr ||
	    (r.fixed && !gvm_page_aligned(addr)))
		return map_now(&r);
	if (gvm_attach.off)
		return map_now(&r);
	gvm_attach_ready();
	if (gvm_attach_has_regions() && !(flags & MAP_ANONYMOUS)) {
		int index = gvm_attach_region_of(fd);

		if (index >= 0)
			return map_region(&r, index);
	}
	near = r.fixed && gvm_spans_near(addr, addr + r.size);
	/* Small pieces count where they replace parts of what we know. */
	if (r.size < gvm_attach.min_map && !near)
		kind = KIND_OTHER;
	if (kind == KIND_OTHER && !near && !file_may_matter(&r, kind))
		return map_now(&r);

	gvm_attach_lock(&mask);
	if (file_may_matter(&r, kind)) {
		enum kind found = judge_file(&r);

		kind = kind == KIND_SHARED ? found : KIND_OTHER;
	}
	ret = map_locked(&r, kind);
	gvm_attach_unlock(mask);
	return ret;
}

long gvm_attach_munmap(u64 addr, u64 len)
{
	u64 end = addr + gvm_page_up(len);
	char text[24];
	bool lost;
	u64 mask;
	long ret;

	if (len == 0 || end <= addr || !gvm_page_aligned(addr) ||
	    !gvm_spans_near(addr, end))
		return gvm_sys(SYS_munmap, addr, len);
	gvm_attach_lock(&mask);
	if (!gvm_spans_room()) {
		gvm_attach_unlock(mask);
		return -ENOMEM;
	}
	lost = gvm_attach_drop(addr, end);
	ret = gvm_sys(SYS_munmap, addr, len);
	if (ret < 0 && lost)
		gvm_attach_stop("munmap of paged memory of ", gvm_attach.name,
				" failed: ", gvm_attach_errno_text(text, ret),
				"; raise vm.max_map_count", NULL);
	gvm_attach_unlock(mask);
	return ret;
}
