// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * Bucket i < 8 is i ns; above, eight buckets for every power of two.  The
 * layout is public (struct gvm_stats_hist): other processes read it.
 */
#include "hist.h"

#define SUB_SHIFT	3u

static_assert(1u << SUB_SHIFT == GVM_HIST_SUB, "histogram layout");

static u32 bucket(u64 ns)
{
	u32 top;
	u32 i;

	if (ns < GVM_HIST_SUB)
		return (u32)ns;
	top = 63u - (u32)__builtin_clzll(ns);
	i = (top - SUB_SHIFT + 1) * GVM_HIST_SUB +
	    ((u32)(ns >> (top - SUB_SHIFT)) & (GVM_HIST_SUB - 1));
	return i < GVM_HIST_NR ? i : GVM_HIST_NR - 1;
}

/* The largest value that falls into bucket i. */
static u64 upper(u32 i)
{
	u32 shift;

	if (i < GVM_HIST_SUB)
		return i;
	shift = i / GVM_HIST_SUB - 1;
	return ((u64)(GVM_HIST_SUB + i % GVM_HIST_SUB + 1) << shift) - 1;
}

void gvm_hist_add(struct gvm_hist *h, u64 ns)
{
	h->n[bucket(ns)]++;
}

u64 gvm_hist_count(const struct gvm_hist *h)
{
	u64 count = 0;

	for (u32 i = 0; i < GVM_HIST_NR; i++)
		count += h->n[i];
	return count;
}

u64 gvm_hist_percentile(const struct gvm_hist *h, u32 permille)
{
	u64 count = gvm_hist_count(h);
	u64 value = 0;
	u64 seen = 0;
	u64 rank;

	if (permille > 1000)
		permille = 1000;
	/* count * permille / 1000, rounded up, without overflow. */
	rank = count / 1000 * permille + (count % 1000 * permille + 999) / 1000;
	if (!rank)
		rank = 1;
	for (u32 i = 0; i < GVM_HIST_NR && seen < rank; i++) {
		if (!h->n[i])
			continue;
		seen += h->n[i];
		value = upper(i);
	}
	return value;
}

void gvm_hist_merge(struct gvm_hist *into, const struct gvm_hist *from)
{
	for (u32 i = 0; i < GVM_HIST_NR; i++)
		into->n[i] += from->n[i];
}
