// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tell a page's home that nobody will read what it holds.
 *
 * A TRIM must not overtake, or be overtaken by, a WRITE of the same page: the
 * page stays in a _WB state until the answer, and no newer WRITE leaves
 * before that.  A TRIM only saves room at home: where no request is free it is
 * left out, and the next WRITE of the page replaces what lies there.
 */
#include "engine.h"

static void send_open(struct gvm_shard *s, struct gvm_link *link)
{
	struct gvm_request *r = &s->requests[link->trim];

	link->trim = GVM_REQUEST_NONE;
	s->trims_open--;
	gvm_request_send(s, r);
}

void gvm_trim_flush(struct gvm_shard *s)
{
	for (u32 i = 0; s->trims_open && i < s->gvm->servers_nr; i++)
		if (s->links[i].trim != GVM_REQUEST_NONE)
			send_open(s, &s->links[i]);
}

static struct gvm_request *open_trim(struct gvm_shard *s, u16 server)
{
	struct gvm_link *link = &s->links[server];
	struct gvm_request *r;

	if (link->trim != GVM_REQUEST_NONE) {
		r = &s->requests[link->trim];
		if (r->pages < GVM_REQUEST_PAGES)
			return r;
		send_open(s, link);
	}
	r = gvm_request_get(s, GVM_MSG_TRIM, server, 1);
	if (!r)
		return NULL;
	link->trim = gvm_request_index(s, r);
	s->trims_open++;
	return r;
}

/* The page is ZERO_WB and home holds something of it. */
void gvm_trim_add(struct gvm_shard *s, struct gvm_chunk *chunk, u32 idx)
{
	const u64 va = gvm_page_va(chunk, idx);
	struct gvm_link *link = &s->links[chunk->server];
	struct gvm_request_page *p;
	struct gvm_request *r;

	if (link->trim != GVM_REQUEST_NONE) {
		r = &s->requests[link->trim];
		p = &r->page[r->pages - 1];
		if (p->va + ((u64)p->count << GVM_PAGE_SHIFT) == va) {
			p->count++;
			return;
		}
	}
	r = open_trim(s, chunk->server);
	if (!r) {
		gvm_page_trimmed(s, va, 1);
		return;
	}
	r->page[r->pages++] = (struct gvm_request_page){
		.va = va, .count = 1, .live = 1,
	};
}

/* The answer: home holds nothing of these pages any more. */
void gvm_page_trimmed(struct gvm_shard *s, u64 va, u32 count)
{
	for (; count; count--, va += GVM_PAGE_BYTES) {
		struct gvm_chunk *chunk = gvm_table_find(&s->table, va);
		u32 idx = gvm_page_idx(va);
		u16 actions;

		if (gvm_bug_on(!chunk))
			return;
		gvm_page_event(s, chunk, idx, GVM_EV_WRITTEN, &actions);
		chunk->stored--;
		s->links[chunk->server].stored--;
		switch (chunk->state[idx]) {
		case GVM_PAGE_DIRTY:
			chunk->word[idx] = 0;
			break;
		case GVM_PAGE_STAGED:
			s->staging.slots[chunk->word[idx]].stored = 0;
			s->staging.unsent++;
			s->staging.send = s->staging.tail;
			break;
		}
	}
}
