// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a peer can make the server or the pager read outside of a
 * message, or act on a field that means nothing.  Every type: good, each field
 * bad, every length one off, counts that overflow, and random bytes.
 *
 * Payloads lie at the very end of their allocation, so that the address
 * sanitizer sees any byte read beyond.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "coherence.h"
#include "messages.h"
#include "sharers.h"

#define HEAD	((u32)sizeof(struct gvm_msg))

static u8 message[MESSAGE_BYTES_MAX];

static int header(const void *bytes)
{
	struct gvm_head head;
	struct gvm_head before;
	const char *why = NULL;
	int err;

	memset(&head, 0xee, sizeof(head));
	before = head;
	err = gvm_codec_header(bytes, &head, &why);
	CHECK(err == 0 || err == -EPROTO);
	CHECK(!err == !why);
	if (err)
		CHECK(!memcmp(&head, &before, sizeof(head)));
	CHECK(gvm_codec_header(bytes, &head, NULL) == err);
	return err;
}

/* Judge header and payload, the payload in a block of exactly its size. */
static int judge(const void *bytes)
{
	struct gvm_head head;
	const char *why = NULL;
	void *payload;
	int err;

	err = gvm_codec_header(bytes, &head, &why);
	if (err)
		return err;
	payload = malloc(head.payload_len ? head.payload_len : 1);
	CHECK(payload);
	memcpy(payload, (const u8 *)bytes + HEAD, head.payload_len);
	err = gvm_codec_check(&head, payload, &why);
	CHECK(err == 0 || err == -EPROTO);
	CHECK(!err == !why);
	CHECK(gvm_codec_check(&head, payload, NULL) == err);
	free(payload);
	return err;
}

static int header_with_len(u16 type, u32 len)
{
	struct gvm_msg msg = { .type = type, .payload_len = len };

	return header(&msg);
}

static bool is_co(u16 type)
{
	return type >= GVM_MSG_CO_FIRST && type <= GVM_MSG_CO_LAST;
}

static u32 flags_of(u16 type)
{
	switch (type) {
	case GVM_MSG_READ:
		return GVM_MSG_URGENT;
	case GVM_CO_GET_SHARED:
		return GVM_CO_DIRECT;
	case GVM_CO_GET_EXCLUSIVE:
		return GVM_CO_HAVE;
	case GVM_CO_RETURN:
		return GVM_CO_GAVE;
	case GVM_CO_RECALL:
		return GVM_CO_EXCLUSIVE | GVM_CO_GAVE;
	case GVM_CO_GRANT:
		return GVM_CO_EXCLUSIVE | GVM_CO_SERVE | GVM_CO_OPEN;
	case GVM_CO_INVALIDATE:
	case GVM_CO_INVALIDATED:
	case GVM_CO_DECLINE:
	case GVM_CO_CANCEL:
		return GVM_CO_EXCLUSIVE;
	default:
		return 0;
	}
}

static void check_header(u16 type)
{
	struct gvm_msg msg;
	u32 len = message_make(type, message) - HEAD;

	memcpy(&msg, message, HEAD);
	CHECK(header(&msg) == 0);
	for (u32 bit = 0; bit < 16; bit++) {
		msg.flags = (u16)(1u << bit);
		CHECK(header(&msg) == (flags_of(type) >> bit & 1 ? 0 :
				       -EPROTO));
	}
	msg.flags = 0;
	for (u32 bit = 0; bit < 64; bit++) {
		msg.page = 1ull << bit;
		CHECK(header(&msg) == (is_co(type) && bit < 52 ? 0 : -EPROTO));
	}
	CHECK(header_with_len(type, len + 1) == -EPROTO);
	CHECK(header_with_len(type, len - 1) == -EPROTO);
	CHECK(header_with_len(type, len + 4) == -EPROTO);
	CHECK(header_with_len(type, UINT32_MAX) == -EPROTO);
	CHECK(header_with_len(type, (u32)GVM_PAYLOAD_BYTES_MAX + 8) ==
	      -EPROTO);
}

