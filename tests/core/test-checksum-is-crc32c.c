// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, damaged pages go unnoticed, or nodes with different
 * processors refuse each other's pages: both paths must be CRC32C, for every
 * length and alignment, and a page must be called zero only if it is.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "crc32c.h"
#include "messages.h"

/* The polynomial itself, bit by bit. */
static u32 by_hand(u32 crc, const u8 *p, size_t len)
{
	crc = ~crc;
	while (len--) {
		crc ^= *p++;
		for (u32 bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return ~crc;
}

static void check_one(const void *data, size_t len, u32 want)
{
	CHECK(gvm_crc32c(0, data, len) == want);
	CHECK(gvm_crc32c_table(0, data, len) == want);
}

/* RFC 3720, appendix B.4. */
static void check_rfc(void)
{
	static const u8 read_pdu[48] = {
		0x01, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00,
		0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x18,
		0x28, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	};
	u8 bytes[32];

	memset(bytes, 0, 32);
	check_one(bytes, 32, 0x8a9136aa);
	memset(bytes, 0xff, 32);
	check_one(bytes, 32, 0x62a8ab43);
	for (u8 i = 0; i < 32; i++)
		bytes[i] = i;
	check_one(bytes, 32, 0x46dd794e);
	for (u8 i = 0; i < 32; i++)
		bytes[i] = (u8)(31 - i);
	check_one(bytes, 32, 0x113fdb5c);
	check_one(read_pdu, 48, 0xd9963a56);
	check_one("123456789", 9, 0xe3069283);
	check_one("", 0, 0);
}

static void check_lengths(const u8 *noise)
{
	for (size_t at = 0; at < 17; at++) {
		for (size_t len = 0; len <= 300; len++) {
			u32 want = by_hand(0, noise + at, len);

			check_one(noise + at, len, want);
			/* In two parts. */
			want = by_hand(want, noise, 100);
			CHECK(gvm_crc32c(gvm_crc32c(0, noise + at, len),
					 noise, 100) == want);
			CHECK(gvm_crc32c_table(gvm_crc32c(0, noise + at, len),
					       noise, 100) == want);
		}
	}
}

static void check_pages(u8 *page, u64 *seed)
{
	for (u32 round = 0; round < 200; round++) {
		for (u32 i = 0; i < 4096; i++)
			page[i] = (u8)chance(seed);
		CHECK(gvm_crc32c_page(page) == by_hand(0, page, 4096));
		CHECK(gvm_crc32c(0, page, 4096) == by_hand(0, page, 4096));
	}
	/* Each stream and the seams between them: one bit anywhere counts. */
	memset(page, 0, 4096);
	for (u32 bit = 0; bit < 4096 * 8; bit += 5) {
		page[bit / 8] = (u8)(1u << bit % 8);
		CHECK(gvm_crc32c_page(page) ==
		      gvm_crc32c_table(0, page, 4096));
		page[bit / 8] = 0;
	}
}

static void check_zero(u8 *page)
{
	memset(page, 0, 4096);
	CHECK(gvm_page_is_zero(page));
	for (u32 i = 0; i < 4096; i++) {
		page[i] = (u8)(1u << i % 8);
		CHECK(!gvm_page_is_zero(page));
		page[i] = 0;
	}
	CHECK(gvm_page_is_zero(page));
}

int main(void)
{
	u8 *noise = aligned_alloc(4096, 8192);
	u64 seed = 3;

	CHECK(noise);
	for (u32 i = 0; i < 8192; i++)
		noise[i] = (u8)chance(&seed);
	check_rfc();
	check_lengths(noise);
	check_pages(noise, &seed);
	check_pages(noise + 8, &seed);	/* aligned to a word only */
	check_zero(noise);
	check_zero(noise + 8);
	free(noise);
	return 0;
}
