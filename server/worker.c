// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A worker: one thread, one epoll, any number of connections.  Connections
 * that were seen to send demand reads are served first; between two turns of
 * others epoll is asked again, so a demand read waits for one turn at most.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "worker.h"

#define EVENTS		256
#define SPIN_CREDIT	8u	/* spins in vain that one success earns */
#define YIELD_LONG_NS	200000u	/* others run for a millisecond or more */
#define IN_VAIN_NS	10000000u
#define CONTENDED_NS	100000000u
#define UNASKED_MAX	4u	/* rounds until epoll is asked again */
#define RX_KEEP		8u	/* free receive buffers that are kept */

static _Thread_local struct gvm_worker *self;

struct gvm_worker *gvm_worker_self(void)
{
	return self;
}

void gvm_worker_push(struct gvm_worker *w, struct gvm_link *k)
{
	struct gvm_run_queue *q = k->session.demand ? &w->demand : &w->bulk;

	if (k->queued)
		return;
	k->queued = true;
	k->run_next = NULL;
	if (q->first)
		q->last->run_next = k;
	else
		q->first = k;
	q->last = k;
}

static struct gvm_link *pop(struct gvm_run_queue *q)
{
	struct gvm_link *k = q->first;

	if (k) {
		q->first = k->run_next;
		k->queued = false;
	}
	return k;
}

/*
 * Only what is received is touched, and only half received messages keep a
 * buffer, so the number needs no limit of its own.
 */
void *gvm_worker_rx_take(struct gvm_worker *w)
{
	void *buf = w->rx_free;

	if (buf) {
		memcpy(&w->rx_free, buf, sizeof(void *));
		w->rx_free_nr--;
		return buf;
	}
	buf = mmap(NULL, GVM_RX_BYTES, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return buf == MAP_FAILED ? NULL : buf;
}

void gvm_worker_rx_return(struct gvm_worker *w, void *buf)
{
	if (w->rx_free_nr == RX_KEEP) {
		munmap(buf, GVM_RX_BYTES);
		return;
	}
	memcpy(buf, &w->rx_free, sizeof(void *));
	w->rx_free = buf;
	w->rx_free_nr++;
}

static void take_flushed(struct gvm_worker *w)
{
	struct gvm_link *list;

	pthread_mutex_lock(&w->lock);
	list = w->flushed;
	w->flushed = NULL;
	pthread_mutex_unlock(&w->lock);
	while (list) {
		struct gvm_link *k = list;
		bool alive = gvm_conn_open(&k->conn);

		list = k->flush_next;
		gvm_link_flushed(k);
		if (alive)
			gvm_worker_push(w, k);
	}
}

bool gvm_worker_post(struct gvm_worker *w, struct gvm_link *k,
		     struct gvm_post *p)
{
	bool wake;

	pthread_mutex_lock(&w->lock);
	if (k->posts_nr == GVM_POSTS_MAX) {
		pthread_mutex_unlock(&w->lock);
		return false;
	}
	wake = !w->posted;
	if (!k->posts_nr++) {
		k->posts_last = &k->posts;
		k->posted_next = w->posted;
		w->posted = k;
	}
	p->next = NULL;
	*k->posts_last = p;
	k->posts_last = &p->next;
	pthread_mutex_unlock(&w->lock);
	if (wake)
		gvm_worker_wake(w);
	return true;
}

/* Called with w->lock held. */
static struct gvm_post *posts_of(struct gvm_link *k)
{
	struct gvm_post *posts = k->posts;

	k->posts = NULL;
	k->posts_nr = 0;
	return posts;
}

struct gvm_post *gvm_worker_unpost(struct gvm_worker *w, struct gvm_link *k)
{
	struct gvm_link **at = &w->posted;
	struct gvm_post *posts;

	pthread_mutex_lock(&w->lock);
	while (k->posts_nr && *at != k)
		at = &(*at)->posted_next;
	if (k->posts_nr)
		*at = k->posted_next;
	posts = posts_of(k);
	pthread_mutex_unlock(&w->lock);
	return posts;
}

static void take_posted(struct gvm_worker *w)
{
	for (;;) {
		struct gvm_post *posts;
		struct gvm_link *k;

		pthread_mutex_lock(&w->lock);
		k = w->posted;
		if (!k) {
			pthread_mutex_unlock(&w->lock);
			return;
		}
		w->posted = k->posted_next;
		posts = posts_of(k);
		pthread_mutex_unlock(&w->lock);
		gvm_link_take_posts(k, posts);
		gvm_worker_push(w, k);
	}
}

static void dispatch(struct gvm_worker *w, const struct epoll_event *ev)
{
	struct gvm_link *k = ev->data.ptr;
	u64 n;

	if (ev->data.ptr == w) {
		if (read(w->wake, &n, sizeof(n)) > 0) {
			take_flushed(w);
			take_posted(w);
		}
		return;
	}
	if (ev->data.ptr == w->server) {
		gvm_server_accept(w->server);
		return;
	}
	/* Errors and hang-ups are found by the calls that they fail. */
	if (ev->events & ~(u32)(EPOLLIN | EPOLLOUT))
		k->hung_up = true;
	if (ev->events & ~(u32)EPOLLOUT)
		k->readable = true;
	if (ev->events & ~(u32)(EPOLLIN | EPOLLRDHUP))
		k->writable = true;
	gvm_worker_push(w, k);
}

u64 gvm_worker_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000ull + (u64)t.tv_nsec;
}

/*
 * Look for more for a while before going to sleep.  A client that faults sends
 * its next request within microseconds, and to wake an idle CPU takes longer
 * than all else that a fault costs (20 to 50 us in a virtual machine).
 *
 * Only while it pays: a spin that finds something earns some that do not, and
 * without credit there is one every 10 ms.  A yield that takes long says that
 * others want this CPU; then it is never idle, a sleeper is woken ahead of
 * them, and spinning would only put us behind them: not for the next 100 ms.
 */
