// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is said to a home besides the pages: HELLO, JOIN, who the other nodes
 * are, LEAVE.
 *
 * Server 0 gives the region its id, so it is joined first.
 */
#define _GNU_SOURCE
#include "engine.h"
#include "mem.h"
#include "shared.h"
#include "sys.h"

#define MS		1000000ull
#define WANTS_MAX	256u

void gvm_shared_hello(struct gvm_shared *r, struct gvm_home_link *h)
{
	struct gvm_hello hello = {
		.magic = GVM_HELLO_MAGIC,
		.version_min = GVM_WIRE_VERSION,
		.version_max = GVM_WIRE_VERSION,
	};

	h->state = GVM_LINK_HELLO;
	gvm_home_link_post(r, h, GVM_MSG_HELLO, 1, &hello, sizeof(hello));
}

static void say_join(struct gvm_shared *r, struct gvm_home_link *h)
{
	struct gvm_join join = {
		.bytes = r->bytes,
		.slice_bytes = r->slice_bytes,
		.lease_ms = r->lease_ms,
		.server = (u16)gvm_home_link_index(r, h),
		.servers = (u16)r->homes_nr,
		.node = r->id,
		.flags = h->joined ? GVM_JOIN_REJOIN : GVM_JOIN_CREATE,
	};

	if (r->flags & GVM_SHARED_CLAIM)
		join.flags |= GVM_JOIN_CLAIM;
	/* An existing region, taken as it is. */
	if (!h->joined && !r->create)
		join.flags &= (u16)~GVM_JOIN_CREATE;
	memcpy(join.name, r->name, sizeof(join.name));
	memcpy(join.region, r->region, sizeof(join.region));
	memcpy(join.cluster, r->cluster, sizeof(join.cluster));
	memcpy(join.identity, r->identity, sizeof(join.identity));
	memcpy(join.address, r->address, sizeof(join.address));
	h->state = GVM_LINK_JOIN;
	h->ping_ns = gvm_now_ns();
	gvm_home_link_post(r, h, GVM_MSG_JOIN, 2, &join, sizeof(join));
}

/* The node's side of the pages of this home. */
static int make_node(struct gvm_shared *r, struct gvm_home_link *h)
{
	struct gvm_node_config c = {
		.id = r->id,
		.epoch = h->epoch,
		.wants_max = r->frames / 4 < WANTS_MAX ? (u32)r->frames / 4 :
			     WANTS_MAX,
		.relays_max = 256,
		.retry_ns = r->retry_ns,
		.hold_ns = r->hold_ns,
	};

	if (r->flags & GVM_SHARED_CLAIM)
		c.claim_pages = r->slices.pages;
	c.buffers_max = 2 * c.wants_max + 1;
	c.pages_max = (u32)r->frames + c.buffers_max;
	h->node_bytes = gvm_node_size(&c);
	h->buffers_nr = c.buffers_max;
	h->buffers = gvm_mem_map((size_t)c.buffers_max * GVM_PAGE_BYTES);
	h->kept = gvm_mem_map(c.buffers_max * sizeof(*h->kept));
	h->node = gvm_mem_map(h->node_bytes);
	if (!h->buffers || !h->kept || !h->node)
		return -ENOMEM;
	return gvm_node_init(h->node, &c) ? 0 : -EINVAL;
}

static u32 shift_of(u64 bytes)
{
	return (u32)__builtin_ctzll(bytes) - GVM_PAGE_SHIFT;
}

/* Server 0 has said what the region is; the others must agree. */
static void learn_region(struct gvm_shared *r, const struct gvm_joined *j)
{
	memcpy(r->region, j->region, sizeof(r->region));
	r->bytes = gvm_le64(j->bytes);
	r->slice_bytes = gvm_le64(j->slice_bytes);
	r->slices = (struct gvm_slices){
		.pages = r->bytes >> GVM_PAGE_SHIFT,
		.shift = shift_of(r->slice_bytes),
		.servers = (u16)r->homes_nr,
	};
}

/* This home has given us all of its pages. */
static void take_claim(struct gvm_shared *r, struct gvm_home_link *h)
{
	const u64 slice = r->slice_bytes >> GVM_PAGE_SHIFT;

	for (u64 page = 0; page < r->slices.pages; page += slice) {
		if (gvm_home_link_of(r, page) == h)
			gvm_node_claim(h->node, page, slice);
	}
}

static void all_joined(struct gvm_shared *r)
{
	for (u32 i = 0; i < r->homes_nr; i++)
		if (!r->homes[i].joined)
			return;
	gvm_shared_started(r, 1);
}

