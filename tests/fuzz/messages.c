// SPDX-License-Identifier: GPL-2.0-or-later
/* See messages.h.  Built field by field, not with the codec under test. */
#include "messages.h"

static u32 make_hello(void *at)
{
	struct gvm_hello hello = {
		.magic = GVM_HELLO_MAGIC, .version_min = 1, .version_max = 1,
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
	default:
		return 0;
	}
}

u32 message_make(u16 type, void *at)
{
	struct gvm_msg msg = { .type = type, .region = 7, .epoch = 9,
			       .txn = 11 };

	if (!type || type >= GVM_MSG_TYPE_NR)
		return 0;
	msg.payload_len = make_payload(type, (u8 *)at + sizeof(msg));
	memcpy(at, &msg, sizeof(msg));
	return (u32)sizeof(msg) + msg.payload_len;
}
