// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a node has mapped, and what is in it: the simulation's page tables, and
 * the only thing that the oracle is told about.  Open addressing, with room for
 * twice the limit of the node.
 */
#include "cluster.h"

static u32 place(const struct sim *s, u32 page)
{
	return page * 0x9e3779b1u >> 7 & s->frame_mask;
}

static struct sim_frame *table(struct sim *s, u32 node)
{
	return &s->frames[(size_t)node * (s->frame_mask + 1u)];
}

const struct sim_frame *gvm_sim_frame_at(const struct sim *s, u32 node,
					 u32 page)
{
	return &s->frames[(size_t)node * (s->frame_mask + 1u) + place(s, page)];
}

/* The page's frame, or the free one where it would be. */
struct sim_frame *gvm_sim_frame(struct sim *s, u32 node, u32 page)
{
	struct sim_frame *t = table(s, node);
	u32 i = place(s, page);

	while (t[i].page && t[i].page != page + 1)
		i = (i + 1) & s->frame_mask;
	return &t[i];
}

/* Close the gap at i: what hashes to before it moves into it. */
static void take_out(struct sim *s, struct sim_frame *t, u32 i)
{
	u32 j = i;

	for (;;) {
		u32 home;

		j = (j + 1) & s->frame_mask;
		if (!t[j].page)
			break;
		home = place(s, t[j].page - 1);
		if (((j - home) & s->frame_mask) < ((j - i) & s->frame_mask))
			continue;
		t[i] = t[j];
		i = j;
	}
	t[i].page = 0;
	t[i].right = GVM_ORACLE_NONE;
}

void gvm_sim_frame_set(struct sim *s, u32 node, u32 page, u32 right, u64 value)
{
	struct sim_frame *f = gvm_sim_frame(s, node, page);
	u32 before = f->page ? f->right : (u32)GVM_ORACLE_NONE;
	gvm_oracle_verdict broken;

	broken = gvm_oracle_map(s->oracle, node, page, before, right);
	if (broken)
		gvm_sim_fail(s, page, "%s", broken);
	if (right == GVM_ORACLE_NONE) {
		if (f->page) {
			struct sim_frame *t = table(s, node);

			take_out(s, t, (u32)(f - t));
		}
		return;
	}
	f->page = page + 1;
	f->right = right;
	f->value = value;
}

void gvm_sim_frames_drop(struct sim *s, u32 node)
{
	struct sim_frame *t = table(s, node);

	for (u32 i = 0; i <= s->frame_mask; i++) {
		if (!t[i].page)
			continue;
		gvm_oracle_map(s->oracle, node, t[i].page - 1, t[i].right,
			       GVM_ORACLE_NONE);
		t[i].page = 0;
		t[i].right = GVM_ORACLE_NONE;
	}
}
