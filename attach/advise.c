// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mprotect(), madvise() and the mlock() family on attached memory.
 *
 * What gives pages up must reach the servers too, or old content would come
 * back.  What asks for pages to be here, or for other pages to hold the same
 * content, is advice that the pager knows better, and is answered with
 * success.  Protection is the kernel's affair: a page may be fetched and
 * evicted whatever its protection.
 */
#include <errno.h>
#include <sys/mman.h>

#include "attach.h"
#include "sys.h"

#define ACCESS		(PROT_READ | PROT_WRITE | PROT_EXEC)
#define READ_WRITE	(PROT_READ | PROT_WRITE)

/* Numbers that Debian 12's headers lack. */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif
#define ADVICE_GUARD_INSTALL	102
#define ADVICE_GUARD_REMOVE	103

/* Is this part of a reservation worth attaching, now that it is opened? */
static bool worth(u64 start, u64 end)
{
	struct gvm_span *next;

	if (end - start >= gvm_attach.min_map)
		return true;
	if (start) {
		next = gvm_spans_first(start - 1, start);
		if (next && gvm_span_taken(next))
			return true;
	}
	next = gvm_spans_first(end, end + 1);
	return next && gvm_span_taken(next);
}

/* A piece of a reservation is open: from now on it is memory. */
static long open_reserved(u64 start, u64 end, int prot)
{
	struct gvm_span old = *gvm_spans_first(start, end);
	long err;

	gvm_spans_cut(start, end);
	err = gvm_attach_adopt(start, end, prot, NULL, 0);
	if (!err) {
		struct gvm_span *span;

		gvm_spans_split(start, end);
		span = gvm_spans_first(start, end);
		span->no_fork = old.no_fork;
		span->wipe = old.wipe;
		if (old.no_fork && gvm_span_attached(span))
			gvm_advise(gvm_attach.gvm, (void *)start, end - start,
				   MADV_DONTFORK);
		return 0;
	}
	old.start = start;
	old.end = end;
	gvm_spans_add(&old);
	return err;
}

/* Called with the lock held, after the kernel agreed. */
static long protected_now(u64 start, u64 end, int prot)
{
	struct gvm_span *span;
	u64 at = start;
	long err = 0;

	gvm_spans_split(start, end);
	while (!err && (span = gvm_spans_first(at, end))) {
		u64 from = span->start;

		at = span->end;
		span->prot = (u8)(prot & ACCESS);
		if (span->what == GVM_SPAN_RESERVED &&
		    (prot & ACCESS) == READ_WRITE && worth(from, at))
			err = open_reserved(from, at, prot & ACCESS);
	}
	gvm_spans_join(start, end);
	return err;
}

long gvm_attach_mprotect(u64 addr, u64 len, int prot)
{
	u64 end = addr + gvm_page_up(len);
	u64 mask;
	long ret;

	if (end <= addr || !gvm_page_aligned(addr) ||
	    !gvm_spans_near(addr, end))
		return gvm_sys(SYS_mprotect, addr, len, prot);
	gvm_attach_lock(&mask);
	ret = gvm_spans_room() ? gvm_sys(SYS_mprotect, addr, len, prot) :
	      -ENOMEM;
	if (!ret)
		ret = protected_now(addr, end, prot);
	gvm_attach_unlock(mask);
	return ret;
}

enum advice {
	ADVICE_PASS,		/* the kernel's own business */
	ADVICE_IGNORE,		/* the pager knows better */
	ADVICE_DISCARD,
	ADVICE_NO_FORK,
	ADVICE_FORK,
	ADVICE_WIPE,
	ADVICE_KEEP,
	ADVICE_REFUSE,
};

static enum advice judge(int advice)
{
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
		return ADVICE_DISCARD;
	case MADV_FREE:
		/*
		 * The kernel would free the page whenever it likes, unseen by
		 * us.  Freeing at once is allowed, and is the one moment we
		 * know of.
		 */
		return ADVICE_DISCARD;
	case MADV_REMOVE:
		return ADVICE_DISCARD;
	case MADV_MERGEABLE:		/* a merged page cannot be moved */
	case MADV_UNMERGEABLE:
	case MADV_WILLNEED:
	case MADV_COLD:
	case MADV_PAGEOUT:
		return ADVICE_IGNORE;
	case MADV_DONTFORK:
		return ADVICE_NO_FORK;
	case MADV_DOFORK:
		return ADVICE_FORK;
	case MADV_WIPEONFORK:
		return ADVICE_WIPE;
	case MADV_KEEPONFORK:
		return ADVICE_KEEP;
	case ADVICE_GUARD_INSTALL:	/* frees pages and traps access */
	case ADVICE_GUARD_REMOVE:
		return ADVICE_REFUSE;
	default:
		return ADVICE_PASS;
	}
}

/* What a fork is to do is remembered for reservations, too. */
static void remember(struct gvm_span *span, enum advice what)
{
	if (what == ADVICE_NO_FORK || what == ADVICE_FORK)
		span->no_fork = what == ADVICE_NO_FORK;
	if (what == ADVICE_WIPE || what == ADVICE_KEEP)
		span->wipe = what == ADVICE_WIPE;
}

