// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A heap with four children touches half the levels of a binary one, and the
 * four lie in one cache line, hence the odd origin of the array: children of
 * the event at i are at 4i - 8 .. 4i - 5, and the root is at 3.
 */
#include <stdlib.h>

#include "queue.h"

#define ROOT	3u
#define LINE	64u

static bool grow(struct sim_queue *q)
{
	size_t max = q->max ? q->max * 2 : 4096;
	struct sim_event *heap = aligned_alloc(LINE, max * sizeof(*heap));

	if (!heap) {
		q->failed = true;
		return false;
	}
	if (q->heap)
		memcpy(heap, q->heap, q->max * sizeof(*heap));
	free(q->heap);
	q->heap = heap;
	q->max = max;
	return true;
}

void gvm_sim_queue_push(struct sim_queue *q, u64 at, u32 what, u32 arg)
{
	struct sim_event e = { at, what, arg };
	size_t i = q->nr + ROOT;

	if (i >= q->max && !grow(q))
		return;
	q->nr++;
	while (i > ROOT) {
		size_t up = i / 4 + 2;

		if (q->heap[up].at <= at)
			break;
		q->heap[i] = q->heap[up];
		i = up;
	}
	q->heap[i] = e;
}

bool gvm_sim_queue_pop(struct sim_queue *q, struct sim_event *ret)
{
	struct sim_event *heap = q->heap;
	size_t end, i = ROOT;
	struct sim_event last;

	if (!q->nr)
		return false;
	*ret = heap[ROOT];
	end = --q->nr + ROOT;
	last = heap[end];
	for (;;) {
		size_t child = 4 * i - 8;
		size_t least = child;
		size_t stop = child + 4 < end ? child + 4 : end;

		if (child >= end)
			break;
		for (size_t c = child + 1; c < stop; c++) {
			if (heap[c].at < heap[least].at)
				least = c;
		}
		if (heap[least].at >= last.at)
			break;
		heap[i] = heap[least];
		i = least;
	}
	heap[i] = last;
	return true;
}

const struct sim_event *gvm_sim_queue_peek(const struct sim_queue *q)
{
	return q->nr > 4 ? &q->heap[ROOT + 1] : NULL;
}