static void joined(struct gvm_shared *r, struct gvm_home_link *h,
		   const struct gvm_head *head, const struct gvm_joined *j)
{
	const bool again = h->joined;

	h->state = GVM_LINK_UP;
	h->handle = head->region;
	h->lease_ns = gvm_le32(j->lease_ms) * MS;
	h->renewed_ns = h->ping_ns;
	if (again)
		gvm_lease_timer_set(r);
	h->backoff_ns = GVM_HOME_BACKOFF_MIN_NS;
	if (again) {
		if (h->epoch != head->epoch)
			gvm_shared_fatal(r, "server %s has given up this node's membership of region %s; stopping, because its pages are lost",
					 gvm_home_link_name(r, h), r->name);
		return;
	}
	h->epoch = head->epoch;
	if (h == r->homes)
		learn_region(r, j);
	if (make_node(r, h)) {
		gvm_format(r->why, sizeof(r->why),
			   "out of memory for the pages of region %s", r->name);
		gvm_shared_started(r, -ENOMEM);
		return;
	}
	h->joined = 1;
	gvm_lease_timer_set(r);
	if (gvm_le32(j->claimed))
		take_claim(r, h);
	for (u32 i = 1; h == r->homes && i < r->homes_nr; i++)
		gvm_home_link_connect(r, &r->homes[i]);
	all_joined(r);
}

/* An ERROR before we are up: can it be cured by waiting? */
static void refused(struct gvm_shared *r, struct gvm_home_link *h,
		    const struct gvm_error *e)
{
	const u32 code = gvm_le32(e->code);

	if (h->joined && code != GVM_ERR_BUSY && code != GVM_ERR_SHUTDOWN)
		gvm_shared_fatal(r, "server %s no longer serves node %u of region %s (%s); stopping, because its pages are lost",
				 gvm_home_link_name(r, h), r->id, r->name, e->text);
	if (h->joined || code == GVM_ERR_BUSY ||
	    (code == GVM_ERR_MEMBER && r->flags & GVM_SHARED_WAIT)) {
		gvm_home_link_down(r, h);
		return;
	}
	gvm_format(r->why, sizeof(r->why), "server %s: %s", gvm_home_link_name(r, h),
		   e->text);
	gvm_home_link_down(r, h);
	gvm_shared_started(r, code == GVM_ERR_VERSION ? -EPROTONOSUPPORT :
			   code == GVM_ERR_MEMBER ? -EBUSY :
			   code == GVM_ERR_NO_REGION ? -ENOENT : -EINVAL);
}

void gvm_shared_session(struct gvm_shared *r, struct gvm_home_link *h,
			const struct gvm_head *head, const void *payload)
{
	const struct gvm_peer_is *is = payload;
	const struct gvm_member *m = payload;

	if (head->type >= GVM_MSG_CO_FIRST && head->type <= GVM_MSG_CO_LAST) {
		gvm_shared_message(r, head, payload, GVM_NODE_HOME);
		return;
	}
	switch (head->type) {
	case GVM_MSG_PONG:
		if (head->txn <= h->renewed_ns)
			break;
		h->renewed_ns = head->txn;
		gvm_lease_timer_set(r);
		break;
	case GVM_MSG_PEER_IS:
		gvm_peer_is(r, gvm_le16(is->node), gvm_le32(is->epoch),
			    gvm_le16(is->member) ? is->address : NULL);
		break;
	case GVM_MSG_MEMBER:
		/* Epochs are per home; peers go by server 0's. */
		if (h == r->homes)
			gvm_peer_gone(r, gvm_le16(m->node));
		break;
	case GVM_MSG_ERROR:
		refused(r, h, payload);
		break;
	case GVM_MSG_HELLO:
		if (h->state == GVM_LINK_HELLO)
			say_join(r, h);
		break;
	case GVM_MSG_JOINED:
		if (h->state == GVM_LINK_JOIN)
			joined(r, h, head, payload);
		break;
	case GVM_MSG_LEFT:
		h->left = 1;
		gvm_lease_timer_set(r);
		break;
	default:
		gvm_home_link_lost(r, h, "sent a message out of turn");
	}
}

void gvm_home_link_ask_peer(struct gvm_shared *r, u16 node)
{
	struct gvm_peer peer = { .node = node };

	if (r->homes[0].state == GVM_LINK_UP)
		gvm_home_link_post(r, &r->homes[0], GVM_MSG_PEER, 3, &peer, sizeof(peer));
}

/* Everything has been given back: say so.  True: all know. */
bool gvm_homes_leave(struct gvm_shared *r)
{
	bool all = true;

	for (u32 i = 0; i < r->homes_nr; i++) {
		struct gvm_home_link *h = &r->homes[i];

		if (h->state == GVM_LINK_UP && !h->left &&
		    gvm_home_link_post(r, h, GVM_MSG_LEAVE, 4, NULL, 0))
			h->state = GVM_LINK_LEAVE;
		all &= h->left || !h->joined;
	}
	return all;
}
