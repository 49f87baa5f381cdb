// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Guest RAM as one shared file, and translated code that follows it.
 */
#include "vcpu.h"
#include "ram.h"

static struct gvm_ram ram;

int gvm_ram_start(struct gvm_ram *ret_ram, const char **ret_why)
{
	MachineState *machine = current_machine;
	MemoryRegion *mr = machine->ram;

	if (!mr || !memory_region_is_ram(mr)) {
		*ret_why = "the machine has no RAM of its own";
		return -EINVAL;
	}
	if (!qemu_ram_is_shared(mr->ram_block)) {
		*ret_why = "the guest's RAM is not shared between the nodes: use -object memory-backend-file,id=ram,share=on,... and -machine memory-backend=ram";
		return -EINVAL;
	}
	ram.base = memory_region_get_ram_ptr(mr);
	ram.bytes = machine->ram_size;
	ram.at = memory_region_get_ram_addr(mr);
	*ret_ram = ram;
	return 0;
}

static void drop_again(CPUState *cpu, run_on_cpu_data page)
{
	shim_drop_code((ram_addr_t)page.target_ptr);
}

/*
 * A vCPU may have read the bytes and not linked their translation yet: it
 * would escape the first drop.  The kick stops it at the entry of that very
 * translation, and the work that it finds then drops it.
 */
void gvm_ram_flush_code(u64 page)
{
	ram_addr_t at = ram.at + (page << TARGET_PAGE_BITS);
	CPUState *cpu;

	shim_drop_code(at);
	CPU_FOREACH(cpu) {
		if (gvm_mine(cpu) && !cpu->halted)
			async_run_on_cpu(cpu, drop_again,
					 RUN_ON_CPU_TARGET_PTR(at));
	}
}

void gvm_ram_attention(CPUState *cpu)
{
	tb_flush(cpu);
}
