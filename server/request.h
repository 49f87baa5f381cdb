/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One message in hand, and how it is answered: for the files of a session. */
#ifndef GVM_SERVER_REQUEST_H
#define GVM_SERVER_REQUEST_H

#include "session.h"

struct gvm_request {
	struct gvm_session	*s;
	struct gvm_service	*service;
	const struct gvm_head	*head;
	const void		*payload;
	struct gvm_out		*out;
};

/* A reply without pages; returns where its payload goes, or NULL. */
void *gvm_answer(struct gvm_out *out, u16 type, u32 payload_len, u32 region,
		 u32 epoch, u64 txn);
/* An ERROR; says whether the connection survives it. */
enum gvm_session_next gvm_fail(const struct gvm_request *q, u32 code,
			       const char *text);

/* Out of memory for the reply itself: without an answer, the connection ends. */
static inline enum gvm_session_next gvm_go_if(const void *replied)
{
	return replied ? GVM_SESSION_GO : GVM_SESSION_CLOSE;
}

/* member.c */
enum gvm_session_next gvm_on_join(const struct gvm_request *q);
enum gvm_session_next gvm_on_leave(const struct gvm_request *q);
enum gvm_session_next gvm_on_peer(const struct gvm_request *q);
/* home.c */
enum gvm_session_next gvm_on_coherence(const struct gvm_request *q);
/* tool.c */
enum gvm_session_next gvm_on_region_make(const struct gvm_request *q);
enum gvm_session_next gvm_on_region_list(const struct gvm_request *q);
enum gvm_session_next gvm_on_region_remove(const struct gvm_request *q);
enum gvm_session_next gvm_on_region_status(const struct gvm_request *q);

#endif
