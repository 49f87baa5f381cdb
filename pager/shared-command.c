// SPDX-License-Identifier: GPL-2.0-or-later
/* What other threads ask of a shared region's thread, and how they wait. */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "engine.h"
#include "shared.h"
#include "sys.h"

int gvm_shared_command_run(struct gvm_shared *r, struct gvm_shared_command *c)
{
	const u64 one = 1;

	c->done = 0;
	c->next = __atomic_load_n(&r->mail, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&r->mail, &c->next, c, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	gvm_sys(SYS_write, r->wakefd, &one, sizeof(one));
	while (!__atomic_load_n(&c->done, __ATOMIC_ACQUIRE))
		gvm_futex_wait(&c->done, 0);
	return c->result;
}

void gvm_shared_command_end(struct gvm_shared_command *c, int result)
{
	c->result = result;
	__atomic_store_n(&c->done, 1, __ATOMIC_RELEASE);
	gvm_futex_wake(&c->done);
}

static void serve(struct gvm_shared *r, struct gvm_shared_command *c)
{
	switch (c->op) {
	case GVM_SHARED_VIEW_ADD:
		gvm_shared_command_end(c, gvm_shared_view_add(r, c->start, c->end,
						       c->page0));
		break;
	case GVM_SHARED_VIEW_CUT:
		gvm_shared_view_cut(r, c->start, c->end);
		gvm_shared_command_end(c, 0);
		break;
	case GVM_SHARED_LEAVE:
		/* Answered when everything has been given back. */
		r->leave = c;
		r->leave_ns = r->now_ns;
		break;
	}
}

void gvm_shared_commands_serve(struct gvm_shared *r)
{
	struct gvm_shared_command *list, *next, *first = NULL;

	if (!__atomic_load_n(&r->mail, __ATOMIC_RELAXED))
		return;
	list = __atomic_exchange_n(&r->mail, NULL, __ATOMIC_ACQUIRE);
	/* Oldest first. */
	for (; list; list = next) {
		next = list->next;
		list->next = first;
		first = list;
	}
	for (; first; first = next) {
		next = first->next;
		serve(r, first);
	}
}
