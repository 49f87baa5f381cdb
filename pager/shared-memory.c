// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a page of a shared region is in this process: protect it, read it, take
 * it away, put it there.  Called in the order that core/node.c gave.
 *
 * Private anonymous memory has one view, and is the cheapest to drop.  A
 * memfd may have several views (mappings), which must agree.  What follows
 * from how the kernel treats them:
 *
 *  - A page of the file that a view has no entry for yet is mapped there
 *    without any event.  So a page is in the file only while this node holds
 *    it, and where it may only be read every view is protected *before* it
 *    comes: the kernel leaves a marker in an empty entry, which survives.
 *  - A view may keep such a marker when the page may be written by now.  The
 *    write is a fault then, and gvm_page_wake() takes the marker away.
 *  - Punching a hole takes the page out of all views at once.
 *
 * A thread that waits for a page sleeps in the view that it touched; COPY
 * wakes those of one view, and the others are woken by hand.
 */
#define _GNU_SOURCE
#include <linux/falloc.h>
#include <sys/mman.h>
#include <linux/memfd.h>

#include "engine.h"
#include "mem.h"
#include "shared.h"
#include "sys.h"

static u64 va_of(const struct gvm_shared_view *v, u64 page)
{
	return v->start + ((page - v->page0) << GVM_PAGE_SHIFT);
}

static bool shows(const struct gvm_shared_view *v, u64 page)
{
	return page >= v->page0 &&
	       page - v->page0 < (v->end - v->start) >> GVM_PAGE_SHIFT;
}

/* The first view from i on that shows the page; views_nr: none. */
static u32 next_view(const struct gvm_shared *r, u32 i, u64 page)
{
	while (i < r->views_nr && !shows(&r->views[i], page))
		i++;
	return i;
}

bool gvm_shared_view_page(const struct gvm_shared *r, u64 va, u64 *ret_page)
{
	for (u32 i = 0; i < r->views_nr; i++) {
		const struct gvm_shared_view *v = &r->views[i];

		if (va < v->start || va >= v->end)
			continue;
		*ret_page = v->page0 + ((va - v->start) >> GVM_PAGE_SHIFT);
		return true;
	}
	return false;
}

static long make_memory(struct gvm_shared *r)
{
	long fd;

	if (r->memory)
		return (long)r->memory;
	if (!(r->flags & GVM_SHARED_MEMFD))
		return gvm_sys(SYS_mmap, 0, r->bytes, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			       -1, 0);
	fd = gvm_sys(SYS_memfd_create, "giantvm-shared", MFD_CLOEXEC);
	r->memfd = gvm_fd_high((int)fd);
	if (r->memfd < 0)
		return r->memfd;
	return gvm_sys(SYS_ftruncate, r->memfd, r->bytes);
}

int gvm_shared_memory_init(struct gvm_shared *r)
{
	long at;

	r->memfd = -1;
	at = make_memory(r);
	if (at < 0 && at > -4096)
		return (int)at;
	if (r->memfd >= 0)
		return 0;
	r->base = (void *)at;
	return 0;
}

void gvm_shared_memory_fini(struct gvm_shared *r)
{
	/* With what was lost replaced: all of it lies inside. */
	for (u32 i = 0; i < r->views_nr; i++)
		gvm_sys(SYS_munmap, r->views[i].start,
			r->views[i].end - r->views[i].start);
	r->views_nr = 0;
	if (r->memfd >= 0) {
		gvm_fd_mine(r->memfd, false);
		gvm_sys(SYS_close, r->memfd);
	}
	r->memfd = -1;
}

static bool protect(struct gvm_shared *r, const struct gvm_shared_view *v, u64 page,
		    bool on)
{
	enum gvm_fill fill;

	do {
		fill = gvm_uffd_protect(r->uffd, va_of(v, page),
					GVM_PAGE_BYTES, on);
	} while (fill == GVM_FILL_AGAIN);
	return fill == GVM_FILL_OK;
}

