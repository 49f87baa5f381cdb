// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The text form of a guest's nodes becomes a table, or a reason why not.
 */
#include <stdlib.h>
#include <string.h>

#include "guest.h"

#define NOBODY	0xffu

/* A decimal number below max at *at, which moves behind it; -1 if none. */
static int number(const char **at, u32 max)
{
	u32 value = 0;

	if (**at < '0' || **at > '9')
		return -1;
	while (**at >= '0' && **at <= '9') {
		value = value * 10 + (u32)(*(*at)++ - '0');
		if (value >= max)
			return -1;
	}
	return (int)value;
}

static const char *take_vcpus(struct gvm_guest *guest, u8 node,
			      const char **at)
{
	int first, last;

	do {
		first = last = number(at, GVM_GUEST_VCPUS_MAX);
		if (first >= 0 && **at == '-') {
			(*at)++;
			last = number(at, GVM_GUEST_VCPUS_MAX);
		}
		if (first < 0 || last < first)
			return "a list of vCPUs is not like 0-3:8-11, or beyond 253";
		for (; first <= last; first++) {
			if (guest->owner[first] != NOBODY)
				return "a vCPU is named twice";
			guest->owner[first] = node;
			if (guest->vcpus_nr < (u32)first + 1)
				guest->vcpus_nr = (u32)first + 1;
		}
	} while (**at == ':' && (*at)++);
	return NULL;
}

/* HOST:PORT before the slash; an IPv6 host stands in brackets. */
static const char *take_address(struct gvm_guest *guest, u32 node,
				const char **at)
{
	const char *slash = strchr(*at, '/');
	const char *host = *at, *colon = slash;
	size_t len;

	if (!slash)
		return "a node has no /VCPUS";
	while (colon > host && *colon != ':')
		colon--;
	len = (size_t)(colon - host);
	if (len > 1 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	}
	if (!len || len >= GVM_GUEST_ADDRESS_MAX)
		return "a node has no address, or a very long one";
	memcpy(guest->host[node], host, len);
	len = (size_t)(slash - colon - 1);
	if (!len || len >= sizeof(guest->port[node]) ||
	    strspn(colon + 1, "0123456789") < len)
		return "a node has no port";
	memcpy(guest->port[node], colon + 1, len);
	*at = slash + 1;
	return NULL;
}

static const char *judge(const struct gvm_guest *guest)
{
	bool busy[GVM_GUEST_NODES_MAX] = { false };
	u32 i;

	for (i = 0; i < guest->vcpus_nr; i++) {
		if (guest->owner[i] == NOBODY)
			return "a vCPU is missing: they must be numbered from 0 without a gap";
		busy[guest->owner[i]] = true;
	}
	for (i = 0; i < guest->nodes_nr; i++)
		if (!busy[i])
			return "a node has no vCPU";
	if (guest->owner[0] != 0)
		return "vCPU 0 must belong to node 0, where the devices are";
	return NULL;
}

int gvm_guest_parse(struct gvm_guest *guest, const char *text,
		    const char **ret_why)
{
	const char *why = NULL;
	struct gvm_guest *g;

	if (strlen(text) >= GVM_GUEST_TEXT_MAX) {
		*ret_why = "it is too long";
		return -EINVAL;
	}
	g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	memset(g->owner, NOBODY, sizeof(g->owner));
	while (!why) {
		if (g->nodes_nr == GVM_GUEST_NODES_MAX) {
			why = "there are more than 64 nodes";
			break;
		}
		why = take_address(g, g->nodes_nr, &text);
		if (!why)
			why = take_vcpus(g, (u8)g->nodes_nr, &text);
		g->nodes_nr++;
		if (why || *text == '\0')
			break;
		if (*text++ != '+')
			why = "nodes have no + between them";
	}
	if (!why)
		why = judge(g);
	if (!why) {
		g->me = guest->me;
		*guest = *g;
	} else {
		*ret_why = why;
	}
	free(g);
	return why ? -EINVAL : 0;
}
