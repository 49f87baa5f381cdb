// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The picture of `giantvm top`: a list of programs above, the chosen one
 * below, and the keys in the last line.  Everything has a place at 80x24;
 * a larger window gets more programs and servers.
 */
#include <string.h>

#include "canvas.h"
#include "report.h"
#include "text.h"
#include "top.h"

#define DETAIL_ROWS	10u	/* lines about the chosen program */
#define SERVERS_MIN	3u	/* of its servers, in a small window */
#define FRAME_ROWS	3u	/* title, column names, keys */
#define BAR_COL		70u	/* in the list */

#define N		GVM_TEXT_MAX

static void draw_title(const struct gvm_top *t, struct gvm_canvas *c)
{
	double faults = 0, in = 0, out = 0;
	char f[N], i[N], o[N];

	for (int r = 0; r < t->rows_nr; r++) {
		const struct gvm_top_row *row = &t->rows[r];

		faults += gvm_top_rate(row, row->now.faults,
				       row->before.faults);
		for (int s = 0; s < GVM_STATS_SERVERS; s++) {
			in += gvm_top_rate(row, row->now.server[s].bytes_in,
					   row->before.server[s].bytes_in);
			out += gvm_top_rate(row, row->now.server[s].bytes_out,
					    row->before.server[s].bytes_out);
		}
	}
	gvm_canvas_paint(c, 0, GVM_STYLE_TITLE);
	gvm_canvas_put(c, 0, 0, GVM_STYLE_TITLE,
		       "giantvm top   %d program%s   %s faults/s   in %s/s   out %s/s",
		       t->rows_nr, t->rows_nr == 1 ? "" : "s",
		       gvm_count_print(faults, f, N),
		       gvm_pages_print((uint64_t)in >> 12, i, N),
		       gvm_pages_print((uint64_t)out >> 12, o, N));
}

static void draw_row(struct gvm_canvas *c, unsigned y,
		     const struct gvm_top_row *r, bool chosen)
{
	enum gvm_style style = chosen ? GVM_STYLE_CHOSEN : GVM_STYLE_PLAIN;
	const struct gvm_stats *s = &r->now;
	double here = (double)(s->resident_pages + s->staged_pages);
	char limit[N], resident[N], remote[N], faults[N], p99[N];
	struct gvm_stats_hist latency;

	gvm_top_latency(&s->latency_remote, &r->before.latency_remote,
			&latency);
	gvm_canvas_put(c, y, 0, style,
		       "%7u %-14.14s%9s %9s %9s %7s %9s ", s->pid, s->name,
		       gvm_pages_print(s->local_bytes >> 12, limit, N),
		       gvm_pages_print((uint64_t)here, resident, N),
		       gvm_pages_print(s->remote_pages, remote, N),
		       gvm_count_print(gvm_top_rate(r, s->faults,
						    r->before.faults),
				       faults, N),
		       gvm_time_print(gvm_stats_percentile(&latency, 990), p99,
				      N));
	if (c->cols > BAR_COL + 4)
		gvm_canvas_bar(c, y, BAR_COL, c->cols - BAR_COL, here,
			       (double)s->remote_pages,
			       (double)s->registered_pages);
}

/* Rows [1, 1 + room): column names and the part of the list around `chosen`. */
static void draw_list(struct gvm_top *t, struct gvm_canvas *c, unsigned room,
		      int chosen)
{
	int visible = (int)room - 1;

	gvm_canvas_put(c, 1, 0, GVM_STYLE_TITLE,
		       "%7s %-14s%9s %9s %9s %7s %9s %s", "PID", "NAME",
		       "LIMIT", "RESIDENT", "REMOTE", "FAULT/S", "P99",
		       "MEMORY");
	if (visible < 1)
		return;
	if (chosen < t->first)
		t->first = chosen;
	if (chosen >= t->first + visible)
		t->first = chosen - visible + 1;
	if (t->first > t->rows_nr - visible)
		t->first = t->rows_nr - visible;
	if (t->first < 0)
		t->first = 0;
	for (int i = 0; i < visible && t->first + i < t->rows_nr; i++)
		draw_row(c, 2 + (unsigned)i, &t->rows[t->first + i],
			 t->first + i == chosen);
}

