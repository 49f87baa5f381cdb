// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a good cluster.conf is refused or understood as another one: a
 * page is looked for on the wrong server, or nodes with different files join.
 */
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "conf.h"

#define TEXT_MAX	(4u << 20)

static char why[GVM_CONF_WHY_MAX];

static struct gvm_conf *read_text(const char *text)
{
	struct gvm_conf *conf;

	if (gvm_conf_parse("f", text, strlen(text), &conf, why)) {
		fprintf(stderr, "%s\n", why);
		exit(1);
	}
	return conf;
}

static const char whole[] =
	"\xef\xbb\xbf# M\303\274nchen\r\n"
	"[node 7]\r\n"
	"\taddress = b.example.org:7000   ; a comment\r\n"
	"\tvcpus = 4, 6-7\r\n"
	"\t   5\r\n"
	"[cluster]   # one\n"
	"name: lab\n"
	"lease_ms = 500\n"
	"turn_us = 50000\n"
	"[ server  A ]\n"
	"address=[::1]:9999\n"
	"[server B-2_x.y]\n"
	"memory = 1.5G\n"
	"  ; indented\n"
	"address = 10.0.0.2:9999\n"
	"[node 3]\n"
	"address = 10.0.0.1:7000\n"
	"local = 512M\n"
	"host = rack 1; top = warm\n"
	"vcpus = 0-3\n"
	"[region r]\n"
	"slice = 2M\n"
	"size = 9M\n"
	"servers =\tB-2_x.y,\n"
	"\tA\n"
	"[region all]\n"
	"size = 4K";

static void check_nodes(const struct gvm_conf *c)
{
	const struct gvm_conf_node *n = gvm_conf_node(c, 3);

	CHECK(c->nodes_nr == 2 && n == &c->nodes[0]);
	CHECK(n->id == 3 && n->line == 16 && n->local_bytes == 512u << 20);
	CHECK(!strcmp(n->host, "rack 1; top = warm"));
	CHECK(gvm_conf_node_vcpus(n) == 4 && n->vcpus_nr == 1);
	n = gvm_conf_node(c, 7);
	CHECK(n == &c->nodes[1] && !n->local_bytes && !n->host);
	CHECK(!strcmp(n->address, "b.example.org:7000"));
	CHECK(n->vcpus_nr == 3 && gvm_conf_node_vcpus(n) == 4);
	CHECK(n->vcpus[1].first == 6 && n->vcpus[1].last == 7);
	CHECK(c->vcpus_nr == 8 && c->vcpu_node[3] == 3 && c->vcpu_node[4] == 7);
	CHECK(!gvm_conf_node(c, 0) && !gvm_conf_node(c, 5));
	CHECK(!gvm_conf_node(c, 10239) && !gvm_conf_node(c, UINT32_MAX));
}

static void check_regions(const struct gvm_conf *c)
{
	const struct gvm_conf_region *r = gvm_conf_region(c, "r");

	CHECK(c->servers_nr == 2 && c->regions_nr == 2);
	CHECK(gvm_conf_server(c, "A") == &c->servers[0]);
	CHECK(c->servers[1].memory_bytes == 3ull << 29);
	CHECK(c->servers[1].node == GVM_CONF_NODE_NONE);
	CHECK(!gvm_conf_server(c, "a") && !gvm_conf_region(c, "A"));
	/* B A B A B, and the last has 1 MiB. */
	CHECK(r->servers_nr == 2 && r->servers[0] == 1 && !r->servers[1]);
	CHECK(gvm_conf_slices(r) == 5);
	CHECK(gvm_conf_home(r, 0) == 1 && gvm_conf_home(r, (2u << 20) - 1) == 1);
	CHECK(gvm_conf_home(r, 2u << 20) == 0);
	CHECK(gvm_conf_home(r, (9u << 20) - 1) == 1);
	CHECK(gvm_conf_share(r, 0) == 5u << 20);	/* B is the first */
	CHECK(gvm_conf_share(r, 1) == 4u << 20);
	CHECK(!gvm_conf_share(r, 2));
	r = gvm_conf_region(c, "all");
	CHECK(r->servers_nr == 2 && !r->servers[0] && r->servers[1] == 1);
	CHECK(r->slice_bytes == 1u << 30 && gvm_conf_slices(r) == 1);
	CHECK(gvm_conf_share(r, 0) == 4096 && !gvm_conf_share(r, 1));
}

static void check_whole(void)
{
	struct gvm_conf *c = read_text(whole);

	CHECK(!strcmp(c->name, "lab") && c->lease_ms == 500 &&
	      c->turn_us == 50000);
	check_nodes(c);
	check_regions(c);
	gvm_conf_free(c);
	gvm_conf_free(NULL);
}

#define BASE	"[cluster]\nname = lab\n[server A]\naddress = a:1\n" \
		"[server B]\naddress = b:1\n[node 0]\naddress = a:2\n"
#define BASE_V	BASE "vcpus = 0\n"
#define BASE_N	"[cluster]\nname = lab\n[server A]\naddress = a:1\n" \
		"node = 0\n[server B]\naddress = b:1\n" \
		"[node 0]\naddress = a:2\nvcpus = 0\n"
