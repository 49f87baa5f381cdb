// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The thread of a vCPU of ours, under TCG: what QEMU's own does, and two things
 * more.  Translations of pages that are gone are dropped before it runs (code.c).  A
 * locked operation that no single instruction of the host can do is carried out with
 * the other vCPUs stopped; QEMU stops those of its process, and lock.c those of all
 * nodes.
 *
 * QEMU's thread function is static, so this is another one, of the same parts.
 */
#include "vcpu.h"

struct force_rcu {
	Notifier	notifier;
	CPUState	*cpu;
};

static void do_nothing(CPUState *cpu, run_on_cpu_data data)
{
}

/* Somebody waits for a grace period: leave the guest for a moment. */
static void force_rcu(Notifier *notifier, void *data)
{
	CPUState *cpu = container_of(notifier, struct force_rcu, notifier)->cpu;

	async_run_on_cpu(cpu, do_nothing, RUN_ON_CPU_NULL);
}

/* Run the guest until something wants the thread.  With the BQL. */
static void run(CPUState *cpu)
{
	int why;

	bql_unlock();
	gvm_code_enter(cpu);
	cpu_exec_start(cpu);
	why = cpu_exec(cpu);
	cpu_exec_end(cpu);
	gvm_code_leave(cpu);
	gvm_contention_left(cpu, why);
	if (why == EXCP_ATOMIC) {
		gvm_lock_take(cpu);
		gvm_code_enter(cpu);
		cpu_exec_step_atomic(cpu);
		gvm_code_leave(cpu);
		gvm_lock_give(cpu);
	}
	bql_lock();
	if (why == EXCP_DEBUG)
		cpu_handle_guest_debug(cpu);
}

static void *loop(void *arg)
{
	CPUState *cpu = arg;
	struct force_rcu rcu = {
		.notifier.notify = force_rcu, .cpu = cpu,
	};

	rcu_register_thread();
	rcu_add_force_rcu_notifier(&rcu.notifier);
	tcg_register_thread();
	bql_lock();
	qemu_thread_get_self(cpu->thread);
	cpu->thread_id = qemu_get_thread_id();
	shim_can_do_io(cpu);
	current_cpu = cpu;
	cpu_thread_signal_created(cpu);
	qemu_guest_random_seed_thread_part2(cpu->random_seed);
	/* Work may have been queued already. */
	cpu->exit_request = 1;
	do {
		if (cpu_can_run(cpu))
			run(cpu);
		qatomic_set_mb(&cpu->exit_request, 0);
		qemu_wait_io_event(cpu);
	} while (!cpu->unplug || cpu_can_run(cpu));
	cpu_thread_signal_destroyed(cpu);
	bql_unlock();
	rcu_remove_force_rcu_notifier(&rcu.notifier);
	rcu_unregister_thread();
	return NULL;
}

void gvm_loop_create(CPUState *cpu)
{
	char name[16];

	/* There are other vCPUs, if not in this process. */
	cpu->tcg_cflags = (u32)cpu->cluster_index << CF_CLUSTER_SHIFT |
			  CF_PARALLEL;
	shim_new_thread(cpu);
	snprintf(name, sizeof(name), "CPU %d/TCG", cpu->cpu_index);
	qemu_thread_create(cpu->thread, name, loop, cpu, QEMU_THREAD_JOINABLE);
}