static void draw_memory(struct gvm_canvas *c, unsigned y,
			const struct gvm_stats *s)
{
	char limit[N], all[N], resident[N], staged[N], remote[N];

	gvm_canvas_put(c, y, 0, GVM_STYLE_PLAIN,
		       "memory    %s attached: %s resident, %s staged, %s remote",
		       gvm_pages_print(s->registered_pages, all, N),
		       gvm_pages_print(s->resident_pages, resident, N),
		       gvm_pages_print(s->staged_pages, staged, N),
		       gvm_pages_print(s->remote_pages, remote, N));
	gvm_canvas_put(c, y + 1, 0, GVM_STYLE_PLAIN, "limit %s",
		       gvm_pages_print(s->local_bytes >> 12, limit, N));
	if (c->cols > 24)
		gvm_canvas_bar(c, y + 1, 18, c->cols - 18,
			       (double)(s->resident_pages + s->staged_pages),
			       (double)s->remote_pages,
			       (double)s->registered_pages);
}

#define RATE(field) \
	gvm_count_print(gvm_top_rate(r, r->now.field, r->before.field), \
			field, N)

static void draw_faults(struct gvm_canvas *c, unsigned y,
			const struct gvm_top_row *r)
{
	char faults_remote[N], faults_zero[N], faults_steal[N];
	char faults_protect[N], faults_race[N], p[4][N];
	static const unsigned permille[] = { 500, 900, 990, 1000 };
	struct gvm_stats_hist h;

	gvm_canvas_put(c, y, 0, GVM_STYLE_PLAIN,
		       "faults/s  remote %s, first touch %s, stolen %s, first write %s, race %s",
		       RATE(faults_remote), RATE(faults_zero),
		       RATE(faults_steal), RATE(faults_protect),
		       RATE(faults_race));
	gvm_top_latency(&r->now.latency_remote, &r->before.latency_remote, &h);
	for (int i = 0; i < 4; i++)
		gvm_time_print(gvm_stats_percentile(&h, permille[i]), p[i], N);
	gvm_canvas_put(c, y + 1, 0, GVM_STYLE_PLAIN,
		       "latency   p50 %s, p90 %s, p99 %s, max %s", p[0], p[1],
		       p[2], p[3]);
}

static void draw_transfers(struct gvm_canvas *c, unsigned y,
			   const struct gvm_top_row *r)
{
	char prefetched[N], evicted_clean[N], evicted_dirty[N], evicted_zero[N];
	char queue[N];
	double used = gvm_report_accuracy(r->now.prefetch_hits,
					  r->now.prefetch_misses);
	unsigned x;

	x = gvm_canvas_put(c, y, 0, GVM_STYLE_PLAIN, "prefetch  %s pages/s",
			   RATE(prefetched));
	if (used >= 0)
		gvm_canvas_put(c, y, x, GVM_STYLE_PLAIN, ", %.0f %% used",
			       used);
	gvm_canvas_put(c, y + 1, 0, GVM_STYLE_PLAIN,
		       "evict/s   clean %s, dirty %s, zero %s; pinned %llu in all",
		       RATE(evicted_clean), RATE(evicted_dirty),
		       RATE(evicted_zero),
		       (unsigned long long)r->now.evict_busy);
	gvm_canvas_put(c, y + 2, 0, GVM_STYLE_PLAIN,
		       "queue     %s pages wait for write-back",
		       gvm_count_print((double)r->now.queue_pages, queue, N));
}

static void draw_server(struct gvm_canvas *c, unsigned y,
			const struct gvm_top_row *r, uint64_t i)
{
	const struct gvm_stats_server *now = &r->now.server[i];
	const struct gvm_stats_server *before = &r->before.server[i];
	double in = gvm_top_rate(r, now->bytes_in, before->bytes_in);
	double out = gvm_top_rate(r, now->bytes_out, before->bytes_out);
	char a[N], b[N], room[N];
	unsigned x;

	x = gvm_canvas_put(c, y, 0, GVM_STYLE_PLAIN, "server    %-22s ",
			   now->address);
	if (!now->connected)
		gvm_canvas_put(c, y, x, GVM_STYLE_BAD, "NOT CONNECTED");
	else
		gvm_canvas_put(c, y, x, GVM_STYLE_PLAIN,
			       "in %s/s, out %s/s, room %s",
			       gvm_pages_print((uint64_t)in >> 12, a, N),
			       gvm_pages_print((uint64_t)out >> 12, b, N),
			       gvm_pages_print(now->pages_free, room, N));
}

