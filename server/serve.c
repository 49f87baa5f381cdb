// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Start and stop of the memory server, and the connections that come in.
 * Worker 0 accepts and deals them out in turn: one listening socket, so that a
 * second server on the same port is refused by the kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "listen.h"
#include "worker.h"

#define LOG_LINES_MAX	20u	/* a second: a broken client must not fill disks */
#define WHY_BYTES	512u

static _Thread_local char why_buf[WHY_BYTES];

void gvm_server_log(struct gvm_server *server, const char *format, ...)
{
	u64 now = (u64)time(NULL);
	char line[512];
	va_list args;

	if (!server->log)
		return;
	/* Two threads at the turn of a second may let a line too many by. */
	if (__atomic_exchange_n(&server->log_second, now, __ATOMIC_RELAXED) !=
	    now)
		__atomic_store_n(&server->log_lines, 0, __ATOMIC_RELAXED);
	if (__atomic_add_fetch(&server->log_lines, 1, __ATOMIC_RELAXED) >
	    LOG_LINES_MAX)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	server->log(line, server->log_arg);
}

/*
 * A client whose machine is gone must not hold its lease for ever.  And on
 * loopback there is no congestion to control: pacing (BBR) would only cost a
 * third of the throughput.
 */
static void set_options(int fd, const struct sockaddr *peer)
{
	static const int idle_s = 20, every_s = 5, tries = 4, on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof(every_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof(tries));
	if (gvm_is_loopback(peer))
		setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno",
			   sizeof("reno") - 1);
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

static void deal_out(struct gvm_server *server, int fd,
		     const struct sockaddr *peer)
{
	struct gvm_worker *w = &server->workers[server->next_worker++ %
						server->workers_nr];
	struct epoll_event ev = {
		.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
	};
	struct gvm_link *k;

	set_options(fd, peer);
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
	struct sockaddr_storage peer;
	u64 connections;

	for (int i = 0; i < 64; i++) {
		socklen_t len = sizeof(peer);
		int fd = accept4(server->listener, (struct sockaddr *)&peer,
				 &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

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
			deal_out(server, fd, (struct sockaddr *)&peer);
	}
}

/*
 * Every connection is a descriptor: take what we may.  Above the hard limit
 * only root may; others get what there is.
 */
static void raise_descriptors(struct gvm_server *server)
{
	const struct rlimit want = {
		GVM_CONNECTIONS_MAX + 256, GVM_CONNECTIONS_MAX + 256,
	};
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) || rl.rlim_cur >= want.rlim_cur)
		return;
	if (rl.rlim_max < want.rlim_cur && !setrlimit(RLIMIT_NOFILE, &want))
		return;
	rl.rlim_cur = rl.rlim_max < want.rlim_cur ? rl.rlim_max : want.rlim_cur;
	setrlimit(RLIMIT_NOFILE, &rl);
	if (rl.rlim_cur < GVM_NODES_MAX)
		gvm_server_log(server, "giantvm: at most %llu connections, for want of file descriptors; raise 'ulimit -Hn' to %llu for more",
			       (unsigned long long)rl.rlim_cur,
			       (unsigned long long)want.rlim_cur);
}

static void note(struct gvm_service *service, const char *line)
{
	struct gvm_server *server = (struct gvm_server *)((u8 *)service -
				offsetof(struct gvm_server, service));

	gvm_server_log(server, "%s", line);
}

static int open_store(struct gvm_server *server,
		      const struct gvm_server_config *config)
{
	struct gvm_service *v = &server->service;
	const char *store = config->store ? config->store : "anon";
	const char *path = NULL;
	bool fresh;
	int err;

	if (!strncmp(store, "file:", 5) && store[5]) {
		path = store + 5;
	} else if (strcmp(store, "anon")) {
		snprintf(why_buf, WHY_BYTES, "--store %s: not a store; use anon or file:PATH",
			 store);
		return -EINVAL;
	}
	err = gvm_store_open(&v->store, path,
			     config->memory_bytes >> GVM_PAGE_SHIFT, &fresh,
			     why_buf, WHY_BYTES);
	if (err)
		return err;
	v->leases.wake = gvm_keeper_poke;
	v->leases.wake_arg = &server->keeper;
	v->note = note;
	gvm_shareds_init(&v->shareds, v, config->node_lease_ms);
	err = gvm_leases_init(&v->leases, &v->store, fresh, path,
			      config->lease_ms, why_buf, WHY_BYTES);
	if (err)
		gvm_store_close(&v->store);
	return err;
}

static int open_listener(struct gvm_server *server,
			 const struct gvm_server_config *config)
{
	server->listener = gvm_listen(config->listen, config->insecure,
				      server->address,
				      sizeof(server->address), &server->port,
				      why_buf, WHY_BYTES);
	if (server->listener < 0)
		return server->listener;
	server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return 0;
}

static void stop_workers(struct gvm_server *server, u32 started)
{
	__atomic_store_n(&server->stop, true, __ATOMIC_RELEASE);
	for (u32 i = 0; i < started; i++)
		gvm_worker_join(&server->workers[i]);
	gvm_keeper_join(&server->keeper);
	for (u32 i = 0; i < started; i++)
		gvm_worker_exit(&server->workers[i]);
	gvm_keeper_exit(&server->keeper);
}

