// SPDX-License-Identifier: GPL-2.0-or-later
/* See messages.h.  Built field by field, not with the codec under test. */
#include "coherence.h"
#include "messages.h"

static u32 make_hello(void *at)
{
	struct gvm_hello hello = {
		.magic = GVM_HELLO_MAGIC, .version_min = GVM_WIRE_VERSION,
		.version_max = GVM_WIRE_VERSION,
	};

	memcpy(at, &hello, sizeof(hello));
	return sizeof(hello);
}

static u32 make_attach(void *at)
{
	struct gvm_attach attach = {
		.region = "region", .token = "token",
		.flags = GVM_ATTACH_CREATE, .name = "a program",
	};

	memcpy(at, &attach, sizeof(attach));
	return sizeof(attach);
}

static u32 make_clone(void *at)
{
	struct gvm_clone clone = {
		.region = "child", .token = "token", .name = "a program",
	};

	memcpy(at, &clone, sizeof(clone));
	return sizeof(clone);
}

static u32 make_runs(void *at)
{
	struct gvm_run run[2] = {
		{ .page = 0x1000, .count = 3 },
		{ .page = GVM_PAGE_NO_MAX, .count = 1 },
	};

	memcpy(at, run, sizeof(run));
	return sizeof(run);
}

static u32 make_data(void *at)
{
	struct gvm_batch batch = { .count = 2, .body_bytes = GVM_PAGE_BYTES };
	struct gvm_data_desc desc[2] = {
		{ .tag = GVM_TAG_RAW, .crc = 0x12345678 },
		{ .tag = GVM_TAG_ZERO },
	};
	u8 *to = at;

	memcpy(to, &batch, sizeof(batch));
	memcpy(to + sizeof(batch), desc, sizeof(desc));
	memset(to + sizeof(batch) + sizeof(desc), 0x5a, GVM_PAGE_BYTES);
	return sizeof(batch) + sizeof(desc) + GVM_PAGE_BYTES;
}

static u32 make_write(void *at)
{
	struct gvm_batch batch = { .count = 2, .body_bytes = GVM_PAGE_BYTES };
	struct gvm_write_desc desc[2] = {
		{ .page = 77, .tag = GVM_TAG_ZERO },
		{ .page = 78, .tag = GVM_TAG_RAW, .crc = 0x12345678 },
	};
	u8 *to = at;

	memcpy(to, &batch, sizeof(batch));
	memcpy(to + sizeof(batch), desc, sizeof(desc));
	memset(to + sizeof(batch) + sizeof(desc), 0xa5, GVM_PAGE_BYTES);
	return sizeof(batch) + sizeof(desc) + GVM_PAGE_BYTES;
}

static u32 make_error(void *at)
{
	struct gvm_error error = {
		.code = GVM_ERR_FULL, .text = "no room",
	};

	memcpy(at, &error, sizeof(error));
	return sizeof(error);
}

/* Who sends it to whom, as in coherence.h. */
static void make_ends(u16 type, struct gvm_coherence *co)
{
	switch (type) {
	case GVM_CO_GRANT:
	case GVM_CO_INVALIDATE:
	case GVM_CO_INVALIDATED:
		co->from = 5;
		co->to = 6;
		break;
	case GVM_CO_RECALL:
	case GVM_CO_CONFIRM:
	case GVM_CO_REFER:
	case GVM_CO_CANCEL:
	case GVM_CO_LOST:
		co->from = GVM_NODE_HOME;
		co->to = 6;
		break;
	default:
		co->from = 5;
		co->to = GVM_NODE_HOME;
	}
}

/* GRANT, RETURN and PUT with a page, INVALIDATE with a list of three nodes. */
static u32 make_coherence(u16 type, void *at)
{
	static const u64 list[5] = { 0, 1ull << 1 | 1, 0, 1ull << 63, 6 };
	struct gvm_coherence co = {
		.seq = 12, .need = 3, .requester = 9, .giver = GVM_NODE_NONE,
		.slot = 2,
	};
	bool page = type == GVM_CO_GRANT || type == GVM_CO_RETURN ||
		    type == GVM_CO_PUT;

	make_ends(type, &co);
	if (page) {
		co.tag = GVM_TAG_RAW;
		co.crc = 0x12345678;
		memset((u8 *)at + sizeof(co), 0x5b, GVM_PAGE_BYTES);
	}
	if (type == GVM_CO_INVALIDATE) {
		co.lo = 64 * 64 + 63;
		co.hi = 65 * 64 + 3;
		memcpy((u8 *)at + sizeof(co), list, sizeof(list));
		memcpy((u8 *)at + sizeof(co) + 8, (u64[]){ 3 }, 8);
	}
	memcpy(at, &co, sizeof(co));
	return (u32)sizeof(co) + (page ? GVM_PAGE_BYTES : 0) +
	       (type == GVM_CO_INVALIDATE ? (u32)sizeof(list) : 0);
}

static u32 make_join(void *at)
{
	struct gvm_join join = {
		.name = "a-region.0", .bytes = 1ull << 33,
		.slice_bytes = 1u << 30, .server = 1, .servers = 3,
		.node = 10239, .flags = GVM_JOIN_CREATE,
		.identity = "somebody", .address = "127.0.0.1:4321",
	};

	memcpy(at, &join, sizeof(join));
	return sizeof(join);
}

