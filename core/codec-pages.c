// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * Reading and writing payloads of private regions that the judge (codec.c) has
 * let in, or will at the other end.
 */
#include "codec.h"

#define HEAD_BYTES	((u32)sizeof(struct gvm_msg))
#define BATCH_BYTES	((u32)sizeof(struct gvm_batch))
#define RUN_BYTES	((u32)sizeof(struct gvm_run))
#define DATA_BYTES	((u32)sizeof(struct gvm_data_desc))
#define WRITE_BYTES	((u32)sizeof(struct gvm_write_desc))

void gvm_codec_put(void *bytes32, u16 type, u16 flags, u32 payload_len,
		   u32 region, u32 epoch, u64 txn)
{
	struct gvm_msg msg = {
		.type = gvm_le16(type),
		.flags = gvm_le16(flags),
		.payload_len = gvm_le32(payload_len),
		.region = gvm_le32(region),
		.epoch = gvm_le32(epoch),
		.txn = gvm_le64(txn),
	};

	memcpy(bytes32, &msg, HEAD_BYTES);
}

u32 gvm_codec_runs(const struct gvm_head *head)
{
	return head->payload_len / RUN_BYTES;
}

void gvm_codec_run(const void *payload, u32 i, u64 *ret_page, u32 *ret_count)
{
	struct gvm_run run;

	memcpy(&run, (const u8 *)payload + i * RUN_BYTES, sizeof(run));
	*ret_page = gvm_le64(run.page);
	*ret_count = gvm_le32(run.count);
}

void gvm_codec_put_run(void *payload, u32 i, u64 page, u32 count)
{
	struct gvm_run run = {
		.page = gvm_le64(page), .count = gvm_le32(count),
	};

	memcpy((u8 *)payload + i * RUN_BYTES, &run, sizeof(run));
}

u32 gvm_codec_pages(const void *payload)
{
	struct gvm_batch batch;

	memcpy(&batch, payload, sizeof(batch));
	return gvm_le32(batch.count);
}

/* Hand out the next body, if this page has one; head is where the first is. */
static const void *next_body(const void *payload, u8 tag, u32 head,
			     u32 *body_off)
{
	const void *body;

	if (!*body_off)
		*body_off = head;
	if (tag != GVM_TAG_RAW)
		return NULL;
	body = (const u8 *)payload + *body_off;
	*body_off += GVM_PAGE_BYTES;
	return body;
}

void gvm_codec_data_page(const void *payload, u32 i, u32 *body_off,
			 u32 *ret_crc, const void **ret_body)
{
	u32 head = gvm_codec_data_head_bytes(gvm_codec_pages(payload));
	struct gvm_data_desc desc;

	memcpy(&desc, (const u8 *)payload + BATCH_BYTES + i * DATA_BYTES,
	       sizeof(desc));
	*ret_crc = gvm_le32(desc.crc);
	*ret_body = next_body(payload, desc.tag, head, body_off);
}

void gvm_codec_write_page(const void *payload, u32 i, u32 *body_off,
			  u64 *ret_page, u32 *ret_crc, const void **ret_body)
{
	u32 head = gvm_codec_write_head_bytes(gvm_codec_pages(payload));
	struct gvm_write_desc desc;

	memcpy(&desc, (const u8 *)payload + BATCH_BYTES + i * WRITE_BYTES,
	       sizeof(desc));
	*ret_page = gvm_le64(desc.page);
	*ret_crc = gvm_le32(desc.crc);
	*ret_body = next_body(payload, desc.tag, head, body_off);
}

void gvm_codec_put_batch(void *payload, u32 count, u32 body_bytes)
{
	struct gvm_batch batch = {
		.count = gvm_le32(count), .body_bytes = gvm_le32(body_bytes),
	};

	memcpy(payload, &batch, sizeof(batch));
}

void gvm_codec_put_data_desc(void *payload, u32 i, u8 tag, u32 crc)
{
	struct gvm_data_desc desc = { .tag = tag, .crc = gvm_le32(crc) };

	memcpy((u8 *)payload + BATCH_BYTES + i * DATA_BYTES, &desc,
	       sizeof(desc));
}

void gvm_codec_put_write_desc(void *payload, u32 i, u64 page, u8 tag, u32 crc)
{
	struct gvm_write_desc desc = {
		.page = gvm_le64(page), .crc = gvm_le32(crc), .tag = tag,
	};

	memcpy((u8 *)payload + BATCH_BYTES + i * WRITE_BYTES, &desc,
	       sizeof(desc));
}

void gvm_codec_put_error(struct gvm_error *e, u32 code, const char *text)
{
	*e = (struct gvm_error){ .code = gvm_le32(code) };
	for (u32 i = 0; i < sizeof(e->text) - 1 && text[i]; i++) {
		bool plain = (u8)text[i] >= 0x20 && text[i] != 0x7f;

		e->text[i] = plain ? text[i] : '?';
	}
}
