// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The pages that move most, in `giantvm top`: in the last interval; since the
 * start, while there is no interval or nothing moved in it.
 */
#include <inttypes.h>

#include "canvas.h"
#include "hot.h"
#include "symbols.h"
#include "text.h"
#include "top.h"

static bool moved(const struct gvm_hot_rows *rows)
{
	return rows->nr && rows->row[0].gives + rows->row[0].gets;
}

static void collect(const struct gvm_top_row *r, struct gvm_hot_rows *ret,
		    bool *ret_rates)
{
	static struct gvm_hot_rows before;
	const struct gvm_top_shared *s = r->shared;

	for (int since = 1; since >= 0; since--) {
		if (s->has_guest) {
			gvm_hot_of_guest(&s->guest, ret);
			gvm_hot_of_guest(&s->guest_before, &before);
		} else {
			gvm_hot_of_region(&s->region, ret);
			gvm_hot_of_region(&s->region_before, &before);
		}
		*ret_rates = since;
		if (since)
			gvm_hot_since(ret, &before);
		if (moved(ret))
			return;
	}
}

void gvm_top_draw_hot(struct gvm_canvas *c, unsigned y, unsigned room,
		      const struct gvm_top_row *r,
		      const struct gvm_symbols *symbols)
{
	const struct gvm_top_shared *s = r->shared;
	static struct gvm_hot_rows rows;
	char given[GVM_TEXT_MAX], taken[GVM_TEXT_MAX], names[256] = "";
	bool rates;
	double seconds;

	collect(r, &rows, &rates);
	seconds = rates && r->seconds > 0 ? r->seconds : 1;
	gvm_canvas_paint(c, y, GVM_STYLE_TITLE);
	gvm_canvas_put(c, y, 0, GVM_STYLE_TITLE, "%-16s %8s %8s  %s",
		       s->has_guest ? "GUEST PHYSICAL" : "OFFSET",
		       rates ? "GIVEN/S" : "GIVEN",
		       rates ? "TAKEN/S" : "TAKEN",
		       symbols && s->has_guest ? "WHAT THE KERNEL HAS THERE" :
		       "");
	for (int i = 0; i < rows.nr && (unsigned)i + 1 < room; i++) {
		const struct gvm_hot_row *h = &rows.row[i];

		if (symbols && s->has_guest)
			gvm_symbols_page(symbols, &s->guest, h->address, names,
					 sizeof(names));
		gvm_canvas_put(c, y + 1 + (unsigned)i, 0, GVM_STYLE_PLAIN,
			       "%#-16" PRIx64 " %8s %8s  %s", h->address,
			       gvm_count_print((double)h->gives / seconds,
					       given, sizeof(given)),
			       gvm_count_print((double)h->gets / seconds,
					       taken, sizeof(taken)), names);
	}
	if (!rows.nr)
		gvm_canvas_put(c, y + 1, 2, GVM_STYLE_PLAIN,
			       "no page has moved yet");
}
