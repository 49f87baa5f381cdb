// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sockets: to servers, and of a shared region's thread to homes, to peers, and
 * the one where peers come in.  Addresses are numbers by now; nothing here
 * resolves a name.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>

#include "engine.h"
#include "shared.h"
#include "sys.h"
#include "tune.h"

static void drop(long fd)
{
	gvm_fd_mine((int)fd, false);
	gvm_sys(SYS_close, fd);
}

long gvm_socket_connect(const struct sockaddr_storage *addr, u32 len)
{
	long fd, err;

	fd = gvm_sys(SYS_socket, addr->ss_family,
		     SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	fd = gvm_fd_high((int)fd);
	if (fd < 0)
		return fd;
	gvm_tune((int)fd);
	err = gvm_sys(SYS_connect, fd, addr, len);
	if (!err || err == -EINPROGRESS)
		return fd;
	drop(fd);
	return err;
}

static u16 port_of(const struct sockaddr_storage *a)
{
	return ntohs(a->ss_family == AF_INET6 ?
		     ((const struct sockaddr_in6 *)a)->sin6_port :
		     ((const struct sockaddr_in *)a)->sin_port);
}

/* "1.2.3.4:99" or "[1:2:3:4:5:6:7:8]:99" */
static void print(char *to, const struct sockaddr_storage *a, u16 port)
{
	const struct sockaddr_in6 *v6 = (const void *)a;
	const struct sockaddr_in *v4 = (const void *)a;
	const u8 *b = (const u8 *)&v4->sin_addr;
	const u16 *w = v6->sin6_addr.s6_addr16;

	if (a->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		b = v6->sin6_addr.s6_addr + 12;
	else if (a->ss_family == AF_INET6) {
		gvm_format(to, GVM_ADDRESS_MAX,
			   "[%x:%x:%x:%x:%x:%x:%x:%x]:%u", ntohs(w[0]),
			   ntohs(w[1]), ntohs(w[2]), ntohs(w[3]), ntohs(w[4]),
			   ntohs(w[5]), ntohs(w[6]), ntohs(w[7]), port);
		return;
	}
	gvm_format(to, GVM_ADDRESS_MAX, "%u.%u.%u.%u:%u", b[0], b[1], b[2],
		   b[3], port);
}

static u16 listening_port(const struct gvm_shared *r)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	gvm_sys(SYS_getsockname, r->listenfd, &a, &len);
	return port_of(&a);
}

/* Peers reach us where that connection comes from. */
void gvm_peers_address(struct gvm_shared *r, int fd)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	if (gvm_sys(SYS_getsockname, fd, &a, &len) == 0)
		print(r->address, &a, listening_port(r));
}

static bool is_any(const struct sockaddr_storage *a)
{
	const struct sockaddr_in6 *v6 = (const void *)a;
	const struct sockaddr_in *v4 = (const void *)a;

	return a->ss_family == AF_INET6 ?
	       IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr) :
	       v4->sin_addr.s_addr == INADDR_ANY;
}

/*
 * Called before the thread starts: a name is resolved here.
 * at: "HOST:PORT", port 0: any; NULL: any address, any port.
 */
int gvm_peers_listen(struct gvm_shared *r, const char *at, int backlog)
{
	struct gvm_server_addr a = {
		.addr.ss_family = AF_INET, .len = sizeof(struct sockaddr_in),
	};
	int one = 1;
	long fd, err;

	if (at && gvm_parse_address(&a, at, true))
		return -EINVAL;
	/* Homes of IPv6: peers come by that, too. */
	if (!at && r->servers[0].addr.ss_family == AF_INET6) {
		a.addr.ss_family = AF_INET6;
		a.len = sizeof(struct sockaddr_in6);
	}
	fd = gvm_sys(SYS_socket, a.addr.ss_family,
		     SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	fd = gvm_fd_high((int)fd);
	if (fd < 0)
		return (int)fd;
	gvm_sys(SYS_setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, &one,
		sizeof(one));
	err = gvm_sys(SYS_bind, fd, &a.addr, a.len);
	if (!err)
		err = gvm_sys(SYS_listen, fd, backlog);
	if (err) {
		drop(fd);
		return (int)err;
	}
	r->listenfd = (int)fd;
	if (at && !is_any(&a.addr))
		print(r->address, &a.addr, listening_port(r));
	return 0;
}
