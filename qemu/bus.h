/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bus between the QEMU processes of one guest: one TCP connection between
 * any two nodes, a thread that receives from each, and one that watches that
 * all are alive.  Knows nothing of QEMU.
 *
 * Sending blocks while the socket is full, but never for longer than lost_ms:
 * whoever does not read for so long is lost, and with it the guest.
 */
#ifndef GVM_QEMU_BUS_H
#define GVM_QEMU_BUS_H

#include <pthread.h>

#include "wire.h"

#define GVM_BUS_STRINGS		5u	/* in HELLO, compared in this order */
#define GVM_BUS_WHY_MAX		1024u

struct gvm_bus_peer {
	pthread_mutex_t	lock;		/* sending */
	pthread_t	thread;
	int		fd;		/* -1: none */
	u32		node;
	struct gvm_bus	*bus;
	bool		ready;		/* has said READY */
	bool		left;		/* has said BYE */
	bool		busy;		/* its last message is being carried out */
	s64		heard_ns;
};

struct gvm_bus_hello {
	/* Names and values; NULL or empty values are not compared. */
	const char	*name[GVM_BUS_STRINGS];
	const char	*value[GVM_BUS_STRINGS];
};

struct gvm_bus {
	struct gvm_guest guest;
	u32		wait_ms;	/* for all nodes to come */
	u32		lost_ms;	/* of silence */
	u32		epoch;		/* put into every message */
	u64		machine;	/* val of READY */
	bool		broken;		/* lost() was called: once is enough */
	bool		quiet;		/* the guest is ending: nobody gets lost */
	u64		sent[GVM_WIRE_NR];
	u64		received[GVM_WIRE_NR];
	s64		opened_ns;
	void		*arg;
	/* In the receiving thread of that node. */
	void		(*message)(void *arg, u32 from,
				   const struct gvm_wire *msg);
	/* Before the first message of such a thread. */
	void		(*thread)(void *arg);
	/* A node cannot go on; must not return. */
	void		(*lost)(void *arg, u32 node, const char *why);
	/* Once a second, in the thread that watches; NULL: nothing. */
	void		(*second)(void *arg);
	/* Something that an operator may want to know meanwhile. */
	void		(*say)(void *arg, const char *text);
	struct gvm_bus_peer peer[GVM_GUEST_NODES_MAX];
};

/*
 * Meet all other nodes and compare what must be equal.  Blocks until all are
 * there.  0; or -errno, and `why` has one sentence for people.
 */
int gvm_bus_open(struct gvm_bus *bus, const struct gvm_bus_hello *hello,
		 char why[GVM_BUS_WHY_MAX]);

/* Begin to receive, and to watch the others. */
int gvm_bus_start(struct gvm_bus *bus);

/* Any thread.  To a node that has left, or to me: nothing happens. */
void gvm_bus_send(struct gvm_bus *bus, u32 to, const struct gvm_wire *msg);
void gvm_bus_send_all(struct gvm_bus *bus, const struct gvm_wire *msg);

/*
 * This node is about to end because it has lost another one: the others shall name
 * that one, and not this.  Waits for nobody.
 */
void gvm_bus_tell_lost(struct gvm_bus *bus, u32 node);

/* Has everybody said READY?  To be asked when somebody has. */
bool gvm_bus_all_ready(struct gvm_bus *bus);

s64 gvm_bus_now_ns(void);

/* Parts of bus.c that have a file of their own (meet.c). */
int gvm_bus_write(struct gvm_bus *bus, int fd, const struct gvm_wire *msg,
		  const void *body);

#endif