static void draw_detail(struct gvm_canvas *c, unsigned y,
			const struct gvm_top_row *r, unsigned servers_room)
{
	uint64_t nr = r->now.servers_nr;

	gvm_canvas_paint(c, y, GVM_STYLE_TITLE);
	gvm_canvas_put(c, y, 0, GVM_STYLE_TITLE, "%u %s", r->now.pid,
		       r->now.name);
	gvm_canvas_put(c, y + 1, 0, GVM_STYLE_PLAIN, "engine    %s",
		       gvm_report_engine(&r->now));
	draw_memory(c, y + 2, &r->now);
	draw_faults(c, y + 4, r);
	draw_transfers(c, y + 6, r);
	if (nr > GVM_STATS_SERVERS)
		nr = GVM_STATS_SERVERS;
	y += DETAIL_ROWS - 1;
	for (uint64_t i = 0; i < nr && i < servers_room; i++) {
		/* The last line says what there is no room for. */
		if (i + 1 == servers_room && nr > servers_room) {
			gvm_canvas_put(c, y, 0, GVM_STYLE_PLAIN,
				       "          and %llu servers more: giantvm stat %u",
				       (unsigned long long)(nr - i),
				       r->now.pid);
			return;
		}
		draw_server(c, y++, r, i);
	}
}

static void draw_chosen(const struct gvm_top *t, struct gvm_canvas *c,
			unsigned y, unsigned room, const struct gvm_top_row *r)
{
	if (!r->shared)
		draw_detail(c, y, r, room - DETAIL_ROWS + 1);
	else if (t->hot)
		gvm_top_draw_hot(c, y, room, r, t->symbols);
	else if (r->shared->has_guest)
		gvm_top_draw_guest(c, y, room, r);
	else
		gvm_top_draw_region(c, y, room, r);
}

static void draw_help(struct gvm_canvas *c, unsigned y)
{
	static const char *const lines[] = {
		"q  Esc        quit",
		"up down j k   choose a program",
		"s             sort by faults, remote, resident, pid",
		"p             pages that move most, of what is shared",
		"h             this help, on and off",
		"",
		"#  resident: on this machine, within the limit",
		".  remote: on memory servers; blank: never written",
		"staged: leaving, but still here and quick to get back",
		"latency: from a fault to the page being there, last interval",
	};

	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		gvm_canvas_put(c, y + i, 2, GVM_STYLE_PLAIN, "%s", lines[i]);
}

void gvm_top_draw(struct gvm_top *t, struct gvm_canvas *c)
{
	int chosen = gvm_top_chosen(t);
	unsigned list = 1 + (unsigned)t->rows_nr;
	unsigned below = DETAIL_ROWS + SERVERS_MIN;
	unsigned room = c->rows > FRAME_ROWS + below ?
			c->rows - FRAME_ROWS - below + 1 : 2;

	draw_title(t, c);
	if (list > room)
		list = room;
	draw_list(t, c, list, chosen);
	if (t->help)
		draw_help(c, list + 2);
	else if (chosen < 0)
		gvm_canvas_put(c, 3, 2, GVM_STYLE_PLAIN,
			       "no programs of this user run under giantvm; start one with 'giantvm run'");
	else if (c->rows > list + 2 + DETAIL_ROWS)
		draw_chosen(t, c, list + 2, c->rows - list - 3,
			    &t->rows[chosen]);
	if (!c->rows)
		return;
	memset(c->text[c->rows - 1], ' ', c->cols);
	gvm_canvas_put(c, c->rows - 1, 0, GVM_STYLE_TITLE,
		       "q quit   up/down choose   s sort: %s   p pages   h help",
		       gvm_top_sort_names[t->sort]);
}
