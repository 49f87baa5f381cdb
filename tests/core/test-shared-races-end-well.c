// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a race of messages that the protocol calls legal ends with an
 * old page in some program, with a thread that waits for ever, or with messages
 * that nobody needs.  docs/PROTOCOL.md and the table in core/node-steps.c tell
 * why each is legal; story.h tells how to read this.
 */

#include "story.h"

static const struct story_line the_ways_of_a_miss[] = {
	{ "write 1", "GX:1>H" },
	{ "> GX 1>H", "GRxz1:H>1" },
	{ "> GR H>1", "map-rw DN1:1>H" },
	{ "set 1", "" },
	{ "> DN 1>H", "" },
	{ "read 2", "GS:2>H" },
	{ "> GS 2>H", "RC2:H>1?2" },
	{ "> RC H>1", "protect take GRb2:1>2 RTb2:1>H" },
	{ "> GR 1>2", "map" },
	{ "> RT 1>H", "store CF2:H>1" },
	{ "> CF H>1", "" },
	{ "share 0", "" },
	{ "write 2", "GXh:2>H" },
	{ "> GX 2>H", "IV3:H>0?2#0 IV3:H>1?2#1 GRx3:H>2!3" },
	{ "> IV H>0", "unmap IA3:0>2#0" },
	{ "> IV H>1", "unmap IA3:1>2#1" },
	{ "> GR H>2", "" },
	{ "> IA 0>2", "" },
	{ "> IA 1>2", "unprotect DN3:2>H" },
	{ "set 2", "" },
	{ "> DN 2>H", "" },
	{ "write 1", "GX:1>H" },
	{ "> GX 1>H", "RCx4:H>2?1" },
	{ "> RC H>2", "protect take unmap GRxb4:2>1" },
	{ "> GR 2>1", "map-rw DN4:1>H" },
	{ "set 1", "" },
	{ "> DN 1>H", "CF4:H>2" },
	{ "> CF H>2", "" },
	{ "evict 1", "protect take unmap PTb4:1>H" },
	{ "> PT 1>H", "store CF4:H>1" },
	{ "> CF H>1", "" },
	{ "home", "4" },
	{ "post", "" },
};

/* Node 1 acknowledges at once, and does not map what comes later. */
static const struct story_line an_invalidate_overtakes_the_data[] = {
	{ "read 1", "GS:1>H" },
	{ "> GS 1>H", "GRz:H>1" },
	{ "write 2", "GX:2>H" },
	{ "> GX 2>H", "IV1:H>1?2#0 GRxz1:H>2!1" },
	{ "> IV H>1", "IA1:1>2#0 GS:1>H" },
	{ "> IA 1>2", "" },
	{ "> GR H>2", "map-rw DN1:2>H" },
	{ "set 2", "" },
	{ "> GR H>1", "" },
	{ "> DN 2>H", "" },
	{ "> GS 1>H", "RC2:H>2?1" },
	{ "> RC H>2", "protect take GRb2:2>1 RTb2:2>H" },
	{ "> GR 2>1", "map" },
	{ "look 1", "r 1" },
};

/* The kept bytes of the PUT become the answer to the RECALL. */
static const struct story_line a_put_crosses_a_recall[] = {
	{ "own 1", "" },
	{ "evict 1", "protect take unmap PTb1:1>H" },
	{ "read 1", "" },
	{ "write 2", "GX:2>H" },
	{ "> GX 2>H", "RCx2:H>1?2" },
	{ "> PT 1>H", "" },
	{ "> RC H>1", "GRxb2:1>2" },
	{ "> GR 1>2", "map-rw DN2:2>H" },
	{ "> DN 2>H", "CF2:H>1" },
	{ "> CF H>1", "GS:1>H" },
	{ "> GS 1>H", "RC3:H>2?1" },
	{ "> RC H>2", "protect take GRb3:2>1 RTb3:2>H" },
	{ "> GR 2>1", "map" },
	{ "look 1", "r 1" },
};

/*
 * A late request begins what nobody wants; all sharers stay listed.  Its
 * INVALIDATE may reach who has been promised the page by a later one.
 */
