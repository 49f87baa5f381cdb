/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the workloads have prepared, and the file that a trace comes from. */
#ifndef GVM_SIM_LOAD_H
#define GVM_SIM_LOAD_H

#include "gvm_port.h"

struct sim_alias {
	u32	keep;	/* of 2^32: this index, else the other */
	u32	other;
};

struct sim_trace_access {
	u32	page;
	bool	write;
};

struct sim_load_table {
	struct sim_alias *alias;	/* zipf: a page each */
	struct sim_trace_access *access;	/* trace: node by node */
	u64	*first;			/* trace: of a node, and the end */
};

struct sim;

/*
 * Lines of NODE PAGE r|w, blank lines, and comments that begin with '#'.
 * -EINVAL: result.why says in which line what is wrong.
 */
int gvm_sim_trace_read(struct sim *s);

#endif
