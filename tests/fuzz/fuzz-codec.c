// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as one message.  The first byte of the input chooses: the rest is
 * header and payload as they came, or payload only under a header that claims
 * its true length, which gets further into the judge.
 */
#include "coherence.h"
#include "fuzz.h"
#include "sharers.h"

/* A message of the protocol is within its bounds, and is written as it came. */
static void take_co(const struct gvm_head *head, const u8 *payload)
{
	u8 again[GVM_CO_HEAD_BYTES_MAX];
	struct gvm_sharers list;
	struct gvm_co_msg msg;
	const u8 *body;
	u32 bytes, crc;

	body = gvm_codec_co(head, payload, &list, &msg, &crc);
	MUST(!body || body + GVM_PAGE_BYTES == payload + head->payload_len);
	MUST(msg.seq <= GVM_SEQ_MAX && msg.lo <= msg.hi);
	MUST(!msg.list || msg.lo < msg.hi);
	for (u32 i = 0; msg.list && i < GVM_NODES_MAX; i++) {
		if (list.word[i / 64] >> i % 64 & 1)
			MUST(i >= msg.lo && i < msg.hi);
	}
	bytes = gvm_codec_put_co(again, head->region, &msg, crc);
	MUST(bytes + (body ? GVM_PAGE_BYTES : 0) ==
	     sizeof(struct gvm_msg) + head->payload_len);
	MUST(!memcmp(again + sizeof(struct gvm_msg), payload,
		     bytes - sizeof(struct gvm_msg)));
}

/* Whatever was let in can be taken apart without leaving the payload. */
static void take_apart(const struct gvm_head *head, const u8 *payload)
{
	const void *body;
	u32 off = 0;
	u32 count;
	u64 page;
	u32 crc;

	if (head->type >= GVM_MSG_CO_FIRST && head->type <= GVM_MSG_CO_LAST)
		take_co(head, payload);
	if (head->type == GVM_MSG_READ || head->type == GVM_MSG_TRIM) {
		for (u32 i = 0; i < gvm_codec_runs(head); i++) {
			gvm_codec_run(payload, i, &page, &count);
			MUST(count && page <= GVM_PAGE_NO_MAX &&
			     page + count - 1 <= GVM_PAGE_NO_MAX);
		}
	}
	if (head->type != GVM_MSG_DATA && head->type != GVM_MSG_WRITE)
		return;
	for (u32 i = 0; i < gvm_codec_pages(payload); i++) {
		if (head->type == GVM_MSG_DATA)
			gvm_codec_data_page(payload, i, &off, &crc, &body);
		else
			gvm_codec_write_page(payload, i, &off, &page, &crc,
					     &body);
		MUST(off <= head->payload_len);
		MUST(!body || (const u8 *)body + GVM_PAGE_BYTES ==
		     payload + off);
	}
	MUST(off == head->payload_len);
}

static void judge(const u8 *header, const u8 *payload, size_t size)
{
	struct gvm_head head;
	const char *why = NULL;
	u8 *exact;

	if (gvm_codec_header(header, &head, &why)) {
		MUST(why);
		return;
	}
	if (head.payload_len > size)
		return;
	/* Ends where its memory ends: the sanitizer sees a step beyond. */
	exact = malloc(head.payload_len ? head.payload_len : 1);
	MUST(exact);
	memcpy(exact, payload, head.payload_len);
	if (!gvm_codec_check(&head, exact, &why))
		take_apart(&head, exact);
	else
		MUST(why);
	free(exact);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	u8 header[sizeof(struct gvm_msg)];
	u16 type;

	if (!size)
		return 0;
	type = data[0] % 64;
	data++;
	size--;
	if (!message_known(type)) {
		if (size >= sizeof(header))
			judge(data, data + sizeof(header),
			      size - sizeof(header));
		return 0;
	}
	gvm_codec_put(header, type, 0, (u32)size, 1, 2, 3);
	judge(header, data, size);
	return 0;
}
