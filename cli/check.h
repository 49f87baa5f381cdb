/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this machine can do for giantvm, one finding at a time.
 *
 * A check looks, and says what it found and the command that mends it.  It
 * changes nothing.  `giantvm doctor` runs them all; `giantvm run` runs the
 * first one before it starts a program.
 */
#ifndef GVM_CLI_CHECK_H
#define GVM_CLI_CHECK_H

#include <stdint.h>

enum gvm_level {
	GVM_LEVEL_OK,
	GVM_LEVEL_WARN,		/* works, but something will be missed */
	GVM_LEVEL_FAIL,		/* giantvm cannot run a program here */
};

struct gvm_finding {
	const char	*name;
	enum gvm_level	level;
	char		what[200];	/* what was found */
	char		mend[240];	/* command for a shell; empty: none */
};

/* What the machine is asked to do; some limits only matter in a crowd. */
struct gvm_ask {
	unsigned	nodes;		/* memory servers in the cluster */
};

typedef void gvm_check(const struct gvm_ask *ask, struct gvm_finding *ret);

/* check-uffd.c */
gvm_check gvm_check_uffd_permission;
gvm_check gvm_check_uffd_features;

/* check-system.c */
gvm_check gvm_check_kvm;
gvm_check gvm_check_overcommit;
gvm_check gvm_check_huge_pages;
gvm_check gvm_check_map_count;

/* check-limits.c */
gvm_check gvm_check_descriptors;
gvm_check gvm_check_memlock;
gvm_check gvm_check_backlog;
gvm_check gvm_check_neighbours;

/* check-software.c */
gvm_check gvm_check_attach;
gvm_check gvm_check_engine;
gvm_check gvm_check_jemalloc;
gvm_check gvm_check_qemu;

/* finding.c: how a check fills in what it found. */
void gvm_found(struct gvm_finding *f, enum gvm_level level,
	       const char *what, ...) __attribute__((format(printf, 3, 4)));
void gvm_mend(struct gvm_finding *f, const char *mend, ...)
	__attribute__((format(printf, 2, 3)));
/* A number from a file of /proc or /sys; fallback when there is none. */
int64_t gvm_read_number(const char *path, int64_t fallback);
/* First line of a file without its newline; an empty string if unreadable. */
void gvm_read_line(const char *path, char *ret_line, unsigned bytes);

#endif
