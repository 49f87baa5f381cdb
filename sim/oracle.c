// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The judge.  Must never learn anything from the core: it sees what was mapped,
 * read, written and lost, and who died, in the order in which it happened.
 *
 * A page may be lost only to somebody who died after he had asked for the right
 * to write it, and only until a living node has that right again.
 */
#include <stdio.h>
#include <stdlib.h>

#include "oracle.h"

#define NOBODY	UINT32_MAX

struct page {
	uint64_t latest;	/* writes so far */
	uint32_t readers;	/* nodes that can read it, the writer not */
	uint32_t writer;	/* node that can write it */
	uint32_t last;		/* node that wrote latest */
	uint16_t dying;		/* who may have had it, and home does not know */
	bool	 doubt;		/* somebody who may have had it has died */
	bool	 lost;
};

struct gvm_oracle {
	uint32_t nodes;
	uint64_t pages;
	uint64_t words;		/* of a node's row in asked */
	uint64_t lost;
	uint64_t avoidable;
	uint64_t *asked;	/* NULL: nobody dies */
	uint64_t *dead;		/* asked, of those who died */
	struct page page[];
};

static char text[200];

#define BROKEN(...)	(snprintf(text, sizeof(text), __VA_ARGS__), text)

struct gvm_oracle *gvm_oracle_new(uint32_t nodes, uint64_t pages, bool deaths)
{
	struct gvm_oracle *o = calloc(1, sizeof(*o) + pages * sizeof(o->page[0]));

	if (!o)
		return NULL;
	o->nodes = nodes;
	o->pages = pages;
	o->words = (pages + 63) / 64;
	for (uint64_t i = 0; i < pages; i++)
		o->page[i].writer = o->page[i].last = NOBODY;
	if (!deaths)
		return o;
	o->asked = calloc(nodes * o->words, sizeof(*o->asked));
	o->dead = calloc(nodes * o->words, sizeof(*o->dead));
	if (!o->asked || !o->dead) {
		gvm_oracle_free(o);
		return NULL;
	}
	return o;
}

void gvm_oracle_free(struct gvm_oracle *o)
{
	if (!o)
		return;
	free(o->asked);
	free(o->dead);
	free(o);
}

static void leave(struct page *p, enum gvm_oracle_right right)
{
	if (right == GVM_ORACLE_READ)
		p->readers--;
	else if (right == GVM_ORACLE_WRITE)
		p->writer = NOBODY;
}

gvm_oracle_verdict gvm_oracle_map(struct gvm_oracle *o, uint32_t node,
				  uint64_t page, enum gvm_oracle_right before,
				  enum gvm_oracle_right after)
{
	struct page *p = &o->page[page];

	leave(p, before);
	if (after == GVM_ORACLE_NONE)
		return NULL;
	if (p->lost)
		return BROKEN("node %u maps page %llu, which is lost", node,
			      (unsigned long long)page);
	if (p->writer != NOBODY)
		return BROKEN("node %u may %s page %llu while node %u may write it",
			      node, after == GVM_ORACLE_WRITE ? "write" : "read",
			      (unsigned long long)page, p->writer);
	if (after == GVM_ORACLE_READ) {
		p->readers++;
		return NULL;
	}
	if (p->readers)
		return BROKEN("node %u may write page %llu while %u other%s may read it",
			      node, (unsigned long long)page, p->readers,
			      p->readers == 1 ? "" : "s");
	p->writer = node;
	p->doubt = p->dying != 0;
	return NULL;
}

gvm_oracle_verdict gvm_oracle_read(const struct gvm_oracle *o, uint32_t node,
				   uint64_t page, uint64_t version)
{
	const struct page *p = &o->page[page];

	if (version == p->latest)
		return NULL;
	return BROKEN("node %u reads write %llu of page %llu; the latest is %llu, of node %d",
		      node, (unsigned long long)version,
		      (unsigned long long)page, (unsigned long long)p->latest,
		      (int)p->last);
}

gvm_oracle_verdict gvm_oracle_write(struct gvm_oracle *o, uint32_t node,
				    uint64_t page, uint64_t *version)
{
	struct page *p = &o->page[page];
	gvm_oracle_verdict broken;

	if (p->writer != node)
		return BROKEN("node %u writes page %llu without the right to",
			      node, (unsigned long long)page);
	/* Who writes a part of a page has read the rest. */
	broken = gvm_oracle_read(o, node, page, *version);
	if (broken)
		return broken;
	*version = ++p->latest;
	p->last = node;
	return NULL;
}

void gvm_oracle_asked(struct gvm_oracle *o, uint32_t node, uint64_t page)
{
	if (o->asked)
		o->asked[node * o->words + page / 64] |= 1ull << page % 64;
}

static bool has(const uint64_t *row, uint64_t page)
{
	return row[page / 64] >> page % 64 & 1;
}

void gvm_oracle_died(struct gvm_oracle *o, uint32_t node)
{
	uint64_t *asked = &o->asked[node * o->words];
	uint64_t *dead = &o->dead[node * o->words];

	for (uint64_t i = 0; i < o->words; i++) {
		dead[i] = asked[i];
		asked[i] = 0;
	}
	for (uint64_t i = 0; i < o->pages; i++) {
		if (!has(dead, i))
			continue;
		o->page[i].doubt = true;
		o->page[i].dying++;
	}
}

void gvm_oracle_buried(struct gvm_oracle *o, uint32_t node)
{
	for (uint64_t i = 0; i < o->pages; i++)
		o->page[i].dying -= has(&o->dead[node * o->words], i);
}

gvm_oracle_verdict gvm_oracle_lost(struct gvm_oracle *o, uint64_t page)
{
	struct page *p = &o->page[page];

	if (p->writer != NOBODY)
		return BROKEN("page %llu is called lost, but node %u can write it",
			      (unsigned long long)page, p->writer);
	if (!p->lost && !p->doubt)
		return BROKEN("page %llu is called lost, but nobody died with it",
			      (unsigned long long)page);
	o->lost += !p->lost;
	o->avoidable += !p->lost && p->readers;
	p->lost = true;
	return NULL;
}

uint64_t gvm_oracle_latest(const struct gvm_oracle *o, uint64_t page)
{
	return o->page[page].latest;
}

uint32_t gvm_oracle_readers(const struct gvm_oracle *o, uint64_t page)
{
	return o->page[page].readers;
}

uint32_t gvm_oracle_writer(const struct gvm_oracle *o, uint64_t page)
{
	return o->page[page].writer;
}

uint64_t gvm_oracle_lost_pages(const struct gvm_oracle *o)
{
	return o->lost;
}

uint64_t gvm_oracle_avoidable(const struct gvm_oracle *o)
{
	return o->avoidable;
}
