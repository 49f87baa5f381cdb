// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a row of the page table was changed in a way that makes no
 * sense by itself: a slot that leaks, a thread that is never woken, a page
 * that becomes resident without bytes.  Every state meets every event.
 */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "page.h"

#define FILLS	(GVM_ACT_FILL_ZERO | GVM_ACT_FILL | GVM_ACT_STEAL | \
		 GVM_ACT_STEAL_DIRTY)
#define WAKES	(FILLS | GVM_ACT_UNPROTECT | GVM_ACT_WAKE)
#define KNOWN	0xfffu

/* Which events are legal: one letter per event, in the order of the enum. */
static const char legal[GVM_PAGE_STATE_NR][GVM_EV_NR + 1] = {
	/* Read Write Prefetch Data Stage stage-samE Send writTen
	 * reFused reLease dIscard */
	[GVM_PAGE_ZERO]		= "RW........I",
	[GVM_PAGE_ZERO_WB]	= "RW.....TF.I",
	[GVM_PAGE_REMOTE]	= "RWP.......I",
	[GVM_PAGE_FETCH]	= "RW.D......I",
	[GVM_PAGE_CLEAN]	= "RW..S.....I",
	[GVM_PAGE_DIRTY]	= "RW..SE....I",
	[GVM_PAGE_DIRTY_WB]	= "RW..S..TF.I",
	[GVM_PAGE_STAGED_CLEAN]	= "RW.......LI",
	[GVM_PAGE_STAGED]	= "RW....N...I",
	[GVM_PAGE_STAGED_WB]	= "RW.....TF.I",
	[GVM_PAGE_WRITING]	= "RW.....TF.I",
};

static bool unanswered(u8 state)
{
	return state == GVM_PAGE_ZERO_WB || state == GVM_PAGE_DIRTY_WB ||
	       state == GVM_PAGE_STAGED_WB || state == GVM_PAGE_WRITING;
}

static bool one_bit(u32 x)
{
	return x && !(x & (x - 1));
}

static void check_bytes(u8 from, enum gvm_page_event event, u8 to, u16 acts)
{
	bool was = gvm_page_resident(from);
	bool is = gvm_page_resident(to);

	/* A page becomes resident by exactly one fill, and never twice. */
	CHECK((!was && is) == one_bit(acts & FILLS));
	CHECK(!(was && is) || !(acts & FILLS));
	CHECK(!(acts & GVM_ACT_FILL_ZERO) ||
	      from == GVM_PAGE_ZERO || from == GVM_PAGE_ZERO_WB);
	CHECK(!!(acts & GVM_ACT_FILL) == (event == GVM_EV_DATA));
	/* It stops being resident by eviction, or its bytes are dropped. */
	CHECK((was && !is) == (event == GVM_EV_STAGE ||
			       event == GVM_EV_STAGE_SAME ||
			       (acts & GVM_ACT_UNMAP)));
	/* A slot that is left was stolen from or freed, once. */
	if (gvm_page_staged(from) && !gvm_page_staged(to))
		CHECK(one_bit(acts & (GVM_ACT_FREE_SLOT | GVM_ACT_STEAL |
				      GVM_ACT_STEAL_DIRTY)));
	else
		CHECK(!(acts & GVM_ACT_FREE_SLOT));
	/* Nothing becomes clean but by home's own bytes. */
	if (to == GVM_PAGE_CLEAN && from != to)
		CHECK(event == GVM_EV_DATA || from == GVM_PAGE_STAGED_CLEAN);
}

static void check_wire(u8 from, enum gvm_page_event event, u8 to, u16 acts)
{
	bool answer = event == GVM_EV_WRITTEN || event == GVM_EV_REFUSED;

	CHECK(!!(acts & GVM_ACT_READ) ==
	      (from != GVM_PAGE_FETCH && to == GVM_PAGE_FETCH));
	CHECK(!!(acts & GVM_ACT_CANCEL) ==
	      (from == GVM_PAGE_FETCH && to != from && event != GVM_EV_DATA));
	/* One WRITE or TRIM at a time, and none is forgotten. */
	CHECK(!(acts & GVM_ACT_TRIM) || (!unanswered(from) && unanswered(to)));
	CHECK(unanswered(from) || !unanswered(to) ||
	      (acts & GVM_ACT_TRIM) || event == GVM_EV_SEND);
	CHECK((unanswered(from) && !unanswered(to)) == answer);
	/* Queued exactly when it may be sent. */
	CHECK(!!(acts & GVM_ACT_QUEUE) == (to == GVM_PAGE_STAGED));
}

static void check_threads(u8 from, enum gvm_page_event event, u8 to, u16 acts)
{
	/* A fault is answered at once, or the page is being fetched. */
	if (event == GVM_EV_READ_FAULT || event == GVM_EV_WRITE_FAULT)
		CHECK(to == GVM_PAGE_FETCH || one_bit(acts & WAKES));
	/* Whoever waited for a fetch is woken when it ends. */
	if (from == GVM_PAGE_FETCH && to != from)
		CHECK(acts & WAKES);
}

static void check_cell(u8 from, enum gvm_page_event event)
{
	u8 to = 0xee;
	u16 acts = 0xdead;
	int err = gvm_page_step(from, event, &to, &acts);

	if (legal[from][event] == '.') {
		CHECK(err == -EPROTO);
		CHECK(to == 0xee && acts == 0xdead);
		return;
	}
	CHECK(err == 0);
	CHECK(to < GVM_PAGE_STATE_NR);
	CHECK(!(acts & ~KNOWN));
	check_bytes(from, event, to, acts);
	check_wire(from, event, to, acts);
	check_threads(from, event, to, acts);
	if (event == GVM_EV_DISCARD)
		CHECK(to == GVM_PAGE_ZERO || to == GVM_PAGE_ZERO_WB);
}

/* A state or event out of range is a bug of ours and ends the program. */
static void check_bug(u8 state, u32 event)
{
	int status;
	pid_t pid;
	u8 to;
	u16 acts;

	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		close(STDERR_FILENO);
		gvm_page_step(state, (enum gvm_page_event)event, &to, &acts);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 125);
}

int main(void)
{
	for (u8 s = 0; s < GVM_PAGE_STATE_NR; s++) {
		CHECK(strlen(legal[s]) == GVM_EV_NR);
		for (u32 e = 0; e < GVM_EV_NR; e++)
			check_cell(s, (enum gvm_page_event)e);
		CHECK(strcmp(gvm_page_state_name(s), "unknown"));
		CHECK(!(gvm_page_resident(s) && gvm_page_staged(s)));
	}
	CHECK(!strcmp(gvm_page_state_name(GVM_PAGE_STATE_NR), "unknown"));
	check_bug(GVM_PAGE_STATE_NR, 0);
	check_bug(0, GVM_EV_NR);
	return 0;
}
