/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of servers become numeric addresses, before a program is started. */
#ifndef GVM_CLI_ADDRESS_H
#define GVM_CLI_ADDRESS_H

#include <stddef.h>
#include <sys/socket.h>

#define GVM_ADDRESS_TEXT_MAX	64u	/* "[IPv6%zone]:65535" */
#define GVM_ADDRESSES_MAX	10240u	/* servers of one program */

struct gvm_address {
	struct sockaddr_storage	sa;
	socklen_t		sa_len;
	char			text[GVM_ADDRESS_TEXT_MAX]; /* numeric, port */
};

/*
 * One of HOST, HOST:PORT, [IPV6], [IPV6]:PORT.  A host with addresses of both
 * kinds is taken at its IPv4 one.  -EINVAL: malformed; -ENOENT: no such host.
 * ret_why then says what is wrong, in a few words.
 */
int gvm_address_resolve(const char *text, size_t len,
			struct gvm_address *ret, const char **ret_why);

/*
 * "HOST:PORT,HOST:PORT", or "@FILE" with such words and # comments, into
 * "ip:port,ip:port", each of them once.  Complains
 * about the first that is wrong; NULL then.  To be freed.
 */
char *gvm_address_list(const char *command, const char *text);

#endif
