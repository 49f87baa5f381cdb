/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is true of every page, known by watching: who may read or write it now,
 * which write was the latest, who can have taken its only copy to the grave.
 * Includes nothing of the core and asks it nothing; a page's content is the
 * number of its latest write.
 */
#ifndef GVM_SIM_ORACLE_H
#define GVM_SIM_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

enum gvm_oracle_right {
	GVM_ORACLE_NONE,
	GVM_ORACLE_READ,
	GVM_ORACLE_WRITE,
};

/* NULL: all is well.  Else what broke; the text stays until the next call. */
typedef const char *gvm_oracle_verdict;

struct gvm_oracle;

/* deaths: losses will be judged, which takes nodes x pages bits. */
struct gvm_oracle *gvm_oracle_new(uint32_t nodes, uint64_t pages, bool deaths);
void gvm_oracle_free(struct gvm_oracle *o);

/* A node's page table changed. */
gvm_oracle_verdict gvm_oracle_map(struct gvm_oracle *o, uint32_t node,
				  uint64_t page, enum gvm_oracle_right before,
				  enum gvm_oracle_right after);

/* A thread of a node read this version. */
gvm_oracle_verdict gvm_oracle_read(const struct gvm_oracle *o, uint32_t node,
				   uint64_t page, uint64_t version);

/* A thread writes over this version; the next one is returned in *version. */
gvm_oracle_verdict gvm_oracle_write(struct gvm_oracle *o, uint32_t node,
				    uint64_t page, uint64_t *version);

/* The node has asked for the right to write. */
void gvm_oracle_asked(struct gvm_oracle *o, uint32_t node, uint64_t page);
/* The node died, and what it had mapped has been taken out of the tables. */
void gvm_oracle_died(struct gvm_oracle *o, uint32_t node);
/* Everybody knows. */
void gvm_oracle_buried(struct gvm_oracle *o, uint32_t node);
/* A node was told that the page is lost. */
gvm_oracle_verdict gvm_oracle_lost(struct gvm_oracle *o, uint64_t page);

uint64_t gvm_oracle_latest(const struct gvm_oracle *o, uint64_t page);
uint32_t gvm_oracle_readers(const struct gvm_oracle *o, uint64_t page);
/* Node, or ~0. */
uint32_t gvm_oracle_writer(const struct gvm_oracle *o, uint64_t page);
uint64_t gvm_oracle_lost_pages(const struct gvm_oracle *o);
/* Of them, those that somebody could still read: lost for lack of knowledge. */
uint64_t gvm_oracle_avoidable(const struct gvm_oracle *o);

#endif
