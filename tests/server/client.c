// SPDX-License-Identifier: GPL-2.0-or-later
/* The test client; see client.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "check.h"
#include "client.h"
#include "core/crc32c.h"

static const u8 zero_page[GVM_PAGE_BYTES] __attribute__((aligned(8)));

void client_dial(struct client *c, u16 port)
{
	struct sockaddr_in sa = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int one = 1;

	memset(c, 0, sizeof(*c));
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(c->fd >= 0);
	CHECK(!connect(c->fd, (struct sockaddr *)&sa, sizeof(sa)));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->buf = malloc(GVM_PAYLOAD_BYTES_MAX);
	CHECK(c->buf);
}

void client_open(struct client *c, u16 port)
{
	struct gvm_hello hello = {
		.magic = gvm_le64(GVM_HELLO_MAGIC),
		.version_min = gvm_le16(GVM_WIRE_VERSION),
		.version_max = gvm_le16(GVM_WIRE_VERSION),
	};
	struct gvm_head head;

	client_dial(c, port);
	CHECK(!client_request(c, GVM_MSG_HELLO, 0, &hello, sizeof(hello)));
	CHECK(!client_expect(c, GVM_MSG_HELLO, &head));
}

void client_close(struct client *c)
{
	close(c->fd);
	free(c->buf);
	c->fd = -1;
	c->buf = NULL;
}

void client_name(struct client *c, u32 number, u32 token)
{
	memset(c->id, 0x11, sizeof(c->id));
	memset(c->token, 0x22, sizeof(c->token));
	memcpy(c->id, &number, sizeof(number));
	memcpy(c->token, &token, sizeof(token));
}

int client_send(struct client *c, const void *bytes, size_t len)
{
	while (len) {
		ssize_t n = send(c->fd, bytes, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -EPIPE;
		bytes = (const u8 *)bytes + n;
		len -= (size_t)n;
	}
	return 0;
}

int client_request(struct client *c, u16 type, u16 flags, const void *payload,
		   u32 len)
{
	u8 msg[sizeof(struct gvm_msg)];
	int err;

	gvm_codec_put(msg, type, flags, len, c->region, c->epoch, ++c->txn);
	err = client_send(c, msg, sizeof(msg));
	return err ? err : client_send(c, payload, len);
}

static int receive_all(struct client *c, void *to, size_t len)
{
	while (len) {
		ssize_t n = recv(c->fd, to, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EPIPE;
		to = (u8 *)to + n;
		len -= (size_t)n;
	}
	return 0;
}

int client_receive(struct client *c, struct gvm_head *ret)
{
	u8 msg[sizeof(struct gvm_msg)];
	int err = receive_all(c, msg, sizeof(msg));

	if (err)
		return err;
	CHECK(!gvm_codec_header(msg, ret, NULL));
	err = receive_all(c, c->buf, ret->payload_len);
	if (err)
		return err;
	CHECK(!gvm_codec_check(ret, c->buf, NULL));
	if (ret->type == GVM_MSG_ERROR)
		memcpy(&c->error, c->buf, sizeof(c->error));
	return 0;
}

int client_expect(struct client *c, u16 type, struct gvm_head *ret)
{
	int err = client_receive(c, ret);

	if (err)
		return err;
	if (ret->type == GVM_MSG_ERROR)
		return (int)gvm_le32(c->error.code);
	CHECK(ret->type == type);
	CHECK(ret->txn == c->txn);
	return 0;
}

bool client_closed(struct client *c)
{
	struct gvm_head head;

	while (!client_receive(c, &head))
		;
	return true;
}

int client_attach(struct client *c, u32 flags)
{
	struct gvm_attach attach = {
		.flags = gvm_le32(flags), .name = "test client",
	};
	struct gvm_attached attached;
	struct gvm_head head;
	int err;

	memcpy(attach.region, c->id, sizeof(attach.region));
	memcpy(attach.token, c->token, sizeof(attach.token));
	err = client_request(c, GVM_MSG_ATTACH, 0, &attach, sizeof(attach));
	if (!err)
		err = client_expect(c, GVM_MSG_ATTACHED, &head);
	if (err)
		return err;
	memcpy(&attached, c->buf, sizeof(attached));
	c->region = head.region;
	c->epoch = head.epoch;
	c->lease_ms = gvm_le32(attached.lease_ms);
	c->pages_free = gvm_le64(attached.pages_free);
	return 0;
}

void client_enter(struct client *c, u16 port, u32 number)
{
	client_open(c, port);
	client_name(c, number, number);
	CHECK(!client_attach(c, GVM_ATTACH_CREATE));
}

void client_join(struct client *c, u16 port, const struct client *other)
{
	client_open(c, port);
	memcpy(c->id, other->id, sizeof(c->id));
	memcpy(c->token, other->token, sizeof(c->token));
	c->epoch = other->epoch;
	CHECK(!client_attach(c, GVM_ATTACH_JOIN));
	CHECK(c->epoch == other->epoch && c->region == other->region);
}

static int send_list(struct client *c, const u64 *pages,
		     const void *const *bytes, u32 count)
{
	u32 head_bytes = gvm_codec_write_head_bytes(count);
	u8 *payload = malloc(head_bytes + count * GVM_PAGE_BYTES);
	u32 len = head_bytes;
	int err;

	CHECK(payload);
	for (u32 i = 0; i < count; i++) {
		const void *b = bytes[i];

		gvm_codec_put_write_desc(payload, i, pages[i],
			b ? GVM_TAG_RAW : GVM_TAG_ZERO,
			b ? gvm_crc32c(0, b, GVM_PAGE_BYTES) : 0);
		if (!b)
			continue;
		memcpy(payload + len, b, GVM_PAGE_BYTES);
		len += GVM_PAGE_BYTES;
	}
	gvm_codec_put_batch(payload, count, len - head_bytes);
	err = client_request(c, GVM_MSG_WRITE, 0, payload, len);
	free(payload);
	return err;
}

int client_send_write(struct client *c, u64 page, const void *bytes, u32 count)
{
	const void *list[GVM_BATCH_PAGES_MAX];
	u64 pages[GVM_BATCH_PAGES_MAX];

	for (u32 i = 0; i < count; i++) {
		pages[i] = page + i;
		list[i] = bytes ? (const u8 *)bytes + i * GVM_PAGE_BYTES : NULL;
	}
	return send_list(c, pages, list, count);
}

static int written(struct client *c, u16 type)
{
	struct gvm_written w;
	struct gvm_head head;
	int err = client_expect(c, type, &head);

	if (err)
		return err;
	memcpy(&w, c->buf, sizeof(w));
	c->pages_free = gvm_le64(w.pages_free);
	return 0;
}

int client_write(struct client *c, u64 page, const void *bytes, u32 count)
{
	int err = client_send_write(c, page, bytes, count);

	return err ? err : written(c, GVM_MSG_WRITTEN);
}

int client_write_list(struct client *c, const u64 *pages,
		      const void *const *bytes, u32 count)
{
	int err = send_list(c, pages, bytes, count);

	return err ? err : written(c, GVM_MSG_WRITTEN);
}

int client_send_read(struct client *c, u64 page, u32 count, u16 flags)
{
	u8 run[sizeof(struct gvm_run)];

	gvm_codec_put_run(run, 0, page, count);
	return client_request(c, GVM_MSG_READ, flags, run, sizeof(run));
}

int client_read(struct client *c, u64 page, void *bytes, u32 count)
{
	struct gvm_head head;
	u32 off = 0;
	int err = client_send_read(c, page, count, GVM_MSG_URGENT);

	if (!err)
		err = client_expect(c, GVM_MSG_DATA, &head);
	if (err)
		return err;
	CHECK(gvm_codec_pages(c->buf) == count);
	for (u32 i = 0; i < count; i++) {
		const void *body;
		u32 crc;

		gvm_codec_data_page(c->buf, i, &off, &crc, &body);
		CHECK(!body || gvm_crc32c(0, body, GVM_PAGE_BYTES) == crc);
		memcpy((u8 *)bytes + i * GVM_PAGE_BYTES,
		       body ? body : zero_page, GVM_PAGE_BYTES);
	}
	return 0;
}

int client_trim(struct client *c, u64 page, u32 count)
{
	u8 run[sizeof(struct gvm_run)];
	int err;

	gvm_codec_put_run(run, 0, page, count);
	err = client_request(c, GVM_MSG_TRIM, 0, run, sizeof(run));
	return err ? err : written(c, GVM_MSG_TRIMMED);
}

/* A request without a payload, and its empty answer. */
static int bare(struct client *c, u16 type, u16 answer)
{
	struct gvm_head head;
	int err = client_request(c, type, 0, NULL, 0);

	return err ? err : client_expect(c, answer, &head);
}

