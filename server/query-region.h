/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions about shared regions to one memory server, for tools; see query.h
 * for how long they take and what they return.  -ENOENT: no such region,
 * -EEXIST: there is one already.
 */
#ifndef GVM_SERVER_QUERY_REGION_H
#define GVM_SERVER_QUERY_REGION_H

#include "query.h"

#define GVM_REGION_NAME_BYTES	56u	/* with the NUL */
#define GVM_REGION_ADDRESS_BYTES 56u
#define GVM_REGION_COUNTERS	12u
#define GVM_REGION_LOST_MAX	4096u	/* lost pages that are listed */

struct gvm_region_plan {
	const char	*name;
	uint64_t	bytes;
	uint64_t	slice_bytes;	/* 0: the server's default */
	uint32_t	lease_ms;	/* 0: the server's */
	uint16_t	server;		/* place in the list of servers */
	uint16_t	servers;
	uint8_t		cluster[16];	/* fingerprint of the file, or zeros */
	uint8_t		region[16];	/* server 0 fills it in for the others */
};

struct gvm_region_info {
	char		name[GVM_REGION_NAME_BYTES];
	uint8_t		region[16];
	uint64_t	bytes;
	uint64_t	slice_bytes;
	uint64_t	pages_stored;
	uint64_t	pages_lost;
	uint32_t	members;
	uint16_t	server;
	uint16_t	servers;
};

struct gvm_region_node {
	char		address[GVM_REGION_ADDRESS_BYTES];
	uint64_t	heard_ms;
	uint32_t	epoch;
	uint16_t	id;
	uint16_t	connected;
};

struct gvm_region_report {
	struct gvm_region_info info;
	uint64_t	counters[GVM_REGION_COUNTERS];
	uint64_t	directory_bytes;
	uint64_t	messages_in;
	uint64_t	messages_out;
	uint64_t	messages_dropped;
	struct gvm_region_node *nodes;	/* by id */
	uint32_t	nodes_nr;
	uint64_t	*lost;		/* page numbers, ascending */
	uint32_t	lost_nr;
};

/* What counters[] are, in order, as words of JSON. */
extern const char *const gvm_region_counters[GVM_REGION_COUNTERS];

/* May a region have this name? */
bool gvm_region_name_ok(const char *name);

int gvm_query_region_make(const struct sockaddr *sa, socklen_t sa_len,
			  unsigned timeout_ms, struct gvm_region_plan *plan,
			  char ret_why[GVM_QUERY_WHY_MAX]);
int gvm_query_region_remove(const struct sockaddr *sa, socklen_t sa_len,
			    unsigned timeout_ms, const char *name, bool force,
			    char ret_why[GVM_QUERY_WHY_MAX]);
/* *ret_list is to be freed. */
int gvm_query_region_list(const struct sockaddr *sa, socklen_t sa_len,
			  unsigned timeout_ms,
			  struct gvm_region_info **ret_list, uint32_t *ret_nr,
			  char ret_why[GVM_QUERY_WHY_MAX]);
/* To be let go by gvm_region_report_free(). */
int gvm_query_region_status(const struct sockaddr *sa, socklen_t sa_len,
			    unsigned timeout_ms, const char *name,
			    struct gvm_region_report *ret,
			    char ret_why[GVM_QUERY_WHY_MAX]);
void gvm_region_report_free(struct gvm_region_report *report);

#endif
