// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mremap(): attached memory shrinks, grows or moves, and keeps its content,
 * the pages on servers included.
 *
 * The kernel moves the pages that are here; the others are only names on the
 * servers, which gvm_move() changes.  Not supported are MREMAP_DONTUNMAP and
 * a second view of shared memory: they fail with EINVAL, as on old kernels,
 * and programs that use them know what to do then.
 */
#include <errno.h>
#include <sys/mman.h>

#include "attach.h"
#include "sys.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

#define READ_WRITE	(PROT_READ | PROT_WRITE)

struct remap {
	u64	from;
	u64	from_len;
	u64	to;
	u64	to_len;
	int	flags;
};

static bool failed(long ret)
{
	return ret < 0 && ret > -4096;
}

static bool is_attached(u64 start, u64 end)
{
	struct gvm_span *span = gvm_spans_first(start, end);

	for (; span; span = gvm_spans_next(span, end))
		if (gvm_span_attached(span))
			return true;
	return false;
}

/* A mapping of a shared region stays what it is. */
static bool has_region(u64 start, u64 end)
{
	struct gvm_span *span = gvm_spans_first(start, end);

	for (; span; span = gvm_spans_next(span, end))
		if (span->what == GVM_SPAN_REGION)
			return true;
	return false;
}

static long map_at(u64 addr, u64 len, int prot, int flags)
{
	return gvm_sys(SYS_mmap, addr, len, prot,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags,
		       -1, 0);
}

static void cut_tail(u64 start, u64 end)
{
	char text[24];
	long err;

	gvm_attach_drop(start, end);
	err = gvm_sys(SYS_munmap, start, end - start);
	if (err)
		gvm_attach_stop("mremap of paged memory of ", gvm_attach.name,
				" failed: ", gvm_attach_errno_text(text, err),
				"; raise vm.max_map_count", NULL);
}

/* The bytes after the old end, where nothing else is mapped. */
static long grow_in_place(const struct remap *m, int prot)
{
	u64 start = m->from + m->from_len;
	u64 more = m->to_len - m->from_len;
	long at;
	long err;

	at = map_at(start, more, READ_WRITE, MAP_FIXED_NOREPLACE);
	if (failed(at))
		return -ENOMEM;
	/* A kernel before 4.17 takes the address for a hint. */
	err = (u64)at == start ? 0 : -ENOMEM;
	if (!err)
		err = gvm_attach_adopt(start, start + more, prot, NULL, 0);
	if (err) {
		gvm_sys(SYS_munmap, at, more);
		return err;
	}
	if (prot != READ_WRITE)
		gvm_sys(SYS_mprotect, start, more, prot);
	return (long)m->from;
}

static long move(const struct remap *m, struct gvm_span span)
{
	bool fixed = (m->flags & MREMAP_FIXED) != 0;
	u64 len = m->from_len < m->to_len ? m->from_len : m->to_len;
	char text[24];
	long at;
	int err;

	if (m->to_len < m->from_len)
		cut_tail(m->from + m->to_len, m->from + m->from_len);
	if (fixed)
		gvm_attach_drop(m->to, m->to + m->to_len);
	at = map_at(m->to, m->to_len, PROT_NONE, fixed ? MAP_FIXED : 0);
	if (failed(at))
		return at;
	/* The engine reads the old place, and makes the new one writable. */
	if (span.prot != READ_WRITE)
		gvm_sys(SYS_mprotect, m->from, len, READ_WRITE);
	err = gvm_move(gvm_attach.gvm, (void *)m->from, len, (void *)at,
		       m->to_len);
	if (err == -ENOMEM) {
		gvm_sys(SYS_munmap, at, m->to_len);
		return err;
	}
	if (err)
		gvm_attach_stop("mremap of paged memory of ", gvm_attach.name,
				" failed: ", gvm_attach_errno_text(text, err),
				"; raise vm.max_map_count", NULL);
	gvm_spans_cut(m->from, m->from + len);
	span.start = (u64)at;
	span.end = (u64)at + m->to_len;
	if (span.prot != READ_WRITE)
		gvm_sys(SYS_mprotect, at, m->to_len, span.prot);
	if (span.no_fork)
		gvm_advise(gvm_attach.gvm, (void *)at, m->to_len,
			   MADV_DONTFORK);
	gvm_spans_add(&span);
	return at;
}

