/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sequence of pages as a program touched them.  Recorded ones are files of
 * page-number differences (record.sh makes them); others are made here, the
 * same on every machine.
 */
#ifndef GVM_TESTS_TRACE_H
#define GVM_TESTS_TRACE_H

#include "gvm_port.h"

/*
 * Pages are renumbered so that chunks of 512 lie side by side; which pages are
 * neighbours inside a chunk is kept.
 */
struct trace {
	char	name[32];
	u32	*page;
	u32	nr;
	u32	chunks;		/* page numbers are below chunks * 512 */
	u32	distinct;	/* pages that occur at all */
};

/* Both end the test program if it cannot be done. */
void trace_load(struct trace *t, const char *path);
void trace_make(struct trace *t, const char *kind);
void trace_free(struct trace *t);

/* Names for trace_make(), NULL at the end. */
extern const char *const trace_kinds[];

#endif
