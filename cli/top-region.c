// SPDX-License-Identifier: GPL-2.0-or-later
/* A shared region in `giantvm top`: one node's side of it, in the last interval. */
#include <stdio.h>

#include "canvas.h"
#include "text.h"
#include "top.h"

#define N	GVM_TEXT_MAX
#define LINES	7u	/* above those of the links */

#define RATE(field) \
	gvm_count_print(gvm_top_rate(r, now->field, before->field), field, N)

static void draw_memory(struct gvm_canvas *c, unsigned y,
			const struct gvm_shared_stats *s)
{
	char here[N], all[N], limit[N];

	gvm_canvas_put(c, y, 0, GVM_STYLE_PLAIN,
		       "memory    %s of %s here, limit %s; %llu pages waited for",
		       gvm_pages_print(s->resident_pages, here, N),
		       gvm_pages_print(s->bytes >> 12, all, N),
		       gvm_pages_print(s->local_bytes >> 12, limit, N),
		       (unsigned long long)s->wants);
}

static void draw_misses(struct gvm_canvas *c, unsigned y,
			const struct gvm_top_row *r)
{
	const struct gvm_shared_stats *now = &r->shared->region;
	const struct gvm_shared_stats *before = &r->shared->region_before;
	static const char *const kinds[] = { "read", "write", "upgrade" };
	char rate[N], p50[N], p99[N], parked[N], lost[N];
	struct gvm_stats_hist h;

	for (int i = 0; i < GVM_MISS_NR; i++) {
		gvm_top_latency(&now->latency[i], &before->latency[i], &h);
		gvm_canvas_put(c, y + (unsigned)i, 0, GVM_STYLE_PLAIN,
			       "%-9s %s misses/s, p50 %s, p99 %s", kinds[i],
			       gvm_count_print(gvm_top_rate(r, now->misses[i],
							    before->misses[i]),
					       rate, N),
			       gvm_time_print(gvm_stats_percentile(&h, 500),
					      p50, N),
			       gvm_time_print(gvm_stats_percentile(&h, 990),
					      p99, N));
	}
	gvm_canvas_put(c, y, 50, GVM_STYLE_PLAIN, "%s/s waited for room",
		       RATE(parked));
	if (now->lost)
		gvm_canvas_put(c, y + 1, 50, GVM_STYLE_BAD, "%s pages lost",
			       gvm_count_print((double)now->lost, lost, N));
}

static void draw_moves(struct gvm_canvas *c, unsigned y,
		       const struct gvm_top_row *r)
{
	const struct gvm_shared_stats *now = &r->shared->region;
	const struct gvm_shared_stats *before = &r->shared->region_before;
	char installed[N], given[N], served[N], invalidated[N];
	char evicted_dirty[N], evicted_clean[N], held[N], retries[N];

	gvm_canvas_put(c, y, 0, GVM_STYLE_PLAIN,
		       "pages/s   taken %s, given %s, shown to readers %s, invalidated %s",
		       RATE(installed), RATE(given), RATE(served),
		       RATE(invalidated));
	gvm_canvas_put(c, y + 1, 0, GVM_STYLE_PLAIN,
		       "other/s   evicted dirty %s, clean %s; held back %s, sent again %s",
		       RATE(evicted_dirty), RATE(evicted_clean), RATE(held),
		       RATE(retries));
}

static void draw_link(struct gvm_canvas *c, unsigned y,
		      const struct gvm_top_row *r, uint32_t i)
{
	const struct gvm_shared_link *now = &r->shared->region.link[i];
	const struct gvm_shared_link *before =
		&r->shared->region_before.link[i];
	char in[N], out[N], who[32];
	unsigned x;

	if (*now->address)
		snprintf(who, sizeof(who), "server    %.21s", now->address);
	else if (now->node != GVM_SHARED_OTHERS)
		snprintf(who, sizeof(who), "node      %u", now->node);
	else
		snprintf(who, sizeof(who), "others");
	x = gvm_canvas_put(c, y, 0, GVM_STYLE_PLAIN, "%-32s ", who);
	x = gvm_canvas_put(c, y, x, GVM_STYLE_PLAIN, "in %s/s, out %s/s",
		gvm_pages_print((uint64_t)gvm_top_rate(r, now->bytes_in,
				before->bytes_in) >> 12, in, N),
		gvm_pages_print((uint64_t)gvm_top_rate(r, now->bytes_out,
				before->bytes_out) >> 12, out, N));
	/* To a node there is a connection only while it is needed. */
	if (!now->connected && *now->address)
		gvm_canvas_put(c, y, x + 2, GVM_STYLE_BAD, "NOT CONNECTED");
}

void gvm_top_draw_region(struct gvm_canvas *c, unsigned y, unsigned room,
			 const struct gvm_top_row *r)
{
	const struct gvm_shared_stats *s = &r->shared->region;

	gvm_canvas_paint(c, y, GVM_STYLE_TITLE);
	gvm_canvas_put(c, y, 0, GVM_STYLE_TITLE,
		       "%u node %u of region %s", s->pid, s->node, s->name);
	draw_memory(c, y + 1, s);
	draw_misses(c, y + 2, r);
	draw_moves(c, y + 5, r);
	for (uint32_t i = 0; i < s->links_nr && i < GVM_SHARED_LINKS &&
	     LINES + i < room; i++) {
		/* The last line says what there is no room for. */
		if (LINES + i + 1 == room && i + 1 < s->links_nr) {
			gvm_canvas_put(c, y + LINES + i, 0, GVM_STYLE_PLAIN,
				       "          and %u connections more: giantvm stat --shared --json",
				       s->links_nr - i);
			return;
		}
		draw_link(c, y + LINES + i, r, i);
	}
}
