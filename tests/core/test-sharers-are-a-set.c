// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a home forgets who has a copy of a page, or asks nodes that
 * have none: checked against one bool per node.
 */
#include <string.h>

#include "check.h"
#include "sharers.h"

static struct gvm_sharers set, other, sum;
static bool in[GVM_NODES_MAX], in_other[GVM_NODES_MAX];
static u64 seed = 88172645463325252ull;

static u32 chance(u32 below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (u32)(seed % below);
}

static void fill(struct gvm_sharers *s, bool *is, u32 members)
{
	u32 from = chance(GVM_NODES_MAX);

	gvm_sharers_clear(s);
	memset(is, 0, GVM_NODES_MAX);
	while (members--) {
		u32 id = chance(2) ? chance(GVM_NODES_MAX) :
			(from + chance(200)) % GVM_NODES_MAX;

		gvm_sharers_add(s, id);
		is[id] = true;
	}
}

static void check_range(u32 lo, u32 hi)
{
	u32 n = 0, next = gvm_sharers_next(&set, lo, hi);
	u16 at[9];
	u32 parts, most = 0, least = ~0u;

	for (u32 id = lo; id < hi; id++) {
		if (!in[id])
			continue;
		CHECK(next == id);
		CHECK(n % 37 || gvm_sharers_nth(&set, lo, hi, n) == id);
		next = gvm_sharers_next(&set, id + 1, hi);
		n++;
	}
	CHECK(next == GVM_NODES_MAX);
	CHECK(gvm_sharers_count(&set, lo, hi) == n);
	CHECK(gvm_sharers_nth(&set, lo, hi, n) == GVM_NODES_MAX);
	parts = gvm_sharers_split(&set, lo, hi, 8, at);
	CHECK(parts == (n < 8 ? n : 8));
	for (u32 i = 0; i < parts; i++) {
		u32 members = gvm_sharers_count(&set, at[i], at[i + 1]);

		CHECK(at[i] >= lo && at[i] < at[i + 1] && in[at[i]]);
		most = members > most ? members : most;
		least = members < least ? members : least;
		n -= members;
	}
	CHECK(!n && (!parts || (at[parts] == hi && most - least <= 1)));
}

static void check_pair(u32 lo, u32 hi)
{
	u32 both = 0;

	gvm_sharers_clear(&sum);
	gvm_sharers_add_range(&sum, &set, lo, hi);
	for (u32 id = 0; id < GVM_NODES_MAX; id++) {
		both += in[id] && in_other[id];
		CHECK(gvm_sharers_has(&sum, id) ==
		      (in[id] && id >= lo && id < hi));
	}
	CHECK(gvm_sharers_common(&set, &other) == both);
	sum = set;
	gvm_sharers_and(&sum, &other);
	CHECK(gvm_sharers_count(&sum, 0, GVM_NODES_MAX) == both);
	for (u32 id = gvm_sharers_next(&sum, 0, GVM_NODES_MAX);
	     id < GVM_NODES_MAX;
	     id = gvm_sharers_next(&sum, id + 1, GVM_NODES_MAX))
		CHECK(in[id] && in_other[id]);
}

int main(void)
{
	static const u32 sizes[] = { 0, 1, 2, 8, 9, 64, 500, 9000, 60000 };

	for (u32 round = 0; round < 270; round++) {
		u32 lo = chance(GVM_NODES_MAX + 1);
		u32 hi = lo + chance(GVM_NODES_MAX + 1 - lo);

		fill(&set, in, sizes[round % 9]);
		fill(&other, in_other, sizes[chance(9)]);
		for (u32 i = chance(100); i; i--) {
			u32 id = chance(GVM_NODES_MAX);

			gvm_sharers_remove(&set, id);
			in[id] = false;
			CHECK(!gvm_sharers_has(&set, id));
		}
		check_range(lo, hi);
		check_range(0, GVM_NODES_MAX);
		check_range(lo, lo + (lo < GVM_NODES_MAX));
		check_pair(lo, hi);
	}
	CHECK(!gvm_sharers_has(&set, GVM_NODES_MAX));
	return 0;
}