#define BASE_R	BASE "[region r]\nsize = 4G\n"

/* A server in the process of a node. */
static void check_own_server(void)
{
	struct gvm_conf *c = read_text(BASE_N);

	CHECK(c->servers[0].node == 0);
	CHECK(c->servers[1].node == GVM_CONF_NODE_NONE);
	gvm_conf_free(c);
}

static bool is_same(const char *a, const char *b)
{
	struct gvm_conf *x = read_text(a);
	struct gvm_conf *y = read_text(b);
	bool same = !memcmp(x->fingerprint, y->fingerprint,
			    sizeof(x->fingerprint));

	gvm_conf_free(x);
	gvm_conf_free(y);
	return same;
}

static void check_fingerprint(void)
{
	char text[2 * GVM_CONF_FINGERPRINT + 1];
	struct gvm_conf *c = read_text(BASE_R);

	/* It is part of what nodes say to each other: never change it. */
	gvm_conf_fingerprint_print(c, text);
	CHECK(!strcmp(text, "f1ee18f3bda8377f5e445ffad4a33771"));
	gvm_conf_free(c);
	/* What is one machine's own, for people, or said another way. */
	CHECK(is_same(BASE, "# x\n" BASE "local = 1G\nhost = there\n"));
	CHECK(is_same(BASE_R, BASE_R "slice = 1024M\nservers = A\n B\n"));
	CHECK(is_same(BASE "[node 1]\naddress = c:1\n",
		      "[node 1]\naddress = c:1\n" BASE));
	/* What must agree. */
	CHECK(!is_same(BASE, BASE "vcpus = 0\n"));
	CHECK(!is_same(BASE_V, BASE_N));
	CHECK(!is_same(BASE, BASE "[node 1]\naddress = c:1\n"));
	CHECK(!is_same(BASE, BASE "[server C]\naddress = c:1\n"));
	CHECK(!is_same(BASE, BASE_R));
	CHECK(!is_same(BASE_R, BASE_R "slice = 2G\n"));
	CHECK(!is_same(BASE_R, BASE_R "servers = B, A\n"));
	CHECK(!is_same(BASE_R, BASE "[region s]\nsize = 4G\n"));
	CHECK(!is_same(BASE_R, BASE "[region r]\nsize = 5G\n"));
	CHECK(!is_same("[cluster]\nname = a\n[server A]\naddress = a:1\n[node 0]\naddress = a:2\n",
		       "[cluster]\nname = a\nturn_us = 1\n[server A]\naddress = a:1\n[node 0]\naddress = a:2\n"));
	CHECK(!is_same("[cluster]\nname = a\nturn_us = none\n[server A]\naddress = a:1\n[node 0]\naddress = a:2\n",
		       "[cluster]\nname = a\nturn_us = 1\n[server A]\naddress = a:1\n[node 0]\naddress = a:2\n"));
	CHECK(!is_same("[cluster]\nname = a\nlease_ms = 500\n[server A]\naddress = a:1\n[node 0]\naddress = a:2\n",
		       "[cluster]\nname = a\nlease_ms = 501\n[server A]\naddress = a:1\n[node 0]\naddress = a:2\n"));
}

/* As large as it gets, with long lines and lists. */
static void check_largest(void)
{
	char *text = malloc(TEXT_MAX);
	struct timespec from, to;
	struct gvm_conf *c;
	size_t len;

	CHECK(text);
	len = (size_t)snprintf(text, TEXT_MAX, "[cluster]\nname = lab\n");
	for (unsigned i = 0; i < GVM_CONF_NODES_MAX; i++)
		len += (size_t)snprintf(text + len, TEXT_MAX - len,
			"[server s%u]\naddress = 10.1.%u.%u:9999\n"
			"[node %u]\naddress = 10.0.%u.%u:7000\nlocal = 2G\n"
			"vcpus = %u-%u\nhost = rack %u\n", i, i / 250, i % 250,
			i, i / 250, i % 250, 4 * i, 4 * i + 3, i / 40);
	len += (size_t)snprintf(text + len, TEXT_MAX - len,
				"[region all]\nsize = 1P\nslice = 2M\nservers = s0\n");
	for (unsigned i = 1; i < GVM_CONF_SERVERS_MAX; i++)
		len += (size_t)snprintf(text + len, TEXT_MAX - len,
					" s%u,\n", i);
	CHECK(len < TEXT_MAX - 1);
	clock_gettime(CLOCK_MONOTONIC, &from);
	c = read_text(text);
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("%zu bytes in %.1f ms\n", len,
	       (double)(to.tv_sec - from.tv_sec) * 1e3 +
	       (double)(to.tv_nsec - from.tv_nsec) / 1e6);
	CHECK(to.tv_sec - from.tv_sec < 5);	/* even under a sanitizer */
	CHECK(c->nodes_nr == GVM_CONF_NODES_MAX && c->vcpus_nr == 40960);
	CHECK(gvm_conf_node(c, 10239)->id == 10239);
	CHECK(gvm_conf_slice_server(&c->regions[0], 20481) == 1);
	gvm_conf_free(c);
	free(text);
}

int main(void)
{
	check_whole();
	check_own_server();
	check_fingerprint();
	check_largest();
	return 0;
}
