// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a page that home has given away without waiting to hear that it
 * came ("Open grants" in docs/PROTOCOL.md) is old in some program, has two
 * writers, or is waited for for ever.  story.h tells how to read this.
 */
#include "story.h"

/* Two messages; and three with a sharer, whose answer is the grant. */
static const struct story_line no_done_is_needed[] = {
	{ "write 1", "GX:1>H" },
	{ "> GX 1>H", "GRxzo1:H>1" },
	{ "home", "1 owner 1" },
	{ "> GR H>1", "map-rw" },
	{ "set 1", "" },
	{ "put 1", "" },
	{ "share 1", "" },
	{ "share 2", "" },
	{ "write 1", "GXh:1>H" },
	{ "> GX 1>H", "IVx2:H>2?1#0" },
	{ "> IV H>2", "unmap IAx2:2>1#0" },
	{ "> IA 2>1", "unprotect" },
	{ "set 1", "" },
	{ "home", "2 owner 1" },
	{ "post", "" },
};

static const struct story_line the_grant_is_lost[] = {
	{ "write 1", "GX:1>H" },
	{ "> GX 1>H", "GRxzo1:H>1" },
	{ "x GR H>1", "" },
	{ "wait 1000", "" },
	{ "tick 1", "GX:1>H" },
	{ "& GX 1>H", "GRxzo1:H>1" },
	{ "& GR H>1", "map-rw" },
	{ "set 1", "" },
	{ "> GX 1>H", "GRxzo1:H>1" },
	{ "> GR H>1", "" },
	{ "> GR H>1", "" },
	{ "home", "1 owner 1" },
	{ "look 1", "w 1" },
};

/* Whatever of the three is lost, the writer asks and home begins where it can. */
static const struct story_line the_sharers_answer_is_lost[] = {
	{ "share 1", "" },
	{ "share 2", "" },
	{ "write 1", "GXh:1>H" },
	{ "> GX 1>H", "IVx1:H>2?1#0" },
	{ "& IV H>2", "unmap IAx1:2>1#0" },
	{ "x IA 2>1", "" },
	{ "wait 1000", "" },
	{ "tick 1", "GXh:1>H" },
	{ "> GX 1>H", "IVx1:H>2?1#0 GRxo1:H>1!1" },
	{ "> GR H>1", "" },
	{ "> IV H>2", "IAx1:2>1#0" },
	{ "> IV H>2", "IAx1:2>1#0" },
	{ "> IA 2>1", "unprotect" },
	{ "set 1", "" },
	{ "> IA 2>1", "" },
	{ "look 1", "w 1" },
};

/* Node 0 never had the page when node 1's answer grants it: it needs bytes. */
static const struct story_line a_grant_without_bytes_for_one_who_lost_them[] = {
	{ "write 1", "GX:1>H" },
	{ "& GX 1>H", "GRxzo1:H>1" },
	{ "> GR H>1", "map-rw" },
	{ "set 1", "" },
	{ "evict 1", "protect take unmap PTb1:1>H" },
	{ "> PT 1>H", "store CF1:H>1" },
	{ "> CF H>1", "" },
	{ "read 2", "GS:2>H" },
	{ "> GS 2>H", "GRb1:H>2" },
	{ "> GR H>2", "map" },
	{ "> GX 1>H", "IV2:H>2?1#0 GRxbo2:H>1!1" },
	{ "> GR H>1", "DC2:1>H" },
	{ "> DC 1>H", "" },
	{ "home", "2 sharers 2" },
	{ "write 2", "GXh:2>H" },
	{ "> GX 2>H", "IVx3:H>1?2#0" },
	{ "> IV2 H>2", "unmap IA2:2>1#0" },
	{ "> IV3 H>1", "IAx3:1>2#0" },
	{ "> IA3 1>2", "GX3:2>H!1" },
	{ "> GX 2>H", "GRxbo3:H>2!1" },
	{ "> IA2 2>1", "" },
	{ "> GR H>2", "map-rw" },
	{ "set 2", "" },
};

