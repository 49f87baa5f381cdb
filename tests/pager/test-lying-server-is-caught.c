// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a broken or hostile server can crash a program, or give it
 * wrong memory.
 *
 * A small server in this file stores pages as it should, and lies once in a
 * way that each case names.  What damages only the connection must not matter:
 * the client closes it and starts a new session.  What would be a wrong byte
 * ends the program.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"
#include "crc32c.h"
#include "harness.h"

#define PAGES	1024u
#define LOCAL	(1 * MIB)
#define CONNS	16
#define BUFFER	(1u << 20)

enum lie {
	LIE_NONE,
	LIE_GARBAGE,		/* bytes that are no message */
	LIE_OVERSIZED,		/* a header that promises too much */
	LIE_TRUNCATED,		/* half of an answer, then the end */
	LIE_COUNT,		/* more pages than were asked for */
	LIE_TYPE,		/* WRITTEN for a READ */
	LIE_REPLAY,		/* every answer twice */
	LIE_UNASKED,		/* DATA that nobody asked for */
	LIE_SILENT,		/* no answer to one READ, ever */
	LIE_DAMAGED,		/* a flipped bit */
	LIE_STALE,		/* an older content, with its right checksum */
	LIE_EMPTY,		/* a zero page where there was none */
	LIE_VERSION,		/* speaks another version */
	LIE_NR
};

static const struct {
	const char *name;
	int status;		/* of the program under test */
	const char *says;
} cases[LIE_NR] = {
	[LIE_NONE]	= { "no lie", 0, "" },
	[LIE_GARBAGE]	= { "garbage", 0, "" },
	[LIE_OVERSIZED]	= { "oversized", 0, "" },
	[LIE_TRUNCATED]	= { "truncated", 0, "" },
	[LIE_COUNT]	= { "wrong count", 0, "" },
	[LIE_TYPE]	= { "wrong type", 0, "" },
	[LIE_REPLAY]	= { "replayed", 0, "" },
	[LIE_UNASKED]	= { "unasked", 0, "" },
	[LIE_SILENT]	= { "silent once", 0, "" },
	[LIE_DAMAGED]	= { "damaged page", 125, "damaged" },
	[LIE_STALE]	= { "stale page", 125, "not the last one written" },
	[LIE_EMPTY]	= { "lost page", 125, "returned nothing" },
	[LIE_VERSION]	= { "other version", 9, "version" },
};

static struct store {
	uint64_t page;
	uint32_t crc;
	bool	used;
	uint8_t	bytes[PAGE];
	uint8_t	first[PAGE];	/* the first content it ever had */
	uint32_t first_crc;
} *store;

static struct gvm_conn conns[CONNS];
static uint32_t epoch;
static enum lie lie;
static int reads;

static struct store *find(uint64_t page, bool make)
{
	for (unsigned i = 0; i < PAGES; i++) {
		if (store[i].used && store[i].page == page)
			return &store[i];
		if (!store[i].used && make) {
			store[i].used = true;
			store[i].page = page;
			return &store[i];
		}
	}
	return NULL;
}

static void answer(struct gvm_conn *c, uint16_t type, const void *payload,
		   uint32_t len, uint64_t txn)
{
	uint8_t head[sizeof(struct gvm_msg)];
	struct iovec iov[2] = {
		{ head, sizeof(head) }, { (void *)(uintptr_t)payload, len },
	};

	gvm_codec_put(head, type, 0, len, 1, epoch, txn);
	if (lie == LIE_REPLAY) {
		struct iovec again[2] = { iov[0], iov[1] };

		gvm_conn_send(c, again, len ? 2 : 1);
	}
	gvm_conn_send(c, iov, len ? 2 : 1);
}

static void attached(struct gvm_conn *c, const struct gvm_head *h,
		     const struct gvm_attach *a)
{
	struct gvm_attached reply = { .lease_ms = 1000, .pages_free = 1 << 20 };

	if (!(a->flags & GVM_ATTACH_JOIN)) {
		epoch++;
		for (int i = 0; i < CONNS; i++)
			if (&conns[i] != c)
				gvm_conn_close(&conns[i]);
	}
	answer(c, GVM_MSG_ATTACHED, &reply, sizeof(reply), h->txn);
}

