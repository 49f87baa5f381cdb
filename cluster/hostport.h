/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HOST:PORT as people write it, taken apart and judged, never resolved. */
#ifndef GVM_CLUSTER_HOSTPORT_H
#define GVM_CLUSTER_HOSTPORT_H

#include <stddef.h>

#define GVM_HOST_MAX	256u	/* with the NUL */
#define GVM_PORT_MAX	6u

/*
 * Cut HOST, HOST:PORT, [IPV6] or [IPV6]:PORT in two; host has room for
 * GVM_HOST_MAX, port for GVM_PORT_MAX.  Without a port it is port_default, or
 * an error if that is NULL.  0, or -EINVAL and ret_why says what is wrong in a
 * few words.
 */
int gvm_hostport_split(const char *text, size_t len, const char *port_default,
		       char *host, char *port, const char **ret_why);

/* Can this be the name or the numeric address of a host?  0, or as above. */
int gvm_hostport_check(const char *host, const char **ret_why);

#endif
