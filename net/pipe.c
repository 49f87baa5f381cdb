// SPDX-License-Identifier: GPL-2.0-or-later
/* Two byte streams in memory; see pipe.h. */
#include <errno.h>
#include <string.h>

#include "pipe.h"

/* Empty most of the time, and then it begins at the front, in the cache. */
static u32 room_of(struct gvm_pipe_way *w)
{
	if (w->head == w->tail) {
		w->head = 0;
		w->tail = 0;
	} else if (w->head > GVM_PIPE_BYTES / 2) {
		memmove(w->bytes, w->bytes + w->head, w->tail - w->head);
		w->tail -= w->head;
		w->head = 0;
	}
	return GVM_PIPE_BYTES - w->tail;
}

long gvm_pipe_write(struct gvm_pipe *p, enum gvm_pipe_end end,
		    const struct iovec *iov, int nr)
{
	struct gvm_pipe_way *w = &p->from[end];
	u32 room = room_of(w);
	long done = 0;

	if (__atomic_load_n(&p->closed, __ATOMIC_ACQUIRE))
		return -EPIPE;
	for (int i = 0; i < nr && room; i++) {
		u32 n = iov[i].iov_len < room ? (u32)iov[i].iov_len : room;

		memcpy(w->bytes + w->tail, iov[i].iov_base, n);
		w->tail += n;
		room -= n;
		done += n;
	}
	return done;
}

long gvm_pipe_read(struct gvm_pipe *p, enum gvm_pipe_end end, void *to,
		   size_t room)
{
	struct gvm_pipe_way *w = &p->from[!end];
	u32 have = w->tail - w->head;
	u32 n = have < room ? have : (u32)room;

	if (!have)
		return __atomic_load_n(&p->closed, __ATOMIC_ACQUIRE) ? -EPIPE :
			-EAGAIN;
	memcpy(to, w->bytes + w->head, n);
	w->head += n;
	return (long)n;
}
