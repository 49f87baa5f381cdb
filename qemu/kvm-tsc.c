// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One guest has one time-stamp counter: that of its vCPU 0.
 *
 * Under KVM a guest reads its host's counter plus an offset, and hosts have
 * counted from different moments on.  Node 0 says again and again what its vCPU
 * 0 reads at what time of its clock; the others know that clock (clock.c) and
 * set the offsets of their vCPUs so that they read the same.  Before a vCPU
 * runs that is done at a stroke.  Later only drift is left, microseconds: a
 * counter that is ahead is put back, and its vCPU kept until it has caught up
 * with what it may have read.
 *
 * All vCPUs of a node have one offset, to the tick.
 */
#include <linux/kvm.h>

#include "accel.h"
#include "tsc.h"

#define TELL_MS		1000
#define FOLLOW_MIN_MS	50
#define FOLLOW_MAX_MS	1000
#define READ_TRIES	3
#define KHZ_OFF_PPM	1000

static struct {
	QemuSpin	lock;
	struct gvm_tsc	line;		/* node 0's; under the lock */
	CPUState	*first;		/* vCPU of ours that the others follow */
	QEMUTimer	*timer;
	s64		turn_ms;
	bool		busy;		/* the last turn's work is not done */
	u32		khz;		/* of our vCPUs */
} tsc;

static void offset_ioctl(CPUState *cpu, unsigned request, u64 *offset)
{
	const struct kvm_device_attr attr = {
		.group = KVM_VCPU_TSC_CTRL,
		.attr = KVM_VCPU_TSC_OFFSET,
		.addr = (u64)(uintptr_t)offset,
	};
	int err = kvm_vcpu_ioctl(cpu, (int)request, &attr);

	if (err)
		gvm_die("KVM does not let us set the time-stamp counter of a vCPU: %s",
			strerror(-err));
}

static u64 get_offset(CPUState *cpu)
{
	u64 offset;

	offset_ioctl(cpu, KVM_GET_DEVICE_ATTR, &offset);
	return offset;
}

static u64 read_counter(CPUState *cpu)
{
	/* A list of one: its entries follow the head. */
	u64 room[(sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)) / 8] = { 0 };
	struct kvm_msrs *msrs = (struct kvm_msrs *)room;

	msrs->nmsrs = 1;
	msrs->entries[0].index = MSR_IA32_TSC;
	if (kvm_vcpu_ioctl(cpu, KVM_GET_MSRS, msrs) != 1)
		gvm_die("KVM does not say the time-stamp counter of a vCPU");
	return msrs->entries[0].data;
}

/*
 * What a vCPU reads, and when: the quickest of some tries.  Returns how long
 * that one took.
 */
static s64 read_at(CPUState *cpu, s64 (*clock)(void), s64 *ret_ns,
		   u64 *ret_ticks)
{
	s64 quickest = INT64_MAX;

	for (int i = 0; i < READ_TRIES; i++) {
		s64 before_ns = clock();
		u64 now = read_counter(cpu);
		s64 took_ns = clock() - before_ns;

		if (took_ns < quickest) {
			quickest = took_ns;
			*ret_ns = before_ns + took_ns / 2;
			*ret_ticks = now;
		}
	}
	return quickest;
}

static u64 expected(s64 ns)
{
	u64 ticks;

	qemu_spin_lock(&tsc.lock);
	ticks = gvm_tsc_at(&tsc.line, ns);
	qemu_spin_unlock(&tsc.lock);
	return ticks;
}

/* In that vCPU's thread: it does not run. */
static void set_offset(CPUState *cpu, run_on_cpu_data data)
{
	u64 offset = (u64)data.target_ptr;
	u64 seen = read_counter(cpu);

	if (get_offset(cpu) == offset)
		return;
	offset_ioctl(cpu, KVM_SET_DEVICE_ATTR, &offset);
	/* It may have read that already, if the step was not a large one. */
	while (qatomic_read(&cpu->stopped) == false &&
	       read_counter(cpu) < seen)
		cpu_relax();
}

/* The others of this node, as the first one. */
static void set_others(u64 offset, bool wait)
{
	CPUState *cpu;

	CPU_FOREACH(cpu) {
		if (!gvm_mine(cpu) || cpu == tsc.first)
			continue;
		(wait ? run_on_cpu : async_run_on_cpu)
			(cpu, set_offset, RUN_ON_CPU_TARGET_PTR(offset));
	}
}

