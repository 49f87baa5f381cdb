/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * One shared page, one node: the table of states, as data.  node.c classifies
 * what arrives by its numbers (seq, txn) into an event, and carries out the
 * actions in bit order.
 */
#ifndef GVM_NODE_STEPS_H
#define GVM_NODE_STEPS_H

#include "gvm_port.h"

enum gvm_share_state {
	GVM_SHARE_INVALID,	/* not here */
	GVM_SHARE_WANT_SHARED,	/* GET_SHARED is out */
	GVM_SHARE_WANT_SHARED_MORE, /* same; and a writer waits */
	GVM_SHARE_WANT_EXCLUSIVE, /* GET_EXCLUSIVE is out, nothing mapped */
	GVM_SHARE_UPGRADE,	/* same, a shared copy is mapped */
	GVM_SHARE_GRANTED,	/* exclusive, but slots are missing; bytes kept */
	GVM_SHARE_GRANTED_UPGRADE, /* same, the shared copy is mapped */
	GVM_SHARE_WAIT_SHARED,	/* own PUT is unconfirmed; then GET_SHARED */
	GVM_SHARE_WAIT_EXCLUSIVE, /* same; then GET_EXCLUSIVE */
	GVM_SHARE_SHARED,	/* mapped read-only */
	GVM_SHARE_MODIFIED,	/* mapped writable; the only copy */
	GVM_SHARE_STATE_NR
};

enum gvm_share_event {
	GVM_SHEV_READ,		/* a thread waits to read */
	GVM_SHEV_WRITE,		/* a thread waits to write */
	GVM_SHEV_GRANT_SHARED,
	GVM_SHEV_GRANT_STALE,	/* shared, but an INVALIDATE overtook it */
	GVM_SHEV_GRANT,		/* exclusive with bytes, no slot missing */
	GVM_SHEV_GRANT_PART,	/* exclusive with bytes, slots missing */
	GVM_SHEV_BARE,		/* exclusive without bytes, no slot missing */
	GVM_SHEV_BARE_PART,	/* exclusive without bytes, slots missing */
	GVM_SHEV_COMPLETE,	/* the last slot came after its grant */
	GVM_SHEV_INVALIDATE,	/* newer than what we have */
	GVM_SHEV_RECALL_SHARED,	/* home's, for the present owner */
	GVM_SHEV_RECALL_EXCLUSIVE,
	GVM_SHEV_RECALL_HOME,	/* give it back to home */
	GVM_SHEV_EVICT,		/* our own will */
	GVM_SHEV_CONFIRM,	/* our PUT, or what became of it */
	GVM_SHEV_CANCEL,	/* the grant on its way must not be used */
	GVM_SHEV_RESCUE,	/* ours is the copy that the dead giver sent */
	GVM_SHEV_LOST,
	GVM_SHEV_NR
};

/* Carried out lowest bit first: protect, read, unmap, flush, then send. */
#define GVM_SHACT_PROTECT	0x00001u
#define GVM_SHACT_READ		0x00002u
#define GVM_SHACT_UNMAP		0x00004u	/* and flush code */
#define GVM_SHACT_GIVE		0x00008u	/* GRANT to the requester */
#define GVM_SHACT_RETURN	0x00010u
#define GVM_SHACT_PUT		0x00020u
#define GVM_SHACT_ACK		0x00040u	/* INVALIDATED */
#define GVM_SHACT_FORGET	0x00080u	/* free the kept bytes */
#define GVM_SHACT_KEEP		0x00100u
#define GVM_SHACT_INSTALL	0x00200u	/* message's bytes, read-only */
#define GVM_SHACT_INSTALL_RW	0x00400u	/* message's bytes, writable */
#define GVM_SHACT_INSTALL_KEPT	0x00800u	/* kept bytes, writable */
#define GVM_SHACT_UNPROTECT	0x01000u
#define GVM_SHACT_WAKE		0x02000u
#define GVM_SHACT_DONE		0x04000u
#define GVM_SHACT_GET		0x08000u	/* a new want, as the state says */
#define GVM_SHACT_ASK		0x10000u	/* the same want once more */
#define GVM_SHACT_LOST		0x20000u

struct gvm_share_step {
	u8	legal;
	u8	next;
	u32	actions;
};

/* 0; -EPROTO for a hole: nothing changed; -EUCLEAN: broken invariant. */
int gvm_share_step(u8 state, enum gvm_share_event event, u8 *ret_state,
		   u32 *ret_actions);

/* A copy is mapped, at least for reading. */
static inline bool gvm_share_mapped(u8 state)
{
	return state == GVM_SHARE_SHARED || state == GVM_SHARE_MODIFIED ||
	       state == GVM_SHARE_UPGRADE ||
	       state == GVM_SHARE_GRANTED_UPGRADE;
}

/* A want is under way. */
static inline bool gvm_share_wanting(u8 state)
{
	return state >= GVM_SHARE_WANT_SHARED &&
	       state <= GVM_SHARE_WAIT_EXCLUSIVE;
}

const char *gvm_share_state_name(u8 state);

#endif