static void write_pages(struct gvm_conn *c, const struct gvm_head *h,
			const void *payload)
{
	struct gvm_written reply = { .pages_free = 1 << 20 };
	uint32_t off = 0, crc;
	const void *body;
	uint64_t page;

	for (uint32_t i = 0; i < gvm_codec_pages(payload); i++) {
		struct store *s;

		gvm_codec_write_page(payload, i, &off, &page, &crc, &body);
		s = find(page, true);
		CHECK(s && body);
		if (!s->crc) {
			memcpy(s->first, body, PAGE);
			s->first_crc = crc;
		}
		memcpy(s->bytes, body, PAGE);
		s->crc = crc;
	}
	answer(c, GVM_MSG_WRITTEN, &reply, sizeof(reply), h->txn);
}

/* Fill a DATA payload; returns its length. */
static uint32_t gather(const struct gvm_head *h, const void *payload,
		       uint8_t *out, uint32_t extra)
{
	uint32_t n = 0, len, at = 0;

	for (uint32_t r = 0; r < gvm_codec_runs(h); r++) {
		uint64_t page;
		uint32_t count;

		gvm_codec_run(payload, r, &page, &count);
		n += count;
	}
	n += extra;
	len = gvm_codec_data_head_bytes(n);
	for (uint32_t r = 0; r < gvm_codec_runs(h) || extra; r++) {
		uint64_t page = 0;
		uint32_t count = extra;

		if (r < gvm_codec_runs(h))
			gvm_codec_run(payload, r, &page, &count);
		else
			extra = 0;
		for (uint32_t i = 0; i < count; i++, at++) {
			struct store *s = find(page + i, false);
			bool old = lie == LIE_STALE && s;

			if (!s || (lie == LIE_EMPTY && at == 0)) {
				gvm_codec_put_data_desc(out, at, GVM_TAG_ZERO,
							0);
				continue;
			}
			gvm_codec_put_data_desc(out, at, GVM_TAG_RAW, old ?
						s->first_crc : s->crc);
			memcpy(out + len, old ? s->first : s->bytes, PAGE);
			len += PAGE;
		}
	}
	gvm_codec_put_batch(out, n, len - gvm_codec_data_head_bytes(n));
	return len;
}

/* The tenth READ is where the lie is told. */
static bool lie_now(void)
{
	return ++reads == 10;
}

static void read_pages(struct gvm_conn *c, const struct gvm_head *h,
		       const void *payload)
{
	static uint8_t out[BUFFER];
	struct gvm_written w = { .pages_free = 1 };
	uint8_t head[sizeof(struct gvm_msg)];
	bool now = lie_now();
	uint32_t len = gather(h, payload, out, now && lie == LIE_COUNT);

	if (!now || lie == LIE_NONE || lie == LIE_REPLAY ||
	    lie == LIE_COUNT || lie == LIE_STALE || lie == LIE_EMPTY) {
		answer(c, GVM_MSG_DATA, out, len, h->txn);
		return;
	}
	switch (lie) {
	case LIE_GARBAGE:
		memset(out, 0xa5, 4096);
		send(c->fd, out, 4096, MSG_NOSIGNAL);
		break;
	case LIE_OVERSIZED:
		gvm_codec_put(head, GVM_MSG_DATA, 0, 0x7fffffff, 1, epoch,
			      h->txn);
		send(c->fd, head, sizeof(head), MSG_NOSIGNAL);
		break;
	case LIE_TRUNCATED:
		gvm_codec_put(head, GVM_MSG_DATA, 0, len, 1, epoch, h->txn);
		send(c->fd, head, sizeof(head), MSG_NOSIGNAL);
		send(c->fd, out, len / 2, MSG_NOSIGNAL);
		gvm_conn_close(c);
		break;
	case LIE_TYPE:
		answer(c, GVM_MSG_WRITTEN, &w, sizeof(w), h->txn);
		break;
	case LIE_UNASKED:
		answer(c, GVM_MSG_DATA, out, len, h->txn + 4096);
		answer(c, GVM_MSG_DATA, out, len, h->txn);
		break;
	case LIE_DAMAGED:
		out[len - 100] ^= 1;
		answer(c, GVM_MSG_DATA, out, len, h->txn);
		break;
	default:
		break;		/* silent */
	}
}

