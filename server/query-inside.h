/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One question and its answer, for query.c and query-region.c. */
#ifndef GVM_SERVER_QUERY_INSIDE_H
#define GVM_SERVER_QUERY_INSIDE_H

#include "core/codec.h"
#include "query.h"
#include "reply.h"

/* The largest answer: the STATUS of a region. */
#define GVM_QUERY_REPLY_MAX	(GVM_REPLY_LARGE_HEAD - sizeof(struct gvm_msg))
#define GVM_QUERY_REQUEST_MAX	256u

struct gvm_query {
	int		fd;
	int64_t		end_ms;		/* when the patience ends */
	uint64_t	txn;
	char		*why;
	struct gvm_head	head;		/* of the last answer */
	union {
		uint8_t			bytes[GVM_QUERY_REPLY_MAX];
		struct gvm_error	error;
		struct gvm_server_stats	stats;
		struct gvm_status	status;
	} reply;
};

/* Connect and say HELLO.  All return 0, or -errno and q->why says it. */
int gvm_query_open(struct gvm_query *q, const struct sockaddr *sa,
		   socklen_t sa_len, unsigned timeout_ms, char *why);
int gvm_query_send(struct gvm_query *q, u16 type, u32 region, u32 epoch,
		   const void *payload, u32 len);
/* The answer to the last request, of this type. */
int gvm_query_await(struct gvm_query *q, u16 type);
void gvm_query_close(struct gvm_query *q);

#endif
