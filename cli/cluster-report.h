/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A cluster as its file describes it, in tables and as JSON. */
#ifndef GVM_CLI_CLUSTER_REPORT_H
#define GVM_CLI_CLUSTER_REPORT_H

#include "conf.h"

struct json_object;

/*
 * How much of the regions is at home on each server, by its index.  NULL: no
 * memory.  To be freed.
 */
uint64_t *gvm_cluster_shares(const struct gvm_conf *conf);

/* "0-3,8"; NULL: no memory.  To be freed. */
char *gvm_cluster_vcpus(const struct gvm_conf_node *node);

/* 0, or -ENOMEM. */
int gvm_cluster_report(const struct gvm_conf *conf, const uint64_t *shares);
struct json_object *gvm_cluster_json(const struct gvm_conf *conf,
				     const uint64_t *shares);

#endif
