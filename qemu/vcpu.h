/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the plugin offer each other.  One guest per process, so
 * there is one instance of everything.
 *
 * Locks: what is received is carried out under QEMU's big lock (the BQL),
 * except replies and clocks; nothing waits for another node while it holds it.
 */
#ifndef GVM_QEMU_VCPU_H
#define GVM_QEMU_VCPU_H

#include "shim.h"
#include "bus.h"

extern struct gvm_bus gvm_bus;

static inline bool gvm_mine(const CPUState *cpu)
{
	return gvm_bus.guest.owner[cpu->cpu_index] == gvm_bus.guest.me;
}

static inline u32 gvm_owner(const CPUState *cpu)
{
	return gvm_bus.guest.owner[cpu->cpu_index];
}

static inline bool gvm_has_devices(void)
{
	return gvm_bus.guest.me == 0;
}

static inline APICCommonState *gvm_apic(CPUState *cpu)
{
	return APIC_COMMON(X86_CPU(cpu)->apic_state);
}

/* guard.c: is this the QEMU that we were built for? */
int gvm_guard(void);
void gvm_guard_objects(void);	/* the machine's; ends this process if not */

/* threads.c: vCPUs of ours run, vCPUs of others are shadows. */
void gvm_threads_hook(void);
void gvm_threads_paused(u32 node);
void gvm_threads_left(u32 node);

/* loop.c: the thread of a vCPU of ours, under TCG. */
void gvm_loop_create(CPUState *cpu);

/*
 * code.c: what was translated from a page goes with it.  Called by the thread that
 * serves pages; and by a vCPU's, without the BQL, around each time that it runs.
 */
void gvm_code_start(void);
void gvm_code_gone(ram_addr_t page);
/* Only then need we know of stores. */
bool gvm_code_has_neighbours(void);
void gvm_code_store_waits(ram_addr_t at, u32 thread);
void gvm_code_store_goes_on(ram_addr_t at, u64 bytes);
void gvm_code_enter(CPUState *cpu);
void gvm_code_leave(CPUState *cpu);
u64 gvm_code_count(void);	/* pages that were gone */

/* lock.c: all vCPUs of all nodes stop for an operation of one.  Without the BQL. */
void gvm_lock_start(void);
void gvm_lock_take(CPUState *cpu);
void gvm_lock_give(CPUState *cpu);
void gvm_lock_take_message(u32 from, const struct gvm_wire *msg);
void gvm_lock_left(u32 node);
u64 gvm_lock_count(void);	/* of vCPUs here */

/* interrupt.c: between vCPUs of different nodes.  With the BQL. */
void gvm_interrupt_hook(AccelOpsClass *ops);
void gvm_interrupt_start(void);
void gvm_interrupt_take(u32 from, const struct gvm_wire *msg);

/* forward.c: accesses to the devices, all on node 0. */
void gvm_forward_start(void);
void gvm_forward_serve(u32 from, const struct gvm_wire *msg);
void gvm_forward_reply(const struct gvm_wire *msg);	/* without the BQL */
u64 gvm_forward_count(bool ports);

/* clock.c: all nodes read node 0's clock. */
void gvm_clock_hook(AccelOpsClass *ops);
s64 gvm_clock_node_0(void);	/* what node 0's host clock says now */
void gvm_clock_pong(const struct gvm_wire *msg);	/* without the BQL */
u64 gvm_clock_base(void);
void gvm_clock_resume(u64 base);
void gvm_clock_pause(void);
void gvm_clock_pretend(s64 offset_ns, s64 rate_ppm);

/* turns.c: when this node may ask for pages. */
#define GVM_TURNS_NONE	0xffffffffu
typedef u64 gvm_turn_wait_fn(void *arg, u32 thread);
void gvm_turns_set(u64 turn_us);
/* What to ask before a page is asked for (struct gvm_shared_config), or NULL. */
gvm_turn_wait_fn *gvm_turns_start(void);

/* contention.c: turns while the nodes' kernels contend.  Without the BQL. */
void gvm_contention_start(u64 turn_ns);	/* 0: as long as is good for so many */
gvm_turn_wait_fn gvm_contention_wait;
void gvm_contention_left(CPUState *cpu, int why);
void gvm_contention_take(u32 from, const struct gvm_wire *msg);
u64 gvm_contention_turns(void);		/* that this node had */

/* life.c: start, pause, reset and end of the guest on all nodes. */
void gvm_life_hook(void);
void gvm_life_start(void);
void gvm_life_take(u32 from, const struct gvm_wire *msg);
void gvm_life_lost(void *arg, u32 node, const char *why);

/* watch.c: the counters of all nodes, for who watches.  Without the BQL. */
void gvm_watch_start(void);
void gvm_watch_second(void *arg);
void gvm_watch_take(u32 from, const struct gvm_wire *msg);

/* plugin.c: a line for people, and the end of this process if it is fatal. */
void gvm_say(const char *format, ...) G_GNUC_PRINTF(1, 2);
void gvm_die(const char *format, ...) G_GNUC_PRINTF(1, 2) G_GNUC_NORETURN;

#endif
