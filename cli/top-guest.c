// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest in `giantvm top`: a line for each of its nodes, in rates by the node's
 * own clock; below, if there is room, a second one for each.
 */
#include <stdio.h>

#include "canvas.h"
#include "text.h"
#include "top.h"

#define N	GVM_TEXT_MAX

/* A row of figures to be: of which counters, under which words. */
struct column {
	const char	*word;
	int		one, other;	/* counters that are added; -1: none */
};

static const struct column rates[] = {
	{ "FAULT/S", GVM_GUEST_FAULTS, -1 },
	{ "TAKEN/S", GVM_GUEST_TAKEN, -1 },
	{ "GIVEN/S", GVM_GUEST_GIVEN, -1 },
	{ "FORWD/S", GVM_GUEST_PORT_FORWARDS, GVM_GUEST_MEMORY_FORWARDS },
	{ "IRQ/S", GVM_GUEST_IRQS_SENT, -1 },
	{ "TAKEN", GVM_GUEST_IRQS_RECEIVED, -1 },
};

static const struct column more[] = {
	{ "READ/S", GVM_GUEST_MISSES_READ, -1 },
	{ "WRITE/S", GVM_GUEST_MISSES_WRITE, -1 },
	{ "UPGR/S", GVM_GUEST_MISSES_UPGRADE, -1 },
	{ "LOCKS/S", GVM_GUEST_LOCKS, -1 },
	{ "TURNS/S", GVM_GUEST_TURNS, -1 },
};

static double rate(const struct gvm_top_row *r, uint32_t node, int which)
{
	const uint64_t *now = r->shared->guest.node[node].counter;
	const uint64_t *before = r->shared->guest_before.node[node].counter;
	uint64_t ns = now[GVM_GUEST_TIME_NS] - before[GVM_GUEST_TIME_NS];

	if (which < 0 || !ns || now[which] < before[which])
		return 0;
	return (double)(now[which] - before[which]) * 1e9 / (double)ns;
}

static void draw_rates(struct gvm_canvas *c, unsigned y, unsigned *x,
		       const struct gvm_top_row *r, uint32_t node,
		       const struct column *columns, unsigned nr)
{
	char text[N];

	for (unsigned i = 0; i < nr; i++)
		*x = gvm_canvas_put(c, y, *x, GVM_STYLE_PLAIN, "%8s",
			gvm_count_print(rate(r, node, columns[i].one) +
					rate(r, node, columns[i].other),
					text, N));
}

static unsigned draw_words(struct gvm_canvas *c, unsigned y,
			   const struct column *columns, unsigned nr)
{
	unsigned x = gvm_canvas_put(c, y, 0, GVM_STYLE_TITLE, "%4s %-14s",
				    "NODE", "ADDRESS");

	for (unsigned i = 0; i < nr; i++)
		x = gvm_canvas_put(c, y, x, GVM_STYLE_TITLE, "%8s",
				   columns[i].word);
	return x;
}

static unsigned draw_name(struct gvm_canvas *c, unsigned y,
			  const struct gvm_guest_stats *g, uint32_t node)
{
	enum gvm_style style = g->node[node].left ? GVM_STYLE_BAD :
			       GVM_STYLE_PLAIN;

	return gvm_canvas_put(c, y, 0, style, "%4u %-14.14s", node,
			      g->node[node].left ? "HAS ENDED" :
			      g->node[node].address);
}

static void draw_first(struct gvm_canvas *c, unsigned y,
		       const struct gvm_top_row *r, uint32_t node)
{
	const uint64_t *now = r->shared->guest.node[node].counter;
	unsigned x = draw_name(c, y, &r->shared->guest, node);
	char text[N];

	draw_rates(c, y, &x, r, node, rates, 6);
	gvm_canvas_put(c, y, x, GVM_STYLE_PLAIN, "%11s",
		       gvm_time_print(now[GVM_GUEST_READ_P50_NS], text, N));
}

static void draw_second(struct gvm_canvas *c, unsigned y,
			const struct gvm_top_row *r, uint32_t node)
{
	const uint64_t *now = r->shared->guest.node[node].counter;
	unsigned x = draw_name(c, y, &r->shared->guest, node);
	char here[N], limit[N], p99[N];

	draw_rates(c, y, &x, r, node, more, 4);
	gvm_canvas_put(c, y, x, GVM_STYLE_PLAIN, "%10s %9s %8s",
		       gvm_pages_print(now[GVM_GUEST_RESIDENT_PAGES], here, N),
		       gvm_pages_print(now[GVM_GUEST_LOCAL_PAGES], limit, N),
		       gvm_time_print(now[GVM_GUEST_READ_P99_NS], p99, N));
}

void gvm_top_draw_guest(struct gvm_canvas *c, unsigned y, unsigned room,
			const struct gvm_top_row *r)
{
	const struct gvm_guest_stats *g = &r->shared->guest;
	const unsigned end = y + room;
	unsigned x;

	gvm_canvas_paint(c, y, GVM_STYLE_TITLE);
	gvm_canvas_put(c, y++, 0, GVM_STYLE_TITLE,
		       "%u guest of %u nodes and %u vCPUs, seen from node %u",
		       g->pid, g->nodes_nr, g->vcpus_nr, g->me);
	x = draw_words(c, y++, rates, 6);
	gvm_canvas_put(c, y - 1, x, GVM_STYLE_TITLE, "%11s", "READ P50");
	for (uint32_t i = 0; i < g->nodes_nr && y < end; i++) {
		if (y + 1 == end && i + 1 < g->nodes_nr) {
			gvm_canvas_put(c, y, 0, GVM_STYLE_PLAIN,
				       "     and %u nodes more: giantvm stat --guest",
				       g->nodes_nr - i);
			return;
		}
		draw_first(c, y++, r, i);
	}
	if (y + g->nodes_nr + 1 > end)
		return;
	x = draw_words(c, y++, more, 4);
	gvm_canvas_put(c, y - 1, x, GVM_STYLE_TITLE, "%10s %9s %8s", "RESIDENT",
		       "LIMIT", "READ P99");
	for (uint32_t i = 0; i < g->nodes_nr; i++)
		draw_second(c, y++, r, i);
}
