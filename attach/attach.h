/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of libgiantvm-attach.so share.
 *
 * The library sits in front of libc inside a program that knows nothing of it.
 * So nothing here calls malloc or stdio, errno is set by wrap.c alone, and
 * everything below returns what the system call would: a result or -errno.
 *
 * One lock guards the table of spans and the state below.  It is taken with
 * all signals blocked, because a handler may map memory too, and it is the
 * outermost lock: the pager never calls back.
 */
#ifndef GVM_ATTACH_H
#define GVM_ATTACH_H

#include <giantvm/giantvm.h>
#include <sys/uio.h>

#include "limits.h"
#include "span.h"

#define GVM_ATTACH_EXIT		125	/* as `giantvm run` itself */

struct gvm_attach {
	struct gvm *gvm;		/* NULL until the first large mapping */
	bool	ready;			/* environment read, fork handled */
	bool	forking;		/* between fork.c's handlers */
	bool	off;			/* leave everything alone, see orphan.c */
	bool	quiet;
	bool	regions_only;		/* private memory is left alone */
	bool	guard;			/* see pins.c: pins must be kept off */
	bool	filtered;		/* and the kernel helps */
	int	pid;			/* not that of a vforked child */
	u64	min_map;
	pid_t	supervisor;		/* its `giantvm run`; 0: none */
	struct gvm_config config;
	const char *name;		/* of the program, for messages */
};

extern struct gvm_attach gvm_attach;

/* start.c */
void gvm_attach_ready(void);
/* Open the engine if it is not open; does not return if that fails. */
void gvm_attach_start(void);

/* orphan.c */
void gvm_attach_mark(void);
/* Before anything that believes in the engine or the table. */
void gvm_attach_check_orphan(void);
/* The program is about to become another user. */
void gvm_attach_before_uid(u64 uid);

/* message.c */
/* One line on standard error: "giantvm: " and the parts up to a NULL. */
void gvm_attach_say(const char *part, ...) __attribute__((sentinel));
/* The same, then the program ends with status 125. */
void gvm_attach_stop(const char *part, ...)
	__attribute__((sentinel, noreturn));
/* "errno 12" and the like; the buffer is the caller's, 24 bytes. */
const char *gvm_attach_errno_text(char *buf, long err);

/* lock.c */
void gvm_attach_lock(u64 *ret_mask);
void gvm_attach_unlock(u64 mask);
/* In a child: only this thread is left, which holds it, or nobody does. */
void gvm_attach_lock_reset(bool held);

/* map.c; called with the lock held */
/* Forget attached memory and reservations in the range; was any attached? */
bool gvm_attach_drop(u64 start, u64 end);
/*
 * Take fresh memory: hand it to the engine, or remember it until there is
 * enough to open one.  0 or -ENOMEM; other errors stop.
 */
long gvm_attach_adopt(u64 start, u64 end, int prot,
		      const struct gvm_backing *backing, u16 file);
/* Open the engine if there is enough by now, or if at_once. */
long gvm_attach_pending(bool at_once);

/* The system calls, by the folder's files. */
long gvm_attach_mmap(u64 addr, u64 len, int prot, int flags, int fd, u64 off);
long gvm_attach_munmap(u64 addr, u64 len);
long gvm_attach_mremap(u64 from, u64 from_len, u64 to_len, int flags, u64 to);
long gvm_attach_mprotect(u64 addr, u64 len, int prot);
long gvm_attach_madvise(u64 addr, u64 len, int advice);
long gvm_attach_mlock(u64 addr, u64 len, unsigned flags);
long gvm_attach_munlock(u64 addr, u64 len);
long gvm_attach_mlockall(int flags);
long gvm_attach_fallocate(int fd, int mode, u64 off, u64 len);
long gvm_attach_ftruncate(int fd, u64 len);
long gvm_attach_ioctl(int fd, unsigned long request, void *arg);
long gvm_attach_close(int fd);
long gvm_attach_close_range(unsigned first, unsigned last, int flags);
long gvm_attach_dup3(int fd, int to, int flags, bool is_dup2);
long gvm_attach_syscall(long nr, long a, long b, long c, long d, long e,
			long f);

/* fork.c */
void gvm_attach_fork_prepare(void);
void gvm_attach_fork_parent(void);
void gvm_attach_fork_child(void);

/* pins.c: the ways past the page table */
/* Called with the lock held, after memory that must not be pinned came. */
void gvm_attach_guard(void);
/* The same, when memory came that will be handed over later. */
void gvm_attach_foresee(void);
enum gvm_async {
	GVM_ASYNC_AIO,
	GVM_ASYNC_URING,
};
/* May this program set it up? */
bool gvm_attach_async_allowed(enum gvm_async what);
/* Must this read go through a buffer of ours? */
bool gvm_attach_must_bounce(int fd, const struct iovec *iov, int nr);
long gvm_attach_bounce(int fd, const struct iovec *iov, int nr, long off,
		       int flags);

/* shared.c: memfd-backed guest memory */
/*
 * -1: not a file whose memory we take; else its number for the span.
 * *ret_known: some of its memory is attached already.  Lock held.
 */
int gvm_attach_file(int fd, bool shared, bool *ret_known);
/* Is there any shared memory?  Lock-free, for filters. */
bool gvm_attach_has_files(void);
/* Stops if fd is attached shared memory that would get a second entrance. */
void gvm_attach_refuse_entrance(int fd, const char *how);
/* In the child of a fork, before its spans are sorted out. */
void gvm_attach_files_forked(void);
struct msghdr;
void gvm_attach_check_message(const struct msghdr *message);

/* region.c: files that stand for shared regions */
bool gvm_attach_has_regions(void);
void gvm_attach_regions_ready(const char *(*setting)(const char *name));
/* False: not one of those paths.  Else *ret is the result. */
bool gvm_attach_region_open(int dir, const char *path, int flags, long *ret);
/* Which region's file it is; -1: none. */
int gvm_attach_region_of(int fd);
/* Lock held.  addr 0: anywhere. */
long gvm_attach_region_map(int index, u64 addr, u64 len, int prot, u64 off);
long gvm_attach_region_allocate(int index, int mode, u64 off, u64 len);
void gvm_attach_region_forget(int index, u64 start, u64 end);

/* start.c: a copy that outlives the environment */
const char *gvm_attach_keep(const char *text);

/* dma.c */
/* Memory that is pinned before it is handed over would be unknown to be. */
void gvm_attach_before_pin(u64 start, u64 end);
void gvm_attach_dma_forget(int fd);

/* nvidia.c: two calls of its driver, like ioctl() */
#define GVM_IOCTL_NVIDIA_ALLOC	0xc0384627u	/* NV_ESC_RM_ALLOC_MEMORY */
#define GVM_IOCTL_NVIDIA_FREE	0xc0104629u	/* NV_ESC_RM_FREE */
long gvm_attach_nvidia_alloc(int fd, void *arg);
long gvm_attach_nvidia_free(int fd, void *arg);

static inline u64 gvm_page_up(u64 v)
{
	return (v + GVM_PAGE_BYTES - 1) & ~(u64)(GVM_PAGE_BYTES - 1);
}

static inline bool gvm_page_aligned(u64 v)
{
	return (v & (GVM_PAGE_BYTES - 1)) == 0;
}

#endif
