// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A member says in a DONE or DECLINE who had sent it a grant, and home tells
 * that one that its bytes are safe.  If home believed it, a member that lies
 * could make the owner of a page forget the only copy, on its way home.
 */
#include <stdlib.h>

#include "check.h"
#include "home.h"

#define OWNER	0
#define LIAR	1

static struct gvm_home *home;
static struct gvm_co_out out;
static u32 epoch[2];

static int say(u16 type, u16 from, u64 seq, u64 txn, u16 flags, u16 giver)
{
	struct gvm_co_msg m = {
		.type = type, .flags = flags, .from = from,
		.to = GVM_NODE_HOME, .requester = from, .giver = giver,
		.epoch = epoch[from], .seq = seq,
		.txn = (u64)epoch[from] << 32 | txn,
	};

	return gvm_home_recv(home, &m, 1000, &out);
}

/* What home sends to the owner, of this type. */
static unsigned told(u16 type)
{
	unsigned n = 0;

	for (u32 i = 0; i < out.nr; i++)
		n += out.effect[i].what == GVM_DO_SEND &&
			out.effect[i].msg.to == OWNER &&
			out.effect[i].msg.type == type;
	return n;
}

static void lie(u64 seq, int must)
{
	CHECK(say(GVM_CO_DONE, LIAR, seq, 7, 0, OWNER) == must);
	CHECK(!told(GVM_CO_CONFIRM));
	CHECK(say(GVM_CO_DECLINE, LIAR, seq, 7, 0, OWNER) == must);
	CHECK(!told(GVM_CO_CONFIRM));
}

int main(void)
{
	struct gvm_home_config c = {
		.pages = 1, .nodes_max = 2, .txns_max = 4, .waits_max = 4,
		.retry_ns = 1000000,
	};

	home = calloc(1, gvm_home_size(&c));
	CHECK(home && gvm_home_init(home, &c));
	for (u32 i = 0; i < 2; i++)
		CHECK(!gvm_home_join(home, i, &epoch[i]));
	CHECK(!say(GVM_CO_GET_EXCLUSIVE, OWNER, 0, 1, 0, GVM_NODE_NONE));
	CHECK(!say(GVM_CO_DONE, OWNER, 1, 1, 0, GVM_NODE_NONE));

	/* Its PUT, number 1, may be on its way; nothing of number 9 is. */
	lie(1, 0);
	lie(9, -EPROTO);

	/* The RECALL, number 2, will be answered with the bytes of that PUT. */
	CHECK(!say(GVM_CO_GET_SHARED, LIAR, 0, 2, 0, GVM_NODE_NONE));
	CHECK(told(GVM_CO_RECALL) == 1);
	lie(1, 0);
	lie(2, 0);

	/* Once home has them it is no harm to say so again. */
	CHECK(!say(GVM_CO_RETURN, OWNER, 2, 2, GVM_CO_BYTES, GVM_NODE_NONE));
	CHECK(told(GVM_CO_CONFIRM) == 1);
	CHECK(!say(GVM_CO_DONE, LIAR, 1, 7, 0, OWNER));
	CHECK(told(GVM_CO_CONFIRM) == 1);
	free(home);
	return 0;
}
