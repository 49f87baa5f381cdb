// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, two regions, or two lives of one, are mixed up, or a region
 * of several servers loses pages between them: names, sizes, lists of servers
 * and files of clusters that differ must be refused in words, each page has
 * just one home, and a region that is removed takes everything with it.
 */
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "node.h"

#define MIB		(1ull << 20)

static u8 page[GVM_PAGE_BYTES] __attribute__((aligned(8)));

static void must_differ(struct node *n, u16 port, const char *word)
{
	CHECK(node_enter(n, port) == GVM_ERR_DIFFERS);
	if (!strstr(n->c.error.text, word))
		fprintf(stderr, "not about %s: %s\n", word, n->c.error.text);
	CHECK(strstr(n->c.error.text, word));
	client_close(&n->c);
}

static void differing_is_refused(u16 port)
{
	struct node a, b;

	node_init(&a, 1, "one", 8 * MIB);
	a.join.flags = 0;
	CHECK(node_enter(&a, port) == GVM_ERR_NO_REGION);
	client_close(&a.c);
	a.join.flags = gvm_le16(GVM_JOIN_CREATE);
	memset(a.join.cluster, 7, sizeof(a.join.cluster));
	CHECK(!node_enter(&a, port));

	node_init(&b, 2, "one", 9 * MIB);
	must_differ(&b, port, "8 MiB");
	node_init(&b, 2, "one", 8 * MIB);
	b.join.slice_bytes = gvm_le64(2 * MIB);
	must_differ(&b, port, "slices");
	node_init(&b, 2, "one", 8 * MIB);
	b.join.servers = gvm_le16(2);
	must_differ(&b, port, "server");
	node_init(&b, 2, "one", 8 * MIB);
	memset(b.join.cluster, 8, sizeof(b.join.cluster));
	must_differ(&b, port, "cluster file");
	node_init(&b, 2, "one", 8 * MIB);
	memset(b.join.region, 8, sizeof(b.join.region));
	must_differ(&b, port, "belong together");
	node_init(&b, 2, "two", 8 * MIB);
	b.join.server = gvm_le16(1);
	b.join.servers = gvm_le16(2);
	must_differ(&b, port, "first server");

	/* Nothing said about size: as it is. */
	node_init(&b, 2, "one", 0);
	b.join.flags = 0;
	CHECK(!node_enter(&b, port));
	CHECK(gvm_le64(b.joined.bytes) == 8 * MIB);
	client_close(&a.c);
	client_close(&b.c);
}

/* Three servers, slices of 2 MiB, the last one short. */
static void each_page_has_one_home(const u16 port[3])
{
	const u64 bytes = 15 * MIB;
	const struct gvm_slices slices = { bytes >> 12, 9, 3 };
	struct node n[3];
	u64 last = slices.pages - 1;

	for (u16 i = 0; i < 3; i++) {
		node_init(&n[i], 4, "wide", bytes);
		n[i].join.slice_bytes = gvm_le64(2 * MIB);
		n[i].join.server = gvm_le16(i);
		n[i].join.servers = gvm_le16(3);
		if (i)
			memcpy(n[i].join.region, n[0].joined.region, 16);
		CHECK(!node_enter(&n[i], port[i]));
		CHECK(!memcmp(n[i].joined.region, n[0].joined.region, 16));
	}
	for (u64 p = 0; p < slices.pages; p += 97) {
		struct node *home = &n[gvm_slices_server(&slices, p)];
		u64 seq = node_take(home, p);

		stamp(page, p, 1);
		node_put(home, p, seq, page);
	}
	for (u64 p = 0; p < slices.pages; p += 97) {
		struct node *home = &n[gvm_slices_server(&slices, p)];

		node_get(home, GVM_CO_GET_SHARED, p, 0);
		node_next(home, GVM_CO_GRANT, p);
		CHECK(stamp_version(home->body, p) == 1);
	}
	node_take(&n[gvm_slices_server(&slices, last)], last);
	/* A server that is not the page's home, and one page too far. */
	node_get(&n[2], GVM_CO_GET_SHARED, 0, 0);
	node_refused(&n[2], GVM_ERR_MALFORMED);
	node_get(&n[gvm_slices_server(&slices, last + 1)],
		 GVM_CO_GET_SHARED, last + 1, 0);
	node_refused(&n[gvm_slices_server(&slices, last + 1)],
		     GVM_ERR_MALFORMED);
	for (u16 i = 0; i < 3; i++)
		client_close(&n[i].c);
}

