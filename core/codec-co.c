// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * The judge at the border, for messages of the coherence protocol, and their
 * way from and into host order.
 *
 * What a message may carry is one row of a table for each type.  What only the
 * directory or a node can know (whether a page, an epoch or a txn is current,
 * whether the sender is who it says) is theirs to judge.
 */
#include "codec-shared.h"

#define CO_BYTES	((u32)sizeof(struct gvm_coherence))
#define WORD_BYTES	((u32)sizeof(u64))

static_assert(GVM_CO_LIST_BYTES_MAX == 24 + GVM_GROUPS * 8, "list");
static_assert((int)GVM_CO_GET_SHARED == (int)GVM_MSG_CO_FIRST &&
	      GVM_CO_TYPE_NR == GVM_MSG_CO_LAST + 1, "types are the core's");

/* Who a field of a message may name. */
#define NODE		0x1u
#define HOME		0x2u
#define NONE		0x4u

static const struct co_rule {
	u8	from;
	u8	to;
	bool	page;		/* may carry one */
} co_rules[GVM_CO_TYPE_NR - GVM_MSG_CO_FIRST] = {
#define CO(type)	[GVM_CO_##type - GVM_MSG_CO_FIRST]
	CO(GET_SHARED)		= { NODE, HOME, false },
	CO(GET_EXCLUSIVE)	= { NODE, HOME, false },
	CO(GRANT)		= { NODE | HOME, NODE, true },
	CO(DONE)		= { NODE, HOME, false },
	CO(DECLINE)		= { NODE, HOME, false },
	CO(INVALIDATE)		= { NODE | HOME, NODE, false },
	CO(INVALIDATED)		= { NODE, NODE | HOME, false },
	CO(RECALL)		= { HOME, NODE, false },
	CO(RETURN)		= { NODE, HOME, true },
	CO(PUT)			= { NODE, HOME, true },
	CO(CONFIRM)		= { HOME, NODE, false },
	CO(REFER)		= { HOME, NODE, false },
	CO(CANCEL)		= { HOME, NODE, false },
	CO(LOST)		= { HOME, NODE, false },
#undef CO
};

static bool who_ok(__le16 field, u32 allowed)
{
	u16 who = gvm_le16(field);

	if (who == GVM_NODE_HOME)
		return allowed & HOME;
	if (who == GVM_NODE_NONE)
		return allowed & NONE;
	return who < GVM_NODES_MAX && allowed & NODE;
}

static u64 word_at(const u8 *at, u32 i)
{
	__le64 word;

	memcpy(&word, at + i * WORD_BYTES, sizeof(word));
	return gvm_le64(word);
}

/* The bits of group g that lie in [lo, hi). */
static u64 group_mask(u32 g, u32 lo, u32 hi)
{
	u32 first = g * GVM_GROUP_NODES;
	u64 mask = ~0ull;

	if (first + GVM_GROUP_NODES <= lo || first >= hi)
		return 0;
	if (first < lo)
		mask &= ~0ull << (lo - first);
	if (first + GVM_GROUP_NODES > hi)
		mask &= ~0ull >> (first + GVM_GROUP_NODES - hi);
	return mask;
}

/* at: summary and words, of bytes in all. */
static int check_list(const u8 *at, u32 bytes, u32 lo, u32 hi,
		      const char **ret_why)
{
	const u8 *words = at + GVM_CO_SUMMARY_BYTES;
	u32 nr = 0;

	if (bytes < GVM_CO_SUMMARY_BYTES + WORD_BYTES)
		return gvm_codec_refuse(ret_why, "list without a member");
	for (u32 g = 0; g < 192; g++) {
		u64 word;

		if (!(word_at(at, g / 64) >> g % 64 & 1))
			continue;
		if (g >= GVM_GROUPS ||
		    bytes < GVM_CO_SUMMARY_BYTES + (nr + 1) * WORD_BYTES)
			return gvm_codec_refuse(ret_why, "list does not fit its summary");
		word = word_at(words, nr++);
		if (!word || word & ~group_mask(g, lo, hi))
			return gvm_codec_refuse(ret_why, "list names a node out of its range");
	}
	if (bytes != GVM_CO_SUMMARY_BYTES + nr * WORD_BYTES)
		return gvm_codec_refuse(ret_why, "list does not fit its summary");
	return 0;
}

