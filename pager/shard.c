// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The life of a shard's thread: serve faults, then commands, then make room,
 * then wait for whatever comes first.
 */
#define _GNU_SOURCE
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/eventfd.h>
#include <time.h>

#include "engine.h"
#include "mem.h"
#include "sys.h"

#define DATA_UFFD	(~0ull)
#define DATA_WAKE	(~1ull)
#define EVENTS		16
#define TICK_NS		50000000ull
#define AWAY_NS		1000000000ull	/* an idle turn takes half of it */
#define LOOKS		8u
#define READ_PART	64u	/* of the frames, in the largest READ */
#define READ_MIN	32u
#define WIDE		4u	/* windows in one, for long streams */

static void watch(struct gvm_shard *s, int fd, u64 data)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = data };

	gvm_sys(SYS_epoll_ctl, s->epfd, EPOLL_CTL_ADD, fd, &ev);
}

/* Also after fork, in the child: descriptors of its own. */
int gvm_shard_open(struct gvm_shard *s)
{
	struct gvm_uffd_caps silent = s->gvm->caps;
	int fd;

	fd = gvm_uffd_open(s->gvm->dev_fd, &s->gvm->caps);
	s->uffd = gvm_fd_high(fd);
	if (s->uffd < 0)
		return s->uffd;
	if (s->gvm->move) {
		/* Nobody touches staging but us, and that is no news. */
		gvm_uffd_caps_no_events(&silent);
		fd = gvm_uffd_open(s->gvm->dev_fd, &silent);
		s->staging_uffd = gvm_fd_high(fd);
		if (s->staging_uffd < 0)
			return s->staging_uffd;
	}
	s->epfd = gvm_fd_high((int)gvm_sys(SYS_epoll_create1, EPOLL_CLOEXEC));
	if (s->epfd < 0)
		return s->epfd;
	s->wakefd = gvm_fd_high((int)gvm_sys(SYS_eventfd2, 0,
					     EFD_CLOEXEC | EFD_NONBLOCK));
	if (s->wakefd < 0)
		return s->wakefd;
	watch(s, s->uffd, DATA_UFFD);
	watch(s, s->wakefd, DATA_WAKE);
	return 0;
}

void gvm_shard_close(struct gvm_shard *s)
{
	const int fds[] = { s->uffd, s->staging_uffd, s->epfd, s->wakefd };

	for (u32 i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (fds[i] < 0)
			continue;
		gvm_fd_mine(fds[i], false);
		gvm_sys(SYS_close, fds[i]);
	}
	s->uffd = -1;
	s->staging_uffd = -1;
	s->epfd = -1;
	s->wakefd = -1;
}

/* Room between the marks pays for a batch; staging is the second chance. */
void gvm_shard_limit(struct gvm_shard *s, u64 frames)
{
	const u64 ring = s->staging.ring;
	u32 wide;

	s->frames = frames;
	/* Two windows fit below the low mark, or they would be cut short. */
	s->low = frames / 64 < 4ull * s->gvm->prefetch_pages ?
		 4ull * s->gvm->prefetch_pages : frames / 64;
	if (s->low > frames / 16)
		s->low = frames / 16;
	s->low = s->low < 8 ? 8 : s->low > 1024 ? 1024 : s->low;
	s->high = 2 * s->low + 32;
	s->staging_target = frames / 8 < 32 ? 32 : frames / 8;
	if (ring && s->staging_target > (ring - 2 * GVM_REQUEST_PAGES) / 2)
		s->staging_target = (ring - 2 * GVM_REQUEST_PAGES) / 2;
	gvm_cache_resize(&s->cache, (u32)frames);
	gvm_recycle_fit(s, 0);
	/* Two of these are under way, and twice as much has to be evicted. */
	wide = WIDE * s->gvm->prefetch_pages;
	gvm_fetch_wide(&s->fetch, wide < s->low / 4 ? wide : (u32)s->low / 4);
}

int gvm_shard_init(struct gvm_shard *s, struct gvm *g, u32 index,
		   struct gvm_stats *stats)
{
	u64 frames = (g->local_bytes >> GVM_PAGE_SHIFT) / g->shards_nr;
	u64 target = frames / 8, part = frames / READ_PART;
	int err;

	s->gvm = g;
	s->index = index;
	s->stats = stats;
	s->read_pages = part < READ_MIN ? READ_MIN : part < GVM_REQUEST_PAGES ?
			(u32)part : GVM_REQUEST_PAGES;
	s->uffd = s->staging_uffd = s->epfd = s->wakefd = -1;
	if (gvm_sys(SYS_getrandom, s->region, 16, 0) != 16 ||
	    gvm_sys(SYS_getrandom, s->token, 16, 0) != 16)
		return -EIO;
	if (target > 65536)
		target = 65536;
	err = gvm_shard_open(s);
	if (!err)
		err = gvm_table_init(&s->table);
	if (!err)
		err = gvm_staging_init(s, target < 32 ? 32 : target);
	if (!err)
		err = gvm_recycle_init(s, frames);
	if (!err)
		err = gvm_requests_init(s);
	if (!err)
		err = gvm_links_init(s);
	if (err)
		return err;
	gvm_cache_init(&s->cache, (u32)frames);
	gvm_fetch_init(&s->fetch, g->prefetch_pages);
	gvm_shard_limit(s, frames);
	gvm_monitor_region(g, index, s->region, s->token);
	return 0;
}

int gvm_shard_start(struct gvm_shard *s)
{
	return gvm_thread_start(&s->thread, gvm_shard_run, s);
}

