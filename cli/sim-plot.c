// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Three pictures in one SVG file: the share of misses below a latency, messages
 * a miss by nodes, and the time to invalidate by sharers.  Axes that span
 * factors are logarithmic.  Written by hand: a plot is not worth a dependency.
 */
#include <errno.h>
#include <stdio.h>

#include "sim.h"

#define WIDTH	760.
#define HEIGHT	360.	/* of each picture */
#define LEFT	70.
#define RIGHT	20.
#define TOP	40.
#define BOTTOM	40.
#define SERIES_MAX	8u	/* lines that can still be told apart */

static const char *const colours[SERIES_MAX] = {
	"#4c72b0", "#c44e52", "#55a868", "#8172b2", "#937860", "#da8bc3",
	"#8c8c8c", "#64b5cd",
};

struct plot {
	FILE	*file;
	double	y0;		/* of this picture */
	double	x_min, x_max, y_min, y_max;
	bool	log_y;
	unsigned series;
};

/* log2, good enough for a picture, and no need for libm. */
static double lg(double v)
{
	double n = 0;

	for (; v >= 2; v /= 2)
		n++;
	for (; v < 1; v *= 2)
		n--;
	return n + (v - 1) * (1.355 - 0.355 * v);
}

static double px(const struct plot *p, double x)
{
	double span = lg(p->x_max) - lg(p->x_min);

	return LEFT + (lg(x) - lg(p->x_min)) / (span > 0 ? span : 1) *
		(WIDTH - LEFT - RIGHT);
}

static double py(const struct plot *p, double y)
{
	double span = p->log_y ? lg(p->y_max) - lg(p->y_min) :
				 p->y_max - p->y_min;
	double at = p->log_y ? lg(y) - lg(p->y_min) : y - p->y_min;

	return p->y0 + HEIGHT - BOTTOM - at / (span > 0 ? span : 1) *
		(HEIGHT - TOP - BOTTOM);
}

static void text(const struct plot *p, double x, double y, const char *anchor,
		 const char *words)
{
	fprintf(p->file, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n",
		x, y, anchor, words);
}

static void grid_x(const struct plot *p, double at, const char *label)
{
	fprintf(p->file, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#dddddd\"/>\n",
		px(p, at), p->y0 + TOP, px(p, at), p->y0 + HEIGHT - BOTTOM);
	text(p, px(p, at), p->y0 + HEIGHT - BOTTOM + 16, "middle", label);
}

static void grid_y(const struct plot *p, double at, const char *label)
{
	fprintf(p->file, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#dddddd\"/>\n",
		LEFT, py(p, at), WIDTH - RIGHT, py(p, at));
	text(p, LEFT - 6, py(p, at) + 4, "end", label);
}

static void us_label(double us, char *buf, size_t len)
{
	if (us < 1000)
		snprintf(buf, len, "%g us", us);
	else if (us < 1e6)
		snprintf(buf, len, "%g ms", us / 1e3);
	else
		snprintf(buf, len, "%g s", us / 1e6);
}

/* Powers of ten of a time on an axis. */
static void grid_times(const struct plot *p, bool y)
{
	double min = y ? p->y_min : p->x_min;
	double max = y ? p->y_max : p->x_max;
	char label[32];

	for (double v = 0.001; v <= max; v *= 10) {
		if (v < min)
			continue;
		us_label(v, label, sizeof(label));
		if (y)
			grid_y(p, v, label);
		else
			grid_x(p, v, label);
	}
}

static void grid_counts(const struct plot *p)
{
	char label[32];

	for (double v = 1; v <= p->x_max; v *= 4) {
		if (v < p->x_min)
			continue;
		snprintf(label, sizeof(label), "%g", v);
		grid_x(p, v, label);
	}
}

static void begin(struct plot *p, unsigned picture, const char *title)
{
	p->y0 = picture * HEIGHT;
	p->series = 0;
	fprintf(p->file, "<g font-size=\"14\">");
	text(p, WIDTH / 2, p->y0 + 24, "middle", title);
	fprintf(p->file, "</g>\n");
}

static void line_begin(struct plot *p)
{
	fprintf(p->file, "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"%s\" points=\"",
		colours[p->series % SERIES_MAX]);
}

static void line_end(struct plot *p, const char *name)
{
	fprintf(p->file, "\"/>\n<g fill=\"%s\">",
		colours[p->series % SERIES_MAX]);
	text(p, WIDTH - RIGHT - 8, p->y0 + HEIGHT - BOTTOM - 10 -
	     16 * p->series, "end", name);
	fprintf(p->file, "</g>\n");
	p->series++;
}

static void point(const struct plot *p, double x, double y)
{
	fprintf(p->file, "%.1f,%.1f ", px(p, x), py(p, y));
}

static void widen(double v, double *min, double *max)
{
	if (v < *min)
		*min = v;
	if (v > *max)
		*max = v;
}

