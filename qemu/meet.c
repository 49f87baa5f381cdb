// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How the nodes of a guest find each other, and make sure that they belong
 * together, before anything of the guest exists.
 *
 * A node calls all nodes before it and is called by all behind it.  Each side
 * says HELLO with what must be equal everywhere, and looks at the other's; who
 * finds a difference says so to its operator and, by REFUSE, to the other's.
 * A stranger who does not speak the protocol is sent away and does no harm.
 */
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bus.h"
#include "limits.h"

#define AGAIN_MS	100		/* between two calls to a node */
#define TELL_MS		3000		/* then say whom we wait for */
#define STRANGER_MS	5000		/* to say HELLO */
#define CLOCK_TRIPS	8u
#define SOCKET_BYTES	(4 << 20)

struct meeting {
	struct gvm_bus	*bus;
	const struct gvm_bus_hello *hello;
	char		*why;
	char		*body;		/* of our HELLO */
	u32		body_len;
	s64		end_ns;
	s64		tell_ns;
	int		listener;
};

__attribute__((format(printf, 2, 3)))
static int because(struct meeting *m, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(m->why, GVM_BUS_WHY_MAX, format, args);
	va_end(args);
	return -EPROTO;
}

static int read_all(int fd, void *to, size_t len, s64 end_ns)
{
	u8 *at = to;

	while (len) {
		struct pollfd in = { .fd = fd, .events = POLLIN };
		s64 left_ms = (end_ns - gvm_bus_now_ns()) / 1000000;
		ssize_t n;

		if (left_ms <= 0)
			return -ETIMEDOUT;
		if (poll(&in, 1, (int)left_ms) <= 0)
			continue;
		n = recv(fd, at, len, MSG_DONTWAIT);
		if (n == 0)
			return -EPIPE;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n > 0) {
			at += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* Descriptors of ours stay out of the program's way; see pager/fd.c. */
static int move_high(int fd)
{
	struct rlimit old, raised;
	int high;

	if (fd < 0 || getrlimit(RLIMIT_NOFILE, &old) != 0)
		return fd;
	raised = old;
	raised.rlim_cur = raised.rlim_max;
	setrlimit(RLIMIT_NOFILE, &raised);
	high = fcntl(fd, F_DUPFD_CLOEXEC, GVM_FD_MIN);
	setrlimit(RLIMIT_NOFILE, &old);
	if (high < 0)
		return fd;
	close(fd);
	return high;
}

static void tune(int fd, u32 lost_ms)
{
	int on = 1, size = SOCKET_BYTES;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &lost_ms, sizeof(lost_ms));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

/* A socket to call a node (bound to nothing) or to be called on. */
static int open_socket(struct meeting *m, u32 node, bool call)
{
	const struct gvm_guest *g = &m->bus->guest;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
				  .ai_flags = call ? 0 : AI_PASSIVE };
	struct addrinfo *list = NULL;
	int fd, on = 1, err = 0, bad;

	bad = getaddrinfo(g->host[node], g->port[node], &hints, &list);
	if (bad) {
		because(m, "node %u: %s is no address: %s", node, g->host[node],
			gai_strerror(bad));
		return -EINVAL;
	}
	fd = move_high(socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
	if (fd < 0) {
		err = -errno;
	} else if (call) {
		if (connect(fd, list->ai_addr, list->ai_addrlen))
			err = -errno;
	} else {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (bind(fd, list->ai_addr, list->ai_addrlen) ||
		    listen(fd, (int)GVM_GUEST_NODES_MAX))
			err = -errno;
	}
	freeaddrinfo(list);
	if (err && fd >= 0)
		close(fd);
	if (err && !call)
		because(m, "cannot listen on %s:%s: %s; is another guest using that port, or is it not an address of this host?",
			g->host[node], g->port[node], strerror(-err));
	return err ? err : fd;
}

static int make_body(struct meeting *m)
{
	size_t len = 0, n;

	for (u32 i = 0; i < GVM_BUS_STRINGS; i++)
		len += strlen(m->hello->value[i]) + 1;
	if (len > GVM_WIRE_BODY_MAX)
		return because(m, "the command line is too long");
	m->body = malloc(len);
	if (!m->body)
		return -ENOMEM;
	m->body_len = (u32)len;
	for (u32 i = 0, at = 0; i < GVM_BUS_STRINGS; i++, at += (u32)n) {
		n = strlen(m->hello->value[i]) + 1;
		memcpy(m->body + at, m->hello->value[i], n);
	}
	return 0;
}

static int say_hello(struct meeting *m, int fd)
{
	const struct gvm_wire hello = {
		.type = GVM_WIRE_HELLO,
		.epoch = GVM_WIRE_MAGIC,
		.arg = GVM_WIRE_VERSION,
		.val = m->bus->guest.me,
		.body_len = m->body_len,
	};

	return gvm_bus_write(m->bus, fd, &hello, m->body);
}

static void refuse(struct meeting *m, int fd)
{
	const struct gvm_wire no = {
		.type = GVM_WIRE_REFUSE,
		.body_len = (u32)strlen(m->why) + 1,
	};

	gvm_bus_write(m->bus, fd, &no, m->why);
}

/* The first word that differs, so that long lines can be told apart. */
static void differ(struct meeting *m, u32 node, const char *name,
		   const char *ours, const char *theirs)
{
	size_t at = 0, word = 0;

	while (ours[at] && ours[at] == theirs[at]) {
		at++;
		if (ours[at - 1] == ' ')
			word = at;
	}
	because(m, "node %u has another %s: \"%.300s\" there, \"%.300s\" on node %u; they must be the same",
		node, name, theirs + word, ours + word, m->bus->guest.me);
}

static int compare(struct meeting *m, u32 node, const char *body, u32 len)
{
	const char *at = body, *end = body + len;

	for (u32 i = 0; i < GVM_BUS_STRINGS; i++) {
		const char *nul = at < end ? memchr(at, 0, (size_t)(end - at)) :
					     NULL;

		if (!nul)
			return because(m, "node %u does not say its %s", node,
				       m->hello->name[i]);
		if (strcmp(at, m->hello->value[i]) != 0) {
			differ(m, node, m->hello->name[i], m->hello->value[i],
			       at);
			return -EPROTO;
		}
		at = nul + 1;
	}
	return 0;
}

/*
 * Read the other's HELLO.  -ENOTCONN: whoever that is, it is no node of a
 * guest.  Any other error: it is, and the guest must not start.
 */
static int hear_hello(struct meeting *m, int fd, s64 end_ns, u32 *ret_node)
{
	u8 head[GVM_WIRE_BYTES];
	struct gvm_wire msg;
	char *body;
	int err;

	if (read_all(fd, head, sizeof(head), end_ns))
		return -ENOTCONN;
	gvm_wire_decode(&msg, head);
	if (msg.type != GVM_WIRE_HELLO || msg.epoch != GVM_WIRE_MAGIC ||
	    !msg.body_len || msg.body_len > GVM_WIRE_BODY_MAX)
		return -ENOTCONN;
	if (msg.arg != GVM_WIRE_VERSION)
		return because(m, "node %llu speaks version %u of the protocol and this node %u; install the same giantvm on both",
			       (unsigned long long)msg.val, msg.arg,
			       GVM_WIRE_VERSION);
	body = malloc(msg.body_len);
	if (!body)
		return -ENOMEM;
	err = read_all(fd, body, msg.body_len, end_ns);
	if (err)
		err = -ENOTCONN;
	else if (msg.val >= m->bus->guest.nodes_nr ||
		 msg.val == m->bus->guest.me)
		err = because(m, "a node calls itself number %llu here; every node needs its own --id",
			      (unsigned long long)msg.val);
	else
		err = compare(m, (u32)msg.val, body, msg.body_len);
	free(body);
	*ret_node = (u32)msg.val;
	return err;
}

/* After both HELLOs: READY to go on, or the other's REFUSE. */
static int hear_verdict(struct meeting *m, int fd, u32 node)
{
	s64 end_ns = gvm_bus_now_ns() + STRANGER_MS * 1000000ll;
	u8 head[GVM_WIRE_BYTES];
	char text[GVM_BUS_WHY_MAX] = "";
	struct gvm_wire msg;

	if (read_all(fd, head, sizeof(head), end_ns))
		return because(m, "node %u broke off while the nodes were being compared; see what it says",
			       node);
	gvm_wire_decode(&msg, head);
	if (msg.type == GVM_WIRE_PING)
		return 0;
	if (msg.body_len < sizeof(text))
		read_all(fd, text, msg.body_len, end_ns);
	text[sizeof(text) - 1] = '\0';
	return because(m, "node %u refuses: %s", node, text);
}

/*
 * Before anything runs, the caller learns what node 0's clock says, so that
 * guest time is right from its first moment on.
 */
static int exchange_clocks(struct meeting *m, int fd, bool caller)
{
	struct gvm_wire ping = { .type = GVM_WIRE_PING };
	s64 end_ns = gvm_bus_now_ns() + STRANGER_MS * 1000000ll;
	u8 head[GVM_WIRE_BYTES];
	int err = 0;

	for (u32 i = 0; i < CLOCK_TRIPS && !err; i++) {
		if (caller) {
			ping.type = GVM_WIRE_PING;
			ping.val = (u64)gvm_bus_now_ns();
			err = gvm_bus_write(m->bus, fd, &ping, NULL);
		}
		if (!err)
			err = read_all(fd, head, sizeof(head), end_ns);
		if (err)
			break;
		gvm_wire_decode(&ping, head);
		if (caller) {
			m->bus->message(m->bus->arg, 0, &ping);
			continue;
		}
		ping.type = GVM_WIRE_PONG;
		ping.addr = (u64)gvm_bus_now_ns();
		err = gvm_bus_write(m->bus, fd, &ping, NULL);
	}
	if (err || ping.type != GVM_WIRE_PONG)
		return because(m, "the clocks cannot be compared with a node that breaks off; see what it says");
	return 0;
}

static int shake_hands(struct meeting *m, int fd, u32 expect)
{
	const struct gvm_wire yes = { .type = GVM_WIRE_PING };
	struct gvm_bus *bus = m->bus;
	s64 end_ns = m->end_ns;
	u32 node = expect;
	int err;

	/* Whom we call may be busy with others first; a caller never is. */
	if (expect >= bus->guest.nodes_nr)
		end_ns = gvm_bus_now_ns() + STRANGER_MS * 1000000ll;
	tune(fd, bus->lost_ms);
	err = say_hello(m, fd);
	if (!err)
		err = hear_hello(m, fd, end_ns, &node);
	if (!err && expect < bus->guest.nodes_nr && node != expect)
		err = because(m, "node %u answers at the address of node %u; is its --id right?",
			      node, expect);
	if (!err && bus->peer[node].fd >= 0)
		err = because(m, "node %u calls twice; every node needs its own --id",
			      node);
	if (err == -ENOTCONN || err == -ENOMEM)
		return err;
	if (err) {
		refuse(m, fd);
		return err;
	}
	err = gvm_bus_write(bus, fd, &yes, NULL);
	if (!err)
		err = hear_verdict(m, fd, node);
	if (!err && (node == 0 || bus->guest.me == 0))
		err = exchange_clocks(m, fd, node == 0);
	if (!err)
		bus->peer[node].fd = fd;
	return err;
}

static int late(struct meeting *m, u32 node)
{
	const struct gvm_guest *g = &m->bus->guest;
	s64 now_ns = gvm_bus_now_ns();
	char text[256];

	if (now_ns > m->end_ns) {
		because(m, "node %u (%s:%s) did not come within %u s; start it, or look at what it says",
			node, g->host[node], g->port[node],
			m->bus->wait_ms / 1000);
		return -ETIMEDOUT;
	}
	if (now_ns > m->tell_ns) {
		snprintf(text, sizeof(text), "waiting for node %u (%s:%s)", node,
			 g->host[node], g->port[node]);
		m->bus->say(m->bus->arg, text);
		m->tell_ns = INT64_MAX;
	}
	return 0;
}

static int call(struct meeting *m, u32 node)
{
	int fd, err;

	for (;;) {
		fd = open_socket(m, node, true);
		if (fd == -EINVAL)
			return fd;
		if (fd >= 0) {
			err = shake_hands(m, fd, node);
			if (err != -ENOTCONN)
				return err;
			close(fd);
		}
		err = late(m, node);
		if (err)
			return err;
		poll(NULL, 0, AGAIN_MS);
	}
}

static int answer(struct meeting *m, u32 missing)
{
	struct pollfd in = { .fd = m->listener, .events = POLLIN };
	int fd, err;

	while (m->bus->peer[missing].fd < 0) {
		err = late(m, missing);
		if (err)
			return err;
		if (poll(&in, 1, AGAIN_MS) <= 0)
			continue;
		fd = move_high(accept4(m->listener, NULL, NULL, SOCK_CLOEXEC));
		if (fd < 0)
			continue;
		err = shake_hands(m, fd, GVM_GUEST_NODES_MAX);
		if (err == -ENOTCONN)
			close(fd);
		else if (err)
			return err;
	}
	return 0;
}

int gvm_bus_open(struct gvm_bus *bus, const struct gvm_bus_hello *hello,
		 char why[GVM_BUS_WHY_MAX])
{
	struct meeting m = { .bus = bus, .hello = hello, .why = why };
	const struct gvm_guest *g = &bus->guest;
	int err = 0;
	u32 i;

	for (i = 0; i < GVM_GUEST_NODES_MAX; i++) {
		bus->peer[i].bus = bus;
		bus->peer[i].node = i;
		bus->peer[i].fd = -1;
		pthread_mutex_init(&bus->peer[i].lock, NULL);
	}
	m.end_ns = gvm_bus_now_ns() + (s64)bus->wait_ms * 1000000;
	m.tell_ns = gvm_bus_now_ns() + TELL_MS * 1000000ll;
	snprintf(why, GVM_BUS_WHY_MAX, "out of memory");
	m.listener = open_socket(&m, g->me, false);
	if (m.listener < 0)
		return m.listener;
	err = make_body(&m);
	for (i = 0; i < g->me && !err; i++)
		err = call(&m, i);
	for (i = g->me + 1; i < g->nodes_nr && !err; i++)
		err = answer(&m, i);
	free(m.body);
	close(m.listener);
	return err;
}