static u32 make_peer(u16 type, void *at)
{
	struct gvm_peer peer = { .node = 7 };
	struct gvm_peer_is is = {
		.node = 7, .member = 1, .epoch = 2, .address = "[::1]:99",
	};
	struct gvm_peer_hello hello = {
		.region = "region", .from = 7, .to = 8, .epoch = 2,
	};
	struct gvm_member member = {
		.node = 7, .why = GVM_MEMBER_DIED, .epoch = 2,
	};

	switch (type) {
	case GVM_MSG_PEER:
		memcpy(at, &peer, sizeof(peer));
		return sizeof(peer);
	case GVM_MSG_PEER_IS:
		memcpy(at, &is, sizeof(is));
		return sizeof(is);
	case GVM_MSG_PEER_HELLO:
		memcpy(at, &hello, sizeof(hello));
		return sizeof(hello);
	default:
		memcpy(at, &member, sizeof(member));
		return sizeof(member);
	}
}

static const struct gvm_region_entry entry = {
	.name = "a-region.0", .region = "region", .bytes = 1u << 30,
	.slice_bytes = 1u << 21, .server = 1, .servers = 3, .members = 1,
	.pages_stored = 5, .pages_lost = 1,
};

static u32 make_region_request(u16 type, void *at)
{
	struct gvm_region_make make = {
		.name = "a-region.0", .bytes = 1u << 30,
		.slice_bytes = 1u << 21, .servers = 1,
	};
	struct gvm_region_list list = { .first = 4 };
	struct gvm_region_remove remove = {
		.name = "a-region.0", .flags = GVM_REMOVE_FORCE,
	};
	struct gvm_region_status status = {
		.name = "a-region.0", .lost_from = 4, .first_node = 5,
	};

	switch (type) {
	case GVM_MSG_REGION_MAKE:
		memcpy(at, &make, sizeof(make));
		return sizeof(make);
	case GVM_MSG_REGION_LIST:
		memcpy(at, &list, sizeof(list));
		return sizeof(list);
	case GVM_MSG_REGION_REMOVE:
		memcpy(at, &remove, sizeof(remove));
		return sizeof(remove);
	default:
		memcpy(at, &status, sizeof(status));
		return sizeof(status);
	}
}

static u32 make_regions(void *at)
{
	struct gvm_regions regions = { .total = 5, .count = 2 };
	u8 *to = at;

	memcpy(to, &regions, sizeof(regions));
	memcpy(to + sizeof(regions), &entry, sizeof(entry));
	memcpy(to + sizeof(regions) + sizeof(entry), &entry, sizeof(entry));
	return sizeof(regions) + 2 * sizeof(entry);
}

static u32 make_status(void *at)
{
	struct gvm_status status = {
		.entry = entry, .members_nr = 1, .lost_nr = 2,
	};
	struct gvm_status_member member = {
		.node = 7, .connected = 1, .epoch = 2, .heard_ms = 30,
		.address = "127.0.0.1:4321",
	};
	u64 lost[2] = { 4, GVM_PAGE_NO_MAX };
	u8 *to = at;

	memcpy(to, &status, sizeof(status));
	memcpy(to + sizeof(status), &member, sizeof(member));
	memcpy(to + sizeof(status) + sizeof(member), lost, sizeof(lost));
	return sizeof(status) + sizeof(member) + sizeof(lost);
}

static u32 make_zeros(void *at, u32 len)
{
	memset(at, 0, len);
	return len;
}

static u32 make_payload(u16 type, void *at)
{
	switch (type) {
	case GVM_MSG_HELLO:
		return make_hello(at);
	case GVM_MSG_ATTACH:
		return make_attach(at);
	case GVM_MSG_ATTACHED:
		return make_zeros(at, sizeof(struct gvm_attached));
	case GVM_MSG_DETACH:
		return make_zeros(at, sizeof(struct gvm_detach));
	case GVM_MSG_READ:
	case GVM_MSG_TRIM:
		return make_runs(at);
	case GVM_MSG_DATA:
		return make_data(at);
	case GVM_MSG_WRITE:
		return make_write(at);
	case GVM_MSG_WRITTEN:
	case GVM_MSG_TRIMMED:
		return make_zeros(at, sizeof(struct gvm_written));
	case GVM_MSG_CLONE:
		return make_clone(at);
	case GVM_MSG_ERROR:
		return make_error(at);
	case GVM_MSG_STATS:
		return make_zeros(at, sizeof(struct gvm_server_stats));
	case GVM_MSG_JOIN:
		return make_join(at);
	case GVM_MSG_JOINED:
		return make_zeros(at, sizeof(struct gvm_joined));
	case GVM_MSG_PEER:
	case GVM_MSG_PEER_IS:
	case GVM_MSG_PEER_HELLO:
	case GVM_MSG_MEMBER:
		return make_peer(type, at);
	case GVM_MSG_REGION_MAKE:
	case GVM_MSG_REGION_LIST:
	case GVM_MSG_REGION_REMOVE:
	case GVM_MSG_REGION_STATUS:
		return make_region_request(type, at);
	case GVM_MSG_REGION_MADE:
		return make_zeros(at, sizeof(struct gvm_region_made));
	case GVM_MSG_REGIONS:
		return make_regions(at);
	case GVM_MSG_STATUS:
		return make_status(at);
	default:
		return type >= GVM_MSG_CO_FIRST && type <= GVM_MSG_CO_LAST ?
			make_coherence(type, at) : 0;
	}
}

u32 message_make(u16 type, void *at)
{
	struct gvm_msg msg = { .type = type, .region = 7, .epoch = 9,
			       .txn = 11 };

	if (!message_known(type))
		return 0;
	if (type >= GVM_MSG_CO_FIRST && type <= GVM_MSG_CO_LAST)
		msg.page = 0x1234;
	msg.payload_len = make_payload(type, (u8 *)at + sizeof(msg));
	memcpy(at, &msg, sizeof(msg));
	return (u32)sizeof(msg) + msg.payload_len;
}
