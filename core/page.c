// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * The life of one private page, as a table.
 *
 *	       first touch              STAGE
 *	ZERO -------------> DIRTY ---------------> STAGED --SEND--> WRITING
 *	  ^                  ^  ^ <--- steal -------/                 |
 *	  | DISCARD          |  \ <--- steal (DIRTY_WB) -------------/|
 *	  |            write |                                        | WRITTEN
 *	(any)                |            STAGE                       v
 *	REMOTE -> FETCH -> CLEAN ------------------------> STAGED_CLEAN
 *	  ^                                                    |
 *	  \--------------------- RELEASE ----------------------/
 *
 * A hole in the table is a violation; the races that are legal are written
 * down beside their row.
 */
#include "page.h"

#define TO(state, acts) { true, GVM_PAGE_##state, (acts) }

static const struct gvm_page_step
steps[GVM_PAGE_STATE_NR][GVM_EV_NR] = {
	[GVM_PAGE_ZERO] = {
		/* Never written, never sent: no network on first touch. */
		[GVM_EV_READ_FAULT]	= TO(DIRTY, GVM_ACT_FILL_ZERO),
		[GVM_EV_WRITE_FAULT]	= TO(DIRTY, GVM_ACT_FILL_ZERO),
		[GVM_EV_DISCARD]	= TO(ZERO, 0),
	},
	[GVM_PAGE_ZERO_WB] = {
		/*
		 * Home has not answered for older content.  The page may be
		 * used; what must wait is any newer WRITE (DIRTY_WB).
		 */
		[GVM_EV_READ_FAULT]	= TO(DIRTY_WB, GVM_ACT_FILL_ZERO),
		[GVM_EV_WRITE_FAULT]	= TO(DIRTY_WB, GVM_ACT_FILL_ZERO),
		/*
		 * The answer may have been for a WRITE that stored something,
		 * or for a TRIM; only the driver knows.  For the former it
		 * sends TRIM and feeds nothing: the page stays ZERO_WB until
		 * that is answered.
		 */
		[GVM_EV_WRITTEN]	= TO(ZERO, 0),
		[GVM_EV_REFUSED]	= TO(ZERO, 0),
		[GVM_EV_DISCARD]	= TO(ZERO_WB, 0),
	},
	[GVM_PAGE_REMOTE] = {
		[GVM_EV_READ_FAULT]	= TO(FETCH, GVM_ACT_READ),
		[GVM_EV_WRITE_FAULT]	= TO(FETCH, GVM_ACT_READ),
		[GVM_EV_PREFETCH]	= TO(FETCH, GVM_ACT_READ),
		/* Home need not keep what nobody will read. */
		[GVM_EV_DISCARD]	= TO(ZERO_WB, GVM_ACT_TRIM),
	},
	[GVM_PAGE_FETCH] = {
		/* A second thread came; the answer wakes all of them. */
		[GVM_EV_READ_FAULT]	= TO(FETCH, 0),
		[GVM_EV_WRITE_FAULT]	= TO(FETCH, 0),
		[GVM_EV_DATA]		= TO(CLEAN, GVM_ACT_FILL),
		/*
		 * The bytes on their way are dead.  They arrive, find their
		 * request cancelled, and are never mapped.  So nobody else
		 * will wake the threads that wait for them: they are woken
		 * here, fault again, and find a zero page.
		 */
		[GVM_EV_DISCARD]	= TO(ZERO_WB, GVM_ACT_CANCEL |
					     GVM_ACT_TRIM | GVM_ACT_WAKE),
	},
	[GVM_PAGE_CLEAN] = {
		/* Two threads faulted, the first message filled it. */
		[GVM_EV_READ_FAULT]	= TO(CLEAN, GVM_ACT_WAKE),
		[GVM_EV_WRITE_FAULT]	= TO(DIRTY, GVM_ACT_UNPROTECT),
		[GVM_EV_STAGE]		= TO(STAGED_CLEAN, 0),
		[GVM_EV_DISCARD]	= TO(ZERO_WB, GVM_ACT_UNMAP |
					     GVM_ACT_TRIM),
	},
	[GVM_PAGE_DIRTY] = {
		[GVM_EV_READ_FAULT]	= TO(DIRTY, GVM_ACT_WAKE),
		[GVM_EV_WRITE_FAULT]	= TO(DIRTY, GVM_ACT_UNPROTECT),
		[GVM_EV_STAGE]		= TO(STAGED, GVM_ACT_QUEUE),
		/* The driver sends TRIM only where home holds something. */
		/* Fetched, mapped writable, and never written. */
		[GVM_EV_STAGE_SAME]	= TO(STAGED_CLEAN, 0),
		[GVM_EV_DISCARD]	= TO(ZERO_WB, GVM_ACT_UNMAP |
					     GVM_ACT_TRIM),
	},
	[GVM_PAGE_DIRTY_WB] = {
		[GVM_EV_READ_FAULT]	= TO(DIRTY_WB, GVM_ACT_WAKE),
		[GVM_EV_WRITE_FAULT]	= TO(DIRTY_WB, GVM_ACT_UNPROTECT),
		/* Must not be sent before the older one was answered. */
		[GVM_EV_STAGE]		= TO(STAGED_WB, 0),
		[GVM_EV_WRITTEN]	= TO(DIRTY, 0),
		[GVM_EV_REFUSED]	= TO(DIRTY, 0),
		[GVM_EV_DISCARD]	= TO(ZERO_WB, GVM_ACT_UNMAP),
	},
	[GVM_PAGE_STAGED_CLEAN] = {
		[GVM_EV_READ_FAULT]	= TO(CLEAN, GVM_ACT_STEAL),
		[GVM_EV_WRITE_FAULT]	= TO(DIRTY, GVM_ACT_STEAL_DIRTY),
		[GVM_EV_RELEASE]	= TO(REMOTE, GVM_ACT_FREE_SLOT),
		[GVM_EV_DISCARD]	= TO(ZERO_WB, GVM_ACT_FREE_SLOT |
					     GVM_ACT_TRIM),
	},
	[GVM_PAGE_STAGED] = {
		/* Stolen back from the write-back queue: no network at all. */
		[GVM_EV_READ_FAULT]	= TO(DIRTY, GVM_ACT_STEAL_DIRTY),
		[GVM_EV_WRITE_FAULT]	= TO(DIRTY, GVM_ACT_STEAL_DIRTY),
		[GVM_EV_SEND]		= TO(WRITING, 0),
		[GVM_EV_DISCARD]	= TO(ZERO_WB, GVM_ACT_FREE_SLOT |
					     GVM_ACT_TRIM),
	},
	[GVM_PAGE_STAGED_WB] = {
		[GVM_EV_READ_FAULT]	= TO(DIRTY_WB, GVM_ACT_STEAL_DIRTY),
		[GVM_EV_WRITE_FAULT]	= TO(DIRTY_WB, GVM_ACT_STEAL_DIRTY),
		/* The older one is stored; now this one may go. */
		[GVM_EV_WRITTEN]	= TO(STAGED, GVM_ACT_QUEUE),
		[GVM_EV_REFUSED]	= TO(STAGED, GVM_ACT_QUEUE),
		[GVM_EV_DISCARD]	= TO(ZERO_WB, GVM_ACT_FREE_SLOT),
	},
	[GVM_PAGE_WRITING] = {
		/*
		 * Stolen back while its WRITE is out.  It may change at once,
		 * so the WRITE, stored or not, is the older content: _WB.
		 */
		[GVM_EV_READ_FAULT]	= TO(DIRTY_WB, GVM_ACT_STEAL_DIRTY),
		[GVM_EV_WRITE_FAULT]	= TO(DIRTY_WB, GVM_ACT_STEAL_DIRTY),
		[GVM_EV_WRITTEN]	= TO(STAGED_CLEAN, 0),
		/* A full home stored nothing: the slot has the only copy. */
		[GVM_EV_REFUSED]	= TO(STAGED, GVM_ACT_QUEUE),
		/* TRIM must not overtake the WRITE: it waits for WRITTEN. */
		[GVM_EV_DISCARD]	= TO(ZERO_WB, GVM_ACT_FREE_SLOT),
	},
};

