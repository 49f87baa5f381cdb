// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Effects that come before their causes would make every verdict of a
 * simulation worthless.  Events leave the queue in the order of time, and each
 * exactly once.
 */
#include "sim/queue.h"
#include "sim/random.h"
#include "tests/check.h"

#define EVENTS	100000u

int main(void)
{
	static unsigned char seen[EVENTS];
	struct sim_queue q = { 0 };
	struct sim_event e;
	u64 random = 1, now = 0;
	u32 in = 0, out = 0;

	while (out < EVENTS) {
		bool more = in < EVENTS && gvm_sim_below(&random, 5) < 3;

		if (more || (!q.nr && in < EVENTS)) {
			/* Never before now, as in a simulation; often equal. */
			gvm_sim_queue_push(&q, now + gvm_sim_below(&random, 50),
					   1, in++);
			continue;
		}
		CHECK(gvm_sim_queue_pop(&q, &e));
		CHECK(e.at >= now);
		CHECK(e.what == 1 && e.arg < in && !seen[e.arg]);
		seen[e.arg] = 1;
		now = e.at;
		out++;
	}
	CHECK(!gvm_sim_queue_pop(&q, &e));
	CHECK(!q.failed);
	free(q.heap);

	/* The tail of delays: its mean is what was asked for. */
	now = 0;
	for (u32 i = 0; i < EVENTS; i++)
		now += gvm_sim_exponential(&random, 1000000);
	CHECK(now / EVENTS > 980000 && now / EVENTS < 1020000);
	return 0;
}
