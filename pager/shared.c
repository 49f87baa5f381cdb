// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The life of a shared region's thread: faults, messages, commands, time; then
 * wait for whatever comes first.
 */
#define _GNU_SOURCE
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#include "engine.h"
#include "shared.h"
#include "sys.h"

#define EVENTS		16
#define TICK_NS		50000000ull
#define PARKED_NS	200000ull	/* until parked faults are retried */
#define YIELD_LONG_NS	200000ull	/* others ran for a while */
#define CROWDED_NS	100000000ull
#define OWN_ROUNDS	8u
#define MS		1000000ull

void gvm_shared_fatal(struct gvm_shared *r, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	gvm_fatal_text(r->fatal, r->arg, format, ap);
}

void gvm_shared_watch(struct gvm_shared *r, int op, int fd, u64 data, bool out)
{
	struct epoll_event ev = {
		.events = EPOLLIN | (out ? EPOLLOUT : 0), .data.u64 = data,
	};

	gvm_sys(SYS_epoll_ctl, r->epfd, op, fd, &ev);
}

void gvm_shared_started(struct gvm_shared *r, int result)
{
	if (r->started)
		return;
	__atomic_store_n(&r->started, result, __ATOMIC_RELEASE);
	gvm_futex_wake((u32 *)&r->started);
}

static void tick(struct gvm_shared *r)
{
	r->stood_ns = r->now_ns - r->tick_ns;
	r->tick_ns = r->now_ns;
	gvm_homes_tick(r);
	gvm_peers_tick(r);
	/* Our own server keeps back what nobody waits for: not for ever. */
	r->own_more = r->own_server != NULL;
	gvm_idle_tick(r);
	gvm_shared_monitor_tick(r);
}

/* What the core does by itself as time goes by.  When it wants to be asked. */
static u64 core_tick(struct gvm_shared *r)
{
	u64 first = ~0ull;

	for (u32 i = 0; i < r->homes_nr; i++) {
		struct gvm_home_link *h = &r->homes[i];
		u64 at;

		if (!h->node)
			continue;
		/* What it did may make the next thing due at once. */
		while ((at = gvm_node_deadline(h->node)) <= r->now_ns) {
			gvm_node_tick(h->node, r->now_ns, &r->out);
			if (!r->out.nr)
				break;
			gvm_shared_carry(r, h);
		}
		at = gvm_node_deadline(h->node);
		if (at < first)
			first = at;
	}
	return first;
}

/* Leaving: evict all, then say goodbye.  True: done. */
static bool leave(struct gvm_shared *r)
{
	const bool late = r->now_ns - r->leave_ns > r->wait_ms * MS;

	if (!late && !(gvm_shared_sweep(r) && gvm_homes_leave(r)))
		return false;
	r->stop = 1;
	gvm_shared_command_end(r->leave, late ? -ETIMEDOUT : 0);
	return true;
}

static long wait_for(struct gvm_shared *r, struct epoll_event *events, u64 ns)
{
	const struct timespec ts = {
		(time_t)(ns / 1000000000ull), (long)(ns % 1000000000ull),
	};

	return gvm_sys(SYS_epoll_pwait2, r->epfd, events, EVENTS, &ts, 0, 8);
}

static void dispatch(struct gvm_shared *r, const struct epoll_event *e)
{
	const u32 index = (u32)e->data.u64;
	u64 count;

	switch (e->data.u64 & ~0xffffffffull) {
	case GVM_DATA_UFFD:
		/* Who leaves takes no more pages. */
		if (r->leave)
			gvm_sys(SYS_epoll_ctl, r->epfd, EPOLL_CTL_DEL, r->uffd,
				0);
		else
			gvm_shared_faults(r);
		break;
	case GVM_DATA_WAKE:
		gvm_sys(SYS_read, r->wakefd, &count, sizeof(count));
		break;
	case GVM_DATA_LISTEN:
		gvm_peer_accept(r);
		break;
	case GVM_DATA_HOME:
		gvm_home_link_event(r, index, e->events);
		break;
	case GVM_DATA_PEER:
		gvm_peer_event(r, index, e->events);
		break;
	case GVM_DATA_OWN:
		r->own_readable = true;
		break;
	}
}

