// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, two programs could write to the same memory, or a program
 * that was believed dead could overwrite what its successor has written.
 */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "client.h"

#define PAGES	128u

static u8 bytes[PAGES * GVM_PAGE_BYTES] __attribute__((aligned(8)));

static void second_client_is_refused(u16 port)
{
	struct client holder, other;

	client_enter(&holder, port, 1);
	client_open(&other, port);
	client_name(&other, 1, 99);
	CHECK(client_attach(&other, GVM_ATTACH_CREATE) == GVM_ERR_HELD);
	CHECK(strstr(other.error.text, "test client"));
	CHECK(client_attach(&other, GVM_ATTACH_JOIN) == GVM_ERR_FENCED);
	client_close(&other);

	/* Also while the holder is away, until its lease runs out. */
	CHECK(!client_ping(&holder));
	client_close(&holder);
	client_open(&other, port);
	client_name(&other, 1, 99);
	CHECK(client_attach(&other, GVM_ATTACH_CREATE) == GVM_ERR_HELD);
	client_name(&other, 5000, 1);
	CHECK(client_attach(&other, 0) == GVM_ERR_NO_REGION);
	client_close(&other);
}

static void same_token_resumes(u16 port)
{
	struct client old, lane, new;

	client_enter(&old, port, 2);
	client_join(&lane, port, &old);
	stamp(bytes, 7, 1);
	CHECK(!client_write(&lane, 7, bytes, 1));

	client_enter(&new, port, 2);
	CHECK(new.epoch == old.epoch + 1);
	CHECK(client_closed(&old) && client_closed(&lane));
	CHECK(gvm_le32(old.error.code) == GVM_ERR_FENCED);
	CHECK(!client_read(&new, 7, bytes, 1));
	CHECK(stamp_version(bytes, 7) == 1);
	client_close(&old);
	client_close(&lane);

	/* An epoch of the past does not get in. */
	client_open(&lane, port);
	client_name(&lane, 2, 2);
	lane.epoch = new.epoch - 1;
	CHECK(client_attach(&lane, GVM_ATTACH_JOIN) == GVM_ERR_FENCED);
	client_close(&lane);
	CHECK(!client_detach(&new, true));
	client_close(&new);
}

struct writer {
	pthread_t	thread;
	struct client	c;
	u64		writes;
};

/* Writes without waiting, so that many are under way when it is cut off. */
static void *write_for_ever(void *arg)
{
	static u8 page[GVM_PAGE_BYTES] __attribute__((aligned(8)));
	struct writer *w = arg;

	for (;; w->writes++) {
		stamp(page, w->writes % PAGES, w->writes + 1);
		if (client_send_write(&w->c, w->writes % PAGES, page, 1))
			return NULL;
	}
}

/* Takes the answers, so that the writer does not get stuck. */
static void *read_answers(void *arg)
{
	struct writer *w = arg;

	client_closed(&w->c);
	return NULL;
}

/*
 * What is there when ATTACHED arrives must still be there when all that the
 * old client had sent has been received by the server, and its socket closed.
 */
static void nothing_old_after_takeover(u16 port, u32 number)
{
	static u8 before[PAGES * GVM_PAGE_BYTES];
	struct client taker;
	struct writer w = { .writes = 0 };
	pthread_t reader;

	client_enter(&w.c, port, number);
	CHECK(!pthread_create(&reader, NULL, read_answers, &w));
	CHECK(!pthread_create(&w.thread, NULL, write_for_ever, &w));

	client_open(&taker, port);
	client_name(&taker, number, 1000 + number);
	CHECK(!client_attach(&taker, GVM_ATTACH_TAKEOVER));
	CHECK(!client_read(&taker, 0, before, PAGES));
	pthread_join(w.thread, NULL);
	pthread_join(reader, NULL);
	CHECK(!client_read(&taker, 0, bytes, PAGES));
	CHECK(!memcmp(before, bytes, sizeof(bytes)));
	for (u32 i = 0; i < PAGES; i++)
		stamp_version(bytes + i * GVM_PAGE_BYTES, i);

	/* The one that was fenced can neither come back nor drop it. */
	client_close(&w.c);
	client_open(&w.c, port);
	client_name(&w.c, number, number);
	CHECK(client_attach(&w.c, 0) == GVM_ERR_HELD);
	client_close(&w.c);
	CHECK(!client_detach(&taker, true));
	client_close(&taker);
}