int client_flush(struct client *c)
{
	return bare(c, GVM_MSG_FLUSH, GVM_MSG_FLUSHED);
}

int client_ping(struct client *c)
{
	return bare(c, GVM_MSG_PING, GVM_MSG_PONG);
}

int client_clone(struct client *c, u32 number, u32 token)
{
	struct gvm_clone clone = { .name = "test child" };
	struct client child;
	struct gvm_head head;
	int err;

	client_name(&child, number, token);
	memcpy(clone.region, child.id, sizeof(clone.region));
	memcpy(clone.token, child.token, sizeof(clone.token));
	err = client_request(c, GVM_MSG_CLONE, 0, &clone, sizeof(clone));
	return err ? err : client_expect(c, GVM_MSG_CLONED, &head);
}

int client_detach(struct client *c, bool drop)
{
	struct gvm_detach detach = {
		.flags = gvm_le32(drop ? GVM_DETACH_DROP : 0),
	};
	struct gvm_head head;
	int err = client_request(c, GVM_MSG_DETACH, 0, &detach, sizeof(detach));

	return err ? err : client_expect(c, GVM_MSG_DETACHED, &head);
}

int client_stat(struct client *c, struct gvm_server_stats *ret)
{
	int err = bare(c, GVM_MSG_STAT, GVM_MSG_STATS);

	if (!err)
		memcpy(ret, c->buf, sizeof(*ret));
	return err;
}

