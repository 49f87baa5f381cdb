// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, the death of a node costs more than what it alone had: a page
 * is lost that another has, or somebody waits for ever, or, worse, a page
 * that is gone is taken for good.  Row by row the table in docs/PROTOCOL.md;
 * story.h tells how to read this.
 */

#include "story.h"

static const struct story_line the_owner_dies_nobody_asks[] = {
	{ "own 1", "" },
	{ "die 1", "" },
	{ "read 2", "GS:2>H" },
	{ "> GS 2>H", "LO1:H>2" },
	{ "> LO H>2", "LOST" },
	{ "join 1", "EBUSY" },
	{ "tick H", "" },
	{ "join 1", "" },
	{ "read 1", "GS:1>H" },
	{ "> GS 1>H", "LO1:H>1" },
	{ "> LO H>1", "LOST" },
	{ "home", "1 lost" },
};

static const struct story_line the_owner_dies_its_exclusive_grant_had_come[] = {
	{ "own 1", "" },
	{ "write 2", "GX:2>H" },
	{ "> GX 2>H", "RCx2:H>1?2" },
	{ "> RC H>1", "protect take unmap GRxb2:1>2" },
	{ "> GR 1>2", "map-rw DN2:2>H" },
	{ "x DN 2>H", "" },
	{ "set 2", "" },
	{ "die 1", "" },
	{ "tick H", "CNx2:H>2" },
	{ "> CN H>2", "DN2:2>H" },
	{ "> DN 2>H", "" },
	{ "home", "2 owner 2" },
	{ "look 2", "w 2" },
};

static const struct story_line the_owner_dies_its_exclusive_grant_comes_too_late[] = {
	{ "own 1", "" },
	{ "write 2", "GX:2>H" },
	{ "> GX 2>H", "RCx2:H>1?2" },
	{ "> RC H>1", "protect take unmap GRxb2:1>2" },
	{ "die 1", "" },
	{ "tick H", "CNx2:H>2" },
	{ "> CN H>2", "DC2:2>H" },
	{ "> GR 1>2", "" },
	{ "> DC 2>H", "LO2:H>2" },
	{ "> LO H>2", "LOST" },
	{ "home", "2 lost" },
};

static const struct story_line the_owner_dies_its_shared_grant_had_come[] = {
	{ "own 1", "" },
	{ "read 2", "GS:2>H" },
	{ "> GS 2>H", "RC2:H>1?2" },
	{ "> RC H>1", "protect take GRb2:1>2 RTb2:1>H" },
	{ "> GR 1>2", "map" },
	{ "die 1", "" },
	{ "> RT 1>H", "ESTALE" },
	{ "tick H", "CN2:H>2" },
	{ "& CN H>2", "take RTb2:2>H" },
	{ "> RT 2>H", "store CF2:H>2" },
	{ "> CF H>2", "" },
	{ "read 0", "GS:0>H" },
	{ "> GS 0>H", "GRb2:H>0" },
	{ "> GR H>0", "map" },
	{ "look 0", "r 1" },
	{ "write 2", "GXh:2>H" },
	{ "> GX 2>H", "IVx3:H>0?2#0" },
	{ "> CN H>2", "take RTb2:2>H" },
	{ "> IV H>0", "unmap IAx3:0>2#0" },
	{ "> IA 0>2", "unprotect" },
	{ "set 2", "" },
};

static const struct story_line the_owner_dies_its_shared_grant_comes_too_late[] = {
	{ "own 1", "" },
	{ "read 2", "GS:2>H" },
	{ "> GS 2>H", "RC2:H>1?2" },
	{ "> RC H>1", "protect take GRb2:1>2 RTb2:1>H" },
	{ "die 1", "" },
	{ "tick H", "CN2:H>2" },
	{ "> CN H>2", "DC2:2>H" },
	{ "> GR 1>2", "" },
	{ "> DC 2>H", "LO2:H>2" },
	{ "> LO H>2", "LOST" },
};

static const struct story_line the_owner_dies_and_the_requester_too[] = {
	{ "own 1", "" },
	{ "write 2", "GX:2>H" },
	{ "> GX 2>H", "RCx2:H>1?2" },
	{ "read 0", "GS:0>H" },
	{ "> GS 0>H", "" },
	{ "die 1", "" },
	{ "die 2", "" },
	{ "tick H", "LO2:H>0" },
	{ "> LO H>0", "LOST" },
};

