/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory of the pager's own, straight from the kernel.
 *
 * Never malloc: the allocator of the program around us may keep its books in
 * memory that we page, and our fault thread would wait for itself.
 */
#ifndef GVM_PAGER_MEM_H
#define GVM_PAGER_MEM_H

#include "gvm_port.h"

/* Zeroed, page aligned, takes no RAM until touched.  NULL: no memory. */
void *gvm_mem_map(size_t bytes);
/* The same at a multiple of 2 MiB; the caller gives back what it asked for. */
void *gvm_mem_map_aligned(size_t bytes);
void gvm_mem_unmap(void *addr, size_t bytes);

/* Objects of one size that come and go: carved from 1 MiB pieces. */
struct gvm_pool {
	u32	object_bytes;
	u32	left;		/* objects left in the current piece */
	u8	*next;
	void	*free;		/* chain through the first word */
	u64	mapped_bytes;
};

void gvm_pool_init(struct gvm_pool *p, u32 object_bytes);
/* Zeroed, or NULL. */
void *gvm_pool_get(struct gvm_pool *p);
void gvm_pool_put(struct gvm_pool *p, void *object);

#endif
