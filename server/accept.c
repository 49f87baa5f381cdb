// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The connections that come in.  Worker 0 accepts and deals them out in turn:
 * one listening socket, so that a second server on the same port is refused by
 * the kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listen.h"
#include "tune.h"
#include "worker.h"

/* A client whose machine is gone must not hold its lease for ever. */
static void set_options(int fd)
{
	static const int idle_s = 20, every_s = 5, tries = 4, on = 1;

	gvm_tune(fd);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof(every_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof(tries));
}

int gvm_server_fd_above(const struct gvm_server *server, int fd)
{
	int high;

	if (fd < 0 || fd >= server->fd_min)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, server->fd_min);
	if (high < 0)
		high = -errno;
	close(fd);
	return high;
}

/* Sent as is: there is nothing to serve this connection with. */
static void turn_away(int fd)
{
	u8 msg[sizeof(struct gvm_msg) + sizeof(struct gvm_error)];

	gvm_codec_put(msg, GVM_MSG_ERROR, 0, sizeof(struct gvm_error), 0, 0, 0);
	gvm_codec_put_error((struct gvm_error *)(msg + sizeof(struct gvm_msg)),
			    GVM_ERR_LIMIT,
			    "the server has as many connections as it can");
	if (send(fd, msg, sizeof(msg), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		errno = 0;
	close(fd);
}

static void deal_out(struct gvm_server *server, int fd)
{
	struct gvm_worker *w = &server->workers[server->next_worker++ %
						server->workers_nr];
	struct epoll_event ev = {
		.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
	};
	struct gvm_link *k;

	set_options(fd);
	k = gvm_link_open(w, fd);
	if (!k) {
		turn_away(fd);
		return;
	}
	pthread_mutex_lock(&w->lock);
	k->next = w->links;
	if (k->next)
		k->next->prev = k;
	w->links = k;
	pthread_mutex_unlock(&w->lock);
	ev.data.ptr = k;
	/* From here on it is the worker's, and may be gone already. */
	if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &ev))
		gvm_link_close(k);
}

/*
 * Out of descriptors: without accepting, the listener would stay readable and
 * this thread would spin.  So one is kept in reserve to accept and refuse.
 */
static bool make_way(struct gvm_server *server)
{
	int fd;

	gvm_server_log(server, "giantvm: out of file descriptors; a connection was refused; raise 'ulimit -n'");
	if (server->spare < 0)
		return false;
	close(server->spare);
	fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		turn_away(fd);
	server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return fd >= 0;
}

void gvm_server_accept(struct gvm_server *server)
{
	u64 connections;

	for (int i = 0; i < 64; i++) {
		int fd = accept4(server->listener, NULL, NULL,
				 SOCK_CLOEXEC | SOCK_NONBLOCK);

		fd = gvm_server_fd_above(server, fd);
		if (fd < 0) {
			if ((errno == EMFILE || errno == ENFILE) &&
			    make_way(server))
				continue;
			return;
		}
		connections = __atomic_load_n(&server->service.connections,
					      __ATOMIC_RELAXED);
		if (connections >= GVM_CONNECTIONS_MAX)
			turn_away(fd);
		else
			deal_out(server, fd);
	}
}
