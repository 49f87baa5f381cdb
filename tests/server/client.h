/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client that does one thing at a time and checks every answer, for tests of
 * the server.  Calls return 0, the code of an ERROR (> 0, text in c->error),
 * or -EPIPE when the server has closed the connection.
 */
#ifndef GVM_TESTS_SERVER_CLIENT_H
#define GVM_TESTS_SERVER_CLIENT_H

#include "core/codec.h"
#include "server/server.h"

struct client {
	int	fd;
	u32	region;
	u32	epoch;
	u64	txn;
	u8	id[16];
	u8	token[16];
	u32	lease_ms;
	u64	pages_free;		/* as last told */
	struct gvm_error error;
	u8	*buf;			/* last payload */
};

/* Connect only; to a loopback port. */
void client_dial(struct client *c, u16 port);
/* Connect and say HELLO. */
void client_open(struct client *c, u16 port);
void client_close(struct client *c);

/* A region id and token made from a number. */
void client_name(struct client *c, u32 number, u32 token);
int client_attach(struct client *c, u32 flags);
/* open, name and attach with CREATE; CHECKs that it works. */
void client_enter(struct client *c, u16 port, u32 number);
/* Same region and token as another, entering its session. */
void client_join(struct client *c, u16 port, const struct client *other);

/* NULL: zero pages. */
int client_write(struct client *c, u64 page, const void *bytes, u32 count);
/* Page page[i] becomes bytes[i], or zero where that is NULL. */
int client_write_list(struct client *c, const u64 *pages,
		      const void *const *bytes, u32 count);
/* CHECKs the CRC of what came. */
int client_read(struct client *c, u64 page, void *bytes, u32 count);
int client_trim(struct client *c, u64 page, u32 count);
int client_flush(struct client *c);
int client_clone(struct client *c, u32 number, u32 token);
int client_detach(struct client *c, bool drop);
int client_stat(struct client *c, struct gvm_server_stats *ret);
int client_ping(struct client *c);

/* Parts, for tests that do it wrong on purpose. */
int client_send(struct client *c, const void *bytes, size_t len);
int client_request(struct client *c, u16 type, u16 flags, const void *payload,
		   u32 len);
/* Send a WRITE and do not wait; it must be answered. */
int client_send_write(struct client *c, u64 page, const void *bytes, u32 count);
int client_send_read(struct client *c, u64 page, u32 count, u16 flags);
/* Next message; payload is in c->buf.  -EPIPE: closed. */
int client_receive(struct client *c, struct gvm_head *ret);
/* Next message must be of this type. */
int client_expect(struct client *c, u16 type, struct gvm_head *ret);
/* True once the server has closed; what comes before is kept in c->error. */
bool client_closed(struct client *c);

/* 4 KiB that say which page and version they are; never zero. */
void stamp(void *page, u64 number, u64 version);
/* Version of a stamped page, 0 for a zero page; CHECKs every byte. */
u64 stamp_version(const void *page, u64 number);

/* A server in this process; CHECKs that it starts. */
struct gvm_server *server_start(const struct gvm_server_config *config);

/* A server of its own, by the program; returns pid and port. */
int server_spawn(char *const argv[], u16 *ret_port);

#endif
