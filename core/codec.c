// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * The judge at the border: what a peer may say, as one table of headers and
 * one checker for each payload that has a shape.  Payloads of shared regions
 * are judged in codec-shared.c; codec-pages.c takes apart what was let in.
 *
 * Bytes are read with memcpy, so a payload may lie anywhere.  Nothing is
 * changed, remembered or allocated.  What a codec cannot know stays with the
 * session: whether a region handle or an epoch is current, whether a reply was
 * asked for, and whether the CRC of a page fits its bytes.
 */
#include "codec.h"
#include "codec-shared.h"

#define BATCH_BYTES	((u32)sizeof(struct gvm_batch))
#define RUN_BYTES	((u32)sizeof(struct gvm_run))
#define DATA_BYTES	((u32)sizeof(struct gvm_data_desc))
#define WRITE_BYTES	((u32)sizeof(struct gvm_write_desc))

/* A payload is min + i * step bytes long, and at most max. */
struct shape {
	u16	flags;		/* those that the type knows */
	u16	step;		/* 0: the type does not exist */
	u32	min;
	u32	max;
	bool	paged;		/* the header's page means something */
};

#define EMPTY		{ 0, 1, 0, 0, false }
#define FIXED(type)	{ 0, 1, sizeof(struct type), sizeof(struct type), \
			  false }
#define RUNS(flags)	{ (flags), sizeof(struct gvm_run), \
			  sizeof(struct gvm_run), \
			  GVM_BATCH_RUNS_MAX * sizeof(struct gvm_run), false }
#define PAGES(desc)	{ 0, 8, sizeof(struct gvm_batch) + \
			  sizeof(struct desc), sizeof(struct gvm_batch) + \
			  GVM_BATCH_PAGES_MAX * (sizeof(struct desc) + \
						 GVM_PAGE_BYTES), false }

#define CO_BYTES	sizeof(struct gvm_coherence)
#define CO(flags)	{ (flags), 1, CO_BYTES, CO_BYTES, true }
#define CO_PAGE(flags)	{ (flags), GVM_PAGE_BYTES, CO_BYTES, \
			  CO_BYTES + GVM_PAGE_BYTES, true }
#define CO_LIST(flags)	{ (flags), 8, CO_BYTES, \
			  CO_BYTES + GVM_CO_LIST_BYTES_MAX, true }
#define LISTS(type, max) { 0, 8, sizeof(struct type), \
			   sizeof(struct type) + (max), false }