/* A new view must not let anybody write what this node may only read. */
static void protect_held(struct gvm_shared *r, const struct gvm_shared_view *v)
{
	for (u32 h = 0; h < r->homes_nr; h++) {
		const struct gvm_node *n = r->homes[h].node;
		enum gvm_node_right right;
		u64 page, seq;

		for (u32 i = 0; n && i < gvm_node_slots(n); i++)
			if (gvm_node_slot(n, i, &page, &right, &seq) &&
			    right != GVM_RIGHT_WRITE && shows(v, page))
				protect(r, v, page, true);
	}
}

/* Called by the thread. */
int gvm_shared_view_add(struct gvm_shared *r, u64 start, u64 end, u64 page0)
{
	static const int advice[] = {
		/* Two engines cannot serve one memory: see gvm_map_shared. */
		MADV_DONTFORK, MADV_DONTDUMP, MADV_NOHUGEPAGE,
		MADV_UNMERGEABLE,
	};
	int err;

	if (r->views_nr == GVM_VIEWS_MAX)
		return -ENOSPC;
	for (u32 i = 0; i < sizeof(advice) / sizeof(advice[0]); i++)
		gvm_sys(SYS_madvise, start, end - start, advice[i]);
	err = gvm_uffd_register(r->uffd, start, end - start);
	if (err)
		return err;
	r->views[r->views_nr] = (struct gvm_shared_view){ start, end, page0 };
	protect_held(r, &r->views[r->views_nr]);
	r->views_nr++;
	return 0;
}

/* Before the program unmaps [start, end): parts of views may go. */
void gvm_shared_view_cut(struct gvm_shared *r, u64 start, u64 end)
{
	for (u32 i = 0; i < r->views_nr; i++) {
		struct gvm_shared_view old = r->views[i];
		struct gvm_shared_view *v = &r->views[i];

		if (end <= old.start || start >= old.end)
			continue;
		if (start > old.start) {
			v->end = start;
		} else if (end < old.end) {
			v->page0 += (end - old.start) >> GVM_PAGE_SHIFT;
			v->start = end;
		} else {
			*v = r->views[--r->views_nr];
			i--;
			continue;
		}
		/* Out of the middle: a full table loses the rest's faults. */
		if (start <= old.start || end >= old.end)
			continue;
		if (r->views_nr == GVM_VIEWS_MAX)
			gvm_shared_fatal(r, "region %s is mapped in more than %u pieces; stopping",
					 r->name, GVM_VIEWS_MAX);
		r->views[r->views_nr++] = (struct gvm_shared_view){
			end, old.end,
			old.page0 + ((end - old.start) >> GVM_PAGE_SHIFT),
		};
	}
	gvm_uffd_unregister(r->uffd, start, end - start);
}

void gvm_page_protect(struct gvm_shared *r, u64 page)
{
	for (u32 i = next_view(r, 0, page); i < r->views_nr;
	     i = next_view(r, i + 1, page))
		if (!protect(r, &r->views[i], page, true))
			gvm_shared_fatal(r, "cannot write-protect page 0x%llx of region %s; stopping",
					 (unsigned long long)page, r->name);
}

/* Called while the page is here: the core reads only what it holds. */
void gvm_page_read(struct gvm_shared *r, u64 page, u8 *to)
{
	long n;

	if (r->memfd < 0) {
		memcpy(to, (u8 *)r->base + (page << GVM_PAGE_SHIFT),
		       GVM_PAGE_BYTES);
		return;
	}
	n = gvm_sys(SYS_pread64, r->memfd, to, GVM_PAGE_BYTES,
		    page << GVM_PAGE_SHIFT);
	if (n != (long)GVM_PAGE_BYTES)
		gvm_shared_fatal(r, "cannot read page 0x%llx of region %s; stopping",
				 (unsigned long long)page, r->name);
}

/*
 * A writer that sleeps because the page was protected is not woken by this.
 * It need not be: the core remembers the want, and the page's return wakes
 * everybody.
 */
void gvm_page_unmap(struct gvm_shared *r, u64 page)
{
	const u64 offset = page << GVM_PAGE_SHIFT;
	long err;

	if (r->memfd < 0)
		err = gvm_sys(SYS_madvise, (u8 *)r->base + offset,
			      GVM_PAGE_BYTES, MADV_DONTNEED);
	else
		err = gvm_sys(SYS_fallocate, r->memfd, FALLOC_FL_PUNCH_HOLE |
			      FALLOC_FL_KEEP_SIZE, offset, GVM_PAGE_BYTES);
	if (err)
		gvm_shared_fatal(r, "cannot drop page 0x%llx of region %s (error %u; is it locked into memory?); stopping",
				 (unsigned long long)page, r->name,
				 (unsigned int)-err);
}

