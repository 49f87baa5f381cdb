// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, a thread that waits for one page would wait for gigabytes
 * that other clients stream through the same server, or that its own program
 * prefetches.
 *
 * One worker thread.  A client keeps 64 MiB of READs and another as many WRITEs
 * in flight; a third asks for single pages.  How much passes by while it waits
 * is counted in bytes, not in time, so a slow machine does not matter.
 */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "client.h"

#define BATCH		512u
#define DEPTH		32u
#define ASKS		300u
#define PASSED_MAX	(8u << 20)	/* a few turns and socket buffers */

static u64 passed;	/* bytes that the bulk clients were answered for */
static bool stop;
static u16 port;

static bool stopped(void)
{
	return __atomic_load_n(&stop, __ATOMIC_ACQUIRE);
}

static void pass(u64 pages)
{
	__atomic_add_fetch(&passed, pages * GVM_PAGE_BYTES, __ATOMIC_RELAXED);
}

static void *read_much(void *arg)
{
	struct client c;
	struct gvm_head head;

	(void)arg;
	client_enter(&c, port, 1);
	for (u32 i = 0; i < DEPTH; i++)
		CHECK(!client_send_read(&c, 0, BATCH, 0));
	while (!stopped()) {
		CHECK(!client_receive(&c, &head));
		CHECK(head.type == GVM_MSG_DATA);
		pass(BATCH);
		CHECK(!client_send_read(&c, 0, BATCH, 0));
	}
	client_close(&c);
	return NULL;
}

static u8 bytes[BATCH * GVM_PAGE_BYTES] __attribute__((aligned(8)));

static void *take_written(void *arg)
{
	struct client *c = arg;
	struct gvm_head head;

	while (!client_receive(c, &head))
		pass(BATCH);
	return NULL;
}

static void *write_much(void *arg)
{
	pthread_t taker;
	struct client c;

	(void)arg;
	client_enter(&c, port, 2);
	CHECK(!pthread_create(&taker, NULL, take_written, &c));
	while (!stopped())
		CHECK(!client_send_write(&c, 0, bytes, BATCH));
	CHECK(!client_send(&c, "", 1));	/* no header: it is closed for that */
	CHECK(!client_send(&c, bytes, 64));
	pthread_join(taker, NULL);
	client_close(&c);
	return NULL;
}

static int by_size(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

int main(void)
{
	struct gvm_server_config config = {
		.listen = "127.0.0.1:0",
		.memory_bytes = 64 << 20,
		.threads = 1,
	};
	struct gvm_server *server = server_start(&config);
	static u8 page[GVM_PAGE_BYTES] __attribute__((aligned(8)));
	static u64 waits[ASKS];
	pthread_t reader, writer;
	struct client c;

	port = gvm_server_port(server);
	for (u32 i = 0; i < BATCH; i++)
		stamp(bytes + i * GVM_PAGE_BYTES, i, 1);
	client_enter(&c, port, 1);
	CHECK(!client_write(&c, 0, bytes, BATCH));
	CHECK(!client_detach(&c, false));
	client_close(&c);
	CHECK(!pthread_create(&reader, NULL, read_much, NULL));
	CHECK(!pthread_create(&writer, NULL, write_much, NULL));

	/* Until both are under way. */
	while (__atomic_load_n(&passed, __ATOMIC_RELAXED) < 64u << 20)
		poll(NULL, 0, 1);
	client_enter(&c, port, 3);
	stamp(page, 5, 1);
	CHECK(!client_write(&c, 5, page, 1));
	for (u32 i = 0; i < ASKS; i++) {
		u64 before = __atomic_load_n(&passed, __ATOMIC_RELAXED);

		CHECK(!client_read(&c, 5, page, 1));
		waits[i] = __atomic_load_n(&passed, __ATOMIC_RELAXED) - before;
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	pthread_join(reader, NULL);
	pthread_join(writer, NULL);
	qsort(waits, ASKS, sizeof(waits[0]), by_size);
	printf("passed while a page was waited for: median %lu KiB, worst %lu KiB\n",
	       waits[ASKS / 2] >> 10, waits[ASKS - 1] >> 10);
	CHECK(waits[ASKS / 2] <= PASSED_MAX);
	client_close(&c);
	CHECK(!gvm_server_stop(server));
	return 0;
}
