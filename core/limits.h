/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* Everything that can grow has its limit here, and the limits agree. */
#ifndef GVM_LIMITS_H
#define GVM_LIMITS_H

#include "gvm_port.h"

#define GVM_PAGE_SHIFT		12
#define GVM_PAGE_BYTES		4096u
#define GVM_CHUNK_SHIFT		21		/* 2 MiB: placement, huge page */
#define GVM_CHUNK_BYTES		(1u << GVM_CHUNK_SHIFT)
#define GVM_CHUNK_PAGES		512u

#define GVM_NODES_MAX		10240u		/* also servers of one client */
#define GVM_BATCH_PAGES_MAX	512u		/* pages in one READ or WRITE */
#define GVM_BATCH_RUNS_MAX	512u		/* runs in one READ or TRIM */
#define GVM_PREFETCH_PAGES_MAX	512u
#define GVM_PREFETCH_PAGES	32u		/* default window */
#define GVM_PORT_DEFAULT	9999u
#define GVM_ERROR_TEXT_MAX	240u		/* bytes of text in an ERROR */
#define GVM_NAME_MAX		64u		/* who holds a lease, for people */
#define GVM_SHARED_NAME_MAX	56u		/* name of a shared region, with NUL */
#define GVM_ADDRESS_MAX		56u		/* "[addr6]:port", with NUL */
#define GVM_SHARED_PAGES_MAX	(1ull << 38)	/* 1 PiB in one region */
#define GVM_SLICE_PAGES_MIN	GVM_CHUNK_PAGES
#define GVM_SLICE_PAGES_MAX	(1ull << 28)	/* 1 TiB */
#define GVM_SLICE_PAGES		(1ull << 18)	/* default: 1 GiB */
#define GVM_NODE_LEASE_MS	5000u		/* default: dead when not heard so long */
#define GVM_LANES		2u		/* connections per server: demand, bulk */
#define GVM_FD_MIN		4096		/* no descriptor of ours below this */

/* A page number is a guest or virtual address >> 12: 52 bits are plenty. */
#define GVM_PAGE_NO_MAX		((1ull << 52) - 1)

static_assert(GVM_CHUNK_PAGES << GVM_PAGE_SHIFT == GVM_CHUNK_BYTES, "chunk");
static_assert(GVM_BATCH_PAGES_MAX >= GVM_PREFETCH_PAGES_MAX,
	      "a prefetch window is one request");

#endif
