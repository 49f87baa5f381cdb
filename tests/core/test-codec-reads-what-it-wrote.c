// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, two nodes do not understand each other: what the put
 * functions write passes the judge and comes back the same, byte order and
 * place of every field as in wire.h.
 */
#include <string.h>

#include "check.h"
#include "codec.h"
#include "coherence.h"
#include "sharers.h"
#include "slices.h"

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

/* Through the wire and back; nothing of it may change. */
static void co_travels(const struct gvm_co_msg *msg, u32 crc)
{
	static u8 at[GVM_CO_HEAD_BYTES_MAX + GVM_PAGE_BYTES];
	struct gvm_sharers list;
	struct gvm_co_msg got;
	struct gvm_head head;
	const void *body;
	u32 got_crc;
	u32 len = gvm_codec_put_co(at, 7, msg, crc);

	CHECK(len <= GVM_CO_HEAD_BYTES_MAX);
	CHECK(gvm_codec_header(at, &head, NULL) == 0);
	CHECK(head.region == 7);
	CHECK(head.payload_len + sizeof(struct gvm_msg) ==
	      len + (msg->flags & GVM_CO_BYTES ? GVM_PAGE_BYTES : 0));
	CHECK(gvm_codec_check(&head, at + sizeof(struct gvm_msg), NULL) == 0);
	memset(&list, 0xee, sizeof(list));
	body = gvm_codec_co(&head, at + sizeof(struct gvm_msg), &list, &got,
			    &got_crc);
	CHECK(body == (msg->flags & GVM_CO_BYTES ? at + len : NULL));
	CHECK(got_crc == (body ? crc : 0));
	CHECK(got.type == msg->type && got.flags == msg->flags);
	CHECK(got.from == msg->from && got.to == msg->to);
	CHECK(got.requester == msg->requester && got.giver == msg->giver);
	CHECK(got.slot == msg->slot && got.epoch == msg->epoch);
	CHECK(got.page == msg->page && got.seq == msg->seq);
	CHECK(got.txn == msg->txn && got.need == msg->need);
	CHECK(got.lo == msg->lo && got.hi == msg->hi);
	CHECK(got.list == (msg->list ? &list : NULL));
	if (!msg->list)
		return;
	for (u32 i = 0; i < GVM_NODES_MAX; i++) {
		bool in = msg->list->word[i / 64] >> i % 64 & 1 &&
			  i >= msg->lo && i < msg->hi;

		CHECK((list.word[i / 64] >> i % 64 & 1) == in);
		CHECK((list.summary[i / 4096] >> i / 64 % 64 & 1) ==
		      !!list.word[i / 64]);
	}
}

static void check_co(void)
{
	static struct gvm_sharers list;
	struct gvm_co_msg msg = {
		.type = GVM_CO_GRANT,
		.flags = GVM_CO_EXCLUSIVE | GVM_CO_BYTES,
		.from = 10239, .to = 3, .requester = GVM_NODE_NONE,
		.giver = GVM_NODE_HOME, .slot = 63, .epoch = 0x01020304,
		.page = GVM_PAGE_NO_MAX, .seq = GVM_SEQ_MAX,
		.txn = 0x1112131415161718ull, .need = 0x2122232425262728ull,
	};

	co_travels(&msg, 0x31323334);
	msg.flags = GVM_CO_ZERO;
	co_travels(&msg, 5);
	msg.type = GVM_CO_GET_SHARED;
	msg.flags = GVM_CO_DIRECT;
	msg.to = GVM_NODE_HOME;
	co_travels(&msg, 0);

	msg.type = GVM_CO_INVALIDATED;
	msg.flags = 0;
	msg.lo = 4;
	msg.hi = 9;
	co_travels(&msg, 0);
	msg.flags = GVM_CO_EXCLUSIVE;
	msg.hi = 5;
	msg.slot = 0;
	co_travels(&msg, 0);
	msg.flags = 0;
	msg.type = GVM_CO_INVALIDATE;
	msg.to = 9;
	co_travels(&msg, 0);
	msg.lo = 0;
	/* Everybody; every third; and parts of that. */
	memset(&list, 0xff, sizeof(list));
	msg.list = &list;
	msg.hi = GVM_NODES_MAX;
	co_travels(&msg, 0);
	for (u32 i = 0; i < GVM_NODES_MAX; i++) {
		if (i % 3)
			list.word[i / 64] &= ~(1ull << i % 64);
	}
	for (u16 lo = 0; lo < 200; lo += 61) {
		for (u16 hi = 10010; hi < 10240; hi += 57) {
			msg.lo = lo;
			msg.hi = hi;
			co_travels(&msg, 0);
		}
	}
	msg.lo = 300;
	msg.hi = 301;
	co_travels(&msg, 0);
}

/* Every page has one place, and every place one page. */
static void check_slices(u64 pages, u32 shift, u16 servers)
{
	struct gvm_slices s = { pages, shift, servers };
	u64 nr[8] = { 0 }, sum = 0;

	for (u64 page = 0; page < pages; page++) {
		u16 server = gvm_slices_server(&s, page);

		CHECK(server < servers);
		CHECK(gvm_slices_dense(&s, page) == nr[server]);
		CHECK(gvm_slices_page(&s, server, nr[server]) == page);
		nr[server]++;
	}
	for (u16 server = 0; server < servers; server++) {
		CHECK(gvm_slices_pages(&s, server) == nr[server]);
		sum += nr[server];
	}
	CHECK(sum == pages);
}

int main(void)
{
	check_header_bytes();
	check_co();
	for (u16 servers = 1; servers < 8; servers++) {
		for (u64 pages = 1; pages < 200; pages += 3)
			check_slices(pages, 3, servers);
		check_slices(100000, 9, servers);
	}
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
