/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The whole wire format, version 2.  Little endian, naturally aligned, no
 * padding; every size and offset is pinned below.  A field that must be zero
 * is checked to be zero.  Only codec.c converts or validates.
 *
 * A connection carries messages: a 32-byte header, then payload_len bytes.
 * Requests may be answered in any order; a reply echoes the request's txn.
 * Delivery may repeat or reorder messages: every request is idempotent, and
 * a client has at most one WRITE or TRIM of one page unanswered.  What no
 * transport may do is carry out a WRITE or TRIM once more after its answer was
 * taken: a session sees to that (the server cuts older connections first).
 *
 * Conversation of a private region:
 *
 *	client				server
 *	HELLO				HELLO
 *	ATTACH (region, token)		ATTACHED (handle, epoch) or ERROR
 *	READ (runs)			DATA (pages in order of the runs)
 *	WRITE (pages)			WRITTEN
 *	TRIM (runs)			TRIMMED
 *	CLONE (new region, token)	CLONED
 *	FLUSH				FLUSHED
 *	DETACH (drop)			DETACHED
 *	PING				PONG
 *
 * Shared regions are in wire-shared.h.
 */
#ifndef GVM_WIRE_H
#define GVM_WIRE_H

#include "limits.h"

/* Version 1 had no open grants: see PROTOCOL.md. */
#define GVM_WIRE_VERSION	2

enum gvm_msg_type {
	GVM_MSG_HELLO		= 1,
	GVM_MSG_ATTACH		= 2,
	GVM_MSG_ATTACHED	= 3,
	GVM_MSG_DETACH		= 4,
	GVM_MSG_DETACHED	= 5,
	GVM_MSG_READ		= 6,
	GVM_MSG_DATA		= 7,
	GVM_MSG_WRITE		= 8,
	GVM_MSG_WRITTEN		= 9,
	GVM_MSG_TRIM		= 10,
	GVM_MSG_TRIMMED		= 11,
	GVM_MSG_FLUSH		= 12,
	GVM_MSG_FLUSHED		= 13,
	GVM_MSG_CLONE		= 14,
	GVM_MSG_CLONED		= 15,
	GVM_MSG_PING		= 16,
	GVM_MSG_PONG		= 17,
	GVM_MSG_ERROR		= 18,
	GVM_MSG_STAT		= 19,	/* ask a server how full it is */
	GVM_MSG_STATS		= 20,
	/* 32 .. 45: enum gvm_co_type (coherence.h), with struct gvm_coherence */
	GVM_MSG_CO_FIRST	= 32,
	GVM_MSG_CO_LAST		= 45,
	GVM_MSG_JOIN		= 46,
	GVM_MSG_JOINED		= 47,
	GVM_MSG_LEAVE		= 48,
	GVM_MSG_LEFT		= 49,
	GVM_MSG_PEER		= 50,
	GVM_MSG_PEER_IS		= 51,
	GVM_MSG_PEER_HELLO	= 52,
	GVM_MSG_MEMBER		= 53,
	GVM_MSG_REGION_MAKE	= 54,
	GVM_MSG_REGION_MADE	= 55,
	GVM_MSG_REGION_LIST	= 56,
	GVM_MSG_REGIONS		= 57,
	GVM_MSG_REGION_REMOVE	= 58,
	GVM_MSG_REGION_REMOVED	= 59,
	GVM_MSG_REGION_STATUS	= 60,
	GVM_MSG_STATUS		= 61,
	GVM_MSG_TYPE_NR
};

/* gvm_msg.flags */
#define GVM_MSG_URGENT		0x0001	/* READ: a thread waits for it */

struct gvm_msg {
	__le16	type;		/* enum gvm_msg_type */
	__le16	flags;		/* only the flags its type knows */
	__le32	payload_len;	/* bytes after this header */
	__le32	region;		/* server's handle, from ATTACHED; else zero */
	__le32	epoch;		/* of the session, from ATTACHED; else zero */
	__le64	page;		/* 32 .. 45: of the region; zero in all others */
	__le64	txn;		/* echoed by every reply */
};

#define GVM_HELLO_MAGIC		0x31304d5654474e47ull

/* HELLO, both ways.  The server answers with the version it chose. */
struct gvm_hello {
	__le64	magic;
	__le16	version_min;	/* the reply has version_min == version_max */
	__le16	version_max;
	__le32	features;	/* zero in version 2 */
	__le64	reserved[2];	/* zero */
};

/*
 * ATTACH flags.  CREATE makes the region if the server does not have it.
 * Without JOIN the server starts a new session: the region's epoch goes up by
 * one, every older connection of the region is cut, and nothing that they had
 * sent is carried out afterwards.  With JOIN the connection enters the running
 * session named by the header's epoch (a client's second connection).
 * TAKEOVER enters although another token holds the lease, and fences it.
 */
#define GVM_ATTACH_CREATE	0x1
#define GVM_ATTACH_JOIN		0x2
#define GVM_ATTACH_TAKEOVER	0x4