/* Called with the lock held; the old range is attached, at least in part. */
static long remap_attached(const struct remap *m)
{
	struct gvm_span *span = gvm_spans_first(m->from, m->from + 1);
	long ret;

	/* One mapping of the kernel is a condition of mremap, too. */
	if (!span || span->end < m->from + m->from_len)
		return -EFAULT;
	if (m->from_len == 0 || (m->flags & MREMAP_DONTUNMAP) ||
	    span->what != GVM_SPAN_PRIVATE)
		return -EINVAL;
	if ((m->flags & MREMAP_FIXED) &&
	    (!gvm_page_aligned(m->to) || !(m->flags & MREMAP_MAYMOVE) ||
	     (m->to < m->from + m->from_len && m->from < m->to + m->to_len)))
		return -EINVAL;
	if (m->flags & MREMAP_FIXED)
		return move(m, *span);
	if (m->to_len <= m->from_len) {
		if (m->to_len < m->from_len)
			cut_tail(m->from + m->to_len, m->from + m->from_len);
		return (long)m->from;
	}
	ret = -ENOMEM;
	/* Only the end of a mapping can grow where it is. */
	if (span->end == m->from + m->from_len)
		ret = grow_in_place(m, span->prot);
	if (!failed(ret) || !(m->flags & MREMAP_MAYMOVE))
		return ret;
	span = gvm_spans_first(m->from, m->from + 1);
	return move(m, *span);
}

/* What may be attached later keeps its meaning at its new place. */
static long remap_other(const struct remap *m)
{
	struct gvm_span *at = gvm_spans_first(m->from, m->from + 1);
	struct gvm_span span = { .start = 0 };
	bool fixed = (m->flags & MREMAP_FIXED) != 0;
	bool lost = false;
	char text[24];
	long ret;

	if (at && at->end >= m->from + m->from_len)
		span = *at;
	if (fixed && m->to_len)
		lost = gvm_attach_drop(m->to, m->to + m->to_len);
	ret = gvm_sys(SYS_mremap, m->from, m->from_len, m->to_len, m->flags,
		      m->to);
	if (failed(ret)) {
		if (lost)
			gvm_attach_stop("mremap over paged memory of ",
					gvm_attach.name, " failed: ",
					gvm_attach_errno_text(text, ret), NULL);
		return ret;
	}
	if (m->from_len && !(m->flags & MREMAP_DONTUNMAP))
		gvm_spans_cut(m->from, m->from + m->from_len);
	if (span.end) {
		span.start = (u64)ret;
		span.end = (u64)ret + m->to_len;
		gvm_spans_cut(span.start, span.end);
		gvm_spans_add(&span);
		gvm_attach_pending(false);
	}
	return ret;
}

long gvm_attach_mremap(u64 from, u64 from_len, u64 to_len, int flags, u64 to)
{
	struct remap m = {
		.from = from,
		.from_len = gvm_page_up(from_len),
		.to = to,
		.to_len = gvm_page_up(to_len),
		.flags = flags,
	};
	u64 end = from + (m.from_len ? m.from_len : 1);
	bool fixed = (flags & MREMAP_FIXED) != 0;
	u64 mask;
	long ret;

	if (!gvm_page_aligned(from) || m.to_len < to_len || to_len == 0 ||
	    (!gvm_spans_near(from, end) &&
	     !(fixed && gvm_spans_near(to, to + m.to_len))))
		return gvm_sys(SYS_mremap, from, from_len, to_len, flags, to);
	gvm_attach_lock(&mask);
	if (!gvm_spans_room())
		ret = -ENOMEM;
	else if (has_region(from, end))
		ret = -EINVAL;
	else if (is_attached(from, end))
		ret = remap_attached(&m);
	else
		ret = remap_other(&m);
	gvm_attach_unlock(mask);
	return ret;
}