static const struct story_line the_requester_of_a_write_dies_home_had_the_latest[] = {
	{ "share 1", "" },
	{ "write 2", "GX:2>H" },
	{ "> GX 2>H", "IV1:H>1?2#0 GRxzo1:H>2!1" },
	{ "read 0", "GS:0>H" },
	{ "> GS 0>H", "RC2:H>2?0" },
	{ "die 2", "" },
	{ "tick H", "CN2:H>0" },
	{ "> IV H>1", "unmap IA1:1>2#0" },
	{ "> IA 1>2", "nobody" },
	{ "> CN H>0", "DC2:0>H" },
	{ "> DC 0>H", "LO2:H>0" },
	{ "> LO H>0", "LOST" },
	{ "home", "2 lost" },
};

/*
 * Home gave its own copy to node 1 and asks the next one whether it came on.  A
 * new node of the same id, whose wants have the same numbers, is not sent that
 * copy again: the dead one may have written.
 */
static const struct story_line the_id_of_a_dead_grantee_comes_back[] = {
	{ "write 1", "GX:1>H" },
	{ "> GX 1>H", "GRxzo1:H>1" },
	{ "> GR H>1", "map-rw" },
	{ "set 1", "" },
	{ "read 2", "GS:2>H" },
	{ "> GS 2>H", "RC2:H>1?2" },
	{ "die 1", "" },
	{ "> RC H>1", "nobody" },
	{ "tick H", "CN2:H>2" },
	{ "tick H", "" },
	{ "join 1", "" },
	{ "write 1", "GX:1>H" },
	{ "> GX 1>H", "" },
	{ "> CN H>2", "DC2:2>H" },
	{ "> DC 2>H", "LO2:H>2 LO2:H>1" },
	{ "> LO H>2", "LOST" },
	{ "> LO H>1", "LOST" },
};

/* And one that leaves takes nothing of what the dead one may have written. */
static const struct story_line the_id_of_a_dead_grantee_comes_back_and_leaves[] = {
	{ "write 1", "GX:1>H" },
	{ "> GX 1>H", "GRxzo1:H>1" },
	{ "> GR H>1", "map-rw" },
	{ "set 1", "" },
	{ "read 2", "GS:2>H" },
	{ "> GS 2>H", "RC2:H>1?2" },
	{ "die 1", "" },
	{ "> RC H>1", "nobody" },
	{ "tick H", "CN2:H>2" },
	{ "tick H", "" },
	{ "join 1", "" },
	{ "leave 1", "" },
	{ "home", "2 busy owner 1" },
	{ "> CN H>2", "DC2:2>H" },
	{ "> DC 2>H", "LO2:H>2" },
	{ "> LO H>2", "LOST" },
};

static const struct story_line the_requester_dies_the_owner_had_not_given[] = {
	{ "own 1", "" },
	{ "write 2", "GX:2>H" },
	{ "> GX 2>H", "RCx2:H>1?2" },
	{ "x RC H>1", "" },
	{ "die 2", "" },
	{ "tick H", "RCg2:H>1" },
	{ "> RC H>1", "protect take unmap RTb2:1>H" },
	{ "> RT 1>H", "store CF2:H>1" },
	{ "> CF H>1", "" },
	{ "read 0", "GS:0>H" },
	{ "> GS 0>H", "GRb2:H>0" },
	{ "> GR H>0", "map" },
	{ "look 0", "r 1" },
};

static const struct story_line the_requester_dies_the_owner_had_given[] = {
	{ "own 1", "" },
	{ "write 2", "GX:2>H" },
	{ "> GX 2>H", "RCx2:H>1?2" },
	{ "> RC H>1", "protect take unmap GRxb2:1>2" },
	{ "read 0", "GS:0>H" },
	{ "> GS 0>H", "" },
	{ "die 2", "" },
	{ "> GR 1>2", "nobody" },
	{ "tick H", "RCg2:H>1" },
	{ "> RC H>1", "RTg2:1>H" },
	{ "> RT 1>H", "CF2:H>1 LO2:H>0" },
	{ "> CF H>1", "" },
	{ "> LO H>0", "LOST" },
	{ "post", "" },
};

static const struct story_line the_requester_dies_and_the_owner_puts_the_unwanted_page[] = {
	{ "own 1", "" },
	{ "write 2", "GX:2>H" },
	{ "> GX 2>H", "RCx2:H>1?2" },
	{ "x RC H>1", "" },
	{ "die 2", "" },
	{ "tick H", "RCg2:H>1" },
	{ "x RC H>1", "" },
	{ "evict 1", "protect take unmap PTb1:1>H" },
	{ "> PT 1>H", "" },
	{ "wait 1000", "" },
	{ "tick 1", "PTb1:1>H" },
	{ "> PT 1>H", "RCg2:H>1" },
	{ "> RC H>1", "RTb2:1>H" },
	{ "> RT 1>H", "store CF2:H>1" },
	{ "> CF H>1", "" },
	{ "home", "2" },
};

