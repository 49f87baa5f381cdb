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
#include "messages.h"

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

static void check_header(u16 type)
{
	struct gvm_msg msg;
	u32 len = message_make(type, message) - HEAD;

	memcpy(&msg, message, HEAD);
	CHECK(header(&msg) == 0);
	for (u32 bit = 0; bit < 16; bit++) {
		bool known = type == GVM_MSG_READ && bit == 0;

		msg.flags = (u16)(1u << bit);
		CHECK(header(&msg) == (known ? 0 : -EPROTO));
	}
	msg.flags = 0;
	for (u32 bit = 0; bit < 64; bit++) {
		msg.page = 1ull << bit;
		CHECK(header(&msg) == -EPROTO);
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

		if (!type || type >= GVM_MSG_TYPE_NR)
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
	{ GVM_MSG_HELLO, AT(gvm_hello, version_min), 2, -EPROTO },
	{ GVM_MSG_HELLO, AT(gvm_hello, version_max), 0, -EPROTO },
	{ GVM_MSG_HELLO, AT(gvm_hello, version_max), 2, 0 },
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
	{ GVM_MSG_ERROR, AT(gvm_error, code), 12, -EPROTO },
	{ GVM_MSG_ERROR, AT(gvm_error, code), UINT32_MAX, -EPROTO },
	{ GVM_MSG_ERROR, AT(gvm_error, reserved), 1, -EPROTO },
	{ GVM_MSG_ERROR, AT(gvm_error, text[0]), '\r', -EPROTO },
	{ GVM_MSG_ERROR, AT(gvm_error, text[0]), 0, -EPROTO },
	{ GVM_MSG_ERROR, AT(gvm_error, text[100]), 'x', -EPROTO },
	{ GVM_MSG_ERROR, AT(gvm_error, text[239]), 'x', -EPROTO },
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

/* What was let in can be taken apart without leaving the payload. */
static void take_apart(const struct gvm_head *head, const u8 *payload)
{
	u32 off = 0;
	u64 page;
	u32 crc;
	u32 count;
	const void *body;

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
		check_header(type);
		message_make(type, message);
		CHECK(judge(message) == 0);
	}
	check_header_lengths();
	check_fields();
	check_random(200000);
	check_noise(200000);
	return 0;
}
