// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Translated code follows guest RAM: when a page goes away, nothing that was
 * translated from it runs any more once that is acknowledged.
 *
 * The thread that serves pages must not wait for TCG's locks: a vCPU that
 * translates may hold one (QEMU 8 and later) and wait for a page itself. So it
 * puts the page on a list and tells all vCPUs to leave translated code, which
 * they do at the entry of the next block; they drop the translations
 * themselves, before they enter another one. A block that is under way runs to
 * its end, as what a processor has fetched already.
 *
 * Each vCPU that was inside drops the page when it has left: QEMU 7.2 reads the
 * bytes without a lock, so it may have read them before the page went, and
 * linked their translation after another vCPU's drop. (From that link to its
 * own drop it passes only the entry of the block, which it finds it must not
 * enter; another vCPU could run the block in between. QEMU 10 locks the page.
 * To let no vCPU of 7.2 have another's translations would close that, and was
 * measured with two vCPUs on a node: a boot takes a tenth longer, a storm of
 * programs a third.) Who was outside needs only that somebody has dropped, and
 * does it if nobody was inside. The list is a ring; who finds it overrun drops
 * everything.
 *
 * Our own vCPUs write code as well. QEMU drops translations before a store and
 * not after it: another vCPU can translate the old bytes again in between, and
 * runs them until the next store. (QEMU 7.2 by itself misses half of the
 * changes of a function that a neighbour calls all the time:
 * tests/fullshare/smp-patch.c in one QEMU with four vCPUs. There nobody can
 * help, since only QEMU sees such a store.) Where pages travel a store may have
 * to wait for its page in between, which would make that many times longer. So
 * a vCPU whose store waited leaves translated code as soon as the store is
 * done, and lists the page itself. (Until then a vCPU that runs this very code
 * all the while may see it old. No other learns of the change before, unless
 * the word for it is in the same block as the store.)
 */
#include "giantvm/giantvm.h"
#include "vcpu.h"

#define RING	4096u
#define STORES	64u	/* that wait, one after the other, in one block */
#define NOWHERE	(~(ram_addr_t)0)

static struct {
	ram_addr_t	page[RING];
	QemuMutex	put_lock;
	u64		put;		/* pages ever */
	QemuMutex	lock;
	u64		dropped;	/* of them, by somebody */
	u64		gone;		/* of them, those that went away */
	u32		ours;		/* vCPUs here */
	struct code_vcpu {
		u64		entered;	/* `put` then; the vCPU's own */
		ram_addr_t	waits;		/* store; by who serves pages */
		/* Put in by who serves pages, taken out by the vCPU. */
		ram_addr_t	stored[STORES];
		u32		in, out;
	} vcpu[GVM_GUEST_VCPUS_MAX];
} code;

void gvm_code_start(void)
{
	qemu_mutex_init(&code.put_lock);
	qemu_mutex_init(&code.lock);
	for (u32 i = 0; i < gvm_bus.guest.vcpus_nr; i++) {
		code.ours += gvm_bus.guest.owner[i] == gvm_bus.guest.me;
		code.vcpu[i].waits = NOWHERE;
	}
}

static void put(ram_addr_t page)
{
	CPUState *cpu;

	qemu_mutex_lock(&code.put_lock);
	qatomic_set(&code.page[code.put % RING], page);
	qatomic_store_release(&code.put, code.put + 1);
	qemu_mutex_unlock(&code.put_lock);
	/* A vCPU sees either the page, before it enters, or this, once inside. */
	smp_mb();
	CPU_FOREACH(cpu) {
		if (gvm_mine(cpu))
			cpu_exit(cpu);
	}
}

void gvm_code_gone(ram_addr_t page)
{
	qatomic_set(&code.gone, code.gone + 1);
	put(page);
}

u64 gvm_code_count(void)
{
	return qatomic_read(&code.gone);
}

/* Else: a vCPU that is alone translates nothing while it waits. */
bool gvm_code_has_neighbours(void)
{
	return code.ours > 1;
}

void gvm_code_store_waits(ram_addr_t at, u32 thread)
{
	CPUState *cpu;

	CPU_FOREACH(cpu) {
		if (gvm_mine(cpu) && (thread == GVM_THREAD_ANY ||
				      (u32)cpu->thread_id == thread))
			code.vcpu[cpu->cpu_index].waits =
				at - at % TARGET_PAGE_SIZE;
	}
}

void gvm_code_store_goes_on(ram_addr_t at, u64 bytes)
{
	struct code_vcpu *v;
	CPUState *cpu;

	CPU_FOREACH(cpu) {
		v = &code.vcpu[cpu->cpu_index];
		if (v->waits < at || v->waits - at >= bytes)
			continue;
		/* Full: the vCPU finds that out, by the count. */
		qatomic_set(&v->stored[v->in % STORES], v->waits);
		v->waits = NOWHERE;
		qatomic_store_release(&v->in, v->in + 1);
		cpu_exit(cpu);
	}
}

static void drop_all(void)
{
	start_exclusive();
	tb_flush(current_cpu);
	end_exclusive();
}

/* Drop all pages from number `from` on; the number that follows them. */
static u64 drop(CPUState *cpu, u64 from)
{
	u64 end = qatomic_load_acquire(&code.put);

	if (end == from)
		return end;
	if (end - from < RING) {
		/* Not while another vCPU has stopped us to drop everything. */
		cpu_exec_start(cpu);
		for (u64 i = from; i < end; i++)
			shim_drop_code(qatomic_read(&code.page[i % RING]));
		cpu_exec_end(cpu);
		smp_rmb();
		if (qatomic_read(&code.put) - from < RING)
			return end;
	}
	drop_all();
	return end;
}

/* Our stores to these pages are done. */
static void put_stored(struct code_vcpu *v)
{
	u32 in = qatomic_load_acquire(&v->in);

	if (in - v->out >= STORES) {
		v->out = in;
		drop_all();
	}
	while (v->out != in)
		put(qatomic_read(&v->stored[v->out++ % STORES]));
}

void gvm_code_enter(CPUState *cpu)
{
	u64 *entered = &code.vcpu[cpu->cpu_index].entered;

	*entered = qatomic_load_acquire(&code.put);
	if (qatomic_load_acquire(&code.dropped) >= *entered)
		return;
	qemu_mutex_lock(&code.lock);
	if (code.dropped < *entered)
		qatomic_store_release(&code.dropped, drop(cpu, code.dropped));
	qemu_mutex_unlock(&code.lock);
}

void gvm_code_leave(CPUState *cpu)
{
	struct code_vcpu *v = &code.vcpu[cpu->cpu_index];
	u64 end;

	put_stored(v);
	end = drop(cpu, v->entered);
	if (qatomic_read(&code.dropped) >= end)
		return;
	qemu_mutex_lock(&code.lock);
	if (code.dropped < end)
		qatomic_store_release(&code.dropped, end);
	qemu_mutex_unlock(&code.lock);
}