static const struct story_line an_invalidate_of_a_declined_transaction[] = {
	{ "own 0", "" },
	{ "put 0", "" },
	{ "write 1", "GX:1>H" },
	{ "& GX 1>H", "GRxb2:H>1" },
	{ "> GR H>1", "map-rw DN2:1>H" },
	{ "set 1", "" },
	{ "> DN 1>H", "" },
	{ "evict 1", "protect take unmap PTb2:1>H" },
	{ "> PT 1>H", "store CF2:H>1" },
	{ "> CF H>1", "" },
	{ "read 2", "GS:2>H" },
	{ "> GS 2>H", "GRb2:H>2" },
	{ "> GR H>2", "map" },
	{ "> GX 1>H", "IV3:H>2?1#0 GRxb3:H>1!1" },
	{ "> GR H>1", "DC3:1>H" },
	{ "> DC 1>H", "" },
	{ "home", "3 sharers 1" },
	{ "write 2", "GXh:2>H" },
	{ "> GX 2>H", "GRx4:H>2" },
	{ "> GR4 H>2", "unprotect DN4:2>H" },
	{ "> IV3 H>2", "IA3:2>1#0" },
	{ "look 2", "w 2" },
	{ "set 2", "" },
};

/*
 * DECLINE makes home fetch the bytes; that RECALL is lost, and the giver,
 * which does not know, sends to the wrong one: home tells it again.
 */
static const struct story_line a_late_request_takes_the_page_from_its_owner[] = {
	{ "write 1", "GX:1>H" },
	{ "& GX 1>H", "GRxz1:H>1" },
	{ "> GR H>1", "map-rw DN1:1>H" },
	{ "set 1", "" },
	{ "> DN 1>H", "" },
	{ "evict 1", "protect take unmap PTb1:1>H" },
	{ "> PT 1>H", "store CF1:H>1" },
	{ "> CF H>1", "" },
	{ "write 2", "GX:2>H" },
	{ "> GX 2>H", "GRxb2:H>2" },
	{ "> GR H>2", "map-rw DN2:2>H" },
	{ "set 2", "" },
	{ "> DN 2>H", "" },
	{ "> GX 1>H", "RCx3:H>2?1" },
	{ "> RC H>2", "protect take unmap GRxb3:2>1" },
	{ "> GR 2>1", "DC3:1>H" },
	{ "> DC 1>H", "RC3:H>2" },
	{ "home", "3 busy owner 2" },
	{ "x RC H>2", "" },
	{ "wait 1000", "" },
	{ "tick 2", "GRxb3:2>1 RTg3:2>H" },
	{ "> RT 2>H", "RC3:H>2" },
	{ "> GR 2>1", "DC3:1>H" },
	{ "> DC 1>H", "" },
	{ "> RC H>2", "RTb3:2>H" },
	{ "> RT3 2>H", "store CF3:H>2" },
	{ "> CF H>2", "" },
	{ "share 1", "" },
	{ "look 1", "r 2" },
	{ "post", "" },
};

static const struct story_line a_copy_is_lost_while_a_grant_without_bytes_is_under_way[] = {
	{ "share 1", "" },
	{ "share 2", "" },
	{ "write 2", "GXh:2>H" },
	{ "& GX 2>H", "IV1:H>1?2#0 GRx1:H>2!1" },
	{ "> IV H>1", "unmap IA1:1>2#0" },
	{ "> IA 1>2", "" },
	{ "> GR H>2", "unprotect DN1:2>H" },
	{ "set 2", "" },
	{ "> DN 2>H", "" },
	{ "evict 2", "protect take unmap PTb1:2>H" },
	{ "> PT 2>H", "store CF1:H>2" },
	{ "> CF H>2", "" },
	{ "read 1", "GS:1>H" },
	{ "> GS 1>H", "GRb1:H>1" },
	{ "> GR H>1", "map" },
	{ "> GX 2>H", "IV2:H>1?2#0 GRxb2:H>2!1" },
	{ "> GR H>2", "DC2:2>H" },
	{ "> DC 2>H", "" },
	{ "write 1", "GXh:1>H" },
	{ "> GX 1>H", "GRx3:H>1" },
	{ "> IV2 H>1", "unmap IA2:1>2#0" },
	{ "> GR H>1", "GX3:1>H" },
	{ "> GX 1>H", "GRxb3:H>1" },
	{ "> GR H>1", "map-rw DN3:1>H" },
	{ "set 1", "" },
};

