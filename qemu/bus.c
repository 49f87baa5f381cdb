// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The running bus: send, receive, and notice who is gone.
 *
 * A node is alive while something comes from it: every node says PING a few
 * times in lost_ms, from a thread that never waits for the guest.  Silence does
 * not count while we are carrying out that node's last message: then it is we
 * who do not listen.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bus.h"

#define RECEIVE_BYTES	65536u
#define PING_FIRST_NR	16u		/* in a quick row, for the clocks */
#define PING_FIRST_MS	2
#define PING_MS		200
#define SECOND_NS	1000000000ll

/* The kernel kills a node that stood still for its lease (pager/shared-lease.c). */
#define GONE	"has ended without a word: it was killed, or stood still for too long"

s64 gvm_bus_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (s64)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void lose(struct gvm_bus *bus, u32 node, const char *why)
{
	if (__atomic_load_n(&bus->quiet, __ATOMIC_ACQUIRE) ||
	    __atomic_load_n(&bus->peer[node].left, __ATOMIC_ACQUIRE) ||
	    __atomic_exchange_n(&bus->broken, true, __ATOMIC_ACQ_REL))
		return;
	gvm_bus_tell_lost(bus, node);
	bus->lost(bus->arg, node, why);
}

/*
 * Whoever does not take it at once, or is being sent something, finds out
 * by himself: we are about to end, whatever happens.
 */
void gvm_bus_tell_lost(struct gvm_bus *bus, u32 node)
{
	const struct gvm_wire msg = { .type = GVM_WIRE_LOST, .arg = node };
	u8 head[GVM_WIRE_BYTES];

	gvm_wire_encode(&msg, head);
	for (u32 i = 0; i < bus->guest.nodes_nr; i++) {
		struct gvm_bus_peer *peer = &bus->peer[i];

		if (i == node || i == bus->guest.me || peer->fd < 0 ||
		    pthread_mutex_trylock(&peer->lock))
			continue;
		send(peer->fd, head, sizeof(head), MSG_NOSIGNAL | MSG_DONTWAIT);
		pthread_mutex_unlock(&peer->lock);
	}
}

/* The first to notice ends at once: it must not be taken for the culprit. */
static void take_lost(struct gvm_bus_peer *from, u32 node)
{
	struct gvm_bus *bus = from->bus;
	char why[96];

	if (node == bus->guest.me) {
		lose(bus, from->node, "has lost this node");
		return;
	}
	snprintf(why, sizeof(why), "is silent or gone, as node %u has noticed",
		 from->node);
	lose(bus, node, why);
}

