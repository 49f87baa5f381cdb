// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fork(): parent and child diverge, pages on servers included.
 *
 * Registered with pthread_atfork() before anybody else's handlers (start.c),
 * so that the engine stops last and starts first.  A child made by a bare
 * clone or _Fork() gets no attached memory at all: the engine sets
 * MADV_DONTFORK, and a touch is SIGSEGV, not a wrong byte.  vfork() and
 * posix_spawn() share the memory and need nothing.
 */
#include <errno.h>
#include <sys/mman.h>

#include "attach.h"
#include "sys.h"

/* Of the thread that forks; guarded by the lock, which it holds. */
static u64 fork_mask;
static int fork_result;

void gvm_attach_fork_prepare(void)
{
	char text[24];

	gvm_attach_lock(&fork_mask);
	fork_result = 0;
	gvm_attach.forking = true;
	if (!gvm_attach.gvm)
		return;
	fork_result = gvm_fork_prepare(gvm_attach.gvm);
	if (fork_result)
		gvm_attach_say("a child of ", gvm_attach.name,
			       " starts without its large memory (",
			       gvm_attach_errno_text(text, fork_result),
			       "); are the servers full?", NULL);
}

void gvm_attach_fork_parent(void)
{
	gvm_attach.forking = false;
	if (gvm_attach.gvm)
		gvm_fork_parent(gvm_attach.gvm);
	gvm_attach_unlock(fork_mask);
}

/*
 * What the child does not have is forgotten; what the program wanted empty in
 * it becomes so.  Nothing is unmapped: where the kernel left a hole, the
 * engine may have put memory of its own by now.
 */
static void honour_advice(void)
{
	struct gvm_span *span;
	u64 at = 0;

	while ((span = gvm_spans_first(at, ~(u64)0))) {
		bool attached = gvm_span_attached(span);
		u64 start = span->start;

		at = span->end;
		if (span->no_fork || span->what == GVM_SPAN_SHARED ||
		    span->what == GVM_SPAN_REGION ||
		    (attached && fork_result))
			gvm_attach_drop(start, at);
		else if (attached && span->wipe)
			gvm_discard(gvm_attach.gvm, (void *)start, at - start);
	}
}

void gvm_attach_fork_child(void)
{
	char text[24];
	int err;

	gvm_attach_mark();
	gvm_attach.forking = false;
	gvm_attach.pid = (int)gvm_sys(SYS_getpid);
	gvm_attach_lock_reset(true);
	if (gvm_attach.gvm) {
		err = gvm_fork_child(gvm_attach.gvm);
		if (err)
			gvm_attach_stop("a child of ", gvm_attach.name,
					" cannot page its memory: ",
					gvm_attach_errno_text(text, err), NULL);
		gvm_attach_files_forked();
	}
	honour_advice();
	gvm_attach_unlock(fork_mask);
}
