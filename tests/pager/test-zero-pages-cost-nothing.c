// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a program that clears memory hangs, or pays for zeros with
 * network and room on servers.
 *
 * A guest that clears its RAM makes nothing but dirty zero pages.  They leave
 * staging as soon as they are in it, and once filled the ring with slots that
 * nobody counted as spare: every fault then waited for ever.
 */
#include <stdio.h>
#include <string.h>

#include "harness.h"

#define PAGES	16384u
#define LOCAL	(4 * MIB)

int main(void)
{
	struct test_server server;
	struct gvm_config c = { .prefetch_pages = 32, .wait_ms = 5000 };
	struct gvm_stats st;
	struct gvm *gvm;
	uint8_t *memory;

	need_userfaultfd();
	server = server_start(0, NULL);
	gvm = engine_start(&server, 1, LOCAL, &c);
	memory = memory_map(gvm, PAGES * PAGE);
	for (unsigned round = 0; round < 3; round++)
		memset(memory, 0, PAGES * PAGE);
	CHECK(gvm_stats(gvm, &st) == 0);
	CHECK(st.evicted_zero > PAGES);
	CHECK(st.written == 0 && st.faults_remote == 0);
	/* The same among pages that have to be kept. */
	for (unsigned round = 1; round < 4; round++) {
		for (unsigned i = 0; i < PAGES; i++)
			if (i % 64)
				memset(memory + i * PAGE, 0, PAGE);
			else
				stamp_put(memory + i * PAGE, i, round);
		for (unsigned i = 0; i < PAGES; i++)
			CHECK(i % 64 ? is_zero(memory + i * PAGE) :
			      stamp_is(memory + i * PAGE, i, round));
	}
	CHECK(gvm_stats(gvm, &st) == 0);
	printf("zero pages taken away: %lu; pages written: %lu\n",
	       st.evicted_zero, st.written);
	CHECK(st.written <= 8 * PAGES / 64);
	memory_unmap(gvm, memory, PAGES * PAGE);
	gvm_fini(gvm);
	server_stop(&server);
	return 0;
}
