// SPDX-License-Identifier: GPL-2.0-or-later
/* See hostport.h.  Pure: no resolver, no network. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hostport.h"

#define NAME_CHARS	"abcdefghijklmnopqrstuvwxyz" \
			"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

static int port_is_good(const char *port)
{
	char *end;
	unsigned long n = strtoul(port, &end, 10);

	return *port >= '0' && *port <= '9' && !*end && n >= 1 && n <= 65535;
}

int gvm_hostport_split(const char *text, size_t len, const char *port_default,
		       char *host, char *port, const char **ret_why)
{
	const char *end = text + len;
	const char *colon = memrchr(text, ':', len);
	const char *from = text, *to = colon ? colon : end;

	if (len && text[0] == '[') {
		to = memchr(text, ']', len);
		*ret_why = "the ] is missing";
		if (!to || (to + 1 != end && to[1] != ':'))
			return -EINVAL;
		from = text + 1;
		colon = to + 1 == end ? NULL : to + 1;
	} else if (colon && memchr(text, ':', (size_t)(colon - text))) {
		*ret_why = "an IPv6 address needs brackets: [::1]:9999";
		return -EINVAL;
	}
	*ret_why = "the host is missing";
	if (from == to)
		return -EINVAL;
	*ret_why = "it is too long";
	if ((size_t)(to - from) >= GVM_HOST_MAX)
		return -EINVAL;
	*ret_why = "the port is missing; write HOST:PORT";
	if (!colon && !port_default)
		return -EINVAL;
	snprintf(host, GVM_HOST_MAX, "%.*s", (int)(to - from), from);
	*ret_why = "the port is not a number from 1 to 65535";
	if (colon && end - colon - 1 >= (ptrdiff_t)GVM_PORT_MAX)
		return -EINVAL;
	snprintf(port, GVM_PORT_MAX, "%.*s",
		 colon ? (int)(end - colon - 1) : (int)GVM_PORT_MAX - 1,
		 colon ? colon + 1 : port_default);
	return port_is_good(port) ? 0 : -EINVAL;
}

/* Without a zone: %eth0 is for one machine, and judged where it is used. */
static int check_ipv6(const char *host)
{
	char number[INET6_ADDRSTRLEN];
	size_t len = strcspn(host, "%");
	struct in6_addr a;

	if (len >= sizeof(number))
		return -EINVAL;
	snprintf(number, sizeof(number), "%.*s", (int)len, host);
	return inet_pton(AF_INET6, number, &a) == 1 ? 0 : -EINVAL;
}

int gvm_hostport_check(const char *host, const char **ret_why)
{
	struct in_addr a;

	*ret_why = "that is not an IPv6 address";
	if (strchr(host, ':'))
		return check_ipv6(host);
	*ret_why = "that is not an IPv4 address";
	if (!host[strspn(host, "0123456789.")])
		return inet_pton(AF_INET, host, &a) == 1 ? 0 : -EINVAL;
	*ret_why = "a host has letters, digits, dots and hyphens only";
	if (host[strspn(host, NAME_CHARS)] || *host == '.' || *host == '-')
		return -EINVAL;
	return 0;
}
