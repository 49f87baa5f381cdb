// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An oracle that is blind makes every simulation pass.  Each thing that it must
 * see is done once here, beside the legal thing that resembles it.
 */
#include "sim/oracle.h"
#include "tests/check.h"

#define NONE	GVM_ORACLE_NONE
#define READ	GVM_ORACLE_READ
#define WRITE	GVM_ORACLE_WRITE

static struct gvm_oracle *o;

static void begin(void)
{
	gvm_oracle_free(o);
	o = gvm_oracle_new(4, 100, true);
	CHECK(o);
}

static void test_rights(void)
{
	begin();
	CHECK(!gvm_oracle_map(o, 0, 7, NONE, READ));
	CHECK(!gvm_oracle_map(o, 1, 7, NONE, READ));
	CHECK(gvm_oracle_readers(o, 7) == 2);
	CHECK(gvm_oracle_map(o, 2, 7, NONE, WRITE));	/* beside readers */

	begin();
	CHECK(!gvm_oracle_map(o, 0, 7, NONE, READ));
	CHECK(!gvm_oracle_map(o, 0, 7, READ, WRITE));	/* its own copy */
	CHECK(gvm_oracle_writer(o, 7) == 0);
	CHECK(!gvm_oracle_map(o, 1, 8, NONE, WRITE));	/* another page */
	CHECK(gvm_oracle_map(o, 1, 7, NONE, READ));	/* beside a writer */

	begin();
	CHECK(!gvm_oracle_map(o, 0, 7, NONE, WRITE));
	CHECK(!gvm_oracle_map(o, 0, 7, WRITE, READ));
	CHECK(!gvm_oracle_map(o, 1, 7, NONE, READ));
	CHECK(!gvm_oracle_map(o, 0, 7, READ, NONE));
	CHECK(!gvm_oracle_map(o, 1, 7, READ, NONE));
	CHECK(!gvm_oracle_map(o, 2, 7, NONE, WRITE));
	CHECK(gvm_oracle_map(o, 3, 7, NONE, WRITE));	/* two writers */
}

static void test_reads(void)
{
	uint64_t v = 0;

	begin();
	CHECK(!gvm_oracle_read(o, 0, 3, 0));
	CHECK(gvm_oracle_read(o, 0, 3, 1));
	CHECK(gvm_oracle_write(o, 0, 3, &v));		/* no right */
	CHECK(!gvm_oracle_map(o, 0, 3, NONE, WRITE));
	CHECK(!gvm_oracle_write(o, 0, 3, &v) && v == 1);
	CHECK(!gvm_oracle_write(o, 0, 3, &v) && v == 2);
	CHECK(gvm_oracle_read(o, 1, 3, 1));		/* old */
	CHECK(!gvm_oracle_read(o, 1, 3, 2));
	v = 1;
	CHECK(gvm_oracle_write(o, 0, 3, &v));		/* over old bytes */
}

static void test_losses(void)
{
	begin();
	CHECK(gvm_oracle_lost(o, 5));			/* nobody died */

	begin();
	gvm_oracle_asked(o, 1, 5);
	gvm_oracle_died(o, 1);
	CHECK(gvm_oracle_lost(o, 6));			/* not of this page */
	CHECK(!gvm_oracle_lost(o, 5));
	CHECK(gvm_oracle_lost_pages(o) == 1);
	CHECK(gvm_oracle_map(o, 2, 5, NONE, READ));	/* it is lost */

	begin();
	gvm_oracle_asked(o, 1, 5);
	gvm_oracle_died(o, 1);
	gvm_oracle_buried(o, 1);
	CHECK(!gvm_oracle_map(o, 2, 5, NONE, WRITE));	/* it was saved */
	CHECK(gvm_oracle_lost(o, 5));			/* node 2 has it */
	CHECK(!gvm_oracle_map(o, 2, 5, WRITE, NONE));
	CHECK(gvm_oracle_lost(o, 5));			/* and nobody died since */
}

int main(void)
{
	test_rights();
	test_reads();
	test_losses();
	gvm_oracle_free(o);
	return 0;
}
