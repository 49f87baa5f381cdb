// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two nodes that are not of the same making, cluster, accelerator or command
 * line do not start a guest, and both say what differs; two that agree talk, and when one
 * dies the other hears of it.  Over real sockets, two threads as the nodes.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../check.h"
#include "bus.h"

struct node {
	struct gvm_bus	bus;
	const char	*accel, *cluster, *command;
	char		why[GVM_BUS_WHY_MAX];
	int		err;
	int		messages;
	s64		clock_ns;
	char		lost[256];
	u32		lost_node;
};

static struct node nodes[2];
static char text[64];

/* Two ports that were free a moment ago. */
static void choose_ports(void)
{
	u16 port[2];
	int fd[2];

	for (int i = 0; i < 2; i++) {
		struct sockaddr_in in = { .sin_family = AF_INET };
		socklen_t len = sizeof(in);

		in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		fd[i] = socket(AF_INET, SOCK_STREAM, 0);
		CHECK(bind(fd[i], (struct sockaddr *)&in, len) == 0);
		CHECK(getsockname(fd[i], (struct sockaddr *)&in, &len) == 0);
		port[i] = ntohs(in.sin_port);
	}
	close(fd[0]);
	close(fd[1]);
	snprintf(text, sizeof(text), "127.0.0.1:%u/0+127.0.0.1:%u/1", port[0],
		 port[1]);
}

static void message(void *arg, u32 from, const struct gvm_wire *msg)
{
	struct node *node = arg;

	CHECK(from == 1 - node->bus.guest.me);
	if (msg->type == GVM_WIRE_PONG)
		node->clock_ns = (s64)msg->addr;
	else if (msg->type != GVM_WIRE_READY)
		__atomic_fetch_add(&node->messages, 1, __ATOMIC_SEQ_CST);
}

static void begins(void *arg)
{
	(void)arg;
}

static void lost(void *arg, u32 who, const char *why)
{
	struct node *node = arg;

	node->lost_node = who;
	snprintf(node->lost, sizeof(node->lost), "%s", why);
	__atomic_store_n(&node->messages, -1, __ATOMIC_SEQ_CST);
}

static void say(void *arg, const char *news)
{
	(void)arg;
	printf("%s\n", news);
}

static void *open_node(void *arg)
{
	struct node *node = arg;
	const struct gvm_bus_hello hello = {
		.name = { "version", "QEMU", "accelerator", "cluster",
			  "command line" },
		.value = { "1", "q", node->accel, node->cluster,
			   node->command },
	};

	node->err = gvm_bus_open(&node->bus, &hello, node->why);
	/* As a process that ends does. */
	for (int i = 0; node->err && i < 2; i++)
		if (node->bus.peer[i].fd >= 0)
			close(node->bus.peer[i].fd);
	return NULL;
}

static const char *accel1 = "tcg";	/* node 1's */

static void meet(const char *command0, const char *command1, u32 id1)
{
	pthread_t threads[2];
	const char *why;

	choose_ports();
	for (u32 i = 0; i < 2; i++) {
		memset(&nodes[i], 0, sizeof(nodes[i]));
		nodes[i].bus.wait_ms = i ? 3000 : 4000;
		nodes[i].bus.lost_ms = 1000;
		nodes[i].bus.arg = &nodes[i];
		nodes[i].bus.message = message;
		nodes[i].bus.thread = begins;
		nodes[i].bus.lost = lost;
		nodes[i].bus.say = say;
		nodes[i].accel = i ? accel1 : "tcg";
		nodes[i].cluster = text;
		nodes[i].command = i ? command1 : command0;
		nodes[i].bus.guest.me = i ? id1 : 0;
		CHECK(gvm_guest_parse(&nodes[i].bus.guest, text, &why) == 0);
		pthread_create(&threads[i], NULL, open_node, &nodes[i]);
	}
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
}

static bool comes_to(int *value, int wanted)
{
	for (int i = 0; i < 1000; i++) {
		if (__atomic_load_n(value, __ATOMIC_SEQ_CST) == wanted)
			return true;
		poll(NULL, 0, 10);
	}
	return false;
}

int main(void)
{
	struct gvm_wire irq = { .type = GVM_WIRE_IRQ, .cpu = 1, .arg = 3 };

	meet("qemu -m 1 -smp 2", "qemu -m 2 -smp 2", 1);
	CHECK(nodes[0].err && nodes[1].err);
	CHECK(strstr(nodes[0].why, "another command line"));
	CHECK(strstr(nodes[0].why, "\"2 -smp 2\" there"));
	CHECK(strstr(nodes[1].why, "\"1 -smp 2\" there"));

	/* One node emulates, the other does not. */
	accel1 = "kvm";
	meet("same", "same", 1);
	accel1 = "tcg";
	CHECK(nodes[0].err && nodes[1].err);
	CHECK(strstr(nodes[0].why, "another accelerator: \"kvm\" there, \"tcg\" on node 0"));

	meet("same", "same", 0);
	CHECK(nodes[0].err || nodes[1].err);

	meet("same", "same", 1);
	CHECK(!nodes[0].err && !nodes[1].err);
	CHECK(nodes[1].clock_ns > 0);
	CHECK(gvm_bus_start(&nodes[0].bus) == 0);
	CHECK(gvm_bus_start(&nodes[1].bus) == 0);
	for (int i = 0; i < 1000; i++)
		gvm_bus_send(&nodes[0].bus, 1, &irq);
	CHECK(comes_to(&nodes[1].messages, 1000));

	/* It breaks the protocol: node 1 does not own vCPU 0. */
	irq.cpu = 0;
	gvm_bus_send(&nodes[0].bus, 1, &irq);
	CHECK(comes_to(&nodes[1].messages, -1));
	CHECK(strstr(nodes[1].lost, "vCPU of another node"));

	/* The end of a process closes its sockets. */
	shutdown(nodes[1].bus.peer[0].fd, SHUT_RDWR);
	CHECK(comes_to(&nodes[0].messages, -1));
	CHECK(nodes[0].lost_node == 1);
	return 0;
}