static const struct shape shapes[GVM_MSG_TYPE_NR] = {
	[GVM_MSG_HELLO]		= FIXED(gvm_hello),
	[GVM_MSG_ATTACH]	= FIXED(gvm_attach),
	[GVM_MSG_ATTACHED]	= FIXED(gvm_attached),
	[GVM_MSG_DETACH]	= FIXED(gvm_detach),
	[GVM_MSG_DETACHED]	= EMPTY,
	[GVM_MSG_READ]		= RUNS(GVM_MSG_URGENT),
	[GVM_MSG_DATA]		= PAGES(gvm_data_desc),
	[GVM_MSG_WRITE]		= PAGES(gvm_write_desc),
	[GVM_MSG_WRITTEN]	= FIXED(gvm_written),
	[GVM_MSG_TRIM]		= RUNS(0),
	[GVM_MSG_TRIMMED]	= FIXED(gvm_written),
	[GVM_MSG_FLUSH]		= EMPTY,
	[GVM_MSG_FLUSHED]	= EMPTY,
	[GVM_MSG_CLONE]		= FIXED(gvm_clone),
	[GVM_MSG_CLONED]	= EMPTY,
	[GVM_MSG_PING]		= EMPTY,
	[GVM_MSG_PONG]		= EMPTY,
	[GVM_MSG_ERROR]		= FIXED(gvm_error),
	[GVM_MSG_STAT]		= EMPTY,
	[GVM_MSG_STATS]		= FIXED(gvm_server_stats),
	[GVM_CO_GET_SHARED]	= CO(GVM_CO_DIRECT),
	[GVM_CO_GET_EXCLUSIVE]	= CO(GVM_CO_HAVE),
	[GVM_CO_GRANT]		= CO_PAGE(GVM_CO_EXCLUSIVE | GVM_CO_SERVE |
					  GVM_CO_OPEN),
	[GVM_CO_DONE]		= CO(0),
	[GVM_CO_DECLINE]	= CO(GVM_CO_EXCLUSIVE),
	[GVM_CO_INVALIDATE]	= CO_LIST(GVM_CO_EXCLUSIVE),
	[GVM_CO_INVALIDATED]	= CO(GVM_CO_EXCLUSIVE),
	[GVM_CO_RECALL]		= CO(GVM_CO_EXCLUSIVE | GVM_CO_GAVE),
	[GVM_CO_RETURN]		= CO_PAGE(GVM_CO_GAVE),
	[GVM_CO_PUT]		= CO_PAGE(0),
	[GVM_CO_CONFIRM]	= CO(0),
	[GVM_CO_REFER]		= CO(0),
	[GVM_CO_CANCEL]		= CO(GVM_CO_EXCLUSIVE),
	[GVM_CO_LOST]		= CO(0),
	[GVM_MSG_JOIN]		= FIXED(gvm_join),
	[GVM_MSG_JOINED]	= FIXED(gvm_joined),
	[GVM_MSG_LEAVE]		= EMPTY,
	[GVM_MSG_LEFT]		= EMPTY,
	[GVM_MSG_PEER]		= FIXED(gvm_peer),
	[GVM_MSG_PEER_IS]	= FIXED(gvm_peer_is),
	[GVM_MSG_PEER_HELLO]	= FIXED(gvm_peer_hello),
	[GVM_MSG_MEMBER]	= FIXED(gvm_member),
	[GVM_MSG_REGION_MAKE]	= FIXED(gvm_region_make),
	[GVM_MSG_REGION_MADE]	= FIXED(gvm_region_made),
	[GVM_MSG_REGION_LIST]	= FIXED(gvm_region_list),
	[GVM_MSG_REGIONS]	= LISTS(gvm_regions, GVM_REGIONS_LISTED_MAX *
					sizeof(struct gvm_region_entry)),
	[GVM_MSG_REGION_REMOVE]	= FIXED(gvm_region_remove),
	[GVM_MSG_REGION_REMOVED] = EMPTY,
	[GVM_MSG_REGION_STATUS]	= FIXED(gvm_region_status),
	[GVM_MSG_STATUS]	= LISTS(gvm_status, GVM_STATUS_MEMBERS_MAX *
					sizeof(struct gvm_status_member) +
					GVM_STATUS_LOST_MAX * sizeof(u64)),
};

int gvm_codec_header(const void *bytes32, struct gvm_head *ret_head,
		     const char **ret_why)
{
	const struct shape *shape;
	struct gvm_msg msg;
	u32 len;

	memcpy(&msg, bytes32, sizeof(msg));
	if (gvm_le16(msg.type) >= GVM_MSG_TYPE_NR)
		return gvm_codec_refuse(ret_why, "unknown message type");
	shape = &shapes[gvm_le16(msg.type)];
	if (!shape->step)
		return gvm_codec_refuse(ret_why, "unknown message type");
	if (gvm_le16(msg.flags) & ~shape->flags)
		return gvm_codec_refuse(ret_why, "unknown message flag");
	if (gvm_le64(msg.page) && !shape->paged)
		return gvm_codec_refuse(ret_why, "page field of a header is not zero");
	if (gvm_le64(msg.page) > GVM_PAGE_NO_MAX)
		return gvm_codec_refuse(ret_why, "page number out of range");

	len = gvm_le32(msg.payload_len);
	if (len < shape->min || len > shape->max ||
	    (len - shape->min) % shape->step)
		return gvm_codec_refuse(ret_why, "impossible payload length");

	*ret_head = (struct gvm_head){
		.type = gvm_le16(msg.type),
		.flags = gvm_le16(msg.flags),
		.payload_len = len,
		.region = gvm_le32(msg.region),
		.epoch = gvm_le32(msg.epoch),
		.page = gvm_le64(msg.page),
		.txn = gvm_le64(msg.txn),
	};
	return 0;
}

