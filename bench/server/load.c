// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench-server-load: one client that asks a memory server for pages as fast as
 * it answers.
 *
 * giantvm: a queue of --depth requests of --batch pages is kept full.  peer:
 * the stand-in for the original design, which takes one request of 32 pages at
 * a time.  What comes is received, walked through and thrown away: the same
 * for both, and as cheap as can be, because the server is what is measured.
 * Prints one line of JSON.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/codec.h"
#include "core/crc32c.h"

#define RX_PIECE	(256u << 10)
#define RX_BYTES	(GVM_PAYLOAD_BYTES_MAX + 4096 + RX_PIECE)
#define PEER_PAGES	32u

struct load {
	int	fd;
	u64	span;		/* pages that are read and written */
	u32	depth;
	u32	batch;
	u64	pages;		/* to transfer */
	bool	random;
	u32	region;
	u32	epoch;
	u64	sent;		/* pages asked for */
	u64	done;		/* pages answered */
	u64	at;
	u64	rng;
	u8	*rx;
	u32	rx_nr;
	u8	*tx;		/* requests that wait for the socket */
	u32	tx_head;
	u32	tx_tail;
};

static void die(const char *what)
{
	fprintf(stderr, "bench-server-load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static double cpu_s(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
	       (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e-6;
}

static void dial(struct load *l, const char *address)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	char host[64];
	unsigned port;
	int one = 1;

	if (sscanf(address, "%63[0-9.]:%u", host, &port) != 2 ||
	    inet_pton(AF_INET, host, &sa.sin_addr) != 1) {
		errno = EINVAL;
		die(address);
	}
	sa.sin_port = htons((u16)port);
	l->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (l->fd < 0 || connect(l->fd, (struct sockaddr *)&sa, sizeof(sa)))
		die(address);
	setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void send_all(struct load *l, const void *bytes, size_t len)
{
	while (len) {
		ssize_t n = send(l->fd, bytes, len, MSG_NOSIGNAL);

		if (n < 0)
			die("send");
		bytes = (const u8 *)bytes + n;
		len -= (size_t)n;
	}
}

/* More bytes at the end of rx; false: would block. */
static bool receive(struct load *l, int flags)
{
	/* In pieces that stay in the cache. */
	ssize_t n = recv(l->fd, l->rx + l->rx_nr, RX_PIECE, flags);

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0)
		die("receive");
	l->rx_nr += (u32)n;
	return true;
}

/* Take whole messages off rx; returns pages they answered. */
static u64 take(struct load *l)
{
	struct gvm_head head;
	u32 used = 0;
	u64 pages = 0;

	while (l->rx_nr - used >= sizeof(struct gvm_msg)) {
		const u8 *payload = l->rx + used + sizeof(struct gvm_msg);

		if (gvm_codec_header(l->rx + used, &head, NULL))
			die("the server broke the protocol");
		if (l->rx_nr - used < sizeof(struct gvm_msg) + head.payload_len)
			break;
		if (head.type == GVM_MSG_ERROR) {
			fprintf(stderr, "bench-server-load: %.200s\n",
				((const struct gvm_error *)payload)->text);
			exit(1);
		}
		if (head.type == GVM_MSG_DATA)
			pages += gvm_codec_pages(payload);
		else if (head.type == GVM_MSG_WRITTEN)
			pages += l->batch;
		else if (head.type == GVM_MSG_ATTACHED) {
			l->region = head.region;
			l->epoch = head.epoch;
		}
		used += (u32)sizeof(struct gvm_msg) + head.payload_len;
	}
	memmove(l->rx, l->rx + used, l->rx_nr - used);
	l->rx_nr -= used;
	return pages;
}

static void request(struct load *l, u16 type, const void *payload, u32 len)
{
	u8 head[sizeof(struct gvm_msg)];

	gvm_codec_put(head, type, 0, len, l->region, l->epoch, 1);
	send_all(l, head, sizeof(head));
	send_all(l, payload, len);
}

static void enter(struct load *l)
{
	struct gvm_hello hello = {
		.magic = gvm_le64(GVM_HELLO_MAGIC),
		.version_min = gvm_le16(GVM_WIRE_VERSION),
		.version_max = gvm_le16(GVM_WIRE_VERSION),
	};
	struct gvm_attach attach = {
		.flags = gvm_le32(GVM_ATTACH_CREATE), .name = "bench",
		.region = "bench-server", .token = "bench-server",
	};

	request(l, GVM_MSG_HELLO, &hello, sizeof(hello));
	request(l, GVM_MSG_ATTACH, &attach, sizeof(attach));
	while (!l->epoch) {
		receive(l, 0);
		take(l);
	}
}

static u64 next_page(struct load *l)
{
	u64 page = l->at;

	if (!l->random) {
		l->at = (l->at + l->batch) % l->span;
		return page;
	}
	l->rng ^= l->rng << 13;
	l->rng ^= l->rng >> 7;
	l->rng ^= l->rng << 17;
	return l->rng % (l->span / l->batch) * l->batch;
}

/* One READ behind the others that wait. */
static void queue_read(struct load *l)
{
	u8 *at = l->tx + l->tx_tail;

	gvm_codec_put(at, GVM_MSG_READ, 0, sizeof(struct gvm_run), l->region,
		      l->epoch, l->sent);
	gvm_codec_put_run(at + sizeof(struct gvm_msg), 0, next_page(l),
			  l->batch);
	l->tx_tail += (u32)(sizeof(struct gvm_msg) + sizeof(struct gvm_run));
	l->sent += l->batch;
}

static void push_tx(struct load *l)
{
	ssize_t n;

	if (l->tx_head == l->tx_tail)
		return;
	n = send(l->fd, l->tx + l->tx_head, l->tx_tail - l->tx_head,
		 MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN)
		die("send");
	if (n > 0)
		l->tx_head += (u32)n;
	if (l->tx_head == l->tx_tail) {
		l->tx_head = 0;
		l->tx_tail = 0;
	}
}

static void wait_ready(struct load *l)
{
	struct pollfd p = {
		.fd = l->fd,
		.events = (short)(POLLIN | (l->tx_tail ? POLLOUT : 0)),
	};

	poll(&p, 1, -1);
}

static void read_pages(struct load *l)
{
	l->sent = 0;
	l->done = 0;
	while (l->done < l->pages) {
		/* Refilled by halves, so that requests travel together. */
		if (!l->tx_tail &&
		    (l->sent - l->done) / l->batch <= l->depth / 2) {
			while ((l->sent - l->done) / l->batch < l->depth &&
			       l->sent < l->pages)
				queue_read(l);
		}
		push_tx(l);
		if (!receive(l, MSG_DONTWAIT))
			wait_ready(l);
		l->done += take(l);
	}
}

/* A WRITE of batch pages, built once; only page numbers change. */
static u8 *make_write(struct load *l, u32 *ret_len)
{
	u32 head_bytes = gvm_codec_write_head_bytes(l->batch);
	u32 len = head_bytes + l->batch * GVM_PAGE_BYTES;
	u8 *msg = malloc(sizeof(struct gvm_msg) + len);
	u8 *body;

	if (!msg)
		die("memory");
	body = msg + sizeof(struct gvm_msg) + head_bytes;
	for (u32 i = 0; i < l->batch * GVM_PAGE_BYTES; i++) {
		l->rng = l->rng * 6364136223846793005ull + 1442695040888963407ull;
		body[i] = (u8)(l->rng >> 56);
	}
	gvm_codec_put(msg, GVM_MSG_WRITE, 0, len, l->region, l->epoch, 1);
	gvm_codec_put_batch(msg + sizeof(struct gvm_msg), l->batch,
			    l->batch * GVM_PAGE_BYTES);
	*ret_len = (u32)sizeof(struct gvm_msg) + len;
	return msg;
}

static void name_pages(struct load *l, u8 *msg, const u32 *crcs)
{
	u64 page = next_page(l);

	for (u32 i = 0; i < l->batch; i++)
		gvm_codec_put_write_desc(msg + sizeof(struct gvm_msg), i,
					 page + i, GVM_TAG_RAW, crcs[i]);
}

static void write_pages(struct load *l)
{
	u32 crcs[GVM_BATCH_PAGES_MAX];
	u32 len, off;
	u8 *msg = make_write(l, &len);

	for (u32 i = 0; i < l->batch; i++)
		crcs[i] = gvm_crc32c(0, msg + len -
				     (l->batch - i) * GVM_PAGE_BYTES,
				     GVM_PAGE_BYTES);
	l->sent = 0;
	l->done = 0;
	while (l->done < l->pages) {
		if (l->sent == l->pages ||
		    (l->sent - l->done) / l->batch >= l->depth) {
			receive(l, 0);
			l->done += take(l);
			continue;
		}
		name_pages(l, msg, crcs);
		for (off = 0; off < len; ) {
			ssize_t n = send(l->fd, msg + off, len - off,
					 MSG_NOSIGNAL);

			if (n < 0)
				die("send");
			off += (u32)n;
		}
		l->sent += l->batch;
		if (receive(l, MSG_DONTWAIT))
			l->done += take(l);
	}
	free(msg);
}

/* One block of the stand-in: tags and pages. */
static void peer_block(struct load *l)
{
	__le64 address = gvm_le64(next_page(l) << GVM_PAGE_SHIFT);
	u32 used = 0;
	u32 pages = 0;

	send_all(l, &address, sizeof(address));
	l->rx_nr = 0;
	while (pages < PEER_PAGES) {
		u32 len;

		if (used < l->rx_nr) {
			len = l->rx[used] == GVM_TAG_RAW ? 1 + GVM_PAGE_BYTES : 1;
			if (l->rx_nr - used >= len) {
				used += len;
				pages++;
				continue;
			}
		}
		receive(l, 0);
	}
	l->done += pages;
}

static void read_peer(struct load *l)
{
	l->batch = PEER_PAGES;
	for (l->done = 0; l->done < l->pages; )
		peer_block(l);
}

struct mode {
	const char	*name;
	void		(*run)(struct load *l);
	bool		peer;
};

static const struct mode modes[] = {
	{ "read", read_pages, false },
	{ "write", write_pages, false },
	{ "peer", read_peer, true },
};

static void measure(struct load *l, const struct mode *mode)
{
	double t = now_s(), cpu = cpu_s();

	mode->run(l);
	t = now_s() - t;
	cpu = cpu_s() - cpu;
	printf("{\"mode\": \"%s\", \"pages\": %llu, \"seconds\": %.4f, \"pages_per_s\": %.0f, \"client_cpu_us_per_page\": %.3f}\n",
	       mode->name, (unsigned long long)l->done, t, (double)l->done / t,
	       cpu * 1e6 / (double)l->done);
	fflush(stdout);
}

static const struct option options[] = {
	{ "address", required_argument, NULL, 'a' },
	{ "span", required_argument, NULL, 's' },
	{ "pages", required_argument, NULL, 'p' },
	{ "batch", required_argument, NULL, 'b' },
	{ "depth", required_argument, NULL, 'd' },
	{ "random", no_argument, NULL, 'r' },
	{ NULL, 0, NULL, 0 },
};

int main(int argc, char **argv)
{
	struct load l = {
		.span = 65536, .depth = 64, .batch = 32, .pages = 1 << 20,
		.rng = 88172645463325252ull,
	};
	const char *address = NULL;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'a': address = optarg; break;
		case 's': l.span = strtoull(optarg, NULL, 10); break;
		case 'p': l.pages = strtoull(optarg, NULL, 10); break;
		case 'b': l.batch = (u32)strtoul(optarg, NULL, 10); break;
		case 'd': l.depth = (u32)strtoul(optarg, NULL, 10); break;
		case 'r': l.random = true; break;
		default: return 2;
		}
	}
	if (!address || optind == argc || !l.batch || l.span < l.batch ||
	    l.batch > GVM_BATCH_PAGES_MAX || !l.depth) {
		fprintf(stderr, "usage: bench-server-load --address IP:PORT [--span PAGES] [--pages N] [--batch PAGES] [--depth N] [--random] read|write|peer...\n");
		return 2;
	}
	l.rx = malloc(RX_BYTES);
	l.tx = malloc((size_t)l.depth * 64);
	if (!l.rx || !l.tx)
		die("memory");
	dial(&l, address);
	for (int i = optind; i < argc; i++) {
		for (size_t m = 0; m < sizeof(modes) / sizeof(modes[0]); m++) {
			if (strcmp(argv[i], modes[m].name))
				continue;
			if (!modes[m].peer && !l.epoch)
				enter(&l);
			measure(&l, &modes[m]);
		}
	}
	return 0;
}
