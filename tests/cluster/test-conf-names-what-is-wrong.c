// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, somebody with a mistake in cluster.conf is told the wrong line,
 * the wrong thing, or nothing.  One mistake each, with the whole complaint.
 */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "conf.h"

#define CLUSTER	"[cluster]\nname = lab\n"			/* 2 lines */
#define SERVER	"[server A]\naddress = 10.0.0.1:9999\n"		/* 2 lines */
#define NODE	"[node 0]\naddress = 10.0.0.1:7000\n"		/* 2 lines */
#define GOOD	CLUSTER SERVER NODE				/* 6 lines */
#define REGION	GOOD "[region r]\nsize = 4G\n"			/* 8 lines */
#define X10	"xxxxxxxxxx"
#define X48	X10 X10 X10 X10 "xxxxxxxx"

static const struct {
	const char	*text;
	const char	*why;
} bad[] = {
	/* The file. */
	{ "", "f: the file is empty; describe [cluster], [server NAME] and [node ID], as giantvm-cluster.conf(5) shows" },
	{ "\n# nothing\n", "f: the file is empty; describe [cluster], [server NAME] and [node ID], as giantvm-cluster.conf(5) shows" },
	{ SERVER NODE, "f: there is no [cluster]; add one with name = ..." },
	{ CLUSTER NODE, "f: there is no [server NAME]; add one with address = HOST:PORT" },
	{ CLUSTER SERVER, "f: there is no [node ID]; add one with address = HOST:PORT" },
	/* Lines. */
	{ "\177ELF", "f:1: byte 0x7f in column 1 is not text; is this a cluster.conf?" },
	{ CLUSTER "ab\001", "f:3: byte 0x01 in column 3 is not text; is this a cluster.conf?" },
	{ "\n\nword\n", "f:3: this is neither [SECTION] nor KEY = VALUE; begin a comment with #" },
	{ CLUSTER "word", "f:3: this is neither [SECTION] nor KEY = VALUE; begin a comment with #" },
	{ "[node 0]\n  word\n", "f:2: this is neither [SECTION] nor KEY = VALUE; begin a comment with #" },
	{ CLUSTER "  word\n", "f:3: this continues 'name', which is no list; write KEY = VALUE, or begin a comment with #" },
	{ "name = lab\n", "f:1: 'name' stands before the first section; begin with [cluster]" },
	{ CLUSTER "lease_ms = " X48 X48 X48 X48,
	  "f:3: the line has more than 190 characters; continue a list on the next line, indented" },
	{ "[cluster]\nname = l\303\244b\n", "f:2: only ASCII is understood outside of comments" },
	{ "[cl\303\274ster]\n", "f:1: only ASCII is understood outside of comments" },
	/* Sections. */
	{ "[cluster\n", "f:1: the ] of the section is missing" },
	{ "[cluster] name = lab\n", "f:1: there is more after the ] of the section; put it into a line of its own" },
	{ "[]\n", "f:1: no section is called []; there are [cluster], [server NAME], [node ID] and [region NAME]" },
	{ "[Node 0]\n", "f:1: no section is called [Node]; there are [cluster], [server NAME], [node ID] and [region NAME]" },
	{ "[cluster lab]\n", "f:1: [cluster] takes no name; write [cluster]" },
	{ "[server]\n", "f:1: [server] needs a name, like [server a]" },
	{ "[node ]\n", "f:1: [node] needs an id, like [node 0]" },
	{ CLUSTER "[cluster]\n", "f:3: [cluster] was in line 1 already; keep one of them" },
	{ GOOD "[node 00]\n", "f:7: node 0 was in line 5 already; give each node its own id" },
	{ GOOD "[server A]\naddress = b:1\n", "f:7: server 'A' was in line 3 already; each may be there once" },
	{ REGION "[region r]\nsize = 1G", "f:9: region 'r' was in line 7 already; each may be there once" },
	{ "[node 10240]\n", "f:1: node '10240' is not a number from 0 to 10239" },
	{ "[node -1]\n", "f:1: node '-1' is not a number from 0 to 10239" },
	{ "[node 1x]\n", "f:1: node '1x' is not a number from 0 to 10239" },
	{ "[node 99999999999999999999]\n", "f:1: node '99999999999999999999' is not a number from 0 to 10239" },
	{ "[server a/b]\n", "f:1: server 'a/b' may have letters, digits, dots, underscores and hyphens only" },
	{ "[region a b]\n", "f:1: region 'a b' may have letters, digits, dots, underscores and hyphens only" },
	{ "[region " X48 "y]\n", "f:1: region '" X48 "y' has more than 48 characters; shorten it" },
	/* Keys. */
	{ "[cluster]\nfoo = 1\n", "f:2: [cluster] has no key 'foo'; its keys are name, lease_ms, turn_us" },
	{ "[server A]\nlocal = 1\n", "f:2: [server] has no key 'local'; its keys are address, memory, node" },
	{ "[node 0]\nsize = 1\n", "f:2: [node] has no key 'size'; its keys are address, local, vcpus, host" },
	{ "[region r]\nhost = 1\n", "f:2: [region] has no key 'host'; its keys are size, servers, slice" },
	{ "[cluster]\n= 1\n", "f:2: [cluster] has no key ''; its keys are name, lease_ms, turn_us" },
	{ "[cluster]\nname =\n", "f:2: 'name' has no value; write one, or take the line out" },
	{ "[cluster]\nname = ; lab\n", "f:2: 'name' has no value; write one, or take the line out" },
	{ CLUSTER "name = lab\n", "f:3: 'name' was in line 2 already; keep one of them" },
	{ "[cluster]\n\n[node 0]\n", "f:1: [cluster] lacks the key 'name'; add a line 'name = ...'" },
	{ CLUSTER "[server A]\n", "f:3: [server] lacks the key 'address'; add a line 'address = ...'" },
	{ CLUSTER "[node 0]\nlocal = 1G\n[node 1]", "f:3: [node] lacks the key 'address'; add a line 'address = ...'" },
	{ "[region r]\nslice = 1G\n", "f:1: [region] lacks the key 'size'; add a line 'size = ...'" },
	/* [cluster] */
	{ "[cluster]\nname = a b\n", "f:2: name 'a b' may have letters, digits, dots, underscores and hyphens only" },
	{ CLUSTER "lease_ms = 499\n", "f:3: lease_ms '499' is not a number from 500 to 60000" },
	{ CLUSTER "turn_us = 1000001\n", "f:3: turn_us '1000001' is not a number from 0 to 1000000" },
	{ CLUSTER "lease_ms = 5s\n", "f:3: lease_ms '5s' is not a number from 500 to 60000" },
	/* Addresses. */
	{ "[server A]\naddress = host\n", "f:2: address 'host': the port is missing; write HOST:PORT" },
	{ "[server A]\naddress = [::1]\n", "f:2: address '[::1]': the port is missing; write HOST:PORT" },
	{ "[server A]\naddress = :1\n", "f:2: address ':1': the host is missing" },
	{ "[server A]\naddress = host:0\n", "f:2: address 'host:0': the port is not a number from 1 to 65535" },
	{ "[server A]\naddress = host:65536\n", "f:2: address 'host:65536': the port is not a number from 1 to 65535" },
	{ "[server A]\naddress = ::1:5\n", "f:2: address '::1:5': an IPv6 address needs brackets: [::1]:9999" },
	{ "[server A]\naddress = [::1:5\n", "f:2: address '[::1:5': the ] is missing" },
	{ "[server A]\naddress = [1::2::3]:5\n", "f:2: address '[1::2::3]:5': that is not an IPv6 address" },
	{ "[server A]\naddress = 10.0.0.256:1\n", "f:2: address '10.0.0.256:1': that is not an IPv4 address" },
	{ "[server A]\naddress = a b:1\n", "f:2: address 'a b:1': a host has letters, digits, dots and hyphens only" },
	{ GOOD "[node 1]\naddress = 10.0.0.1:7000\n", "f:7: address '10.0.0.1:7000' was in line 5 already; each may be there once" },
	{ GOOD "[node 1]\naddress = 10.0.0.1:9999\n", "f:7: address '10.0.0.1:9999' was in line 3 already; each may be there once" },
	/* Sizes. */
	{ GOOD "local = big\n", "f:7: local 'big' is not a size; write it like 512M, 1.5G or 64GiB" },
	{ GOOD "local = 0\n", "f:7: local '0' is too small; the least is 1.0 MiB" },
	{ GOOD "local = 2049K\n", "f:7: local '2049K' is not a multiple of 4 KiB" },
	{ GOOD "[region r]\nsize = 0\n", "f:8: size '0' is too small; the least is 4.0 KiB" },
	{ GOOD "[region r]\nsize = 2P\n", "f:8: size '2P' is too large; the most is 1 PiB" },
	{ GOOD "[region r]\nsize = 99999P\n", "f:8: size '99999P' is too large for 64 bits" },
	{ REGION "slice = 1M\n", "f:9: slice '1M' is too small; the least is 2.0 MiB" },
	{ REGION "slice = 3G\n", "f:9: slice '3G' is not a power of two; write it like 64M or 1G" },
	/* Homes. */
	{ REGION "servers = B\n", "f:9: region 'r' is to be on server 'B', which is not described; add a [server B]" },
	{ REGION "servers = A,\n  B\n", "f:10: region 'r' is to be on server 'B', which is not described; add a [server B]" },
	{ REGION "servers = A, A\n", "f:9: region 'r' names server 'A' twice; keep one of them" },
	{ REGION "servers = ,\n", "f:9: servers names none; write them like A, B, or take the line out for all" },
	{ REGION "servers = A; B\n", "f:9: server 'A;' may have letters, digits, dots, underscores and hyphens only" },
	/* Servers in nodes. */
	{ "[server A]\nnode = x\n", "f:2: node 'x' is not a number from 0 to 10239" },
	{ CLUSTER "[server A]\naddress = a:1\nnode = 1\n[node 0]\naddress = a:2\nvcpus = 0\n", "f:3: server 'A' is to be in node 1, which is not described or has no vCPUs; add a [node 1] with vcpus, or take the line node = out" },
	{ CLUSTER "[server A]\naddress = a:1\nnode = 0\n[node 0]\naddress = a:2\n", "f:3: server 'A' is to be in node 0, which is not described or has no vCPUs; add a [node 0] with vcpus, or take the line node = out" },
	{ CLUSTER "[server A]\naddress = a:1\nnode = 0\n[server B]\naddress = b:1\nnode = 0\n[node 0]\naddress = a:2\nvcpus = 0\n", "f:6: node 0 has server 'A' already; a node has one at most" },
	/* vCPUs. */
	{ GOOD "vcpus = ,\n", "f:7: vcpus ',' is not a number or a range below 65536; write them like 0-3,8" },
	{ GOOD "vcpus = 3-0\n", "f:7: vcpus '3-0' is not a number or a range below 65536; write them like 0-3,8" },
	{ GOOD "vcpus = 0-\n", "f:7: vcpus '0-' is not a number or a range below 65536; write them like 0-3,8" },
	{ GOOD "vcpus = 0-65536\n", "f:7: vcpus '0-65536' is not a number or a range below 65536; write them like 0-3,8" },
	{ GOOD "vcpus = 0-9999999999999999999999\n", "f:7: vcpus '0-9999999999999999999999' is not a number or a range below 65536; write them like 0-3,8" },
	{ GOOD "vcpus = 0,1,0\n", "f:7: vCPU 0 is on node 0 already; put each vCPU on one node" },
	{ GOOD "vcpus = 0-3\n[node 1]\naddress = b:1\nvcpus = 3\n", "f:10: vCPU 3 is on node 0 already; put each vCPU on one node" },
	{ GOOD "vcpus = 0-3\n[node 1]\naddress = b:1\nvcpus = 5-6\n", "f:8: node 1 has vCPU 5, but no node has vCPU 4; number them from 0 without gaps" },
	{ GOOD "vcpus = 1\n", "f:5: node 0 has vCPU 1, but no node has vCPU 0; number them from 0 without gaps" },
	{ GOOD "host = " X48 "y\n", "f:7: host has more than 48 characters; shorten it" },
};

