// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a program takes more of its host than it was given, or a
 * small server fills up while a large one stands empty.
 *
 * Resident memory of the region and of everything that the engine maps is
 * read from the kernel (smaps) while two threads write and read; then the
 * limit is lowered under load.  One of the two servers has room for an eighth.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

#define PAGES	16384u
#define LOCAL	(16 * MIB)

static uint8_t *memory;
static atomic_bool stop;

static void *use(void *arg)
{
	uint64_t seed = (uint64_t)(uintptr_t)arg;

	for (unsigned n = 0; !stop; n++) {
		uint64_t r = random_next(&seed);
		unsigned i = (unsigned)(n % 4 ? n : r) % (PAGES / 2);

		/* Each has a half of its own. */
		i += (unsigned)((uintptr_t)arg - 1) * (PAGES / 2);
		if ((uintptr_t)arg == 1 && n % 3 == 0)
			stamp_put(memory + i * PAGE, i, 1);
		else
			CHECK(stamp_is(memory + i * PAGE, i, 1));
	}
	return NULL;
}

static uint64_t field(const char *path, const char *name)
{
	FILE *f = fopen(path, "r");
	size_t len = strlen(name);
	char line[128];
	uint64_t kib = 0;

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, len))
			kib = strtoull(line + len, NULL, 10);
	fclose(f);
	CHECK(kib);
	return kib << 10;
}

/*
 * Rss of all anonymous mappings, bytes: the region, staging, our tables.  A
 * page that moves to staging while the kernel reads one mapping after the
 * other is counted twice by smaps, but not by the counter of the process.
 */
static uint64_t resident(void)
{
	uint64_t smaps = field("/proc/self/smaps_rollup", "Anonymous:");
	uint64_t counter = field("/proc/self/status", "RssAnon:");

	return smaps < counter ? smaps : counter;
}

static uint64_t peak_over(unsigned samples, uint64_t base)
{
	uint64_t peak = 0;

	for (unsigned i = 0; i < samples; i++) {
		uint64_t now = resident() - base;

		if (now > peak)
			peak = now;
		usleep(2000);
	}
	return peak;
}

static struct gvm *gvm;

static bool is_below(void *bytes)
{
	struct gvm_stats st;

	CHECK(gvm_stats(gvm, &st) == 0);
	return (st.resident_pages + st.staged_pages) * PAGE <=
	       *(uint64_t *)bytes;
}

int main(void)
{
	static const char *const small[] = { "--memory", "8M", NULL };
	struct test_server servers[2];
	uint64_t base, peak, lower = LOCAL / 2;
	pthread_t threads[2];

	need_userfaultfd();
	servers[0] = server_start(0, small);
	servers[1] = server_start(0, NULL);
	gvm = engine_start(servers, 2, LOCAL, NULL);
	memory = memory_map(gvm, PAGES * PAGE);
	base = resident();
	for (unsigned i = 0; i < PAGES; i++)
		stamp_put(memory + i * PAGE, i, 1);
	for (uintptr_t n = 0; n < 2; n++)
		CHECK(!pthread_create(&threads[n], NULL, use, (void *)(n + 1)));
	peak = peak_over(300, base);
	printf("peak %.1f MiB of %llu\n", (double)peak / MIB, LOCAL / MIB);
	/* 5 %, and the engine's own tables and buffers beside it. */
	CHECK(peak <= LOCAL + LOCAL / 20 + MIB);
	CHECK(peak > LOCAL / 2);

	CHECK(gvm_set_local(gvm, lower) == 0);
	wait_until(is_below, &lower);
	peak = peak_over(300, base);
	printf("then %.1f MiB of %llu\n", (double)peak / MIB, lower / MIB);
	CHECK(peak <= lower + lower / 20 + MIB);
	stop = true;
	for (int n = 0; n < 2; n++)
		pthread_join(threads[n], NULL);
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(stamp_is(memory + i * PAGE, i, 1));
	memory_unmap(gvm, memory, PAGES * PAGE);
	gvm_fini(gvm);
	server_stop(&servers[0]);
	server_stop(&servers[1]);
	return 0;
}
