/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * Shared regions: the messages between nodes and homes in host order, and the
 * effects that a core instance asks its driver for.  docs/PROTOCOL.md tells the
 * protocol; node.h is a node's side of it, home.h the directory's.
 *
 * Delivery may lose, repeat and reorder messages.  Three numbers make that
 * harmless:
 *  - seq	counts what took rights away from somebody, for each page, by its
 *	home.  What is older than what a node knows means nothing any more.
 *  - txn	names one want of one node for ever (epoch of joining, counter).
 *  - epoch	of a node's membership; home refuses messages of another one.
 */
#ifndef GVM_COHERENCE_H
#define GVM_COHERENCE_H

#include "limits.h"

#define GVM_NODE_NONE	0x3fffu		/* no node */
#define GVM_NODE_HOME	0x3ffeu		/* as an address: the page's home */
#define GVM_SEQ_MAX	((1ull << 48) - 1)
/*
 * A sharer that may have to serve others keeps its copy so long, unless it is
 * invalidated; home refers nobody to it after half of that.
 */
#define GVM_SERVES_NS	4000000ull

/* Who sends what to whom; the numbers are the wire's message types. */
enum gvm_co_type {
	GVM_CO_GET_SHARED	= 32,	/* node -> home */
	GVM_CO_GET_EXCLUSIVE	= 33,	/* node -> home */
	GVM_CO_GRANT		= 34,	/* home, owner, sharer -> node */
	GVM_CO_DONE		= 35,	/* node -> home */
	GVM_CO_DECLINE		= 36,	/* node -> home */
	GVM_CO_INVALIDATE	= 37,	/* home, relay -> node */
	GVM_CO_INVALIDATED	= 38,	/* node -> writer, relay */
	GVM_CO_RECALL		= 39,	/* home -> owner */
	GVM_CO_RETURN		= 40,	/* owner -> home */
	GVM_CO_PUT		= 41,	/* owner -> home */
	GVM_CO_CONFIRM		= 42,	/* home -> node */
	GVM_CO_REFER		= 43,	/* home -> sharer */
	GVM_CO_CANCEL		= 44,	/* home -> node */
	GVM_CO_LOST		= 45,	/* home -> node */
	GVM_CO_TYPE_NR
};

/* gvm_co_msg.flags */
#define GVM_CO_EXCLUSIVE	0x01u	/* GRANT, RECALL, CANCEL; INVALIDATE,
					 * INVALIDATED: it is an open grant, too */
#define GVM_CO_HAVE		0x02u	/* GET_EXCLUSIVE: no bytes needed */
#define GVM_CO_DIRECT		0x04u	/* GET_SHARED: a REFER that failed */
#define GVM_CO_GAVE		0x08u	/* RETURN: it was given away, no bytes;
					 * RECALL: if it was, say so */
#define GVM_CO_SERVE		0x40u	/* GRANT: you may have to serve others */
#define GVM_CO_OPEN		0x80u	/* GRANT: no DONE, please */
#define GVM_CO_BYTES		0x10u	/* GRANT, RETURN, PUT: with a page */
#define GVM_CO_ZERO		0x20u	/* the same: a page of zeros */

struct gvm_sharers;

struct gvm_co_msg {
	u16	type;		/* GVM_CO_* */
	u16	flags;
	u16	from;		/* node, or GVM_NODE_HOME */
	u16	to;
	u16	requester;	/* who gets what this is about */
	u16	giver;		/* DONE, DECLINE: who had sent the GRANT */
	u16	slot;		/* INVALIDATE, INVALIDATED: which branch */
	u16	lo;		/* INVALIDATE: for the nodes in [lo, hi); */
	u16	hi;		/* INVALIDATED: the same, echoed */
	u32	epoch;		/* of the sender's membership; home's
				 * messages: of the receiver's */
	u64	page;		/* number inside the region */
	u64	seq;
	u64	txn;
	u64	need;		/* GRANT: slots that must be INVALIDATED first;
				 * GET_EXCLUSIVE: slots that were;
				 * RECALL: txn of your grant, if it is open */
	/*
	 * INVALIDATE: whom to pass it on to, those in [lo, hi); NULL: nobody.
	 * Valid until the next call of the core; who delivers later copies it.
	 */
	const struct gvm_sharers *list;
};

/* What the driver owes.  In order, the effects of one page without a gap. */
enum gvm_co_do {
	GVM_DO_PROTECT,		/* no thread can write the page from here on */
	GVM_DO_READ,		/* its bytes into the buffer */
	GVM_DO_UNMAP,		/* nobody can read it from here on (TLBs too) */
	GVM_DO_FLUSH_CODE,	/* translated code of it is gone (TCG) */
	GVM_DO_SEND,		/* msg, with bytes as `bytes` says */
	GVM_DO_KEEP,		/* bytes of the message into the buffer */
	GVM_DO_INSTALL,		/* map bytes; wakes.  writable says how */
	GVM_DO_UNPROTECT,	/* let it be written; wakes */
	GVM_DO_WAKE,		/* the fault is already satisfied */
	GVM_DO_STORE,		/* home: bytes of the message into the store */
	GVM_DO_LOST,		/* the page's only copy is gone: poison, stop */
	GVM_DO_PINNED,		/* the page stays until it is unpinned */
	GVM_DO_PIN_BROKEN,	/* a pin outlived its deadline and was broken */
	GVM_DO_NR
};

/* Where the bytes of a SEND or INSTALL are. */
enum gvm_co_bytes {
	GVM_BYTES_NONE,
	GVM_BYTES_ZERO,		/* a page of zeros */
	GVM_BYTES_MESSAGE,	/* of the message that was just received */
	GVM_BYTES_BUFFER,	/* in the buffer */
	GVM_BYTES_STORE,	/* in home's store */
};

/*
 * A driver that finds, on READ, that the bytes are all zero may send them as
 * such: the flag of the message is then ZERO in place of BYTES.
 */
struct gvm_co_effect {
	u8	what;		/* enum gvm_co_do */
	u8	bytes;		/* enum gvm_co_bytes */
	bool	writable;	/* INSTALL */
	bool	later;		/* SEND: no thread waits for it; it may go with
				 * the next message to the same receiver */
	u16	buffer;
	u64	page;
	struct gvm_co_msg msg;	/* SEND */
};

#define GVM_CO_EFFECTS_MAX	128u

/* Filled by one call of a core; the driver carries it out before the next. */
struct gvm_co_out {
	u32	nr;
	struct gvm_co_effect effect[GVM_CO_EFFECTS_MAX];
};

#endif
