// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Guest RAM as a shared region or as a shared file.
 *
 * With a region, a page that goes away takes its translations along before
 * anybody else may write it (code.c).  The pager calls for that in the thread that
 * serves pages, which is one of QEMU's making so that it may enter QEMU.  It takes
 * no BQL, waits for no vCPU, and never touches guest RAM: page service must go on
 * whatever a vCPU is waiting for.
 */
#include <sys/syscall.h>

#include "accel.h"
#include "ram.h"
#include "serve.h"
#include "giantvm/giantvm.h"

#define SLICE_NS	100000u

static struct {
	void		*base;
	u64		bytes;
	ram_addr_t	at;		/* in QEMU's space of RAM addresses */
	char		*file;
	char		*name;		/* of the region; NULL: a file */
	char		*servers;
	char		**homes;	/* for each: the node that it is in, or "-" */
	char		*listen;
	bool		any_latency;	/* the host's CPUs may sleep as they like */
	struct gvm_shared_config config;
	struct gvm_shared *region;
	void		(*run)(void *region);	/* serves pages */
} ram;

static void take_hex(const char *hex, u8 *to, size_t bytes)
{
	for (size_t i = 0; i < 2 * bytes && g_ascii_isxdigit(hex[i]); i++)
		to[i / 2] |= (u8)(g_ascii_xdigit_value(hex[i]) <<
				  (i % 2 ? 0 : 4));
}

int gvm_ram_option(const char *option)
{
	const char *value = strchr(option, '=');

	if (!value++)
		return -1;
	if (g_str_has_prefix(option, "ram-file="))
		ram.file = g_strdup(value);
	else if (g_str_has_prefix(option, "ram="))
		ram.name = g_strdup(value);
	else if (g_str_has_prefix(option, "servers="))
		ram.servers = g_strdelimit(g_strdup(value), "+", ',');
	else if (g_str_has_prefix(option, "homes="))
		ram.homes = g_strsplit(value, "+", 0);
	else if (g_str_has_prefix(option, "listen="))
		ram.listen = g_strdup(value);
	else if (g_str_has_prefix(option, "member="))
		ram.config.node = (u32)g_ascii_strtoull(value, NULL, 10);
	else if (g_str_has_prefix(option, "slice="))
		ram.config.slice_bytes = g_ascii_strtoull(value, NULL, 10);
	else if (g_str_has_prefix(option, "local="))
		ram.config.local_bytes = g_ascii_strtoull(value, NULL, 10);
	else if (g_str_has_prefix(option, "hold-us="))
		ram.config.hold_us = (u32)g_ascii_strtoull(value, NULL, 10);
	else if (g_str_has_prefix(option, "cpu-latency="))
		ram.any_latency = strcmp(value, "any") == 0;
	else if (g_str_has_prefix(option, "cluster="))
		take_hex(value, ram.config.cluster, sizeof(ram.config.cluster));
	else
		return -1;
	return 0;
}

/* QEMU makes its RAM after the plugin is loaded, and so after the meeting. */
void gvm_ram_prepare(void)
{
	if (ram.file && gvm_has_devices())
		unlink(ram.file);
}

void gvm_ram_everywhere(void)
{
	if (ram.file && gvm_has_devices())
		unlink(ram.file);
}

static ram_addr_t place_of(void *addr)
{
	return ram.at + (ram_addr_t)((u8 *)addr - (u8 *)ram.base);
}

static void flush_code(void *addr, uint64_t bytes, void *arg)
{
	gvm_code_gone(place_of(addr));
}

static void store_waits(void *addr, u32 thread, void *arg)
{
	gvm_code_store_waits(place_of(addr), thread);
}

static void store_goes_on(void *addr, uint64_t bytes, void *arg)
{
	gvm_code_store_goes_on(place_of(addr), bytes);
}

/* The node that has the server which the message is about, or NULL. */
static const char *node_of_server(const char *message)
{
	g_auto(GStrv) servers = g_strsplit(ram.servers ? ram.servers : "", ",",
					   0);

	for (u32 i = 0; servers[i] && ram.homes && ram.homes[i]; i++) {
		g_autofree char *name = g_strdup_printf("server %s ",
							servers[i]);

		if (strstr(message, name) && *ram.homes[i] != '-')
			return ram.homes[i];
	}
	return NULL;
}

/* A server in a node is gone with it: people look for the node. */
static void memory_is_lost(const char *message, void *arg)
{
	const char *node = node_of_server(message);

	if (node) {
		gvm_bus_tell_lost(&gvm_bus, (u32)g_ascii_strtoull(node, NULL, 10));
		gvm_die("node %s is silent or gone, and is home of the guest's memory: %s",
			node, message);
	}
	gvm_die("%s", message);
}

/*
 * Wake up quickly although vCPUs are busy: a page that somebody waits for is
 * worth more than the rest of a vCPU's time slice.  Linux 6.12 and later give
 * that to whoever asks for short slices; others ignore it.
 */