static int check_hello(const void *payload, const char **ret_why)
{
	struct gvm_hello hello;
	u16 low;
	u16 high;

	memcpy(&hello, payload, sizeof(hello));
	low = gvm_le16(hello.version_min);
	high = gvm_le16(hello.version_max);
	if (gvm_le64(hello.magic) != GVM_HELLO_MAGIC)
		return gvm_codec_refuse(ret_why, "not a giantvm peer (magic)");
	if (!low || low > high)
		return gvm_codec_refuse(ret_why, "impossible version range");
	/*
	 * A newer peer may fill these.  It is let through, so that the session
	 * can tell it GVM_ERR_VERSION instead of cutting it off without a word.
	 */
	if (high > GVM_WIRE_VERSION)
		return 0;
	if (gvm_le32(hello.features))
		return gvm_codec_refuse(ret_why, "features that version 2 has not");
	if (gvm_le64(hello.reserved[0]) || gvm_le64(hello.reserved[1]))
		return gvm_codec_refuse(ret_why, "reserved field is not zero");
	return 0;
}

static int check_attach(const void *payload, const char **ret_why)
{
	struct gvm_attach attach;

	memcpy(&attach, payload, sizeof(attach));
	if (gvm_le32(attach.flags) & ~(u32)(GVM_ATTACH_CREATE |
					    GVM_ATTACH_JOIN |
					    GVM_ATTACH_TAKEOVER))
		return gvm_codec_refuse(ret_why, "unknown ATTACH flag");
	if (gvm_le32(attach.reserved))
		return gvm_codec_refuse(ret_why, "reserved field is not zero");
	if (!gvm_codec_text_ok(attach.name, sizeof(attach.name), false))
		return gvm_codec_refuse(ret_why, "holder's name is not a line of text");
	return 0;
}

static int check_attached(const void *payload, const char **ret_why)
{
	struct gvm_attached attached;

	memcpy(&attached, payload, sizeof(attached));
	if (gvm_le32(attached.reserved))
		return gvm_codec_refuse(ret_why, "reserved field is not zero");
	return 0;
}

static int check_detach(const void *payload, const char **ret_why)
{
	struct gvm_detach detach;

	memcpy(&detach, payload, sizeof(detach));
	if (gvm_le32(detach.flags) & ~(u32)GVM_DETACH_DROP)
		return gvm_codec_refuse(ret_why, "unknown DETACH flag");
	if (gvm_le32(detach.reserved))
		return gvm_codec_refuse(ret_why, "reserved field is not zero");
	return 0;
}

static int check_clone(const void *payload, const char **ret_why)
{
	struct gvm_clone clone;

	memcpy(&clone, payload, sizeof(clone));
	if (!gvm_codec_text_ok(clone.name, sizeof(clone.name), false))
		return gvm_codec_refuse(ret_why, "holder's name is not a line of text");
	return 0;
}

static int check_error(const void *payload, const char **ret_why)
{
	struct gvm_error error;

	memcpy(&error, payload, sizeof(error));
	if (!gvm_le32(error.code) || gvm_le32(error.code) >= GVM_ERR_NR)
		return gvm_codec_refuse(ret_why, "unknown error code");
	if (gvm_le32(error.reserved))
		return gvm_codec_refuse(ret_why, "reserved field is not zero");
	if (!gvm_codec_text_ok(error.text, sizeof(error.text), true))
		return gvm_codec_refuse(ret_why, "error text is not a line of text");
	return 0;
}

/* pages_max: how many all runs together may name. */
static int check_runs(const struct gvm_head *head, const void *payload,
		      u64 pages_max, const char **ret_why)
{
	u32 runs = head->payload_len / RUN_BYTES;
	u64 pages = 0;

	for (u32 i = 0; i < runs; i++) {
		struct gvm_run run;
		u64 page;
		u32 count;

		memcpy(&run, (const u8 *)payload + i * RUN_BYTES, sizeof(run));
		page = gvm_le64(run.page);
		count = gvm_le32(run.count);
		if (gvm_le32(run.reserved))
			return gvm_codec_refuse(ret_why, "reserved field is not zero");
		if (!count)
			return gvm_codec_refuse(ret_why, "run of no pages");
		if (page > GVM_PAGE_NO_MAX ||
		    count - 1 > GVM_PAGE_NO_MAX - page)
			return gvm_codec_refuse(ret_why, "page number out of range");
		pages += count;		/* 512 runs: cannot overflow */
		if (pages > pages_max)
			return gvm_codec_refuse(ret_why, "too many pages in one READ");
	}
	return 0;
}

