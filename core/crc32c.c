// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * CRC32C of anything, and fast of one page.
 *
 * Two paths that always agree: tables for eight bytes at a time (Kounavis and
 * Berry, "A systematic approach to building high performance, software-based,
 * CRC generators", ISCC 2005), and the crc32 instruction of SSE4.2.  The
 * instruction takes three cycles but starts every cycle, so a page is cut in
 * three streams that run side by side and are put together at the end.
 *
 * The processor is asked once, by cpuid itself: libgcc's cpu model would be an
 * undefined symbol, and cpuid traps under a hypervisor, which is far too slow
 * to ask each time.
 */
#include "crc32c.h"

/*
 * A CRC is linear, so a table of 256 is the XOR of eight basis entries, and
 * the compiler builds it from those: what is written here can be checked
 * against the polynomial (the test does).
 */
#define PART(i, n, v)	((i) & (1u << (n)) ? (v) : 0u)
#define NIBBLE(i, a, b, c, d) \
	(PART(i, 0, a) ^ PART(i, 1, b) ^ PART(i, 2, c) ^ PART(i, 3, d))
#define ENTRY(i, a, b, c, d, e, f, g, h) \
	(NIBBLE(i, a, b, c, d) ^ NIBBLE((i) >> 4, e, f, g, h))
#define ENTRY4(i, ...) \
	ENTRY(i, __VA_ARGS__), ENTRY((i) + 1, __VA_ARGS__), \
	ENTRY((i) + 2, __VA_ARGS__), ENTRY((i) + 3, __VA_ARGS__)
#define ENTRY16(i, ...) \
	ENTRY4(i, __VA_ARGS__), ENTRY4((i) + 4, __VA_ARGS__), \
	ENTRY4((i) + 8, __VA_ARGS__), ENTRY4((i) + 12, __VA_ARGS__)
#define ENTRY64(i, ...) \
	ENTRY16(i, __VA_ARGS__), ENTRY16((i) + 16, __VA_ARGS__), \
	ENTRY16((i) + 32, __VA_ARGS__), ENTRY16((i) + 48, __VA_ARGS__)
#define SLICE(...) { \
	ENTRY64(0u, __VA_ARGS__), ENTRY64(64u, __VA_ARGS__), \
	ENTRY64(128u, __VA_ARGS__), ENTRY64(192u, __VA_ARGS__) }

/* slices[k][b]: what byte b does to the CRC when k more bytes follow it. */
static const u32 slices[8][256] = {
	SLICE(0xf26b8303u, 0xe13b70f7u, 0xc79a971fu, 0x8ad958cfu,
	      0x105ec76fu, 0x20bd8edeu, 0x417b1dbcu, 0x82f63b78u),
	SLICE(0x13a29877u, 0x274530eeu, 0x4e8a61dcu, 0x9d14c3b8u,
	      0x3fc5f181u, 0x7f8be302u, 0xff17c604u, 0xfbc3faf9u),
	SLICE(0xa541927eu, 0x4f6f520du, 0x9edea41au, 0x38513ec5u,
	      0x70a27d8au, 0xe144fb14u, 0xc76580d9u, 0x8b277743u),
	SLICE(0xdd45aab8u, 0xbf672381u, 0x7b2231f3u, 0xf64463e6u,
	      0xe964b13du, 0xd725148bu, 0xaba65fe7u, 0x52a0c93fu),
	SLICE(0x38116facu, 0x7022df58u, 0xe045beb0u, 0xc5670b91u,
	      0x8f2261d3u, 0x1ba8b557u, 0x37516aaeu, 0x6ea2d55cu),
	SLICE(0xef306b19u, 0xdb8ca0c3u, 0xb2f53777u, 0x6006181fu,
	      0xc00c303eu, 0x85f4168du, 0x0e045bebu, 0x1c08b7d6u),
	SLICE(0x68032cc8u, 0xd0065990u, 0xa5e0c5d1u, 0x4e2dfd53u,
	      0x9c5bfaa6u, 0x3d5b83bdu, 0x7ab7077au, 0xf56e0ef4u),
	SLICE(0x493c7d27u, 0x9278fa4eu, 0x211d826du, 0x423b04dau,
	      0x847609b4u, 0x0d006599u, 0x1a00cb32u, 0x34019664u),
};

