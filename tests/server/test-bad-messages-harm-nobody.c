// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, a broken or hostile client could stop the server, or touch
 * memory of others.  Every bad message must end its own connection with a
 * reason, and a healthy client beside it must not notice.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "check.h"
#include "client.h"
#include "core/crc32c.h"

#define PAGES	64u

static u16 port;
static struct client healthy;
static u32 log_lines;
static u64 rng = 42424242;

static u64 next_random(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static void count_line(const char *line, void *arg)
{
	(void)arg;
	CHECK(!strncmp(line, "giantvm: ", 9));
	__atomic_add_fetch(&log_lines, 1, __ATOMIC_RELAXED);
}

static void check_healthy(void)
{
	static u8 bytes[PAGES * GVM_PAGE_BYTES] __attribute__((aligned(8)));

	CHECK(!client_read(&healthy, 0, bytes, PAGES));
	for (u32 i = 0; i < PAGES; i++)
		CHECK(stamp_version(bytes + i * GVM_PAGE_BYTES, i) == 1);
}

/* The server says so and closes. */
static void expect_refusal(struct client *c, u32 code)
{
	CHECK(client_closed(c));
	CHECK(gvm_le32(c->error.code) == code);
	CHECK(c->error.text[0]);
	client_close(c);
	check_healthy();
}

/* How far a client got before it went wrong. */
enum stage { DIALLED, OPEN, ATTACHED };

static void get_to(struct client *c, enum stage stage)
{
	static u32 number = 1000;

	if (stage == DIALLED)
		client_dial(c, port);
	else if (stage == OPEN)
		client_open(c, port);
	else
		client_enter(c, port, number++);
}

/* A header, field by field, and what must come of it. */
struct bad {
	enum stage	stage;
	u16	type;
	u16	flags;
	u32	payload_len;
	u32	region_off;	/* added to the right one */
	u32	epoch_off;
	u64	page;
	u32	code;
};

static const struct bad bads[] = {
	{ DIALLED, 0, 0, 0, 0, 0, 0, GVM_ERR_MALFORMED },
	{ DIALLED, 0xffff, 0, 0, 0, 0, 0, GVM_ERR_MALFORMED },
	{ DIALLED, GVM_MSG_TYPE_NR, 0, 0, 0, 0, 0, GVM_ERR_MALFORMED },
	{ DIALLED, GVM_MSG_HELLO, 0, 31, 0, 0, 0, GVM_ERR_MALFORMED },
	{ DIALLED, GVM_MSG_HELLO, 1, 32, 0, 0, 0, GVM_ERR_MALFORMED },
	{ DIALLED, GVM_MSG_HELLO, 0, 32, 0, 0, 1, GVM_ERR_MALFORMED },
	{ DIALLED, GVM_MSG_PING, 0, 0, 0, 0, 0, GVM_ERR_MALFORMED },
	{ DIALLED, GVM_MSG_STAT, 0, 0, 0, 0, 0, GVM_ERR_MALFORMED },
	{ DIALLED, GVM_MSG_READ, 0, 16, 0, 0, 0, GVM_ERR_MALFORMED },
	{ OPEN, GVM_MSG_FLUSH, 0, 0, 0, 0, 0, GVM_ERR_MALFORMED },
	{ OPEN, GVM_MSG_READ, 0, 16, 0, 0, 0, GVM_ERR_MALFORMED },
	{ OPEN, GVM_MSG_READ, 0x8000, 16, 0, 0, 0, GVM_ERR_MALFORMED },
	{ OPEN, GVM_MSG_WRITE, 0, 0xffffffff, 0, 0, 0, GVM_ERR_MALFORMED },
	{ OPEN, GVM_MSG_WRITE, 0, 7, 0, 0, 0, GVM_ERR_MALFORMED },
	{ OPEN, GVM_MSG_TRIM, 0, 513 * 16, 0, 0, 0, GVM_ERR_MALFORMED },
	{ OPEN, GVM_MSG_PONG, 0, 0, 0, 0, 0, GVM_ERR_MALFORMED },
	{ OPEN, GVM_MSG_DETACHED, 0, 0, 0, 0, 0, GVM_ERR_MALFORMED },
	{ OPEN, GVM_MSG_DETACH, 0, 8, 0, 0, 0, GVM_ERR_MALFORMED },
	{ ATTACHED, GVM_MSG_FLUSH, 0, 0, 1, 0, 0, GVM_ERR_MALFORMED },
	{ ATTACHED, GVM_MSG_FLUSH, 0, 0, 0xffffffff, 0, 0, GVM_ERR_MALFORMED },
	{ ATTACHED, GVM_MSG_FLUSH, 0, 0, 0, 1, 0, GVM_ERR_FENCED },
	{ ATTACHED, GVM_MSG_FLUSH, 0, 0, 0, 0xffffffff, 0, GVM_ERR_FENCED },
	{ ATTACHED, GVM_MSG_READ, 0, 0, 0, 0, 0, GVM_ERR_MALFORMED },
	{ ATTACHED, GVM_MSG_READ, 0, 16, 0, 0, 0, GVM_ERR_MALFORMED },
	{ ATTACHED, GVM_MSG_TRIM, 0, 16, 0, 0, 0, GVM_ERR_MALFORMED },
	{ ATTACHED, GVM_MSG_WRITE, 0, 8, 0, 0, 0, GVM_ERR_MALFORMED },
	{ ATTACHED, GVM_MSG_ATTACH, 0, 104, 0, 0, 0, GVM_ERR_MALFORMED },
	{ ATTACHED, GVM_MSG_HELLO, 0, 32, 0, 0, 0, GVM_ERR_MALFORMED },
};

static void bad_headers(void)
{
	/* Zero bytes: no magic, runs of no pages, batches of none. */
	static const u8 zeros[513 * 16];

	for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		const struct bad *b = &bads[i];
		struct gvm_msg msg;
		struct client c;

		get_to(&c, b->stage);
		gvm_codec_put(&msg, b->type, b->flags, b->payload_len,
			      c.region + b->region_off, c.epoch + b->epoch_off,
			      1);
		msg.page = gvm_le64(b->page);
		client_send(&c, &msg, sizeof(msg));
		client_send(&c, zeros, b->payload_len < sizeof(zeros) ?
			    b->payload_len : 0);
		expect_refusal(&c, b->code);
	}
}