static void check_header_lengths(void)
{
	u32 runs = GVM_BATCH_RUNS_MAX * sizeof(struct gvm_run);
	u32 data = (u32)(sizeof(struct gvm_batch) + GVM_BATCH_PAGES_MAX *
			 (sizeof(struct gvm_data_desc) + GVM_PAGE_BYTES));

	CHECK(header_with_len(GVM_MSG_READ, 0) == -EPROTO);
	CHECK(header_with_len(GVM_MSG_READ, runs) == 0);
	CHECK(header_with_len(GVM_MSG_READ, runs + 16) == -EPROTO);
	CHECK(header_with_len(GVM_MSG_TRIM, runs) == 0);
	CHECK(header_with_len(GVM_MSG_TRIM, runs + 16) == -EPROTO);
	CHECK(header_with_len(GVM_MSG_DATA, 8) == -EPROTO);
	CHECK(header_with_len(GVM_MSG_DATA, data) == 0);
	CHECK(header_with_len(GVM_MSG_DATA, data + 8) == -EPROTO);
	CHECK(header_with_len(GVM_MSG_WRITE, 16) == -EPROTO);
	CHECK(header_with_len(GVM_MSG_WRITE, GVM_PAYLOAD_BYTES_MAX) == 0);
}

static void check_unknown_types(void)
{
	for (u32 type = 0; type <= UINT16_MAX; type++) {
		struct gvm_msg msg = { .type = (u16)type };

		if (!message_known(type))
			CHECK(header(&msg) == -EPROTO);
	}
}

/* value over bytes at offset of the payload of a good message of type. */
struct bad {
	u16	type;
	u16	offset;
	u16	bytes;
	u64	value;
	int	err;
};

#define AT(type, field)	offsetof(struct type, field), \
			sizeof(((struct type *)0)->field)
#define AT2(at, type, field) (at) + offsetof(struct type, field), \
			     sizeof(((struct type *)0)->field)
#define DESC(i)		(8 + 8 * (i))	/* DATA */
#define WDESC(i)	(8 + 16 * (i))	/* WRITE: 0 is zero, 1 is raw */

