// SPDX-License-Identifier: GPL-2.0-or-later
/* A recorded trace: a text file that people and scripts can write. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "load.h"

#define LINE_BYTES	128u

struct line {
	u32	node;
	u32	page;
	bool	write;
	bool	empty;
};

struct trace {
	struct line *line;
	u64	nr, max;
};

static int bad(struct sim *s, u64 number, const char *what)
{
	snprintf(s->r->why, sizeof(s->r->why), "%s:%llu: %s", s->cfg.trace,
		 (unsigned long long)number, what);
	return -EINVAL;
}

/* NULL: good. */
static const char *parse(const struct sim *s, const char *text, struct line *l)
{
	unsigned long long node, page;
	char how[2], rest;
	int n;

	text += strspn(text, " \t");
	l->empty = *text == '#' || *text == '\n' || !*text;
	if (l->empty)
		return NULL;
	n = sscanf(text, "%llu %llu %1[rw] %c", &node, &page, how, &rest);
	if (n != 3 || *text == '-')
		return "a line is NODE PAGE r, or NODE PAGE w";
	if (node >= s->cfg.nodes)
		return "there is no such node; --nodes says how many there are";
	if (page >= s->cfg.pages)
		return "there is no such page; --pages says how many there are";
	l->node = (u32)node;
	l->page = (u32)page;
	l->write = how[0] == 'w';
	return NULL;
}

static bool keep(struct trace *t, const struct line *l)
{
	if (t->nr == t->max) {
		u64 max = t->max ? t->max * 2 : 1024;
		struct line *line = realloc(t->line, max * sizeof(*line));

		if (!line)
			return false;
		t->line = line;
		t->max = max;
	}
	t->line[t->nr++] = *l;
	return true;
}

static int read_lines(struct sim *s, FILE *file, struct trace *t)
{
	char text[LINE_BYTES];
	struct line l = { 0 };

	for (u64 number = 1; fgets(text, sizeof(text), file); number++) {
		const char *wrong;

		if (!strchr(text, '\n') && !feof(file))
			return bad(s, number, "the line is too long");
		wrong = parse(s, text, &l);
		if (wrong)
			return bad(s, number, wrong);
		if (!l.empty && !keep(t, &l))
			return -ENOMEM;
	}
	return t->nr ? 0 : bad(s, 0, "no accesses in it");
}

/* Node by node, each in its own order. */
static int sort(struct sim *s, const struct trace *t)
{
	struct sim_load_table *table = s->table;
	u64 *next = calloc(s->cfg.nodes + 1ull, sizeof(*next));

	table->first = calloc(s->cfg.nodes + 1ull, sizeof(*table->first));
	table->access = malloc(t->nr * sizeof(*table->access));
	if (!next || !table->first || !table->access) {
		free(next);
		return -ENOMEM;
	}
	for (u64 i = 0; i < t->nr; i++)
		table->first[t->line[i].node + 1]++;
	for (u32 i = 0; i < s->cfg.nodes; i++)
		table->first[i + 1] += table->first[i];
	memcpy(next, table->first, s->cfg.nodes * sizeof(*next));
	for (u64 i = 0; i < t->nr; i++) {
		const struct line *l = &t->line[i];

		table->access[next[l->node]++] =
			(struct sim_trace_access){ l->page, l->write };
	}
	free(next);
	return 0;
}

int gvm_sim_trace_read(struct sim *s)
{
	FILE *file = fopen(s->cfg.trace, "re");
	struct trace t = { 0 };
	int err;

	if (!file) {
		snprintf(s->r->why, sizeof(s->r->why), "%s: cannot be read",
			 s->cfg.trace);
		return -EINVAL;
	}
	err = read_lines(s, file, &t);
	fclose(file);
	if (!err)
		err = sort(s, &t);
	free(t.line);
	return err;
}
