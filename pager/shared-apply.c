// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Carry out the effects of a core instance, one after the other, as they come:
 * their order is the protocol's safety (docs/PROTOCOL.md, "Order of effects").
 *
 * A page's checksum is computed once, by whoever read it out of memory after
 * the last write, travels with it, and is checked by whoever maps it.
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "crc32c.h"
#include "engine.h"
#include "shared-order.h"
#include "shared.h"
#include "sys.h"

/* Reading it maps the kernel's one zero page. */
static const u8 zeros[GVM_PAGE_BYTES]
	__attribute__((aligned(GVM_PAGE_BYTES)));

static u8 *buffer_of(struct gvm_home_link *home, u16 buffer)
{
	return home->buffers + (size_t)buffer * GVM_PAGE_BYTES;
}

static void read_page(struct gvm_shared *r, struct gvm_home_link *home,
		      const struct gvm_co_effect *e)
{
	struct gvm_kept *kept = &home->kept[e->buffer];
	u8 *at = buffer_of(home, e->buffer);

	if (r->took)
		memcpy(at, r->took, GVM_PAGE_BYTES);
	else
		gvm_page_read(r, e->page, at);
	gvm_order_read(e->page, at);
	kept->zero = gvm_page_is_zero(at);
	kept->crc = kept->zero ? 0 : gvm_crc32c_page(at);
	gvm_migratory_leaves(&r->migratory, e->page, kept->crc);
}

/* Bytes of the message at hand: they outlive it in a buffer. */
static void keep_page(struct gvm_shared *r, struct gvm_home_link *home,
		      const struct gvm_co_effect *e)
{
	struct gvm_kept *kept = &home->kept[e->buffer];

	kept->zero = !r->body;
	kept->crc = r->body_crc;
	if (r->body)
		memcpy(buffer_of(home, e->buffer), r->body, GVM_PAGE_BYTES);
}

static void check(struct gvm_shared *r, u64 page, const u8 *bytes, u32 crc)
{
	if (bytes && gvm_crc32c_page(bytes) != crc)
		gvm_shared_fatal(r, "page 0x%llx of region %s arrived damaged (checksum); stopping before anybody can see it",
				 (unsigned long long)page, r->name);
}

static const u8 *source(struct gvm_shared *r, struct gvm_home_link *home,
			const struct gvm_co_effect *e, u32 *ret_crc)
{
	const struct gvm_kept *kept;

	switch (e->bytes) {
	case GVM_BYTES_MESSAGE:
		*ret_crc = r->body_crc;
		return r->body;
	case GVM_BYTES_BUFFER:
		kept = &home->kept[e->buffer];
		*ret_crc = kept->crc;
		return kept->zero ? NULL : buffer_of(home, e->buffer);
	default:
		*ret_crc = 0;
		return NULL;
	}
}

static void install(struct gvm_shared *r, struct gvm_home_link *home,
		    const struct gvm_co_effect *e)
{
	u32 crc;
	const u8 *bytes = source(r, home, e, &crc);

	check(r, e->page, bytes, crc);
	gvm_order_gain(e->page, e->writable, bytes ? bytes : zeros);
	gvm_page_install(r, e->page, bytes ? bytes : zeros, e->writable);
	if (e->writable)
		gvm_migratory_came(&r->migratory, e->page, crc);
	r->stats->installed++;
}

static void send_message(struct gvm_shared *r, struct gvm_home_link *home,
			 struct gvm_co_effect *e)
{
	const u32 index = (u32)(home - r->homes);
	struct gvm_co_msg *msg = &e->msg;
	struct iovec iov[2];
	const u8 *bytes;
	u32 crc;

	bytes = source(r, home, e, &crc);
	if (e->bytes != GVM_BYTES_NONE) {
		msg->flags &= (u16)~(GVM_CO_BYTES | GVM_CO_ZERO);
		msg->flags |= bytes ? GVM_CO_BYTES : GVM_CO_ZERO;
	}
	iov[0].iov_base = r->head;
	iov[0].iov_len = gvm_codec_put_co(r->head, msg->to == GVM_NODE_HOME ?
					  home->handle : 0, msg, crc);
	iov[1].iov_base = (void *)(uintptr_t)bytes;
	iov[1].iov_len = GVM_PAGE_BYTES;
	r->stats->sent++;
	if (bytes)
		r->stats->pages_sent++;
	if (r->test_net && gvm_test_net_takes(r, msg->to, index, iov,
					      bytes ? 2 : 1))
		return;
	if (msg->to == GVM_NODE_HOME && e->later)
		gvm_home_link_later(r, index, iov, bytes ? 2 : 1);
	else if (msg->to == GVM_NODE_HOME)
		gvm_home_link_send(r, index, iov, bytes ? 2 : 1);
	else
		gvm_peer_send(r, msg->to, iov, bytes ? 2 : 1);
}

static void lost(struct gvm_shared *r, u64 page)
{
	char text[200];
	size_t n = 0;

	gvm_page_lost(r, page);
	r->stats->lost++;
	if (r->lost_told++)
		return;
	gvm_format(text, sizeof(text),
		   "giantvm: page 0x%llx of region %s is lost with the node that had its only copy; touching it is SIGBUS (`giantvm region status` lists such pages)\n",
		   (unsigned long long)page, r->name);
	while (text[n])
		n++;
	gvm_sys(SYS_write, 2, text, n);
}

