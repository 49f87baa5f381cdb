// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * giantvm-vcpu.so: several stock QEMU processes run one guest.
 *
 *	-plugin giantvm-vcpu.so,node=N,nodes=NODES[,OPTION=VALUE...]
 *
 * NODES is the text of guest.h.  `giantvm run --cluster` writes this line.
 * The options:
 *
 *	wait-ms=60000		how long to wait for all nodes at the start
 *	lost-ms=10000		a node that is silent for so long is lost
 *	stats=on		say at the end what crossed the network
 *	pretend-ns=, pretend-ppm=	tests: a host clock that is off by so much
 *
 * and those of ram.h and serve.h.  The environment has GIANTVM_COMMAND: what of
 * the command line must be equal on all nodes, as one line; absent: not compared.
 *
 * This file only puts the others together: QEMU calls the install function before any
 * part of the machine exists, and machine_done() when all of it does.
 */
#include <stdarg.h>

#include "accel.h"
#include "ram.h"
#include "serve.h"

#define WAIT_MS		60000u
#define LOST_MS		10000u
#define EXIT_FATAL	125

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

struct gvm_bus gvm_bus;

static bool stats;
static s64 pretend_ns, pretend_ppm;
static char *nodes_text;

static void say(const char *format, va_list args)
{
	g_autofree char *text = g_strdup_vprintf(format, args);

	fprintf(stderr, "giantvm: %s\n", text);
}

void gvm_say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
}

/* From any thread, whatever locks it holds. */
void gvm_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	_exit(EXIT_FATAL);
}

static void take(void *arg, u32 from, const struct gvm_wire *msg)
{
	switch (msg->type) {
	case GVM_WIRE_PONG:
		gvm_clock_pong(msg);
		return;
	case GVM_WIRE_REPLY:
		gvm_forward_reply(msg);
		return;
	case GVM_WIRE_TSC:
		if (gvm_accel->take_tsc)
			gvm_accel->take_tsc(msg);
		return;
	case GVM_WIRE_READY:
		if (msg->val != gvm_bus.machine)
			gvm_die("the guest's processors would have other features on node %u than on this one; give -cpu a model that all hosts have in full, such as -cpu Haswell or -cpu EPYC",
				from);
		if (gvm_bus_all_ready(&gvm_bus))
			gvm_ram_everywhere();
		return;
	case GVM_WIRE_LOCK:
	case GVM_WIRE_FREEZE:
	case GVM_WIRE_FROZEN:
	case GVM_WIRE_LOCKED:
	case GVM_WIRE_UNLOCK:
	case GVM_WIRE_THAW:
		gvm_lock_take_message(from, msg);
		return;
	case GVM_WIRE_COUNTER:
	case GVM_WIRE_HOTPAGE:
	case GVM_WIRE_AREA:
		gvm_watch_take(from, msg);
		return;
	case GVM_WIRE_TURN:
	case GVM_WIRE_TURNASK:
		gvm_contention_take(from, msg);
		return;
	case GVM_WIRE_BYE:
		gvm_watch_take(from, msg);
		gvm_lock_left(from);
		gvm_life_take(from, msg);
		return;
	case GVM_WIRE_PAUSE:
	case GVM_WIRE_PAUSED:
	case GVM_WIRE_RESUME:
	case GVM_WIRE_RESET:
	case GVM_WIRE_ASK:
		gvm_life_take(from, msg);
		return;
	}
	/* Sent before a reset of the guest, and overtaken by it. */
	if (msg->epoch < qatomic_load_acquire(&gvm_bus.epoch) &&
	    msg->type != GVM_WIRE_READ && msg->type != GVM_WIRE_WRITE)
		return;
	bql_lock();
	if (msg->type == GVM_WIRE_READ || msg->type == GVM_WIRE_WRITE)
		gvm_forward_serve(from, msg);
	else
		gvm_interrupt_take(from, msg);
	bql_unlock();
}

static void thread_begins(void *arg)
{
	rcu_register_thread();
}

static void news(void *arg, const char *text)
{
	gvm_say("%s", text);
}

static void machine_done(Notifier *notifier, void *data)
{
	const char *why = "out of memory";
	int err;

	if (current_machine->smp.max_cpus != gvm_bus.guest.vcpus_nr)
		gvm_die("the guest has %u vCPUs, but the nodes have %u together; make -smp and the nodes' vCPUs agree",
			current_machine->smp.max_cpus, gvm_bus.guest.vcpus_nr);
	if (!object_dynamic_cast(OBJECT(current_machine), TYPE_PC_MACHINE))
		gvm_die("this machine cannot be split over nodes; use -machine q35");
	gvm_guard_objects();
	if (!gvm_apic(first_cpu)->io_memory.ops)
		gvm_die("the local APICs of this machine are not QEMU's own, and other nodes could not see them; use -machine q35 and leave kernel-irqchip away");
	if (gvm_ram_start(&why))
		gvm_die("%s", why);
	why = gvm_accel->start ? gvm_accel->start() : NULL;
	if (why)
		gvm_die("%s", why);
	gvm_bus.machine = gvm_accel_features();
	gvm_interrupt_start();
	gvm_forward_start();
	gvm_life_start();
	gvm_lock_start();
	gvm_watch_start();
	err = gvm_bus_start(&gvm_bus);
	if (err)
		gvm_die("cannot start the bus: %s", strerror(-err));
}

