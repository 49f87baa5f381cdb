/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * One page, one node: which state it is in and what an event makes of it.
 *
 * Nothing here sends, sleeps, allocates or reads a clock.  The caller hands in
 * an event and carries out the actions it gets back, in bit order.  Shared
 * regions add states and events of their own to the same table.
 *
 * A private page has at most one WRITE or TRIM unanswered at any time
 * (the _WB states and WRITING): that is what makes unordered, repeated
 * delivery harmless, because no newer content can be overtaken by an older.
 */
#ifndef GVM_PAGE_H
#define GVM_PAGE_H

#include "gvm_port.h"

enum gvm_page_state {
	GVM_PAGE_ZERO,		/* not here; known zero; home holds nothing */
	GVM_PAGE_ZERO_WB,	/* same, but home still answers for an old one */
	GVM_PAGE_REMOTE,	/* not here; home holds the only copy */
	GVM_PAGE_FETCH,		/* not here; a READ is out */
	GVM_PAGE_CLEAN,		/* here, write-protected, equal to home's copy */
	GVM_PAGE_DIRTY,		/* here, writable: newer than home's copy, or not */
	GVM_PAGE_DIRTY_WB,	/* same, and an older WRITE is unanswered */
	GVM_PAGE_STAGED_CLEAN,	/* unmapped, in staging, equal to home's copy */
	GVM_PAGE_STAGED,	/* unmapped, in staging, newer than home's copy */
	GVM_PAGE_STAGED_WB,	/* same, and an older WRITE is unanswered */
	GVM_PAGE_WRITING,	/* unmapped, in staging, its WRITE is out */
	GVM_PAGE_STATE_NR
};

enum gvm_page_event {
	GVM_EV_READ_FAULT,	/* a thread waits to read */
	GVM_EV_WRITE_FAULT,	/* a thread waits to write */
	GVM_EV_PREFETCH,	/* nobody waits; the policy wants it here */
	GVM_EV_DATA,		/* the READ was answered; bytes are at hand */
	GVM_EV_STAGE,		/* eviction has taken it into a staging slot */
	GVM_EV_STAGE_SAME,	/* ... and it was equal to home's copy */
	GVM_EV_SEND,		/* the driver puts its WRITE on the wire */
	GVM_EV_WRITTEN,		/* the WRITE or TRIM was answered */
	GVM_EV_REFUSED,		/* the WRITE was answered: no room */
	GVM_EV_RELEASE,		/* the policy gives up the staged copy */
	GVM_EV_DISCARD,		/* the program said: next read is zero */
	GVM_EV_NR
};

/* Carried out lowest bit first. */
#define GVM_ACT_CANCEL		0x001u	/* forget the READ that is out */
#define GVM_ACT_FREE_SLOT	0x002u	/* drop the staged copy */
#define GVM_ACT_UNMAP		0x004u	/* drop the mapped page */
#define GVM_ACT_READ		0x008u	/* send READ */
#define GVM_ACT_TRIM		0x010u	/* send TRIM */
#define GVM_ACT_QUEUE		0x020u	/* queue for write-back */
#define GVM_ACT_FILL_ZERO	0x040u	/* map a zero page, writable; wake */
#define GVM_ACT_FILL		0x080u	/* map the bytes at hand, protected; wake */
#define GVM_ACT_STEAL		0x100u	/* map the staged copy, protected; wake */
#define GVM_ACT_STEAL_DIRTY	0x200u	/* map the staged copy, writable; wake */
#define GVM_ACT_UNPROTECT	0x400u	/* allow writing; wake */
#define GVM_ACT_WAKE		0x800u	/* wake: a lost race, a lost cause */

struct gvm_page_step {
	u8	legal;
	u8	next;		/* enum gvm_page_state */
	u16	actions;	/* GVM_ACT_* */
};

/*
 * What event makes of a page in state.  0, or -EPROTO when the table has a
 * hole there: then nothing was changed and it is a violation (of the home's
 * for DATA and WRITTEN, of ours otherwise).  -EUCLEAN: broken invariant.
 *
 * The driver may install FILL pages writable at once (a write fault, a page
 * that is always written, or one that it compares when it leaves); it then
 * feeds WRITE_FAULT next and skips the UNPROTECT.
 *
 * What the table cannot see, the driver owes it (a test explores all of this):
 *  - A TRIM that it finds needless, because home holds nothing, counts as
 *    answered: it feeds WRITTEN at once.
 *  - In ZERO_WB, an answer to a WRITE is not fed: it sends the TRIM then.
 *  - It feeds DATA, WRITTEN and REFUSED only for the request that is out, by
 *    its txn; answers to cancelled or earlier requests end in the driver.
 *  - In a new session nothing of the old one is carried out any more.  It
 *    sends READ, TRIM and the WRITE of a WRITING page again.  The WRITE of a
 *    _WB page cannot be sent again, since its bytes were stolen back; it need
 *    not be, since the page is newer: that counts as answered.
 */
int gvm_page_step(u8 state, enum gvm_page_event event, u8 *ret_state,
		  u16 *ret_actions);

/* Mapped here: counts as resident, may be chosen as a victim. */
static inline bool gvm_page_resident(u8 state)
{
	return state == GVM_PAGE_CLEAN || state == GVM_PAGE_DIRTY ||
	       state == GVM_PAGE_DIRTY_WB;
}

/* Its bytes rest in a staging slot. */
static inline bool gvm_page_staged(u8 state)
{
	return state >= GVM_PAGE_STAGED_CLEAN && state <= GVM_PAGE_WRITING;
}

const char *gvm_page_state_name(u8 state);

#endif
