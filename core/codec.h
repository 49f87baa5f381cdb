/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * Bytes from the network become trusted structures here and nowhere else.
 *
 * gvm_codec_header() judges the 32 bytes of a header; gvm_codec_check() judges
 * the payload that follows.  After both said 0, every length, count, flag and
 * reserved field of the message agrees with wire.h, and the accessors below
 * may be used without further checks.  Neither changes anything.
 */
#ifndef GVM_CODEC_H
#define GVM_CODEC_H

#include "wire.h"

/* A header in host order. */
struct gvm_head {
	u16	type;
	u16	flags;
	u32	payload_len;
	u32	region;
	u32	epoch;
	u64	page;
	u64	txn;
};

/*
 * Decode and judge a header.  -EPROTO: unknown type, unknown flag, a payload
 * length or page number that its type cannot have; *ret_why (if not NULL)
 * then says which, as a static string.  ret_head untouched on failure.
 */
int gvm_codec_header(const void *bytes32, struct gvm_head *ret_head,
		     const char **ret_why);

/* Judge the payload of a header that passed.  0 or -EPROTO and *ret_why. */
int gvm_codec_check(const struct gvm_head *head, const void *payload,
		    const char **ret_why);

/* Write a header in wire order; page and reserved fields become zero. */
void gvm_codec_put(void *bytes32, u16 type, u16 flags, u32 payload_len,
		   u32 region, u32 epoch, u64 txn);

/* READ and TRIM, after the check: number of runs, and one of them. */
u32 gvm_codec_runs(const struct gvm_head *head);
void gvm_codec_run(const void *payload, u32 i, u64 *ret_page, u32 *ret_count);
void gvm_codec_put_run(void *payload, u32 i, u64 page, u32 count);

/* DATA and WRITE, after the check: number of pages. */
u32 gvm_codec_pages(const void *payload);

/*
 * One page of DATA or WRITE.  *body_off is where the next body starts, 0
 * before the first call; *ret_body is NULL for a zero page.
 */
void gvm_codec_data_page(const void *payload, u32 i, u32 *body_off,
			 u32 *ret_crc, const void **ret_body);
void gvm_codec_write_page(const void *payload, u32 i, u32 *body_off,
			  u64 *ret_page, u32 *ret_crc, const void **ret_body);

/* Bytes before the bodies, for a sender that gathers them with iovecs. */
static inline u32 gvm_codec_data_head_bytes(u32 pages)
{
	return (u32)(sizeof(struct gvm_batch) +
		     pages * sizeof(struct gvm_data_desc));
}

static inline u32 gvm_codec_write_head_bytes(u32 pages)
{
	return (u32)(sizeof(struct gvm_batch) +
		     pages * sizeof(struct gvm_write_desc));
}

void gvm_codec_put_batch(void *payload, u32 count, u32 body_bytes);
void gvm_codec_put_data_desc(void *payload, u32 i, u8 tag, u32 crc);
void gvm_codec_put_write_desc(void *payload, u32 i, u64 page, u8 tag, u32 crc);

/*
 * Messages 32 .. 45, after the check.  *ret is msg in host order, with BYTES or
 * ZERO as its tag says; ret->list is list, filled, or NULL if none came
 * (list is untouched then).  Returns the 4096 bytes or NULL, and their CRC.
 */
struct gvm_co_msg;
struct gvm_sharers;
const void *gvm_codec_co(const struct gvm_head *head, const void *payload,
			 struct gvm_sharers *list, struct gvm_co_msg *ret,
			 u32 *ret_crc);

/*
 * Header and payload of msg but for the 4096 bytes, which the caller sends
 * behind them if msg->flags has BYTES; crc is theirs.  at has room for
 * GVM_CO_HEAD_BYTES_MAX; returns the bytes written.
 */
u32 gvm_codec_put_co(void *at, u32 region, const struct gvm_co_msg *msg,
		     u32 crc);

/* A name that a shared region may have; bytes: with room for its NUL. */
bool gvm_codec_name_ok(const char name[GVM_SHARED_NAME_MAX]);

/* STATUS, after the check: where its lost pages begin. */
const void *gvm_codec_status_lost(const void *payload);

/* ERROR payload: code and one line of text, cut to fit. */
void gvm_codec_put_error(struct gvm_error *e, u32 code, const char *text);

#endif
