// SPDX-License-Identifier: GPL-2.0-or-later
/* A screen full of characters; see canvas.h. */
#include <stdarg.h>
#include <string.h>

#include "canvas.h"

void gvm_canvas_clear(struct gvm_canvas *c, unsigned rows, unsigned cols)
{
	c->rows = rows < GVM_CANVAS_ROWS_MAX ? rows : GVM_CANVAS_ROWS_MAX;
	c->cols = cols < GVM_CANVAS_COLS_MAX ? cols : GVM_CANVAS_COLS_MAX;
	memset(c->text, ' ', sizeof(c->text));
	memset(c->style, GVM_STYLE_PLAIN, sizeof(c->style));
}

unsigned gvm_canvas_put(struct gvm_canvas *c, unsigned row, unsigned col,
			enum gvm_style style, const char *format, ...)
{
	char line[GVM_CANVAS_COLS_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	for (const char *s = line; *s; s++, col++) {
		if (row >= c->rows || col >= c->cols)
			continue;
		c->text[row][col] = *s;
		c->style[row][col] = (unsigned char)style;
	}
	return col;
}

void gvm_canvas_paint(struct gvm_canvas *c, unsigned row, enum gvm_style style)
{
	if (row < c->rows)
		memset(c->style[row], (int)style, c->cols);
}

void gvm_canvas_bar(struct gvm_canvas *c, unsigned row, unsigned col,
		    unsigned width, double here, double away, double total)
{
	double room = width > 2 ? width - 2 : 0;
	unsigned hashes, dots;

	if (room < 1 || total <= 0)
		return;
	/* Whatever is there at all gets a character. */
	hashes = (unsigned)(room * here / total + (here > 0 ? 0.999 : 0));
	dots = (unsigned)(room * (here + away) / total +
			  (away > 0 ? 0.999 : 0));
	if (hashes > width - 2)
		hashes = width - 2;
	if (dots > width - 2)
		dots = width - 2;
	gvm_canvas_put(c, row, col, GVM_STYLE_PLAIN, "[");
	gvm_canvas_put(c, row, col + width - 1, GVM_STYLE_PLAIN, "]");
	for (unsigned i = 0; i < dots || i < hashes; i++)
		gvm_canvas_put(c, row, col + 1 + i,
			       i < hashes ? GVM_STYLE_GOOD : GVM_STYLE_COLD,
			       i < hashes ? "#" : ".");
}

void gvm_canvas_print(const struct gvm_canvas *c, FILE *to)
{
	for (unsigned row = 0; row < c->rows; row++) {
		unsigned len = c->cols;

		while (len && c->text[row][len - 1] == ' ')
			len--;
		fprintf(to, "%.*s\n", (int)len, c->text[row]);
	}
}
