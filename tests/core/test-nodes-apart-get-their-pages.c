// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a program waits for ever for a page because two nodes do not
 * reach each other, though both reach the page's home; or it gets an old one,
 * since home carried a page that had come after all.  story.h tells how to read
 * this.
 */
#include "story.h"

/* Node 0's GRANTs do not come to node 1.  Node 2 has been waiting since. */
static const struct story_line home_carries_what_the_owner_cannot_send[] = {
	{ "own 0", "" },
	{ "write 1", "GX:1>H" },
	{ "> GX 1>H", "RCx2:H>0?1" },
	{ "> RC H>0", "protect take unmap GRxb2:0>1" },
	{ "x GR 0>1", "" },
	{ "read 2", "GS:2>H" },
	{ "> GS 2>H", "" },
	{ "wait 1000", "" },
	{ "tick 1", "GX:1>H" },
	{ "> GX 1>H", "RCx2:H>0?1" },
	{ "> RC H>0", "GRxb2:0>1" },
	{ "x GR 0>1", "" },
	{ "wait 2000", "" },
	{ "tick 1", "GX:1>H" },
	{ "> GX 1>H", "RCx2:H>0?1 CNx2:H>1" },
	{ "> RC H>0", "GRxb2:0>1" },
	{ "> CN H>1", "DC2:1>H" },
	{ "> GR 0>1", "" },
	{ "> DC 1>H", "RC2:H>0" },
	{ "> RC H>0", "RTb2:0>H" },
	{ "> RT 0>H", "store CF2:H>0 GRxbo3:H>1 RC4:H>1?2" },
	{ "> CF H>0", "" },
	{ "> GR H>1", "map-rw" },
	{ "look 1", "w 1" },
	{ "set 1", "" },
	{ "> RC H>1", "protect take GRb4:1>2 RTb4:1>H" },
	{ "> GR 1>2", "map" },
	{ "look 2", "r 2" },
};

/* It had come, and only DONE is late: nobody takes it away. */
static const struct story_line it_had_come_after_all[] = {
	{ "own 0", "" },
	{ "write 1", "GX:1>H" },
	{ "& GX 1>H", "RCx2:H>0?1" },
	{ "> RC H>0", "protect take unmap GRxb2:0>1" },
	{ "> GR 0>1", "map-rw DN2:1>H" },
	{ "set 1", "" },
	{ "wait 1000", "" },
	{ "& GX 1>H", "RCx2:H>0?1" },
	{ "wait 1000", "" },
	{ "> GX 1>H", "RCx2:H>0?1 CNx2:H>1" },
	{ "> CN H>1", "DN2:1>H" },
	{ "> DN 1>H", "CF2:H>0" },
	{ "look 1", "w 2" },
	{ "home", "2 owner 1" },
};

/* Nobody asks, but who has it to give reminds home. */
static const struct story_line the_giver_says_that_it_waits[] = {
	{ "own 0", "" },
	{ "write 1", "GX:1>H" },
	{ "& GX 1>H", "RCx2:H>0?1" },
	{ "> RC H>0", "protect take unmap GRxb2:0>1" },
	{ "> GR 0>1", "map-rw DN2:1>H" },
	{ "set 1", "" },
	{ "> DN 1>H", "CF2:H>0" },
	{ "> CF H>0", "" },
	{ "write 0", "GX:0>H" },
	{ "> GX 0>H", "RCx3:H>1?0" },
	{ "> RC H>1", "protect take unmap GRxb3:1>0" },
	{ "> GR 1>0", "map-rw DN3:0>H" },
	{ "set 0", "" },
	{ "> DN 0>H", "CF3:H>1" },
	{ "> CF H>1", "" },
	{ "> GX 1>H", "RCx4:H>0?1" },
	{ "> RC H>0", "protect take unmap GRxb4:0>1" },
	{ "x GR 0>1", "" },
	{ "wait 1000", "" },
	{ "tick 0", "GRxb4:0>1 RTg4:0>H" },
	{ "x GR 0>1", "" },
	{ "> RT 0>H", "RCx4:H>0?1" },
	{ "x RC H>0", "" },
	{ "wait 2000", "" },
	{ "tick 0", "GRxb4:0>1 RTg4:0>H" },
	{ "x GR 0>1", "" },
	{ "> RT 0>H", "RCx4:H>0?1 CNx4:H>1" },
	{ "> CN H>1", "DC4:1>H" },
	{ "x RC H>0", "" },
	{ "> DC 1>H", "RC4:H>0" },
	{ "> RC H>0", "RTb4:0>H" },
	{ "> RT 0>H", "store CF4:H>0 GRxbo5:H>1" },
	{ "> GR H>1", "DC5:1>H" },
	{ "> DC 1>H", "" },
	{ "home", "5 sharers 1" },
};