struct gvm_attach {
	u8	region[16];	/* chosen at random by the client */
	u8	token[16];	/* proves that the lease is ours; secret */
	__le32	flags;
	__le32	reserved;	/* zero */
	char	name[GVM_NAME_MAX]; /* holder, for people; NUL terminated */
};

/* ATTACHED: header.region and header.epoch are what to send from now on. */
struct gvm_attached {
	__le32	lease_ms;	/* region is dropped this long after we vanish */
	__le32	reserved;	/* zero */
	__le64	pages;		/* pages the server holds of this region */
	__le64	pages_free;	/* room on the server, in pages */
};

/* DETACH payload: what becomes of the region. */
#define GVM_DETACH_DROP		0x1

struct gvm_detach {
	__le32	flags;
	__le32	reserved;
};

/* READ and TRIM carry an array of these. */
struct gvm_run {
	__le64	page;
	__le32	count;		/* READ: 1..512 over all runs; TRIM: >= 1 */
	__le32	reserved;	/* zero */
};

/* DATA: batch, then count descriptors, then the bodies back to back. */
struct gvm_batch {
	__le32	count;
	__le32	body_bytes;
};

#define GVM_TAG_ZERO		0xAA	/* no bytes */
#define GVM_TAG_RAW		0xBB	/* 4096 bytes */

struct gvm_data_desc {
	u8	tag;
	u8	reserved[3];
	__le32	crc;		/* CRC32C of the 4096 bytes; 0 for ZERO */
};

/* WRITE: batch, then count of these, then the bodies back to back. */
struct gvm_write_desc {
	__le64	page;
	__le32	crc;
	u8	tag;
	u8	reserved[3];
};

/* WRITTEN, TRIMMED: room left, so that a client can place new chunks well. */
struct gvm_written {
	__le64	pages_free;
};

/* CLONE: a copy-on-write copy of the region, held by a token of its own. */
struct gvm_clone {
	u8	region[16];
	u8	token[16];
	char	name[GVM_NAME_MAX];
};

struct gvm_server_stats {
	__le64	pages_max;	/* capacity */
	__le64	pages_used;	/* page frames in use, shared ones once */
	__le64	overhead_bytes;	/* memory beside the frames */
	__le64	regions;
	__le64	connections;
	__le64	pages_read;	/* since start */
	__le64	pages_written;
	__le64	requests;
};

/* Why a request was refused.  The session goes on unless noted. */
enum gvm_wire_error {
	GVM_ERR_MALFORMED	= 1,	/* closes the connection */
	GVM_ERR_VERSION		= 2,	/* closes the connection */
	GVM_ERR_NO_REGION	= 3,	/* never made, dropped, lease ran out */
	GVM_ERR_HELD		= 4,	/* another client holds the lease */
	GVM_ERR_FENCED		= 5,	/* old epoch; closes the connection */
	GVM_ERR_FULL		= 6,	/* no room; nothing of it was stored */
	GVM_ERR_EXISTS		= 7,	/* CLONE onto another token's region */
	GVM_ERR_LIMIT		= 8,	/* a named limit of the server */
	GVM_ERR_IO		= 9,	/* the store failed */
	GVM_ERR_CORRUPT		= 10,	/* CRC does not match the bytes */
	GVM_ERR_SHUTDOWN	= 11,	/* server is stopping; closes */
	GVM_ERR_DIFFERS		= 12,	/* region or cluster is not as you say */
	GVM_ERR_MEMBER		= 13,	/* another process has this node id */
	GVM_ERR_BUSY		= 14,	/* not now: ask again after a moment */
	GVM_ERR_NR
};

struct gvm_error {
	__le32	code;
	__le32	reserved;	/* zero */
	char	text[GVM_ERROR_TEXT_MAX]; /* one line for people, NUL filled */
};

#define GVM_PAYLOAD_BYTES_MAX \
	(sizeof(struct gvm_batch) + GVM_BATCH_PAGES_MAX * \
	 (sizeof(struct gvm_write_desc) + GVM_PAGE_BYTES))

static_assert(sizeof(struct gvm_msg) == 32, "wire header is 32 bytes");
static_assert(offsetof(struct gvm_msg, page) == 16, "wire layout");
static_assert(sizeof(struct gvm_hello) == 32, "wire layout");
static_assert(sizeof(struct gvm_attach) == 104, "wire layout");
static_assert(sizeof(struct gvm_attached) == 24, "wire layout");
static_assert(sizeof(struct gvm_run) == 16, "wire layout");
static_assert(sizeof(struct gvm_batch) == 8, "wire layout");
static_assert(sizeof(struct gvm_data_desc) == 8, "wire layout");
static_assert(sizeof(struct gvm_write_desc) == 16, "wire layout");
static_assert(sizeof(struct gvm_clone) == 96, "wire layout");
static_assert(sizeof(struct gvm_server_stats) == 64, "wire layout");
static_assert(sizeof(struct gvm_error) == 248, "wire layout");

#include "wire-shared.h"

#endif