int gvm_bus_write(struct gvm_bus *bus, int fd, const struct gvm_wire *msg,
		  const void *body)
{
	s64 end_ns = gvm_bus_now_ns() + (s64)bus->lost_ms * 1000000;
	u8 head[GVM_WIRE_BYTES];
	struct iovec iov[2] = {
		{ head, sizeof(head) }, { (void *)(uintptr_t)body, msg->body_len } };
	struct msghdr hdr = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	gvm_wire_encode(msg, head);
	while (iov[0].iov_len + iov[1].iov_len) {
		n = sendmsg(fd, &hdr, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN) {
			struct pollfd room = { .fd = fd, .events = POLLOUT };

			if (gvm_bus_now_ns() > end_ns)
				return -ETIMEDOUT;
			poll(&room, 1, 100);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		for (int i = 0; i < 2; i++) {
			size_t part = (size_t)n < iov[i].iov_len ?
				      (size_t)n : iov[i].iov_len;

			iov[i].iov_base = (u8 *)iov[i].iov_base + part;
			iov[i].iov_len -= part;
			n -= (ssize_t)part;
		}
	}
	return 0;
}

void gvm_bus_send(struct gvm_bus *bus, u32 to, const struct gvm_wire *msg)
{
	struct gvm_bus_peer *peer = &bus->peer[to];
	struct gvm_wire out = *msg;
	int err;

	if (peer->fd < 0 || __atomic_load_n(&peer->left, __ATOMIC_ACQUIRE))
		return;
	out.epoch = __atomic_load_n(&bus->epoch, __ATOMIC_ACQUIRE);
	pthread_mutex_lock(&peer->lock);
	err = gvm_bus_write(bus, peer->fd, &out, NULL);
	__atomic_fetch_add(&bus->sent[msg->type], 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&peer->lock);
	if (err == -ETIMEDOUT)
		lose(bus, to, "does not read what is sent to it");
	else if (err)
		lose(bus, to, GONE);
}

void gvm_bus_send_all(struct gvm_bus *bus, const struct gvm_wire *msg)
{
	for (u32 i = 0; i < bus->guest.nodes_nr; i++)
		if (i != bus->guest.me)
			gvm_bus_send(bus, i, msg);
}

bool gvm_bus_all_ready(struct gvm_bus *bus)
{
	for (u32 i = 0; i < bus->guest.nodes_nr; i++)
		if (i != bus->guest.me &&
		    !__atomic_load_n(&bus->peer[i].ready, __ATOMIC_ACQUIRE))
			return false;
	return true;
}

static void take(struct gvm_bus_peer *peer, const struct gvm_wire *msg)
{
	struct gvm_bus *bus = peer->bus;
	struct gvm_wire pong = { .type = GVM_WIRE_PONG, .val = msg->val };

	switch (msg->type) {
	case GVM_WIRE_PING:
		if (bus->guest.me != 0)
			break;
		pong.addr = (u64)gvm_bus_now_ns();
		gvm_bus_send(bus, peer->node, &pong);
		break;
	case GVM_WIRE_READY:
		__atomic_store_n(&peer->ready, true, __ATOMIC_RELEASE);
		bus->message(bus->arg, peer->node, msg);
		break;
	case GVM_WIRE_LOST:
		take_lost(peer, msg->arg);
		break;
	case GVM_WIRE_BYE:
		__atomic_store_n(&peer->left, true, __ATOMIC_RELEASE);
		bus->message(bus->arg, peer->node, msg);
		break;
	default:
		bus->message(bus->arg, peer->node, msg);
	}
}

/* Returns false when the connection has nothing more to say. */
static bool take_all(struct gvm_bus_peer *peer, const u8 *buf, size_t len,
		     size_t *ret_used)
{
	struct gvm_bus *bus = peer->bus;
	struct gvm_wire msg;
	const char *bad;
	size_t used;

	for (used = 0; len - used >= GVM_WIRE_BYTES; used += GVM_WIRE_BYTES) {
		gvm_wire_decode(&msg, buf + used);
		bad = gvm_wire_judge(&bus->guest, peer->node, &msg);
		if (!bad && msg.body_len)
			bad = "of another time";
		if (bad) {
			char why[128];

			snprintf(why, sizeof(why), "has sent a message (%s) %s",
				 gvm_wire_name(msg.type), bad);
			lose(bus, peer->node, why);
			return false;
		}
		__atomic_fetch_add(&bus->received[msg.type], 1,
				   __ATOMIC_RELAXED);
		take(peer, &msg);
		if (peer->left)
			return false;
	}
	*ret_used = used;
	return true;
}

static void *receive(void *arg)
{
	struct gvm_bus_peer *peer = arg;
	struct gvm_bus *bus = peer->bus;
	u8 buf[RECEIVE_BYTES];
	size_t len = 0, used = 0;
	ssize_t n;

	bus->thread(bus->arg);
	for (;;) {
		n = recv(peer->fd, buf + len, sizeof(buf) - len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
		__atomic_store_n(&peer->busy, true, __ATOMIC_RELEASE);
		if (!take_all(peer, buf, len, &used))
			return NULL;
		memmove(buf, buf + used, len - used);
		len -= used;
		__atomic_store_n(&peer->heard_ns, gvm_bus_now_ns(),
				 __ATOMIC_RELEASE);
		__atomic_store_n(&peer->busy, false, __ATOMIC_RELEASE);
	}
	lose(bus, peer->node, n && errno != ECONNRESET ?
	     "is silent: it cannot be reached any more" : GONE);
	return NULL;
}

static void look_after(struct gvm_bus_peer *peer)
{
	struct gvm_bus *bus = peer->bus;
	s64 now_ns = gvm_bus_now_ns();
	s64 silent_ms = (now_ns - __atomic_load_n(&peer->heard_ns,
						  __ATOMIC_ACQUIRE)) / 1000000;
	char why[96];

	if (__atomic_load_n(&peer->busy, __ATOMIC_ACQUIRE))
		return;
	if (!__atomic_load_n(&peer->ready, __ATOMIC_ACQUIRE)) {
		if (now_ns - bus->opened_ns > (s64)bus->wait_ms * 1000000)
			lose(bus, peer->node, "does not get ready");
		return;
	}
	if (silent_ms <= (s64)bus->lost_ms)
		return;
	snprintf(why, sizeof(why), "has been silent for %lld ms",
		 (long long)silent_ms);
	lose(bus, peer->node, why);
}

static void *watch(void *arg)
{
	struct gvm_bus *bus = arg;
	struct gvm_wire ping = { .type = GVM_WIRE_PING };
	s64 second_ns = gvm_bus_now_ns();
	u32 turn = 0;

	while (!__atomic_load_n(&bus->quiet, __ATOMIC_ACQUIRE)) {
		poll(NULL, 0, turn++ < PING_FIRST_NR ? PING_FIRST_MS : PING_MS);
		for (u32 i = 0; i < bus->guest.nodes_nr; i++) {
			if (i == bus->guest.me || bus->peer[i].left)
				continue;
			look_after(&bus->peer[i]);
			ping.val = (u64)gvm_bus_now_ns();
			gvm_bus_send(bus, i, &ping);
		}
		if (bus->second && gvm_bus_now_ns() - second_ns >= SECOND_NS) {
			second_ns = gvm_bus_now_ns();
			bus->second(bus->arg);
		}
	}
	return NULL;
}

int gvm_bus_start(struct gvm_bus *bus)
{
	const struct gvm_wire ready = {
		.type = GVM_WIRE_READY,
		.val = bus->machine,
	};
	pthread_t watcher;
	int err = 0;

	bus->opened_ns = gvm_bus_now_ns();
	gvm_bus_send_all(bus, &ready);
	for (u32 i = 0; i < bus->guest.nodes_nr && !err; i++) {
		if (i == bus->guest.me)
			continue;
		bus->peer[i].heard_ns = bus->opened_ns;
		err = pthread_create(&bus->peer[i].thread, NULL, receive,
				     &bus->peer[i]);
	}
	if (!err)
		err = pthread_create(&watcher, NULL, watch, bus);
	return -err;
}
