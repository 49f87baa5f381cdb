/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a test may watch: which right to a page this node has, by which number
 * of home's order, and with which bytes.  tests/litmus/order.c judges it.  In
 * every other build these do nothing.
 */
#ifndef GVM_PAGER_SHARED_ORDER_H
#define GVM_PAGER_SHARED_ORDER_H

#include "gvm_port.h"

#ifdef GVM_TEST_ORDER
/* Home's number for what comes next. */
void gvm_order_seq(u64 seq);
/* Before the page is mapped.  bytes: NULL: those that are here already. */
void gvm_order_gain(u64 page, bool writable, const u8 *bytes);
/* Nobody can write it here; these are its bytes. */
void gvm_order_read(u64 page, const u8 *bytes);
/* It is gone from here. */
void gvm_order_lose(u64 page);
#else
static inline void gvm_order_seq(u64 seq)
{
	(void)seq;
}

static inline void gvm_order_gain(u64 page, bool writable, const u8 *bytes)
{
	(void)page;
	(void)writable;
	(void)bytes;
}

static inline void gvm_order_read(u64 page, const u8 *bytes)
{
	(void)page;
	(void)bytes;
}

static inline void gvm_order_lose(u64 page)
{
	(void)page;
}
#endif

#endif
