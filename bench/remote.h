/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that libgiantvm pages, filled with content that can be checked, most
 * of it on the servers: what the fault, sequential and metadata benchmarks
 * measure.  They call the library themselves, without the preload library, so
 * that floor and paged memory can take turns in one process.
 */
#ifndef GVM_BENCH_REMOTE_H
#define GVM_BENCH_REMOTE_H

#include <giantvm/giantvm.h>
#include "lib.h"

struct remote {
	struct gvm	*gvm;
	u64		*mem;
	u64		pages;
};

/* Open the library; exits with its reason. */
void remote_open(struct remote *r, const char *servers, u64 local_bytes,
		 u64 prefetch);

/* Map, warm, register and fill this much. */
void remote_map(struct remote *r, u64 bytes);

/* The word every page starts with. */
static inline u64 remote_word(u64 page)
{
	return (page + 1) * 0x9e3779b97f4a7c15ull;
}

/* Wait until nothing more is written back; exits after a minute. */
void remote_settle(const struct remote *r);

/* Is this page mapped here?  Asks the kernel, touches nothing. */
bool remote_resident(const struct remote *r, u64 page);

struct gvm_stats *remote_stats(const struct remote *r);

void remote_close(struct remote *r);

#endif