/* Node 1's answers do not come to node 2: it tells home in the end. */
static const struct story_line a_sharer_does_not_reach_the_writer[] = {
	{ "share 1", "" },
	{ "share 2", "" },
	{ "write 2", "GXh:2>H" },
	{ "> GX 2>H", "IVx1:H>1?2#0" },
	{ "> IV H>1", "unmap IAx1:1>2#0" },
	{ "x IA 1>2", "" },
	{ "wait 1000", "" },
	{ "tick 2", "GXh:2>H" },
	{ "> GX 2>H", "IVx1:H>1?2#0 GRxo1:H>2!1" },
	{ "> IV H>1", "IAx1:1>2#0" },
	{ "x IA 1>2", "" },
	{ "> GR H>2", "" },
	{ "wait 2000", "" },
	{ "tick 2", "GXh1:2>H" },
	{ "> GX 2>H", "IVx1:H>1?2#0 GRxo1:H>2!1" },
	{ "> IV H>1", "IAx1:1>2#0" },
	{ "x IA 1>2", "" },
	{ "> GR H>2", "" },
	{ "wait 4000", "" },
	{ "tick 2", "GXh1:2>H" },
	{ "> GX 2>H", "IV1:H>1#0 GRxo1:H>2!1" },
	{ "& IV H>1", "IA1:1>H#0" },
	{ "> IA 1>H", "GRxzo1:H>2" },
	{ "> GR H>2", "" },
	{ "> GR H>2", "unprotect" },
	{ "set 2", "" },
	{ "> IV H>1", "IA1:1>H#0" },
	{ "> IA 1>H", "" },
	{ "home", "1 owner 2" },
};

/* The same where several share it, and DONE ends it. */
static const struct story_line one_of_two_sharers_does_not_reach_the_writer[] = {
	{ "share 0", "" },
	{ "share 1", "" },
	{ "write 2", "GX:2>H" },
	{ "> GX 2>H", "IV1:H>0?2#0 IV1:H>1?2#1 GRxz1:H>2!3" },
	{ "> GR H>2", "" },
	{ "> IV H>0", "unmap IA1:0>2#0" },
	{ "> IV H>1", "unmap IA1:1>2#1" },
	{ "> IA 0>2", "" },
	{ "x IA 1>2", "" },
	{ "wait 1000", "" },
	{ "tick 2", "GXh1:2>H!1" },
	{ "> GX 2>H", "IV1:H>1?2#1 GRx1:H>2!3" },
	{ "> GR H>2", "" },
	{ "> IV H>1", "IA1:1>2#1" },
	{ "x IA 1>2", "" },
	{ "wait 2000", "" },
	{ "tick 2", "GXh1:2>H!1" },
	{ "> GX 2>H", "IV1:H>1#1 GRx1:H>2!3" },
	{ "> GR H>2", "" },
	{ "> IV H>1", "IA1:1>H#1" },
	{ "& IA 1>H", "GRx1:H>2!1" },
	{ "> IA 1>H", "" },
	{ "> GR H>2", "map-rw DN1:2>H" },
	{ "set 2", "" },
};

static const struct story stories[] = {
	STORY("home carries what the owner cannot send",
	      home_carries_what_the_owner_cannot_send),
	STORY("it had come after all", it_had_come_after_all),
	STORY("the giver says that it waits", the_giver_says_that_it_waits),
	STORY("a sharer does not reach the writer",
	      a_sharer_does_not_reach_the_writer),
	STORY("one of two sharers does not reach the writer",
	      one_of_two_sharers_does_not_reach_the_writer),
};

int main(void)
{
	story_tell_all(stories, sizeof(stories) / sizeof(*stories));
	return 0;
}
