// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Start, pause, reset and end: node 0 decides, the others follow.
 *
 * QEMU's main thread does all of it; the thread that receives hands over and,
 * for RESET and RESUME, waits until it is done, because what comes next from
 * node 0 (a SIPI) counts on it.  It does not wait for PAUSE: vCPUs may wait for
 * answers that this very thread must receive.
 *
 * What an operator or a triple fault does on another node is asked of node 0,
 * which then tells everybody.
 */
#include "vcpu.h"

static bool ordered_running;	/* other nodes: as node 0 wants it */
static bool started;		/* the initial reset is over */
static bool by_bye;		/* we end because another node does */

struct order {
	struct gvm_wire	msg;
	QemuSemaphore	*done;
};

static void ask_node_0(u32 what)
{
	const struct gvm_wire ask = { .type = GVM_WIRE_ASK, .arg = what };

	gvm_bus_send(&gvm_bus, 0, &ask);
}

/* The vCPUs here are stopped; the shadows' state is as good as any. */
static void reset_vcpus(void)
{
	CPUState *cpu;

	CPU_FOREACH(cpu) {
		cpu_synchronize_state(cpu);
		cpu_reset(cpu);
		x86_cpu_after_reset(X86_CPU(cpu));
		cpu_synchronize_post_reset(cpu);
	}
}

/* In the main thread of another node than 0, with the BQL. */
static void obey(void *opaque)
{
	const struct gvm_wire paused = { .type = GVM_WIRE_PAUSED };
	struct order *order = opaque;

	switch (order->msg.type) {
	case GVM_WIRE_PAUSE:
		ordered_running = false;
		vm_stop(RUN_STATE_PAUSED);
		gvm_clock_pause();
		gvm_bus_send(&gvm_bus, 0, &paused);
		break;
	case GVM_WIRE_RESET:
		qatomic_store_release(&gvm_bus.epoch, order->msg.epoch);
		reset_vcpus();
		break;
	case GVM_WIRE_RESUME:
		ordered_running = true;
		gvm_clock_resume(order->msg.val);
		vm_start();
		break;
	}
	if (order->done)
		qemu_sem_post(order->done);
	g_free(order);
}

static void hand_over(const struct gvm_wire *msg, bool wait)
{
	struct order *order = g_new0(struct order, 1);
	QemuSemaphore done;

	order->msg = *msg;
	if (wait) {
		qemu_sem_init(&done, 0);
		order->done = &done;
	}
	aio_bh_schedule_oneshot(qemu_get_aio_context(), obey, order);
	if (wait) {
		qemu_sem_wait(&done);
		qemu_sem_destroy(&done);
	}
}

static void resume_here(void *opaque)
{
	vm_start();
}

/* Node 0, with the BQL. */
static void grant(u32 what)
{
	switch (what) {
	case GVM_ASK_RESET:
		qemu_system_reset_request(SHUTDOWN_CAUSE_GUEST_RESET);
		break;
	case GVM_ASK_PAUSE:
		qemu_system_vmstop_request_prepare();
		qemu_system_vmstop_request(RUN_STATE_PAUSED);
		break;
	case GVM_ASK_RESUME:
		aio_bh_schedule_oneshot(qemu_get_aio_context(), resume_here,
					NULL);
		break;
	}
}

static void end(u32 from)
{
	qatomic_set(&by_bye, true);
	if (from != 0)
		gvm_say("node %u has ended; so does the guest", from);
	gvm_threads_left(from);
	qemu_system_shutdown_request(from == 0 ?
				     SHUTDOWN_CAUSE_GUEST_SHUTDOWN :
				     SHUTDOWN_CAUSE_HOST_QMP_QUIT);
}

void gvm_life_take(u32 from, const struct gvm_wire *msg)
{
	switch (msg->type) {
	case GVM_WIRE_PAUSE:
		hand_over(msg, false);
		return;
	case GVM_WIRE_RESET:
	case GVM_WIRE_RESUME:
		hand_over(msg, true);
		return;
	}
	bql_lock();
	if (msg->type == GVM_WIRE_PAUSED)
		gvm_threads_paused(from);
	else if (msg->type == GVM_WIRE_ASK)
		grant(msg->arg);
	else if (msg->type == GVM_WIRE_BYE)
		end(from);
	bql_unlock();
}

/*
 * Any reset of this QEMU.  On node 0 all vCPUs have stopped, here and
 * elsewhere (threads.c); the others' reset is ordered before their RESUME.  On
 * another node it is that node's own idea, a triple fault: its vCPUs are reset
 * already, and node 0 will do it for all.
 */
static void on_reset(void *opaque)
{
	const struct gvm_wire reset = { .type = GVM_WIRE_RESET };

	if (gvm_has_devices()) {
		qatomic_store_release(&gvm_bus.epoch, gvm_bus.epoch + 1);
		gvm_bus_send_all(&gvm_bus, &reset);
	} else if (started) {
		ask_node_0(GVM_ASK_RESET);
	}
}

static void on_state(void *opaque, bool running, RunState state)
{
	started = true;
	if (gvm_has_devices() || running == ordered_running ||
	    state == RUN_STATE_SHUTDOWN)
		return;
	ask_node_0(running ? GVM_ASK_RESUME : GVM_ASK_PAUSE);
}

static void on_end(Notifier *notifier, void *data)
{
	const struct gvm_wire bye = { .type = GVM_WIRE_BYE };

	gvm_bus_send_all(&gvm_bus, &bye);
	qatomic_store_release(&gvm_bus.quiet, true);
}

static Notifier exit_notifier = { .notify = on_end };

void gvm_life_hook(void)
{
	qemu_register_reset(on_reset, NULL);
	qemu_add_vm_change_state_handler(on_state, NULL);
	qemu_add_exit_notifier(&exit_notifier);
}

/* The others start stopped, whatever their command line says. */
void gvm_life_start(void)
{
	if (!gvm_has_devices())
		autostart = 0;
}

/* Nobody computes on without that node: the guest ends here and now. */
void gvm_life_lost(void *arg, u32 node, const char *why)
{
	const struct gvm_guest *g = &gvm_bus.guest;

	gvm_die("node %u (%s:%s) %s; the guest cannot go on without it and is ended",
		node, g->host[node], g->port[node], why);
}
