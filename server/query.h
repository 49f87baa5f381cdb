/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One question to one memory server, for tools: asked, answered, hung up.
 * Blocks for at most the time that it is given; not for a program that pages.
 */
#ifndef GVM_SERVER_QUERY_H
#define GVM_SERVER_QUERY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define GVM_QUERY_WHY_MAX	320u

struct gvm_server_fill {
	uint64_t	pages_max;	/* capacity */
	uint64_t	pages_used;
	uint64_t	overhead_bytes;	/* memory beside the pages */
	uint64_t	regions;
	uint64_t	connections;
	uint64_t	pages_read;	/* since it started */
	uint64_t	pages_written;
	uint64_t	requests;
};

/*
 * How full is it?  0; -ECONNREFUSED and the like: not reached; -ETIMEDOUT;
 * -EPROTO: what answers is not a memory server, or of another version;
 * -EREMOTEIO: it refused.  ret_why then says it in words.
 */
int gvm_query_fill(const struct sockaddr *sa, socklen_t sa_len,
		   unsigned timeout_ms, struct gvm_server_fill *ret,
		   char ret_why[GVM_QUERY_WHY_MAX]);

/*
 * Drop a region whose holder is dead.  0 too if the server does not have it.
 * Errors as above.
 */
int gvm_query_drop(const struct sockaddr *sa, socklen_t sa_len,
		   unsigned timeout_ms, const uint8_t region[16],
		   const uint8_t token[16], char ret_why[GVM_QUERY_WHY_MAX]);

#endif
