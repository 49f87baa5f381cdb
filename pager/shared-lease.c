// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The end of the lease, for when nobody here can see to it.
 *
 * A home that has not heard this node for the lease gives its pages to others.
 * From then on everything that is mapped here is old.  shared-home.c stops the
 * node before, with a message, but for that the region's thread must run.  If
 * the process is stopped, frozen or suspended, or the machine so busy that the
 * thread gets no turn, the program's own threads may run first when it is over.
 * So the kernel is told to kill the process a little before the lease ends, and
 * told again with every answer of a home that there is time.  SIGKILL reaches a
 * stopped process, too, and no thread gets past it.
 *
 * Without such a timer (-EAGAIN: too many signals of this user wait) the node is
 * as safe as its thread is quick.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <time.h>

#include "engine.h"
#include "shared.h"
#include "sys.h"

#define NO_TIMER	(-1)

static u64 boot_ns(void)
{
	struct timespec ts = { 0, 0 };

	gvm_sys(SYS_clock_gettime, CLOCK_BOOTTIME, &ts);
	return (u64)ts.tv_sec * 1000000000ull + (u64)ts.tv_nsec;
}

void gvm_lease_timer_init(struct gvm_shared *r)
{
	struct sigevent event = {
		.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL,
	};

	r->lease_timer = NO_TIMER;
	/* Time goes on while the machine sleeps: at the homes, too. */
	if (gvm_sys(SYS_timer_create, CLOCK_BOOTTIME, &event, &r->lease_timer))
		r->lease_timer = NO_TIMER;
}

void gvm_lease_timer_fini(struct gvm_shared *r)
{
	if (r->lease_timer != NO_TIMER)
		gvm_sys(SYS_timer_delete, r->lease_timer);
	r->lease_timer = NO_TIMER;
}

/* The first home that may give us up does so then; ~0: none is joined. */
static u64 first_end_ns(const struct gvm_shared *r)
{
	u64 first = ~0ull;

	for (u32 i = 0; i < r->homes_nr; i++) {
		const struct gvm_home_link *h = &r->homes[i];
		/* After the thread's own stop, before home's. */
		u64 end = h->renewed_ns + h->lease_ns / 16 * 15;

		if (h->joined && !h->left && end < first)
			first = end;
	}
	return first;
}

void gvm_lease_timer_set(struct gvm_shared *r)
{
	const u64 end = first_end_ns(r), now = gvm_now_ns();
	struct itimerspec at = { 0 };
	u64 ns = 0;

	if (r->lease_timer == NO_TIMER)
		return;
	if (end != ~0ull)
		ns = boot_ns() + (end > now ? end - now : 1);
	at.it_value.tv_sec = (time_t)(ns / 1000000000ull);
	at.it_value.tv_nsec = (long)(ns % 1000000000ull);
	gvm_sys(SYS_timer_settime, r->lease_timer, TIMER_ABSTIME, &at, 0);
	r->stats->lease_end_ns = ns;
}
