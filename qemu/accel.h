/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What differs between QEMU's accelerators.  The other files of the plugin ask
 * this table and know nothing else of TCG or KVM.
 */
#ifndef GVM_QEMU_ACCEL_H
#define GVM_QEMU_ACCEL_H

#include "vcpu.h"

struct gvm_accel {
	const char	*name;		/* as -accel calls it */
	const char	*ops;		/* the class with its operations */
	/*
	 * Translates guest code: what was made of a page must be dropped when
	 * the page goes.
	 */
	bool		translates;
	/*
	 * Once the accelerator is there, but nothing of the machine.  NULL: it
	 * can run a part of a guest; else why not, as a sentence.
	 */
	const char	*(*unfit)(void);
	/* After QEMU has filled in the operations. */
	void		(*hook)(AccelOpsClass *ops);
	/* When the machine is built; why it cannot be split.  NULL: nothing. */
	const char	*(*start)(void);
	/* Make the thread of a vCPU of ours. */
	void		(*create)(CPUState *cpu);
	/* A vCPU of another node, before anybody sees it.  NULL: nothing. */
	void		(*shadow)(CPUState *cpu);
	/* Node 0's time-stamp counter, without the BQL.  NULL: not needed. */
	void		(*take_tsc)(const struct gvm_wire *msg);
};

/* The one that QEMU runs with.  Never NULL once gvm_accel_choose() is well. */
extern const struct gvm_accel *gvm_accel;

/* NULL, or why this QEMU cannot run a part of a guest. */
const char *gvm_accel_choose(void);

/* A number that is equal where vCPUs of the guest have the same features. */
u64 gvm_accel_features(void);

extern const struct gvm_accel gvm_accel_kvm;	/* kvm.c */

/* kvm-tsc.c: the guest's time-stamp counters.  With the BQL. */
void gvm_kvm_tsc_start(void);
void gvm_kvm_tsc_take(const struct gvm_wire *msg);	/* without the BQL */

#endif
