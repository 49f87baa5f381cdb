/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where things lie in an arena, for arena.c and arena-file.c. */
#ifndef GVM_SERVER_ARENA_LAYOUT_H
#define GVM_SERVER_ARENA_LAYOUT_H

#include "arena.h"

u64 gvm_arena_leaves_offset(void);
/* Length of the whole mapping. */
u64 gvm_arena_bytes(const struct gvm_arena *a);
void gvm_arena_fill_super(const struct gvm_arena *a, struct gvm_super *s);
u32 gvm_arena_super_crc(const struct gvm_super *s);
/* Map map_bytes of a->fd, or of nothing. */
int gvm_arena_map(struct gvm_arena *a);

int gvm_arena_open_file(struct gvm_arena *a, const char *path, bool *ret_fresh,
			char *why, size_t why_len);

#endif