static int start_threads(struct gvm_server *server)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = server };
	u32 started = 0;
	int err = gvm_keeper_start(&server->keeper, server);

	if (err)
		goto err_say;
	for (; started < server->workers_nr; started++) {
		err = gvm_worker_start(&server->workers[started], server);
		if (err)
			goto err_stop;
	}
	if (!epoll_ctl(server->workers[0].epoll, EPOLL_CTL_ADD,
		       server->listener, &ev))
		return 0;
	err = -errno;
err_stop:
	stop_workers(server, started);
err_say:
	snprintf(why_buf, WHY_BYTES, "cannot start threads: %s",
		 strerror(-err));
	return err;
}

static int check_config(const struct gvm_server_config *config)
{
	if (config->threads > GVM_SERVER_THREADS_MAX) {
		snprintf(why_buf, WHY_BYTES, "--threads must be 1 to %u",
			 GVM_SERVER_THREADS_MAX);
		return -EINVAL;
	}
	if (config->lease_ms > GVM_SERVER_LEASE_MS_MAX ||
	    config->node_lease_ms > GVM_SERVER_LEASE_MS_MAX) {
		snprintf(why_buf, WHY_BYTES, "--lease must be at most a week");
		return -EINVAL;
	}
	if (config->spin_us > GVM_SERVER_SPIN_US_MAX) {
		snprintf(why_buf, WHY_BYTES, "--spin must be at most %u",
			 GVM_SERVER_SPIN_US_MAX);
		return -EINVAL;
	}
	return 0;
}

static int start(struct gvm_server *server,
		 const struct gvm_server_config *config)
{
	int err;

	server->log = config->log;
	server->log_arg = config->log_arg;
	server->spin_ns = config->spin_us * 1000ull;
	server->workers_nr = config->threads;
	server->workers = calloc(config->threads, sizeof(*server->workers));
	if (!server->workers) {
		snprintf(why_buf, WHY_BYTES, "not enough memory");
		return -ENOMEM;
	}
	/* The port before the store: a second server must not touch the file. */
	err = open_listener(server, config);
	if (err)
		goto err_free;
	err = open_store(server, config);
	if (err)
		goto err_close;
	raise_descriptors(server);
	err = start_threads(server);
	if (!err)
		return 0;

	gvm_shareds_exit(&server->service.shareds);
	gvm_leases_exit(&server->service.leases);
	gvm_store_close(&server->service.store);
err_close:
	close(server->listener);
	if (server->spare >= 0)
		close(server->spare);
err_free:
	free(server->workers);
	return err;
}

int gvm_server_start(const struct gvm_server_config *config,
		     struct gvm_server **ret_server, const char **ret_why)
{
	struct gvm_server_config c = *config;
	struct gvm_server *server;
	int err;

	c.listen = c.listen ? c.listen : GVM_SERVER_LISTEN;
	c.threads = c.threads ? c.threads : 1;
	c.spin_us = c.spin_us ? c.spin_us : GVM_SERVER_SPIN_US;
	if (c.spin_us == GVM_SERVER_SPIN_NEVER)
		c.spin_us = 0;
	c.node_lease_ms = c.node_lease_ms ? c.node_lease_ms :
		GVM_SERVER_NODE_LEASE_MS;
	c.lease_ms = c.lease_ms ? c.lease_ms : GVM_SERVER_LEASE_MS;
	*why_buf = '\0';
	err = check_config(&c);
	if (err)
		goto say;
	server = calloc(1, sizeof(*server));
	if (!server) {
		snprintf(why_buf, WHY_BYTES, "not enough memory");
		err = -ENOMEM;
		goto say;
	}
	err = start(server, &c);
	if (err) {
		free(server);
		goto say;
	}
	*ret_server = server;
	return 0;
say:
	if (ret_why)
		*ret_why = why_buf;
	return err;
}

int gvm_server_stop(struct gvm_server *server)
{
	int err;

	stop_workers(server, server->workers_nr);
	close(server->listener);
	if (server->spare >= 0)
		close(server->spare);
	gvm_shareds_exit(&server->service.shareds);
	err = gvm_arena_sync(&server->service.store.arena);
	gvm_leases_exit(&server->service.leases);
	gvm_store_close(&server->service.store);
	free(server->workers);
	free(server);
	return err;
}

uint16_t gvm_server_port(const struct gvm_server *server)
{
	return server->port;
}

const char *gvm_server_address(const struct gvm_server *server)
{
	return server->address;
}

void gvm_server_stats(struct gvm_server *server,
		      struct gvm_server_stats_now *ret_stats)
{
	struct gvm_service *v = &server->service;

	*ret_stats = (struct gvm_server_stats_now){
		.pages_max = v->store.arena.pages_max,
		.pages_used = gvm_frames_used(&v->store.frames,
					      GVM_FRAME_DATA),
		.overhead_bytes = gvm_store_overhead_bytes(&v->store),
		.regions = gvm_leases_count(&v->leases) +
			   gvm_shareds_count(&v->shareds),
		.connections = __atomic_load_n(&v->connections,
					       __ATOMIC_RELAXED),
		.pages_read = __atomic_load_n(&v->pages_read, __ATOMIC_RELAXED),
		.pages_written = __atomic_load_n(&v->pages_written,
						 __ATOMIC_RELAXED),
		.requests = __atomic_load_n(&v->requests, __ATOMIC_RELAXED),
	};
}
