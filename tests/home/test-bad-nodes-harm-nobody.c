// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, one broken or hostile node can stop the server, or touch pages
 * and nodes that are not its own.  Every type of message at the wrong time, in
 * another's name, about a page or a region that is not there, with damaged
 * bytes, and by chance: the server refuses in words, and the others go on.
 */
#include <string.h>

#include "check.h"
#include "messages.h"
#include "node.h"

#define REGION_BYTES	(8ull << 20)

static u8 page[GVM_PAGE_BYTES] __attribute__((aligned(8)));
static u8 message[MESSAGE_BYTES_MAX];
static struct node good;
static u64 good_seq;

/* The good node still has what it had. */
static void all_is_well(void)
{
	stamp(page, 5, good_seq);
	node_put(&good, 5, good_seq, page);
	node_get(&good, GVM_CO_GET_SHARED, 5, 0);
	node_next(&good, GVM_CO_GRANT, 5);
	CHECK(stamp_version(good.body, 5) == good_seq);
	good_seq = node_take(&good, 5);
}

static void enter(struct node *n, u16 port)
{
	node_init(n, 7, "region", REGION_BYTES);
	CHECK(!node_enter(n, port));
}

static bool for_home(u16 type)
{
	switch (type) {
	case GVM_CO_GET_SHARED:
	case GVM_CO_GET_EXCLUSIVE:
	case GVM_CO_DONE:
	case GVM_CO_DECLINE:
	case GVM_CO_RETURN:
	case GVM_CO_PUT:
		return true;
	default:
		return false;
	}
}

/* Before a JOIN nothing of it is legal; after it, only what a home gets. */
static void wrong_time(u16 port)
{
	for (u16 type = GVM_MSG_CO_FIRST; type <= GVM_MSG_CO_LAST; type++) {
		u32 len = message_make(type, message);
		struct client c;
		struct node n;

		client_open(&c, port);
		CHECK(!client_send(&c, message, len));
		CHECK(client_closed(&c));
		CHECK(gvm_le32(c.error.code) == GVM_ERR_MALFORMED);
		client_close(&c);
		if (for_home(type))
			continue;
		enter(&n, port);
		CHECK(!client_send(&n.c, message, len));
		node_refused(&n, GVM_ERR_MALFORMED);
		CHECK(client_closed(&n.c));
		client_close(&n.c);
	}
	all_is_well();
}

/* What is wrong with it, and what it is called. */
static void one_wrong_field(u16 port)
{
	static const struct {
		u64	page;
		u32	region_off, epoch_off;
		u16	from;
		u32	code;
	} bads[] = {
		{ 5, 0, 0, 1, GVM_ERR_MALFORMED },	/* the good node's name */
		{ 5, 0, 0, 9999, GVM_ERR_MALFORMED },
		{ REGION_BYTES >> 12, 0, 0, 7, GVM_ERR_MALFORMED },
		{ GVM_PAGE_NO_MAX, 0, 0, 7, GVM_ERR_MALFORMED },
		{ 5, 1, 0, 7, GVM_ERR_MALFORMED },
		{ 5, ~0u, 0, 7, GVM_ERR_MALFORMED },
		{ 5, 0, 1, 7, GVM_ERR_FENCED },
		{ 5, 0, ~0u, 7, GVM_ERR_FENCED },
	};

	for (u16 type = GVM_MSG_CO_FIRST; type <= GVM_MSG_CO_LAST; type++) {
		for (u32 i = 0; for_home(type) &&
				i < sizeof(bads) / sizeof(bads[0]); i++) {
			u8 head[GVM_CO_HEAD_BYTES_MAX];
			struct gvm_co_msg msg = {
				.type = type, .from = bads[i].from,
				.to = GVM_NODE_HOME, .requester = 7,
				.giver = GVM_NODE_NONE, .page = bads[i].page,
			};
			struct node n;
			u32 len;

			enter(&n, port);
			msg.epoch = n.c.epoch + bads[i].epoch_off;
			msg.txn = node_txn(&n);
			if (type == GVM_CO_RETURN || type == GVM_CO_PUT)
				msg.flags = GVM_CO_ZERO;
			len = gvm_codec_put_co(head, n.c.region +
					       bads[i].region_off, &msg, 0);
			CHECK(!client_send(&n.c, head, len));
			node_refused(&n, bads[i].code);
			CHECK(client_closed(&n.c));
			client_close(&n.c);
		}
	}
	all_is_well();
}

