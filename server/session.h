/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection's conversation: a judged message goes in, store and leases
 * are called, replies come out.  No sockets and no threads of its own: the
 * fuzzer drives it the same way as link.c does.
 */
#ifndef GVM_SERVER_SESSION_H
#define GVM_SERVER_SESSION_H

#include "lease.h"
#include "reply.h"
#include "shareds.h"

/* What all sessions share. */
struct gvm_service {
	struct gvm_store	store;
	struct gvm_leases	leases;
	struct gvm_shareds	shareds;
	/* One line for the operator; NULL: nobody wants to know. */
	void	(*note)(struct gvm_service *service, const char *line);
	/* Atomic. */
	u64	connections;
	u64	pages_read;
	u64	pages_written;
	u64	requests;
};

enum gvm_session_state {
	GVM_SESSION_NEW,	/* HELLO must come */
	GVM_SESSION_OPEN,	/* no region yet */
	GVM_SESSION_ATTACHED,	/* to a private region */
	GVM_SESSION_MEMBER,	/* of a shared one */
};

struct gvm_session {
	struct gvm_service	*service;
	enum gvm_session_state	state;
	struct gvm_region	*region;
	u32	epoch;
	bool	demand;		/* has sent READs that a thread waits for */
	struct gvm_shared	*shared;	/* MEMBER */
	struct gvm_seat		*seat;		/* ours; shared's lock */
	u16	node;

	/* Under the lock of the leases. */
	struct gvm_session	*prev;
	struct gvm_session	*next;
	bool	listed;
	bool	fenced;		/* atomic: another session took over */
	/* Tell the driver that fenced was set; leases or shared are locked. */
	void	(*cut)(struct gvm_session *session);
	/*
	 * Send a message behind what waits already, from whatever thread: head,
	 * and the page in frame if it is not 0.  Never blocks.  False: there is
	 * no room.  Takes the frame's reference over in any case.  shared is
	 * locked, so the session is there.  later: nobody waits for it, it may
	 * go with the next one, or in some milliseconds.
	 */
	bool	(*send)(struct gvm_session *session, const void *head,
			u32 bytes, u32 frame, bool later);
};

enum gvm_session_next {
	GVM_SESSION_GO,
	GVM_SESSION_CLOSE,	/* send what is out, then close */
	GVM_SESSION_FLUSH,	/* gvm_store's sync, then gvm_session_flushed() */
};

void gvm_session_init(struct gvm_session *s, struct gvm_service *service,
		      void (*cut)(struct gvm_session *session),
		      bool (*send)(struct gvm_session *session,
				   const void *head, u32 bytes, u32 frame,
				   bool later));
/* The connection is gone. */
void gvm_session_exit(struct gvm_session *s);

enum gvm_session_next gvm_session_message(struct gvm_session *s,
					  const struct gvm_head *head,
					  const void *payload,
					  struct gvm_out *out);
void gvm_session_flushed(u64 txn, int err, struct gvm_out *out);

/* Last words before a close: one ERROR. */
void gvm_session_error(struct gvm_out *out, u64 txn, u32 code,
		       const char *text);

#define GVM_TEXT_IO	"the disk under the server's store fails"

#define GVM_TEXT_FENCED \
	"this session was ended: the region was attached anew, taken over or dropped"

#endif