/* The first one has all pages at once; nobody after the first touch. */
static void fresh_memory_is_claimed(u16 port)
{
	struct gvm_co_msg bring = {
		.type = GVM_CO_RETURN, .page = 77,
		.requester = 2, .giver = GVM_NODE_NONE,
	};
	struct node a, b;

	node_init(&a, 1, "fresh", 4 * MIB);
	node_init(&b, 2, "fresh", 4 * MIB);
	a.join.flags |= gvm_le16(GVM_JOIN_CLAIM);
	b.join.flags |= gvm_le16(GVM_JOIN_CLAIM);
	CHECK(!node_enter(&a, port));
	CHECK(gvm_le32(a.joined.claimed) == 1);
	/* The answer was lost. */
	client_close(&a.c);
	CHECK(!node_enter(&a, port));
	CHECK(gvm_le32(a.joined.claimed) == 1);
	CHECK(!node_enter(&b, port));
	CHECK(!b.joined.claimed);
	bring.txn = node_get(&b, GVM_CO_GET_SHARED, 77, 0);
	node_next(&a, GVM_CO_RECALL, 77);
	bring.seq = a.msg.seq;
	stamp(page, 77, 1);
	node_send(&a, bring, page);
	node_next(&a, GVM_CO_CONFIRM, 77);
	client_close(&a.c);
	client_close(&b.c);

	/* More than there is room for is not promised. */
	node_init(&a, 1, "large", 1 << 30);
	a.join.flags |= gvm_le16(GVM_JOIN_CLAIM);
	CHECK(!node_enter(&a, port));
	CHECK(!a.joined.claimed);
	client_close(&a.c);
}

static int tool_make(struct client *c, const char *name, u64 bytes,
		     struct gvm_region_made *ret)
{
	struct gvm_region_make make = {
		.bytes = gvm_le64(bytes), .servers = gvm_le16(1),
	};
	struct gvm_head head;
	int err;

	strncpy(make.name, name, sizeof(make.name) - 1);
	CHECK(!client_request(c, GVM_MSG_REGION_MAKE, 0, &make, sizeof(make)));
	err = client_expect(c, GVM_MSG_REGION_MADE, &head);
	if (!err)
		memcpy(ret, c->buf, sizeof(*ret));
	return err;
}

static int tool_remove(struct client *c, const char *name, u32 flags)
{
	struct gvm_region_remove ask = { .flags = gvm_le32(flags) };
	struct gvm_head head;

	strncpy(ask.name, name, sizeof(ask.name) - 1);
	CHECK(!client_request(c, GVM_MSG_REGION_REMOVE, 0, &ask, sizeof(ask)));
	return client_expect(c, GVM_MSG_REGION_REMOVED, &head);
}

static u32 tool_list(struct client *c)
{
	u32 total = 1, got = 0;

	while (got < total) {
		struct gvm_region_list ask = { .first = gvm_le32(got) };
		struct gvm_regions regions;
		struct gvm_head head;

		CHECK(!client_request(c, GVM_MSG_REGION_LIST, 0, &ask,
				      sizeof(ask)));
		CHECK(!client_expect(c, GVM_MSG_REGIONS, &head));
		memcpy(&regions, c->buf, sizeof(regions));
		total = gvm_le32(regions.total);
		got += gvm_le32(regions.count);
		CHECK(gvm_le32(regions.count) || got == total);
	}
	return got;
}

