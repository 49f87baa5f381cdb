// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * At any moment it is the turn of exactly one node, each has as much of the time
 * as the others, and who is told to wait has its turn when that time is over.  If
 * not, two nodes would take pages from each other, or one would never get any.
 */
#include "../check.h"
#include "turn.h"

#define TURN	1000u
#define START	(1ull << 62)	/* clocks may say anything */

static void try(u32 nodes)
{
	u64 had[16] = { 0 };

	for (u64 now = START; now < START + nodes * TURN; now++) {
		u32 turns = 0;

		for (u32 me = 0; me < nodes; me++) {
			u64 wait = gvm_turn_wait(now, TURN, me, nodes);

			turns += !wait;
			had[me] += !wait;
			CHECK(wait <= (nodes - 1) * TURN);
			CHECK(!gvm_turn_wait(now + wait, TURN, me, nodes));
			CHECK(!wait || gvm_turn_wait(now + wait - 1, TURN, me,
						     nodes));
		}
		CHECK(turns == 1);
	}
	for (u32 me = 0; me < nodes; me++)
		CHECK(had[me] == TURN);
}

int main(void)
{
	for (u32 nodes = 1; nodes <= 16; nodes++)
		try(nodes);
	return 0;
}
