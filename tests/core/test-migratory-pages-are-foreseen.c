// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a node fetches pages to be written that are only read, so that
 * others lose them for nothing, or pays two misses for each page that migrates.
 */
#include "check.h"
#include "migratory.h"

#define PAGE 77u

static struct gvm_migratory all;

/* One visit: what it cost here, in misses. */
static u32 visit(u64 page, bool writes)
{
	static u32 bytes;

	if (gvm_migratory_read(&all, page)) {
		gvm_migratory_came(&all, page, bytes);
		bytes += writes;
		gvm_migratory_leaves(&all, page, bytes);
		return 1;
	}
	if (writes) {
		gvm_migratory_write(&all, page);
		bytes++;
		gvm_migratory_leaves(&all, page, bytes);
	}
	gvm_migratory_gone(&all, page);
	return 1 + writes;
}

static void migrates(void)
{
	CHECK(visit(PAGE, true) == 2);
	for (u32 i = 0; i < 100; i++)
		CHECK(visit(PAGE, true) == 1);
}

/* Fetched exclusive for nothing once, and then no more. */
static void stops_to_migrate(void)
{
	CHECK(gvm_migratory_read(&all, PAGE));
	gvm_migratory_came(&all, PAGE, 5);
	gvm_migratory_leaves(&all, PAGE, 5);
	gvm_migratory_gone(&all, PAGE);
	for (u32 i = 0; i < 100; i++) {
		CHECK(!gvm_migratory_read(&all, PAGE));
		gvm_migratory_gone(&all, PAGE);
	}
}

/* Who writes it without having read it first is no reason. */
static void producer(void)
{
	for (u32 i = 0; i < 100; i++) {
		gvm_migratory_write(&all, PAGE + 1);
		gvm_migratory_came(&all, PAGE + 1, i);
		gvm_migratory_leaves(&all, PAGE + 1, i + 1);
		gvm_migratory_gone(&all, PAGE + 1);
	}
	CHECK(!gvm_migratory_read(&all, PAGE + 1));
}

/* Read in peace for a while, given to a reader, and written again later. */
static void written_late(void)
{
	CHECK(!gvm_migratory_read(&all, PAGE + 2));
	gvm_migratory_write(&all, PAGE + 2);
	CHECK(gvm_migratory_read(&all, PAGE + 2));
	gvm_migratory_came(&all, PAGE + 2, 1);
	gvm_migratory_leaves(&all, PAGE + 2, 2);
	gvm_migratory_leaves(&all, PAGE + 2, 2);
	gvm_migratory_gone(&all, PAGE + 2);
	CHECK(gvm_migratory_read(&all, PAGE + 2));
}

/* Of a million pages only some are remembered, and those rightly. */
static void many(void)
{
	u32 misses = 0;

	for (u64 page = 0; page < 1000000; page++)
		misses += visit(page << 20, true);
	CHECK(misses == 2000000);
	for (u64 page = 999000; page < 1000000; page++)
		misses += visit(page << 20, true);
	CHECK(misses >= 2001000 && misses < 2001200);
}

int main(void)
{
	migrates();
	stops_to_migrate();
	producer();
	written_late();
	many();
	return 0;
}
