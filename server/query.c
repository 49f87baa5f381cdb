// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One question to one memory server; see query.h.  One request is out at a
 * time, so the next message is its answer or the reason why there is none.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "query-inside.h"

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int fail(struct gvm_query *q, int err, const char *why)
{
	snprintf(q->why, GVM_QUERY_WHY_MAX, "%s", why);
	return err;
}

static int await(struct gvm_query *q, short events)
{
	struct pollfd p = { .fd = q->fd, .events = events };
	int64_t left = q->end_ms - now_ms();
	int n = left > 0 ? poll(&p, 1, (int)left) : 0;

	if (n > 0 || (n < 0 && errno == EINTR))
		return 0;
	return n < 0 ? fail(q, -errno, strerror(errno)) :
		fail(q, -ETIMEDOUT, "it does not answer");
}

static int dial(struct gvm_query *q, const struct sockaddr *sa, socklen_t sa_len)
{
	socklen_t len = sizeof(int);
	int err = 0;

	q->fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC |
		       SOCK_NONBLOCK, 0);
	if (q->fd < 0)
		return fail(q, -errno, strerror(errno));
	if (connect(q->fd, sa, sa_len) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return fail(q, -errno, strerror(errno));
	err = await(q, POLLOUT);
	if (err)
		return err;
	if (getsockopt(q->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	return err ? fail(q, -err, strerror(err)) : 0;
}

/* Requests are small enough for the socket's buffer. */
int gvm_query_send(struct gvm_query *q, u16 type, u32 region, u32 epoch,
		   const void *payload, u32 len)
{
	uint8_t message[sizeof(struct gvm_msg) + GVM_QUERY_REQUEST_MAX];

	gvm_codec_put(message, type, 0, len, region, epoch, ++q->txn);
	if (len)
		memcpy(message + sizeof(struct gvm_msg), payload, len);
	len += (u32)sizeof(struct gvm_msg);
	if (send(q->fd, message, len, MSG_NOSIGNAL) != (ssize_t)len)
		return fail(q, -EPIPE, "it hung up");
	return 0;
}

static int receive(struct gvm_query *q, void *to, size_t len)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = recv(q->fd, (uint8_t *)to + got, len - got, 0);
		int err;

		if (n == 0)
			return fail(q, -EPIPE, "it hung up");
		if (n > 0) {
			got += (size_t)n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return fail(q, -errno, strerror(errno));
		err = await(q, POLLIN);
		if (err)
			return err;
	}
	return 0;
}

static int refused(struct gvm_query *q)
{
	struct gvm_error *e = &q->reply.error;
	int err = -EREMOTEIO;

	/* Not an error to whoever wants the region gone. */
	if (gvm_le32(e->code) == GVM_ERR_NO_REGION)
		err = -ENOENT;
	else if (gvm_le32(e->code) == GVM_ERR_EXISTS)
		err = -EEXIST;
	e->text[sizeof(e->text) - 1] = '\0';
	for (char *c = e->text; *c; c++) {
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
	return fail(q, err, e->text);
}

/* The answer to the last request, of this type. */
int gvm_query_await(struct gvm_query *q, u16 type)
{
	const char *why = "its answer is no message of ours";
	uint8_t header[sizeof(struct gvm_msg)];
	int err = receive(q, header, sizeof(header));

	if (err)
		return err;
	err = gvm_codec_header(header, &q->head, &why);
	if (err || q->head.payload_len > sizeof(q->reply.bytes))
		return fail(q, -EPROTO, "what answers there is no giantvm memory server");
	err = receive(q, q->reply.bytes, q->head.payload_len);
	if (err)
		return err;
	err = gvm_codec_check(&q->head, q->reply.bytes, &why);
	if (err)
		return fail(q, err, why);
	if (q->head.type == GVM_MSG_ERROR)
		return refused(q);
	if (q->head.type != type)
		return fail(q, -EPROTO, "it answered another question");
	return 0;
}

static int greet(struct gvm_query *q)
{
	struct gvm_hello hello = {
		.magic = GVM_HELLO_MAGIC,
		.version_min = GVM_WIRE_VERSION,
		.version_max = GVM_WIRE_VERSION,
	};
	int err = gvm_query_send(q, GVM_MSG_HELLO, 0, 0, &hello, sizeof(hello));

	return err ? err : gvm_query_await(q, GVM_MSG_HELLO);
}

int gvm_query_open(struct gvm_query *q, const struct sockaddr *sa,
		   socklen_t sa_len, unsigned timeout_ms, char *why)
{
	memset(q, 0, sizeof(*q));
	q->why = why;
	q->end_ms = now_ms() + timeout_ms;
	int err = dial(q, sa, sa_len);

	return err ? err : greet(q);
}

void gvm_query_close(struct gvm_query *q)
{
	if (q->fd >= 0)
		close(q->fd);
}

int gvm_query_fill(const struct sockaddr *sa, socklen_t sa_len,
		   unsigned timeout_ms, struct gvm_server_fill *ret,
		   char ret_why[GVM_QUERY_WHY_MAX])
{
	struct gvm_query q;
	int err = gvm_query_open(&q, sa, sa_len, timeout_ms, ret_why);

	if (!err)
		err = gvm_query_send(&q, GVM_MSG_STAT, 0, 0, NULL, 0);
	if (!err)
		err = gvm_query_await(&q, GVM_MSG_STATS);
	gvm_query_close(&q);
	if (err)
		return err;
	*ret = (struct gvm_server_fill){
		.pages_max = gvm_le64(q.reply.stats.pages_max),
		.pages_used = gvm_le64(q.reply.stats.pages_used),
		.overhead_bytes = gvm_le64(q.reply.stats.overhead_bytes),
		.regions = gvm_le64(q.reply.stats.regions),
		.connections = gvm_le64(q.reply.stats.connections),
		.pages_read = gvm_le64(q.reply.stats.pages_read),
		.pages_written = gvm_le64(q.reply.stats.pages_written),
		.requests = gvm_le64(q.reply.stats.requests),
	};
	return 0;
}

int gvm_query_drop(const struct sockaddr *sa, socklen_t sa_len,
		   unsigned timeout_ms, const uint8_t region[16],
		   const uint8_t token[16], char ret_why[GVM_QUERY_WHY_MAX])
{
	struct gvm_attach attach = { .name = "giantvm run: dropping" };
	struct gvm_detach detach = { .flags = GVM_DETACH_DROP };
	struct gvm_query q;
	int err = gvm_query_open(&q, sa, sa_len, timeout_ms, ret_why);

	memcpy(attach.region, region, sizeof(attach.region));
	memcpy(attach.token, token, sizeof(attach.token));
	if (!err)
		err = gvm_query_send(&q, GVM_MSG_ATTACH, 0, 0, &attach,
				   sizeof(attach));
	if (!err)
		err = gvm_query_await(&q, GVM_MSG_ATTACHED);
	if (!err)
		err = gvm_query_send(&q, GVM_MSG_DETACH, q.head.region,
				   q.head.epoch, &detach, sizeof(detach));
	if (!err)
		err = gvm_query_await(&q, GVM_MSG_DETACHED);
	gvm_query_close(&q);
	return err == -ENOENT ? 0 : err;
}
