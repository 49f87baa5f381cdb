// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vCPUs: those of this node run as always, the others are shadows.
 *
 * A shadow has a thread, because QEMU gives each vCPU work to do and waits for
 * it; the thread never runs guest code.  On node 0 the shadows also stand for
 * their owners when QEMU stops all vCPUs (for a pause, a reset, the end): a
 * shadow has stopped when its owner's node says PAUSED.  So whoever stops the
 * guest on node 0 finds it stopped everywhere, and nothing in QEMU needs to
 * know.
 *
 * All of this is under the BQL, which the waits give up.
 */
#include "accel.h"

/* Node 0's view of the others: they begin paused, and wait for RESUME. */
static struct {
	bool	told;		/* PAUSE is on its way, or was answered */
	bool	paused;
} nodes[GVM_GUEST_NODES_MAX];

static void (*ops_init)(AccelOpsClass *ops);

static void kick_shadows(u32 node)
{
	CPUState *cpu;

	CPU_FOREACH(cpu) {
		if (gvm_owner(cpu) == node)
			qemu_cond_broadcast(cpu->halt_cond);
	}
}

void gvm_threads_paused(u32 node)
{
	nodes[node].paused = true;
	kick_shadows(node);
}

void gvm_threads_left(u32 node)
{
	nodes[node].told = true;
	gvm_threads_paused(node);
}

/* May this shadow say that it has stopped? */
static bool owner_paused(CPUState *cpu)
{
	const struct gvm_wire pause = { .type = GVM_WIRE_PAUSE };
	u32 owner = gvm_owner(cpu);

	if (!gvm_has_devices())
		return true;
	if (!nodes[owner].told) {
		nodes[owner].told = true;
		gvm_bus_send(&gvm_bus, owner, &pause);
	}
	return nodes[owner].paused;
}

static void owner_resume(CPUState *cpu)
{
	struct gvm_wire resume = { .type = GVM_WIRE_RESUME };
	u32 owner = gvm_owner(cpu);

	if (!gvm_has_devices() || !nodes[owner].told ||
	    gvm_bus.peer[owner].left)
		return;
	nodes[owner].told = false;
	nodes[owner].paused = false;
	resume.val = gvm_clock_base();
	gvm_bus_send(&gvm_bus, owner, &resume);
}

static void *shadow(void *arg)
{
	CPUState *cpu = arg;

	rcu_register_thread();
	bql_lock();
	qemu_thread_get_self(cpu->thread);
	cpu->thread_id = qemu_get_thread_id();
	shim_can_do_io(cpu);
	current_cpu = cpu;
	cpu_thread_signal_created(cpu);
	while (!cpu->unplug) {
		if (cpu->stop ? !owner_paused(cpu) :
				cpu_work_list_empty(cpu)) {
			if (!cpu->stop && !cpu->stopped)
				owner_resume(cpu);
			bql_wait(cpu->halt_cond);
			continue;
		}
		qemu_wait_io_event_common(cpu);
	}
	cpu_thread_signal_destroyed(cpu);
	bql_unlock();
	rcu_unregister_thread();
	return NULL;
}

static void create(CPUState *cpu)
{
	char name[16];

	if ((u32)cpu->cpu_index >= gvm_bus.guest.vcpus_nr)
		gvm_die("QEMU makes vCPU %d, but the nodes have %u vCPUs together; make -smp and the nodes' vCPUs agree",
			cpu->cpu_index, gvm_bus.guest.vcpus_nr);
	if (gvm_mine(cpu)) {
		gvm_accel->create(cpu);
		return;
	}
	shim_new_thread(cpu);
	if (gvm_accel->shadow)
		gvm_accel->shadow(cpu);
	snprintf(name, sizeof(name), "shadow %d", cpu->cpu_index);
	qemu_thread_create(cpu->thread, name, shadow, cpu,
			   QEMU_THREAD_JOINABLE);
}

static void init(AccelOpsClass *ops)
{
	if (ops_init)
		ops_init(ops);
	gvm_clock_hook(ops);
	gvm_accel->hook(ops);
	ops->create_vcpu_thread = create;
	gvm_interrupt_hook(ops);
}

void gvm_threads_hook(void)
{
	AccelOpsClass *ops = ACCEL_OPS_CLASS(
		module_object_class_by_name(gvm_accel->ops));

	ops_init = ops->ops_init;
	ops->ops_init = init;
	for (u32 i = 0; i < GVM_GUEST_NODES_MAX; i++)
		nodes[i].told = nodes[i].paused = true;
}
