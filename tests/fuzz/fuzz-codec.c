// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as one message.  The first byte of the input chooses: the rest is
 * header and payload as they came, or payload only under a header that claims
 * its true length, which gets further into the judge.
 */
#include "fuzz.h"

/* Whatever was let in can be taken apart without leaving the payload. */
static void take_apart(const struct gvm_head *head, const u8 *payload)
{
	const void *body;
	u32 off = 0;
	u32 count;
	u64 page;
	u32 crc;

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
	type = data[0] % 32;
	data++;
	size--;
	if (type >= GVM_MSG_TYPE_NR || !type) {
		if (size >= sizeof(header))
			judge(data, data + sizeof(header),
			      size - sizeof(header));
		return 0;
	}
	gvm_codec_put(header, type, 0, (u32)size, 1, 2, 3);
	judge(header, data, size);
	return 0;
}
