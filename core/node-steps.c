// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * The life of one shared page in one node, as a table.
 *
 *	            READ                 GRANT_SHARED
 *	INVALID ----------> WANT_SHARED --------------> SHARED
 *	  ^  |                                          |    ^
 *	  |  | WRITE                              WRITE |    | RECALL_SHARED
 *	  |  v              GRANT                       v    |
 *	  | WANT_EXCLUSIVE -------> MODIFIED <------ UPGRADE |
 *	  |        \                 |  |   BARE             |
 *	  |         \-> GRANTED -----/  \--------------------/
 *	  |    (slots missing) COMPLETE
 *	  \--- INVALIDATE, RECALL_EXCLUSIVE, EVICT
 *
 * A hole is a violation; the races that are legal are written down beside
 * their row.
 */
#include "node-steps.h"

#define A(name)	GVM_SHACT_##name
#define TO(state, acts) { true, GVM_SHARE_##state, (acts) }

static const struct gvm_share_step
steps[GVM_SHARE_STATE_NR][GVM_SHEV_NR] = {
	[GVM_SHARE_INVALID] = {
		[GVM_SHEV_READ]		= TO(WANT_SHARED, A(GET)),
		[GVM_SHEV_WRITE]	= TO(WANT_EXCLUSIVE, A(GET)),
		/* Dropped without a word before: home does not know. */
		[GVM_SHEV_INVALIDATE]	= TO(INVALID, A(ACK)),
	},
	[GVM_SHARE_WANT_SHARED] = {
		/* A second thread came; the grant wakes all of them. */
		[GVM_SHEV_READ]		= TO(WANT_SHARED, 0),
		/* A want can only grow, but one at a time is out. */
		[GVM_SHEV_WRITE]	= TO(WANT_SHARED_MORE, 0),
		[GVM_SHEV_GRANT_SHARED]	= TO(SHARED, A(INSTALL)),
		/* We have asked again when we heard of the INVALIDATE. */
		[GVM_SHEV_GRANT_STALE]	= TO(WANT_SHARED, 0),
		/*
		 * It has overtaken the data that it invalidates.  To wait for
		 * the data would make the writer wait for the slowest message.
		 * Home counts us out from here on: ask again, a round trip
		 * lost, never a stale read.
		 */
		[GVM_SHEV_INVALIDATE]	= TO(WANT_SHARED, A(ACK) | A(ASK)),
		[GVM_SHEV_CANCEL]	= TO(WANT_SHARED, 0),
		[GVM_SHEV_LOST]		= TO(INVALID, A(LOST)),
	},
	[GVM_SHARE_WANT_SHARED_MORE] = {
		[GVM_SHEV_READ]		= TO(WANT_SHARED_MORE, 0),
		[GVM_SHEV_WRITE]	= TO(WANT_SHARED_MORE, 0),
		/* The readers go on; the writers' want goes out now. */
		[GVM_SHEV_GRANT_SHARED]	= TO(UPGRADE, A(INSTALL) | A(GET)),
		[GVM_SHEV_GRANT_STALE]	= TO(WANT_SHARED_MORE, 0),
		[GVM_SHEV_INVALIDATE]	= TO(WANT_SHARED_MORE, A(ACK) |
					     A(ASK)),
		[GVM_SHEV_CANCEL]	= TO(WANT_SHARED_MORE, 0),
		[GVM_SHEV_LOST]		= TO(INVALID, A(LOST)),
	},
	[GVM_SHARE_WANT_EXCLUSIVE] = {
		[GVM_SHEV_READ]		= TO(WANT_EXCLUSIVE, 0),
		[GVM_SHEV_WRITE]	= TO(WANT_EXCLUSIVE, 0),
		[GVM_SHEV_GRANT]	= TO(MODIFIED, A(INSTALL_RW) | A(DONE)),
		[GVM_SHEV_GRANT_PART]	= TO(GRANTED, A(KEEP)),
		/*
		 * We had said HAVE, and a writer before us took the copy; a
		 * coarse vector made home believe that we still hold it.
		 */
		[GVM_SHEV_BARE]		= TO(WANT_EXCLUSIVE, A(ASK)),
		[GVM_SHEV_BARE_PART]	= TO(WANT_EXCLUSIVE, A(ASK)),
		/* The last slot, and the grant is still on its way. */
		[GVM_SHEV_INVALIDATE]	= TO(WANT_EXCLUSIVE, A(ACK)),
		[GVM_SHEV_CANCEL]	= TO(WANT_EXCLUSIVE, 0),
		[GVM_SHEV_LOST]		= TO(INVALID, A(LOST)),
	},
	[GVM_SHARE_UPGRADE] = {
		/* A reader that faulted before the copy was mapped. */
		[GVM_SHEV_READ]		= TO(UPGRADE, A(WAKE)),
		[GVM_SHEV_WRITE]	= TO(UPGRADE, 0),
		/* Home was not sure that we hold it.  The bytes are the same. */
		[GVM_SHEV_GRANT]	= TO(MODIFIED, A(UNPROTECT) | A(DONE)),
		[GVM_SHEV_GRANT_PART]	= TO(GRANTED_UPGRADE, 0),
		[GVM_SHEV_BARE]		= TO(MODIFIED, A(UNPROTECT) | A(DONE)),
		[GVM_SHEV_BARE_PART]	= TO(GRANTED_UPGRADE, 0),
		/* Another writer was first.  Home will send us bytes, then. */
		[GVM_SHEV_INVALIDATE]	= TO(WANT_EXCLUSIVE, A(UNMAP) | A(ACK)),
		[GVM_SHEV_CANCEL]	= TO(UPGRADE, 0),
		[GVM_SHEV_RESCUE]	= TO(UPGRADE, A(READ) | A(RETURN)),
		[GVM_SHEV_LOST]		= TO(INVALID, A(UNMAP) | A(LOST)),
	},
	[GVM_SHARE_GRANTED] = {
		[GVM_SHEV_READ]		= TO(GRANTED, 0),
		[GVM_SHEV_WRITE]	= TO(GRANTED, 0),
		[GVM_SHEV_COMPLETE]	= TO(MODIFIED, A(INSTALL_KEPT) |
					     A(DONE)),
		/* The giver died on the way: as if it had never come. */
		[GVM_SHEV_CANCEL]	= TO(WANT_EXCLUSIVE, A(FORGET)),
		[GVM_SHEV_LOST]		= TO(INVALID, A(FORGET) | A(LOST)),
	},
	[GVM_SHARE_GRANTED_UPGRADE] = {
		[GVM_SHEV_READ]		= TO(GRANTED_UPGRADE, A(WAKE)),
		[GVM_SHEV_WRITE]	= TO(GRANTED_UPGRADE, 0),
		[GVM_SHEV_COMPLETE]	= TO(MODIFIED, A(UNPROTECT) | A(DONE)),
		[GVM_SHEV_CANCEL]	= TO(UPGRADE, 0),
		/* Asked twice, answered before: home has granted more since. */
		[GVM_SHEV_RESCUE]	= TO(GRANTED_UPGRADE, 0),
		[GVM_SHEV_LOST]		= TO(INVALID, A(UNMAP) | A(LOST)),
	},
	[GVM_SHARE_WAIT_SHARED] = {
		[GVM_SHEV_READ]		= TO(WAIT_SHARED, 0),
		[GVM_SHEV_WRITE]	= TO(WAIT_EXCLUSIVE, 0),
		/* Were it asked for sooner, home would find us the owner. */
		[GVM_SHEV_CONFIRM]	= TO(WANT_SHARED, A(GET)),
		[GVM_SHEV_INVALIDATE]	= TO(WAIT_SHARED, A(ACK)),
	},
	[GVM_SHARE_WAIT_EXCLUSIVE] = {
		[GVM_SHEV_READ]		= TO(WAIT_EXCLUSIVE, 0),
		[GVM_SHEV_WRITE]	= TO(WAIT_EXCLUSIVE, 0),
		[GVM_SHEV_CONFIRM]	= TO(WANT_EXCLUSIVE, A(GET)),
		[GVM_SHEV_INVALIDATE]	= TO(WAIT_EXCLUSIVE, A(ACK)),
	},
	[GVM_SHARE_SHARED] = {
		/* Two threads faulted, the first message mapped it. */
		[GVM_SHEV_READ]		= TO(SHARED, A(WAKE)),
		[GVM_SHEV_WRITE]	= TO(UPGRADE, A(GET)),
		[GVM_SHEV_INVALIDATE]	= TO(INVALID, A(UNMAP) | A(ACK)),
		[GVM_SHEV_EVICT]	= TO(INVALID, A(UNMAP)),
		[GVM_SHEV_RESCUE]	= TO(SHARED, A(READ) | A(RETURN)),
	},
	[GVM_SHARE_MODIFIED] = {
		[GVM_SHEV_READ]		= TO(MODIFIED, A(WAKE)),
		[GVM_SHEV_WRITE]	= TO(MODIFIED, A(WAKE)),
		[GVM_SHEV_RECALL_SHARED] = TO(SHARED, A(PROTECT) | A(READ) |
					      A(GIVE) | A(RETURN)),
		[GVM_SHEV_RECALL_EXCLUSIVE] = TO(INVALID, A(PROTECT) |
						 A(READ) | A(UNMAP) | A(GIVE)),
		[GVM_SHEV_RECALL_HOME]	= TO(INVALID, A(PROTECT) | A(READ) |
					     A(UNMAP) | A(RETURN)),
		[GVM_SHEV_EVICT]	= TO(INVALID, A(PROTECT) | A(READ) |
					     A(UNMAP) | A(PUT)),
		/* It came before the owner died: keep it, and say so. */
		[GVM_SHEV_RESCUE]	= TO(MODIFIED, A(DONE)),
	},
};

