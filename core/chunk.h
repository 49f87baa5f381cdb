/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * What a node knows about 512 neighbouring pages.  Arrays by field, so that a
 * sweep for victims reads 1 KiB a chunk, and a page costs 6 bytes and a bit.
 *
 * Owned by one shard; never locked.
 */
#ifndef GVM_CHUNK_H
#define GVM_CHUNK_H

#include "limits.h"

struct gvm_chunk {
	u64	page0;		/* number of its first page in the region */
	u64	va0;		/* where its first page is mapped, or would be */
	u16	resident;	/* pages here and mapped: policy's domain */
	u16	stored;		/* pages the home has, or is being sent */
	u16	server;		/* index of its home; GVM_SERVER_NONE: not placed */
	u8	gen_oldest;	/* no resident page is older than this (hint) */
	u8	flags;		/* the pager's */
	u8	fills;		/* of late: pages fetched and mapped protected */
	u8	writes;		/* of late: how many of those were written */
	u8	reserved[6];
	u8	state[GVM_CHUNK_PAGES];	/* enum gvm_page_state, core/page.h */
	u8	gen[GVM_CHUNK_PAGES];	/* resident: age; else when it left */
	u32	word[GVM_CHUNK_PAGES];	/* by state: CRC, staging slot, request */
};

#define GVM_SERVER_NONE		0xffffu

static_assert(sizeof(struct gvm_chunk) <= 8 * GVM_CHUNK_PAGES,
	      "pager metadata stays under 8 bytes a page");

#endif