static u32 bytes_table(u32 state, const u8 *p, size_t len)
{
	while (len--)
		state = (state >> 8) ^ slices[0][(state ^ *p++) & 0xff];
	return state;
}

static u32 crc_table(u32 crc, const u8 *p, size_t len)
{
	u32 state = ~crc;

	for (; len >= 8; p += 8, len -= 8) {
		__le64 word;
		u64 x;

		memcpy(&word, p, 8);
		x = gvm_le64(word) ^ state;
		state = slices[7][x & 0xff] ^ slices[6][x >> 8 & 0xff] ^
			slices[5][x >> 16 & 0xff] ^ slices[4][x >> 24 & 0xff] ^
			slices[3][x >> 32 & 0xff] ^ slices[2][x >> 40 & 0xff] ^
			slices[1][x >> 48 & 0xff] ^ slices[0][x >> 56];
	}
	return ~bytes_table(state, p, len);
}

#if defined(__x86_64__)

#define STREAM_WORDS	170u		/* 3 * 170 words and 2 more: a page */
#define CPUID_SSE42	(1u << 20)	/* leaf 1, ecx */

static_assert((3 * STREAM_WORDS + 2) * 8 == GVM_CRC32C_PAGE_BYTES,
	      "three streams and a tail are a page");

/*
 * far[i][n]: what nibble i with value n of a CRC state becomes when one
 * stream of zero bytes follows it.  farther: two streams.
 */
#define NIBBLES(...) { \
	NIBBLE(0u, __VA_ARGS__), NIBBLE(1u, __VA_ARGS__), \
	NIBBLE(2u, __VA_ARGS__), NIBBLE(3u, __VA_ARGS__), \
	NIBBLE(4u, __VA_ARGS__), NIBBLE(5u, __VA_ARGS__), \
	NIBBLE(6u, __VA_ARGS__), NIBBLE(7u, __VA_ARGS__), \
	NIBBLE(8u, __VA_ARGS__), NIBBLE(9u, __VA_ARGS__), \
	NIBBLE(10u, __VA_ARGS__), NIBBLE(11u, __VA_ARGS__), \
	NIBBLE(12u, __VA_ARGS__), NIBBLE(13u, __VA_ARGS__), \
	NIBBLE(14u, __VA_ARGS__), NIBBLE(15u, __VA_ARGS__) }

static const u32 far[8][16] = {
	NIBBLES(0x79113270u, 0xf22264e0u, 0xe1a8bf31u, 0xc6bd0893u),
	NIBBLES(0x889667d7u, 0x14c0b95fu, 0x298172beu, 0x5302e57cu),
	NIBBLES(0xa605caf8u, 0x49e7e301u, 0x93cfc602u, 0x2273faf5u),
	NIBBLES(0x44e7f5eau, 0x89cfebd4u, 0x1673a159u, 0x2ce742b2u),
	NIBBLES(0x59ce8564u, 0xb39d0ac8u, 0x62d66361u, 0xc5acc6c2u),
	NIBBLES(0x8eb5fb75u, 0x1887801bu, 0x310f0036u, 0x621e006cu),
	NIBBLES(0xc43c00d8u, 0x8d947741u, 0x1ec49873u, 0x3d8930e6u),
	NIBBLES(0x7b1261ccu, 0xf624c398u, 0xe9a5f1c1u, 0xd6a79573u),
};

static const u32 farther[8][16] = {
	NIBBLES(0x7b454cb3u, 0xf68a9966u, 0xe8f9443du, 0xd41efe8bu),
	NIBBLES(0xadd18be7u, 0x5e4f613fu, 0xbc9ec27eu, 0x7cd1f20du),
	NIBBLES(0xf9a3e41au, 0xf6abbec5u, 0xe8bb0b7bu, 0xd49a6007u),
	NIBBLES(0xacd8b6ffu, 0x5c5d1b0fu, 0xb8ba361eu, 0x74981acdu),
	NIBBLES(0xe930359au, 0xd78c1dc5u, 0xaaf44d7bu, 0x5004ec07u),
	NIBBLES(0xa009d80eu, 0x45ffc6edu, 0x8bff8ddau, 0x12136d45u),
	NIBBLES(0x2426da8au, 0x484db514u, 0x909b6a28u, 0x24daa2a1u),
	NIBBLES(0x49b54542u, 0x936a8a84u, 0x233963f9u, 0x4672c7f2u),
};

