// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a page that a node writes has no room when it comes home, and
 * is lost: a full server must say so before the page may be written, and all
 * that it has promised must fit, beside private regions too.
 */
#include <string.h>

#include "check.h"
#include "node.h"

#define PAGES		512u	/* capacity of the server */

static u8 page[GVM_PAGE_BYTES] __attribute__((aligned(8)));

int main(void)
{
	struct gvm_server_config config = {
		.listen = "127.0.0.1:0", .memory_bytes = PAGES << 12,
	};
	struct gvm_server *server = server_start(&config);
	u16 port = gvm_server_port(server);
	static u64 seq[PAGES];
	struct client private;
	struct node a, b;
	u32 taken = 0;
	u64 txn;

	node_init(&a, 1, "crowd", 64 << 20);
	node_init(&b, 2, "crowd", 64 << 20);
	CHECK(!node_enter(&a, port) && !node_enter(&b, port));
	client_enter(&private, port, 1);
	stamp(page, 0, 1);
	for (u32 i = 0; i < 100; i++)
		CHECK(!client_write(&private, i, page, 1));
	for (; taken < PAGES - 100; taken++)
		seq[taken] = node_take(&a, taken * 3);
	/* Nobody gets more, but reads and what was promised go on. */
	txn = node_get(&a, GVM_CO_GET_EXCLUSIVE, 5000, 0);
	node_refused(&a, GVM_ERR_FULL);
	CHECK(txn);
	CHECK(client_write(&private, 200, page, 1) == GVM_ERR_FULL);
	node_get(&b, GVM_CO_GET_SHARED, 5000, 0);
	node_next(&b, GVM_CO_GRANT, 5000);
	for (u32 i = 0; i < taken; i++) {
		stamp(page, i, 2);
		node_put(&a, i * 3, seq[i], page);
	}
	for (u32 i = 0; i < taken; i++) {
		node_get(&b, GVM_CO_GET_SHARED, i * 3, 0);
		node_next(&b, GVM_CO_GRANT, i * 3);
		CHECK(stamp_version(b.body, i) == 2);
	}
	/* Zeros make room. */
	node_get(&a, GVM_CO_GET_EXCLUSIVE, 5001, 0);
	node_refused(&a, GVM_ERR_FULL);
	CHECK(!client_trim(&private, 0, 1));
	seq[0] = node_take(&a, 5001);
	node_put(&a, 5001, seq[0], NULL);
	CHECK(!client_write(&private, 200, page, 1));
	client_close(&private);
	client_close(&a.c);
	client_close(&b.c);
	CHECK(!gvm_server_stop(server));
	return 0;
}
