/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The address ranges of the program that we know about: attached memory, and
 * what may be attached later.
 *
 * A sorted array without gaps in meaning: an address is in no span or in one.
 * Pure bookkeeping: no system calls, no allocation, no lock.  The caller holds
 * the lock of attach.h, except for gvm_spans_near().
 */
#ifndef GVM_ATTACH_SPAN_H
#define GVM_ATTACH_SPAN_H

#include "gvm_port.h"

enum gvm_span_what {
	GVM_SPAN_RESERVED,	/* private anonymous, was PROT_NONE at mmap */
	GVM_SPAN_PENDING,	/* private anonymous, the engine is not open */
	GVM_SPAN_PRIVATE,	/* attached, anonymous */
	GVM_SPAN_SHARED,	/* attached, MAP_SHARED of a memfd */
	GVM_SPAN_REGION,	/* a mapping of a shared region */
};

struct gvm_span {
	u64	start;
	u64	end;
	u64	offset;		/* SHARED, REGION: of start in the file */
	u16	file;		/* which (shared.c, region.c) */
	u8	what;		/* enum gvm_span_what */
	u8	prot;		/* PROT_* as the program set it */
	bool	no_fork;	/* the program asked for MADV_DONTFORK */
	bool	wipe;		/* the program asked for MADV_WIPEONFORK */
};

/* The kernel's default vm.max_map_count is 65530; twice that is enough. */
#define GVM_SPANS_MAX	131072u
/* Every operation of this folder adds at most this many. */
#define GVM_SPANS_SPARE	4u

/* Is there room for one more operation? */
bool gvm_spans_room(void);
/* Must not overlap a span.  Merges with equal neighbours. */
void gvm_spans_add(const struct gvm_span *span);
/* Forget whatever is known of [start, end). */
void gvm_spans_cut(u64 start, u64 end);
/* The first span that overlaps [start, end), or NULL. */
struct gvm_span *gvm_spans_first(u64 start, u64 end);
/* The span after it that overlaps [.., end), or NULL. */
struct gvm_span *gvm_spans_next(struct gvm_span *span, u64 end);
/* Afterwards no span crosses start or end: each is inside or outside. */
void gvm_spans_split(u64 start, u64 end);
/* Undo splits that turned out to part equal neighbours. */
void gvm_spans_join(u64 start, u64 end);

/*
 * Might a span overlap?  Lock-free, and sharp enough to keep small mappings of
 * a program without attached memory off the lock.
 */
bool gvm_spans_near(u64 start, u64 end);

static inline bool gvm_span_attached(const struct gvm_span *span)
{
	return span->what == GVM_SPAN_PRIVATE ||
	       span->what == GVM_SPAN_SHARED;
}

/* Attached, or will be as soon as there is enough of it. */
static inline bool gvm_span_taken(const struct gvm_span *span)
{
	return span->what != GVM_SPAN_RESERVED;
}

#endif
