// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a dead node stops all others for ever, or its pages come back
 * as zeros or old bytes: they must be LOST, by name, and the dead must not be
 * heard any more when they turn out to live.  Nodes that only read lose
 * nothing, and a node that speaks in time is never out.
 */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "node.h"

#define REGION_BYTES	(64ull << 20)
#define LEASE_MS	600u

static u8 page[GVM_PAGE_BYTES] __attribute__((aligned(8)));
static struct node a, b;

static u64 now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000 + (u64)t.tv_nsec / 1000000;
}

static void enter(u16 port)
{
	node_init(&a, 1, "mortal", REGION_BYTES);
	node_init(&b, 2, "mortal", REGION_BYTES);
	a.join.lease_ms = gvm_le32(LEASE_MS);
	b.join.lease_ms = gvm_le32(LEASE_MS);
	CHECK(!node_enter(&a, port) && !node_enter(&b, port));
	CHECK(gvm_le32(a.joined.lease_ms) == LEASE_MS);
}

/* a has 5 for itself, 6 is home again, 7 is shared by both. */
static void spread(void)
{
	u64 seq;

	node_take(&a, 5);
	seq = node_take(&a, 6);
	stamp(page, 6, 1);
	node_put(&a, 6, seq, page);
	node_get(&a, GVM_CO_GET_SHARED, 7, 0);
	node_next(&a, GVM_CO_GRANT, 7);
	node_get(&b, GVM_CO_GET_SHARED, 7, 0);
	node_next(&b, GVM_CO_GRANT, 7);
}

/* b speaks and a does not, until b is told of it. */
static void outlive(void)
{
	u64 start = now_ms();
	struct gvm_member member;

	for (;;) {
		struct gvm_head head;

		usleep(20000);
		CHECK(!client_request(&b.c, GVM_MSG_PING, 0, NULL, 0));
		CHECK(!client_receive(&b.c, &head));
		if (head.type == GVM_MSG_MEMBER)
			break;
		CHECK(head.type == GVM_MSG_PONG);
		CHECK(now_ms() - start < LEASE_MS + 3000);
	}
	memcpy(&member, b.c.buf, sizeof(member));
	CHECK(gvm_le16(member.node) == 1);
	CHECK(gvm_le16(member.why) == GVM_MEMBER_DIED);
	CHECK(now_ms() - start >= LEASE_MS * 9 / 10);
	node_next(&b, GVM_MSG_PONG, 0);
}

static void what_is_left(u16 port)
{
	struct gvm_region_status ask = { .name = "mortal" };
	struct gvm_status status;
	struct gvm_head head;
	struct client tool;
	u64 lost;

	node_get(&b, GVM_CO_GET_SHARED, 6, 0);
	node_next(&b, GVM_CO_GRANT, 6);
	CHECK(stamp_version(b.body, 6) == 1);
	/* The dead reader is not waited for. */
	node_take(&b, 7);
	node_get(&b, GVM_CO_GET_SHARED, 5, 0);
	node_next(&b, GVM_CO_LOST, 5);
	node_get(&b, GVM_CO_GET_EXCLUSIVE, 5, 0);
	node_next(&b, GVM_CO_LOST, 5);

	client_open(&tool, port);
	CHECK(!client_request(&tool, GVM_MSG_REGION_STATUS, 0, &ask,
			      sizeof(ask)));
	CHECK(!client_expect(&tool, GVM_MSG_STATUS, &head));
	memcpy(&status, tool.buf, sizeof(status));
	CHECK(gvm_le32(status.members_nr) == 1);
	CHECK(gvm_le64(status.entry.pages_lost) == 1);
	CHECK(gvm_le32(status.lost_nr) == 1);
	memcpy(&lost, gvm_codec_status_lost(tool.buf), sizeof(lost));
	CHECK(lost == 5);
	client_close(&tool);
}

/* The dead speaks: with everything it can say. */
static void ghost_is_refused(u16 port)
{
	struct gvm_co_msg put = {
		.type = GVM_CO_PUT, .page = 5, .seq = 1,
		.requester = GVM_NODE_NONE, .giver = GVM_NODE_NONE,
	};
	struct node again;

	node_refused(&a, GVM_ERR_FENCED);
	CHECK(client_closed(&a.c));
	again = a;
	again.join.flags = gvm_le16(GVM_JOIN_REJOIN);
	CHECK(node_enter(&again, port) == GVM_ERR_FENCED);
	client_close(&again.c);
	/* A new life with the old numbers. */
	again.join.flags = 0;
	CHECK(!node_enter(&again, port));
	CHECK(again.c.epoch > a.c.epoch);
	again.c.epoch = a.c.epoch;
	stamp(page, 5, 9);
	node_send(&again, put, page);
	node_refused(&again, GVM_ERR_FENCED);
	CHECK(client_closed(&again.c));
	client_close(&again.c);
	client_close(&a.c);
	node_get(&b, GVM_CO_GET_SHARED, 5, 0);
	node_next(&b, GVM_CO_LOST, 5);
}

/* An id in use is refused, and told by whom; then it is free. */
static void id_is_taken(u16 port)
{
	struct node c, d;
	u64 start;
	int err;

	node_init(&c, 3, "mortal", REGION_BYTES);
	CHECK(!node_enter(&c, port));
	node_init(&d, 3, "mortal", REGION_BYTES);
	d.join.identity[0]++;
	CHECK(node_enter(&d, port) == GVM_ERR_MEMBER);
	CHECK(strstr(d.c.error.text, "node 3"));
	client_close(&d.c);
	/* Its process dies: nobody says so, but the lease ends. */
	client_close(&c.c);
	start = now_ms();
	while ((err = node_enter(&d, port))) {
		CHECK(err == GVM_ERR_MEMBER || err == GVM_ERR_BUSY);
		client_close(&d.c);
		CHECK(now_ms() - start < LEASE_MS + 3000);
		usleep(20000);
		CHECK(!client_request(&b.c, GVM_MSG_PING, 0, NULL, 0));
	}
	client_close(&d.c);
}

int main(void)
{
	struct gvm_server_config config = {
		.listen = "127.0.0.1:0", .memory_bytes = 32 << 20, .threads = 2,
	};
	struct gvm_server *server = server_start(&config);
	u16 port = gvm_server_port(server);

	enter(port);
	spread();
	outlive();
	what_is_left(port);
	ghost_is_refused(port);
	id_is_taken(port);
	client_close(&b.c);
	CHECK(!gvm_server_stop(server));
	return 0;
}