static const char *const state_names[GVM_SHARE_STATE_NR] = {
	[GVM_SHARE_INVALID] = "invalid",
	[GVM_SHARE_WANT_SHARED] = "wanted shared",
	[GVM_SHARE_WANT_SHARED_MORE] = "wanted shared, then exclusive",
	[GVM_SHARE_WANT_EXCLUSIVE] = "wanted exclusive",
	[GVM_SHARE_UPGRADE] = "shared, wanted exclusive",
	[GVM_SHARE_GRANTED] = "granted, slots missing",
	[GVM_SHARE_GRANTED_UPGRADE] = "shared, granted, slots missing",
	[GVM_SHARE_WAIT_SHARED] = "put, wanted shared",
	[GVM_SHARE_WAIT_EXCLUSIVE] = "put, wanted exclusive",
	[GVM_SHARE_SHARED] = "shared",
	[GVM_SHARE_MODIFIED] = "modified",
};

int gvm_share_step(u8 state, enum gvm_share_event event, u8 *ret_state,
		   u32 *ret_actions)
{
	const struct gvm_share_step *step;

	if (gvm_bug_on(state >= GVM_SHARE_STATE_NR))
		return -EUCLEAN;
	if (gvm_bug_on((u32)event >= GVM_SHEV_NR))
		return -EUCLEAN;

	step = &steps[state][event];
	if (!step->legal)
		return -EPROTO;

	*ret_state = step->next;
	*ret_actions = step->actions;
	return 0;
}

const char *gvm_share_state_name(u8 state)
{
	return state < GVM_SHARE_STATE_NR ? state_names[state] : "unknown";
}
