// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a program is stopped because one of its servers is full, while
 * the others have room for everything: two fault threads, which place chunks at
 * the same time, have promised the same room twice.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>

#include "harness.h"

#define GIB	(1024 * MIB)
#define RANGE	(32 * MIB)
#define PAGES	(RANGE / PAGE)
#define CHUNK	512u		/* pages */

static struct gvm *gvm;

/* Fault threads share the addresses by GiB: one range in each of two. */
static void map_ranges(uint8_t *range[2])
{
	uintptr_t at = (uintptr_t)mmap(NULL, 3 * GIB, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS |
				       MAP_NORESERVE, -1, 0);

	CHECK((void *)at != MAP_FAILED);
	at = (at + GIB - 1) & ~(uintptr_t)(GIB - 1);
	for (unsigned r = 0; r < 2; r++) {
		range[r] = (uint8_t *)at + r * GIB;
		CHECK(gvm_register(gvm, range[r], RANGE, NULL) == 0);
	}
}

int main(void)
{
	static const char *const small[] = { "--memory", "24M", NULL };
	static const char *const large[] = { "--memory", "64M", NULL };
	struct gvm_config c = { .prefetch_pages = 0, .shards = 2 };
	struct test_server servers[2];
	uint8_t *range[2];

	need_userfaultfd();
	servers[0] = server_start(0, small);
	servers[1] = server_start(0, large);
	gvm = engine_start(servers, 2, 16 * MIB, &c);
	map_ranges(range);

	/* All chunks grow together, after they have been placed. */
	for (unsigned i = 0; i < CHUNK; i++)
		for (unsigned chunk = 0; chunk < PAGES; chunk += CHUNK)
			for (unsigned r = 0; r < 2; r++)
				stamp_put(range[r] + (chunk + i) * PAGE,
					  chunk + i, r);
	for (unsigned r = 0; r < 2; r++)
		for (unsigned i = 0; i < PAGES; i++)
			CHECK(stamp_is(range[r] + i * PAGE, i, r));

	for (unsigned r = 0; r < 2; r++)
		memory_unmap(gvm, range[r], RANGE);
	gvm_fini(gvm);
	server_stop(&servers[0]);
	server_stop(&servers[1]);
	return 0;
}
