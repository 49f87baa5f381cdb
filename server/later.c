// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Messages that nobody waits for: CONFIRMs that only free a buffer.  To send one
 * by itself costs a system call here, and there a thread that is woken for
 * nothing.  So it goes with the next message of its connection, or after
 * LATER_MS.
 *
 * A worker's links with such bytes, or that had some, are few: what does not fit
 * is sent at once.
 */
#include "worker.h"

#define LATER_MS	2	/* far below what a node waits for a CONFIRM */
#define LATER_ROUNDS	256u	/* of a worker that never sleeps */
#define MS		1000000ull

bool gvm_later_add(struct gvm_worker *w, struct gvm_link *k)
{
	for (u32 i = 0; i < w->later_nr; i++) {
		if (w->later[i] == k)
			return true;
	}
	if (w->later_nr == GVM_LATER_MAX)
		return false;
	/* Who is driven is not woken when it is time, but looks at the clock. */
	if (!w->later_nr && w->server->driven)
		w->later_ns = gvm_worker_now_ns();
	w->later[w->later_nr++] = k;
	return true;
}

void gvm_later_remove(struct gvm_worker *w, const struct gvm_link *k)
{
	for (u32 i = 0; i < w->later_nr; i++) {
		if (w->later[i] == k)
			w->later[i--] = w->later[--w->later_nr];
	}
}

int gvm_later_ms(const struct gvm_worker *w)
{
	return w->later_nr ? LATER_MS : -1;
}

static bool is_time(struct gvm_worker *w, bool slept)
{
	if (w->server->driven)
		return gvm_worker_now_ns() >= w->later_ns + LATER_MS * MS;
	return slept || ++w->rounds >= LATER_ROUNDS;
}

void gvm_later_tick(struct gvm_worker *w, bool slept)
{
	if (!w->later_nr || !is_time(w, slept))
		return;
	w->rounds = 0;
	while (w->later_nr) {
		struct gvm_link *k = w->later[--w->later_nr];

		k->later = 0;
		if (k->out.bytes)
			gvm_worker_push(w, k);
	}
}
