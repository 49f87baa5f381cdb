// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One guest has one time: node 0's.
 *
 * Guest time is QEMU's virtual clock of node 0: nanoseconds that stand still
 * while the guest is paused.  Another node knows node 0's host clock from round
 * trips (slew.c), and from RESUME what lies between it and guest time.  Under
 * TCG the guest's time-stamp counter is the same number (accel.c); under KVM it
 * follows vCPU 0's (kvm-tsc.c).
 */
#include "vcpu.h"
#include "slew.h"

static struct {
	QemuSpin	lock;
	struct gvm_slew	slew;
	s64		base_ns;	/* guest time minus node 0's host time */
	s64		last_ns;	/* nobody reads less: no way back */
	bool		running;
	s64		slow;		/* for tests: guest time is so much slower */
	/* For tests: this host's clock as if it were another's. */
	s64		pretend_ns;
	s64		pretend_ppm;
	s64		since_ns;
} clk;

static s64 host_now(void)
{
	s64 now_ns = gvm_bus_now_ns();

	return now_ns + clk.pretend_ns +
	       (now_ns - clk.since_ns) / 1000000 * clk.pretend_ppm;
}

void gvm_clock_pretend(s64 offset_ns, s64 rate_ppm)
{
	clk.since_ns = gvm_bus_now_ns();
	clk.pretend_ns = offset_ns;
	clk.pretend_ppm = rate_ppm;
}

static s64 follow(void)
{
	s64 now_ns = host_now();

	qemu_spin_lock(&clk.lock);
	if (clk.running) {
		s64 guest_ns = gvm_slew_read(&clk.slew, now_ns) + clk.base_ns;

		if (guest_ns > clk.last_ns)
			clk.last_ns = guest_ns;
	}
	now_ns = clk.last_ns;
	qemu_spin_unlock(&clk.lock);
	return now_ns / clk.slow;
}

static s64 slowed(void)
{
	return cpu_get_clock() / clk.slow;
}

void gvm_clock_hook(AccelOpsClass *ops)
{
	const char *slow = getenv("GIANTVM_TEST_SLOW");

	qemu_spin_init(&clk.lock);
	clk.slow = slow ? MAX(1, g_ascii_strtoll(slow, NULL, 10)) : 1;
	if (!gvm_has_devices())
		ops->get_virtual_clock = follow;
	else if (clk.slow > 1)
		ops->get_virtual_clock = slowed;
}

s64 gvm_clock_node_0(void)
{
	s64 now_ns = host_now();

	qemu_spin_lock(&clk.lock);
	now_ns = gvm_slew_read(&clk.slew, now_ns);
	qemu_spin_unlock(&clk.lock);
	return now_ns;
}

u64 gvm_clock_base(void)
{
	return (u64)(cpu_get_clock() - gvm_bus_now_ns());
}

/* val is what we said in PING, by the plain clock: only the trip is in it. */
void gvm_clock_pong(const struct gvm_wire *msg)
{
	s64 received_ns = host_now();
	s64 trip_ns = gvm_bus_now_ns() - (s64)msg->val;

	qemu_spin_lock(&clk.lock);
	gvm_slew_sample(&clk.slew, received_ns - trip_ns, received_ns,
			(s64)msg->addr);
	qemu_spin_unlock(&clk.lock);
}

void gvm_clock_resume(u64 base)
{
	qemu_spin_lock(&clk.lock);
	clk.slew.in_use = true;
	clk.base_ns = (s64)base;
	clk.running = true;
	qemu_spin_unlock(&clk.lock);
}

void gvm_clock_pause(void)
{
	follow();
	qemu_spin_lock(&clk.lock);
	clk.running = false;
	qemu_spin_unlock(&clk.lock);
}