/* Tag, CRC and reserved bytes of a descriptor; adds to *bodies. */
static int check_desc(u8 tag, u32 crc, const u8 reserved[3], u32 *bodies,
		      const char **ret_why)
{
	if (reserved[0] || reserved[1] || reserved[2])
		return gvm_codec_refuse(ret_why, "reserved field is not zero");
	if (tag == GVM_TAG_RAW) {
		++*bodies;
		return 0;
	}
	if (tag != GVM_TAG_ZERO)
		return gvm_codec_refuse(ret_why, "unknown page tag");
	if (crc)
		return gvm_codec_refuse(ret_why, "zero page with a checksum");
	return 0;
}

/* The descriptors fit, and the three lengths tell one story. */
static int check_batch(const struct gvm_head *head, const void *payload,
		       u32 desc_bytes, u32 *ret_count, const char **ret_why)
{
	struct gvm_batch batch;
	u32 count;
	u32 rest;

	memcpy(&batch, payload, sizeof(batch));
	count = gvm_le32(batch.count);
	if (!count || count > GVM_BATCH_PAGES_MAX)
		return gvm_codec_refuse(ret_why, "impossible number of pages");
	rest = head->payload_len - BATCH_BYTES;
	if (rest < count * desc_bytes)
		return gvm_codec_refuse(ret_why, "descriptors do not fit the payload");
	if (rest - count * desc_bytes != gvm_le32(batch.body_bytes))
		return gvm_codec_refuse(ret_why, "bodies do not fit the payload");
	*ret_count = count;
	return 0;
}

static int check_bodies(const void *payload, u32 bodies, const char **ret_why)
{
	struct gvm_batch batch;

	memcpy(&batch, payload, sizeof(batch));
	if (gvm_le32(batch.body_bytes) != bodies * GVM_PAGE_BYTES)
		return gvm_codec_refuse(ret_why, "bodies do not fit their descriptors");
	return 0;
}

static int check_data(const struct gvm_head *head, const void *payload,
		      const char **ret_why)
{
	const u8 *at = (const u8 *)payload + BATCH_BYTES;
	u32 bodies = 0;
	u32 count;
	int err;

	err = check_batch(head, payload, DATA_BYTES, &count, ret_why);
	if (err)
		return err;
	for (u32 i = 0; i < count; i++) {
		struct gvm_data_desc desc;

		memcpy(&desc, at + i * DATA_BYTES, sizeof(desc));
		err = check_desc(desc.tag, gvm_le32(desc.crc), desc.reserved,
				 &bodies, ret_why);
		if (err)
			return err;
	}
	return check_bodies(payload, bodies, ret_why);
}

static int check_write(const struct gvm_head *head, const void *payload,
		       const char **ret_why)
{
	const u8 *at = (const u8 *)payload + BATCH_BYTES;
	u32 bodies = 0;
	u32 count;
	int err;

	err = check_batch(head, payload, WRITE_BYTES, &count, ret_why);
	if (err)
		return err;
	for (u32 i = 0; i < count; i++) {
		struct gvm_write_desc desc;

		memcpy(&desc, at + i * WRITE_BYTES, sizeof(desc));
		if (gvm_le64(desc.page) > GVM_PAGE_NO_MAX)
			return gvm_codec_refuse(ret_why, "page number out of range");
		err = check_desc(desc.tag, gvm_le32(desc.crc), desc.reserved,
				 &bodies, ret_why);
		if (err)
			return err;
	}
	return check_bodies(payload, bodies, ret_why);
}

int gvm_codec_check(const struct gvm_head *head, const void *payload,
		    const char **ret_why)
{
	switch (head->type) {
	case GVM_MSG_HELLO:
		return check_hello(payload, ret_why);
	case GVM_MSG_ATTACH:
		return check_attach(payload, ret_why);
	case GVM_MSG_ATTACHED:
		return check_attached(payload, ret_why);
	case GVM_MSG_DETACH:
		return check_detach(payload, ret_why);
	case GVM_MSG_READ:
		return check_runs(head, payload, GVM_BATCH_PAGES_MAX, ret_why);
	case GVM_MSG_DATA:
		return check_data(head, payload, ret_why);
	case GVM_MSG_WRITE:
		return check_write(head, payload, ret_why);
	case GVM_MSG_TRIM:
		return check_runs(head, payload, ~0ull, ret_why);
	case GVM_MSG_CLONE:
		return check_clone(payload, ret_why);
	case GVM_MSG_ERROR:
		return check_error(payload, ret_why);
	default:
		return gvm_codec_check_shared(head, payload, ret_why);
	}
}