static void tell_program(struct gvm_shared *r, u64 page,
			 void (*tell)(void *addr, u64 bytes, void *arg))
{
	if (!tell)
		return;
	for (u32 i = next_view(r, 0, page); i < r->views_nr;
	     i = next_view(r, i + 1, page))
		tell((void *)(uintptr_t)va_of(&r->views[i], page),
		     GVM_PAGE_BYTES, r->arg);
}

void gvm_page_flush_code(struct gvm_shared *r, u64 page)
{
	tell_program(r, page, r->flush_code);
}

/*
 * The page can be written, and who waits for it sleeps: tell the program whose
 * stores go on, and let them.  A fault that has not been read yet would be gone
 * with the wake-up, and its store would be one that nobody was told of.
 */
static void let_stores_go_on(struct gvm_shared *r, u64 page, u64 pages)
{
	const bool all = gvm_shared_see(r);

	for (u32 i = next_view(r, 0, page); i < r->views_nr;
	     i = next_view(r, i + 1, page)) {
		const u64 va = va_of(&r->views[i], page);

		if (!all)
			r->store_waits((void *)(uintptr_t)va,
				       GVM_THREAD_ANY, r->arg);
		r->store_goes_on((void *)(uintptr_t)va,
				 pages << GVM_PAGE_SHIFT, r->arg);
		gvm_uffd_wake(r->uffd, va, pages << GVM_PAGE_SHIFT);
	}
}

static void __attribute__((noreturn))
cannot_map(struct gvm_shared *r, u64 page, enum gvm_fill fill)
{
	gvm_shared_fatal(r, "cannot map page 0x%llx of region %s (%s); stopping",
			 (unsigned long long)page, r->name,
			 fill == GVM_FILL_NOMEM ? "the host is out of memory" :
			 fill == GVM_FILL_EXISTS ?
			 "something else is there; was it written past giantvm?" :
			 fill == GVM_FILL_GONE ?
			 "it was unmapped; use gvm_unmap_shared" :
			 "the kernel refused");
}

static enum gvm_fill copy(struct gvm_shared *r, u64 va, const u8 *from, u64 len,
			  bool writable, u64 *ret_done)
{
	if (writable && r->store_goes_on)
		return gvm_uffd_copy_silent(r->uffd, va, from, len, ret_done);
	return gvm_uffd_copy(r->uffd, va, from, len, !writable, ret_done);
}

static enum gvm_fill zero(struct gvm_shared *r, u64 va, u64 len, u64 *ret_done)
{
	if (r->store_goes_on)
		return gvm_uffd_zero_silent(r->uffd, va, len, ret_done);
	return gvm_uffd_zero(r->uffd, va, len, ret_done);
}

/*
 * from is NULL for zeros, which may be many pages, writable.  Who waits sleeps on
 * if the page can be written and the program is to hear of that.
 */
static void fill_in(struct gvm_shared *r, const struct gvm_shared_view *v,
		    u64 page, u64 len, const u8 *from, bool writable)
{
	u64 va = va_of(v, page);
	enum gvm_fill fill;
	u32 tries = 0;
	u64 done;

	while (len) {
		fill = from ? copy(r, va, from, len, writable, &done) :
			      zero(r, va, len, &done);
		va += done;
		len -= done;
		if (fill == GVM_FILL_OK)
			return;
		if ((fill != GVM_FILL_AGAIN && fill != GVM_FILL_NOMEM) ||
		    ++tries > 10000)
			cannot_map(r, page, fill);
		gvm_sys(SYS_sched_yield);
	}
}

