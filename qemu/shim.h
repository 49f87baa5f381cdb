/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's insides, and the only place that knows which version has what.
 *
 * Everything else in this folder that looks into QEMU includes this file first
 * and uses the names of the newer versions.
 */
#ifndef GVM_QEMU_SHIM_H
#define GVM_QEMU_SHIM_H

#include "qemu/osdep.h"
#include "cpu.h"
#include "exec/address-spaces.h"
#include "exec/exec-all.h"
#include "exec/memory.h"
#include "exec/ramlist.h"
#include "hw/boards.h"
#include "hw/core/cpu.h"
#include "hw/i386/apic-msidef.h"
#include "hw/i386/apic.h"
#include "hw/i386/apic_internal.h"
#include "hw/i386/pc.h"
#include "hw/i386/x86.h"
#include "hw/pci/msi.h"
#include "qapi/qapi-commands-control.h"
#include "qemu/guest-random.h"
#include "qemu/main-loop.h"
#include "qemu/notify.h"
#include "qemu/qemu-plugin.h"
#include "qemu/rcu.h"
#include "qom/object.h"

#if QEMU_PLUGIN_VERSION >= 4

/* 10.0, Debian 13 and the backports of Debian 12. */
#include "exec/cputlb.h"
#include "exec/tb-flush.h"
#include "exec/translation-block.h"
#include "hw/intc/ioapic.h"
#include "system/accel-ops.h"
#include "system/cpu-timers.h"
#include "system/cpus.h"
#include "system/hw_accel.h"
#include "system/kvm.h"
#include "system/reset.h"
#include "system/runstate.h"
#include "system/system.h"
#include "system/tcg.h"
#include "tcg/startup.h"

#define bql_wait(cond)	qemu_cond_wait_bql(cond)
#define shim_can_do_io(cpu)	((cpu)->neg.can_do_io = true)

static inline void shim_new_thread(CPUState *cpu)
{
	(void)cpu;	/* every vCPU has one from the beginning */
}

/* Drop what was translated from a page of guest RAM. */
static inline void shim_drop_code(ram_addr_t page)
{
	tb_invalidate_phys_range(page, page + TARGET_PAGE_SIZE - 1);
}

static inline long shim_instance_size(const char *type)
{
	(void)type;
	return -1;
}

#elif QEMU_PLUGIN_VERSION >= 2

#error "QEMU 8 and 9 are not supported: Debian has 7.2 and 10.0"

#else

/* 7.2, Debian 12. */
#include "hw/i386/ioapic.h"
#include "sysemu/accel-ops.h"
#include "sysemu/cpu-timers.h"
#include "sysemu/cpus.h"
#include "sysemu/hw_accel.h"
#include "sysemu/kvm.h"
#include "sysemu/reset.h"
#include "sysemu/runstate.h"
#include "sysemu/sysemu.h"
#include "sysemu/tcg.h"

#define qatomic_set_mb(at, value)	qatomic_mb_set(at, value)
#define bql_lock()	qemu_mutex_lock_iothread()
#define bql_unlock()	qemu_mutex_unlock_iothread()
#define bql_locked()	qemu_mutex_iothread_locked()
#define bql_wait(cond)	qemu_cond_wait_iothread(cond)
#define shim_can_do_io(cpu)	((cpu)->can_do_io = 1)

static inline void shim_new_thread(CPUState *cpu)
{
	cpu->thread = g_new0(QemuThread, 1);
	cpu->halt_cond = g_new0(QemuCond, 1);
	qemu_cond_init(cpu->halt_cond);
}

/* Drop what was translated from a page of guest RAM. */
static inline void shim_drop_code(ram_addr_t page)
{
	tb_invalidate_phys_range(page, page + TARGET_PAGE_SIZE);
}

/* -1: this version cannot say. */
static inline long shim_instance_size(const char *type)
{
	return (long)object_type_get_instance_size(type);
}

#endif

#endif
