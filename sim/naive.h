/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For designs that are not the core: effects are written one by one, and what
 * they do not need does nothing.
 */
#ifndef GVM_SIM_NAIVE_H
#define GVM_SIM_NAIVE_H

#include "cluster.h"

/* The next effect.  Carries out what there is when there is no room. */
struct gvm_co_effect *gvm_sim_put(struct sim *s, u32 actor, enum gvm_co_do what,
				  u64 page);
struct gvm_co_effect *gvm_sim_put_send(struct sim *s, u32 actor, u32 type,
				       u64 page, u32 to);

void gvm_sim_no_tick(struct sim *s, u32 actor, u64 now);
u64 gvm_sim_no_deadline(struct sim *s, u32 actor);
void gvm_sim_no_fetch_ahead(const struct sim *s, u32 actor);
bool gvm_sim_no_evict(struct sim *s, u32 node, u64 now);
void gvm_sim_no_dead(struct sim *s, u32 home, u32 node, u64 now);
bool gvm_sim_no_join(struct sim *s, u32 node);
void gvm_sim_no_check(struct sim *s, u32 actor);
bool gvm_sim_no_idle(struct sim *s, u32 actor);
const char *gvm_sim_no_agree(struct sim *s, u32 page);

#endif
