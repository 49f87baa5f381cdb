// SPDX-License-Identifier: GPL-2.0-or-later
/* The pager's own memory; see mem.h for why it is not malloc. */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "limits.h"
#include "mem.h"
#include "sys.h"

#define PIECE_BYTES	(1u << 20)

void *gvm_mem_map(size_t bytes)
{
	long at = gvm_sys(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at < 0 ? NULL : (void *)at;
}

void *gvm_mem_map_aligned(size_t bytes)
{
	uintptr_t at = (uintptr_t)gvm_mem_map(bytes + GVM_CHUNK_BYTES);
	uintptr_t start = (at + GVM_CHUNK_BYTES - 1) &
			  ~(uintptr_t)(GVM_CHUNK_BYTES - 1);

	if (!at)
		return NULL;
	if (start > at)
		gvm_mem_unmap((void *)at, start - at);
	gvm_mem_unmap((void *)(start + bytes), at + GVM_CHUNK_BYTES - start);
	return (void *)start;
}

void gvm_mem_unmap(void *addr, size_t bytes)
{
	if (addr && bytes)
		gvm_sys(SYS_munmap, addr, bytes);
}

void gvm_pool_init(struct gvm_pool *p, u32 object_bytes)
{
	*p = (struct gvm_pool){
		/* Keep objects on cache lines of their own. */
		.object_bytes = (object_bytes + 63u) & ~63u,
	};
}

void *gvm_pool_get(struct gvm_pool *p)
{
	void *object = p->free;

	if (object) {
		memcpy(&p->free, object, sizeof(p->free));
		memset(object, 0, p->object_bytes);
		return object;
	}
	if (!p->left) {
		p->next = gvm_mem_map(PIECE_BYTES);
		if (!p->next)
			return NULL;
		p->left = PIECE_BYTES / p->object_bytes;
		p->mapped_bytes += PIECE_BYTES;
	}
	object = p->next;
	p->next += p->object_bytes;
	p->left--;
	return object;
}

void gvm_pool_put(struct gvm_pool *p, void *object)
{
	memcpy(object, &p->free, sizeof(p->free));
	p->free = object;
}
