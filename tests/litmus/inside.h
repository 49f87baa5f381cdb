/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the litmus tests are written in. */
#ifndef GVM_TEST_LITMUS_INSIDE_H
#define GVM_TEST_LITMUS_INSIDE_H

#include <sched.h>

#include "cluster.h"
#include "litmus.h"

#define X (*round->v[0])
#define Y (*round->v[1])
#define Z (*round->v[2])
#define W (*round->v[3])
#define NEW(value) ((value) >= round->one)
#define BIT(thread, result) ((unsigned)NEW(round->r[thread][result]))
/* Results that are yes or no. */
#define YES(thread, result) ((unsigned)(round->r[thread][result] != 0))

/*
 * Two accesses to one page that is here are over before anybody else can come
 * between, so a thread dawdles now and then.
 */
static inline void dawdle(const struct round *round)
{
	const uint64_t until = round->dawdle_ns ? now_ns() + round->dawdle_ns :
			       0;

	while (until && now_ns() < until)
		sched_yield();
}

#endif
