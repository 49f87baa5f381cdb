// SPDX-License-Identifier: GPL-2.0-or-later
/* See order.h. */
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "cluster.h"
#include "order.h"
#include "../../core/crc32c.h"
#include "../../pager/shared-order.h"

/* One page, in this node.  Written by the pager's thread alone. */
struct mine {
	uint64_t gen;		/* odd: being changed */
	uint64_t seq;
	uint64_t version;
	uint32_t mapped;
	uint32_t writable;
};

static struct order_books *books;
static struct mine mine[ORDER_PAGES_MAX];
static uint32_t me;
static uint64_t next_seq;

struct order_books *order_begin(void)
{
	static const uint8_t zeros[PAGE];
	struct order_books *b = common_map(sizeof(*b));

	for (uint32_t i = 0; i < ORDER_PAGES_MAX; i++)
		b->page[i].crc = gvm_crc32c_page(zeros);
	return b;
}

void order_node(struct order_books *b, uint32_t node)
{
	books = b;
	me = node;
}

void order_wrong(uint32_t page, const char *what, uint64_t saw, uint64_t wanted)
{
	uint32_t i = __atomic_fetch_add(&books->wrong_nr, 1, __ATOMIC_RELAXED);

	if (i < ORDER_WRONG_MAX)
		books->wrong[i] = (struct order_wrong){
			what, me, page, saw, wanted,
		};
}

uint32_t order_report(const struct order_books *b)
{
	for (uint32_t i = 0; i < b->wrong_nr && i < ORDER_WRONG_MAX; i++) {
		const struct order_wrong *w = &b->wrong[i];

		fprintf(stderr, "node %u, page %u: %s: %llu, not %llu\n",
			w->node, w->page, w->what, (unsigned long long)w->saw,
			(unsigned long long)w->wanted);
	}
	return b->wrong_nr;
}

/* Held for some loads and stores only; its holder may be preempted, though. */
static struct order_page *lock(uint64_t page)
{
	struct order_page *o = &books->page[page];

	for (int i = 0; __atomic_exchange_n(&o->lock, 1, __ATOMIC_ACQUIRE); i++)
		if (i > 100)
			sched_yield();
	return o;
}

static void unlock(struct order_page *o)
{
	__atomic_store_n(&o->lock, 0, __ATOMIC_RELEASE);
}

static void change(uint64_t page, const struct mine *to)
{
	struct mine *m = &mine[page];

	__atomic_fetch_add(&m->gen, 1, __ATOMIC_SEQ_CST);
	m->seq = to->seq;
	m->version = to->version;
	m->mapped = to->mapped;
	m->writable = to->writable;
	__atomic_fetch_add(&m->gen, 1, __ATOMIC_SEQ_CST);
}

void gvm_order_seq(u64 seq)
{
	next_seq = seq;
}

void gvm_order_gain(u64 page, bool writable, const u8 *bytes)
{
	const struct mine *m = &mine[page];
	struct mine now = { 0, next_seq, 0, 1, writable };
	struct order_page *o = lock(page);

	if (o->writer)
		order_wrong((uint32_t)page, "came while another node may write it",
			    next_seq, o->writer - 1);
	if (next_seq < o->seq)
		order_wrong((uint32_t)page, "came by an old right", next_seq,
			    o->seq);
	if (bytes && gvm_crc32c_page(bytes) != o->crc)
		order_wrong((uint32_t)page, "came with other bytes than the last right to write left",
			    next_seq, o->seq);
	if (!bytes && m->version != o->version)
		order_wrong((uint32_t)page, "may be written, and is not the latest",
			    m->version, o->version);
	now.version = o->version;
	if (writable)
		o->writer = me + 1;
	unlock(o);
	__atomic_fetch_add(&books->installs, 1, __ATOMIC_RELAXED);
	change(page, &now);
}

/* The right to write ends here: what it leaves is what all others get. */
static void end_right(u64 page, const u8 *bytes)
{
	struct mine now = mine[page];
	struct order_page *o = lock(page);

	memcpy(&now.version, bytes, sizeof(now.version));
	if (o->writer != me + 1)
		order_wrong((uint32_t)page, "was written by a node without the right",
			    me, o->writer - 1);
	if (now.seq < o->seq)
		order_wrong((uint32_t)page, "rights to write ended out of order",
			    now.seq, o->seq);
	if (now.version < o->version)
		order_wrong((uint32_t)page, "went back while it was written",
			    now.version, o->version);
	o->writer = 0;
	o->seq = now.seq;
	o->version = now.version;
	o->crc = gvm_crc32c_page(bytes);
	unlock(o);
	__atomic_fetch_add(&books->epochs, 1, __ATOMIC_RELAXED);
	now.writable = 0;
	change(page, &now);
}

void gvm_order_read(u64 page, const u8 *bytes)
{
	struct order_page *o;

	if (mine[page].writable) {
		end_right(page, bytes);
		return;
	}
	/* A copy for somebody else. */
	o = lock(page);
	if (gvm_crc32c_page(bytes) != o->crc)
		order_wrong((uint32_t)page, "a copy is not what the last right to write left",
			    mine[page].seq, o->seq);
	unlock(o);
}

void gvm_order_lose(u64 page)
{
	const struct mine none = { 0 };

	if (mine[page].writable)
		order_wrong((uint32_t)page, "dropped while it could be written", 0,
			    mine[page].seq);
	change(page, &none);
}

void order_look(uint32_t page, struct order_view *ret)
{
	const struct mine *m = &mine[page];

	do {
		ret->gen = __atomic_load_n(&m->gen, __ATOMIC_SEQ_CST);
		ret->seq = __atomic_load_n(&m->seq, __ATOMIC_SEQ_CST);
		ret->version = __atomic_load_n(&m->version, __ATOMIC_SEQ_CST);
		ret->mapped = __atomic_load_n(&m->mapped, __ATOMIC_SEQ_CST);
		ret->writable = __atomic_load_n(&m->writable, __ATOMIC_SEQ_CST);
	} while (ret->gen % 2 ||
		 ret->gen != __atomic_load_n(&m->gen, __ATOMIC_SEQ_CST));
}

bool order_judge(uint32_t page, const struct order_view *before,
		 uint64_t version)
{
	const struct order_page *o = &books->page[page];
	uint32_t writer = __atomic_load_n(&o->writer, __ATOMIC_SEQ_CST);
	uint64_t seq = __atomic_load_n(&o->seq, __ATOMIC_SEQ_CST);
	struct order_view after;

	order_look(page, &after);
	if (after.gen != before->gen)
		return false;
	if (!before->mapped)
		order_wrong(page, "was read, and this node does not have it",
			    version, 0);
	else if (before->writable ? version < before->version :
				    version != before->version)
		order_wrong(page, "is not what the last right to write left",
			    version, before->version);
	if (before->mapped && seq > before->seq)
		order_wrong(page, "was read after a later right to write had ended",
			    before->seq, seq);
	if (before->mapped && writer && writer != me + 1)
		order_wrong(page, "was read while another node may write it",
			    me, writer - 1);
	return true;
}