static int check_range(const struct gvm_head *head, const void *payload,
		       const struct gvm_coherence *co, const char **ret_why)
{
	u32 lo = gvm_le16(co->lo), hi = gvm_le16(co->hi);

	if (head->type != GVM_CO_INVALIDATE && head->type != GVM_CO_INVALIDATED)
		return lo || hi ? gvm_codec_refuse(ret_why, "range in a message that has none") : 0;
	if (lo > hi || hi > GVM_NODES_MAX)
		return gvm_codec_refuse(ret_why, "impossible range of nodes");
	if (head->payload_len == CO_BYTES)
		return 0;
	return check_list((const u8 *)payload + CO_BYTES,
			  head->payload_len - CO_BYTES, lo, hi, ret_why);
}

/* What is granted without a DONE: exclusive, and told by one sharer at most. */
static int check_open(const struct gvm_head *head,
		      const struct gvm_coherence *co, const char **ret_why)
{
	u32 lo = gvm_le16(co->lo), hi = gvm_le16(co->hi);

	if (head->type == GVM_CO_GRANT && head->flags & GVM_CO_OPEN &&
	    !(head->flags & GVM_CO_EXCLUSIVE))
		return gvm_codec_refuse(ret_why, "open grant that is not exclusive");
	if ((head->type == GVM_CO_INVALIDATE ||
	     head->type == GVM_CO_INVALIDATED) &&
	    head->flags & GVM_CO_EXCLUSIVE &&
	    (hi != lo + 1 || gvm_le16(co->slot) ||
	     head->payload_len != CO_BYTES))
		return gvm_codec_refuse(ret_why, "grant by more than one sharer");
	return 0;
}

static int check_tag(const struct gvm_head *head, const struct co_rule *rule,
		     const struct gvm_coherence *co, const char **ret_why)
{
	if (co->tag && co->tag != GVM_TAG_ZERO && co->tag != GVM_TAG_RAW)
		return gvm_codec_refuse(ret_why, "unknown page tag");
	if (co->tag && (!rule->page || head->flags & GVM_CO_GAVE))
		return gvm_codec_refuse(ret_why, "page in a message that has none");
	if (co->tag != GVM_TAG_RAW && co->crc)
		return gvm_codec_refuse(ret_why, "checksum without a page");
	if (rule->page && (co->tag == GVM_TAG_RAW) !=
			  (head->payload_len != CO_BYTES))
		return gvm_codec_refuse(ret_why, "page does not fit its tag");
	return 0;
}

int gvm_codec_check_co(const struct gvm_head *head, const void *payload,
		       const char **ret_why)
{
	const struct co_rule *rule = &co_rules[head->type - GVM_MSG_CO_FIRST];
	struct gvm_coherence co;
	int err;

	memcpy(&co, payload, sizeof(co));
	if (co.reserved || co.reserved2)
		return gvm_codec_refuse(ret_why, "reserved field is not zero");
	if (gvm_le64(co.seq) > GVM_SEQ_MAX)
		return gvm_codec_refuse(ret_why, "seq out of range");
	if (!who_ok(co.from, rule->from) || !who_ok(co.to, rule->to))
		return gvm_codec_refuse(ret_why, "impossible sender or receiver");
	if (!who_ok(co.requester, NODE | HOME | NONE) ||
	    !who_ok(co.giver, NODE | HOME | NONE))
		return gvm_codec_refuse(ret_why, "node id out of range");
	err = check_range(head, payload, &co, ret_why);
	if (!err)
		err = check_open(head, &co, ret_why);
	return err ? err : check_tag(head, rule, &co, ret_why);
}

static void take_list(const u8 *at, struct gvm_sharers *list)
{
	const u8 *words = at + GVM_CO_SUMMARY_BYTES;
	u32 nr = 0;

	for (u32 i = 0; i < 3; i++)
		list->summary[i] = word_at(at, i);
	for (u32 g = 0; g < GVM_GROUPS; g++)
		list->word[g] = list->summary[g / 64] >> g % 64 & 1 ?
			word_at(words, nr++) : 0;
}