static int spin(struct gvm_worker *w, struct epoll_event *ev)
{
	u64 now, before, until;
	int n;

	now = gvm_worker_now_ns();
	if (!w->server->spin_ns || now < w->spin_after_ns)
		return 0;
	until = now + w->server->spin_ns;
	while (now < until) {
		before = now;
		sched_yield();
		n = epoll_wait(w->epoll, ev, EVENTS, 0);
		now = gvm_worker_now_ns();
		if (now - before > YIELD_LONG_NS) {
			w->spin_after_ns = now + CONTENDED_NS;
			return n;
		}
		if (n) {
			w->spin_credit = SPIN_CREDIT;
			return n;
		}
	}
	if (w->spin_credit)
		w->spin_credit--;
	else
		w->spin_after_ns = now + IN_VAIN_NS;
	return 0;
}

/*
 * With something to do, epoll is asked without waiting, and not at all while the
 * only thing to do is to send on what was just received.
 */
static int next_events(struct gvm_worker *w, struct epoll_event *ev)
{
	bool idle = !w->demand.first && !w->bulk.first;
	int n = 0;

	if (idle) {
		n = spin(w, ev);
		if (!n)
			n = epoll_wait(w->epoll, ev, EVENTS, gvm_later_ms(w));
	} else if (w->bulk.first || ++w->unasked >= UNASKED_MAX) {
		w->unasked = 0;
		n = epoll_wait(w->epoll, ev, EVENTS, 0);
	}
	gvm_later_tick(w, !n && idle);
	return n;
}

static void poll_events(struct gvm_worker *w)
{
	struct epoll_event ev[EVENTS];
	int n = next_events(w, ev);

	for (int i = 0; i < n; i++)
		dispatch(w, &ev[i]);
}

static void turn(struct gvm_worker *w, struct gvm_link *k)
{
	bool more;

	w->turning = k;
	more = gvm_link_turn(k);
	w->turning = NULL;
	if (more)
		gvm_worker_push(w, k);
}

static void serve_ready(struct gvm_worker *w)
{
	struct gvm_link *last = w->demand.first ? w->demand.last : NULL;
	struct gvm_link *k = NULL;

	/* Those that are queued again wait for the next round. */
	while (last && k != last) {
		k = pop(&w->demand);
		turn(w, k);
	}
	k = pop(&w->bulk);
	if (k)
		turn(w, k);
}

static void *run(void *arg)
{
	struct gvm_worker *w = arg;

	self = w;
	while (!__atomic_load_n(&w->server->stop, __ATOMIC_ACQUIRE)) {
		poll_events(w);
		serve_ready(w);
	}
	return NULL;
}

/* What epoll says of a socket. */
static bool look_at_pipe(struct gvm_worker *w)
{
	struct gvm_link *k = w->piped;

	if (!k || !(gvm_pipe_readable(k->conn.pipe, GVM_PIPE_SERVER) ||
		    k->out.bytes))
		return false;
	k->readable = true;
	k->writable = true;
	gvm_worker_push(w, k);
	return true;
}

bool gvm_worker_turn(struct gvm_worker *w, bool events)
{
	struct epoll_event ev[EVENTS];
	int n = events ? epoll_wait(w->epoll, ev, EVENTS, 0) : 0;

	self = w;
	for (int i = 0; i < n; i++)
		dispatch(w, &ev[i]);
	look_at_pipe(w);
	gvm_later_tick(w, false);
	serve_ready(w);
	return w->demand.first || w->bulk.first || look_at_pipe(w);
}

void gvm_worker_wake(struct gvm_worker *w)
{
	u64 one = 1;

	/* Can only fail when it is awake already. */
	if (write(w->wake, &one, sizeof(one)) < 0)
		return;
}

int gvm_worker_start(struct gvm_worker *w, struct gvm_server *server)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = w };
	int err;

	w->server = server;
	pthread_mutex_init(&w->lock, NULL);
	w->epoll = gvm_server_fd_above(server, epoll_create1(EPOLL_CLOEXEC));
	w->wake = gvm_server_fd_above(server, eventfd(0, EFD_CLOEXEC |
						      EFD_NONBLOCK));
	if (w->epoll < 0 || w->wake < 0 ||
	    epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->wake, &ev)) {
		err = -errno;
		goto err_close;
	}
	if (server->driven)
		return 0;
	err = -pthread_create(&w->thread, NULL, run, w);
	if (err)
		goto err_close;
	return 0;

err_close:
	if (w->wake >= 0)
		close(w->wake);
	if (w->epoll >= 0)
		close(w->epoll);
	pthread_mutex_destroy(&w->lock);
	return err;
}

void gvm_worker_join(struct gvm_worker *w)
{
	if (w->server->driven)
		return;
	gvm_worker_wake(w);
	pthread_join(w->thread, NULL);
}

void gvm_worker_exit(struct gvm_worker *w)
{
	take_flushed(w);
	while (w->links) {
		struct gvm_link *k = w->links;

		gvm_session_error(&k->out, 0, GVM_ERR_SHUTDOWN,
				  "the server is being stopped");
		k->closing = true;
		gvm_link_turn(k);
	}
	gvm_reply_pool_free(&w->replies);
	while (w->rx_free) {
		void *buf = w->rx_free;

		memcpy(&w->rx_free, buf, sizeof(void *));
		munmap(buf, GVM_RX_BYTES);
	}
	close(w->wake);
	close(w->epoll);
	pthread_mutex_destroy(&w->lock);
}