static const struct story_line the_requester_of_a_read_dies[] = {
	{ "own 1", "" },
	{ "read 2", "GS:2>H" },
	{ "> GS 2>H", "RC2:H>1?2" },
	{ "die 2", "" },
	{ "> RC H>1", "protect take GRb2:1>2 RTb2:1>H" },
	{ "> GR 1>2", "nobody" },
	{ "> RT 1>H", "store CF2:H>1" },
	{ "home", "2 sharers 1" },
};

static const struct story_line who_waits_in_the_queue_dies[] = {
	{ "own 1", "" },
	{ "read 0", "GS:0>H" },
	{ "> GS 0>H", "RC2:H>1?0" },
	{ "write 2", "GX:2>H" },
	{ "> GX 2>H", "" },
	{ "die 2", "" },
	{ "> RC H>1", "protect take GRb2:1>0 RTb2:1>H" },
	{ "> RT 1>H", "store CF2:H>1" },
	{ "home", "2 sharers 2" },
};

static const struct story_line a_sharer_dies[] = {
	{ "share 1", "" },
	{ "write 2", "GX:2>H" },
	{ "> GX 2>H", "IV1:H>1?2#0 GRxzo1:H>2!1" },
	{ "> GR H>2", "" },
	{ "die 1", "" },
	{ "> IV H>1", "nobody" },
	{ "wait 1000", "" },
	{ "tick 2", "GXh1:2>H" },
	{ "> GX 2>H", "GRxo1:H>2" },
	{ "> GR H>2", "map-rw" },
	{ "set 2", "" },
};

static const struct story_line what_a_former_member_says[] = {
	{ "write 1", "GX:1>H" },
	{ "> GX 1>H", "GRxzo1:H>1" },
	{ "> GR H>1", "map-rw" },
	{ "write 2", "GX:2>H" },
	{ "& GX 2>H", "RCx2:H>1?2" },
	{ "die 2", "" },
	{ "tick H", "RCg2:H>1" },
	{ "> RC H>1", "protect take unmap GRxb2:1>2" },
	{ "tick H", "" },
	{ "> RC H>1", "RTg2:1>H" },
	{ "> RT 1>H", "CF2:H>1" },
	{ "join 2", "" },
	{ "> GX 2>H", "ESTALE" },
	{ "> GR 1>2", "DC2:2>H" },
	{ "> DC 2>H", "CF2:H>1" },
	{ "read 2", "GS:2>H" },
	{ "home", "2 lost" },
};

static const struct story stories[] = {
	STORY("the owner dies, nobody asks",
	      the_owner_dies_nobody_asks),
	STORY("the owner dies, its exclusive grant had come",
	      the_owner_dies_its_exclusive_grant_had_come),
	STORY("the owner dies, its exclusive grant comes too late",
	      the_owner_dies_its_exclusive_grant_comes_too_late),
	STORY("the owner dies, its shared grant had come",
	      the_owner_dies_its_shared_grant_had_come),
	STORY("the owner dies, its shared grant comes too late",
	      the_owner_dies_its_shared_grant_comes_too_late),
	STORY("the owner dies, and the requester too",
	      the_owner_dies_and_the_requester_too),
	STORY("the requester of a write dies, home had the latest",
	      the_requester_of_a_write_dies_home_had_the_latest),
	STORY("the id of a dead grantee comes back",
	      the_id_of_a_dead_grantee_comes_back),
	STORY("the id of a dead grantee comes back and leaves",
	      the_id_of_a_dead_grantee_comes_back_and_leaves),
	STORY("the requester dies, the owner had not given",
	      the_requester_dies_the_owner_had_not_given),
	STORY("the requester dies, the owner had given",
	      the_requester_dies_the_owner_had_given),
	STORY("the requester dies, and the owner puts the page that nobody wants",
	      the_requester_dies_and_the_owner_puts_the_unwanted_page),
	STORY("the requester of a read dies",
	      the_requester_of_a_read_dies),
	STORY("who waits in the queue dies",
	      who_waits_in_the_queue_dies),
	STORY("a sharer dies",
	      a_sharer_dies),
	STORY("what a former member says",
	      what_a_former_member_says),
};

int main(void)
{
	story_tell_all(stories, sizeof(stories) / sizeof(*stories));
	return 0;
}