void gvm_shard_fini(struct gvm_shard *s)
{
	gvm_drop_fini(s);
	gvm_links_fini(s, true);
	if (s->staging.memory)
		gvm_staging_fini(s);
	gvm_recycle_fini(s);
	gvm_mem_unmap((void *)(uintptr_t)s->huge_scratch, GVM_CHUNK_BYTES);
	gvm_table_fini(&s->table);
	gvm_mem_unmap(s->requests, GVM_REQUESTS_MAX * sizeof(*s->requests));
	gvm_shard_close(s);
}

static void gauges(struct gvm_shard *s)
{
	struct gvm_stats *st = s->stats;

	st->resident_pages = s->cache.resident;
	st->staged_pages = s->staging.present;
	st->queue_pages = s->staging.unsent;
	st->held_pages = s->held_pages;
	st->local_bytes = s->frames << GVM_PAGE_SHIFT;
}

static void slow_gauges(struct gvm_shard *s)
{
	struct timespec ts = { 0, 0 };
	u64 stored = 0;

	for (u32 i = 0; i < s->gvm->servers_nr; i++) {
		stored += s->links[i].stored;
		if (i < GVM_STATS_SERVERS)
			s->stats->server[i].pages_free =
				s->links[i].pages_free;
	}
	s->stats->remote_pages = stored;
	s->stats->registered_pages = s->index ? 0 : s->gvm->ranges.pages;
	gvm_sys(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, &ts);
	s->stats->cpu_ns = (u64)ts.tv_sec * 1000000000ull + (u64)ts.tv_nsec;
}

static void tick(struct gvm_shard *s)
{
	u64 wanted;

	/*
	 * Stopped by its user (Ctrl-Z), or with the machine it runs on: that is
	 * not the servers' fault, and their answers may lie unread.
	 */
	if (s->now_ns - s->tick_ns > AWAY_NS) {
		gvm_links_forgive(s);
		s->parked_ns = s->now_ns;
	}
	s->tick_ns = s->now_ns;
	gvm_links_tick(s);
	gvm_fault_check_parked(s);
	slow_gauges(s);
	gvm_place_tick(s);
	if (!s->quiet && !s->making_room)
		gvm_huge_tick(s);
	wanted = __atomic_exchange_n(&s->frames_wanted, 0, __ATOMIC_ACQUIRE);
	if (wanted)
		gvm_shard_limit(s, wanted);
	if (!s->index) {
		wanted = gvm_monitor_wanted(s->gvm);
		if (wanted) {
			s->gvm->local_bytes = wanted;
			gvm_share_limit(s->gvm);
		}
	}
}

/* Deal with the network.  True: the kernel has fault messages. */
static bool poll_events(struct gvm_shard *s, int timeout_ms)
{
	struct epoll_event events[EVENTS];
	bool faults = false;
	u64 count;
	long n;

	n = gvm_sys(SYS_epoll_pwait, s->epfd, events, EVENTS, timeout_ms, 0, 8);
	s->now_ns = gvm_now_ns();
	for (long i = 0; i < n; i++) {
		u64 data = events[i].data.u64;

		if (data == DATA_UFFD)
			faults = true;
		else if (data == DATA_WAKE)
			gvm_sys(SYS_read, s->wakefd, &count, sizeof(count));
		else
			gvm_link_event(s, (u16)(data >> 8), (u8)data,
				       events[i].events);
	}
	return faults;
}

/*
 * Look without sleeping, at what a thread waits for.  True: read the kernel's
 * messages too; not after an answer, since its thread must run first.
 */
static bool look(struct gvm_shard *s)
{
	const u32 before = s->urgent;

	/* The server and the program may need this CPU to get any further. */
	gvm_sys(SYS_sched_yield);
	s->now_ns = gvm_now_ns();
	if (before && gvm_link_up(s, s->urgent_server))
		gvm_link_event(s, s->urgent_server, 0, EPOLLIN);
	return s->urgent == before;
}

/*
 * Wait for whatever comes first.  Waking an idle CPU can cost more than the
 * rest of a remote fault (20 to 50 us in a virtual machine), so the thread
 * stays awake for a moment after each fault and each answer.  Now and then it
 * asks for everything, or the other connections would starve.
 */
static bool wait_events(struct gvm_shard *s, int timeout_ms)
{
	const bool awake = s->now_ns < s->awake_ns;
	bool faults;

	if (timeout_ms && awake && ++s->looks % LOOKS)
		faults = look(s);
	else
		faults = poll_events(s, awake ? 0 : timeout_ms);
	if (s->now_ns - s->tick_ns > TICK_NS)
		tick(s);
	return faults;
}

void gvm_shard_pump(struct gvm_shard *s, int timeout_ms)
{
	/* A fault that waits would end the sleep at once: bound the spin. */
	if (wait_events(s, timeout_ms < 10 ? timeout_ms : 10))
		gvm_sys(SYS_sched_yield);
}

void gvm_shard_run(void *shard)
{
	struct gvm_shard *s = shard;
	bool faults = true, more;
	int timeout_ms;

	s->now_ns = gvm_now_ns();
	while (!s->stop) {
		if (faults || s->events_nr)
			gvm_fault_read_all(s);
		gvm_commands_serve(s);
		if (s->parked_head != s->parked_tail)
			gvm_fault_retry_parked(s);
		more = gvm_evict_work(s);
		gauges(s);
		/*
		 * Alone, with nothing out: only the slow housekeeping is due.
		 * Parked faults are retried when something was released.
		 */
		timeout_ms = more || s->events_nr ? 0 : s->requests_used || s->starting ||
			     s->parked_head != s->parked_tail ? 50 : 500;
		faults = wait_events(s, timeout_ms);
	}
	gvm_links_fini(s, true);
}
