// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a page is taken from a thread that has just waited for it
 * before the thread could use it, or a pinned one from under a device; or one
 * stays where it is for longer than it may.  story.h tells how to read this.
 */

#include "story.h"

static const struct story_line a_hold_makes_a_recall_wait[] = {
	{ "own 1", "" },
	{ "read 2", "GS:2>H" },
	{ "> GS 2>H", "RC2:H>1?2" },
	{ "> RC H>1", "" },
	{ "wait 99", "" },
	{ "tick 1", "" },
	{ "wait 1", "" },
	{ "tick 1", "protect take GRb2:1>2 RTb2:1>H" },
	{ "> GR 1>2", "map" },
};

static const struct story_line what_is_prefetched_is_not_held[] = {
	{ "fetch 1", "GS:1>H" },
	{ "> GS 1>H", "GRz:H>1" },
	{ "> GR H>1", "map" },
	{ "write 2", "GX:2>H" },
	{ "> GX 2>H", "IV1:H>1?2#0 GRxzo1:H>2!1" },
	{ "> IV H>1", "unmap IA1:1>2#0" },
};

static const struct story_line a_hold_makes_an_invalidation_wait[] = {
	{ "share 1", "" },
	{ "write 2", "GX:2>H" },
	{ "> GX 2>H", "IV1:H>1?2#0 GRxzo1:H>2!1" },
	{ "> IV H>1", "" },
	{ "> GR H>2", "" },
	{ "evict 1", "EBUSY" },
	{ "wait 100", "" },
	{ "tick 1", "unmap IA1:1>2#0" },
	{ "> IA 1>2", "map-rw" },
};

static const struct story_line a_pin_against_a_recall[] = {
	{ "pin 1 5000", "GX:1>H" },
	{ "> GX 1>H", "GRxzo1:H>1" },
	{ "> GR H>1", "map-rw pinned" },
	{ "set 1", "" },
	{ "read 2", "GS:2>H" },
	{ "> GS 2>H", "RC2:H>1?2" },
	{ "> RC H>1", "" },
	{ "wait 2000", "" },
	{ "tick 2", "GS:2>H" },
	{ "> GS 2>H", "RC2:H>1?2" },
	{ "> RC H>1", "" },
	{ "set 1", "" },
	{ "unpin 1", "protect take GRb2:1>2 RTb2:1>H" },
	{ "> GR 1>2", "map" },
	{ "look 2", "r 2" },
};

static const struct story_line a_pin_beyond_its_deadline[] = {
	{ "pin 1 500", "GX:1>H" },
	{ "> GX 1>H", "GRxzo1:H>1" },
	{ "> GR H>1", "map-rw pinned" },
	{ "write 2", "GX:2>H" },
	{ "> GX 2>H", "RCx2:H>1?2" },
	{ "> RC H>1", "" },
	{ "evict 1", "EBUSY" },
	{ "wait 500", "" },
	{ "tick 1", "broken protect take unmap GRxb2:1>2" },
	{ "> GR 1>2", "map-rw DN2:2>H" },
	{ "set 2", "" },
};

static const struct story_line pins_in_ascending_order[] = {
	{ "pin 1 500 @3", "GX:1>H@3" },
	{ "pin 1 500 @3", "EINVAL" },
	{ "pin 1 500 @2", "EINVAL" },
	{ "pin 1 500 @4", "GX:1>H@4" },
	{ "pin 1 500 @5", "EINVAL" },
};

static const struct story stories[] = {
	STORY("a hold makes a recall wait",
	      a_hold_makes_a_recall_wait, .hold_ns = 100),
	STORY("what is prefetched is not held",
	      what_is_prefetched_is_not_held, .hold_ns = 100),
	STORY("a hold makes an invalidation wait",
	      a_hold_makes_an_invalidation_wait, .hold_ns = 100),
	STORY("a pin against a recall",
	      a_pin_against_a_recall),
	STORY("a pin beyond its deadline",
	      a_pin_beyond_its_deadline),
	STORY("pins in ascending order",
	      pins_in_ascending_order),
};

int main(void)
{
	story_tell_all(stories, sizeof(stories) / sizeof(*stories));
	return 0;
}
