// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What other threads of the program ask of a shard.  They push a command and
 * sleep; the shard's thread carries it out between two faults.  So nothing of
 * a shard is ever locked, and no command meets a half-done eviction.
 *
 * Pushing is one compare-and-swap: also fine inside a signal handler.
 */
#define _GNU_SOURCE
#include "engine.h"
#include "sys.h"

void gvm_command_post(struct gvm_shard *s, struct gvm_command *c)
{
	const u64 one = 1;

	c->done = 0;
	c->next = __atomic_load_n(&s->mail, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&s->mail, &c->next, c, true,
					    __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED))
		;
	gvm_sys(SYS_write, s->wakefd, &one, sizeof(one));
}

int gvm_command_wait(struct gvm_command *c)
{
	while (!__atomic_load_n(&c->done, __ATOMIC_ACQUIRE))
		gvm_futex_wait(&c->done, 0);
	return c->result;
}

int gvm_command_run(struct gvm_shard *s, struct gvm_command *c)
{
	gvm_command_post(s, c);
	return gvm_command_wait(c);
}

static int carry_out(struct gvm_shard *s, struct gvm_command *c)
{
	switch (c->op) {
	case GVM_OP_REGISTER:
		return gvm_do_register(s, c);
	case GVM_OP_UNREGISTER:
		return gvm_do_unregister(s, c->start, c->end);
	case GVM_OP_DISCARD:
		return gvm_do_discard(s, c->start, c->end);
	case GVM_OP_HOLD:
		return gvm_do_hold(s, c->start, c->end, c->populate);
	case GVM_OP_RELEASE:
		return gvm_do_release(s, c->start, c->end);
	case GVM_OP_QUERY:
		gvm_do_query(s, c);
		return 0;
	case GVM_OP_QUIESCE:
		gvm_do_quiesce(s, c);
		return 0;
	case GVM_OP_STOP:
		s->stop = 1;
		return 0;
	}
	return -EINVAL;
}

void gvm_commands_serve(struct gvm_shard *s)
{
	struct gvm_command *list, *c, *in_order = NULL;

	if (!__atomic_load_n(&s->mail, __ATOMIC_RELAXED))
		return;
	list = __atomic_exchange_n(&s->mail, NULL, __ATOMIC_ACQUIRE);
	while (list) {
		c = list;
		list = c->next;
		c->next = in_order;
		in_order = c;
	}
	while (in_order) {
		c = in_order;
		in_order = c->next;
		c->result = carry_out(s, c);
		/* QUIESCE has told its waiter already, and c may be gone. */
		if (c->op == GVM_OP_QUIESCE)
			continue;
		/* From here on c belongs to the waiter again. */
		__atomic_store_n(&c->done, 1, __ATOMIC_RELEASE);
		gvm_futex_wake(&c->done);
	}
}
