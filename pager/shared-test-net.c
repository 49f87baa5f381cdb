// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A bad network, for tests: what this node sends to homes and peers is lost,
 * repeated, delayed and reordered at random.  Joining and leases are not.
 *
 *	GIANTVM_TEST_NET=delay_us=N,late=N,drop=N,dup=N,reorder=N,seed=N,apart=1
 *
 * late, drop, dup, reorder: of 1,000 messages; delay_us: 0 to N for each message
 * that is late (all, if nothing is said), in order; a message that is reordered
 * waits once more as long by itself.  apart: nothing comes to another node, only to
 * homes.
 */
#define _GNU_SOURCE
#include <stdlib.h>

#include "engine.h"
#include "mem.h"
#include "shared.h"
#include "sys.h"

#define WAITING_MAX	512u
#define BYTES_MAX	(GVM_CO_HEAD_BYTES_MAX + GVM_PAGE_BYTES)

struct waiting {
	u64	due_ns;		/* 0: free */
	u64	order;
	u16	node;
	u32	home;
	u32	bytes;
	u8	data[BYTES_MAX];
};

struct gvm_test_net {
	u64	delay_us;
	u64	late;
	u64	drop;
	u64	dup;
	u64	reorder;
	u64	seed;
	u64	apart;
	u64	order;
	u64	last_ns;	/* the youngest that is in order */
	u32	used;		/* of waiting: they are many bytes apart */
	struct waiting waiting[WAITING_MAX];
};

static u64 next(struct gvm_test_net *t)
{
	t->seed ^= t->seed << 13;
	t->seed ^= t->seed >> 7;
	t->seed ^= t->seed << 17;
	return t->seed;
}

static u64 setting(const char *text, const char *name, u64 otherwise)
{
	size_t n = 0;
	u64 v = 0;

	while (name[n])
		n++;
	for (; *text; text++) {
		if (memcmp(text, name, n) == 0 && text[n] == '=') {
			text += n + 1;
			while (*text >= '0' && *text <= '9')
				v = v * 10 + (u64)(*text++ - '0');
			return v;
		}
		while (*text && *text != ',')
			text++;
		if (!*text)
			break;
	}
	return otherwise;
}

int gvm_test_net_init(struct gvm_shared *r)
{
	char text[128];
	const char *env = getenv("GIANTVM_TEST_NET");
	struct gvm_test_net *t;

	if (!env || !*env)
		return 0;
	/* Room behind the end, because names are compared blindly. */
	memset(text, 0, sizeof(text));
	gvm_format(text, sizeof(text) - 16, "%s", env);
	t = gvm_mem_map(sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->delay_us = setting(text, "delay_us", 0);
	t->late = setting(text, "late", 1000);
	t->drop = setting(text, "drop", 0);
	t->dup = setting(text, "dup", 0);
	t->reorder = setting(text, "reorder", 0);
	t->apart = setting(text, "apart", 0);
	t->seed = (setting(text, "seed", 0) + r->id + 1) *
		  0x9e3779b97f4a7c15ull;
	r->test_net = t;
	return 0;
}

void gvm_test_net_fini(struct gvm_shared *r)
{
	gvm_mem_unmap(r->test_net, sizeof(*r->test_net));
	r->test_net = NULL;
}

/* A full table loses the message. */
static void put(struct gvm_shared *r, u16 node, u32 home,
		const struct iovec *iov, int nr, u64 due_ns)
{
	struct gvm_test_net *t = r->test_net;
	struct waiting *w = NULL;

	for (u32 i = 0; i < WAITING_MAX && !w; i++)
		if (!t->waiting[i].due_ns)
			w = &t->waiting[i];
	if (!w)
		return;
	t->used++;
	w->due_ns = due_ns;
	w->order = t->order++;
	w->node = node;
	w->home = home;
	w->bytes = 0;
	for (int i = 0; i < nr; i++) {
		memcpy(w->data + w->bytes, iov[i].iov_base, iov[i].iov_len);
		w->bytes += (u32)iov[i].iov_len;
	}
}

bool gvm_test_net_takes(struct gvm_shared *r, u16 node, u32 home,
			const struct iovec *iov, int nr)
{
	struct gvm_test_net *t = r->test_net;
	const u64 now = gvm_now_ns();
	u64 times = 1 + (next(t) % 1000 < t->dup);

	if (next(t) % 1000 < t->drop || (t->apart && node != GVM_NODE_HOME))
		return true;
	while (times--) {
		bool late = t->delay_us && next(t) % 1000 < t->late;
		u64 due = now + (late ? next(t) % (t->delay_us * 1000) : 0);

		if (next(t) % 1000 < t->reorder) {
			due += t->delay_us * 1000;
		} else {
			if (due < t->last_ns)
				due = t->last_ns;
			t->last_ns = due;
		}
		/* Nothing in its way. */
		if (!times && due == now && !t->used)
			return false;
		put(r, node, home, iov, nr, due);
	}
	return true;
}

/* The oldest that is due by now; NULL: none, and *ret_next says when. */
static struct waiting *first_due(struct gvm_test_net *t, u64 now,
				 u64 *ret_next)
{
	struct waiting *best = NULL;
	u32 left = t->used;

	*ret_next = ~0ull;
	for (u32 i = 0; left && i < WAITING_MAX; i++) {
		struct waiting *w = &t->waiting[i];

		if (!w->due_ns)
			continue;
		left--;
		if (w->due_ns < *ret_next)
			*ret_next = w->due_ns;
		if (w->due_ns <= now &&
		    (!best || w->due_ns < best->due_ns ||
		     (w->due_ns == best->due_ns && w->order < best->order)))
			best = w;
	}
	return best;
}

u64 gvm_test_net_tick(struct gvm_shared *r)
{
	struct waiting *w;
	u64 next_ns;

	while ((w = first_due(r->test_net, r->now_ns, &next_ns))) {
		struct iovec iov = { w->data, w->bytes };

		w->due_ns = 0;
		r->test_net->used--;
		if (w->node == GVM_NODE_HOME)
			gvm_home_link_send(r, w->home, &iov, 1);
		else
			gvm_peer_send(r, w->node, &iov, 1);
	}
	return next_ns;
}
