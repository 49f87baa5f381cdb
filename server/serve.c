// SPDX-License-Identifier: GPL-2.0-or-later
/* Start and stop of the memory server; what it says of itself. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
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
	if (server->listener >= 0)
		server->listener = gvm_server_fd_above(server,
						       server->listener);
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
	if (config->driven && config->threads != 1) {
		snprintf(why_buf, WHY_BYTES, "a server that is driven has one thread");
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
	server->driven = config->driven;
	server->fd_min = config->fd_min;
	server->spin_ns = config->spin_us * 1000ull;
	server->workers_nr = config->threads;
	server->workers = calloc(config->threads, sizeof(*server->workers));
	if (!server->workers) {
		snprintf(why_buf, WHY_BYTES, "not enough memory");
		return -ENOMEM;
	}
	/* The port before the store: a second server must not touch the file. */
	raise_descriptors(server);
	err = open_listener(server, config);
	if (err)
		goto err_free;
	err = open_store(server, config);
	if (err)
		goto err_close;
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

int gvm_server_fd(const struct gvm_server *server)
{
	return server->workers[0].epoll;
}

bool gvm_server_turn(struct gvm_server *server, bool events)
{
	return gvm_worker_turn(&server->workers[0], events);
}

struct gvm_pipe *gvm_server_pipe(struct gvm_server *server)
{
	struct gvm_worker *w = &server->workers[0];
	struct gvm_link *k;

	server->pipe = mmap(NULL, sizeof(*server->pipe), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (server->pipe == MAP_FAILED)
		server->pipe = NULL;
	k = server->pipe ? gvm_link_open_pipe(w, server->pipe) : NULL;
	if (!k)
		return NULL;
	w->links = k;
	w->piped = k;
	return server->pipe;
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
	if (server->pipe)
		munmap(server->pipe, sizeof(*server->pipe));
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
