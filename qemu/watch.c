// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What this node does, once a second: into a file for who watches the guest on
 * this host (giantvm/guest.h), and to the other nodes for who watches it there.
 *
 * All of it in the thread that watches the bus, which never waits for the
 * guest: it takes no BQL, and looks at vCPUs without one.  What it reads of
 * them is a number for people.
 */
#include "vcpu.h"
#include "ram.h"
#include "giantvm/guest.h"

#define KERNEL_HALF	0xffff800000000000ull

static_assert(GVM_GUEST_STATS_NODES >= GVM_GUEST_NODES_MAX, "room for all");
static_assert(GVM_GUEST_STATS_VCPUS >= GVM_GUEST_VCPUS_MAX, "room for all");
static_assert(GVM_WIRE_COUNTERS >= GVM_GUEST_COUNTER_NR, "wire.c judges it");
static_assert(GVM_WIRE_HOT >= GVM_SHARED_HOT, "wire.c judges it");

static struct {
	struct gvm_guest_stats *all;
	struct gvm_guest_node *mine;	/* there */
	struct gvm_guest_node said;	/* what the others have */
	u64	area_said[GVM_GUEST_VCPUS_MAX];
	struct gvm_shared_stats *now, *before;
} watch;

static void tell(u32 type, u32 arg, u32 cpu, u64 addr, u64 val)
{
	const struct gvm_wire msg = {
		.type = (u16)type, .arg = arg, .cpu = (u16)cpu, .addr = addr,
		.val = val,
	};

	gvm_bus_send_all(&gvm_bus, &msg);
}

/* Percentiles of the last second; they stay when nothing happened. */
static void latency(u64 *counter, const struct gvm_stats_hist *now,
		    const struct gvm_stats_hist *before)
{
	struct gvm_stats_hist last;
	u64 grown = 0;

	for (u32 i = 0; i < GVM_STATS_HIST; i++) {
		last.n[i] = now->n[i] - before->n[i];
		grown += last.n[i];
	}
	if (!grown)
		return;
	counter[0] = gvm_stats_percentile(&last, 500);
	counter[1] = gvm_stats_percentile(&last, 990);
}

static void look_at_memory(u64 *c)
{
	const struct gvm_shared_stats *s = watch.now;
	struct gvm_shared_stats *swap;

	if (!gvm_ram_look(watch.now))
		return;
	c[GVM_GUEST_FAULTS] = s->faults;
	c[GVM_GUEST_MISSES_READ] = s->misses[GVM_MISS_READ];
	c[GVM_GUEST_MISSES_WRITE] = s->misses[GVM_MISS_WRITE];
	c[GVM_GUEST_MISSES_UPGRADE] = s->misses[GVM_MISS_UPGRADE];
	c[GVM_GUEST_TAKEN] = s->installed;
	c[GVM_GUEST_GIVEN] = s->given;
	c[GVM_GUEST_SERVED] = s->served;
	c[GVM_GUEST_INVALIDATED] = s->invalidated;
	c[GVM_GUEST_EVICTED] = s->evicted_clean + s->evicted_dirty;
	c[GVM_GUEST_RESIDENT_PAGES] = s->resident_pages;
	c[GVM_GUEST_LOCAL_PAGES] = s->local_bytes / TARGET_PAGE_SIZE;
	latency(&c[GVM_GUEST_READ_P50_NS], &s->latency[GVM_MISS_READ],
		&watch.before->latency[GVM_MISS_READ]);
	latency(&c[GVM_GUEST_WRITE_P50_NS], &s->latency[GVM_MISS_WRITE],
		&watch.before->latency[GVM_MISS_WRITE]);
	latency(&c[GVM_GUEST_UPGRADE_P50_NS], &s->latency[GVM_MISS_UPGRADE],
		&watch.before->latency[GVM_MISS_UPGRADE]);
	memcpy(watch.mine->hot, s->hot, s->hot_nr * sizeof(*s->hot));
	swap = watch.before;
	watch.before = watch.now;
	watch.now = swap;
}

static u64 sum(const u64 *of, const u32 *types, u32 nr)
{
	u64 all = 0;

	for (u32 i = 0; i < nr; i++)
		all += qatomic_read(&of[types[i]]);
	return all;
}

static void look(void)
{
	static const u32 irqs[] = { GVM_WIRE_IRQ, GVM_WIRE_INIT, GVM_WIRE_SIPI,
				    GVM_WIRE_NMI, GVM_WIRE_SMI };
	static const u32 accesses[] = { GVM_WIRE_READ, GVM_WIRE_WRITE };
	u64 *c = watch.mine->counter;

	look_at_memory(c);
	c[GVM_GUEST_CODE_FLUSHES] = gvm_code_count();
	c[GVM_GUEST_PORT_FORWARDS] = gvm_forward_count(true);
	c[GVM_GUEST_MEMORY_FORWARDS] = gvm_forward_count(false);
	c[GVM_GUEST_FORWARDS_SERVED] = sum(gvm_bus.received, accesses, 2);
	c[GVM_GUEST_IRQS_SENT] = sum(gvm_bus.sent, irqs, 5);
	c[GVM_GUEST_IRQS_RECEIVED] = sum(gvm_bus.received, irqs, 5);
	c[GVM_GUEST_LOCKS] = gvm_lock_count();
	c[GVM_GUEST_TURNS] = gvm_contention_turns();
	c[GVM_GUEST_PID] = (u64)getpid();
	c[GVM_GUEST_TIME_NS] = (u64)gvm_bus_now_ns();
}