static void print_stats(Notifier *notifier, void *data)
{
	g_autoptr(GString) line = g_string_new(NULL);
	g_autofree char *memory = NULL;

	if (!stats)
		return;
	for (u32 i = 0; i < GVM_WIRE_NR; i++)
		if (gvm_bus.sent[i])
			g_string_append_printf(line, " %s %" PRIu64,
					       gvm_wire_name(i),
					       gvm_bus.sent[i]);
	gvm_say("node %u sent:%s", gvm_bus.guest.me, line->str);
	if (gvm_lock_count())
		gvm_say("node %u stopped all vCPUs for %" PRIu64 " locked operations",
			gvm_bus.guest.me, gvm_lock_count());
	if (gvm_contention_turns())
		gvm_say("node %u had %" PRIu64 " turns in asking for pages",
			gvm_bus.guest.me, gvm_contention_turns());
	memory = gvm_ram_stats();
	if (memory)
		gvm_say("node %u memory: %s", gvm_bus.guest.me, memory);
}

static Notifier done_notifier = { .notify = machine_done };
static Notifier stats_notifier = { .notify = print_stats };

static int take_option(const char *option)
{
	const char *value = strchr(option, '=');
	gint64 number;

	if (!value)
		return -1;
	if (gvm_ram_option(option) == 0 || gvm_serve_option(option) == 0)
		return 0;
	value++;
	if (g_str_has_prefix(option, "nodes=")) {
		nodes_text = g_strdup(value);
		return 0;
	}
	if (g_str_has_prefix(option, "stats=")) {
		stats = strcmp(value, "on") == 0;
		return 0;
	}
	if (!g_ascii_string_to_signed(value, 10, INT64_MIN / 2, INT64_MAX / 2,
				      &number, NULL))
		return -1;
	if (g_str_has_prefix(option, "node="))
		gvm_bus.guest.me = (u32)number;
	else if (g_str_has_prefix(option, "wait-ms="))
		gvm_bus.wait_ms = (u32)number;
	else if (g_str_has_prefix(option, "lost-ms="))
		gvm_bus.lost_ms = (u32)number;
	else if (g_str_has_prefix(option, "turn-us="))
		gvm_turns_set((u64)number);
	else if (g_str_has_prefix(option, "pretend-ns="))
		pretend_ns = number;
	else if (g_str_has_prefix(option, "pretend-ppm="))
		pretend_ppm = number;
	else
		return -1;
	return 0;
}

static int take_options(int argc, char **argv)
{
	const char *why;

	for (int i = 0; i < argc; i++) {
		if (take_option(argv[i])) {
			gvm_say("giantvm-vcpu.so does not know the option %s",
				argv[i]);
			return -1;
		}
	}
	if (!nodes_text) {
		gvm_say("giantvm-vcpu.so needs nodes=; use giantvm run --cluster");
		return -1;
	}
	if (gvm_guest_parse(&gvm_bus.guest, nodes_text, &why)) {
		gvm_say("the nodes of the guest are wrong: %s", why);
		return -1;
	}
	if (gvm_bus.guest.me >= gvm_bus.guest.nodes_nr) {
		gvm_say("there is no node %u: the guest has %u nodes",
			gvm_bus.guest.me, gvm_bus.guest.nodes_nr);
		return -1;
	}
	return 0;
}

static int meet(void)
{
	const char *command = getenv("GIANTVM_COMMAND");
	const struct gvm_bus_hello hello = {
		.name = { "version of giantvm", "version of QEMU",
			  "accelerator", "cluster", "command line" },
		.value = { GVM_VERSION, GVM_QEMU_PACKAGE, gvm_accel->name,
			   nodes_text, command ? command : "" },
	};
	char why[GVM_BUS_WHY_MAX];

	if (gvm_bus_open(&gvm_bus, &hello, why)) {
		gvm_say("%s", why);
		return -1;
	}
	return 0;
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
					   const qemu_info_t *info, int argc,
					   char **argv)
{
	const char *why;

	gvm_bus.wait_ms = WAIT_MS;
	gvm_bus.lost_ms = LOST_MS;
	gvm_bus.message = take;
	gvm_bus.thread = thread_begins;
	gvm_bus.lost = gvm_life_lost;
	gvm_bus.say = news;
	gvm_bus.second = gvm_watch_second;
	if (gvm_guard() || take_options(argc, argv))
		return -1;
	why = gvm_accel_choose();
	if (why) {
		gvm_say("%s", why);
		return -1;
	}
	gvm_clock_pretend(pretend_ns, pretend_ppm);
	gvm_ram_prepare();
	why = "out of memory";
	if (gvm_serve_open(&why)) {
		gvm_say("%s", why);
		return -1;
	}
	if (meet())
		return -1;
	gvm_code_start();
	gvm_threads_hook();
	gvm_life_hook();
	qemu_add_machine_init_done_notifier(&done_notifier);
	qemu_add_exit_notifier(&stats_notifier);
	return 0;
}