static const struct bad bads[] = {
	{ GVM_MSG_HELLO, AT(gvm_hello, magic), 1, -EPROTO },
	{ GVM_MSG_HELLO, AT(gvm_hello, version_min), 0, -EPROTO },
	{ GVM_MSG_HELLO, AT(gvm_hello, version_min), 3, -EPROTO },
	{ GVM_MSG_HELLO, AT(gvm_hello, version_max), 0, -EPROTO },
	{ GVM_MSG_HELLO, AT(gvm_hello, version_max), 3, 0 },
	{ GVM_MSG_HELLO, AT(gvm_hello, features), 1u << 31, -EPROTO },
	{ GVM_MSG_HELLO, AT(gvm_hello, reserved[0]), 1, -EPROTO },
	{ GVM_MSG_HELLO, AT(gvm_hello, reserved[1]), 1ull << 63, -EPROTO },

	{ GVM_MSG_ATTACH, AT(gvm_attach, flags), 0, 0 },
	{ GVM_MSG_ATTACH, AT(gvm_attach, flags), 7, 0 },
	{ GVM_MSG_ATTACH, AT(gvm_attach, flags), 8, -EPROTO },
	{ GVM_MSG_ATTACH, AT(gvm_attach, flags), 1u << 31, -EPROTO },
	{ GVM_MSG_ATTACH, AT(gvm_attach, reserved), 1, -EPROTO },
	{ GVM_MSG_ATTACH, AT(gvm_attach, name[0]), 0, 0 },
	{ GVM_MSG_ATTACH, AT(gvm_attach, name[1]), '\n', -EPROTO },
	{ GVM_MSG_ATTACH, AT(gvm_attach, name[1]), 0x1b, -EPROTO },
	{ GVM_MSG_ATTACH, AT(gvm_attach, name[1]), 0x7f, -EPROTO },
	{ GVM_MSG_ATTACH, AT(gvm_attach, name[1]), 0xc3, 0 },

	{ GVM_MSG_ATTACHED, AT(gvm_attached, lease_ms), ~0u, 0 },
	{ GVM_MSG_ATTACHED, AT(gvm_attached, reserved), 1, -EPROTO },

	{ GVM_MSG_DETACH, AT(gvm_detach, flags), 1, 0 },
	{ GVM_MSG_DETACH, AT(gvm_detach, flags), 2, -EPROTO },
	{ GVM_MSG_DETACH, AT(gvm_detach, reserved), 1, -EPROTO },

	{ GVM_MSG_READ, AT(gvm_run, page), GVM_PAGE_NO_MAX - 2, 0 },
	{ GVM_MSG_READ, AT(gvm_run, page), GVM_PAGE_NO_MAX - 1, -EPROTO },
	{ GVM_MSG_READ, AT(gvm_run, page), UINT64_MAX, -EPROTO },
	{ GVM_MSG_READ, AT(gvm_run, count), 0, -EPROTO },
	{ GVM_MSG_READ, AT(gvm_run, count), 511, 0 },
	{ GVM_MSG_READ, AT(gvm_run, count), 512, -EPROTO },
	{ GVM_MSG_READ, AT(gvm_run, count), UINT32_MAX, -EPROTO },
	{ GVM_MSG_READ, AT(gvm_run, reserved), 1, -EPROTO },
	{ GVM_MSG_READ, AT2(16, gvm_run, count), 0, -EPROTO },
	{ GVM_MSG_READ, AT2(16, gvm_run, count), 2, -EPROTO },
	{ GVM_MSG_READ, AT2(16, gvm_run, reserved), 1, -EPROTO },

	{ GVM_MSG_TRIM, AT(gvm_run, count), UINT32_MAX, 0 },
	{ GVM_MSG_TRIM, AT(gvm_run, count), 0, -EPROTO },
	{ GVM_MSG_TRIM, AT(gvm_run, reserved), 1, -EPROTO },
	{ GVM_MSG_TRIM, AT2(16, gvm_run, count), 2, -EPROTO },

	{ GVM_MSG_DATA, AT(gvm_batch, count), 0, -EPROTO },
	{ GVM_MSG_DATA, AT(gvm_batch, count), 1, -EPROTO },
	{ GVM_MSG_DATA, AT(gvm_batch, count), 3, -EPROTO },
	{ GVM_MSG_DATA, AT(gvm_batch, count), 513, -EPROTO },
	{ GVM_MSG_DATA, AT(gvm_batch, count), 0x20000002, -EPROTO },
	{ GVM_MSG_DATA, AT(gvm_batch, count), UINT32_MAX, -EPROTO },
	{ GVM_MSG_DATA, AT(gvm_batch, body_bytes), 0, -EPROTO },
	{ GVM_MSG_DATA, AT(gvm_batch, body_bytes), 8192, -EPROTO },
	{ GVM_MSG_DATA, AT(gvm_batch, body_bytes), 4095, -EPROTO },
	{ GVM_MSG_DATA, AT2(DESC(0), gvm_data_desc, tag), 0xaa, -EPROTO },
	{ GVM_MSG_DATA, AT2(DESC(0), gvm_data_desc, tag), 0, -EPROTO },
	{ GVM_MSG_DATA, AT2(DESC(1), gvm_data_desc, tag), 0xbb, -EPROTO },
	{ GVM_MSG_DATA, AT2(DESC(1), gvm_data_desc, crc), 1, -EPROTO },
	{ GVM_MSG_DATA, AT2(DESC(0), gvm_data_desc, crc), 1, 0 },
	{ GVM_MSG_DATA, AT2(DESC(0), gvm_data_desc, reserved[0]), 1, -EPROTO },
	{ GVM_MSG_DATA, AT2(DESC(0), gvm_data_desc, reserved[1]), 1, -EPROTO },
	{ GVM_MSG_DATA, AT2(DESC(1), gvm_data_desc, reserved[2]), 1, -EPROTO },

	{ GVM_MSG_WRITE, AT(gvm_batch, count), 0, -EPROTO },
	{ GVM_MSG_WRITE, AT(gvm_batch, count), 1, -EPROTO },
	{ GVM_MSG_WRITE, AT(gvm_batch, count), 0x10000002, -EPROTO },
	{ GVM_MSG_WRITE, AT(gvm_batch, count), UINT32_MAX, -EPROTO },
	{ GVM_MSG_WRITE, AT(gvm_batch, body_bytes), 0, -EPROTO },
	{ GVM_MSG_WRITE, AT2(WDESC(1), gvm_write_desc, page),
	  GVM_PAGE_NO_MAX, 0 },
	{ GVM_MSG_WRITE, AT2(WDESC(1), gvm_write_desc, page),
	  GVM_PAGE_NO_MAX + 1, -EPROTO },
	{ GVM_MSG_WRITE, AT2(WDESC(0), gvm_write_desc, tag), 0xbb, -EPROTO },
	{ GVM_MSG_WRITE, AT2(WDESC(1), gvm_write_desc, tag), 0xaa, -EPROTO },
	{ GVM_MSG_WRITE, AT2(WDESC(1), gvm_write_desc, tag), 0xbc, -EPROTO },
	{ GVM_MSG_WRITE, AT2(WDESC(0), gvm_write_desc, crc), 1, -EPROTO },
	{ GVM_MSG_WRITE, AT2(WDESC(0), gvm_write_desc, reserved[0]), 1,
	  -EPROTO },
	{ GVM_MSG_WRITE, AT2(WDESC(1), gvm_write_desc, reserved[2]), 1,
	  -EPROTO },

	{ GVM_MSG_CLONE, AT(gvm_clone, name[3]), 7, -EPROTO },

	{ GVM_MSG_ERROR, AT(gvm_error, code), 0, -EPROTO },
	{ GVM_MSG_ERROR, AT(gvm_error, code), 11, 0 },
	{ GVM_MSG_ERROR, AT(gvm_error, code), 14, 0 },
	{ GVM_MSG_ERROR, AT(gvm_error, code), 15, -EPROTO },
	{ GVM_MSG_ERROR, AT(gvm_error, code), UINT32_MAX, -EPROTO },
	{ GVM_MSG_ERROR, AT(gvm_error, reserved), 1, -EPROTO },
	{ GVM_MSG_ERROR, AT(gvm_error, text[0]), '\r', -EPROTO },
	{ GVM_MSG_ERROR, AT(gvm_error, text[0]), 0, -EPROTO },
	{ GVM_MSG_ERROR, AT(gvm_error, text[100]), 'x', -EPROTO },
	{ GVM_MSG_ERROR, AT(gvm_error, text[239]), 'x', -EPROTO },

#define CO(type, field, value, err) \
	{ GVM_CO_##type, AT(gvm_coherence, field), value, err }
	CO(GET_SHARED, seq, GVM_SEQ_MAX, 0),
	CO(GET_SHARED, seq, GVM_SEQ_MAX + 1, -EPROTO),
	CO(GET_SHARED, from, GVM_NODE_HOME, -EPROTO),
	CO(GET_SHARED, from, GVM_NODE_NONE, -EPROTO),
	CO(GET_SHARED, from, GVM_NODES_MAX - 1, 0),
	CO(GET_SHARED, from, GVM_NODES_MAX, -EPROTO),
	CO(GET_SHARED, to, 4, -EPROTO),
	CO(GET_SHARED, requester, GVM_NODES_MAX, -EPROTO),
	CO(GET_SHARED, requester, GVM_NODE_HOME, 0),
	CO(GET_SHARED, giver, 0xffff, -EPROTO),
	CO(GET_SHARED, hi, 1, -EPROTO),
	CO(GET_SHARED, lo, 1, -EPROTO),
	CO(GET_SHARED, tag, GVM_TAG_ZERO, -EPROTO),
	CO(GET_SHARED, tag, 1, -EPROTO),
	CO(GET_SHARED, reserved, 1, -EPROTO),
	CO(GET_SHARED, reserved2, 1, -EPROTO),
	CO(GET_SHARED, crc, 1, -EPROTO),
	CO(GET_EXCLUSIVE, need, UINT64_MAX, 0),
	CO(GET_EXCLUSIVE, to, 4, -EPROTO),
	CO(GRANT, from, GVM_NODE_HOME, 0),
	CO(GRANT, to, GVM_NODE_HOME, -EPROTO),
	CO(GRANT, tag, 0, -EPROTO),
	CO(GRANT, tag, GVM_TAG_ZERO, -EPROTO),
	CO(GRANT, crc, 0, 0),
	CO(GRANT, hi, 1, -EPROTO),
	CO(DONE, from, GVM_NODE_HOME, -EPROTO),
	CO(DONE, tag, GVM_TAG_RAW, -EPROTO),
	CO(DECLINE, to, 1, -EPROTO),
	CO(INVALIDATE, from, GVM_NODE_HOME, 0),
	CO(INVALIDATE, to, GVM_NODE_HOME, -EPROTO),
	CO(INVALIDATE, lo, 64 * 64 + 64, -EPROTO),
	CO(INVALIDATE, lo, 0, 0),
	CO(INVALIDATE, lo, GVM_NODES_MAX, -EPROTO),
	CO(INVALIDATE, hi, GVM_NODES_MAX, 0),
	CO(INVALIDATE, hi, GVM_NODES_MAX + 1, -EPROTO),
	CO(INVALIDATE, hi, 64 * 64 + 63, -EPROTO),
	CO(INVALIDATE, hi, 65 * 64 + 2, -EPROTO),
	CO(INVALIDATE, tag, GVM_TAG_RAW, -EPROTO),
	/* Summary and words of its list. */
	{ GVM_CO_INVALIDATE, 40, 1, 1, -EPROTO },
	{ GVM_CO_INVALIDATE, 48, 1, 2, -EPROTO },
	{ GVM_CO_INVALIDATE, 48, 1, 7, -EPROTO },
	{ GVM_CO_INVALIDATE, 56, 8, 1ull << 32, -EPROTO },
	{ GVM_CO_INVALIDATE, 56, 8, 1ull << 63, -EPROTO },
	{ GVM_CO_INVALIDATE, 64, 8, 0, -EPROTO },
	{ GVM_CO_INVALIDATE, 64, 8, 3ull << 62, -EPROTO },
	{ GVM_CO_INVALIDATE, 72, 8, 7, 0 },
	{ GVM_CO_INVALIDATE, 72, 8, 8, -EPROTO },
	CO(INVALIDATED, to, GVM_NODE_HOME, 0),
	CO(INVALIDATED, from, GVM_NODE_HOME, -EPROTO),
	CO(INVALIDATED, hi, GVM_NODES_MAX, 0),
	CO(INVALIDATED, hi, GVM_NODES_MAX + 1, -EPROTO),
	CO(INVALIDATED, lo, 1, -EPROTO),
	CO(RECALL, from, 1, -EPROTO),
	CO(RECALL, requester, GVM_NODE_HOME, 0),
	CO(RETURN, tag, GVM_TAG_ZERO, -EPROTO),
	CO(RETURN, to, 1, -EPROTO),
	CO(PUT, tag, 0xff, -EPROTO),
	CO(CONFIRM, from, 1, -EPROTO),
	CO(REFER, to, GVM_NODE_NONE, -EPROTO),
	CO(CANCEL, from, 1, -EPROTO),
	CO(LOST, from, 1, -EPROTO),

	{ GVM_MSG_JOIN, AT(gvm_join, name[0]), 0, -EPROTO },
	{ GVM_MSG_JOIN, AT(gvm_join, name[0]), '.', -EPROTO },
	{ GVM_MSG_JOIN, AT(gvm_join, name[0]), '-', -EPROTO },
	{ GVM_MSG_JOIN, AT(gvm_join, name[0]), '_', 0 },
	{ GVM_MSG_JOIN, AT(gvm_join, name[3]), '/', -EPROTO },
	{ GVM_MSG_JOIN, AT(gvm_join, name[3]), ' ', -EPROTO },
	{ GVM_MSG_JOIN, AT(gvm_join, name[3]), 0xc3, -EPROTO },
	{ GVM_MSG_JOIN, AT(gvm_join, name[3]), 0, -EPROTO },
	{ GVM_MSG_JOIN, AT(gvm_join, name[55]), 'x', -EPROTO },
	{ GVM_MSG_JOIN, AT(gvm_join, bytes), 0, -EPROTO },
	{ GVM_MSG_JOIN, AT(gvm_join, bytes), 4095, -EPROTO },
	{ GVM_MSG_JOIN, AT(gvm_join, bytes), 1ull << 50, 0 },
	{ GVM_MSG_JOIN, AT(gvm_join, bytes), (1ull << 50) + 4096, -EPROTO },
	{ GVM_MSG_JOIN, AT(gvm_join, slice_bytes), 0, 0 },
	{ GVM_MSG_JOIN, AT(gvm_join, slice_bytes), 1u << 20, -EPROTO },
	{ GVM_MSG_JOIN, AT(gvm_join, slice_bytes), 3u << 21, -EPROTO },
	{ GVM_MSG_JOIN, AT(gvm_join, slice_bytes), 1ull << 40, 0 },
	{ GVM_MSG_JOIN, AT(gvm_join, slice_bytes), 1ull << 41, -EPROTO },
	{ GVM_MSG_JOIN, AT(gvm_join, server), 3, -EPROTO },
	{ GVM_MSG_JOIN, AT(gvm_join, servers), 0, -EPROTO },
	{ GVM_MSG_JOIN, AT(gvm_join, servers), GVM_NODES_MAX + 1, -EPROTO },
	{ GVM_MSG_JOIN, AT(gvm_join, node), GVM_NODES_MAX, -EPROTO },
	{ GVM_MSG_JOIN, AT(gvm_join, flags), 7, 0 },
	{ GVM_MSG_JOIN, AT(gvm_join, flags), 8, -EPROTO },
	{ GVM_MSG_JOIN, offsetof(struct gvm_join, identity), 8, 0, -EPROTO },
	{ GVM_MSG_JOIN, AT(gvm_join, address[0]), 0, -EPROTO },
	{ GVM_MSG_JOIN, AT(gvm_join, address[1]), '\n', -EPROTO },
	{ GVM_MSG_JOIN, AT(gvm_join, address[55]), 'x', -EPROTO },
	{ GVM_MSG_JOIN, AT(gvm_join, reserved), 1, -EPROTO },

	{ GVM_MSG_JOINED, AT(gvm_joined, claimed), 1, 0 },
	{ GVM_MSG_JOINED, AT(gvm_joined, claimed), 2, -EPROTO },
	{ GVM_MSG_JOINED, AT(gvm_joined, reserved), 1, -EPROTO },

	{ GVM_MSG_PEER, AT(gvm_peer, node), GVM_NODES_MAX, -EPROTO },
	{ GVM_MSG_PEER, AT(gvm_peer, reserved[5]), 1, -EPROTO },
	{ GVM_MSG_PEER_IS, AT(gvm_peer_is, node), GVM_NODE_HOME, -EPROTO },
	{ GVM_MSG_PEER_IS, AT(gvm_peer_is, member), 2, -EPROTO },
	{ GVM_MSG_PEER_IS, AT(gvm_peer_is, member), 0, -EPROTO },
	{ GVM_MSG_PEER_IS, AT(gvm_peer_is, address[0]), 0, -EPROTO },
	{ GVM_MSG_PEER_HELLO, AT(gvm_peer_hello, from), 0xffff, -EPROTO },
	{ GVM_MSG_PEER_HELLO, AT(gvm_peer_hello, to), 0xffff, -EPROTO },
	{ GVM_MSG_MEMBER, AT(gvm_member, node), GVM_NODES_MAX, -EPROTO },
	{ GVM_MSG_MEMBER, AT(gvm_member, why), 0, -EPROTO },
	{ GVM_MSG_MEMBER, AT(gvm_member, why), 3, -EPROTO },

	{ GVM_MSG_REGION_MAKE, AT(gvm_region_make, name[1]), '!', -EPROTO },
	{ GVM_MSG_REGION_MAKE, AT(gvm_region_make, bytes), 0, -EPROTO },
	{ GVM_MSG_REGION_MAKE, AT(gvm_region_make, servers), 0, -EPROTO },
	{ GVM_MSG_REGION_LIST, AT(gvm_region_list, reserved), 1, -EPROTO },
	{ GVM_MSG_REGIONS, AT(gvm_regions, count), 1, -EPROTO },
	{ GVM_MSG_REGIONS, AT(gvm_regions, count), UINT32_MAX, -EPROTO },
	{ GVM_MSG_REGIONS, AT(gvm_regions, total), 1, -EPROTO },
	{ GVM_MSG_REGIONS, AT2(8, gvm_region_entry, bytes), 0, -EPROTO },
	{ GVM_MSG_REGIONS, AT2(120, gvm_region_entry, name[0]), '/', -EPROTO },
	{ GVM_MSG_REGION_REMOVE, AT(gvm_region_remove, name[0]), 0, -EPROTO },
	{ GVM_MSG_REGION_REMOVE, AT(gvm_region_remove, flags), 2, -EPROTO },
	{ GVM_MSG_REGION_REMOVE, AT(gvm_region_remove, reserved), 1, -EPROTO },
	{ GVM_MSG_REGION_STATUS, AT(gvm_region_status, name[0]), 9, -EPROTO },
	{ GVM_MSG_REGION_STATUS, AT(gvm_region_status, reserved), 1, -EPROTO },
	{ GVM_MSG_STATUS, AT(gvm_status, members_nr), 65, -EPROTO },
	{ GVM_MSG_STATUS, AT(gvm_status, members_nr), 0, -EPROTO },
	{ GVM_MSG_STATUS, AT(gvm_status, lost_nr), UINT32_MAX, -EPROTO },
	{ GVM_MSG_STATUS, AT(gvm_status, lost_nr), 3, -EPROTO },
	{ GVM_MSG_STATUS, AT(gvm_status, entry.name[0]), '/', -EPROTO },
	{ GVM_MSG_STATUS, AT2(248, gvm_status_member, node), 0xffff, -EPROTO },
	{ GVM_MSG_STATUS, AT2(248, gvm_status_member, address[0]), 7, -EPROTO },
	{ GVM_MSG_STATUS, 248 + 72 + 8, 8, GVM_PAGE_NO_MAX + 1, -EPROTO },
};

static void check_fields(void)
{
	for (u32 i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		const struct bad *bad = &bads[i];

		message_make(bad->type, message);
		memcpy(message + HEAD + bad->offset, &bad->value, bad->bytes);
		if (judge(message) != bad->err)
			printf("row %u, type %u\n", i, bad->type);
		CHECK(judge(message) == bad->err);
	}
	/* Text that fills its field has no end. */
	message_make(GVM_MSG_ATTACH, message);
	memset(message + HEAD + offsetof(struct gvm_attach, name), 'x',
	       GVM_NAME_MAX);
	CHECK(judge(message) == -EPROTO);
	message_make(GVM_MSG_CLONE, message);
	memset(message + HEAD + offsetof(struct gvm_clone, name), 'x',
	       GVM_NAME_MAX);
	CHECK(judge(message) == -EPROTO);
	message_make(GVM_MSG_ERROR, message);
	memset(message + HEAD + offsetof(struct gvm_error, text), 'x',
	       GVM_ERROR_TEXT_MAX);
	CHECK(judge(message) == -EPROTO);
}

static int judge_open(u16 type, u16 flags, u16 slot, u16 lo, u16 hi, u32 more)
{
	struct gvm_co_msg msg = {
		.type = type, .flags = flags, .from = 1, .to = 2,
		.requester = 2, .giver = GVM_NODE_NONE, .slot = slot,
		.lo = lo, .hi = hi,
	};
	struct gvm_sharers list;

	gvm_sharers_clear(&list);
	gvm_sharers_add(&list, lo);
	msg.list = more ? &list : NULL;
	memset(message, 0, sizeof(message));
	gvm_codec_put_co(message, 1, &msg, 0);
	return judge(message);
}

/* One sharer may say that a page is granted, and of itself only. */
static void check_open_grants(void)
{
	for (u16 type = GVM_CO_INVALIDATE; type <= GVM_CO_INVALIDATED; type++) {
		CHECK(judge_open(type, GVM_CO_EXCLUSIVE, 0, 7, 8, 0) == 0);
		CHECK(judge_open(type, GVM_CO_EXCLUSIVE, 0, 7, 9, 0) == -EPROTO);
		CHECK(judge_open(type, GVM_CO_EXCLUSIVE, 0, 7, 7, 0) == -EPROTO);
		CHECK(judge_open(type, GVM_CO_EXCLUSIVE, 1, 7, 8, 0) == -EPROTO);
		CHECK(judge_open(type, 0, 1, 7, 9, 0) == 0);
	}
	CHECK(judge_open(GVM_CO_INVALIDATE, 0, 0, 7, 8, 1) == 0);
	CHECK(judge_open(GVM_CO_INVALIDATE, GVM_CO_EXCLUSIVE, 0, 7, 8, 1) ==
	      -EPROTO);
	CHECK(judge_open(GVM_CO_GRANT, GVM_CO_EXCLUSIVE | GVM_CO_OPEN, 0, 0, 0,
			 0) == 0);
	CHECK(judge_open(GVM_CO_GRANT, GVM_CO_OPEN, 0, 0, 0, 0) == -EPROTO);
}

/* What was let in as a message of the protocol is within its bounds. */
static void take_co(const struct gvm_head *head, const u8 *payload)
{
	struct gvm_sharers list;
	struct gvm_co_msg msg;
	const u8 *body;
	u32 crc;

	body = gvm_codec_co(head, payload, &list, &msg, &crc);
	CHECK(!body || body + GVM_PAGE_BYTES == payload + head->payload_len);
	CHECK(!body == !(msg.flags & GVM_CO_BYTES));
	CHECK(msg.seq <= GVM_SEQ_MAX && (!msg.list || msg.lo < msg.hi));
	CHECK(msg.lo <= msg.hi && msg.hi <= GVM_NODES_MAX);
	for (u32 i = 0; msg.list && i < GVM_NODES_MAX; i++) {
		if (list.word[i / 64] >> i % 64 & 1)
			CHECK(i >= msg.lo && i < msg.hi);
	}
}

/* What was let in can be taken apart without leaving the payload. */
static void take_apart(const struct gvm_head *head, const u8 *payload)
{
	u32 off = 0;
	u64 page;
	u32 crc;
	u32 count;
	const void *body;

	if (is_co(head->type))
		take_co(head, payload);
	if (head->type == GVM_MSG_READ || head->type == GVM_MSG_TRIM) {
		for (u32 i = 0; i < gvm_codec_runs(head); i++) {
			gvm_codec_run(payload, i, &page, &count);
			CHECK(count && page + count - 1 <= GVM_PAGE_NO_MAX);
		}
	}
	if (head->type != GVM_MSG_DATA && head->type != GVM_MSG_WRITE)
		return;
	CHECK(gvm_codec_pages(payload) <= GVM_BATCH_PAGES_MAX);
	for (u32 i = 0; i < gvm_codec_pages(payload); i++) {
		if (head->type == GVM_MSG_DATA)
			gvm_codec_data_page(payload, i, &off, &crc, &body);
		else
			gvm_codec_write_page(payload, i, &off, &page, &crc,
					     &body);
		CHECK(!body || ((const u8 *)body >= payload &&
				(const u8 *)body + GVM_PAGE_BYTES <=
				payload + head->payload_len));
	}
	CHECK(off == head->payload_len);
}

/* Good messages with a few bytes changed by chance: never a wild read. */
static void check_random(u32 rounds)
{
	u64 seed = 1;
	u32 let_in = 0;

	for (u32 i = 0; i < rounds; i++) {
		u16 type = (u16)(1 + chance(&seed) % (GVM_MSG_TYPE_NR - 1));
		u32 len = message_make(type, message);
		u32 flips = (u32)chance(&seed) % 4;
		struct gvm_head head;

		if (!len)
			continue;
		while (flips--) {
			u32 at = (u32)chance(&seed) % (len < 80 ? len : 80);

			message[at] ^= (u8)(1u << chance(&seed) % 8);
		}
		if (judge(message))
			continue;
		CHECK(!gvm_codec_header(message, &head, NULL));
		take_apart(&head, message + HEAD);
		let_in++;
	}
	CHECK(let_in > rounds / 100 && let_in < rounds);
}

/* Header bytes of pure noise are refused, all of them. */
static void check_noise(u32 rounds)
{
	u64 seed = 2;

	for (u32 i = 0; i < rounds; i++) {
		u64 noise[4];

		for (u32 k = 0; k < 4; k++)
			noise[k] = chance(&seed);
		CHECK(header(noise) == -EPROTO);
	}
}

int main(void)
{
	check_unknown_types();
	for (u16 type = 1; type < GVM_MSG_TYPE_NR; type++) {
		if (!message_known(type))
			continue;
		check_header(type);
		message_make(type, message);
		CHECK(judge(message) == 0);
	}
	check_header_lengths();
	check_fields();
	check_open_grants();
	check_random(200000);
	check_noise(200000);
	return 0;
}
