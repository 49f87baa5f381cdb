// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guest's devices are node 0's; accesses of other nodes' vCPUs go there.
 *
 * A node that is not 0 has the same machine with the same devices, which the
 * guest must not see: windows of ours lie above them, over all ports and all
 * addresses that are not RAM.  Only the local APIC stays, since each node's
 * vCPUs have their own.  An access waits for node 0's answer without the BQL,
 * so that interrupts still arrive; one can be under way for each vCPU.
 */
#include "vcpu.h"

#define ABOVE_ALL	0x2000		/* QEMU's own go up to 0x1000 */
#define CMOS_INDEX	0x70		/* these are as old as the PC */
#define PCI_CONFIG_ADDRESS 0xcf8
#define APIC_WINDOW	0xfee00000ull
#define APIC_BYTES	0x1000ull
#define FOUR_GIB	0x100000000ull
#define TOP		0x10000000000ull	/* 40 bits of address */

struct window {
	MemoryRegion	mr;
	u64		base;
	bool		ports;
};

/* What a vCPU waits for. */
static struct {
	QemuSemaphore	done;
	u64		val;
	u32		result;
} calls[GVM_GUEST_VCPUS_MAX];

static u64 counts[2];		/* memory, ports */

u64 gvm_forward_count(bool ports)
{
	return qatomic_read(&counts[ports]);
}

/* Node 0 never leaves in between: it stops all vCPUs first (threads.c). */
static MemTxResult call(struct gvm_wire *msg, u64 *ret_val)
{
	u32 cpu;

	if (!current_cpu || !gvm_mine(current_cpu))
		return MEMTX_DECODE_ERROR;
	cpu = (u32)current_cpu->cpu_index;
	msg->cpu = (u16)cpu;
	bql_unlock();
	gvm_bus_send(&gvm_bus, 0, msg);
	qemu_sem_wait(&calls[cpu].done);
	bql_lock();
	if (ret_val)
		*ret_val = calls[cpu].val;
	return calls[cpu].result;
}

void gvm_forward_reply(const struct gvm_wire *msg)
{
	calls[msg->cpu].val = msg->val;
	calls[msg->cpu].result = msg->arg;
	qemu_sem_post(&calls[msg->cpu].done);
}

static MemTxResult window_read(void *opaque, hwaddr addr, u64 *val,
			       unsigned size, MemTxAttrs attrs)
{
	const struct window *w = opaque;
	struct gvm_wire msg = {
		.type = GVM_WIRE_READ,
		.arg = size,
		.addr = w->base + addr,
		.val = w->ports,
	};

	qatomic_inc(&counts[w->ports]);
	return call(&msg, val);
}

/*
 * Index registers: such a write does nothing but say what the next access to
 * the data register means.  That access is sent after it on the same way, so
 * nobody needs to wait for this one: half of all waiting while a guest looks
 * for PCI devices.
 */
static bool is_index(u64 addr, unsigned size, bool ports)
{
	if (ports)
		return (addr == PCI_CONFIG_ADDRESS && size == 4) ||
		       addr == CMOS_INDEX;
	return addr == IO_APIC_DEFAULT_ADDRESS;
}

static MemTxResult window_write(void *opaque, hwaddr addr, u64 val,
				unsigned size, MemTxAttrs attrs)
{
	const struct window *w = opaque;
	struct gvm_wire msg = {
		.type = GVM_WIRE_WRITE,
		.arg = size | (w->ports ? GVM_WIRE_PORT_IO : 0),
		.addr = w->base + addr,
		.val = val,
	};

	qatomic_inc(&counts[w->ports]);
	if (current_cpu && is_index(msg.addr, size, w->ports)) {
		msg.cpu = (u16)current_cpu->cpu_index;
		msg.arg |= GVM_WIRE_POSTED;
		gvm_bus_send(&gvm_bus, 0, &msg);
		return MEMTX_OK;
	}
	return call(&msg, NULL);
}

static const MemoryRegionOps window_ops = {
	.read_with_attrs = window_read,
	.write_with_attrs = window_write,
	.endianness = DEVICE_LITTLE_ENDIAN,
	.valid = { .min_access_size = 1, .max_access_size = 8,
		   .unaligned = true },
	.impl = { .min_access_size = 1, .max_access_size = 8,
		  .unaligned = true },
};

static void lay_window(MemoryRegion *over, u64 from, u64 to, bool ports)
{
	struct window *w = g_new0(struct window, 1);

	w->base = from;
	w->ports = ports;
	memory_region_init_io(&w->mr, NULL, &window_ops, w, "giantvm-devices",
			      to - from);
	/* A device's access may lead to another's: that is node 0's business. */
	w->mr.disable_reentrancy_guard = true;
	memory_region_add_subregion_overlap(over, from, &w->mr, ABOVE_ALL);
}

/*
 * The firmware maps RAM over its ROM below 1 MiB on node 0, before any other
 * vCPU starts there; the other nodes have it so from the start.
 */
static void lay_low_ram(MemoryRegion *over, MemoryRegion *ram)
{
	MemoryRegion *low = g_new0(MemoryRegion, 1);

	memory_region_init_alias(low, NULL, "giantvm-low", ram, 0xc0000,
				 0x40000);
	memory_region_add_subregion_overlap(over, 0xc0000, low, ABOVE_ALL);
}

void gvm_forward_start(void)
{
	const X86MachineState *x86 = X86_MACHINE(current_machine);
	MemoryRegion *all = get_system_memory();
	u64 top = FOUR_GIB + x86->above_4g_mem_size;

	if (gvm_has_devices())
		return;
	for (u32 i = 0; i < GVM_GUEST_VCPUS_MAX; i++)
		qemu_sem_init(&calls[i].done, 0);
	lay_window(get_system_io(), 0, 0x10000, true);
	lay_window(all, 0xa0000, 0xc0000, false);
	lay_low_ram(all, current_machine->ram);
	lay_window(all, x86->below_4g_mem_size, APIC_WINDOW, false);
	lay_window(all, APIC_WINDOW + APIC_BYTES, FOUR_GIB, false);
	lay_window(all, top, TOP, false);
}

/*
 * With the BQL, in the thread that receives from that node.  Some devices look
 * at which vCPU is accessing them, so the requester's shadow stands in.
 */
void gvm_forward_serve(u32 from, const struct gvm_wire *msg)
{
	bool write = msg->type == GVM_WIRE_WRITE;
	bool ports = write ? msg->arg & GVM_WIRE_PORT_IO : msg->val == 1;
	struct gvm_wire reply = {
		.type = GVM_WIRE_REPLY,
		.cpu = msg->cpu,
		.val = write ? msg->val : 0,
	};

	current_cpu = qemu_get_cpu(msg->cpu);
	reply.arg = address_space_rw(ports ? &address_space_io :
					     &address_space_memory,
				     msg->addr, MEMTXATTRS_UNSPECIFIED,
				     &reply.val,
				     msg->arg & GVM_WIRE_WIDTH, write);
	current_cpu = NULL;
	if (write && msg->arg & GVM_WIRE_POSTED)
		return;
	gvm_bus_send(&gvm_bus, from, &reply);
}