static u32 shift(const u32 table[8][16], u32 state)
{
	return table[0][state & 15] ^ table[1][state >> 4 & 15] ^
	       table[2][state >> 8 & 15] ^ table[3][state >> 12 & 15] ^
	       table[4][state >> 16 & 15] ^ table[5][state >> 20 & 15] ^
	       table[6][state >> 24 & 15] ^ table[7][state >> 28];
}

static inline u64 step64(u64 state, u64 word)
{
	__asm__("crc32q %1, %0" : "+r"(state) : "rm"(word));
	return state;
}

static inline u64 step8(u64 state, u8 byte)
{
	__asm__("crc32b %1, %k0" : "+r"(state) : "rm"(byte));
	return state;
}

static inline u64 word_at(const u8 *p, size_t i)
{
	u64 word;

	memcpy(&word, p + i * 8, 8);
	return word;
}

static u32 crc_sse42(u32 crc, const u8 *p, size_t len)
{
	u64 state = ~crc;

	for (; len >= 8; p += 8, len -= 8)
		state = step64(state, word_at(p, 0));
	while (len--)
		state = step8(state, *p++);
	return ~(u32)state;
}

static u32 page_sse42(const u8 *a)
{
	const u8 *b = a + STREAM_WORDS * 8;
	const u8 *c = b + STREAM_WORDS * 8;
	u64 sa = ~0u;
	u64 sb = 0;
	u64 sc = 0;

	for (u32 i = 0; i < STREAM_WORDS; i++) {
		sa = step64(sa, word_at(a, i));
		sb = step64(sb, word_at(b, i));
		sc = step64(sc, word_at(c, i));
	}
	sc ^= shift(farther, (u32)sa) ^ shift(far, (u32)sb);
	sc = step64(sc, word_at(c, STREAM_WORDS));
	sc = step64(sc, word_at(c, STREAM_WORDS + 1));
	return ~(u32)sc;
}

/*
 * The answer is the same whoever asks, so threads that race to ask store the
 * same value and no order is needed.
 */
static bool has_sse42(void)
{
	static u8 known;	/* 0: not asked yet, 1: no, 2: yes */
	u8 answer = __atomic_load_n(&known, __ATOMIC_RELAXED);
	u32 a = 1;
	u32 b;
	u32 c = 0;
	u32 d;

	if (!answer) {
		__asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
		answer = c & CPUID_SSE42 ? 2 : 1;
		__atomic_store_n(&known, answer, __ATOMIC_RELAXED);
	}
	return answer == 2;
}

#else

static bool has_sse42(void)
{
	return false;
}

static u32 crc_sse42(u32 crc, const u8 *p, size_t len)
{
	return crc_table(crc, p, len);
}

static u32 page_sse42(const u8 *page)
{
	return crc_table(0, page, GVM_CRC32C_PAGE_BYTES);
}

#endif

u32 gvm_crc32c(u32 crc, const void *data, size_t len)
{
	return has_sse42() ? crc_sse42(crc, data, len) :
			     crc_table(crc, data, len);
}

u32 gvm_crc32c_table(u32 crc, const void *data, size_t len)
{
	return crc_table(crc, data, len);
}

u32 gvm_crc32c_page(const void *page)
{
	return has_sse42() ? page_sse42(page) :
			     crc_table(0, page, GVM_CRC32C_PAGE_BYTES);
}

/*
 * Sixteen bytes at a time where the machine has such registers; the compiler
 * makes two words of it where it has not.
 */
typedef u64 pair __attribute__((vector_size(16), aligned(8), may_alias));

/* Most pages that are not zero say so in one of a few words. */
bool gvm_page_is_zero(const void *page)
{
	const u64 *w = page;
	const pair *p = page;

	if (w[0] | w[128] | w[256] | w[511])
		return false;
	for (u32 i = 0; i < GVM_CRC32C_PAGE_BYTES / sizeof(pair); i += 8) {
		pair x = p[i] | p[i + 1] | p[i + 2] | p[i + 3];
		pair y = p[i + 4] | p[i + 5] | p[i + 6] | p[i + 7];

		x |= y;
		if (x[0] | x[1])
			return false;
	}
	return true;
}
