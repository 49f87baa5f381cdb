/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * A latency histogram of fixed size: powers of two, each cut in eight, so a
 * percentile is at most 12.5 % off.  No allocation, so that the fault path can
 * write it; plain counters, so that another process can read it from shared
 * memory while it changes.  One writer.
 */
#ifndef GVM_HIST_H
#define GVM_HIST_H

#include "gvm_port.h"

#define GVM_HIST_SUB	8u
#define GVM_HIST_NR	(40u * GVM_HIST_SUB)	/* up to ~2^42 ns: over an hour */

struct gvm_hist {
	u64	n[GVM_HIST_NR];
};

void gvm_hist_add(struct gvm_hist *h, u64 ns);
u64 gvm_hist_count(const struct gvm_hist *h);
/* Upper edge, ns, of the bucket with the permille-th value; 0 if empty. */
u64 gvm_hist_percentile(const struct gvm_hist *h, u32 permille);
void gvm_hist_merge(struct gvm_hist *into, const struct gvm_hist *from);

#endif
