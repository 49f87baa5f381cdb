// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, a server that is full would lose or mix up what it holds, or
 * a client could not even write its pages back to where they came from.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "client.h"

#define CAPACITY	1024u		/* pages */

static u8 bytes[512 * GVM_PAGE_BYTES] __attribute__((aligned(8)));

static void fill(u64 page, u32 count, u64 version)
{
	for (u32 i = 0; i < count; i++)
		stamp(bytes + i * GVM_PAGE_BYTES, page + i, version);
}

static int write_pages(struct client *c, u64 page, u32 count, u64 version)
{
	fill(page, count, version);
	return client_write(c, page, bytes, count);
}

static void check_version(struct client *c, u64 page, u32 count, u64 version)
{
	CHECK(!client_read(c, page, bytes, count));
	for (u32 i = 0; i < count; i++)
		CHECK(stamp_version(bytes + i * GVM_PAGE_BYTES, page + i) ==
		      version);
}

/* Full to the last page: what is there can be changed, nothing can be added. */
static void overwrite_while_full(struct client *c)
{
	const void *list[4];
	u64 pages[4] = { 0, 0, 1, CAPACITY };

	for (u64 version = 2; version < 6; version++) {
		for (u32 page = 0; page < CAPACITY; page += 256)
			CHECK(!write_pages(c, page, 256, version));
		CHECK(write_pages(c, CAPACITY, 1, 1) == GVM_ERR_FULL);
		CHECK(c->pages_free == 0);
	}
	/* Half of it would fit: nothing of it is stored. */
	CHECK(write_pages(c, CAPACITY - 1, 2, 9) == GVM_ERR_FULL);
	check_version(c, CAPACITY - 1, 1, 5);
	check_version(c, CAPACITY, 1, 0);

	/* The same page three times in one message is one page. */
	fill(0, 4, 7);
	for (u32 i = 0; i < 4; i++)
		list[i] = bytes;
	CHECK(!client_write_list(c, pages, list, 2));
	list[0] = NULL;
	CHECK(!client_write_list(c, pages, list, 2));
	CHECK(c->pages_free == 0);
	check_version(c, 0, 1, 7);
}

static void make_room(struct client *c)
{
	CHECK(!client_trim(c, 10, 5));
	CHECK(c->pages_free == 5);
	CHECK(!write_pages(c, 1ull << 30, 5, 3));
	CHECK(c->pages_free == 0);
	CHECK(write_pages(c, 10, 1, 3) == GVM_ERR_FULL);
	check_version(c, 10, 5, 0);
	check_version(c, 1ull << 30, 5, 3);
	check_version(c, 15, 200, 5);
}

/* A copy takes no room until one of the two changes. */
static void copy_while_full(struct client *c, u16 port)
{
	struct client child;

	CHECK(!client_clone(c, 2, 2));
	client_open(&child, port);
	client_name(&child, 2, 2);
	CHECK(!client_attach(&child, 0));
	check_version(&child, 300, 8, 5);
	CHECK(write_pages(&child, 300, 1, 8) == GVM_ERR_FULL);
	CHECK(write_pages(c, 300, 1, 8) == GVM_ERR_FULL);
	CHECK(!client_trim(&child, 300, 100));
	CHECK(c->pages_free == 0);
	/* The parent has 300 to 399 for itself now. */
	CHECK(!write_pages(c, 300, 100, 8));
	check_version(c, 300, 100, 8);
	check_version(&child, 300, 100, 0);
	check_version(&child, 400, 100, 5);
	CHECK(!client_detach(&child, true));
	client_close(&child);
	CHECK(!write_pages(c, 400, 100, 9));
}

int main(void)
{
	struct gvm_server_config config = {
		.listen = "127.0.0.1:0",
		.memory_bytes = CAPACITY * GVM_PAGE_BYTES,
	};
	struct gvm_server *server = server_start(&config);
	struct gvm_server_stats_now stats;
	struct client c;

	client_enter(&c, gvm_server_port(server), 1);
	for (u32 page = 0; page < CAPACITY; page += 512)
		CHECK(!write_pages(&c, page, 512, 1));
	CHECK(c.pages_free == 0);
	overwrite_while_full(&c);
	make_room(&c);
	copy_while_full(&c, gvm_server_port(server));

	CHECK(!client_trim(&c, 0, UINT32_MAX));
	gvm_server_stats(server, &stats);
	CHECK(stats.pages_used == 0);
	CHECK(c.pages_free == CAPACITY);
	client_close(&c);
	CHECK(!gvm_server_stop(server));
	return 0;
}