int main(void)
{
	char why[GVM_CONF_WHY_MAX];
	struct gvm_conf *const none = (struct gvm_conf *)why;
	struct gvm_conf *conf = none;
	int wrong = 0;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		size_t len = strlen(bad[i].text);

		strcpy(why, "nothing");
		if (gvm_conf_parse("f", bad[i].text, len, &conf, why) ==
		    -EINVAL && !strcmp(why, bad[i].why))
			continue;
		fprintf(stderr, "%s\nexpected: %s\ngot: %s\n", bad[i].text,
			bad[i].why, why);
		wrong++;
	}
	CHECK(!wrong);
	CHECK(conf == none);	/* untouched */

	CHECK(gvm_conf_parse("f", "a\0b", 3, &conf, why) == -EINVAL);
	CHECK(!strcmp(why, "f:1: byte 0x00 in column 2 is not text; is this a cluster.conf?"));
	CHECK(gvm_conf_read("/", &conf, why) == -EISDIR);
	CHECK(!strcmp(why, "/: cannot be read (Is a directory); name a file that giantvm-cluster.conf(5) describes"));
	CHECK(gvm_conf_read("/nowhere/c", &conf, why) == -ENOENT);
	CHECK(!strcmp(why, "/nowhere/c: cannot be read (No such file or directory); name a file that giantvm-cluster.conf(5) describes"));
	CHECK(gvm_conf_read("/dev/zero", &conf, why) == -EFBIG);
	CHECK(!strcmp(why, "/dev/zero: has more than 16 MiB; is this a cluster.conf?"));
	CHECK(conf == none);
	return 0;
}
