// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, two nodes do not understand each other: what the put
 * functions write passes the judge and comes back the same, byte order and
 * place of every field as in wire.h.
 */
#include <string.h>

#include "check.h"
#include "codec.h"

static u8 payload[GVM_PAYLOAD_BYTES_MAX + 1];

static struct gvm_head head_of(u16 type, u16 flags, u32 len)
{
	struct gvm_head head;
	u8 bytes[32];

	gvm_codec_put(bytes, type, flags, len, 0x01020304, 0x05060708,
		      0x1112131415161718ull);
	CHECK(gvm_codec_header(bytes, &head, NULL) == 0);
	CHECK(head.type == type && head.flags == flags);
	CHECK(head.payload_len == len && head.page == 0);
	CHECK(head.region == 0x01020304 && head.epoch == 0x05060708);
	CHECK(head.txn == 0x1112131415161718ull);
	return head;
}

static void check_header_bytes(void)
{
	static const u8 want[32] = {
		6, 0, 1, 0, 0x20, 0, 0, 0, 4, 3, 2, 1, 8, 7, 6, 5,
		0, 0, 0, 0, 0, 0, 0, 0,
		0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11,
	};
	u8 bytes[32];

	gvm_codec_put(bytes, GVM_MSG_READ, GVM_MSG_URGENT, 32, 0x01020304,
		      0x05060708, 0x1112131415161718ull);
	CHECK(!memcmp(bytes, want, sizeof(want)));
}

static void check_runs(u8 *at)
{
	struct gvm_head head = head_of(GVM_MSG_READ, GVM_MSG_URGENT, 48);
	u64 page;
	u32 count;

	for (u32 i = 0; i < 3; i++)
		gvm_codec_put_run(at, i, 1000 * i, i + 1);
	CHECK(gvm_codec_check(&head, at, NULL) == 0);
	CHECK(gvm_codec_runs(&head) == 3);
	for (u32 i = 0; i < 3; i++) {
		gvm_codec_run(at, i, &page, &count);
		CHECK(page == 1000 * i && count == i + 1);
	}
}

/* Every third page is zero; nr pages. */
static void check_data(u8 *at, u32 nr)
{
	u32 raw = nr - (nr + 2) / 3;
	u32 len = gvm_codec_data_head_bytes(nr) + raw * GVM_PAGE_BYTES;
	struct gvm_head head = head_of(GVM_MSG_DATA, 0, len);
	u32 want = gvm_codec_data_head_bytes(nr);
	const void *body;
	u32 off = 0;
	u32 crc;

	gvm_codec_put_batch(at, nr, raw * GVM_PAGE_BYTES);
	for (u32 i = 0; i < nr; i++)
		gvm_codec_put_data_desc(at, i, i % 3 ? GVM_TAG_RAW :
					GVM_TAG_ZERO, i % 3 ? i : 0);
	CHECK(gvm_codec_check(&head, at, NULL) == 0);
	CHECK(gvm_codec_pages(at) == nr);
	for (u32 i = 0; i < nr; i++) {
		gvm_codec_data_page(at, i, &off, &crc, &body);
		CHECK(crc == (i % 3 ? i : 0));
		CHECK(body == (i % 3 ? at + want : NULL));
		want += i % 3 ? GVM_PAGE_BYTES : 0;
		CHECK(off == want);
	}
}

static void check_write(u8 *at, u32 nr)
{
	u32 raw = nr - (nr + 2) / 3;
	u32 len = gvm_codec_write_head_bytes(nr) + raw * GVM_PAGE_BYTES;
	struct gvm_head head = head_of(GVM_MSG_WRITE, 0, len);
	u32 want = gvm_codec_write_head_bytes(nr);
	const void *body;
	u32 off = 0;
	u64 page;
	u32 crc;

	gvm_codec_put_batch(at, nr, raw * GVM_PAGE_BYTES);
	for (u32 i = 0; i < nr; i++)
		gvm_codec_put_write_desc(at, i, i + (1ull << 40), i % 3 ?
					 GVM_TAG_RAW : GVM_TAG_ZERO,
					 i % 3 ? ~i : 0);
	CHECK(gvm_codec_check(&head, at, NULL) == 0);
	for (u32 i = 0; i < nr; i++) {
		gvm_codec_write_page(at, i, &off, &page, &crc, &body);
		CHECK(page == i + (1ull << 40) && crc == (i % 3 ? ~i : 0));
		CHECK(body == (i % 3 ? at + want : NULL));
		want += i % 3 ? GVM_PAGE_BYTES : 0;
	}
	CHECK(off == head.payload_len || nr < 2);
}

static void check_error(void)
{
	struct gvm_head head = head_of(GVM_MSG_ERROR, 0,
				       sizeof(struct gvm_error));
	struct gvm_error error;
	char text[400];

	gvm_codec_put_error(&error, GVM_ERR_FULL, "two\nlines\x1b[2J");
	CHECK(gvm_codec_check(&head, &error, NULL) == 0);
	CHECK(!strcmp(error.text, "two?lines?[2J"));

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	gvm_codec_put_error(&error, GVM_ERR_IO, text);
	CHECK(gvm_codec_check(&head, &error, NULL) == 0);
	CHECK(strlen(error.text) == GVM_ERROR_TEXT_MAX - 1);
}

int main(void)
{
	check_header_bytes();
	/* A payload may lie anywhere. */
	for (u32 shift = 0; shift < 2; shift++) {
		check_runs(payload + shift);
		check_data(payload + shift, 1);
		check_data(payload + shift, 7);
		check_data(payload + shift, GVM_BATCH_PAGES_MAX);
		check_write(payload + shift, 1);
		check_write(payload + shift, 8);
		check_write(payload + shift, GVM_BATCH_PAGES_MAX);
	}
	check_error();
	return 0;
}