void gvm_page_install(struct gvm_shared *r, u64 page, const u8 *from,
		      bool writable)
{
	const u32 first = next_view(r, 0, page);

	if (first == r->views_nr) {
		/* Unmapped since it was wanted; the file keeps it. */
		if (r->memfd < 0 ||
		    gvm_sys(SYS_pwrite64, r->memfd, from, GVM_PAGE_BYTES,
			    page << GVM_PAGE_SHIFT) != (long)GVM_PAGE_BYTES)
			gvm_shared_fatal(r, "cannot store page 0x%llx of region %s; stopping",
					 (unsigned long long)page, r->name);
		return;
	}
	for (u32 i = next_view(r, first + 1, page); i < r->views_nr;
	     i = next_view(r, i + 1, page))
		if (!protect(r, &r->views[i], page, !writable))
			gvm_shared_fatal(r, "cannot write-protect page 0x%llx of region %s; stopping",
					 (unsigned long long)page, r->name);
	fill_in(r, &r->views[first], page, GVM_PAGE_BYTES, from, writable);
	if (writable && r->store_goes_on) {
		let_stores_go_on(r, page, 1);
		return;
	}
	for (u32 i = next_view(r, first + 1, page); i < r->views_nr;
	     i = next_view(r, i + 1, page))
		gvm_uffd_wake(r->uffd, va_of(&r->views[i], page),
			      GVM_PAGE_BYTES);
}

void gvm_pages_zero(struct gvm_shared *r, u64 page, u64 pages)
{
	fill_in(r, &r->views[0], page, pages << GVM_PAGE_SHIFT, NULL, true);
	if (r->store_goes_on)
		let_stores_go_on(r, page, pages);
}

bool gvm_pages_one_view(const struct gvm_shared *r, u64 page, u64 pages)
{
	return r->memfd < 0 && r->views_nr == 1 &&
		shows(&r->views[0], page) &&
		shows(&r->views[0], page + pages - 1);
}

static void unprotect_silently(struct gvm_shared *r, u64 page)
{
	enum gvm_fill fill;

	for (u32 i = next_view(r, 0, page); i < r->views_nr;
	     i = next_view(r, i + 1, page)) {
		do {
			fill = gvm_uffd_unprotect_silent(r->uffd,
					va_of(&r->views[i], page),
					GVM_PAGE_BYTES);
		} while (fill == GVM_FILL_AGAIN);
	}
}

void gvm_page_wake(struct gvm_shared *r, u64 page, bool writable)
{
	if (writable && r->store_goes_on) {
		unprotect_silently(r, page);
		let_stores_go_on(r, page, 1);
		return;
	}
	for (u32 i = next_view(r, 0, page); i < r->views_nr;
	     i = next_view(r, i + 1, page)) {
		/* Taking the protection away wakes everybody, too. */
		if (writable && protect(r, &r->views[i], page, false))
			continue;
		gvm_uffd_wake(r->uffd, va_of(&r->views[i], page),
			      GVM_PAGE_BYTES);
	}
}

void gvm_page_unprotect(struct gvm_shared *r, u64 page)
{
	gvm_page_wake(r, page, true);
}

/*
 * Touching the page is SIGBUS from now on: a poisoned entry, or, where the
 * kernel has none, the first page of an empty file.
 */
static bool put_sigbus(struct gvm_shared *r, u64 va)
{
	long fd, at;

	/* Poison does not take the place of a marker of the protection. */
	if (r->memfd >= 0)
		gvm_uffd_protect(r->uffd, va, GVM_PAGE_BYTES, false);
	if (r->caps.poison &&
	    gvm_uffd_poison(r->uffd, va, GVM_PAGE_BYTES) == GVM_FILL_OK)
		return true;
	fd = gvm_sys(SYS_memfd_create, "giantvm-lost", MFD_CLOEXEC);
	if (fd < 0)
		return false;
	at = gvm_sys(SYS_mmap, va, GVM_PAGE_BYTES, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_FIXED, fd, 0);
	gvm_sys(SYS_close, fd);
	gvm_uffd_wake(r->uffd, va, GVM_PAGE_BYTES);
	return at == (long)va;
}

void gvm_page_lost(struct gvm_shared *r, u64 page)
{
	for (u32 i = next_view(r, 0, page); i < r->views_nr;
	     i = next_view(r, i + 1, page))
		if (!put_sigbus(r, va_of(&r->views[i], page)))
			gvm_shared_fatal(r, "page 0x%llx of region %s is lost with the node that had it, and the kernel cannot mark it; stopping",
					 (unsigned long long)page, r->name);
}
