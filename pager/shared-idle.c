// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Keep this host's idle CPUs within call while pages move.
 *
 * A miss is a chain of wake-ups: the page thread here, the one there, and back.
 * To wake a CPU out of a deep sleep, or one that has halted in a virtual machine,
 * takes longer than all else in it (20 us each where this was measured; 50 to
 * 100 us out of a deep C-state).  The kernel lets a process say what latency it
 * can bear: /dev/cpu_dma_latency ("PM QoS").  It is for root, costs power, and so
 * is asked for only while pages come and go.
 *
 * Where it is granted the page thread need not look on by itself for long.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <fcntl.h>

#include "engine.h"
#include "shared.h"
#include "sys.h"

#define BUSY_MOVES	10u	/* misses and messages in a tick: pages move */
#define CALM_TICKS	20u	/* a second without: they do not */
#define DRIVER		"/sys/devices/system/cpu/cpuidle/current_driver"

/* What the kernel takes for "no wish" (PM_QOS_CPU_LATENCY_DEFAULT_VALUE). */
#define ANY_US		2000000000
/* C1, which takes a microsecond or two to leave. */
#define METAL_US	2
/* Poll: whatever halts there goes through the hypervisor. */
#define VIRTUAL_US	0

static bool is_virtual(void)
{
	unsigned int a, b, c = 0, d;

	return __get_cpuid(1, &a, &b, &c, &d) && c >> 31;
}

/* Without a driver the kernel has one way to be idle, and no choice. */
static bool has_driver(void)
{
	char name[8] = "";
	long fd = gvm_sys(SYS_openat, AT_FDCWD, DRIVER, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	gvm_sys(SYS_read, fd, name, sizeof(name) - 1);
	gvm_sys(SYS_close, fd);
	return *name && memcmp(name, "none", 4) != 0;
}

static void say(struct gvm_shared *r, s32 us)
{
	const bool ok = gvm_sys(SYS_write, r->idle_fd, &us, sizeof(us)) ==
		sizeof(us);

	r->prompt = ok && us != ANY_US;
}

void gvm_idle_init(struct gvm_shared *r)
{
	long fd;

	if (!(r->flags & GVM_SHARED_PROMPT) || !has_driver())
		return;
	fd = gvm_sys(SYS_openat, AT_FDCWD, "/dev/cpu_dma_latency",
		     O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		r->idle_fd = gvm_fd_high((int)fd);
}

void gvm_idle_tick(struct gvm_shared *r)
{
	const u64 moves = r->stats->faults + r->stats->received;
	const bool busy = moves - r->idle_moves >= BUSY_MOVES;

	r->idle_moves = moves;
	if (r->idle_fd < 0)
		return;
	r->calm_ticks = busy ? 0 : r->calm_ticks + 1;
	if (busy && !r->prompt)
		say(r, is_virtual() ? VIRTUAL_US : METAL_US);
	else if (r->prompt && r->calm_ticks > CALM_TICKS)
		say(r, ANY_US);
}

/* The kernel forgets the wish with the descriptor. */
void gvm_idle_fini(struct gvm_shared *r)
{
	if (r->idle_fd < 0)
		return;
	gvm_fd_mine(r->idle_fd, false);
	gvm_sys(SYS_close, r->idle_fd);
	r->idle_fd = -1;
}