/* Ask until it is so many; at most ten seconds. */
static bool regions_become(struct client *c, u64 want)
{
	struct gvm_server_stats stats;

	for (int i = 0; i < 1000; i++) {
		CHECK(!client_stat(c, &stats));
		if (gvm_le64(stats.regions) == want)
			return true;
		poll(NULL, 0, 10);
	}
	return false;
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void lease_runs_out(u16 port)
{
	struct gvm_server_stats stats;
	struct client watch, held, gone;
	double left;

	client_open(&watch, port);
	client_enter(&held, port, 30);
	client_enter(&gone, port, 31);
	CHECK(gone.lease_ms == 1000);
	stamp(bytes, 3, 1);
	CHECK(!client_write(&held, 3, bytes, 1));
	CHECK(!client_write(&gone, 3, bytes, 1));
	CHECK(!client_clone(&gone, 32, 32));	/* nobody ever attaches it */
	CHECK(!client_stat(&watch, &stats));
	CHECK(gvm_le64(stats.pages_used) == 2);
	left = now_s();
	client_close(&gone);

	CHECK(regions_become(&watch, 1));
	CHECK(now_s() - left >= 0.9);
	CHECK(!client_stat(&watch, &stats));
	CHECK(gvm_le64(stats.pages_used) == 1);
	CHECK(!client_read(&held, 3, bytes, 1));
	CHECK(stamp_version(bytes, 3) == 1);

	client_open(&gone, port);
	client_name(&gone, 31, 31);
	CHECK(client_attach(&gone, 0) == GVM_ERR_NO_REGION);
	client_close(&gone);
	CHECK(!client_detach(&held, true));
	CHECK(regions_become(&watch, 0));
	client_close(&held);
	client_close(&watch);
}

/* A file store comes back with its regions, and waits for them as long. */
static void lease_runs_out_after_restart(const char *store)
{
	struct gvm_server_config config = {
		.listen = "127.0.0.1:0", .memory_bytes = 16 << 20,
		.store = store, .lease_ms = 1500,
	};
	struct gvm_server *server;
	struct client c, other, watch;

	unlink(store + strlen("file:"));
	server = server_start(&config);
	client_enter(&c, gvm_server_port(server), 40);
	client_enter(&other, gvm_server_port(server), 41);
	stamp(bytes, 3, 1);
	CHECK(!client_write(&c, 3, bytes, 1));
	CHECK(!client_write(&other, 3, bytes, 1));
	CHECK(!gvm_server_stop(server));
	CHECK(client_closed(&c) && client_closed(&other));
	CHECK(gvm_le32(c.error.code) == GVM_ERR_SHUTDOWN);
	client_close(&other);

	server = server_start(&config);
	client_open(&watch, gvm_server_port(server));
	CHECK(regions_become(&watch, 2));
	client_close(&c);
	client_open(&c, gvm_server_port(server));
	client_name(&c, 40, 40);
	CHECK(!client_attach(&c, 0));
	CHECK(c.epoch == 2);
	CHECK(regions_become(&watch, 1));
	CHECK(!client_read(&c, 3, bytes, 1));
	CHECK(stamp_version(bytes, 3) == 1);
	client_close(&c);
	client_close(&watch);
	CHECK(!gvm_server_stop(server));
	unlink(store + strlen("file:"));
}

int main(int argc, char **argv)
{
	struct gvm_server_config config = {
		.listen = "127.0.0.1:0",
		.memory_bytes = 16 << 20,
		.threads = 3,
	};
	struct gvm_server *server = server_start(&config);
	u16 port = gvm_server_port(server);

	second_client_is_refused(port);
	same_token_resumes(port);
	for (u32 i = 0; i < 40; i++)
		nothing_old_after_takeover(port, 100 + i);
	CHECK(!gvm_server_stop(server));

	config.lease_ms = 1000;
	server = server_start(&config);
	lease_runs_out(gvm_server_port(server));
	CHECK(!gvm_server_stop(server));
	if (argc > 1)
		lease_runs_out_after_restart(argv[1]);
	return 0;
}
