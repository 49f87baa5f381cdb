/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files that read a cluster.conf share: lines.c gets lines through
 * the library, keys.c knows sections and keys, whole.c judges what only the
 * whole file shows.  Nobody else includes this.
 */
#ifndef GVM_CLUSTER_PARSE_H
#define GVM_CLUSTER_PARSE_H

#include <stdbool.h>

#include "conf.h"

#define GVM_PARSE_LINE_MAX	190u	/* the library reads lines below 200 */
#define GVM_PARSE_KEYS_MAX	4u	/* of one section */

struct gvm_parse_section;

/* A region asks for a server, which may be described further down. */
struct gvm_parse_wish {
	uint32_t	region;
	unsigned	line;
	char		server[GVM_CONF_LABEL_MAX + 1];
};

struct gvm_parse {
	const char	*file;		/* its name, for complaints */
	const char	*at;		/* what is not read yet */
	const char	*end;
	unsigned	line;		/* of what was read last */
	bool		indented;	/* that line may continue the one above */
	bool		owed;		/* the library has not handed it on */

	const struct gvm_parse_section *section;	/* NULL: before the first */
	unsigned	section_line;
	int		key;		/* index of the last one; -1: none yet */
	unsigned	key_line[GVM_PARSE_KEYS_MAX];	/* 0: not given */

	unsigned	cluster_line;	/* 0: no such section */
	unsigned	node_line[GVM_CONF_NODES_MAX];
	uint16_t	vcpu_taken[GVM_CONF_VCPUS_MAX];	/* id of node, plus 1 */
	struct gvm_parse_wish *wishes;
	unsigned	wishes_nr;

	struct gvm_conf	*conf;
	int		err;		/* the first, and why says what */
	char		*why;
};

/*
 * Complain, once: later complaints are lost.  Line 0 means the whole file.
 * Returns what p->err has become.
 */
int gvm_parse_fail(struct gvm_parse *p, unsigned line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int gvm_parse_fail_memory(struct gvm_parse *p);

/*
 * Room for one more behind nr entries of `size` bytes, zeroed: the new place of
 * all, or NULL after a complaint.
 */
void *gvm_parse_grow(struct gvm_parse *p, void *entries, unsigned nr,
		     size_t size);

/* lines.c: 0, or p->err */
int gvm_parse_lines(struct gvm_parse *p);
bool gvm_parse_plain(const char *text);		/* can be shown to people */
#define GVM_PARSE_NOT_PLAIN	"only ASCII is understood outside of comments"

/* keys.c: 0, or p->err */
int gvm_parse_section_begin(struct gvm_parse *p, const char *line);
int gvm_parse_section_end(struct gvm_parse *p);
int gvm_parse_key(struct gvm_parse *p, const char *name, const char *value);

/* values.c: one value of a key each; 0, or p->err */
int gvm_parse_label(struct gvm_parse *p, const char *what, const char *text,
		    char *ret);
int gvm_parse_size(struct gvm_parse *p, const char *key, const char *text,
		   uint64_t min, uint64_t *ret);
int gvm_parse_number(struct gvm_parse *p, const char *key, const char *text,
		     uint32_t min, uint32_t max, uint32_t *ret);
int gvm_parse_address(struct gvm_parse *p, const char *text, const char **ret);
int gvm_parse_vcpus(struct gvm_parse *p, const char *text,
		    struct gvm_conf_node *node);
int gvm_parse_wishes(struct gvm_parse *p, const char *text);

/* whole.c: 0, or p->err */
int gvm_parse_whole(struct gvm_parse *p);

/* fingerprint.c */
void gvm_parse_fingerprint(struct gvm_conf *conf);

#endif
