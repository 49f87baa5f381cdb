/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A trace run against a cache of so many frames.  What is counted is what
 * costs: a first touch is free everywhere (zero filled, no network), a miss is
 * a round trip, a steal is a fault without network.
 */
#ifndef GVM_TESTS_SIMULATE_H
#define GVM_TESTS_SIMULATE_H

#include "trace.h"

struct outcome {
	u64	misses;
	u64	steals;
};

struct outcome simulate_opt(const struct trace *t, u32 frames);
struct outcome simulate_lru(const struct trace *t, u32 frames);
struct outcome simulate_fifo(const struct trace *t, u32 frames);

/*
 * core/cache.c as the pager drives it: of the frames an eighth is staging, a
 * FIFO of evicted, unmapped pages; a touch there is a steal.  Touches of
 * mapped pages are invisible.  Victims are taken in batches, ahead of demand.
 */
struct outcome simulate_ours(const struct trace *t, u32 frames);

#endif
