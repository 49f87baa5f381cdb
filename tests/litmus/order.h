/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judges what nodes of a shared region do by home's own order of writes.
 *
 * Home gives every right to write a page a number (seq), and one right ends
 * before the next begins.  What a right left behind when it ended is therefore
 * what everybody gets whose right has that number or a later one, until the next
 * right to write ends; this is checked of every page that is mapped, whole, and
 * of every read.  The books lie in plain memory that all processes share.
 *
 * The pager calls us by pager/shared-order.h, in its thread, where there is no
 * libc: what is wrong is written down, and told by order_report().
 */
#ifndef GVM_TEST_LITMUS_ORDER_H
#define GVM_TEST_LITMUS_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#define ORDER_PAGES_MAX	16384u
#define ORDER_WRONG_MAX	64u

/* A page as the newest right to write that is over left it. */
struct order_page {
	uint32_t lock;
	uint32_t writer;	/* 1 + the node that may write; 0: none */
	uint64_t seq;		/* of that right; 0: never written */
	uint64_t version;	/* first word */
	uint32_t crc;
};

struct order_wrong {
	const char *what;	/* a constant: same address in all processes */
	uint32_t node;
	uint32_t page;
	uint64_t saw;
	uint64_t wanted;
};

struct order_books {
	struct order_page page[ORDER_PAGES_MAX];
	uint64_t installs;	/* pages whose bytes were compared */
	uint64_t epochs;	/* rights to write that are over */
	uint32_t wrong_nr;
	struct order_wrong wrong[ORDER_WRONG_MAX];
};

/* Before nodes are made; the first page's number of the region is 0. */
struct order_books *order_begin(void);
/* In a node, before it joins. */
void order_node(struct order_books *books, uint32_t node);

/* What the pager thread knows of a page: taken before and after a read. */
struct order_view {
	uint64_t gen;		/* changes with every change of the rest */
	uint64_t seq;
	uint64_t version;	/* when it came */
	bool	mapped;
	bool	writable;
};
void order_look(uint32_t page, struct order_view *ret);
/*
 * Between two looks that are equal, a version was read.  False: the rights
 * changed meanwhile, and nothing can be said.
 */
bool order_judge(uint32_t page, const struct order_view *before,
		 uint64_t version);

void order_wrong(uint32_t page, const char *what, uint64_t saw,
		 uint64_t wanted);
/* Prints what was wrong.  How much. */
uint32_t order_report(const struct order_books *books);

#endif
