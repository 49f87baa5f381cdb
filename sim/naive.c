// SPDX-License-Identifier: GPL-2.0-or-later
/* What the naive designs have in common. */
#include "naive.h"

struct gvm_co_effect *gvm_sim_put(struct sim *s, u32 actor, enum gvm_co_do what,
				  u64 page)
{
	struct gvm_co_effect *e;

	if (s->out.nr == GVM_CO_EFFECTS_MAX) {
		gvm_sim_apply(s, actor, s->at_hand);
		s->out.nr = 0;
	}
	e = &s->out.effect[s->out.nr++];
	memset(e, 0, sizeof(*e));
	e->what = (u8)what;
	e->page = page;
	return e;
}

struct gvm_co_effect *gvm_sim_put_send(struct sim *s, u32 actor, u32 type,
				       u64 page, u32 to)
{
	struct gvm_co_effect *e = gvm_sim_put(s, actor, GVM_DO_SEND, page);

	e->msg.type = (u16)type;
	e->msg.from = (u16)(gvm_sim_is_home(s, actor) ? GVM_NODE_HOME : actor);
	e->msg.to = (u16)to;
	e->msg.page = page;
	return e;
}

void gvm_sim_no_tick(struct sim *s, u32 actor, u64 now)
{
	(void)s;
	(void)actor;
	(void)now;
}

u64 gvm_sim_no_deadline(struct sim *s, u32 actor)
{
	(void)s;
	(void)actor;
	return SIM_NEVER;
}

void gvm_sim_no_fetch_ahead(const struct sim *s, u32 actor)
{
	(void)s;
	(void)actor;
}

bool gvm_sim_no_evict(struct sim *s, u32 node, u64 now)
{
	(void)s;
	(void)node;
	(void)now;
	return false;
}

void gvm_sim_no_dead(struct sim *s, u32 home, u32 node, u64 now)
{
	(void)s;
	(void)home;
	(void)node;
	(void)now;
}

bool gvm_sim_no_join(struct sim *s, u32 node)
{
	(void)s;
	(void)node;
	return true;
}

void gvm_sim_no_check(struct sim *s, u32 actor)
{
	(void)s;
	(void)actor;
}

bool gvm_sim_no_idle(struct sim *s, u32 actor)
{
	(void)s;
	(void)actor;
	return true;
}

const char *gvm_sim_no_agree(struct sim *s, u32 page)
{
	(void)s;
	(void)page;
	return NULL;
}