static void tell(CPUState *cpu, run_on_cpu_data data)
{
	struct gvm_wire msg = { .type = GVM_WIRE_TSC, .arg = tsc.khz };
	s64 ns = 0;

	read_at(cpu, gvm_bus_now_ns, &ns, &msg.val);
	msg.addr = (u64)ns;
	gvm_bus_send_all(&gvm_bus, &msg);
	qatomic_set(&tsc.busy, false);
}

/* So many ticks; known to *ret_doubt_ns. */
static s64 behind(CPUState *cpu, s64 *ret_doubt_ns)
{
	u64 ticks = 0, wanted;
	s64 ns = 0;

	*ret_doubt_ns = read_at(cpu, gvm_clock_node_0, &ns, &ticks);
	wanted = expected(ns);
	return wanted ? (s64)(wanted - ticks) : 0;
}

/* While the guest runs. */
static void follow(CPUState *cpu, run_on_cpu_data data)
{
	s64 doubt_ns;
	s64 error = behind(cpu, &doubt_ns);
	s64 step = gvm_tsc_step(&tsc.line, error, doubt_ns);
	u64 offset;

	if (step) {
		offset = get_offset(cpu) + (u64)step;
		set_offset(cpu, RUN_ON_CPU_TARGET_PTR(offset));
		set_others(offset, false);
	}
	/* Drift tells how often to look: a step should be a small one. */
	tsc.turn_ms = step ? MAX(tsc.turn_ms / 2, FOLLOW_MIN_MS) :
			     MIN(tsc.turn_ms + FOLLOW_MIN_MS, FOLLOW_MAX_MS);
	qatomic_set(&tsc.busy, false);
}

/* Before it runs. */
static void catch_up(CPUState *cpu, run_on_cpu_data data)
{
	s64 doubt_ns;
	u64 offset = get_offset(cpu) + (u64)behind(cpu, &doubt_ns);

	offset_ioctl(cpu, KVM_SET_DEVICE_ATTR, &offset);
}

static void read_offset(CPUState *cpu, run_on_cpu_data data)
{
	*(u64 *)data.host_ptr = get_offset(cpu);
}

/* All vCPUs of this node are stopped, and will run. */
static void on_state(void *opaque, bool running, RunState run_state)
{
	u64 offset;

	if (!running)
		return;
	if (gvm_has_devices())
		run_on_cpu(tsc.first, tell, RUN_ON_CPU_NULL);
	else
		run_on_cpu(tsc.first, catch_up, RUN_ON_CPU_NULL);
	run_on_cpu(tsc.first, read_offset, RUN_ON_CPU_HOST_PTR(&offset));
	set_others(offset, true);
}

static void turn(void *opaque)
{
	if (runstate_is_running() && !qatomic_read(&tsc.busy)) {
		qatomic_set(&tsc.busy, true);
		async_run_on_cpu(tsc.first, gvm_has_devices() ? tell : follow,
				 RUN_ON_CPU_NULL);
	}
	timer_mod(tsc.timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) +
		  tsc.turn_ms);
}

void gvm_kvm_tsc_take(const struct gvm_wire *msg)
{
	u32 most = MAX(msg->arg, tsc.khz), least = MIN(msg->arg, tsc.khz);

	if (most - least > most / 1000000 * KHZ_OFF_PPM)
		gvm_die("the time-stamp counter of node 0's vCPUs has %u kHz and ours %u; on all nodes, give -cpu the word tsc-frequency=%u000, or use -accel tcg,thread=multi",
			msg->arg, tsc.khz, msg->arg);
	qemu_spin_lock(&tsc.lock);
	gvm_tsc_sample(&tsc.line, msg->arg, (s64)msg->addr, msg->val);
	qemu_spin_unlock(&tsc.lock);
}

void gvm_kvm_tsc_start(void)
{
	CPUState *cpu;
	int khz;

	qemu_spin_init(&tsc.lock);
	CPU_FOREACH(cpu) {
		if (gvm_mine(cpu) && !tsc.first)
			tsc.first = cpu;
	}
	khz = kvm_vcpu_ioctl(tsc.first, KVM_GET_TSC_KHZ);
	if (khz <= 0)
		gvm_die("KVM does not say how fast its vCPUs' time-stamp counters run: %s",
			strerror(-khz));
	tsc.khz = (u32)khz;
	tsc.turn_ms = gvm_has_devices() ? TELL_MS : FOLLOW_MAX_MS;
	qemu_add_vm_change_state_handler(on_state, NULL);
	tsc.timer = timer_new_ms(QEMU_CLOCK_REALTIME, turn, NULL);
	timer_mod(tsc.timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) +
		  tsc.turn_ms);
}