/*
 * In the kernel GS is the base of the vCPU's own data, in a program it is kept
 * aside.
 */
static u64 area_of(CPUState *cpu)
{
	const CPUX86State *env = &X86_CPU(cpu)->env;
	u64 base = env->segs[R_GS].base;

	return base >= KERNEL_HALF ? base :
	       env->kernelgsbase >= KERNEL_HALF ? env->kernelgsbase : 0;
}

static void say_areas(void)
{
	CPUState *cpu;

	CPU_FOREACH(cpu) {
		u32 i = (u32)cpu->cpu_index;
		u64 area = gvm_mine(cpu) ? area_of(cpu) : 0;

		if (!area || area == watch.area_said[i])
			continue;
		watch.area_said[i] = watch.all->area[i] = area;
		tell(GVM_WIRE_AREA, 0, i, 0, area);
	}
}

/* What has changed; its clock comes last. */
static void say(void)
{
	struct gvm_guest_node *said = &watch.said, *now = watch.mine;

	for (u32 i = 0; i < GVM_SHARED_HOT; i++) {
		const struct gvm_shared_hot *h = &now->hot[i];

		if (memcmp(&said->hot[i], h, sizeof(*h)) == 0)
			continue;
		said->hot[i] = *h;
		tell(GVM_WIRE_HOTPAGE, i, 0, h->page,
		     (u64)h->gives << 32 | h->gets);
	}
	for (u32 i = 0; i < GVM_GUEST_COUNTER_NR; i++) {
		if (said->counter[i] == now->counter[i])
			continue;
		said->counter[i] = now->counter[i];
		tell(GVM_WIRE_COUNTER, i, 0, 0, now->counter[i]);
	}
}

void gvm_watch_second(void *arg)
{
	rcu_read_lock();
	look();
	say_areas();
	rcu_read_unlock();
	say();
}

/* In the thread that receives from that node, without the BQL. */
void gvm_watch_take(u32 from, const struct gvm_wire *msg)
{
	struct gvm_guest_node *node = &watch.all->node[from];

	switch (msg->type) {
	case GVM_WIRE_COUNTER:
		if (msg->arg < GVM_GUEST_COUNTER_NR)
			qatomic_set(&node->counter[msg->arg], msg->val);
		break;
	case GVM_WIRE_HOTPAGE:
		if (msg->arg < GVM_SHARED_HOT)
			node->hot[msg->arg] = (struct gvm_shared_hot){
				msg->addr, (u32)(msg->val >> 32), (u32)msg->val,
			};
		break;
	case GVM_WIRE_AREA:
		watch.all->area[msg->cpu] = msg->val;
		break;
	case GVM_WIRE_BYE:
		node->left = 1;
		break;
	}
}

static void end(Notifier *notifier, void *data)
{
	/* The thread that writes may still be at it: the mapping stays. */
	gvm_guest_stats_forget();
}

static Notifier exit_notifier = { .notify = end };

void gvm_watch_start(void)
{
	const struct gvm_guest *g = &gvm_bus.guest;
	struct gvm_guest_stats *all = gvm_guest_stats_open();

	if (!all)
		gvm_die("out of memory");
	watch.all = all;
	watch.mine = &all->node[g->me];
	watch.now = g_new0(struct gvm_shared_stats, 1);
	watch.before = g_new0(struct gvm_shared_stats, 1);
	all->pid = (u32)getpid();
	g_strlcpy(all->name, gvm_ram_name(), sizeof(all->name));
	all->me = g->me;
	all->nodes_nr = g->nodes_nr;
	all->vcpus_nr = g->vcpus_nr;
	all->start_ns = (u64)gvm_bus_now_ns();
	all->ram_bytes = current_machine->ram_size;
	all->below_4g_bytes = X86_MACHINE(current_machine)->below_4g_mem_size;
	for (u32 i = 0; i < g->vcpus_nr; i++) {
		all->owner[i] = g->owner[i];
		all->node[g->owner[i]].vcpus++;
	}
	for (u32 i = 0; i < g->nodes_nr; i++)
		snprintf(all->node[i].address, sizeof(all->node[i].address),
			 "%s:%s", g->host[i], g->port[i]);
	gvm_guest_stats_ready(all);
	qemu_add_exit_notifier(&exit_notifier);
}
