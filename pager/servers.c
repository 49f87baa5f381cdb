// SPDX-License-Identifier: GPL-2.0-or-later
/* The list of memory servers, from text to addresses. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>

#include "engine.h"
#include "mem.h"

/* "1.2.3.4:99", "[::1]:99" or "name:99"; the port may be left out. */
static int parse_server(struct gvm_server_addr *a, const char *text, size_t len,
			bool resolve)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&a->addr;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a->addr;
	char host[256], *port = NULL, *end = host;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	unsigned int number = GVM_PORT_DEFAULT;

	if (!len || len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	gvm_format(a->text, sizeof(a->text), "%s", host);
	if (*host == '[') {
		end = host + 1;
		while (*end && *end != ']')
			end++;
		if (!*end)
			return -EINVAL;
		*end++ = '\0';
	}
	while (*end && *end != ':')
		end++;
	if (*end) {
		*end = '\0';
		port = end + 1;
		number = 0;
		for (const char *p = port; *p; p++) {
			if (*p < '0' || *p > '9' || number > 65535)
				return -EINVAL;
			number = number * 10 + (unsigned int)(*p - '0');
		}
		if (number > 65535)
			return -EINVAL;
	}
	if (*host == '[') {
		a->len = sizeof(*v6);
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)number);
		return inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1 ?
		       0 : -EINVAL;
	}
	v4->sin_family = AF_INET;
	a->len = sizeof(*v4);
	if (inet_pton(AF_INET, host, &v4->sin_addr) != 1) {
		if (!resolve)
			return -EINVAL;
		/* A name: the one place that enters libc's resolver. */
		hints.ai_family = AF_INET;
		if (getaddrinfo(host, NULL, &hints, &found))
			return -EINVAL;
		memcpy(v4, found->ai_addr, sizeof(*v4));
		freeaddrinfo(found);
	}
	v4->sin_port = htons((uint16_t)number);
	return 0;
}

static bool port_of(const struct gvm_server_addr *a)
{
	return a->addr.ss_family == AF_INET6 ?
	       ((const struct sockaddr_in6 *)&a->addr)->sin6_port :
	       ((const struct sockaddr_in *)&a->addr)->sin_port;
}

int gvm_parse_address(struct gvm_server_addr *a, const char *text, bool resolve)
{
	size_t len = 0;

	while (text[len])
		len++;
	return parse_server(a, text, len, resolve);
}

int gvm_parse_list(const char *list, struct gvm_server_addr **ret, u32 *ret_nr,
		   char *why, size_t why_bytes)
{
	struct gvm_server_addr *servers;
	u32 nr = 1;

	if (!list || !*list) {
		gvm_format(why, why_bytes, "no memory server was given");
		return -EINVAL;
	}
	for (const char *p = list; *p; p++)
		nr += *p == ',';
	if (nr > GVM_NODES_MAX) {
		gvm_format(why, why_bytes,
			   "%u servers are more than the limit of %u", nr,
			   GVM_NODES_MAX);
		return -EINVAL;
	}
	servers = gvm_mem_map(nr * sizeof(*servers));
	if (!servers)
		return -ENOMEM;
	for (u32 i = 0;; i++) {
		size_t len = 0;

		while (list[len] && list[len] != ',')
			len++;
		if (parse_server(&servers[i], list, len, true) ||
		    !port_of(&servers[i])) {
			gvm_format(why, why_bytes,
				   "`%s` is not an address of the form HOST:PORT",
				   servers[i].text);
			gvm_mem_unmap(servers, nr * sizeof(*servers));
			return -EINVAL;
		}
		if (!list[len])
			break;
		list += len + 1;
	}
	*ret = servers;
	*ret_nr = nr;
	return 0;
}

int gvm_parse_servers(struct gvm *g, const char *list)
{
	return gvm_parse_list(list, &g->servers, &g->servers_nr, g->why,
			      sizeof(g->why));
}
