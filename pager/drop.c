// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Give pages of the program back to the kernel, and notice who else does.
 *
 * A program that gives memory up past our wrappers would get the old content
 * back from staging or from a server.  So the kernel is asked to tell
 * (EVENT_REMOVE): before the pages go, and whoever gives them up sleeps until
 * we have read the message.  What it tells is not carried out but stops the
 * program: the pages go some time after the message was read, nobody says when,
 * and until then what we know of them is not true.
 *
 * It tells of our own calls as well.  The shard's thread, which reads the
 * messages, would wait for itself; so a second thread makes the call.  That
 * costs 6 to 9 us a call (a batch of pages), and nothing where nothing is given
 * up.  Staging has a descriptor of its own that tells nothing.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/mman.h>
#include <time.h>

#include "engine.h"
#include "sys.h"

#define LOOK_NS		5000000l

static void run(void *dropper)
{
	struct gvm_dropper *d = dropper;
	u32 seen = 0, asked;

	while (!__atomic_load_n(&d->stop, __ATOMIC_ACQUIRE)) {
		asked = __atomic_load_n(&d->asked, __ATOMIC_ACQUIRE);
		if (asked == seen) {
			gvm_futex_wait(&d->asked, seen);
			continue;
		}
		d->result = gvm_sys(SYS_madvise, d->va, d->len, MADV_DONTNEED);
		seen = asked;
		__atomic_store_n(&d->done, seen, __ATOMIC_RELEASE);
		gvm_futex_wake(&d->done);
	}
}

/* Is this message about what was asked for?  They come in order of address. */
static bool is_ours(struct gvm_dropper *d, const struct gvm_uffd_event *e)
{
	if (e->addr < d->told || e->addr + e->len > d->end)
		return false;
	d->told = e->addr + e->len;
	return true;
}

void gvm_drop_told(struct gvm_shard *s, const struct gvm_uffd_event *e)
{
	if (is_ours(&s->dropper, e))
		return;
	gvm_fatal(s->gvm, "%s gave up %llu KiB of memory at 0x%llx by a system call that giantvm did not see; stopping it before it can see a wrong byte (madvise() of the C library is supported)",
		  s->gvm->name, (unsigned long long)e->len >> 10,
		  (unsigned long long)e->addr);
}

static bool is_done(const struct gvm_dropper *d, u32 asked)
{
	return __atomic_load_n(&d->done, __ATOMIC_ACQUIRE) == asked;
}

/*
 * Read messages until it is done.  Faults among them are only kept: they must
 * not meet a page that is half gone.
 */
static void wait_done(struct gvm_shard *s, u32 asked)
{
	static const struct timespec pause = { .tv_nsec = LOOK_NS };
	struct gvm_dropper *d = &s->dropper;
	struct pollfd fd = { .fd = s->uffd, .events = POLLIN };

	while (!is_done(d, asked)) {
		if (d->told == d->end) {
			gvm_futex_wait(&d->done, asked - 1);
			continue;
		}
		/* No message for what is not mapped: look at both. */
		gvm_sys(SYS_ppoll, &fd, 1, &pause, 0, 8);
		gvm_fault_collect(s);
	}
}

long gvm_drop(struct gvm_shard *s, u64 va, u64 len)
{
	struct gvm_dropper *d = &s->dropper;
	const u32 asked = d->asked + 1;
	int err;

	if (!d->started) {
		err = gvm_thread_start(&d->thread, run, d);
		if (err)
			return err;
		d->started = 1;
	}
	d->va = d->told = va;
	d->len = len;
	d->end = va + len;
	__atomic_store_n(&d->asked, asked, __ATOMIC_RELEASE);
	gvm_futex_wake(&d->asked);
	wait_done(s, asked);
	d->end = 0;
	return d->result;
}

/* The shard's thread has ended. */
void gvm_drop_fini(struct gvm_shard *s)
{
	struct gvm_dropper *d = &s->dropper;

	if (!d->started)
		return;
	__atomic_store_n(&d->stop, 1, __ATOMIC_RELEASE);
	__atomic_store_n(&d->asked, d->asked + 1, __ATOMIC_RELEASE);
	gvm_futex_wake(&d->asked);
	gvm_thread_join(&d->thread);
	*d = (struct gvm_dropper){ .started = 0 };
}

/* In the child of a fork: its thread is not here. */
void gvm_drop_forget(struct gvm_shard *s)
{
	gvm_thread_forget(&s->dropper.thread);
	s->dropper = (struct gvm_dropper){ .started = 0 };
}
