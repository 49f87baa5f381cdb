// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Interrupts between vCPUs of different nodes.
 *
 * The sender's QEMU resolves destinations (fixed, logical, lowest priority,
 * broadcast) against its own copy of every local APIC.  What ends at a shadow
 * is taken out of it again and sent to the owner, vector by vector.  For that
 * every node mirrors the registers that destinations are judged by.
 *
 * Devices of other nodes than 0 are not the guest's: what they raise is
 * dropped.  Called with the BQL, as everything of QEMU's interrupts is.
 */
#include "vcpu.h"

enum {			/* registers of a local APIC, address >> 4 */
	APIC_ID		= 0x02,
	APIC_EOI	= 0x0b,
	APIC_LDR	= 0x0d,
	APIC_DFR	= 0x0e,
	APIC_SVR	= 0x0f,
	APIC_LINT1	= 0x36,	/* an operator's NMI comes by it */
};

static void (*handle_interrupt)(CPUState *cpu, int mask);
static const MemoryRegionOps *apic_ops;
static MemoryRegionOps our_apic_ops;

static void mirror(CPUState *cpu, u32 reg, u64 val)
{
	const struct gvm_wire msg = {
		.type = GVM_WIRE_APIC,
		.cpu = (u16)cpu->cpu_index,
		.arg = reg,
		.val = val,
	};

	gvm_bus_send_all(&gvm_bus, &msg);
}

/* INIT puts these back, later and in the vCPU's own thread. */
static void mirror_init(CPUState *cpu)
{
	mirror(cpu, APIC_LDR, 0);
	mirror(cpu, APIC_DFR, 0xffffffff);
	mirror(cpu, APIC_SVR, 0xff);
	mirror(cpu, APIC_LINT1, APIC_LVT_MASKED);
}

static void send_pending(CPUState *cpu, struct gvm_wire *msg)
{
	APICCommonState *apic = gvm_apic(cpu);

	msg->type = GVM_WIRE_IRQ;
	for (u32 i = 0; i < 8; i++) {
		while (apic->irr[i]) {
			u32 bit = (u32)ctz32(apic->irr[i]);

			apic->irr[i] &= ~(1u << bit);
			msg->arg = i * 32 + bit;
			msg->addr = apic->tmr[i] >> bit & 1;
			gvm_bus_send(&gvm_bus, gvm_owner(cpu), msg);
		}
	}
}

static void send_away(CPUState *cpu, int mask)
{
	struct gvm_wire msg = { .cpu = (u16)cpu->cpu_index };
	u32 owner = gvm_owner(cpu);

	if (mask & CPU_INTERRUPT_INIT) {
		msg.type = GVM_WIRE_INIT;
		gvm_bus_send(&gvm_bus, owner, &msg);
	}
	if (mask & CPU_INTERRUPT_SIPI) {
		msg.type = GVM_WIRE_SIPI;
		msg.arg = (u32)gvm_apic(cpu)->sipi_vector & 0xff;
		gvm_bus_send(&gvm_bus, owner, &msg);
		msg.arg = 0;
	}
	if (mask & CPU_INTERRUPT_NMI) {
		msg.type = GVM_WIRE_NMI;
		gvm_bus_send(&gvm_bus, owner, &msg);
	}
	if (mask & CPU_INTERRUPT_SMI) {
		msg.type = GVM_WIRE_SMI;
		gvm_bus_send(&gvm_bus, owner, &msg);
	}
	if (mask & CPU_INTERRUPT_POLL)
		send_pending(cpu, &msg);
}

static void interrupt(CPUState *cpu, int mask)
{
	if (gvm_mine(cpu)) {
		if (mask & CPU_INTERRUPT_INIT)
			mirror_init(cpu);
		handle_interrupt(cpu, mask);
		return;
	}
	/* A thread that is no vCPU is a device's; NMIs are the operator's. */
	if (!gvm_has_devices() && !current_cpu)
		mask &= CPU_INTERRUPT_NMI;
	send_away(cpu, mask);
}

void gvm_interrupt_hook(AccelOpsClass *ops)
{
	handle_interrupt = ops->handle_interrupt;
	ops->handle_interrupt = interrupt;
}

