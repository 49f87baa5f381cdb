/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads of the server, and the connections they own.  For link.c, worker.c,
 * keeper.c and serve.c only.
 */
#ifndef GVM_SERVER_WORKER_H
#define GVM_SERVER_WORKER_H

#include "net/conn.h"
#include "server.h"
#include "session.h"

#define GVM_CONNECTIONS_MAX	32768u	/* two for each of 10,240 nodes, and more */
#define GVM_RX_BYTES \
	((sizeof(struct gvm_msg) + GVM_PAYLOAD_BYTES_MAX + 4095) / 4096 * 4096)

struct gvm_worker;

/* One connection.  Its worker's, except where noted. */
struct gvm_link {
	struct gvm_conn		conn;
	struct gvm_session	session;
	struct gvm_out		out;
	struct gvm_worker	*worker;
	struct gvm_link		*run_next;
	struct gvm_link		*prev;		/* worker->lock */
	struct gvm_link		*next;		/* worker->lock */
	u64	flush_txn;
	u64	later;		/* bytes of out, if all of it may go later */
	bool	queued;		/* waits for its turn */
	bool	readable;	/* the socket may have more */
	bool	writable;	/* the socket may take more */
	bool	hung_up;	/* the stream has an end */
	bool	closing;	/* last words are out */
	bool	broken;		/* the socket is dead */
	bool	flushing;	/* the keeper has it; must not be freed */
	struct gvm_link	*flush_next;	/* keeper->lock, then worker->lock */
	int	flush_err;

	/* What other threads want sent.  worker->lock. */
	struct gvm_post	*posts;
	struct gvm_post	**posts_last;
	u32	posts_nr;
	struct gvm_link	*posted_next;	/* of worker->posted */
};

/* One message that another thread sends on a link. */
struct gvm_post {
	struct gvm_post	*next;
	u32	frame;		/* a reference; 0: none */
	u32	bytes;
	u8	head[];
};

#define GVM_POSTS_MAX	4096u	/* of a link; more are not taken */

#define GVM_LATER_MAX	64u	/* links of a worker that have something for later */

struct gvm_run_queue {
	struct gvm_link *first;
	struct gvm_link *last;
};

struct gvm_worker {
	struct gvm_server	*server;
	pthread_t		thread;
	int			epoll;
	int			wake;		/* eventfd */
	/* Ready connections.  Those whose reads threads wait for go first. */
	struct gvm_run_queue	demand;
	struct gvm_run_queue	bulk;
	struct gvm_reply_pool	replies;
	void			*rx_free;	/* linked by their first bytes */
	u32			rx_free_nr;
	struct gvm_link		*turning;	/* whose turn it is */
	struct gvm_link		*piped;		/* of whoever drives us, or NULL */
	struct gvm_link		*later[GVM_LATER_MAX];	/* have such bytes, or had */
	u32			later_nr;
	u64			later_ns;	/* the first of them; if driven */
	u32			rounds;
	u32			unasked;
	u32			spin_credit;
	u64			spin_after_ns;

	pthread_mutex_t		lock;
	struct gvm_link		*links;
	struct gvm_link		*flushed;	/* the keeper is done with */
	struct gvm_link		*posted;	/* have posts, newest first */
};

/* The thread that has time: leases, freeing, giving back, syncing. */
struct gvm_keeper {
	struct gvm_server	*server;
	pthread_t		thread;
	pthread_mutex_t		lock;
	pthread_cond_t		cond;
	bool			poked;
	bool			stop;
	struct gvm_link		*flush;		/* asked for, oldest last */
};

struct gvm_server {
	struct gvm_service	service;
	struct gvm_keeper	keeper;
	struct gvm_worker	*workers;
	u32			workers_nr;
	u32			next_worker;	/* worker 0's */
	int			listener;
	int			spare;		/* given up to refuse politely */
	int			fd_min;
	bool			driven;		/* by gvm_server_turn() */
	struct gvm_pipe		*pipe;		/* to whoever drives it, or NULL */
	bool			stop;		/* atomic */
	u64			spin_ns;
	uint16_t		port;
	char			address[64];
	void			(*log)(const char *line, void *arg);
	void			*log_arg;
	u64			log_second;	/* atomic */
	u32			log_lines;	/* atomic: in that second */
};

/* link.c */
struct gvm_link *gvm_link_open(struct gvm_worker *w, int fd);
struct gvm_link *gvm_link_open_pipe(struct gvm_worker *w,
				    struct gvm_pipe *pipe);
/* One bounded turn.  True: there is more to do, queue it again. */
bool gvm_link_turn(struct gvm_link *k);
/* It can be freed now, or will be when the keeper is done with it. */
void gvm_link_close(struct gvm_link *k);
/* The keeper has synced for it. */
void gvm_link_flushed(struct gvm_link *k);
/* Send what other threads have posted.  posts: in order. */
void gvm_link_take_posts(struct gvm_link *k, struct gvm_post *posts);

/* later.c, own thread only.  False: what is to go later must go now. */
bool gvm_later_add(struct gvm_worker *w, struct gvm_link *k);
void gvm_later_remove(struct gvm_worker *w, const struct gvm_link *k);
/* How long the worker may sleep; -1: for ever. */
int gvm_later_ms(const struct gvm_worker *w);
/* slept: as long as that, or it found nothing to do. */
void gvm_later_tick(struct gvm_worker *w, bool slept);

/* worker.c */
int gvm_worker_start(struct gvm_worker *w, struct gvm_server *server);
/* After server->stop was set: end the thread, then what it owned. */
void gvm_worker_join(struct gvm_worker *w);
void gvm_worker_exit(struct gvm_worker *w);
void gvm_worker_wake(struct gvm_worker *w);
/* The turn of a worker without a thread; events: look at sockets, too. */
bool gvm_worker_turn(struct gvm_worker *w, bool events);
/* The calling thread's worker; NULL: it is none. */
struct gvm_worker *gvm_worker_self(void);
u64 gvm_worker_now_ns(void);	/* monotonic */
/* Own thread only: give the link a turn. */
void gvm_worker_push(struct gvm_worker *w, struct gvm_link *k);
/* Any thread.  False: too many wait already, and p is still the caller's. */
bool gvm_worker_post(struct gvm_worker *w, struct gvm_link *k,
		     struct gvm_post *p);
/* Own thread only: the link goes; its posts, which are now the caller's. */
struct gvm_post *gvm_worker_unpost(struct gvm_worker *w, struct gvm_link *k);
void *gvm_worker_rx_take(struct gvm_worker *w);
void gvm_worker_rx_return(struct gvm_worker *w, void *buf);

/* keeper.c */
int gvm_keeper_start(struct gvm_keeper *keeper, struct gvm_server *server);
void gvm_keeper_join(struct gvm_keeper *keeper);
void gvm_keeper_exit(struct gvm_keeper *keeper);
void gvm_keeper_poke(void *keeper);
void gvm_keeper_flush(struct gvm_keeper *keeper, struct gvm_link *k);

/* serve.c */
void gvm_server_log(struct gvm_server *server, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* accept.c */
/* The same descriptor, above those that are the program's; or -errno. */
int gvm_server_fd_above(const struct gvm_server *server, int fd);
/* The listener is readable: take who waits. */
void gvm_server_accept(struct gvm_server *server);

#endif