static void wrong_version(u16 min, u16 max)
{
	struct gvm_hello hello = {
		.magic = gvm_le64(GVM_HELLO_MAGIC),
		.version_min = gvm_le16(min), .version_max = gvm_le16(max),
	};
	struct client c;

	client_dial(&c, port);
	client_request(&c, GVM_MSG_HELLO, 0, &hello, sizeof(hello));
	CHECK(client_closed(&c));
	CHECK(strstr(c.error.text, "version 2"));
	expect_refusal(&c, GVM_ERR_VERSION);
}

/* A damaged page is not stored; the session goes on. */
static void damaged_page(void)
{
	u8 payload[sizeof(struct gvm_batch) + sizeof(struct gvm_write_desc) +
		   GVM_PAGE_BYTES] __attribute__((aligned(8)));
	u8 *page = payload + gvm_codec_write_head_bytes(1);
	struct gvm_head head;
	struct client c;

	client_enter(&c, port, 77);
	stamp(page, 5, 1);
	gvm_codec_put_batch(payload, 1, GVM_PAGE_BYTES);
	gvm_codec_put_write_desc(payload, 0, 5, GVM_TAG_RAW,
				 gvm_crc32c(0, page, GVM_PAGE_BYTES) ^ 1);
	CHECK(!client_request(&c, GVM_MSG_WRITE, 0, payload, sizeof(payload)));
	CHECK(client_expect(&c, GVM_MSG_WRITTEN, &head) == GVM_ERR_CORRUPT);
	CHECK(!client_read(&c, 5, page, 1));
	CHECK(stamp_version(page, 5) == 0);
	CHECK(!client_detach(&c, true));
	client_close(&c);
}

/* Half a message, and then silence or the end: others go on. */
static void truncated(void)
{
	static u8 page[GVM_PAGE_BYTES] __attribute__((aligned(8)));
	struct client silent[16], c;

	for (u32 i = 0; i < 16; i++) {
		struct gvm_msg msg;

		client_enter(&silent[i], port, 200 + i);
		gvm_codec_put(&msg, GVM_MSG_WRITE, 0,
			      gvm_codec_write_head_bytes(512) +
			      512 * GVM_PAGE_BYTES, silent[i].region,
			      silent[i].epoch, 1);
		CHECK(!client_send(&silent[i], &msg, i ? sizeof(msg) : 9));
		CHECK(!client_send(&silent[i], page, i * 100));
	}
	check_healthy();
	client_enter(&c, port, 200);	/* resumes what silent[0] holds */
	CHECK(!client_ping(&c));
	for (u32 i = 0; i < 16; i++)
		client_close(&silent[i]);
	CHECK(!client_detach(&c, true));
	client_close(&c);
	check_healthy();
}

