/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Regions as things, for lease.c.  All under the lock of the leases, unless the
 * region is not in the table yet.
 */
#ifndef GVM_SERVER_REGION_H
#define GVM_SERVER_REGION_H

#include "lease.h"

u64 gvm_region_now_ns(void);
/* The time that the region waits for its holder runs from now. */
void gvm_region_start_lease(const struct gvm_leases *l, struct gvm_region *r);

struct gvm_region *gvm_region_find(struct gvm_leases *l, const u8 id[16]);
/* A region of this id that nobody can find yet; NULL: refused. */
struct gvm_region *gvm_region_make(struct gvm_leases *l, const u8 id[16],
				   const u8 token[16],
				   const char name[GVM_NAME_MAX],
				   struct gvm_refusal *ret);
void gvm_region_insert(struct gvm_leases *l, struct gvm_region *r);
void gvm_region_remove(struct gvm_leases *l, struct gvm_region *r);
/* One user less; the last one frees it. */
void gvm_region_put(struct gvm_region *r);

/* Which of the two places for token and name holds. */
u32 gvm_region_place(const struct gvm_region *r);
bool gvm_region_token_is(const struct gvm_region *r, const u8 token[16]);
/* Make token, name and epoch hold, all at once, in this place. */
void gvm_region_hold(struct gvm_region *r, const u8 token[16],
		     const char name[GVM_NAME_MAX], u32 epoch, u32 place);
void gvm_region_set_state(struct gvm_region *r, enum gvm_region_state state);

#endif
