// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes into memory that go past the page table: direct I/O.
 *
 * The kernel pins the pages of a direct read and the device writes to them
 * later.  Where pages are evicted by moving them, the kernel refuses to move a
 * pinned one, and nothing is needed here.  Where they are copied and dropped
 * (Linux before 6.8, and all shared memory), the device would write to a page
 * that nobody looks at any more: the read reports success and its data is
 * lost.  Then the "guard" is up:
 *
 * - read() and its kin on an O_DIRECT descriptor go through a buffer of ours,
 *   so that attached memory is never pinned.  A copy costs less than telling
 *   the engine to hold the pages, and there is nothing to let go of if the
 *   thread is cancelled;
 * - io_uring and Linux AIO, whose completions we cannot see, are refused;
 * - writes (and MSG_ZEROCOPY, vmsplice) only read the pages: a dropped page
 *   keeps its content for as long as the device holds it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "attach.h"
#include "scan.h"
#include "sys.h"
#include "uffd.h"

/* One read moves at most this much; a short read is legal, and finite. */
#define BOUNCE_MAX	(16ull << 20)

#if defined(__x86_64__)
#define ARCH	AUDIT_ARCH_X86_64
#else
#define ARCH	AUDIT_ARCH_AARCH64
#endif

#define ADVICE \
	"; use another I/O mode (QEMU: aio=threads), or Linux 6.8 or later with private memory"

static bool aio_seen;		/* somebody set up Linux AIO */

/*
 * Code that makes its system calls itself does not pass our wrappers, so the
 * kernel refuses both calls.  ENOSYS is what a kernel without them says, and
 * programs fall back.
 */
static void filter_calls(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
		.len = sizeof(code) / sizeof(code[0]),
		.filter = code,
	};
	char text[24];
	long err;

	err = gvm_sys(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		      SECCOMP_FILTER_FLAG_TSYNC, &program);
	if (err == -EACCES) {
		/* Not privileged: allowed to those who give up setuid. */
		gvm_sys(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		err = gvm_sys(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			      SECCOMP_FILTER_FLAG_TSYNC, &program);
	}
	if (err)
		gvm_attach_stop("cannot keep ", gvm_attach.name,
				" from using io_uring: seccomp: ",
				gvm_attach_errno_text(text, err), NULL);
}

void gvm_attach_guard(void)
{
	const char *what = NULL;

	if (gvm_scan_has_io_uring())
		what = "io_uring";
	else if (aio_seen || gvm_scan_has_aio())
		what = "Linux AIO (io_setup)";
	if (what)
		gvm_attach_stop(gvm_attach.name, " uses ", what,
				", which can write behind the pager of this memory",
				ADVICE, NULL);
	filter_calls();
	gvm_attach.filtered = true;
	__atomic_store_n(&gvm_attach.guard, true, __ATOMIC_RELEASE);
}

/*
 * Before the first large mapping nobody knows which eviction will be used, but
 * it can be foreseen.  (A program refused for nothing falls back to other
 * I/O; one that got a ring would have to be stopped later.)
 */
static bool guard_foreseen(void)
{
	struct gvm_uffd_caps caps;

	if (!gvm_attach.config.servers)
		return false;
	if (gvm_attach.config.evict == GVM_EVICT_COPY)
		return true;
	/* QEMU with shared memory, which cannot be moved. */
	if (gvm_scan_args_hold("memory-backend-memfd") &&
	    !gvm_scan_args_hold("share=off"))
		return true;
	if (gvm_attach.config.evict == GVM_EVICT_MOVE)
		return false;
	memset(&caps, 0, sizeof(caps));
	return gvm_uffd_probe(-1, &caps) == 0 && !caps.move;
}

void gvm_attach_foresee(void)
{
	if (!gvm_attach.guard && guard_foreseen())
		__atomic_store_n(&gvm_attach.guard, true, __ATOMIC_RELEASE);
}

/*
 * QEMU's event loop tries io_uring whatever its disks use, and is as well off
 * without.  That is not worth a line in every run.
 */
static bool worth_telling(enum gvm_async what)
{
	return !gvm_attach.quiet &&
	       (what != GVM_ASYNC_URING || !strstr(gvm_attach.name, "qemu") ||
		gvm_scan_args_hold("io_uring"));
}

bool gvm_attach_async_allowed(enum gvm_async what)
{
	static const char *const names[] = {
		[GVM_ASYNC_AIO]		= "Linux AIO (io_setup)",
		[GVM_ASYNC_URING]	= "io_uring",
	};
	static bool told[2];

	gvm_attach_ready();
	if (!gvm_attach.guard && (gvm_attach.gvm || !guard_foreseen())) {
		aio_seen |= what == GVM_ASYNC_AIO;
		return true;
	}
	if (!told[what] && worth_telling(what))
		gvm_attach_say(names[what], " is refused to ", gvm_attach.name,
			       ", because it can write behind the pager",
			       ADVICE, NULL);
	told[what] = true;
	return false;
}

/* Before there is an engine: not sharp, but never wrong. */
static bool covers(const struct iovec *iov)
{
	u64 start = (u64)iov->iov_base;

	if (!gvm_attach.gvm)
		return gvm_spans_near(start, start + iov->iov_len);
	return gvm_covers(gvm_attach.gvm, iov->iov_base, iov->iov_len);
}

bool gvm_attach_must_bounce(int fd, const struct iovec *iov, int nr)
{
	long flags;
	int i;

	for (i = 0; i < nr; i++)
		if (covers(&iov[i]))
			break;
	if (i >= nr)
		return false;
	flags = gvm_sys(SYS_fcntl, fd, F_GETFL);
	return flags >= 0 && (flags & O_DIRECT);
}

static void scatter(const struct iovec *iov, const char *from, u64 len)
{
	for (; len; iov++) {
		u64 part = iov->iov_len < len ? iov->iov_len : len;

		memcpy(iov->iov_base, from, part);
		from += part;
		len -= part;
	}
}

/* off -1: at the file's position.  Like preadv2(). */
long gvm_attach_bounce(int fd, const struct iovec *iov, int nr, long off,
		       int flags)
{
	struct iovec own;
	u64 len = 0;
	long at;
	long ret;
	int i;

	for (i = 0; i < nr && len < BOUNCE_MAX; i++)
		len += iov[i].iov_len < BOUNCE_MAX ? iov[i].iov_len :
		       BOUNCE_MAX;
	if (len > BOUNCE_MAX)
		len = BOUNCE_MAX;
	at = gvm_sys(SYS_mmap, NULL, gvm_page_up(len), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at < 0 && at > -4096)
		return -ENOMEM;
	own.iov_base = (void *)at;
	own.iov_len = len;
	ret = gvm_sys(SYS_preadv2, fd, &own, 1, off, 0, flags);
	if (ret > 0)
		scatter(iov, (const char *)at, (u64)ret);
	gvm_sys(SYS_munmap, at, gvm_page_up(len));
	return ret;
}
