// SPDX-License-Identifier: GPL-2.0-or-later
/* The listening socket; see listen.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listen.h"

#define BACKLOG		4096

/* "host:port" or "[host]:port" into two strings. */
static int split(const char *where, char *host, size_t host_len, char *port,
		 size_t port_len)
{
	const char *colon = strrchr(where, ':');
	const char *end = colon;
	const char *from = where;

	if (!colon)
		return -EINVAL;
	if (*where == '[') {
		if (end == where || end[-1] != ']')
			return -EINVAL;
		from++;
		end--;
	} else if (memchr(where, ':', (size_t)(colon - where))) {
		return -EINVAL;		/* IPv6 without brackets */
	}
	if (end <= from || (size_t)(end - from) >= host_len ||
	    !colon[1] || strlen(colon + 1) >= port_len)
		return -EINVAL;
	memcpy(host, from, (size_t)(end - from));
	host[end - from] = '\0';
	memcpy(port, colon + 1, strlen(colon + 1) + 1);
	return 0;
}

static bool port_ok(const char *port)
{
	unsigned value = 0;

	for (; *port; port++) {
		if (*port < '0' || *port > '9')
			return false;
		value = value * 10 + (unsigned)(*port - '0');
		if (value > 65535)
			return false;
	}
	return true;
}

bool gvm_is_loopback(const struct sockaddr *sa)
{
	const struct sockaddr_in *in = (const void *)sa;
	const struct sockaddr_in6 *in6 = (const void *)sa;

	if (sa->sa_family == AF_INET)
		return ntohl(in->sin_addr.s_addr) >> 24 == 127;
	return sa->sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

static void read_address(int fd, char *address, size_t len, uint16_t *ret_port)
{
	char host[INET6_ADDRSTRLEN + 16], port[8];
	struct sockaddr_storage ss;
	socklen_t ss_len = sizeof(ss);
	unsigned value = 0;

	getsockname(fd, (struct sockaddr *)&ss, &ss_len);
	if (getnameinfo((struct sockaddr *)&ss, ss_len, host, sizeof(host),
			port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
		return;
	snprintf(address, len, ss.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s",
		 host, port);
	sscanf(port, "%u", &value);
	*ret_port = (uint16_t)value;
}

static int open_socket(const struct addrinfo *ai, const char *where, char *why,
		       size_t why_len)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC |
			SOCK_NONBLOCK, 0);
	int one = 1;
	int err;

	if (fd < 0) {
		err = -errno;
		snprintf(why, why_len, "--listen %s: %s", where, strerror(-err));
		return err;
	}
	/* A restart must not wait for old connections; a second server fails. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (!bind(fd, ai->ai_addr, ai->ai_addrlen) && !listen(fd, BACKLOG))
		return fd;

	err = -errno;
	if (err == -EADDRINUSE)
		snprintf(why, why_len, "--listen %s: another program uses this port; choose another, or 0 for any",
			 where);
	else
		snprintf(why, why_len, "--listen %s: %s", where, strerror(-err));
	close(fd);
	return err;
}

int gvm_listen(const char *where, bool insecure, char *ret_address,
	       size_t address_len, uint16_t *ret_port, char *why,
	       size_t why_len)
{
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		/* No names: a start must not wait for a name server. */
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV | AI_NUMERICHOST,
	};
	char host[256], port[8];
	struct addrinfo *ai;
	int fd;

	if (split(where, host, sizeof(host), port, sizeof(port)) ||
	    !port_ok(port)) {
		snprintf(why, why_len, "--listen %s: not an address; write it like 127.0.0.1:9999 or [::1]:9999",
			 where);
		return -EINVAL;
	}
	if (getaddrinfo(strcmp(host, "localhost") ? host : "127.0.0.1", port,
			&hints, &ai)) {
		snprintf(why, why_len, "--listen %s: a name, not an address; write a number like 127.0.0.1:9999",
			 where);
		return -EINVAL;
	}
	if (!insecure && !gvm_is_loopback(ai->ai_addr)) {
		snprintf(why, why_len, "--listen %s: there is no authentication yet, so whoever reaches this address could read the memory; use a loopback address and a tunnel, or --insecure on a network you trust",
			 where);
		fd = -EPERM;
	} else {
		fd = open_socket(ai, where, why, why_len);
	}
	freeaddrinfo(ai);
	if (fd >= 0)
		read_address(fd, ret_address, address_len, ret_port);
	return fd;
}
