// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, a program would read something else than it wrote: the one
 * thing that a memory server must never do.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "client.h"

#define PAGES	4096u	/* of the model */

static u64 rng = 88172645463325252ull;

static u64 next_random(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

/* Where page i of the model lies: dense, then sparse, then at the very end. */
static u64 place(u32 i)
{
	if (i < PAGES / 2)
		return i;
	if (i < PAGES - 512)
		return (1ull << 40) + (u64)i * 300;
	return GVM_PAGE_NO_MAX - PAGES + 1 + i;
}

static void check_pages(struct client *c, const u64 *versions, u32 from, u32 n)
{
	static u8 page[GVM_PAGE_BYTES] __attribute__((aligned(8)));

	for (u32 i = from; i < from + n; i++) {
		CHECK(!client_read(c, place(i), page, 1));
		CHECK(stamp_version(page, place(i)) == versions[i]);
	}
}

/* Pages that are neighbours on the server too, so that a batch can hold them. */
static u32 run_length(u32 i, u32 max)
{
	u32 n = 1;

	while (n < max && i + n < PAGES && place(i + n) == place(i) + n)
		n++;
	return n;
}

/*
 * Pages anywhere, in any order, some zero, some named twice (the last one
 * holds), so that leaves come and go in the middle of a message.
 */
static void scatter(struct client *c, u64 *versions, u32 round)
{
	static u8 bytes[64 * GVM_PAGE_BYTES] __attribute__((aligned(8)));
	const void *list[64];
	u64 pages[64];
	u32 near = (u32)(next_random() % PAGES);

	for (u32 k = 0; k < 64; k++) {
		u32 i = k % 2 ? near : (u32)(next_random() % PAGES);
		u64 version = next_random() % 2 ? round * 64 + k + 1 : 0;

		pages[k] = place(i);
		versions[i] = version;
		list[k] = version ? bytes + k * GVM_PAGE_BYTES : NULL;
		if (version)
			stamp(bytes + k * GVM_PAGE_BYTES, place(i), version);
	}
	CHECK(!client_write_list(c, pages, list, 64));
}

static void change(struct client *c, u64 *versions, u32 round)
{
	static u8 bytes[512 * GVM_PAGE_BYTES] __attribute__((aligned(8)));
	u32 i = (u32)(next_random() % PAGES);
	u32 n = run_length(i, 1 + (u32)(next_random() % 512));
	u64 version = 0;

	switch (next_random() % 5) {
	case 4:
		scatter(c, versions, round);
		return;
	case 0:
		CHECK(!client_trim(c, place(i), n));
		break;
	case 1:
		CHECK(!client_write(c, place(i), NULL, n));
		break;
	default:
		version = round + 1;
		for (u32 k = 0; k < n; k++)
			stamp(bytes + k * GVM_PAGE_BYTES, place(i + k),
			      version);
		CHECK(!client_write(c, place(i), bytes, n));
	}
	for (u32 k = 0; k < n; k++)
		versions[i + k] = version;
}

int main(int argc, char **argv)
{
	struct gvm_server_config config = {
		.listen = "127.0.0.1:0",
		.memory_bytes = 64 << 20,
		.threads = 2,
		.store = argc > 1 ? argv[1] : NULL,
	};
	struct gvm_server *server;
	u64 *versions = calloc(PAGES, sizeof(*versions));
	struct gvm_server_stats_now stats;
	struct client c, second;
	u64 used = 0;

	CHECK(versions);
	if (argc > 1)
		unlink(argv[1] + strlen("file:"));
	server = server_start(&config);
	client_enter(&c, gvm_server_port(server), 1);
	client_join(&second, gvm_server_port(server), &c);
	check_pages(&c, versions, 0, 64);	/* never written: zero */
	for (u32 round = 0; round < 600; round++) {
		change(round & 1 ? &c : &second, versions, round);
		if (round % 100 == 99)
			check_pages(&c, versions, 0, PAGES);
	}

	for (u32 i = 0; i < PAGES; i++)
		used += !!versions[i];
	gvm_server_stats(server, &stats);
	CHECK(stats.pages_used == used);
	CHECK(stats.regions == 1 && stats.connections == 2);

	/* A whole address space at once. */
	CHECK(!client_trim(&c, 0, UINT32_MAX));
	memset(versions, 0, PAGES / 2 * sizeof(*versions));
	check_pages(&c, versions, 0, PAGES);
	CHECK(!client_flush(&c));
	CHECK(!client_detach(&c, true));
	gvm_server_stats(server, &stats);
	CHECK(stats.pages_used == 0 && stats.regions == 0);
	client_close(&c);
	client_close(&second);
	CHECK(!gvm_server_stop(server));
	free(versions);
	return 0;
}