static const struct story_line done_is_lost_then_confirm[] = {
	{ "write 1", "GX:1>H" },
	{ "> GX 1>H", "GRxz1:H>1" },
	{ "> GR H>1", "map-rw DN1:1>H" },
	{ "x DN 1>H", "" },
	{ "set 1", "" },
	{ "read 2", "GS:2>H" },
	{ "> GS 2>H", "" },
	{ "wait 1000", "" },
	{ "tick 2", "GS:2>H" },
	{ "> GS 2>H", "GRxz1:H>1" },
	{ "> GR H>1", "DN1:1>H" },
	{ "> DN 1>H", "RC2:H>1?2" },
	{ "> RC H>1", "protect take GRb2:1>2 RTb2:1>H" },
	{ "> GR 1>2", "map" },
	{ "look 2", "r 1" },
	{ "> RT 1>H", "store CF2:H>1" },
	{ "x CF H>1", "" },
	{ "wait 1000", "" },
	{ "tick 1", "GRb2:1>2 RTb2:1>H" },
	{ "> RT 1>H", "CF2:H>1" },
	{ "> CF H>1", "" },
	{ "> GR 1>2", "" },
	{ "post", "" },
};

static const struct story_line a_put_says_done_all_the_more[] = {
	{ "write 1", "GX:1>H" },
	{ "> GX 1>H", "GRxz1:H>1" },
	{ "> GR H>1", "map-rw DN1:1>H" },
	{ "set 1", "" },
	{ "evict 1", "protect take unmap PTb1:1>H" },
	{ "> PT 1>H", "store CF1:H>1" },
	{ "> DN 1>H", "" },
	{ "x CF H>1", "" },
	{ "wait 1000", "" },
	{ "tick 1", "PTb1:1>H" },
	{ "read 2", "GS:2>H" },
	{ "> GS 2>H", "GRb1:H>2" },
	{ "> PT 1>H", "CF1:H>1" },
	{ "> CF H>1", "" },
	{ "> GR H>2", "map" },
	{ "look 2", "r 1" },
};

/*
 * Node 2 asks again while it waits in the queue; that asks for nothing new.
 */
static const struct story_line a_request_crosses_its_answer[] = {
	{ "own 1", "" },
	{ "read 0", "GS:0>H" },
	{ "> GS 0>H", "RC2:H>1?0" },
	{ "write 2", "GX:2>H" },
	{ "> GX 2>H", "" },
	{ "wait 1000", "" },
	{ "tick 2", "GX:2>H" },
	{ "> RC H>1", "protect take GRb2:1>0 RTb2:1>H" },
	{ "> RT 1>H", "store CF2:H>1 IV3:H>0?2#0 IV3:H>1?2#1 GRxb3:H>2!3" },
	{ "> GX 2>H", "" },
	{ "> IV H>1", "unmap IA3:1>2#1" },
	{ "> IV H>0", "IA3:0>2#0 GS:0>H" },
	{ "> IA 1>2", "" },
	{ "> IA 0>2", "" },
	{ "> GR H>2", "map-rw DN3:2>H" },
	{ "set 2", "" },
};

