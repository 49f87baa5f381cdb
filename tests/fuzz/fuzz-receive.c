// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as a stream, cut into pieces by chance and sent over a socket: the
 * framing must find the same messages, and the same end, as a walk over the
 * bytes in memory.
 */
#define _GNU_SOURCE
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"
#include "fuzz.h"

#define RX_SMALL	8192u
#define RX_LARGE	65536u

/* What came out: kept as a checksum over messages, and how it ended. */
struct seen {
	u32	messages;
	u32	sum;
	int	end;	/* 0: more bytes are needed */
};

static void add(struct seen *seen, const struct gvm_head *head,
		const void *payload)
{
	seen->messages++;
	for (u32 i = 0; i < head->payload_len; i++)
		seen->sum = seen->sum * 31 + ((const u8 *)payload)[i];
	seen->sum = seen->sum * 31 + head->type;
	seen->sum = seen->sum * 31 + (u32)head->txn;
}

static struct seen walk(const u8 *data, size_t size, u32 rx_cap)
{
	struct seen seen = { 0, 0, 0 };
	size_t at = 0;

	while (size - at >= sizeof(struct gvm_msg)) {
		struct gvm_head head;
		const u8 *payload = data + at + sizeof(struct gvm_msg);

		seen.end = gvm_codec_header(data + at, &head, NULL);
		if (!seen.end &&
		    head.payload_len > rx_cap - sizeof(struct gvm_msg))
			seen.end = -EMSGSIZE;
		if (seen.end)
			break;
		if (head.payload_len > size - at - sizeof(struct gvm_msg))
			break;
		seen.end = gvm_codec_check(&head, payload, NULL);
		if (seen.end)
			break;
		add(&seen, &head, payload);
		at += sizeof(struct gvm_msg) + head.payload_len;
	}
	return seen;
}

/* Take what is complete.  False: the stream has ended in an error. */
static bool drain(struct gvm_conn *c, struct seen *seen)
{
	struct gvm_head head;
	const void *payload;
	int ret;

	while ((ret = gvm_conn_next(c, &head, &payload)) == 1)
		add(seen, &head, payload);
	seen->end = ret;
	MUST(ret == 0 || c->why);
	return ret == 0;
}

static struct seen receive(const u8 *data, size_t size, u32 rx_cap, u64 seed)
{
	struct seen seen = { 0, 0, 0 };
	struct gvm_conn c;
	void *rx = malloc(rx_cap);
	size_t at = 0;
	int pair[2];
	int ret;

	MUST(rx && !socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	gvm_conn_init(&c, pair[0], rx, rx_cap, NULL, 0);
	MUST(gvm_conn_fill(&c) == 0);
	while (at < size) {
		size_t piece = chance(&seed) % 3000 + 1;

		if (piece > size - at)
			piece = size - at;
		MUST(send(pair[1], data + at, piece, 0) == (ssize_t)piece);
		at += piece;
		while ((ret = gvm_conn_fill(&c)) > 0) {
			if (!drain(&c, &seen))
				goto out;
		}
		MUST(ret == 0);
	}
	close(pair[1]);
	pair[1] = -1;
	MUST(gvm_conn_fill(&c) == -EPIPE);
	MUST(c.bytes_in == size);
out:
	gvm_conn_close(&c);
	if (pair[1] >= 0)
		close(pair[1]);
	free(rx);
	return seen;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	u32 rx_cap;
	struct seen want;
	struct seen have;

	if (size < 2)
		return 0;
	rx_cap = data[0] & 1 ? RX_SMALL : RX_LARGE;
	want = walk(data + 1, size - 1, rx_cap);
	have = receive(data + 1, size - 1, rx_cap, data[0]);
	MUST(want.messages == have.messages && want.sum == have.sum);
	MUST(want.end == have.end);
	return 0;
}
