// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Carry out what the core asks for: on a node's page table and buffers, on a
 * home's store, on the network.  The oracle sees every change of a page table.
 * What only a real driver would notice is checked here: bytes read from a page
 * that can still be written, an answer sent before the page was taken away.
 */
#include "cluster.h"

static u64 *buffer(struct sim *s, u32 actor, const struct gvm_co_effect *e)
{
	if (gvm_sim_is_home(s, actor) || e->buffer >= s->buffers) {
		gvm_sim_fail(s, e->page, "actor %u has no buffer %u", actor,
			     e->buffer);
		return &s->buffer[0];
	}
	return &s->buffer[(size_t)actor * s->buffers + e->buffer];
}

static u64 bytes(struct sim *s, u32 actor, const struct gvm_co_effect *e,
		 const struct sim_msg *m)
{
	switch (e->bytes) {
	case GVM_BYTES_MESSAGE:
		if (!m)
			gvm_sim_fail(s, e->page, "actor %u uses the bytes of no message",
				     actor);
		return m ? m->value : 0;
	case GVM_BYTES_BUFFER:
		return *buffer(s, actor, e);
	case GVM_BYTES_STORE:
		if (!gvm_sim_is_home(s, actor))
			gvm_sim_fail(s, e->page, "node %u has no store", actor);
		return s->store[e->page];
	default:
		return 0;
	}
}

/*
 * Messages on the longest path that caused this one, from the request on.  Who
 * sends because of something else (its turn has come, a hold has ended) goes
 * on where the path of the request was: home after 1, a node after 2.  Levels
 * of relays below the first count apart.
 */
static void count_hops(struct sim_msg *to, const struct sim_msg *m, bool home)
{
	u32 type = m ? m->co.type : 0;

	to->level = 0;
	switch (to->co.type) {
	case GVM_CO_GET_SHARED:
	case GVM_CO_GET_EXCLUSIVE:
		/* Sent back, or passed along a chain: it goes on. */
		to->hops = type == to->co.type || type == GVM_CO_REFER ?
			(u8)(m->hops + 1) : 1;
		break;
	case GVM_CO_INVALIDATE:
		if (!home && type == GVM_CO_INVALIDATE) {
			to->hops = m->hops;
			to->level = (u8)(m->level + 1);
			break;
		}
		to->hops = type == GVM_CO_INVALIDATED || type == GVM_CO_GRANT ?
			(u8)(m->hops + 1) : 2;
		break;
	case GVM_CO_INVALIDATED:
		/* Gathered by a relay: as if its own. */
		to->hops = type == GVM_CO_INVALIDATED ? m->hops :
			   type == GVM_CO_INVALIDATE ? (u8)(m->hops + 1) : 3;
		to->level = m ? m->level : 0;
		break;
	default:
		if (type == GVM_CO_GET_SHARED || type == GVM_CO_GET_EXCLUSIVE ||
		    type == GVM_CO_RECALL || type == GVM_CO_REFER ||
		    (home && type == GVM_CO_INVALIDATED))
			to->hops = (u8)(m->hops + 1);
		else
			to->hops = home ? 2 : 3;
	}
}

/* Was it copied for this answer?  Else it is one of before, once more. */
static bool just_read(const struct sim *s, u64 page)
{
	for (u32 i = 0; i < s->out.nr; i++) {
		if (s->out.effect[i].what == GVM_DO_READ &&
		    s->out.effect[i].page == page)
			return true;
	}
	return false;
}

/* What this answer says must be true of the page table by now. */
static void check_answer(struct sim *s, u32 node, const struct gvm_co_msg *co)
{
	u32 right = gvm_sim_frame(s, node, (u32)co->page)->right;
	bool none = co->type == GVM_CO_PUT ||
		    (co->type == GVM_CO_GRANT && co->flags & GVM_CO_EXCLUSIVE);
	bool unwritable = co->type == GVM_CO_GRANT ||
			  co->type == GVM_CO_RETURN;

	if (((none && right != GVM_ORACLE_NONE) ||
	     (unwritable && right == GVM_ORACLE_WRITE)) &&
	    just_read(s, co->page))
		gvm_sim_fail(s, co->page, "node %u sends message %u of page %llu before it has taken the page away",
			     node, co->type, (unsigned long long)co->page);
}

static void send(struct sim *s, u32 actor, const struct gvm_co_effect *e,
		 const struct sim_msg *m)
{
	bool home = gvm_sim_is_home(s, actor);
	u32 to = e->msg.to, index;
	struct sim_msg *msg;

	if (to == GVM_NODE_HOME)
		to = s->cfg.nodes + gvm_sim_home_of(s, e->msg.page);
	else if (to >= s->cfg.nodes) {
		gvm_sim_fail(s, e->msg.page, "actor %u sends message %u to %u, which is nobody",
			     actor, e->msg.type, to);
		return;
	}
	index = gvm_sim_msg_new(&s->pool);
	if (index == SIM_NO_MSG) {
		gvm_sim_fail(s, ~0ull, "no memory for messages");
		return;
	}
	msg = &s->pool.msg[index];
	msg->co = e->msg;
	msg->value = bytes(s, actor, e, m);
	count_hops(msg, m, home);
	if (e->msg.type == GVM_CO_INVALIDATE && e->msg.list &&
	    e->msg.lo < e->msg.hi &&
	    !gvm_sim_list_pack(&s->pool, msg, e->msg.list))
		gvm_sim_fail(s, ~0ull, "no memory for lists");
	msg->co.list = NULL;
	if (!home) {
		check_answer(s, actor, &e->msg);
		if (e->msg.type == GVM_CO_GET_EXCLUSIVE)
			gvm_oracle_asked(s->oracle, actor, e->msg.page);
		if (msg->hops == 1)
			gvm_sim_asks(s, actor, e->msg.page);
	}
	gvm_sim_send(s, actor, to, index);
}