/* Asks for much and reads nothing: the server must not fill up or block. */
static void never_reads(void)
{
	struct client c;

	client_enter(&c, port, 300);
	for (u32 i = 0; i < 2000; i++) {
		u8 msg[sizeof(struct gvm_msg) + sizeof(struct gvm_run)];

		gvm_codec_put(msg, GVM_MSG_READ, 0, sizeof(struct gvm_run),
			      c.region, c.epoch, i);
		gvm_codec_put_run(msg + sizeof(struct gvm_msg), 0, 0, 512);
		if (send(c.fd, msg, sizeof(msg),
			 MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
	}
	check_healthy();
	client_close(&c);
}

/* The same WRITE, and the same TRIM, again: nothing happens twice. */
static void replayed(void)
{
	static u8 page[GVM_PAGE_BYTES] __attribute__((aligned(8)));
	struct gvm_head head;
	struct client c;

	client_enter(&c, port, 400);
	stamp(page, 9, 3);
	CHECK(!client_send_write(&c, 9, page, 1));
	c.txn--;
	CHECK(!client_send_write(&c, 9, page, 1));
	CHECK(!client_expect(&c, GVM_MSG_WRITTEN, &head));
	CHECK(!client_expect(&c, GVM_MSG_WRITTEN, &head));
	CHECK(!client_read(&c, 9, page, 1));
	CHECK(stamp_version(page, 9) == 3);
	CHECK(!client_trim(&c, 9, 1));
	CHECK(!client_trim(&c, 9, 1));
	CHECK(!client_read(&c, 9, page, 1));
	CHECK(stamp_version(page, 9) == 0);
	CHECK(!client_detach(&c, true));
	client_close(&c);
}

/* Valid messages with a few bits changed, and plain noise. */
static void noise(u32 rounds)
{
	static u8 bytes[3 * (sizeof(struct gvm_msg) + 104)];

	for (u32 round = 0; round < rounds; round++) {
		size_t len = 1 + next_random() % sizeof(bytes);
		struct client c;

		get_to(&c, (enum stage)(next_random() % 3));
		for (size_t i = 0; i < len; i++)
			bytes[i] = (u8)next_random();
		if (round % 4) {
			memset(bytes, 0, len);
			gvm_codec_put(bytes, (u16)(next_random() % 22), 0,
				      (u32)(next_random() % 200) / 8 * 8,
				      c.region, c.epoch, 5);
			for (u32 i = 0; i < next_random() % 4; i++)
				bytes[next_random() % len] ^=
					(u8)(1 << next_random() % 8);
		}
		client_send(&c, bytes, len);
		shutdown(c.fd, SHUT_WR);
		CHECK(client_closed(&c));
		client_close(&c);
	}
	check_healthy();
}

int main(void)
{
	static u8 bytes[PAGES * GVM_PAGE_BYTES] __attribute__((aligned(8)));
	struct gvm_server_config config = {
		.listen = "127.0.0.1:0",
		.memory_bytes = 64 << 20,
		.threads = 2,
		.log = count_line,
	};
	struct gvm_server *server = server_start(&config);

	port = gvm_server_port(server);
	client_enter(&healthy, port, 1);
	for (u32 i = 0; i < PAGES; i++)
		stamp(bytes + i * GVM_PAGE_BYTES, i, 1);
	CHECK(!client_write(&healthy, 0, bytes, PAGES));

	bad_headers();
	wrong_version(7, 9);
	/* It would take an INVALIDATED that grants for a mere answer. */
	wrong_version(1, 1);
	damaged_page();
	truncated();
	never_reads();
	replayed();
	noise(1500);
	CHECK(__atomic_load_n(&log_lines, __ATOMIC_RELAXED));
	client_close(&healthy);
	CHECK(!gvm_server_stop(server));
	return 0;
}
