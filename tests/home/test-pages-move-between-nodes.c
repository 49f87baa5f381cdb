// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a node of a shared region reads old bytes, or waits for ever:
 * the home must grant, recall, invalidate and confirm as docs/PROTOCOL.md says,
 * over real connections that different workers own.
 */
#include <string.h>

#include "check.h"
#include "node.h"

#define REGION_BYTES	(16ull << 20)

static u8 page[GVM_PAGE_BYTES] __attribute__((aligned(8)));
static struct node a, b, d;

static void enter(u16 port)
{
	node_init(&a, 1, "moves", REGION_BYTES);
	node_init(&b, 2, "moves", REGION_BYTES);
	node_init(&d, 10239, "moves", REGION_BYTES);
	CHECK(!node_enter(&a, port) && !node_enter(&b, port));
	CHECK(!node_enter(&d, port));
	CHECK(gvm_le64(a.joined.bytes) == REGION_BYTES);
	CHECK(gvm_le32(d.joined.members) == 3);
	CHECK(!memcmp(a.joined.region, b.joined.region, 16));
	CHECK(a.c.region == b.c.region && a.c.epoch != b.c.epoch);
}

/* Nobody has written it: zeros, without a byte on the wire. */
static void fresh_page_is_zero(void)
{
	u64 txn = node_get(&a, GVM_CO_GET_SHARED, 7, 0);

	node_next(&a, GVM_CO_GRANT, 7);
	CHECK(a.msg.txn == txn && !(a.msg.flags & GVM_CO_EXCLUSIVE));
	CHECK(a.msg.flags & GVM_CO_ZERO && !a.body);
}

static void written_page_comes_back(void)
{
	u64 seq = node_take(&a, 8);

	stamp(page, 8, 1);
	node_put(&a, 8, seq, page);
	node_get(&b, GVM_CO_GET_SHARED, 8, 0);
	node_next(&b, GVM_CO_GRANT, 8);
	CHECK(b.msg.flags & GVM_CO_BYTES && stamp_version(b.body, 8) == 1);
}

/* b reads what a owns: a is told to grant, and to bring it home. */
static void owner_answers_reader(void)
{
	u64 seq = node_take(&a, 9);
	u64 txn = node_get(&b, GVM_CO_GET_SHARED, 9, 0);
	struct gvm_co_msg bring = {
		.type = GVM_CO_RETURN, .page = 9,
		.requester = gvm_le16(b.join.node), .giver = GVM_NODE_NONE,
	};

	node_next(&a, GVM_CO_RECALL, 9);
	CHECK(!(a.msg.flags & GVM_CO_EXCLUSIVE));
	CHECK(a.msg.requester == 2 && a.msg.txn == txn && a.msg.seq > seq);
	stamp(page, 9, 1);
	bring.seq = a.msg.seq;
	bring.txn = txn;
	node_send(&a, bring, page);
	node_next(&a, GVM_CO_CONFIRM, 9);
	/* Now home has it, for anybody. */
	node_get(&d, GVM_CO_GET_SHARED, 9, 0);
	node_next(&d, GVM_CO_GRANT, 9);
	CHECK(stamp_version(d.body, 9) == 1);
}

/* a, b and d read 9; b writes: the others are told to drop it, for b. */
static void writer_waits_for_readers(void)
{
	u64 txn = node_get(&b, GVM_CO_GET_EXCLUSIVE, 9, GVM_CO_HAVE);
	struct gvm_co_msg done = {
		.type = GVM_CO_DONE, .page = 9, .txn = txn,
		.requester = GVM_NODE_NONE, .giver = GVM_NODE_HOME,
	};
	u64 slots = 0;

	node_next(&a, GVM_CO_INVALIDATE, 9);
	CHECK(a.msg.requester == 2 && !a.msg.list);
	slots |= 1ull << a.msg.slot;
	node_next(&d, GVM_CO_INVALIDATE, 9);
	slots |= 1ull << d.msg.slot;
	node_next(&b, GVM_CO_GRANT, 9);
	CHECK(b.msg.need == slots && !b.body);
	CHECK(b.msg.seq == a.msg.seq && b.msg.txn == txn);
	done.seq = b.msg.seq;
	node_send(&b, done, NULL);
}

/* b owns 9; d writes: b gives it to d, and forgets it when d says so. */
static void owner_answers_writer(void)
{
	u64 txn = node_get(&d, GVM_CO_GET_EXCLUSIVE, 9, 0);
	struct gvm_co_msg done = {
		.type = GVM_CO_DONE, .page = 9, .txn = txn,
		.requester = GVM_NODE_NONE, .giver = 2,
	};

	node_next(&b, GVM_CO_RECALL, 9);
	CHECK(b.msg.flags & GVM_CO_EXCLUSIVE && b.msg.requester == 10239);
	done.seq = b.msg.seq;
	node_send(&d, done, NULL);
	node_next(&b, GVM_CO_CONFIRM, 9);
	CHECK(b.msg.seq == done.seq);
	stamp(page, 9, 2);
	node_put(&d, 9, done.seq, page);
	node_get(&a, GVM_CO_GET_SHARED, 9, 0);
	node_next(&a, GVM_CO_GRANT, 9);
	CHECK(stamp_version(a.body, 9) == 2);
}

