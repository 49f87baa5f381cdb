/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What will happen, in order of time: a heap with four children, 16 bytes an
 * event.  Events of the same time come in an order that only depends on what
 * was pushed and popped before, so a run repeats.
 */
#ifndef GVM_SIM_QUEUE_H
#define GVM_SIM_QUEUE_H

#include "gvm_port.h"

struct sim_event {
	u64	at;	/* ns */
	u32	what;
	u32	arg;
};

struct sim_queue {
	struct sim_event *heap;
	size_t	nr;
	size_t	max;
	bool	failed;		/* no memory: something was not queued */
};

void gvm_sim_queue_push(struct sim_queue *q, u64 at, u32 what, u32 arg);
bool gvm_sim_queue_pop(struct sim_queue *q, struct sim_event *ret);
/* One of the next events (probably the third), or NULL. */
const struct sim_event *gvm_sim_queue_peek(const struct sim_queue *q);

#endif
