// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Traffic of a shared region, for each of its servers and nodes.
 *
 * Connections count their bytes and forget them when they end; this looks at
 * them now and then, so that nothing is added to the path of a message.  What
 * went over a connection between the last look and its end is not counted.
 */
#define _GNU_SOURCE
#include "engine.h"
#include "mem.h"
#include "shared.h"

#define HOMES_SHOWN	(GVM_SHARED_LINKS / 2)
#define REST		(GVM_SHARED_LINKS - 1)	/* the last entry */

static_assert(GVM_SHARED_OTHERS == GVM_NODE_NONE, "no node's number");

/* What was counted already of homes and, behind them, of peers' places. */
struct gvm_link_seen {
	u64	in;
	u64	out;
	u16	node;
};

static size_t bytes_of(const struct gvm_shared *r)
{
	return (r->homes_nr + GVM_PEERS_MAX) * sizeof(*r->links_seen);
}

int gvm_shared_links_init(struct gvm_shared *r)
{
	struct gvm_shared_stats *st = r->stats;

	r->links_seen = gvm_mem_map(bytes_of(r));
	if (!r->links_seen)
		return -ENOMEM;
	for (u32 i = 0; i < r->homes_nr && i < HOMES_SHOWN; i++) {
		gvm_format(st->link[i].address, sizeof(st->link[i].address),
			   "%s", r->servers[i].text);
		st->links_nr++;
	}
	return 0;
}

void gvm_shared_links_fini(struct gvm_shared *r)
{
	if (r->links_seen)
		gvm_mem_unmap(r->links_seen, bytes_of(r));
	r->links_seen = NULL;
}

/* The entry of a node: its own for ever, or that of all who have none. */
static struct gvm_shared_link *entry_of(struct gvm_shared_stats *st, u16 node)
{
	struct gvm_shared_link *link;

	for (u32 i = 0; i < st->links_nr; i++) {
		link = &st->link[i];
		if (!*link->address && (link->node == node || i == REST))
			return link;
	}
	link = &st->link[st->links_nr++];
	link->node = link == &st->link[REST] ? GVM_NODE_NONE : node;
	return link;
}

static void add(struct gvm_shared_link *link, struct gvm_link_seen *seen,
		const struct gvm_conn *conn)
{
	/* Less than before: it is another connection. */
	if (conn->bytes_in < seen->in || conn->bytes_out < seen->out)
		*seen = (struct gvm_link_seen){ .node = seen->node };
	link->bytes_in += conn->bytes_in - seen->in;
	link->bytes_out += conn->bytes_out - seen->out;
	seen->in = conn->bytes_in;
	seen->out = conn->bytes_out;
}

void gvm_shared_links_tick(struct gvm_shared *r)
{
	struct gvm_shared_stats *st = r->stats;
	struct gvm_link_seen *seen = r->links_seen;

	for (u32 i = 0; i < st->links_nr; i++)
		st->link[i].connected = 0;
	for (u32 i = 0; i < r->homes_nr; i++, seen++) {
		struct gvm_shared_link *link = i < HOMES_SHOWN ? &st->link[i] :
			entry_of(st, GVM_NODE_NONE);

		add(link, seen, &r->homes[i].conn);
		link->connected |= r->homes[i].state == GVM_LINK_UP;
	}
	for (u32 i = 0; i < GVM_PEERS_MAX; i++, seen++) {
		const struct gvm_peer_link *p = &r->peers[i];
		struct gvm_shared_link *link;

		if (p->state != GVM_LINK_UP)
			continue;
		if (seen->node != p->node)
			*seen = (struct gvm_link_seen){ .node = p->node };
		link = entry_of(st, p->node);
		add(link, seen, &p->conn);
		link->connected = 1;
	}
}
