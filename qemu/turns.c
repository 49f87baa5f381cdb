// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Nodes take turns in asking for pages.
 *
 * With nested paging the processor walks the guest's page tables by itself, and
 * to the second tables each step of it is a write (AMD's manual says so, vol. 2,
 * 15.25; Intel's does where the second tables have accessed and dirty bits).  So
 * before a vCPU under KVM can carry out an instruction, its node must be the
 * only one that has four to ten pages, at the same moment; those of the kernel's
 * top levels are the same on all vCPUs.  Two nodes take them from each other one
 * by one, and neither gets anywhere, however long each page is held: while one
 * waits for the last of its pages, the time of the first is over.
 *
 * So only one node asks at a time, in turns by node 0's clock.  In its turn a
 * node collects all that it needs, for nobody takes it away; then its vCPUs run.
 * The others run on, too, with what they have.  Nothing depends on the clocks but
 * speed: a request is as good late as early, and a turn comes to everybody.
 */
#include "accel.h"
#include "turn.h"

#define KVM_TURN_US	2000u

static u64 turn_ns;

void gvm_turns_set(u64 turn_us)
{
	turn_ns = turn_us * 1000;
}

bool gvm_turns_wanted(void)
{
	if (!turn_ns && !gvm_accel->translates)
		turn_ns = KVM_TURN_US * 1000;
	return turn_ns && gvm_bus.guest.nodes_nr > 1;
}

u64 gvm_turns_wait(void *arg)
{
	return gvm_turn_wait((u64)gvm_clock_node_0(), turn_ns,
			     gvm_bus.guest.me, gvm_bus.guest.nodes_nr);
}