static void be_prompt(void)
{
	struct {
		u32	size, policy;
		u64	flags;
		s32	nice;
		u32	priority;
		u64	slice_ns, deadline, period;
	} attr = { .size = sizeof(attr) };

	if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0))
		return;
	attr.slice_ns = SLICE_NS;
	syscall(SYS_sched_setattr, 0, &attr, 0);
}

static void *serve(void *region)
{
	rcu_register_thread();
	be_prompt();
	ram.run(region);
	rcu_unregister_thread();
	return NULL;
}

static int start(void (*run)(void *region), void *region, void *arg)
{
	static QemuThread thread;

	ram.run = run;
	qemu_thread_create(&thread, "giantvm pages", serve, region,
			   QEMU_THREAD_DETACHED);
	return 0;
}

static int join(const char **ret_why)
{
	struct gvm_shared_config *config = &ram.config;

	config->size = sizeof(*config);
	config->servers = ram.servers ? ram.servers : "";
	config->listen = ram.listen;
	config->memory = ram.base;
	/* The firmware and the kernel fill it from node 0. */
	config->flags = gvm_has_devices() ? GVM_SHARED_CLAIM : 0;
	/* A server in another node begins to answer when it has come so far. */
	config->flags |= GVM_SHARED_LATE;
	if (!ram.any_latency)
		config->flags |= GVM_SHARED_PROMPT;
	config->start = start;
	if (gvm_accel->translates)
		config->flush_code = flush_code;
	if (gvm_accel->translates && gvm_code_has_neighbours()) {
		config->store_waits = store_waits;
		config->store_goes_on = store_goes_on;
	}
	config->turn = gvm_turns_start();
	config->fatal = memory_is_lost;
	config->lease_ms = gvm_bus.lost_ms;
	config->own_fd = gvm_serve_fd();
	config->own_server = config->own_fd >= 0 ? gvm_serve_turn : NULL;
	config->own_at = gvm_serve_at();
	config->own_pipe = gvm_serve_pipe();
	if (!config->local_bytes)
		config->local_bytes = ram.bytes;
	return gvm_map_shared(ram.name, ram.bytes, config, &ram.region, NULL,
			      ret_why);
}

int gvm_ram_start(const char **ret_why)
{
	MachineState *machine = current_machine;
	MemoryRegion *mr = machine->ram;

	if (!mr || !memory_region_is_ram(mr)) {
		*ret_why = "the machine has no RAM of its own";
		return -EINVAL;
	}
	ram.base = memory_region_get_ram_ptr(mr);
	ram.bytes = machine->ram_size;
	ram.at = memory_region_get_ram_addr(mr);
	if (ram.name)
		return join(ret_why);
	if (qemu_ram_is_shared(mr->ram_block) && !gvm_accel->translates)
		return 0;
	if (qemu_ram_is_shared(mr->ram_block))
		*ret_why = "emulated processors cannot share RAM as a file: no node is told which code another one has changed; use giantvm run --cluster";
	else
		*ret_why = "the guest's RAM is not shared between the nodes: use giantvm run --cluster, or a memory-backend-file with share=on";
	return -EINVAL;
}

const char *gvm_ram_name(void)
{
	return ram.name ? ram.name : ram.file ? ram.file : "guest";
}

bool gvm_ram_look(struct gvm_shared_stats *ret_stats)
{
	return ram.region && gvm_shared_stats(ram.region, ret_stats) == 0;
}

static void add(struct gvm_stats_hist *to, const struct gvm_stats_hist *from)
{
	for (unsigned i = 0; i < GVM_STATS_HIST; i++)
		to->n[i] += from->n[i];
}

char *gvm_ram_stats(void)
{
	struct gvm_stats_hist all = { { 0 } };
	struct gvm_shared_stats *s;
	char *line = NULL;

	if (!ram.region)
		return NULL;
	s = g_new0(struct gvm_shared_stats, 1);
	if (gvm_shared_stats(ram.region, s) == 0) {
		for (unsigned kind = 0; kind < GVM_MISS_NR; kind++)
			add(&all, &s->latency[kind]);
		line = g_strdup_printf(
			"faults %" PRIu64 " (read %" PRIu64 ", of them foreseen to write %" PRIu64 ", write %" PRIu64
			", upgrade %" PRIu64 "), pages given %" PRIu64
			", invalidated %" PRIu64 ", code flushes %" PRIu64
			", fault p50 %" PRIu64 " us p99 %" PRIu64 " us",
			s->faults, s->misses[GVM_MISS_READ], s->foreseen,
			s->misses[GVM_MISS_WRITE], s->misses[GVM_MISS_UPGRADE],
			s->given, s->invalidated, gvm_code_count(),
			gvm_stats_percentile(&all, 500) / 1000,
			gvm_stats_percentile(&all, 990) / 1000);
	}
	g_free(s);
	return line;
}