const void *gvm_codec_co(const struct gvm_head *head, const void *payload,
			 struct gvm_sharers *list, struct gvm_co_msg *ret,
			 u32 *ret_crc)
{
	struct gvm_coherence co;

	memcpy(&co, payload, sizeof(co));
	*ret = (struct gvm_co_msg){
		.type = head->type, .flags = head->flags,
		.from = gvm_le16(co.from), .to = gvm_le16(co.to),
		.requester = gvm_le16(co.requester),
		.giver = gvm_le16(co.giver), .slot = gvm_le16(co.slot),
		.lo = gvm_le16(co.lo), .hi = gvm_le16(co.hi),
		.epoch = head->epoch, .page = head->page,
		.seq = gvm_le64(co.seq), .txn = head->txn,
		.need = gvm_le64(co.need),
	};
	if (head->type == GVM_CO_INVALIDATE && head->payload_len != CO_BYTES) {
		take_list((const u8 *)payload + CO_BYTES, list);
		ret->list = list;
	}
	*ret_crc = gvm_le32(co.crc);
	if (co.tag == GVM_TAG_ZERO)
		ret->flags |= GVM_CO_ZERO;
	if (co.tag != GVM_TAG_RAW)
		return NULL;
	ret->flags |= GVM_CO_BYTES;
	return (const u8 *)payload + CO_BYTES;
}

/* Only what lies in the range: a relay cuts the list that it was given. */
static u32 put_list(u8 *at, const struct gvm_co_msg *msg)
{
	u64 summary[3] = { 0, 0, 0 };
	u32 nr = 0;

	for (u32 g = msg->lo / GVM_GROUP_NODES;
	     g < GVM_GROUPS && g * GVM_GROUP_NODES < msg->hi; g++) {
		__le64 word = gvm_le64(msg->list->word[g] &
				       group_mask(g, msg->lo, msg->hi));

		if (!word)
			continue;
		summary[g / 64] |= 1ull << g % 64;
		memcpy(at + GVM_CO_SUMMARY_BYTES + nr++ * WORD_BYTES, &word,
		       sizeof(word));
	}
	for (u32 i = 0; i < 3; i++) {
		__le64 word = gvm_le64(summary[i]);

		memcpy(at + i * WORD_BYTES, &word, sizeof(word));
	}
	return GVM_CO_SUMMARY_BYTES + nr * WORD_BYTES;
}

u32 gvm_codec_put_co(void *at, u32 region, const struct gvm_co_msg *msg,
		     u32 crc)
{
	bool listed = msg->type == GVM_CO_INVALIDATE && msg->list;
	bool raw = msg->flags & GVM_CO_BYTES;
	u8 *payload = (u8 *)at + sizeof(struct gvm_msg);
	u32 bytes = CO_BYTES;
	struct gvm_coherence co = {
		.seq = gvm_le64(msg->seq), .need = gvm_le64(msg->need),
		.from = gvm_le16(msg->from), .to = gvm_le16(msg->to),
		.requester = gvm_le16(msg->requester),
		.giver = gvm_le16(msg->giver), .slot = gvm_le16(msg->slot),
		.lo = gvm_le16(msg->lo), .hi = gvm_le16(msg->hi),
		.crc = gvm_le32(raw ? crc : 0),
	};
	struct gvm_msg head;

	if (raw)
		co.tag = GVM_TAG_RAW;
	else if (msg->flags & GVM_CO_ZERO)
		co.tag = GVM_TAG_ZERO;
	memcpy(payload, &co, sizeof(co));
	if (listed)
		bytes += put_list(payload + CO_BYTES, msg);
	head = (struct gvm_msg){
		.type = gvm_le16(msg->type),
		.flags = gvm_le16((u16)(msg->flags & ~(GVM_CO_BYTES |
						       GVM_CO_ZERO))),
		.payload_len = gvm_le32(bytes + (raw ? GVM_PAGE_BYTES : 0)),
		.region = gvm_le32(region), .epoch = gvm_le32(msg->epoch),
		.page = gvm_le64(msg->page), .txn = gvm_le64(msg->txn),
	};
	memcpy(at, &head, sizeof(head));
	return (u32)sizeof(head) + bytes;
}