static void zeros_take_no_memory(u16 port)
{
	struct gvm_server_stats before, after;
	struct client tool;
	u64 seq;

	client_open(&tool, port);
	CHECK(!client_stat(&tool, &before));
	seq = node_take(&a, 20);
	node_put(&a, 20, seq, NULL);
	seq = node_take(&a, 21);
	stamp(page, 21, 1);
	node_put(&a, 21, seq, page);
	seq = node_take(&a, 21);
	node_put(&a, 21, seq, NULL);
	CHECK(!client_stat(&tool, &after));
	CHECK(before.pages_used == after.pages_used);
	node_get(&b, GVM_CO_GET_SHARED, 21, 0);
	node_next(&b, GVM_CO_GRANT, 21);
	CHECK(b.msg.flags & GVM_CO_ZERO);
	client_close(&tool);
}

static void peers_find_each_other(void)
{
	struct gvm_peer ask = { .node = gvm_le16(10239) };
	struct gvm_peer_is is;
	struct gvm_head head;

	CHECK(!client_request(&a.c, GVM_MSG_PEER, 0, &ask, sizeof(ask)));
	CHECK(!client_expect(&a.c, GVM_MSG_PEER_IS, &head));
	memcpy(&is, a.c.buf, sizeof(is));
	CHECK(gvm_le16(is.member) == 1 && gvm_le32(is.epoch) == d.c.epoch);
	CHECK(!strcmp(is.address, d.join.address));
	ask.node = gvm_le16(500);
	CHECK(!client_request(&a.c, GVM_MSG_PEER, 0, &ask, sizeof(ask)));
	CHECK(!client_expect(&a.c, GVM_MSG_PEER_IS, &head));
	memcpy(&is, a.c.buf, sizeof(is));
	CHECK(!is.member && !is.address[0]);
}

/* d goes, in good order: the others are told, and its id is free. */
static void leaver_is_told_of(u16 port)
{
	struct gvm_member member;
	u32 old = d.c.epoch;

	CHECK(!node_leave(&d));
	node_next(&a, GVM_MSG_MEMBER, 0);
	memcpy(&member, a.c.buf, sizeof(member));
	CHECK(gvm_le16(member.node) == 10239 && gvm_le32(member.epoch) == old);
	CHECK(gvm_le16(member.why) == GVM_MEMBER_LEFT);
	node_next(&b, GVM_MSG_MEMBER, 0);
	client_close(&d.c);
	d.join.identity[0] = 'x';
	CHECK(!node_enter(&d, port));
	CHECK(d.c.epoch > old);
}

/* A lost connection is no lost membership. */
static void rejoined_goes_on(u16 port)
{
	u64 seq = node_take(&b, 30);
	u32 epoch = b.c.epoch;
	struct node again = b;

	/* The old connection is still open: it is cut. */
	again.join.flags = gvm_le16(GVM_JOIN_REJOIN);
	CHECK(!node_enter(&again, port));
	CHECK(again.c.epoch == epoch);
	node_refused(&b, GVM_ERR_FENCED);
	CHECK(client_closed(&b.c));
	client_close(&b.c);
	b = again;
	stamp(page, 30, 3);
	node_put(&b, 30, seq, page);

	client_close(&b.c);
	CHECK(!node_enter(&b, port));
	CHECK(b.c.epoch == epoch);
	node_get(&a, GVM_CO_GET_SHARED, 30, 0);
	node_next(&a, GVM_CO_GRANT, 30);
	CHECK(stamp_version(a.body, 30) == 3);
}

int main(int argc, char **argv)
{
	struct gvm_server_config config = {
		.listen = "127.0.0.1:0", .memory_bytes = 32 << 20,
		.threads = argc > 1 ? 1 : 3, .store = argc > 1 ? argv[1] : NULL,
	};
	struct gvm_server *server = server_start(&config);
	u16 port = gvm_server_port(server);

	enter(port);
	fresh_page_is_zero();
	written_page_comes_back();
	owner_answers_reader();
	writer_waits_for_readers();
	owner_answers_writer();
	zeros_take_no_memory(port);
	peers_find_each_other();
	leaver_is_told_of(port);
	rejoined_goes_on(port);
	client_close(&a.c);
	client_close(&b.c);
	client_close(&d.c);
	CHECK(!gvm_server_stop(server));
	return 0;
}