static const char *const state_names[GVM_PAGE_STATE_NR] = {
	[GVM_PAGE_ZERO] = "zero",
	[GVM_PAGE_ZERO_WB] = "zero, write-back unanswered",
	[GVM_PAGE_REMOTE] = "remote",
	[GVM_PAGE_FETCH] = "being fetched",
	[GVM_PAGE_CLEAN] = "clean",
	[GVM_PAGE_DIRTY] = "dirty",
	[GVM_PAGE_DIRTY_WB] = "dirty, write-back unanswered",
	[GVM_PAGE_STAGED_CLEAN] = "staged clean",
	[GVM_PAGE_STAGED] = "staged",
	[GVM_PAGE_STAGED_WB] = "staged, write-back unanswered",
	[GVM_PAGE_WRITING] = "being written back",
};

int gvm_page_step(u8 state, enum gvm_page_event event, u8 *ret_state,
		  u16 *ret_actions)
{
	const struct gvm_page_step *step;

	if (gvm_bug_on(state >= GVM_PAGE_STATE_NR))
		return -EUCLEAN;
	if (gvm_bug_on((u32)event >= GVM_EV_NR))
		return -EUCLEAN;

	step = &steps[state][event];
	if (!step->legal)
		return -EPROTO;

	*ret_state = step->next;
	*ret_actions = step->actions;
	return 0;
}

const char *gvm_page_state_name(u8 state)
{
	return state < GVM_PAGE_STATE_NR ? state_names[state] : "unknown";
}