/* Has our own server something to do, or something for us? */
static bool own_due(const struct gvm_shared *r)
{
	return r->own_readable || r->own_more ||
		(r->own_pipe && (gvm_pipe_readable(r->own_pipe,
						   GVM_PIPE_SERVER) ||
				 gvm_pipe_readable(r->own_pipe,
						   GVM_PIPE_CLIENT)));
}

/* Were faults read while a page came?  Nothing else tells of them. */
static bool faults_due(const struct gvm_shared *r)
{
	return r->seen_in != r->seen_out && !r->leave;
}

/*
 * Question and answer in turn, until both are quiet.  Not for ever: faults and
 * other nodes wait as well.
 */
static void drive_own(struct gvm_shared *r)
{
	for (u32 i = 0; i < OWN_ROUNDS && own_due(r); i++) {
		r->own_more = r->own_server(r->own_readable, r->arg) > 0;
		r->own_readable = false;
		if (r->own_pipe &&
		    gvm_pipe_readable(r->own_pipe, GVM_PIPE_CLIENT))
			gvm_home_link_event(r, r->own_at, EPOLLIN);
	}
}

/* Is a thread of ours asleep until an answer comes? */
static bool waiting(const struct gvm_shared *r)
{
	for (u32 i = 0; i < r->homes_nr; i++)
		if (r->homes[i].node && gvm_node_wanted(r->homes[i].node))
			return true;
	return false;
}

/*
 * A yield that takes long says that others want this CPU.  It is never idle
 * then, a sleeper is woken ahead of them, and looking on would only put us
 * behind them: not for a while.
 *
 * While a thread of ours waits for a page it is not one of those others, so
 * this is learnt by itself: a thread that runs on when its page has come says
 * nothing about the CPU on which it will sleep again.
 */
static void give_way(struct gvm_shared *r, u64 *crowded_ns)
{
	u64 now;

	gvm_sys(SYS_sched_yield);
	now = gvm_now_ns();
	if (now - r->now_ns > YIELD_LONG_NS)
		*crowded_ns = now + CROWDED_NS;
}

/*
 * Waking an idle CPU can cost more than the rest of a miss, so the thread
 * stays awake for a moment after it did something; the yield lets whoever it
 * waits for run on this CPU.
 *
 * Messages that nobody waits for are kept back for one such look: a thread that
 * has just got its page often wants the next one, and then both go to home in
 * one, which wakes it once.
 */
static void turn(struct gvm_shared *r, u64 deadline)
{
	const struct gvm_home_link *later = r->later;
	u64 *crowded_ns = &r->crowded_ns[waiting(r)];
	struct epoll_event events[EVENTS];
	u64 ns = TICK_NS;
	long n;

	if (deadline < r->now_ns + ns)
		ns = deadline > r->now_ns ? deadline - r->now_ns : 0;
	if (r->parked_nr && ns > PARKED_NS)
		ns = PARKED_NS;
	if (own_due(r) || faults_due(r)) {
		ns = 0;
	} else if (r->now_ns < r->awake_ns && r->now_ns >= *crowded_ns) {
		give_way(r, crowded_ns);
		ns = 0;
	} else {
		gvm_homes_flush(r);
	}
	n = wait_for(r, events, ns);
	r->now_ns = gvm_now_ns();
	for (long i = 0; i < n; i++)
		dispatch(r, &events[i]);
	drive_own(r);
	if (faults_due(r))
		gvm_shared_faults(r);
	/* The thread that was woken had its chance to fault again. */
	if (later && r->later == later)
		gvm_homes_flush(r);
}

void gvm_shared_run(void *region)
{
	struct gvm_shared *r = region;
	u64 deadline, net;

	/* Holds are short: the kernel must not round our sleeps up. */
	gvm_sys(SYS_prctl, PR_SET_TIMERSLACK, 1, 0, 0, 0);
	r->now_ns = gvm_now_ns();
	r->tick_ns = r->now_ns;
	r->homes[0].retry_ns = 1;
	while (!r->stop) {
		gvm_shared_commands_serve(r);
		if (r->parked_nr && !r->leave)
			gvm_shared_retry_parked(r);
		if (r->now_ns - r->tick_ns > TICK_NS)
			tick(r);
		gvm_seed_tick(r);
		deadline = core_tick(r);
		if (r->test_net) {
			net = gvm_test_net_tick(r);
			deadline = net < deadline ? net : deadline;
		}
		if (r->leave && leave(r))
			break;
		turn(r, deadline);
	}
}