/* First come, first served: nobody starves. */
static const struct story_line two_writers_and_a_reader_take_turns[] = {
	{ "own 1", "" },
	{ "write 2", "GX:2>H" },
	{ "read 0", "GS:0>H" },
	{ "> GX 2>H", "RCx2:H>1?2" },
	{ "> GS 0>H", "" },
	{ "> RC H>1", "protect take unmap GRxb2:1>2" },
	{ "write 1", "GX:1>H" },
	{ "> GX 1>H", "" },
	{ "> GR 1>2", "map-rw DN2:2>H" },
	{ "set 2", "" },
	{ "> DN 2>H", "CF2:H>1 RC3:H>2?0" },
	{ "> RC H>2", "protect take GRb3:2>0 RTb3:2>H" },
	{ "> GR 2>0", "map" },
	{ "look 0", "r 2" },
	{ "> RT 2>H", "store CF3:H>2 IV4:H>0?1#0 IV4:H>2?1#1 GRxb4:H>1!3" },
	{ "> IV H>0", "unmap IA4:0>1#0" },
	{ "> IV H>2", "unmap IA4:2>1#1" },
	{ "write 2", "GX:2>H" },
	{ "> GX 2>H", "" },
	{ "> IA 0>1", "" },
	{ "> IA 2>1", "" },
	{ "> GR H>1", "map-rw DN4:1>H" },
	{ "set 1", "" },
	{ "> DN 1>H", "RCx5:H>1?2" },
	{ "> RC H>1", "protect take unmap GRxb5:1>2" },
	{ "> GR 1>2", "map-rw DN5:2>H" },
	{ "set 2", "" },
};

static const struct story_line a_reader_wants_to_write_meanwhile[] = {
	{ "read 1", "GS:1>H" },
	{ "write 1", "" },
	{ "> GS 1>H", "GRz:H>1" },
	{ "> GR H>1", "map GXh:1>H" },
	{ "look 1", "r 0" },
	{ "> GX 1>H", "GRx1:H>1" },
	{ "> GR H>1", "unprotect DN1:1>H" },
	{ "set 1", "" },
};

/*
 * Node 5 never had a copy; a grant without bytes would be no use to it.  Who
 * does hold one is not sent the bytes.
 */
static const struct story_line a_coarse_vector_takes_all_for_sharers[] = {
	{ "share 0", "" },
	{ "share 1", "" },
	{ "share 2", "" },
	{ "share 3", "" },
	{ "home", "0 sharers 4" },
	{ "share 4", "" },
	{ "home", "0 sharers 6 coarse" },
	{ "evict 0", "unmap" },
	{ "evict 1", "unmap" },
	{ "write 4", "GXh:4>H" },
	{ "& GX 4>H",
	  "IV1:H>0?4#0 IV1:H>1?4#1 IV1:H>2?4#2 IV1:H>3?4#3 "
	  "IV1:H>5?4#4 GRx1:H>4!1f" },
	{ "> GR H>4", "" },
	{ "> IV H>0", "IA1:0>4#0" },
	{ "> IV H>1", "IA1:1>4#1" },
	{ "> IV H>2", "unmap IA1:2>4#2" },
	{ "> IV H>3", "unmap IA1:3>4#3" },
	{ "> IV H>5", "IA1:5>4#4" },
	{ "> IA 0>4", "" },
	{ "> IA 1>4", "" },
	{ "> IA 2>4", "" },
	{ "> IA 3>4", "" },
	{ "> IA 5>4", "unprotect DN1:4>H" },
	{ "set 4", "" },
	{ "> DN 4>H", "" },
	{ "home", "1 owner 4" },
};

/*
 * Every need that was ever sent is true: node 0 goes on with the last it
 * saw.
 */
