/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The wire format of shared regions; wire.h includes it.  docs/PROTOCOL.md
 * tells what the messages 32 .. 45 mean, coherence.h has them in host order.
 *
 *	node				server (home)
 *	HELLO				HELLO
 *	JOIN (region, id, address)	JOINED (handle, epoch) or ERROR
 *	32 .. 45			32 .. 45, MEMBER
 *	PEER (id)			PEER_IS (address)
 *	PING				PONG (either renews the lease)
 *	LEAVE				LEFT
 *
 *	node				node
 *	HELLO				HELLO
 *	PEER_HELLO			PEER_HELLO, or the connection is closed
 *	32 .. 45			32 .. 45
 *
 *	tool				server
 *	HELLO				HELLO
 *	REGION_MAKE			REGION_MADE
 *	REGION_LIST			REGIONS
 *	REGION_STATUS			STATUS
 *	REGION_REMOVE			REGION_REMOVED
 *
 * A region lies on one server or on several: slices.h says which page is on
 * which.  A node joins at every server of the list, at server 0 first: that
 * one gives the region its id, and the others are told it, so that parts of
 * two regions that had the same name one after the other are never mixed.
 *
 * header.region is the home's handle on connections with a home, zero between
 * nodes.  header.epoch is the node's membership at the page's home, both ways;
 * between nodes, the sender's there.
 */
#ifndef GVM_WIRE_SHARED_H
#define GVM_WIRE_SHARED_H

#include "limits.h"

/*
 * 32 .. 45: page, txn and epoch are in the header, and so are the flags
 * EXCLUSIVE, HAVE, DIRECT, GAVE, SERVE and OPEN; BYTES and ZERO are what tag says.
 *
 * INVALIDATE may go on with the list: three words of summary (bit g: group g of
 * 64 nodes has members), then a word for each such group, only groups and
 * members of [lo, hi).  With tag RAW the 4096 bytes follow.
 */
struct gvm_coherence {
	__le64	seq;		/* <= GVM_SEQ_MAX */
	__le64	need;
	__le16	from;		/* node, or GVM_NODE_HOME */
	__le16	to;
	__le16	requester;	/* these may be GVM_NODE_NONE too */
	__le16	giver;
	__le16	slot;
	__le16	lo;		/* zero but in INVALIDATE, INVALIDATED */
	__le16	hi;
	u8	tag;		/* 0, GVM_TAG_ZERO or GVM_TAG_RAW */
	u8	reserved;	/* zero */
	__le32	crc;		/* CRC32C of the 4096 bytes; else zero */
	__le32	reserved2;	/* zero */
};

#define GVM_CO_SUMMARY_BYTES	24u
#define GVM_CO_LIST_BYTES_MAX \
	(GVM_CO_SUMMARY_BYTES + GVM_NODES_MAX / 64 * 8)
/* A header with everything but the page. */
#define GVM_CO_HEAD_BYTES_MAX \
	(32u + (u32)sizeof(struct gvm_coherence) + GVM_CO_LIST_BYTES_MAX)

/*
 * A region's name: 1 .. 55 of A-Z a-z 0-9 . _ - and not first a '.' or '-';
 * filled up with NUL.
 *
 * CREATE makes the region if the server does not have it; then, or if bytes is
 * not zero, it must be as said here: bytes, slice_bytes, servers, cluster (a
 * fingerprint of the cluster file; zero: there is none).  bytes == 0 without
 * CREATE: take it as it is.  lease_ms counts only when the region is made.
 *
 * Whose identity is a member already goes on with that membership, and an older
 * connection of it is cut.  REJOIN: FENCED if it is not.  An id that another
 * identity has is refused (MEMBER) until that one's lease has run out.  BUSY:
 * what a dead node of that id had is still being cleaned up.
 *
 * CLAIM: if nobody has touched a page of this server's yet, all of them are this
 * node's own from now on ("Fresh memory" in PROTOCOL.md); JOINED says whether.
 */
#define GVM_JOIN_CREATE		0x1
#define GVM_JOIN_REJOIN		0x2
#define GVM_JOIN_CLAIM		0x4

struct gvm_join {
	char	name[GVM_SHARED_NAME_MAX];
	u8	region[16];	/* zero: server 0 is asked, which tells it */
	__le64	bytes;
	__le64	slice_bytes;	/* a power of two; 0: the default */
	__le16	server;		/* place of this server in the list */
	__le16	servers;	/* length of the list */
	__le16	node;
	__le16	flags;
	u8	cluster[16];
	u8	identity[16];	/* of the process, chosen at random */
	char	address[GVM_ADDRESS_MAX]; /* where peers reach the node */
	__le32	lease_ms;	/* 0: the server's default */
	__le32	reserved;	/* zero */
};

/* JOINED: header.region and header.epoch are what to send from now on. */
struct gvm_joined {
	u8	region[16];
	__le64	bytes;
	__le64	slice_bytes;
	__le32	lease_ms;	/* dead when not heard for so long */
	__le32	members;
	__le32	claimed;	/* 0, or 1: this server's pages are yours */
	__le32	reserved;	/* zero */
};