/* The next one's RECALL is first: it waits for the grant, and for the hold. */
static const struct story_line a_recall_overtakes_the_grant[] = {
	{ "write 1", "GX:1>H" },
	{ "> GX 1>H", "GRxzo1:H>1" },
	{ "write 2", "GX:2>H" },
	{ "> GX 2>H", "RCx2:H>1?2" },
	{ "& RC H>1", "" },
	{ "> RC H>1", "" },
	{ "> GR H>1", "map-rw" },
	{ "set 1", "" },
	{ "tick 1", "" },
	{ "wait 100", "" },
	{ "tick 1", "protect take unmap GRxb2:1>2" },
	{ "> GR 1>2", "map-rw DN2:2>H" },
	{ "look 2", "w 1" },
	{ "set 2", "" },
};

/* And the grant is lost: node 1 asks again, and home knows what for. */
static const struct story_line a_recall_comes_and_the_grant_does_not[] = {
	{ "write 1", "GX:1>H" },
	{ "> GX 1>H", "GRxzo1:H>1" },
	{ "x GR H>1", "" },
	{ "read 2", "GS:2>H" },
	{ "> GS 2>H", "RC2:H>1?2" },
	{ "> RC H>1", "" },
	{ "wait 1000", "" },
	{ "tick 1", "GX:1>H" },
	{ "> GX 1>H", "GRxzo1:H>1" },
	{ "> GR H>1", "map-rw" },
	{ "set 1", "" },
	{ "tick 1", "protect take GRb2:1>2 RTb2:1>H" },
	{ "> GR 1>2", "map" },
	{ "look 2", "r 1" },
	{ "> RT 1>H", "store CF2:H>1" },
};

/*
 * A late request opens what nobody wants, and the next one comes before that
 * is known: node 1 has nothing to give, and home goes on with its own copy.
 */
static const struct story_line nobody_took_it_says_who_is_recalled[] = {
	{ "write 1", "GX:1>H" },
	{ "& GX 1>H", "GRxzo1:H>1" },
	{ "> GR H>1", "map-rw" },
	{ "set 1", "" },
	{ "evict 1", "protect take unmap PTb1:1>H" },
	{ "> PT 1>H", "store CF1:H>1" },
	{ "> CF H>1", "" },
	{ "& GX 1>H", "GRxbo2:H>1" },
	{ "write 2", "GX:2>H" },
	{ "> GX 2>H", "RCx3:H>1?2" },
	{ "> RC H>1", "DC3:1>H" },
	{ "& DC 1>H", "IV3:H>1?2#0 GRxb3:H>2!1" },
	{ "> DC 1>H", "" },
	{ "> GR H>1", "DC2:1>H" },
	{ "> DC 1>H", "" },
	{ "> IV H>1", "IA3:1>2#0" },
	{ "> IA 1>2", "" },
	{ "> GR H>2", "map-rw DN3:2>H" },
	{ "look 2", "w 1" },
	{ "set 2", "" },
	{ "> DN 2>H", "" },
	{ "evict 2", "protect take unmap PTb3:2>H" },
	{ "> PT 2>H", "store CF3:H>2" },
	{ "> CF H>2", "" },
	{ "> GX 1>H", "GRxbo4:H>1" },
	{ "x GR H>1", "" },
	{ "read 2", "GS:2>H" },
	{ "> GS 2>H", "RC5:H>1?2" },
	{ "> RC H>1", "DC5:1>H" },
	{ "> DC 1>H", "GRb5:H>2" },
	{ "> GR H>2", "map" },
	{ "look 2", "r 2" },
};

