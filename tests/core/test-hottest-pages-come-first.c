// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who asks for the pages that move most gets those, in this order: a list of
 * some pages that moved would have an operator look at the wrong ones.
 */
#include <stdlib.h>

#include "../check.h"
#include "node-inside.h"

int main(void)
{
	const struct gvm_node_config config = {
		.pages_max = 64, .wants_max = 4, .buffers_max = 8,
		.relays_max = 4, .epoch = 1, .retry_ns = 1,
	};
	struct gvm_node *n = gvm_node_init(malloc(gvm_node_size(&config)),
					   &config);
	struct gvm_hot all[GVM_HOT_MAX], some[5];
	u32 nr, sum = 0;

	CHECK(n);
	CHECK(gvm_node_hot(n, some, 5) == 0);
	/* Pages of which many meet in the same place. */
	for (u64 page = 0; page < 300; page++)
		for (u64 i = 0; i < page * 7919 % 1000; i++)
			gvm_hot_count(n, page, i % 3 == 0);
	for (u32 i = 0; i < 5000; i++)
		gvm_hot_count(n, 1000, i % 2 == 0);
	nr = gvm_node_hot(n, all, GVM_HOT_MAX);
	CHECK(nr > 100 && nr <= GVM_HOT_MAX);
	for (u32 i = 0; i + 1 < nr; i++)
		CHECK(all[i].gives + all[i].gets >=
		      all[i + 1].gives + all[i + 1].gets);
	CHECK(all[0].page == 1000);
	/* A shorter list is the beginning of it. */
	CHECK(gvm_node_hot(n, some, 5) == 5);
	for (u32 i = 0; i < 5; i++)
		CHECK(some[i].gives + some[i].gets ==
		      all[i].gives + all[i].gets);
	for (u32 i = 0; i < nr; i++)
		for (u32 j = 0; j < i; j++)
			sum += all[i].page == all[j].page;
	CHECK(sum == 0);
	CHECK(gvm_node_hot(n, some, 0) == 0);
	free(n);
	return 0;
}