struct gvm_peer {
	__le16	node;
	u8	reserved[6];	/* zero */
};

struct gvm_peer_is {
	__le16	node;
	__le16	member;		/* 0: there is none; 1 */
	__le32	epoch;
	char	address[GVM_ADDRESS_MAX];	/* empty: none */
};

/* Between nodes, both ways, after HELLO. */
struct gvm_peer_hello {
	u8	region[16];
	__le16	from;
	__le16	to;		/* not the receiver: the address is another's */
	__le32	epoch;		/* from's membership at server 0 */
};

#define GVM_MEMBER_DIED		1	/* what it alone had is lost */
#define GVM_MEMBER_LEFT		2

/* Home -> node: drop the connection to it; its old epochs mean nothing. */
struct gvm_member {
	__le16	node;
	__le16	why;
	__le32	epoch;		/* at this home, that ended */
};

struct gvm_region_make {
	char	name[GVM_SHARED_NAME_MAX];
	u8	region[16];	/* as in JOIN, like all below */
	__le64	bytes;
	__le64	slice_bytes;
	__le16	server;
	__le16	servers;
	__le32	lease_ms;
	u8	cluster[16];
};

struct gvm_region_made {
	u8	region[16];
};

/* REGIONS holds as many as fit, from number first on, of total. */
struct gvm_region_list {
	__le32	first;
	__le32	reserved;	/* zero */
};

#define GVM_REGIONS_LISTED_MAX	32u

struct gvm_region_entry {
	char	name[GVM_SHARED_NAME_MAX];
	u8	region[16];
	__le64	bytes;		/* of the whole region */
	__le64	slice_bytes;
	__le16	server;
	__le16	servers;
	__le32	members;
	__le64	pages_stored;	/* here */
	__le64	pages_lost;	/* here */
};

struct gvm_regions {
	__le32	total;
	__le32	count;		/* entries that follow */
};

/* FORCE: although it has members; they are fenced. */
#define GVM_REMOVE_FORCE	0x1

struct gvm_region_remove {
	char	name[GVM_SHARED_NAME_MAX];
	__le32	flags;
	__le32	reserved;	/* zero */
};

struct gvm_region_status {
	char	name[GVM_SHARED_NAME_MAX];
	__le64	lost_from;	/* list lost pages from this one on */
	__le32	first_node;	/* list members from this id on */
	__le32	reserved;	/* zero */
};

#define GVM_STATUS_MEMBERS_MAX	40u
#define GVM_STATUS_LOST_MAX	64u
#define GVM_STATUS_COUNTERS	12u

struct gvm_status_member {
	__le16	node;
	__le16	connected;	/* 0: its lease runs out; 1 */
	__le32	epoch;
	__le64	heard_ms;	/* ago */
	char	address[GVM_ADDRESS_MAX];
};

/* STATUS: this, then members, then lost page numbers (__le64). */
struct gvm_status {
	struct gvm_region_entry entry;
	__le64	counter[GVM_STATUS_COUNTERS];	/* struct gvm_home_stats */
	__le64	directory_bytes;
	__le64	messages_in;	/* 32 .. 45 */
	__le64	messages_out;
	__le64	messages_dropped; /* for a peer that does not take them */
	__le32	members_nr;
	__le32	lost_nr;
};

static_assert(sizeof(struct gvm_coherence) == 40, "wire layout");
static_assert(offsetof(struct gvm_coherence, from) == 16, "wire layout");
static_assert(offsetof(struct gvm_coherence, tag) == 30, "wire layout");
static_assert(sizeof(struct gvm_join) == 192, "wire layout");
static_assert(offsetof(struct gvm_join, server) == 88, "wire layout");
static_assert(sizeof(struct gvm_joined) == 48, "wire layout");
static_assert(sizeof(struct gvm_peer) == 8, "wire layout");
static_assert(sizeof(struct gvm_peer_is) == 64, "wire layout");
static_assert(sizeof(struct gvm_peer_hello) == 24, "wire layout");
static_assert(sizeof(struct gvm_member) == 8, "wire layout");
static_assert(sizeof(struct gvm_region_make) == 112, "wire layout");
static_assert(sizeof(struct gvm_region_made) == 16, "wire layout");
static_assert(sizeof(struct gvm_region_list) == 8, "wire layout");
static_assert(sizeof(struct gvm_region_entry) == 112, "wire layout");
static_assert(sizeof(struct gvm_regions) == 8, "wire layout");
static_assert(sizeof(struct gvm_region_remove) == 64, "wire layout");
static_assert(sizeof(struct gvm_region_status) == 72, "wire layout");
static_assert(sizeof(struct gvm_status_member) == 72, "wire layout");
static_assert(sizeof(struct gvm_status) == 248, "wire layout");

#endif