static void removed_is_gone(u16 port)
{
	struct gvm_server_stats before, after;
	struct gvm_region_made made, other;
	struct client tool;
	struct node a;

	client_open(&tool, port);
	CHECK(!client_stat(&tool, &before));
	CHECK(!tool_make(&tool, "brief", 64 * MIB, &made));
	CHECK(tool_make(&tool, "brief", 64 * MIB, &other) == GVM_ERR_EXISTS);
	node_init(&a, 1, "brief", 64 * MIB);
	CHECK(!node_enter(&a, port));
	CHECK(!memcmp(a.joined.region, made.region, 16));
	for (u64 p = 0; p < 3000; p++) {
		u64 seq = node_take(&a, p);

		stamp(page, p, 1);
		node_put(&a, p, seq, page);
	}
	CHECK(tool_remove(&tool, "brief", 0) == GVM_ERR_BUSY);
	CHECK(!tool_remove(&tool, "brief", GVM_REMOVE_FORCE));
	CHECK(tool_remove(&tool, "brief", 0) == GVM_ERR_NO_REGION);
	node_refused(&a, GVM_ERR_FENCED);
	CHECK(client_closed(&a.c));
	client_close(&a.c);
	CHECK(!client_stat(&tool, &after));
	CHECK(after.pages_used == before.pages_used);
	CHECK(after.regions == before.regions);
	/* The same name again is another region. */
	CHECK(!tool_make(&tool, "brief", 64 * MIB, &other));
	CHECK(memcmp(other.region, made.region, 16));
	for (u32 i = 0; i < 70; i++) {
		char name[32];

		snprintf(name, sizeof(name), "many-%u", i);
		CHECK(!tool_make(&tool, name, MIB << (i % 20), &made));
	}
	CHECK(tool_list(&tool) >= 71);
	client_close(&tool);
}

/* Who owned what is nowhere but in the server that died. */
static void restart_forgets(const char *store)
{
	struct gvm_server_config config = {
		.listen = "127.0.0.1:0", .memory_bytes = 8 << 20,
		.store = store,
	};
	struct gvm_server *server = server_start(&config);
	struct gvm_server_stats stats;
	struct client tool;
	struct node a;
	u64 seq;

	node_init(&a, 1, "kept", 4 * MIB);
	CHECK(!node_enter(&a, gvm_server_port(server)));
	seq = node_take(&a, 3);
	stamp(page, 3, 1);
	node_put(&a, 3, seq, page);
	CHECK(!gvm_server_stop(server));
	client_close(&a.c);

	server = server_start(&config);
	client_open(&tool, gvm_server_port(server));
	CHECK(!client_stat(&tool, &stats));
	CHECK(!stats.pages_used && !stats.regions);
	client_close(&tool);
	a.join.flags = gvm_le16(GVM_JOIN_REJOIN);
	CHECK(node_enter(&a, gvm_server_port(server)) == GVM_ERR_NO_REGION);
	client_close(&a.c);
	CHECK(!gvm_server_stop(server));
}

int main(int argc, char **argv)
{
	struct gvm_server_config config = {
		.listen = "127.0.0.1:0", .memory_bytes = 32 << 20, .threads = 2,
	};
	struct gvm_server *server[3];
	u16 port[3];

	CHECK(argc == 2);
	for (u32 i = 0; i < 3; i++) {
		server[i] = server_start(&config);
		port[i] = gvm_server_port(server[i]);
	}
	differing_is_refused(port[0]);
	each_page_has_one_home(port);
	removed_is_gone(port[1]);
	fresh_memory_is_claimed(port[2]);
	for (u32 i = 0; i < 3; i++)
		CHECK(!gvm_server_stop(server[i]));
	restart_forgets(argv[1]);
	return 0;
}
