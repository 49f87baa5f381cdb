/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A screen full of characters that knows nothing of a terminal, so that what
 * `giantvm top` draws can be printed, tested and resized.  Drawing outside it
 * is cut off.
 */
#ifndef GVM_CLI_CANVAS_H
#define GVM_CLI_CANVAS_H

#include <stdio.h>

enum gvm_style {
	GVM_STYLE_PLAIN,
	GVM_STYLE_TITLE,
	GVM_STYLE_CHOSEN,	/* the row that the cursor is on */
	GVM_STYLE_GOOD,
	GVM_STYLE_COLD,		/* memory that is away */
	GVM_STYLE_BAD,
	GVM_STYLE_NR
};

#define GVM_CANVAS_ROWS_MAX	512u
#define GVM_CANVAS_COLS_MAX	512u

struct gvm_canvas {
	unsigned	rows;
	unsigned	cols;
	char		text[GVM_CANVAS_ROWS_MAX][GVM_CANVAS_COLS_MAX];
	unsigned char	style[GVM_CANVAS_ROWS_MAX][GVM_CANVAS_COLS_MAX];
};

/* Blank, of this size or the largest there is. */
void gvm_canvas_clear(struct gvm_canvas *c, unsigned rows, unsigned cols);

/* Write, and return the column behind it. */
unsigned gvm_canvas_put(struct gvm_canvas *c, unsigned row, unsigned col,
			enum gvm_style style, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* Give a whole row a style. */
void gvm_canvas_paint(struct gvm_canvas *c, unsigned row, enum gvm_style style);

/*
 * A bar of this width, brackets included: '#' for here, '.' for away, blank
 * for the rest of total.
 */
void gvm_canvas_bar(struct gvm_canvas *c, unsigned row, unsigned col,
		    unsigned width, double here, double away, double total);

/* Print without trailing blanks. */
void gvm_canvas_print(const struct gvm_canvas *c, FILE *to);

#endif