/* Everything up to here was read; false: it was refused. */
static bool survived(struct node *n)
{
	struct gvm_head head = { .type = 0 };

	if (client_request(&n->c, GVM_MSG_PING, 0, NULL, 0))
		return false;
	while (head.type != GVM_MSG_PONG) {
		if (client_receive(&n->c, &head) ||
		    head.type == GVM_MSG_ERROR)
			return false;
	}
	return true;
}

/* Legal words that claim what is not so: ignored, or refused. */
static void lies(u16 port)
{
	struct node n;
	struct gvm_co_msg lie = {
		.page = 5, .requester = 7, .giver = GVM_NODE_NONE,
	};

	enter(&n, port);
	memset(page, 0xee, sizeof(page));
	for (u16 type = GVM_MSG_CO_FIRST; type <= GVM_MSG_CO_LAST; type++) {
		for (u64 seq = 0; for_home(type) && seq < 4; seq++) {
			bool bytes = type == GVM_CO_PUT || type == GVM_CO_RETURN;

			if (type == GVM_CO_GET_SHARED ||
			    type == GVM_CO_GET_EXCLUSIVE)
				continue;
			lie.type = type;
			lie.seq = good_seq + seq - 2;
			lie.txn = node_txn(&n);
			node_send(&n, lie, bytes ? page : NULL);
			if (!survived(&n)) {
				client_close(&n.c);
				enter(&n, port);
			}
		}
	}
	client_close(&n.c);
	all_is_well();
}

/* Bytes that changed on their way: said, and nothing stored. */
static void damage(u16 port)
{
	struct gvm_co_msg put = {
		.type = GVM_CO_PUT, .page = 5, .seq = good_seq, .from = 7,
		.to = GVM_NODE_HOME, .requester = GVM_NODE_NONE,
		.giver = GVM_NODE_NONE, .flags = GVM_CO_BYTES,
	};
	u8 head[GVM_CO_HEAD_BYTES_MAX];
	struct node n;
	u32 len;

	enter(&n, port);
	put.epoch = n.c.epoch;
	len = gvm_codec_put_co(head, n.c.region, &put, 0xbad);
	CHECK(!client_send(&n.c, head, len));
	CHECK(!client_send(&n.c, page, sizeof(page)));
	node_refused(&n, GVM_ERR_CORRUPT);
	client_close(&n.c);
	all_is_well();
}

/* Good messages of any type, with changes by chance. */
static void chance_messages(u16 port, u32 rounds)
{
	u64 seed = 11;

	for (u32 i = 0; i < rounds; i++) {
		struct node n;

		node_init(&n, (u16)(8 + i % 100), "region", REGION_BYTES);
		n.join.identity[1] = (u8)i;
		n.join.lease_ms = gvm_le32(100);
		if (node_enter(&n, port)) {
			client_close(&n.c);
			continue;
		}
		for (u32 k = 0; k < 8; k++) {
			u16 type = (u16)(32 + chance(&seed) % 30);
			u32 len = message_make(type, message);
			struct gvm_msg msg;
			struct gvm_coherence co;

			if (type == GVM_MSG_REGION_REMOVE)
				continue;
			memcpy(&msg, message, sizeof(msg));
			msg.region = gvm_le32(n.c.region);
			msg.epoch = gvm_le32(n.c.epoch);
			msg.txn = gvm_le64(node_txn(&n));
			if (type <= GVM_MSG_CO_LAST) {
				msg.page = gvm_le64(chance(&seed) % 4);
				memcpy(&co, message + sizeof(msg), sizeof(co));
				co.from = n.join.node;
				co.requester = chance(&seed) % 3 ? n.join.node :
					gvm_le16((u16)(chance(&seed) % 120));
				co.seq = gvm_le64(chance(&seed) % 8);
				if (chance(&seed) % 4)
					co.to = gvm_le16(GVM_NODE_HOME);
				memcpy(message + sizeof(msg), &co, sizeof(co));
			}
			memcpy(message, &msg, sizeof(msg));
			if (client_send(&n.c, message, len))
				break;
		}
		client_close(&n.c);
	}
	all_is_well();
}

int main(void)
{
	struct gvm_server_config config = {
		.listen = "127.0.0.1:0", .memory_bytes = 16 << 20, .threads = 2,
	};
	struct gvm_server *server = server_start(&config);
	u16 port = gvm_server_port(server);

	node_init(&good, 1, "region", REGION_BYTES);
	good.join.lease_ms = gvm_le32(60000);
	CHECK(!node_enter(&good, port));
	good_seq = node_take(&good, 5);
	wrong_time(port);
	one_wrong_field(port);
	lies(port);
	damage(port);
	chance_messages(port, 400);
	client_close(&good.c);
	CHECK(!gvm_server_stop(server));
	return 0;
}