/* It asks for something else by now, so it never took that. */
static const struct story_line the_owner_of_an_open_grant_asks_anew[] = {
	{ "write 1", "GX:1>H" },
	{ "& GX 1>H", "GRxzo1:H>1" },
	{ "> GR H>1", "map-rw" },
	{ "set 1", "" },
	{ "evict 1", "protect take unmap PTb1:1>H" },
	{ "> PT 1>H", "store CF1:H>1" },
	{ "> CF H>1", "" },
	{ "> GX 1>H", "GRxbo2:H>1" },
	{ "read 1", "GS:1>H" },
	{ "> GS 1>H", "GRb2:H>1" },
	{ "> GR2 H>1", "DC2:1>H" },
	{ "> GR2 H>1", "map" },
	{ "> DC 1>H", "" },
	{ "look 1", "r 1" },
	{ "home", "2 sharers 1" },
};

/*
 * Node 1 put the page, and does not know that home has it.  Others have written
 * since.  A late request of node 1 makes home take it for the owner: what it
 * has kept of before is not what is recalled.
 */
static const struct story_line an_old_put_does_not_answer_for_an_open_grant[] = {
	{ "write 1", "GX:1>H" },
	{ "& GX 1>H", "GRxzo1:H>1" },
	{ "> GR H>1", "map-rw" },
	{ "set 1", "" },
	{ "evict 1", "protect take unmap PTb1:1>H" },
	{ "> PT 1>H", "store CF1:H>1" },
	{ "x CF H>1", "" },
	{ "write 2", "GX:2>H" },
	{ "> GX 2>H", "GRxbo2:H>2" },
	{ "> GR H>2", "map-rw" },
	{ "set 2", "" },
	{ "evict 2", "protect take unmap PTb2:2>H" },
	{ "> PT 2>H", "store CF2:H>2" },
	{ "> CF H>2", "" },
	{ "> GX 1>H", "GRxbo3:H>1" },
	{ "x GR H>1", "" },
	{ "read 0", "GS:0>H" },
	{ "> GS 0>H", "RC4:H>1?0" },
	{ "> RC H>1", "DC4:1>H" },
	{ "> DC 1>H", "GRb4:H>0" },
	{ "> GR H>0", "map" },
	{ "look 0", "r 2" },
};

/* Who leaves has given back all it took, and so it never took this. */
static const struct story_line the_owner_of_an_open_grant_leaves[] = {
	{ "write 1", "GX:1>H" },
	{ "& GX 1>H", "GRxzo1:H>1" },
	{ "> GR H>1", "map-rw" },
	{ "set 1", "" },
	{ "evict 1", "protect take unmap PTb1:1>H" },
	{ "> PT 1>H", "store CF1:H>1" },
	{ "> CF H>1", "" },
	{ "& GX 1>H", "GRxbo2:H>1" },
	{ "leave 1", "" },
	{ "> GR H>1", "nobody" },
	{ "read 2", "GS:2>H" },
	{ "> GS 2>H", "GRb2:H>2" },
	{ "> GR H>2", "map" },
	{ "look 2", "r 1" },
	{ "> GX 1>H", "ESTALE" },
};

static const struct story stories[] = {
	STORY("no DONE is needed", no_done_is_needed),
	STORY("the grant is lost", the_grant_is_lost),
	STORY("the sharer's answer is lost", the_sharers_answer_is_lost),
	STORY("a grant without bytes for one who lost them",
	      a_grant_without_bytes_for_one_who_lost_them),
	STORY("a RECALL overtakes the grant", a_recall_overtakes_the_grant,
	      .hold_ns = 100),
	STORY("a RECALL comes and the grant does not",
	      a_recall_comes_and_the_grant_does_not),
	STORY("nobody took it, says who is recalled",
	      nobody_took_it_says_who_is_recalled),
	STORY("the owner of an open grant asks anew",
	      the_owner_of_an_open_grant_asks_anew),
	STORY("an old PUT does not answer for an open grant",
	      an_old_put_does_not_answer_for_an_open_grant),
	STORY("the owner of an open grant leaves",
	      the_owner_of_an_open_grant_leaves),
};

int main(void)
{
	story_tell_all(stories, sizeof(stories) / sizeof(*stories));
	return 0;
}
