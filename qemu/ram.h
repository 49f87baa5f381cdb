/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's RAM, the same on all nodes.
 *
 * The one place where a way to share memory is put in.  Today it is a file that
 * all QEMU processes of one host have mapped (a memory backend with share=on):
 * it shows everything but distance.  Nobody tells then that code has changed,
 * so that translations are dropped whenever another CPU calls for attention.
 */
#ifndef GVM_QEMU_RAM_H
#define GVM_QEMU_RAM_H

#include "shim.h"
#include "gvm_port.h"

struct gvm_ram {
	void		*base;
	u64		bytes;
	ram_addr_t	at;		/* in QEMU's space of RAM addresses */
};

/*
 * When the machine is built, before the guest runs.  0, or -errno and *ret_why
 * as a sentence.
 */
int gvm_ram_start(struct gvm_ram *ret_ram, const char **ret_why);

/*
 * Drop all that was translated from these pages, counted from the base, so
 * that no vCPU of this node runs it once the pages are another node's.  To be
 * called before an invalidation is acknowledged, in a thread that QEMU knows
 * (rcu_register_thread), without the BQL; never waits for a vCPU.
 */
void gvm_ram_flush_code(u64 page);

/* An interrupt by which a kernel may announce changed code.  With the BQL. */
void gvm_ram_attention(CPUState *cpu);

#endif
