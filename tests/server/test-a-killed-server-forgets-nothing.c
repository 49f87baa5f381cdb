// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, a server on a file store that was killed (or crashed) would
 * come back with pages lost, torn or older than those it had acknowledged, and
 * the program that goes on after the restart would read them.
 *
 * Usage: test GIANTVM DIRECTORY
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "client.h"

#define PAGES		3000u
#define AT_ONCE		100u	/* divides PAGES */
#define QUEUE		24u
#define ROUNDS		30u

/* What the server has said about a page, and what it was told. */
struct known {
	u64	version;	/* acknowledged; 0: zero */
	u64	asked;		/* under way, if busy */
	bool	busy;
};

struct ask {
	bool	used;
	u64	txn;
	u32	page;
	u32	count;
};

static u8 pages[AT_ONCE * GVM_PAGE_BYTES] __attribute__((aligned(8)));
static struct known parent[PAGES];
static u64 child[PAGES];
static bool child_made;
static struct ask asks[QUEUE];
static u64 version = 1;
static u64 rng = 987654321;
static char store[512];
static char *giantvm;

static u64 next_random(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static int start(u16 *port)
{
	char *argv[] = {
		giantvm, (char []){ "serve" },
		(char []){ "--listen" }, (char []){ "127.0.0.1:0" },
		(char []){ "--memory" }, (char []){ "32M" },
		(char []){ "--threads" }, (char []){ "2" },
		(char []){ "--ready-fd" }, (char []){ "3" },
		(char []){ "--store" }, store, NULL,
	};
	int pid = server_spawn(argv, port);

	CHECK(*port);
	return pid;
}

struct killer {
	pthread_t	thread;
	int		pid;
	long		delay_us;
};

/* At any moment: not a synchronisation, but the point of this test. */
static void *kill_later(void *arg)
{
	struct killer *k = arg;
	struct timespec ts = { .tv_nsec = k->delay_us * 1000 };

	nanosleep(&ts, NULL);
	kill(k->pid, SIGKILL);
	return NULL;
}

static bool any_busy(u32 page, u32 count)
{
	for (u32 i = page; i < page + count; i++) {
		if (parent[i].busy)
			return true;
	}
	return false;
}

/* One more WRITE or TRIM, of pages that nothing is under way for. */
static int ask_one(struct client *c, struct ask *a)
{
	static u8 bytes[64 * GVM_PAGE_BYTES] __attribute__((aligned(8)));
	u8 run[sizeof(struct gvm_run)];
	bool trim = next_random() % 5 == 0;
	u32 count = 1 + (u32)(next_random() % (trim ? 200 : 64));
	u32 page = (u32)(next_random() % (PAGES - count));
	int err;

	if (any_busy(page, count))
		return 0;
	version++;
	for (u32 i = 0; i < count; i++) {
		parent[page + i].busy = true;
		parent[page + i].asked = trim ? 0 : version;
		if (!trim)
			stamp(bytes + i * GVM_PAGE_BYTES, page + i, version);
	}
	gvm_codec_put_run(run, 0, page, count);
	err = trim ? client_request(c, GVM_MSG_TRIM, 0, run, sizeof(run)) :
		     client_send_write(c, page, bytes, count);
	*a = (struct ask){ true, c->txn, page, count };
	return err;
}

static int take_answer(struct client *c)
{
	struct gvm_head head;
	int err = client_receive(c, &head);

	if (err)
		return err;
	for (u32 i = 0; i < QUEUE; i++) {
		if (!asks[i].used || asks[i].txn != head.txn)
			continue;
		CHECK(head.type == GVM_MSG_WRITTEN ||
		      head.type == GVM_MSG_TRIMMED);
		asks[i].used = false;
		for (u32 k = asks[i].page; k < asks[i].page + asks[i].count;
		     k++) {
			parent[k].version = parent[k].asked;
			parent[k].busy = false;
		}
		return 0;
	}
	fprintf(stderr, "an answer that nobody asked for\n");
	exit(1);
}

/* Until the server is gone. */
static void stream(struct client *c)
{
	int err = 0;

	while (!err) {
		u32 free_ask = QUEUE;

		for (u32 i = 0; i < QUEUE; i++) {
			if (!asks[i].used)
				free_ask = i;
		}
		err = free_ask < QUEUE ? ask_one(c, &asks[free_ask]) :
					 take_answer(c);
	}
	while (!take_answer(c))
		;
	memset(asks, 0, sizeof(asks));
}

/* Every page is what was acknowledged, or what was under way. */
static void check_parent(struct client *c)
{
	for (u32 i = 0; i < PAGES; i++) {
		struct known *k = &parent[i];
		u64 got;

		if (i % AT_ONCE == 0)
			CHECK(!client_read(c, i, pages, AT_ONCE));
		got = stamp_version(pages + i % AT_ONCE * GVM_PAGE_BYTES, i);
		CHECK(got == k->version || (k->busy && got == k->asked));
		k->version = got;
		k->busy = false;
	}
}

static void check_child(u16 port, u32 number)
{
	struct client c;

	client_open(&c, port);
	client_name(&c, number, number);
	CHECK(!client_attach(&c, 0));
	for (u32 i = 0; i < PAGES; i++) {
		if (i % AT_ONCE == 0)
			CHECK(!client_read(&c, i, pages, AT_ONCE));
		CHECK(stamp_version(pages + i % AT_ONCE * GVM_PAGE_BYTES, i) ==
		      child[i]);
	}
	CHECK(!client_detach(&c, true));
	client_close(&c);
}

static u32 last_epoch;

static void enter(struct client *c, u16 port)
{
	client_enter(c, port, 1);
	CHECK(c->epoch > last_epoch);
	last_epoch = c->epoch;
}

static void one_round(u32 round)
{
	struct killer k;
	struct client c;
	u16 port;
	int status;

	k.pid = start(&port);
	k.delay_us = (long)(next_random() % 40000);
	enter(&c, port);
	check_parent(&c);
	if (child_made)
		check_child(port, 100 + round - 1);
	child_made = !client_clone(&c, 100 + round, 100 + round);
	CHECK(child_made);
	for (u32 i = 0; i < PAGES; i++)
		child[i] = parent[i].version;

	CHECK(!pthread_create(&k.thread, NULL, kill_later, &k));
	stream(&c);
	pthread_join(k.thread, NULL);
	CHECK(waitpid(k.pid, &status, 0) == k.pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	client_close(&c);
}

/* A clean stop, and nothing has leaked in all those deaths. */
static void last_round(void)
{
	struct gvm_server_stats stats;
	struct client c;
	u64 used = 0;
	u16 port;
	int status;
	int pid = start(&port);

	enter(&c, port);
	check_parent(&c);
	check_child(port, 100 + ROUNDS - 1);
	CHECK(!client_flush(&c));
	for (u32 i = 0; i < PAGES; i++)
		used += !!parent[i].version;
	CHECK(!client_stat(&c, &stats));
	CHECK(gvm_le64(stats.pages_used) == used);
	CHECK(gvm_le64(stats.regions) == 1);
	client_close(&c);
	kill(pid, SIGTERM);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status));

	pid = start(&port);
	enter(&c, port);
	check_parent(&c);
	CHECK(!client_detach(&c, true));
	client_close(&c);
	kill(pid, SIGTERM);
	CHECK(waitpid(pid, &status, 0) == pid);
}

int main(int argc, char **argv)
{
	CHECK(argc == 3);
	giantvm = argv[1];
	snprintf(store, sizeof(store), "file:%s/killed.store", argv[2]);
	unlink(store + strlen("file:"));
	signal(SIGPIPE, SIG_IGN);
	for (u32 round = 0; round < ROUNDS; round++)
		one_round(round);
	last_round();
	unlink(store + strlen("file:"));
	return 0;
}