static const struct story_line a_slot_is_cut_in_two[] = {
	{ "share 1", "" },
	{ "share 2", "" },
	{ "share 3", "" },
	{ "share 4", "" },
	{ "share 5", "" },
	{ "share 6", "" },
	{ "share 7", "" },
	{ "share 8", "" },
	{ "share 9", "" },
	{ "share 10", "" },
	{ "write 0", "GX:0>H" },
	{ "> GX 0>H",
	  "IV1:H>1?0#0 IV1:H>2?0#1 IV1:H>3?0#2 IV1:H>4?0#3[4,5] "
	  "IV1:H>6?0#4 IV1:H>7?0#5 IV1:H>8?0#6 IV1:H>9?0#7[9,10] "
	  "GRxz1:H>0!ff" },
	{ "> IV H>1", "unmap IA1:1>0#0" },
	{ "> IV H>2", "unmap IA1:2>0#1" },
	{ "> IV H>3", "unmap IA1:3>0#2" },
	{ "> IV H>4", "IV1:4>5?0#56 unmap" },
	{ "> IV 4>5", "unmap IA1:5>4#56" },
	{ "> IA 5>4", "IA1:4>0#3" },
	{ "> IV H>6", "unmap IA1:6>0#4" },
	{ "> IV H>7", "unmap IA1:7>0#5" },
	{ "> IV H>8", "unmap IA1:8>0#6" },
	{ "> IV H>9", "IV1:9>10?0#56 unmap" },
	{ "x IV 9>10", "" },
	{ "> IA 1>0", "" },
	{ "> IA 2>0", "" },
	{ "> IA 3>0", "" },
	{ "> IA 4>0", "" },
	{ "> IA 6>0", "" },
	{ "> IA 7>0", "" },
	{ "> IA 8>0", "" },
	{ "> GR H>0", "" },
	{ "wait 1000", "" },
	{ "tick 0", "GXh1:0>H!7f" },
	{ "> GX 0>H", "IV1:H>9?0#8 IV1:H>10?0#9 GRx1:H>0!37f" },
	{ "> IV H>10", "unmap IA1:10>0#9" },
	{ "> IA 10>0", "" },
	{ "x GR H>0", "" },
	{ "x IV H>9", "" },
	{ "wait 2000", "" },
	{ "tick 0", "GXh1:0>H!27f" },
	{ "> GX 0>H", "IV1:H>9?0#8 GRx1:H>0!37f" },
	{ "> IV H>9", "IA1:9>0#8" },
	{ "> IA 9>0", "" },
	{ "> GR H>0", "map-rw DN1:0>H" },
	{ "set 0", "" },
};

/*
 * Node 10 is served by home and is to serve others.  Node 11 is referred to it
 * before its page has come, and waits there.  Node 12 finds it.
 */
static const struct story_line a_storm_of_readers_is_referred[] = {
	{ "own 1", "" },
	{ "put 1", "" },
	{ "share 2", "" },
	{ "share 3", "" },
	{ "share 4", "" },
	{ "share 5", "" },
	{ "share 6", "" },
	{ "share 7", "" },
	{ "share 8", "" },
	{ "share 9", "" },
	{ "read 10", "GS:10>H" },
	{ "> GS 10>H", "GRbs1:H>10" },
	{ "read 11", "GS:11>H" },
	{ "> GS 11>H", "RF1:H>10?11" },
	{ "> RF H>10", "" },
	{ "> GR H>10", "map GRb1:10>11" },
	{ "> GR 10>11", "map" },
	{ "read 12", "GS:12>H" },
	{ "> GS 12>H", "RF1:H>10?12" },
	{ "> RF H>10", "take GRb1:10>12" },
	{ "> GR 10>12", "map" },
};

static const struct story stories[] = {
	STORY("the ways of a miss",
	      the_ways_of_a_miss),
	STORY("an INVALIDATE overtakes the data",
	      an_invalidate_overtakes_the_data),
	STORY("a PUT crosses a RECALL",
	      a_put_crosses_a_recall),
	STORY("an INVALIDATE of a declined transaction",
	      an_invalidate_of_a_declined_transaction),
	STORY("a late request takes the page from its owner",
	      a_late_request_takes_the_page_from_its_owner),
	STORY("a copy is lost while a grant without bytes is under way",
	      a_copy_is_lost_while_a_grant_without_bytes_is_under_way),
	STORY("DONE is lost, then CONFIRM",
	      done_is_lost_then_confirm),
	STORY("a PUT says DONE all the more",
	      a_put_says_done_all_the_more),
	STORY("a request crosses its answer",
	      a_request_crosses_its_answer),
	STORY("two writers and a reader take turns",
	      two_writers_and_a_reader_take_turns),
	STORY("a reader wants to write meanwhile",
	      a_reader_wants_to_write_meanwhile),
	STORY("a coarse vector takes all for sharers",
	      a_coarse_vector_takes_all_for_sharers, .nodes = 6, .stride = 10),
	STORY("a slot is cut in two",
	      a_slot_is_cut_in_two, .nodes = 14, .sets = 4),
	STORY("a storm of readers is referred",
	      a_storm_of_readers_is_referred, .nodes = 14, .sets = 4, .storm_ns = 100000),
};

int main(void)
{
	story_tell_all(stories, sizeof(stories) / sizeof(*stories));
	return 0;
}