static void protect(struct sim *s, u32 node, u32 page)
{
	struct sim_frame *f = gvm_sim_frame(s, node, page);

	if (f->page && f->right == GVM_ORACLE_WRITE)
		gvm_sim_frame_set(s, node, page, GVM_ORACLE_READ, f->value);
}

static void read_page(struct sim *s, u32 node, const struct gvm_co_effect *e)
{
	struct sim_frame *f = gvm_sim_frame(s, node, (u32)e->page);

	if (!f->page)
		gvm_sim_fail(s, e->page, "node %u reads page %llu, which it has not mapped",
			     node, (unsigned long long)e->page);
	else if (f->right == GVM_ORACLE_WRITE)
		gvm_sim_fail(s, e->page, "node %u copies page %llu while its threads can write it",
			     node, (unsigned long long)e->page);
	*buffer(s, node, e) = f->value;
}

static void unprotect(struct sim *s, u32 node, u32 page)
{
	struct sim_frame *f = gvm_sim_frame(s, node, page);

	if (!f->page)
		gvm_sim_fail(s, page, "node %u lets page %u be written, which it has not mapped",
			     node, page);
	else
		gvm_sim_frame_set(s, node, page, GVM_ORACLE_WRITE, f->value);
}

static void install(struct sim *s, u32 node, const struct gvm_co_effect *e,
		    const struct sim_msg *m)
{
	gvm_sim_frame_set(s, node, (u32)e->page,
			  e->writable ? GVM_ORACLE_WRITE : GVM_ORACLE_READ,
			  bytes(s, node, e, m));
	if (gvm_sim_told(s, e->page))
		gvm_sim_tell(s, e->page, "node %u maps write %llu to %s it", node,
			     (unsigned long long)gvm_sim_frame(s, node,
						(u32)e->page)->value,
			     e->writable ? "write" : "read");
}

static void tell_effect(struct sim *s, u32 node, u64 page, u8 what)
{
	static const char *const words[GVM_DO_NR] = {
		[GVM_DO_PROTECT] = "protects it",
		[GVM_DO_UNMAP] = "unmaps it",
		[GVM_DO_UNPROTECT] = "lets it be written",
		[GVM_DO_LOST] = "is told that it is lost",
		[GVM_DO_STORE] = "stores it",
	};

	if (words[what])
		gvm_sim_tell(s, page, "%s %u %s", gvm_sim_is_home(s, node) ? "home" :
			     "node", gvm_sim_is_home(s, node) ?
			     node - s->cfg.nodes : node, words[what]);
}

/* After an answer of this page, nothing may take it away in the same breath. */
static void check_order(struct sim *s, u32 node, u32 i)
{
	const struct gvm_co_effect *e = &s->out.effect[i];

	for (u32 j = 0; j < i; j++) {
		const struct gvm_co_effect *f = &s->out.effect[j];
		u16 type = f->msg.type;

		if (f->what == GVM_DO_SEND && f->msg.page == e->page &&
		    (type == GVM_CO_INVALIDATED || type == GVM_CO_RETURN ||
		     type == GVM_CO_PUT))
			gvm_sim_fail(s, e->page, "node %u answers %u before it takes page %llu away",
				     node, type, (unsigned long long)e->page);
	}
}

static void apply_node(struct sim *s, u32 node, u32 i, const struct sim_msg *m)
{
	const struct gvm_co_effect *e = &s->out.effect[i];
	u32 page = (u32)e->page;

	switch (e->what) {
	case GVM_DO_PROTECT:
		check_order(s, node, i);
		protect(s, node, page);
		break;
	case GVM_DO_READ:
		read_page(s, node, e);
		break;
	case GVM_DO_UNMAP:
		check_order(s, node, i);
		gvm_sim_frame_set(s, node, page, GVM_ORACLE_NONE, 0);
		break;
	case GVM_DO_KEEP:
		if (!m)
			gvm_sim_fail(s, page, "node %u keeps the bytes of no message",
				     node);
		*buffer(s, node, e) = m ? m->value : 0;
		break;
	case GVM_DO_INSTALL:
		install(s, node, e, m);
		gvm_sim_wake(s, node, page);
		break;
	case GVM_DO_UNPROTECT:
		unprotect(s, node, page);
		gvm_sim_wake(s, node, page);
		break;
	case GVM_DO_WAKE:
		gvm_sim_wake(s, node, page);
		break;
	case GVM_DO_LOST:
		gvm_sim_page_lost(s, node, page);
		break;
	default:
		break;
	}
}

void gvm_sim_apply(struct sim *s, u32 actor, const struct sim_msg *m)
{
	bool home = gvm_sim_is_home(s, actor);

	if (s->out.nr > GVM_CO_EFFECTS_MAX)
		gvm_sim_fail(s, ~0ull, "actor %u asks for %u effects", actor,
			     s->out.nr);
	for (u32 i = 0; i < s->out.nr && !s->stop; i++) {
		const struct gvm_co_effect *e = &s->out.effect[i];

		if (e->what != GVM_DO_SEND && gvm_sim_told(s, e->page))
			tell_effect(s, actor, e->page, e->what);
		if (e->what == GVM_DO_SEND)
			send(s, actor, e, m);
		else if (!home)
			apply_node(s, actor, i, m);
		else if (e->what == GVM_DO_STORE && m)
			s->store[e->page] = m->value;
		else
			gvm_sim_fail(s, e->page, "home asks for effect %u",
				     e->what);
	}
	if (s->cfg.check)
		s->ops->check(s, actor);
}
