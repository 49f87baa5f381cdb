// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any order of sending, flushing and reading, over a socket that takes little:
 * the peer must receive exactly the messages that were accepted, whole and in
 * order, and a refused message must leave no trace.
 */
#define _GNU_SOURCE
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"
#include "fuzz.h"

#define TX_BYTES	20000u
#define STREAM_MAX	(1u << 20)
#define OPS_MAX		48u

static u8 sent[STREAM_MAX];
static u8 got[STREAM_MAX];

struct play {
	struct gvm_conn	c;
	int		peer;
	u32		sent_nr;
	u32		got_nr;
	u8		fill;	/* next byte of the pattern */
};

/* len bytes of pattern in up to three pieces. */
static void op_send(struct play *p, u32 len)
{
	static u8 bytes[3 * 8192];
	struct iovec iov[3];
	u32 third = len / 3;
	int err;

	if (len > sizeof(bytes) || p->sent_nr + len > STREAM_MAX)
		return;
	for (u32 i = 0; i < len; i++)
		bytes[i] = p->fill++;
	iov[0] = (struct iovec){ bytes, third };
	iov[1] = (struct iovec){ bytes + third, third };
	iov[2] = (struct iovec){ bytes + 2 * third, len - 2 * third };
	err = gvm_conn_send(&p->c, iov, 3);
	if (err) {
		MUST(err == -ENOBUFS);
		MUST(len > TX_BYTES - gvm_conn_pending(&p->c));
		return;
	}
	memcpy(sent + p->sent_nr, bytes, len);
	p->sent_nr += len;
	MUST(!!gvm_conn_pending(&p->c) == p->c.tx_blocked);
}

static void op_flush(struct play *p)
{
	int ret = gvm_conn_flush(&p->c);

	MUST(ret == 0 || ret == 1);
	MUST(ret == !!gvm_conn_pending(&p->c));
	MUST(ret || !p->c.tx_blocked);
}

static bool op_read(struct play *p, u32 len)
{
	ssize_t n = recv(p->peer, got + p->got_nr, len, MSG_DONTWAIT);

	if (n > 0)
		p->got_nr += (u32)n;
	return n > 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static u8 tx[TX_BYTES];
	struct play p = { .peer = -1 };
	int little = 4096;
	int pair[2];

	MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &little, sizeof(little));
	gvm_conn_init(&p.c, pair[0], NULL, 0, tx, TX_BYTES);
	p.peer = pair[1];
	for (size_t i = 0; i + 1 < size && i < 2 * OPS_MAX; i += 2) {
		if (data[i] < 128)
			op_send(&p, (u32)data[i] * 256 + data[i + 1]);
		else if (data[i] < 192)
			op_read(&p, (u32)data[i + 1] * 64 + 1);
		else
			op_flush(&p);
	}
	do {
		gvm_conn_flush(&p.c);
	} while (op_read(&p, 65536));
	MUST(p.sent_nr == p.got_nr && p.c.bytes_out == p.sent_nr);
	MUST(!memcmp(sent, got, p.sent_nr));
	close(p.peer);
	gvm_conn_close(&p.c);
	return 0;
}
