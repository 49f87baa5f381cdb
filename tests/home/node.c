// SPDX-License-Identifier: GPL-2.0-or-later
/* A scripted node; see node.h. */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "core/crc32c.h"
#include "node.h"

void node_init(struct node *n, u16 id, const char *name, u64 bytes)
{
	memset(n, 0, sizeof(*n));
	n->join = (struct gvm_join){
		.bytes = gvm_le64(bytes), .servers = gvm_le16(1),
		.node = gvm_le16(id), .flags = gvm_le16(GVM_JOIN_CREATE),
		.identity = "identity",
	};
	strncpy(n->join.name, name, sizeof(n->join.name) - 1);
	memcpy(n->join.identity + 10, &id, sizeof(id));
	snprintf(n->join.address, sizeof(n->join.address), "127.0.0.1:%u",
		 id % 60000u + 1);
	n->c.fd = -1;
}

int node_enter(struct node *n, u16 port)
{
	struct gvm_head head;
	int err;

	client_open(&n->c, port);
	err = client_request(&n->c, GVM_MSG_JOIN, 0, &n->join,
			     sizeof(n->join));
	if (!err)
		err = client_expect(&n->c, GVM_MSG_JOINED, &head);
	if (err)
		return err;
	memcpy(&n->joined, n->c.buf, sizeof(n->joined));
	n->c.region = head.region;
	n->c.epoch = head.epoch;
	return 0;
}

int node_leave(struct node *n)
{
	struct gvm_head head;
	int err = client_request(&n->c, GVM_MSG_LEAVE, 0, NULL, 0);

	return err ? err : client_expect(&n->c, GVM_MSG_LEFT, &head);
}

u64 node_txn(struct node *n)
{
	return (u64)n->c.epoch << 32 | ++n->wants;
}

void node_send(struct node *n, struct gvm_co_msg msg, const void *body)
{
	u8 head[GVM_CO_HEAD_BYTES_MAX];
	u32 len;

	msg.from = gvm_le16(n->join.node);
	msg.to = GVM_NODE_HOME;
	msg.epoch = n->c.epoch;
	if (body)
		msg.flags |= GVM_CO_BYTES;
	len = gvm_codec_put_co(head, n->c.region, &msg,
			       body ? gvm_crc32c(0, body, GVM_PAGE_BYTES) : 0);
	CHECK(!client_send(&n->c, head, len));
	if (body)
		CHECK(!client_send(&n->c, body, GVM_PAGE_BYTES));
}

u64 node_get(struct node *n, u16 type, u64 page, u16 flags)
{
	struct gvm_co_msg msg = {
		.type = type, .flags = flags, .page = page,
		.txn = node_txn(n), .requester = gvm_le16(n->join.node),
		.giver = GVM_NODE_NONE,
	};

	node_send(n, msg, NULL);
	return msg.txn;
}

void node_next(struct node *n, u16 type, u64 page)
{
	struct gvm_head head;
	u32 crc;

	do {
		CHECK(!client_receive(&n->c, &head));
	} while (head.type == GVM_MSG_MEMBER && type != GVM_MSG_MEMBER);
	if (head.type != type)
		fprintf(stderr, "node %u: message %u in place of %u: %s\n",
			gvm_le16(n->join.node), head.type, type,
			head.type == GVM_MSG_ERROR ? n->c.error.text : "");
	CHECK(head.type == type);
	CHECK(head.region == n->c.region && head.epoch == n->c.epoch);
	if (type < GVM_MSG_CO_FIRST || type > GVM_MSG_CO_LAST)
		return;
	n->body = gvm_codec_co(&head, n->c.buf, &n->list, &n->msg, &crc);
	CHECK(n->msg.from == GVM_NODE_HOME);
	CHECK(n->msg.to == gvm_le16(n->join.node));
	CHECK(page == ~0ull || n->msg.page == page);
	CHECK(!n->body || gvm_crc32c(0, n->body, GVM_PAGE_BYTES) == crc);
}

void node_refused(struct node *n, u32 code)
{
	struct gvm_head head;

	CHECK(!client_receive(&n->c, &head));
	CHECK(head.type == GVM_MSG_ERROR);
	if (gvm_le32(n->c.error.code) != code)
		fprintf(stderr, "node %u: %s\n", gvm_le16(n->join.node),
			n->c.error.text);
	CHECK(gvm_le32(n->c.error.code) == code);
}

u64 node_take(struct node *n, u64 page)
{
	u64 txn = node_get(n, GVM_CO_GET_EXCLUSIVE, page, 0);
	struct gvm_co_msg done = {
		.type = GVM_CO_DONE, .page = page, .txn = txn,
		.requester = GVM_NODE_NONE, .giver = GVM_NODE_HOME,
	};

	node_next(n, GVM_CO_GRANT, page);
	CHECK(n->msg.flags & GVM_CO_EXCLUSIVE && n->msg.txn == txn);
	CHECK(!n->msg.need);
	done.seq = n->msg.seq;
	node_send(n, done, NULL);
	return done.seq;
}

void node_put(struct node *n, u64 page, u64 seq, const void *body)
{
	struct gvm_co_msg put = {
		.type = GVM_CO_PUT, .page = page, .seq = seq,
		.requester = GVM_NODE_NONE, .giver = GVM_NODE_NONE,
		.flags = body ? 0 : GVM_CO_ZERO,
	};

	node_send(n, put, body);
	node_next(n, GVM_CO_CONFIRM, page);
	CHECK(n->msg.seq == seq);
}