/* splitmix64: every word differs with page, version and place. */
static u64 word(u64 number, u64 version, u32 at)
{
	u64 x = number * 0x9e3779b97f4a7c15ull + version * 0xbf58476d1ce4e5b9ull +
		at;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

void stamp(void *page, u64 number, u64 version)
{
	u64 *w = page;

	w[0] = number;
	w[1] = version;
	for (u32 i = 2; i < GVM_PAGE_BYTES / 8; i++)
		w[i] = word(number, version, i);
}

u64 stamp_version(const void *page, u64 number)
{
	const u64 *w = page;

	if (!memcmp(page, zero_page, GVM_PAGE_BYTES))
		return 0;
	CHECK(w[0] == number);
	for (u32 i = 2; i < GVM_PAGE_BYTES / 8; i++)
		CHECK(w[i] == word(number, w[1], i));
	return w[1];
}

struct gvm_server *server_start(const struct gvm_server_config *config)
{
	struct gvm_server *server;
	const char *why = "";

	if (gvm_server_start(config, &server, &why)) {
		fprintf(stderr, "server: %s\n", why);
		exit(1);
	}
	return server;
}

int server_spawn(char *const argv[], u16 *ret_port)
{
	int ready[2];
	FILE *f;
	unsigned port;
	int pid;

	CHECK(!pipe2(ready, O_CLOEXEC));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		/* A test that fails must not leave its server behind. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* argv has "--ready-fd", "3". */
		if (ready[1] == 3)
			fcntl(3, F_SETFD, 0);
		else if (dup2(ready[1], 3) < 0)
			_exit(1);
		execv(argv[0], argv);
		_exit(1);
	}
	close(ready[1]);
	f = fdopen(ready[0], "r");
	CHECK(f);
	if (fscanf(f, "%u", &port) != 1)
		port = 0;
	fclose(f);
	*ret_port = (u16)port;
	return pid;
}
