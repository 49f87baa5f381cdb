// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * When a node may ask for pages.
 *
 * Under KVM nodes take turns by the clock, and must.  With nested paging the
 * processor walks the guest's page tables by itself, and to the second tables each
 * step of it is a write (AMD's manual says so, vol. 2, 15.25; Intel's does where
 * the second tables have accessed and dirty bits).  So before a vCPU can carry out
 * an instruction, its node must be the only one that has four to ten pages, at the
 * same moment; those of the kernel's top levels are the same on all vCPUs.  Two
 * nodes take them from each other one by one, and neither gets anywhere, however
 * long each page is held: while one waits for the last of its pages, the time of
 * the first is over.
 *
 * So only one node asks at a time, in turns by node 0's clock.  In its turn a
 * node collects all that it needs, for nobody takes it away; then its vCPUs run.
 * The others run on, too, with what they have.  Nothing depends on the clocks but
 * speed: a request is as good late as early, and a turn comes to everybody.
 *
 * Under TCG a page at a time is enough, and turns are only for kernels that
 * contend (contention.c).
 */
#include "accel.h"
#include "turn.h"

#define KVM_TURN_US	2000u

static struct {
	bool	none;
	u64	ns;		/* 0: as the accelerator needs it */
} turn;

void gvm_turns_set(u64 turn_us)
{
	turn.none = turn_us == GVM_TURNS_NONE;
	turn.ns = turn_us * 1000;
}

static u64 wait_for_clock(void *arg, u32 thread)
{
	return gvm_turn_wait((u64)gvm_clock_node_0(), turn.ns,
			     gvm_bus.guest.me, gvm_bus.guest.nodes_nr);
}

gvm_turn_wait_fn *gvm_turns_start(void)
{
	if (turn.none || gvm_bus.guest.nodes_nr < 2)
		return NULL;
	if (gvm_accel->translates) {
		gvm_contention_start(turn.ns);
		return gvm_contention_wait;
	}
	if (!turn.ns)
		turn.ns = KVM_TURN_US * 1000;
	return wait_for_clock;
}
