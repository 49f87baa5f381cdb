// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Processes that are not what they seem: children that a bare clone or
 * _Fork() made, and programs that stop being root.
 *
 * An orphan has our books and its parent's engine in its memory, but neither
 * the engine's threads nor the attached memory: asking the engine for
 * anything would wait for ever.  It is left alone from then on.  A vforked
 * child, which has another pid too, shares the memory and with it the engine;
 * so the sign is not the pid but a page that the kernel wipes in a copy.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "attach.h"
#include "sys.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

static volatile u32 *mark;	/* 1 here, 0 in a copy of this process */

void gvm_attach_mark(void)
{
	long at;

	if (!mark) {
		at = gvm_sys(SYS_mmap, NULL, GVM_PAGE_BYTES,
			     PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (at < 0 && at > -4096)
			return;
		if (gvm_sys(SYS_madvise, at, GVM_PAGE_BYTES,
			    MADV_WIPEONFORK))
			return;
		mark = (u32 *)at;
	}
	*mark = 1;
}

void gvm_attach_check_orphan(void)
{
	struct gvm_span *span;
	u64 at = 0;

	/* A child of fork() that our handler has not seen yet is no orphan. */
	if (__builtin_expect(!mark || *mark || gvm_attach.forking, 1))
		return;
	*mark = 1;
	gvm_attach.off = true;
	gvm_attach.gvm = NULL;
	gvm_attach_files_forked();
	/* Attached memory is not here (MADV_DONTFORK); other may be. */
	while ((span = gvm_spans_first(at, ~(u64)0))) {
		at = span->end;
		gvm_spans_cut(span->start, span->end);
	}
	gvm_attach_lock_reset(false);
}

/*
 * Another user may not be allowed to open a userfaultfd, so this is the last
 * moment to do it, however little memory there is yet.
 */
void gvm_attach_before_uid(u64 uid)
{
	u64 mask;

	if (uid == 0 || (u32)uid == ~0u || gvm_sys(SYS_geteuid) != 0)
		return;
	gvm_attach_ready();
	gvm_attach_check_orphan();
	if (gvm_attach.off || gvm_attach.gvm || !gvm_attach.config.servers ||
	    gvm_sys(SYS_getpid) != gvm_attach.pid)
		return;
	gvm_attach_lock(&mask);
	gvm_attach_pending(true);
	gvm_attach_unlock(mask);
}