static u64 apic_read(void *opaque, hwaddr addr, unsigned size)
{
	return apic_ops->read(opaque, addr, size);
}

/* The IOAPIC is on node 0, and so is who must know the end of a level. */
static void send_eoi(CPUState *cpu)
{
	const APICCommonState *apic = gvm_apic(cpu);
	struct gvm_wire msg = {
		.type = GVM_WIRE_EOI,
		.cpu = (u16)cpu->cpu_index,
	};
	int i = 7;

	while (i >= 0 && !apic->isr[i])
		i--;
	if (i < 0)
		return;
	msg.arg = 31 - (u32)clz32(apic->isr[i]);
	if (!(apic->tmr[i] >> msg.arg & 1))
		return;
	msg.arg += (u32)i * 32;
	gvm_bus_send(&gvm_bus, 0, &msg);
}

static void apic_write(void *opaque, hwaddr addr, u64 val, unsigned size)
{
	u32 reg = (u32)(addr >> 4);
	CPUState *cpu = current_cpu;

	if (cpu && size == 4 && gvm_mine(cpu)) {
		if (reg == APIC_ID || reg == APIC_LINT1 ||
		    (reg >= APIC_LDR && reg <= APIC_SVR))
			mirror(cpu, reg, val);
		if (reg == APIC_EOI && !gvm_has_devices())
			send_eoi(cpu);
	}
	apic_ops->write(opaque, addr, val, size);
}

/* One local APIC's window is mapped, and serves whoever looks into it. */
void gvm_interrupt_start(void)
{
	APICCommonState *apic = gvm_apic(first_cpu);

	apic_ops = apic->io_memory.ops;
	our_apic_ops = *apic_ops;
	our_apic_ops.read = apic_read;
	our_apic_ops.write = apic_write;
	apic->io_memory.ops = &our_apic_ops;
}

static void take_register(APICCommonState *apic, u32 reg, u64 val)
{
	switch (reg) {
	case APIC_ID:
		apic->id = (u8)(val >> 24);
		break;
	case APIC_LDR:
		apic->log_dest = (u8)(val >> 24);
		break;
	case APIC_DFR:
		apic->dest_mode = (u8)(val >> 28 & 0xf);
		break;
	case APIC_SVR:
		apic->spurious_vec = (u32)val & 0x1ff;
		break;
	case APIC_LINT1:
		apic->lvt[APIC_LVT_LINT1] = (u32)val;
		break;
	}
}

/* As a message to that one APIC: what QEMU takes it apart into is not exported. */
static void deliver(APICCommonState *apic, u8 vector, bool level)
{
	MSIMessage msi = {
		.address = APIC_DEFAULT_ADDRESS |
			   (u64)apic->id << MSI_ADDR_DEST_ID_SHIFT,
		.data = vector | (u32)level << MSI_DATA_TRIGGER_SHIFT,
	};

	APIC_COMMON_GET_CLASS(apic)->send_msi(&msi);
}

void gvm_interrupt_take(u32 from, const struct gvm_wire *msg)
{
	CPUState *cpu = qemu_get_cpu(msg->cpu);

	if (!cpu)
		return;
	switch (msg->type) {
	case GVM_WIRE_IRQ:
		deliver(gvm_apic(cpu), (u8)msg->arg, msg->addr != 0);
		break;
	case GVM_WIRE_INIT:
		cpu_interrupt(cpu, CPU_INTERRUPT_INIT);
		break;
	case GVM_WIRE_SIPI:
		gvm_apic(cpu)->sipi_vector = (int)msg->arg;
		cpu_interrupt(cpu, CPU_INTERRUPT_SIPI);
		break;
	case GVM_WIRE_NMI:
		cpu_interrupt(cpu, CPU_INTERRUPT_NMI);
		break;
	case GVM_WIRE_SMI:
		cpu_interrupt(cpu, CPU_INTERRUPT_SMI);
		break;
	case GVM_WIRE_APIC:
		take_register(gvm_apic(cpu), msg->arg, msg->val);
		break;
	case GVM_WIRE_EOI:
		ioapic_eoi_broadcast((int)msg->arg);
		break;
	}
}