#ifdef GVM_SEED_EARLY_ACK
/*
 * A mistake, for one test only, which must see it: an invalidated page goes
 * away a moment after the acknowledgement.
 */
#define SEED_LATE	64u
#define SEED_NS		400000ull

static struct seed {
	u64	page;
	u64	due_ns;		/* 0: free */
} seed[SEED_LATE];

void gvm_seed_tick(struct gvm_shared *r)
{
	for (u32 i = 0; i < SEED_LATE; i++) {
		if (!seed[i].due_ns || seed[i].due_ns > gvm_now_ns())
			continue;
		seed[i].due_ns = 0;
		gvm_page_unmap(r, seed[i].page);
	}
}

static void seed_settle(struct gvm_shared *r, u64 page)
{
	for (u32 i = 0; i < SEED_LATE; i++) {
		if (!seed[i].due_ns || seed[i].page != page)
			continue;
		seed[i].due_ns = 0;
		gvm_page_unmap(r, page);
	}
}

/* True: later.  Pages whose bytes are given away are not touched by this. */
static bool seed_takes(struct gvm_shared *r, const struct gvm_co_effect *e)
{
	seed_settle(r, e->page);
	for (u32 i = 0; i < r->out.nr; i++)
		if (r->out.effect[i].what == GVM_DO_READ)
			return false;
	for (u32 i = 0; i < SEED_LATE; i++) {
		if (seed[i].due_ns)
			continue;
		seed[i] = (struct seed){ e->page, gvm_now_ns() + SEED_NS };
		return true;
	}
	return false;
}
#else
void gvm_seed_tick(struct gvm_shared *r)
{
	(void)r;
}

static void seed_settle(struct gvm_shared *r, u64 page)
{
	(void)r;
	(void)page;
}

static bool seed_takes(struct gvm_shared *r, const struct gvm_co_effect *e)
{
	(void)r;
	(void)e;
	return false;
}
#endif

/* Is the page to be protected, read and unmapped?  Then it may go in one step. */
static bool goes_whole(const struct gvm_shared *r, const struct gvm_co_effect *e)
{
	return e + 2 < r->out.effect + r->out.nr &&
		e[1].what == GVM_DO_READ && e[1].page == e->page &&
		e[2].what == GVM_DO_UNMAP && e[2].page == e->page;
}

static void do_effect(struct gvm_shared *r, struct gvm_home_link *home,
		      struct gvm_co_effect *e)
{
	switch (e->what) {
	case GVM_DO_PROTECT:
		r->took = goes_whole(r, e) ? gvm_page_take(r, e->page) : NULL;
		if (!r->took)
			gvm_page_protect(r, e->page);
		break;
	case GVM_DO_READ:
		read_page(r, home, e);
		break;
	case GVM_DO_UNMAP:
		if (!r->took && !seed_takes(r, e))
			gvm_page_unmap(r, e->page);
		r->took = NULL;
		gvm_order_lose(e->page);
		gvm_migratory_gone(&r->migratory, e->page);
		break;
	case GVM_DO_FLUSH_CODE:
		gvm_page_flush_code(r, e->page);
		break;
	case GVM_DO_SEND:
		send_message(r, home, e);
		break;
	case GVM_DO_KEEP:
		keep_page(r, home, e);
		break;
	case GVM_DO_INSTALL:
		seed_settle(r, e->page);
		install(r, home, e);
		gvm_shared_stamp_end(r, e->page);
		break;
	case GVM_DO_UNPROTECT:
		gvm_order_gain(e->page, true, NULL);
		gvm_page_unprotect(r, e->page);
		gvm_shared_stamp_end(r, e->page);
		break;
	case GVM_DO_WAKE:
		gvm_page_wake(r, e->page, gvm_node_right(home->node, e->page) ==
			      GVM_RIGHT_WRITE);
		break;
	case GVM_DO_LOST:
		lost(r, e->page);
		break;
	default:
		break;
	}
}

void gvm_shared_carry(struct gvm_shared *r, struct gvm_home_link *home)
{
	gvm_seed_tick(r);
	for (u32 i = 0; i < r->out.nr; i++)
		do_effect(r, home, &r->out.effect[i]);
	if (r->out.nr)
		r->awake_ns = gvm_now_ns() + (r->prompt ? GVM_SHARED_PROMPT_NS :
					      GVM_SHARED_AWAKE_NS);
	r->out.nr = 0;
}

void gvm_shared_message(struct gvm_shared *r, const struct gvm_head *head,
			const void *payload, u16 from)
{
	struct gvm_home_link *home;
	struct gvm_co_msg msg;
	int err;

	if (head->page >= r->slices.pages)
		return;
	home = gvm_home_link_of(r, head->page);
	/* No membership there (yet): it will be sent again. */
	if (!home->node)
		return;
	r->body = gvm_codec_co(head, payload, &r->list, &msg, &r->body_crc);
	r->stats->received++;
	if (msg.to != r->id || msg.from != from) {
		r->stats->refused++;
		return;
	}
	gvm_order_seq(msg.seq);
	err = gvm_node_recv(home->node, &msg, r->now_ns, &r->out);
	if (err == -EPROTO)
		r->stats->refused++;
	if (!err)
		gvm_shared_carry(r, home);
	r->body = NULL;
}