static long advise_attached(struct gvm_span *span, u64 start, u64 end,
			    int advice)
{
	enum advice what = judge(advice);

	if (advice == MADV_REMOVE && span->what != GVM_SPAN_SHARED)
		return -EINVAL;
	if (span->what == GVM_SPAN_SHARED &&
	    (advice == MADV_DONTNEED || advice == MADV_DONTNEED_LOCKED))
		return 0;	/* the file keeps the content */
	switch (what) {
	case ADVICE_PASS:
		if (advice == MADV_HUGEPAGE || advice == MADV_NOHUGEPAGE)
			gvm_advise(gvm_attach.gvm, (void *)start, end - start,
				   advice);
		return gvm_sys(SYS_madvise, start, end - start, advice);
	case ADVICE_IGNORE:
		return 0;
	case ADVICE_DISCARD:
		if (advice == MADV_FREE && span->what == GVM_SPAN_SHARED)
			return -EINVAL;
		return gvm_discard(gvm_attach.gvm, (void *)start, end - start);
	case ADVICE_WIPE:
		if (span->what == GVM_SPAN_SHARED)
			return -EINVAL;
		/* fall through */
	case ADVICE_KEEP:
		remember(span, what);
		return 0;
	case ADVICE_NO_FORK:
	case ADVICE_FORK:
		remember(span, what);
		return gvm_advise(gvm_attach.gvm, (void *)start, end - start,
				  advice);
	case ADVICE_REFUSE:
		return -EINVAL;
	}
	return -EINVAL;
}

/* Not attached, but span (if any) may be, later. */
static long advise_other(struct gvm_span *span, u64 start, u64 end, int advice)
{
	long err;

	/* What its pages are is for the region's own thread to say. */
	if (span && span->what == GVM_SPAN_REGION)
		return advice == MADV_REMOVE || advice == MADV_FREE ||
		       judge(advice) == ADVICE_REFUSE ? -EINVAL : 0;
	if (span && span->what == GVM_SPAN_PENDING) {
		/* Pages that go, or merge, when nobody looks any more. */
		if (advice == MADV_FREE)
			advice = MADV_DONTNEED;
		if (advice == MADV_MERGEABLE)
			return 0;
	}
	err = gvm_sys(SYS_madvise, start, end - start, advice);
	if (!err && span)
		remember(span, judge(advice));
	return err;
}

/*
 * Each part of the range by its kind.  Like the kernel, go on after a hole
 * and report it at the end.
 */
static long advise_range(u64 start, u64 end, int advice)
{
	long ret = 0;
	u64 at = start;

	gvm_spans_split(start, end);
	while (at < end) {
		struct gvm_span *span = gvm_spans_first(at, end);
		u64 stop = span ? span->start : end;
		long err;

		if (span && gvm_span_attached(span) && stop == at) {
			stop = span->end;
			err = advise_attached(span, at, stop, advice);
		} else {
			if (stop == at)
				stop = span->end;
			else
				span = NULL;
			err = advise_other(span, at, stop, advice);
		}
		if (err && err != -ENOMEM) {
			ret = err;
			break;
		}
		ret = err ? err : ret;
		at = stop;
	}
	gvm_spans_join(start, end);
	return ret;
}

long gvm_attach_madvise(u64 addr, u64 len, int advice)
{
	u64 end = addr + gvm_page_up(len);
	u64 mask;
	long ret;

	if (end <= addr || !gvm_page_aligned(addr) ||
	    !gvm_spans_near(addr, end))
		return gvm_sys(SYS_madvise, addr, len, advice);
	gvm_attach_lock(&mask);
	ret = gvm_spans_room() ? advise_range(addr, end, advice) : -ENOMEM;
	gvm_attach_unlock(mask);
	return ret;
}

/*
 * Locked memory would all have to be here, which is what the limit is there
 * to prevent; and the kernel does not move pages between locked and other
 * memory.  Programs lock to be fast or to keep secrets off a swap device, and
 * most stop if it fails.  So it succeeds without effect; the manual says so.
 */
static long lock_around(u64 addr, u64 len, unsigned flags, bool on)
{
	u64 end = gvm_page_up(addr + len);
	u64 at = addr & ~(u64)(GVM_PAGE_BYTES - 1);
	long ret = 0;
	u64 mask;

	gvm_attach_lock(&mask);
	while (!ret && at < end) {
		struct gvm_span *span = gvm_spans_first(at, end);
		u64 stop = span ? span->start : end;

		if (span && stop <= at) {
			stop = span->end < end ? span->end : end;
			if (gvm_span_taken(span)) {
				at = stop;
				continue;
			}
		}
		if (!on)
			ret = gvm_sys(SYS_munlock, at, stop - at);
		else if (flags)
			ret = gvm_sys(SYS_mlock2, at, stop - at, flags);
		else
			ret = gvm_sys(SYS_mlock, at, stop - at);
		at = stop;
	}
	gvm_attach_unlock(mask);
	return ret;
}

long gvm_attach_mlock(u64 addr, u64 len, unsigned flags)
{
	if (addr + len < addr || !gvm_spans_near(addr, addr + len))
		return flags ? gvm_sys(SYS_mlock2, addr, len, flags) :
		       gvm_sys(SYS_mlock, addr, len);
	return lock_around(addr, len, flags, true);
}

long gvm_attach_munlock(u64 addr, u64 len)
{
	if (addr + len < addr || !gvm_spans_near(addr, addr + len))
		return gvm_sys(SYS_munlock, addr, len);
	return lock_around(addr, len, 0, false);
}

/* There is no way to lock all but some memory. */
long gvm_attach_mlockall(int flags)
{
	if (flags == 0 || (flags & ~7))
		return -EINVAL;
	return 0;
}