static void latency_line(struct plot *p, const struct gvm_sim_outcome *o)
{
	uint64_t seen = 0;
	char name[64];

	line_begin(p);
	for (unsigned i = 0; i < GVM_SIM_HIST_NR; i++) {
		if (!o->result.latency[i])
			continue;
		seen += o->result.latency[i];
		point(p, (double)gvm_sim_bucket_ns(i) / 1e3,
		      (double)seen / (double)o->result.misses);
	}
	snprintf(name, sizeof(name), "%s, %s, %u nodes",
		 gvm_sim_design_names[o->config.design],
		 gvm_sim_load_names[o->config.load], o->config.nodes);
	line_end(p, name);
}

static bool inval(const struct gvm_sim_outcome *o)
{
	return o->config.load == GVM_SIM_INVALIDATE;
}

static void latencies(struct plot *p, const struct gvm_sim_outcome *o,
		      size_t nr)
{
	p->x_min = 1e12;
	p->x_max = 0;
	p->y_min = 0;
	p->y_max = 1;
	p->log_y = false;
	for (size_t i = 0; i < nr; i++) {
		for (unsigned b = 0; b < GVM_SIM_HIST_NR && !inval(&o[i]); b++) {
			if (o[i].result.latency[b])
				widen((double)gvm_sim_bucket_ns(b) / 1e3,
				      &p->x_min, &p->x_max);
		}
	}
	begin(p, 0, "share of misses below a latency");
	if (p->x_max <= 0)
		return;
	grid_times(p, false);
	for (double y = 0; y <= 1; y += 0.25) {
		char label[16];

		snprintf(label, sizeof(label), "%.0f %%", y * 100);
		grid_y(p, y, label);
	}
	for (size_t i = 0; i < nr && p->series < SERIES_MAX; i++) {
		if (!inval(&o[i]) && o[i].result.misses)
			latency_line(p, &o[i]);
	}
}

/* Runs of one design and load, in the order of the list of nodes. */
static bool same_line(const struct gvm_sim_outcome *a,
		      const struct gvm_sim_outcome *b)
{
	return a->config.design == b->config.design &&
	       a->config.load == b->config.load;
}

static double value(const struct gvm_sim_outcome *o)
{
	if (inval(o))
		return (double)o->result.inval_ns / 1e3;
	return o->result.misses ? (double)o->result.messages /
				  (double)o->result.misses : 0;
}

static void by_nodes(struct plot *p, const struct gvm_sim_outcome *o, size_t nr,
		     bool invalidate)
{
	char name[64];

	for (size_t i = 0; i < nr && p->series < SERIES_MAX; i++) {
		if (inval(&o[i]) != invalidate ||
		    (i && same_line(&o[i - 1], &o[i])))
			continue;
		line_begin(p);
		for (size_t j = i; j < nr && same_line(&o[i], &o[j]); j++) {
			if (value(&o[j]) > 0)
				point(p, o[j].config.nodes, value(&o[j]));
		}
		snprintf(name, sizeof(name), "%s%s%s",
			 gvm_sim_design_names[o[i].config.design],
			 invalidate ? "" : ", ",
			 invalidate ? "" : gvm_sim_load_names[o[i].config.load]);
		line_end(p, name);
	}
}

static bool bounds(struct plot *p, const struct gvm_sim_outcome *o, size_t nr,
		   bool invalidate)
{
	p->x_min = p->y_min = 1e12;
	p->x_max = p->y_max = 0;
	p->log_y = true;
	for (size_t i = 0; i < nr; i++) {
		if (inval(&o[i]) != invalidate || value(&o[i]) <= 0)
			continue;
		widen(o[i].config.nodes, &p->x_min, &p->x_max);
		widen(value(&o[i]), &p->y_min, &p->y_max);
	}
	p->y_min /= 1.2;
	p->y_max *= 1.2;
	return p->x_max > 0;
}

static void messages(struct plot *p, const struct gvm_sim_outcome *o, size_t nr)
{
	char label[32];
	bool any = bounds(p, o, nr, false);

	begin(p, 1, "messages per miss, by nodes");
	if (!any)
		return;
	grid_counts(p);
	for (double v = 1; v <= p->y_max; v *= 2) {
		if (v < p->y_min)
			continue;
		snprintf(label, sizeof(label), "%g", v);
		grid_y(p, v, label);
	}
	by_nodes(p, o, nr, false);
}

static void invalidations(struct plot *p, const struct gvm_sim_outcome *o,
			  size_t nr)
{
	bool any = bounds(p, o, nr, true);

	begin(p, 2, "time to the right to write a page that all others share, by nodes");
	if (!any) {
		text(p, WIDTH / 2, p->y0 + HEIGHT / 2, "middle",
		     "(not measured: add invalidate to --load)");
		return;
	}
	grid_counts(p);
	grid_times(p, true);
	by_nodes(p, o, nr, true);
}

int gvm_sim_plot(const char *path, const struct gvm_sim_outcome *o, size_t nr)
{
	struct plot p = { .file = fopen(path, "we") };
	int err;

	if (!p.file)
		return -errno;
	fprintf(p.file, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
		WIDTH, 3 * HEIGHT);
	latencies(&p, o, nr);
	messages(&p, o, nr);
	invalidations(&p, o, nr);
	fprintf(p.file, "</svg>\n");
	err = ferror(p.file) ? -EIO : 0;
	if (fclose(p.file) && !err)
		err = -errno;
	return err;
}
