/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * userfaultfd(2), and the only place that knows UFFDIO_*.
 *
 * Everything that can come back from an ioctl is sorted here and leaves as an
 * enum of our own.  Facts: Documentation/admin-guide/mm/userfaultfd.rst and
 * ioctl_userfaultfd(2); what they leave out is in the comments.
 */
#ifndef GVM_PAGER_UFFD_H
#define GVM_PAGER_UFFD_H

#include "gvm_port.h"

/* What the running kernel offers, found by asking a throw-away descriptor. */
struct gvm_uffd_caps {
	bool	protect;	/* write-protect, anonymous memory */
	bool	shmem;		/* missing faults on shared memory */
	bool	protect_shmem;	/* write-protect on shared memory */
	bool	move;		/* UFFDIO_MOVE */
	bool	poison;		/* UFFDIO_POISON */
	bool	by_device;	/* opened through /dev/userfaultfd */
	u64	features;
};

/*
 * dev_fd: an open /dev/userfaultfd, or -1 to use the system call.
 * 0, -EPERM (no permission), -ENOSYS (kernel has none), or -errno.
 */
int gvm_uffd_probe(int dev_fd, struct gvm_uffd_caps *ret_caps);
/* As if the kernel were Linux 6.1: what came later is taken out. */
void gvm_uffd_caps_6_1(struct gvm_uffd_caps *caps);
/* No events of unmapping and the like: nobody would read them. */
void gvm_uffd_caps_no_events(struct gvm_uffd_caps *caps);
/* Non-blocking, close-on-exec descriptor with what we use of caps. */
int gvm_uffd_open(int dev_fd, const struct gvm_uffd_caps *caps);

enum gvm_fill {
	GVM_FILL_OK,
	GVM_FILL_EXISTS,	/* page is there; nobody was woken */
	GVM_FILL_AGAIN,		/* mapping is changing: read events, retry */
	GVM_FILL_GONE,		/* no registered mapping there any more */
	GVM_FILL_NOMEM,
	GVM_FILL_BUSY,		/* move: pinned, or shared by fork */
	GVM_FILL_HOLE,		/* move: nothing there to move */
	GVM_FILL_MISFIT,	/* move: mappings differ (protection, kind) */
	GVM_FILL_FAILED,	/* anything else: *ret_errno says */
};

int gvm_uffd_register(int uffd, u64 addr, u64 len);
int gvm_uffd_unregister(int uffd, u64 addr, u64 len);

/*
 * Copy len bytes of src to addr, which must be missing.  *ret_done: bytes
 * copied before anything else than OK was met.  protect: mapped read-only,
 * the first write is a fault.  Wakes who waits for the copied part.
 */
enum gvm_fill gvm_uffd_copy(int uffd, u64 addr, const void *src, u64 len,
			    bool protect, u64 *ret_done);
/* Missing, and zero from now on; takes memory only when it is written. */
enum gvm_fill gvm_uffd_zero(int uffd, u64 addr, u64 len, u64 *ret_done);
/* Like those, but whoever waits goes on sleeping. */
enum gvm_fill gvm_uffd_copy_silent(int uffd, u64 addr, const void *src,
				   u64 len, u64 *ret_done);
enum gvm_fill gvm_uffd_zero_silent(int uffd, u64 addr, u64 len, u64 *ret_done);
enum gvm_fill gvm_uffd_unprotect_silent(int uffd, u64 addr, u64 len);
/*
 * Move pages from src to dst (registered here, missing).  No one can have
 * written in between: the page itself changes place.  Mapped writable.
 */
enum gvm_fill gvm_uffd_move(int uffd, u64 dst, u64 src, u64 len,
			    u64 *ret_done);
/* on: a write to a present page of the range is a fault.  off: and wake. */
enum gvm_fill gvm_uffd_protect(int uffd, u64 addr, u64 len, bool on);
/*
 * Is memory being unmapped, moved or given up, and the event unread (or who
 * waited for that not yet running)?  COPY, MOVE and PROTECT are refused then.
 */
bool gvm_uffd_changing(int uffd);
void gvm_uffd_wake(int uffd, u64 addr, u64 len);
/* Touching the missing range is SIGBUS from now on; wakes. */
enum gvm_fill gvm_uffd_poison(int uffd, u64 addr, u64 len);

enum gvm_uffd_what {
	GVM_UFFD_NONE,		/* nothing to read */
	GVM_UFFD_READ,		/* page missing, thread wants to read */
	GVM_UFFD_WRITE,		/* page missing, thread wants to write */
	GVM_UFFD_PROTECT,	/* page present and protected */
	GVM_UFFD_UNMAP,		/* range unmapped behind our back */
	GVM_UFFD_REMAP,		/* range moved behind our back */
	GVM_UFFD_REMOVE,	/* pages about to be given up */
	GVM_UFFD_BROKEN,	/* descriptor unusable */
};

struct gvm_uffd_event {
	enum gvm_uffd_what what;
	u64	addr;
	u64	len;		/* UNMAP, REMAP, REMOVE */
	u32	thread;		/* faults: who waits */
};

#define GVM_UFFD_EVENTS	32

/* Read up to GVM_UFFD_EVENTS messages; how many. */
u32 gvm_uffd_read(int uffd, struct gvm_uffd_event *ret_events);

#endif
