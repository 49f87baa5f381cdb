// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * The judge at the border, for what surrounds the coherence protocol: joining,
 * peers, and regions made, listed and removed by tools.
 */
#include "codec-shared.h"

#define WORD_BYTES	((u32)sizeof(u64))

bool gvm_codec_text_ok(const char *text, u32 bytes, bool filled)
{
	u32 i = 0;

	for (; i < bytes && text[i]; i++) {
		if ((u8)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	}
	if (i == bytes)
		return false;
	for (; filled && i < bytes; i++) {
		if (text[i])
			return false;
	}
	return true;
}

static bool name_char(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

bool gvm_codec_name_ok(const char name[GVM_SHARED_NAME_MAX])
{
	u32 len = 0;

	if (!gvm_codec_text_ok(name, GVM_SHARED_NAME_MAX, true))
		return false;
	while (name[len]) {
		if (!name_char(name[len++]))
			return false;
	}
	return len && name[0] != '.' && name[0] != '-';
}

static bool zeros(const u8 *bytes, u32 nr)
{
	u8 any = 0;

	for (u32 i = 0; i < nr; i++)
		any |= bytes[i];
	return !any;
}

/* Size of a region and how it is dealt out; bytes 0 if that may be left open. */
static bool layout_ok(u64 bytes, u64 slice_bytes, u32 server, u32 servers)
{
	u64 slice_pages = slice_bytes >> GVM_PAGE_SHIFT;

	if (bytes % GVM_PAGE_BYTES ||
	    bytes >> GVM_PAGE_SHIFT > GVM_SHARED_PAGES_MAX)
		return false;
	if (slice_bytes && (slice_bytes & (slice_bytes - 1) ||
			    slice_pages < GVM_SLICE_PAGES_MIN ||
			    slice_pages > GVM_SLICE_PAGES_MAX))
		return false;
	return servers <= GVM_NODES_MAX && server < servers;
}

static int check_join(const void *payload, const char **ret_why)
{
	struct gvm_join join;
	u32 flags;

	memcpy(&join, payload, sizeof(join));
	flags = gvm_le16(join.flags);
	if (!gvm_codec_name_ok(join.name))
		return gvm_codec_refuse(ret_why, "impossible name of a region");
	if (!layout_ok(gvm_le64(join.bytes), gvm_le64(join.slice_bytes),
		       gvm_le16(join.server), gvm_le16(join.servers)) ||
	    (flags & GVM_JOIN_CREATE && !gvm_le64(join.bytes)))
		return gvm_codec_refuse(ret_why, "impossible size or slices of a region");
	if (gvm_le16(join.node) >= GVM_NODES_MAX)
		return gvm_codec_refuse(ret_why, "node id out of range");
	if (flags & ~(u32)(GVM_JOIN_CREATE | GVM_JOIN_REJOIN |
			 GVM_JOIN_CLAIM))
		return gvm_codec_refuse(ret_why, "unknown JOIN flag");
	if (join.reserved)
		return gvm_codec_refuse(ret_why, "reserved field is not zero");
	if (zeros(join.identity, sizeof(join.identity)))
		return gvm_codec_refuse(ret_why, "JOIN without an identity");
	if (!gvm_codec_text_ok(join.address, sizeof(join.address), true) ||
	    !join.address[0])
		return gvm_codec_refuse(ret_why, "address is not a line of text");
	return 0;
}

static int check_joined(const void *payload, const char **ret_why)
{
	struct gvm_joined joined;

	memcpy(&joined, payload, sizeof(joined));
	if (gvm_le32(joined.claimed) > 1 || joined.reserved)
		return gvm_codec_refuse(ret_why, "reserved field is not zero");
	return 0;
}

static int check_peer(const void *payload, const char **ret_why)
{
	struct gvm_peer peer;

	memcpy(&peer, payload, sizeof(peer));
	if (gvm_le16(peer.node) >= GVM_NODES_MAX)
		return gvm_codec_refuse(ret_why, "node id out of range");
	if (!zeros(peer.reserved, sizeof(peer.reserved)))
		return gvm_codec_refuse(ret_why, "reserved field is not zero");
	return 0;
}

static int check_peer_is(const void *payload, const char **ret_why)
{
	struct gvm_peer_is is;

	memcpy(&is, payload, sizeof(is));
	if (gvm_le16(is.node) >= GVM_NODES_MAX)
		return gvm_codec_refuse(ret_why, "node id out of range");
	if (gvm_le16(is.member) > 1)
		return gvm_codec_refuse(ret_why, "unknown kind of member");
	if (!gvm_codec_text_ok(is.address, sizeof(is.address), true) ||
	    (is.address[0] != '\0') != gvm_le16(is.member))
		return gvm_codec_refuse(ret_why, "address is not a line of text");
	return 0;
}

static int check_peer_hello(const void *payload, const char **ret_why)
{
	struct gvm_peer_hello hello;

	memcpy(&hello, payload, sizeof(hello));
	if (gvm_le16(hello.from) >= GVM_NODES_MAX ||
	    gvm_le16(hello.to) >= GVM_NODES_MAX)
		return gvm_codec_refuse(ret_why, "node id out of range");
	return 0;
}

static int check_member(const void *payload, const char **ret_why)
{
	struct gvm_member member;

	memcpy(&member, payload, sizeof(member));
	if (gvm_le16(member.node) >= GVM_NODES_MAX)
		return gvm_codec_refuse(ret_why, "node id out of range");
	if (gvm_le16(member.why) != GVM_MEMBER_DIED &&
	    gvm_le16(member.why) != GVM_MEMBER_LEFT)
		return gvm_codec_refuse(ret_why, "unknown end of a membership");
	return 0;
}

static int check_make(const void *payload, const char **ret_why)
{
	struct gvm_region_make make;

	memcpy(&make, payload, sizeof(make));
	if (!gvm_codec_name_ok(make.name))
		return gvm_codec_refuse(ret_why, "impossible name of a region");
	if (!gvm_le64(make.bytes) ||
	    !layout_ok(gvm_le64(make.bytes), gvm_le64(make.slice_bytes),
		       gvm_le16(make.server), gvm_le16(make.servers)))
		return gvm_codec_refuse(ret_why, "impossible size or slices of a region");
	return 0;
}

static int check_list_request(const void *payload, const char **ret_why)
{
	struct gvm_region_list list;

	memcpy(&list, payload, sizeof(list));
	return list.reserved ?
		gvm_codec_refuse(ret_why, "reserved field is not zero") : 0;
}

static int check_remove(const void *payload, const char **ret_why)
{
	struct gvm_region_remove remove;

	memcpy(&remove, payload, sizeof(remove));
	if (!gvm_codec_name_ok(remove.name))
		return gvm_codec_refuse(ret_why, "impossible name of a region");
	if (gvm_le32(remove.flags) & ~(u32)GVM_REMOVE_FORCE)
		return gvm_codec_refuse(ret_why, "unknown REMOVE flag");
	if (remove.reserved)
		return gvm_codec_refuse(ret_why, "reserved field is not zero");
	return 0;
}

static int check_status_request(const void *payload, const char **ret_why)
{
	struct gvm_region_status status;

	memcpy(&status, payload, sizeof(status));
	if (!gvm_codec_name_ok(status.name))
		return gvm_codec_refuse(ret_why, "impossible name of a region");
	if (status.reserved)
		return gvm_codec_refuse(ret_why, "reserved field is not zero");
	return 0;
}

static bool entry_ok(const void *at)
{
	struct gvm_region_entry entry;

	memcpy(&entry, at, sizeof(entry));
	return gvm_codec_name_ok(entry.name) && gvm_le64(entry.bytes) &&
	       gvm_le64(entry.slice_bytes) &&
	       layout_ok(gvm_le64(entry.bytes), gvm_le64(entry.slice_bytes),
			 gvm_le16(entry.server), gvm_le16(entry.servers));
}

static int check_regions(const struct gvm_head *head, const void *payload,
			 const char **ret_why)
{
	const u8 *at = (const u8 *)payload + sizeof(struct gvm_regions);
	struct gvm_regions regions;
	u32 nr;

	memcpy(&regions, payload, sizeof(regions));
	nr = gvm_le32(regions.count);
	if (nr > GVM_REGIONS_LISTED_MAX || nr > gvm_le32(regions.total) ||
	    head->payload_len != sizeof(regions) +
				 nr * sizeof(struct gvm_region_entry))
		return gvm_codec_refuse(ret_why, "entries do not fit the payload");
	for (u32 i = 0; i < nr; i++) {
		if (!entry_ok(at + i * sizeof(struct gvm_region_entry)))
			return gvm_codec_refuse(ret_why, "impossible entry of a region");
	}
	return 0;
}

static bool status_member_ok(const void *at)
{
	struct gvm_status_member member;

	memcpy(&member, at, sizeof(member));
	return gvm_le16(member.node) < GVM_NODES_MAX &&
	       gvm_le16(member.connected) <= 1 &&
	       gvm_codec_text_ok(member.address, sizeof(member.address), true);
}

static int check_status(const struct gvm_head *head, const void *payload,
			const char **ret_why)
{
	const u8 *at = (const u8 *)payload + sizeof(struct gvm_status);
	struct gvm_status status;
	u32 members, lost;

	memcpy(&status, payload, sizeof(status));
	members = gvm_le32(status.members_nr);
	lost = gvm_le32(status.lost_nr);
	if (members > GVM_STATUS_MEMBERS_MAX || lost > GVM_STATUS_LOST_MAX ||
	    head->payload_len != sizeof(status) +
				 members * sizeof(struct gvm_status_member) +
				 lost * WORD_BYTES)
		return gvm_codec_refuse(ret_why, "lists do not fit the payload");
	if (!entry_ok(payload))
		return gvm_codec_refuse(ret_why, "impossible entry of a region");
	for (u32 i = 0; i < members; i++) {
		if (!status_member_ok(at + i * sizeof(struct gvm_status_member)))
			return gvm_codec_refuse(ret_why, "impossible member");
	}
	at += members * sizeof(struct gvm_status_member);
	for (u32 i = 0; i < lost; i++) {
		__le64 page;

		memcpy(&page, at + i * WORD_BYTES, sizeof(page));
		if (gvm_le64(page) > GVM_PAGE_NO_MAX)
			return gvm_codec_refuse(ret_why, "page number out of range");
	}
	return 0;
}

int gvm_codec_check_shared(const struct gvm_head *head, const void *payload,
			   const char **ret_why)
{
	if (head->type >= GVM_MSG_CO_FIRST && head->type <= GVM_MSG_CO_LAST)
		return gvm_codec_check_co(head, payload, ret_why);
	switch (head->type) {
	case GVM_MSG_JOIN:
		return check_join(payload, ret_why);
	case GVM_MSG_JOINED:
		return check_joined(payload, ret_why);
	case GVM_MSG_PEER:
		return check_peer(payload, ret_why);
	case GVM_MSG_PEER_IS:
		return check_peer_is(payload, ret_why);
	case GVM_MSG_PEER_HELLO:
		return check_peer_hello(payload, ret_why);
	case GVM_MSG_MEMBER:
		return check_member(payload, ret_why);
	case GVM_MSG_REGION_MAKE:
		return check_make(payload, ret_why);
	case GVM_MSG_REGION_LIST:
		return check_list_request(payload, ret_why);
	case GVM_MSG_REGIONS:
		return check_regions(head, payload, ret_why);
	case GVM_MSG_REGION_REMOVE:
		return check_remove(payload, ret_why);
	case GVM_MSG_REGION_STATUS:
		return check_status_request(payload, ret_why);
	case GVM_MSG_STATUS:
		return check_status(head, payload, ret_why);
	default:
		return 0;	/* length says all there is to say */
	}
}

const void *gvm_codec_status_lost(const void *payload)
{
	struct gvm_status status;

	memcpy(&status, payload, sizeof(status));
	return (const u8 *)payload + sizeof(status) +
	       gvm_le32(status.members_nr) * sizeof(struct gvm_status_member);
}