static void serve(struct gvm_conn *c, const struct gvm_head *h,
		  const void *payload)
{
	struct gvm_hello hello = {
		.magic = GVM_HELLO_MAGIC, .version_min = GVM_WIRE_VERSION,
		.version_max = GVM_WIRE_VERSION,
	};
	struct gvm_written w = { .pages_free = 1 << 20 };
	struct gvm_error e;

	switch (h->type) {
	case GVM_MSG_HELLO:
		if (lie == LIE_VERSION) {
			gvm_codec_put_error(&e, GVM_ERR_VERSION,
					    "this server speaks version 7");
			answer(c, GVM_MSG_ERROR, &e, sizeof(e), h->txn);
			break;
		}
		answer(c, GVM_MSG_HELLO, &hello, sizeof(hello), h->txn);
		break;
	case GVM_MSG_ATTACH:
		attached(c, h, payload);
		break;
	case GVM_MSG_WRITE:
		write_pages(c, h, payload);
		break;
	case GVM_MSG_READ:
		read_pages(c, h, payload);
		break;
	case GVM_MSG_TRIM:
		answer(c, GVM_MSG_TRIMMED, &w, sizeof(w), h->txn);
		break;
	}
}

static void accept_one(int listener)
{
	int fd = accept(listener, NULL, NULL);

	for (int i = 0; fd >= 0 && i < CONNS; i++) {
		uint8_t *rx = conns[i].rx, *tx = conns[i].tx;

		if (conns[i].fd >= 0)
			continue;
		if (!rx) {
			rx = malloc(4 * BUFFER);
			tx = malloc(4 * BUFFER);
		}
		gvm_conn_init(&conns[i], fd, rx, 4 * BUFFER, tx, 4 * BUFFER);
		return;
	}
	close(fd);
}

static void *server_main(void *arg)
{
	int listener = *(int *)arg;

	for (;;) {
		struct pollfd p[CONNS + 1] = { { listener, POLLIN, 0 } };

		for (int i = 0; i < CONNS; i++)
			p[i + 1] = (struct pollfd){ conns[i].fd, (short)(POLLIN |
				(gvm_conn_pending(&conns[i]) ? POLLOUT : 0)),
				0 };
		poll(p, CONNS + 1, -1);
		if (p[0].revents)
			accept_one(listener);
		for (int i = 0; i < CONNS; i++) {
			struct gvm_conn *c = &conns[i];
			const void *payload;
			struct gvm_head h;

			if (c->fd < 0 || c->fd != p[i + 1].fd ||
			    !p[i + 1].revents)
				continue;
			if (gvm_conn_flush(c) < 0 || gvm_conn_fill(c) < 0) {
				gvm_conn_close(c);
				continue;
			}
			while (c->fd >= 0 && gvm_conn_next(c, &h, &payload) > 0)
				serve(c, &h, payload);
		}
	}
	return NULL;
}

static int start_server(void)
{
	static int listener;
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	pthread_t thread;

	store = calloc(PAGES, sizeof(*store));
	for (int i = 0; i < CONNS; i++)
		conns[i].fd = -1;
	listener = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(bind(listener, (struct sockaddr *)&a, len) == 0);
	CHECK(listen(listener, 64) == 0);
	CHECK(getsockname(listener, (struct sockaddr *)&a, &len) == 0);
	CHECK(!pthread_create(&thread, NULL, server_main, &listener));
	return ntohs(a.sin_port);
}

static void program(void *arg)
{
	struct gvm_config c = { .size = sizeof(c), .prefetch_pages = 4,
				.local_bytes = LOCAL, .wait_ms = 8000 };
	char address[64];
	const char *why;
	uint8_t *memory;
	struct gvm *gvm;

	lie = *(enum lie *)arg;
	snprintf(address, sizeof(address), "127.0.0.1:%d", start_server());
	c.servers = address;
	if (gvm_init(&c, &gvm, &why)) {
		fprintf(stderr, "%s\n", why);
		_exit(9);
	}
	memory = memory_map(gvm, PAGES * PAGE);
	for (unsigned round = 1; round < 4; round++)
		for (unsigned i = 0; i < PAGES; i++) {
			if (round > 1 &&
			    !stamp_is(memory + i * PAGE, i, round - 1))
				_exit(3);
			stamp_put(memory + i * PAGE, i, round);
		}
	for (unsigned i = 0; i < PAGES; i++)
		if (!stamp_is(memory + i * PAGE, i, 3))
			_exit(3);
	_exit(0);
}

int main(void)
{
	need_userfaultfd();
	for (enum lie l = 0; l < LIE_NR; l++) {
		char text[4096];
		int status = run_apart(program, &l, text, sizeof(text));

		printf("%s: %d %s\n", cases[l].name, status, text);
		fflush(stdout);
		CHECK(status == cases[l].status);
		CHECK(strstr(text, cases[l].says));
	}
	return 0;
}
