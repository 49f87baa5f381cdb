/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The listening socket: its address, and who may reach it. */
#ifndef GVM_SERVER_LISTEN_H
#define GVM_SERVER_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * Listen on "ADDR:PORT", "[ADDR6]:PORT" or "localhost:PORT".  Other than
 * loopback addresses are refused unless insecure.  A descriptor and the
 * address as it really is, or -errno and one line in why[].
 */
int gvm_listen(const char *where, bool insecure, char *ret_address,
	       size_t address_len, uint16_t *ret_port, char *why,
	       size_t why_len);

bool gvm_is_loopback(const struct sockaddr *sa);

#endif
