// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* Sets of nodes; see sharers.h.  Loops are bounded by 160 words. */
#include "sharers.h"

void gvm_sharers_clear(struct gvm_sharers *s)
{
	memset(s, 0, sizeof(*s));
}

void gvm_sharers_add(struct gvm_sharers *s, u32 node)
{
	u32 g = node / GVM_GROUP_NODES;

	if (gvm_bug_on(node >= GVM_NODES_MAX))
		return;
	s->word[g] |= 1ull << node % GVM_GROUP_NODES;
	s->summary[g / 64] |= 1ull << g % 64;
}

void gvm_sharers_remove(struct gvm_sharers *s, u32 node)
{
	u32 g = node / GVM_GROUP_NODES;

	if (gvm_bug_on(node >= GVM_NODES_MAX))
		return;
	s->word[g] &= ~(1ull << node % GVM_GROUP_NODES);
	if (!s->word[g])
		s->summary[g / 64] &= ~(1ull << g % 64);
}

bool gvm_sharers_has(const struct gvm_sharers *s, u32 node)
{
	if (node >= GVM_NODES_MAX)
		return false;
	return s->word[node / GVM_GROUP_NODES] >> node % GVM_GROUP_NODES & 1;
}

/* No compiler's library here (Warren, "Hacker's Delight", 5-1). */
static u32 ones(u64 v)
{
	v -= v >> 1 & 0x5555555555555555ull;
	v = (v & 0x3333333333333333ull) + (v >> 2 & 0x3333333333333333ull);
	v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return (u32)(v * 0x0101010101010101ull >> 56);
}

/* The place of the nth bit, of more than n. */
static u32 nth_bit(u64 bits, u32 n)
{
	while (n--)
		bits &= bits - 1;
	return (u32)__builtin_ctzll(bits);
}

/* The first group >= from with a member, or GVM_GROUPS. */
static u32 next_group(const struct gvm_sharers *s, u32 from)
{
	for (u32 i = from / 64; i < 3; i++) {
		u64 bits = s->summary[i];

		if (i == from / 64)
			bits &= ~0ull << from % 64;
		if (bits)
			return i * 64 + (u32)__builtin_ctzll(bits);
	}
	return GVM_GROUPS;
}

/* The members of group g that lie in [lo, hi). */
static u64 part_of(const struct gvm_sharers *s, u32 g, u32 lo, u32 hi)
{
	u32 first = g * GVM_GROUP_NODES;
	u64 bits = s->word[g];

	if (lo > first)
		bits &= lo - first >= 64 ? 0 : ~0ull << (lo - first);
	if (hi < first + GVM_GROUP_NODES)
		bits &= hi <= first ? 0 : ~0ull >> (64 - (hi - first));
	return bits;
}

u32 gvm_sharers_count(const struct gvm_sharers *s, u32 lo, u32 hi)
{
	u32 n = 0;

	for (u32 g = next_group(s, lo / GVM_GROUP_NODES);
	     g < GVM_GROUPS && g * GVM_GROUP_NODES < hi;
	     g = next_group(s, g + 1))
		n += ones(part_of(s, g, lo, hi));
	return n;
}

u32 gvm_sharers_next(const struct gvm_sharers *s, u32 from, u32 hi)
{
	for (u32 g = next_group(s, from / GVM_GROUP_NODES);
	     g < GVM_GROUPS && g * GVM_GROUP_NODES < hi;
	     g = next_group(s, g + 1)) {
		u64 bits = part_of(s, g, from, hi);

		if (bits)
			return g * GVM_GROUP_NODES +
				(u32)__builtin_ctzll(bits);
	}
	return GVM_NODES_MAX;
}

u32 gvm_sharers_nth(const struct gvm_sharers *s, u32 lo, u32 hi, u32 nth)
{
	for (u32 g = next_group(s, lo / GVM_GROUP_NODES);
	     g < GVM_GROUPS && g * GVM_GROUP_NODES < hi;
	     g = next_group(s, g + 1)) {
		u64 bits = part_of(s, g, lo, hi);
		u32 n = ones(bits);

		if (nth >= n) {
			nth -= n;
			continue;
		}
		return g * GVM_GROUP_NODES + nth_bit(bits, nth);
	}
	return GVM_NODES_MAX;
}

void gvm_sharers_and(struct gvm_sharers *to, const struct gvm_sharers *of)
{
	for (u32 g = next_group(to, 0); g < GVM_GROUPS;
	     g = next_group(to, g + 1)) {
		to->word[g] &= of->word[g];
		if (!to->word[g])
			to->summary[g / 64] &= ~(1ull << g % 64);
	}
}

u32 gvm_sharers_common(const struct gvm_sharers *a,
		       const struct gvm_sharers *b)
{
	u32 n = 0;

	for (u32 g = next_group(a, 0); g < GVM_GROUPS;
	     g = next_group(a, g + 1))
		n += ones(a->word[g] & b->word[g]);
	return n;
}

void gvm_sharers_add_range(struct gvm_sharers *to,
			   const struct gvm_sharers *of, u32 lo, u32 hi)
{
	for (u32 g = next_group(of, lo / GVM_GROUP_NODES);
	     g < GVM_GROUPS && g * GVM_GROUP_NODES < hi;
	     g = next_group(of, g + 1)) {
		u64 bits = part_of(of, g, lo, hi);

		if (!bits)
			continue;
		to->word[g] |= bits;
		to->summary[g / 64] |= 1ull << g % 64;
	}
}

u32 gvm_sharers_split(const struct gvm_sharers *s, u32 lo, u32 hi, u32 parts,
		      u16 *ret_at)
{
	u32 members = gvm_sharers_count(s, lo, hi);
	u32 n = members < parts ? members : parts;

	if (!n)
		return 0;
	ret_at[0] = (u16)gvm_sharers_next(s, lo, hi);
	for (u32 i = 1; i < n; i++)
		ret_at[i] = (u16)gvm_sharers_nth(s, lo, hi, i * members / n);
	ret_at[n] = (u16)hi;
	return n;
}
