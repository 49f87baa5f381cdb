// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `giantvm run` for a guest over many hosts: which node this is, where the
 * others are, and then QEMU takes our place.  The nodes compare versions,
 * cluster files and command lines themselves, before the guest exists
 * (qemu/meet.c), because only then all of them are known to be there.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "conf.h"
#include "find.h"
#include "guest.h"
#include "hostport.h"
#include "text.h"

#define NODES_TEXT_MAX	8192u		/* qemu/guest.h */
#define WAIT_MAX	86400u		/* seconds: a day */

static const char usage[] =
"Usage: giantvm run --cluster FILE --id N [OPTION]... [--] QEMU [ARG]...\n"
"Run one guest on several nodes; to be started on each, with the same QEMU\n"
"command line.  Devices, console and disks are those of the first node.\n"
"\n"
"  --cluster FILE     the nodes and their vCPUs, giantvm-cluster.conf(5)\n"
"  --id N             which of its nodes this is\n"
"  --ram REGION       region of FILE that is the guest's RAM (default guest), or\n"
"                     file, with -accel kvm: all nodes are on this host\n"
"  --wait SECONDS     longest wait for the other nodes (default 60)\n"
"  --cpu-latency WHAT low: while pages move, keep the host's idle CPUs out of\n"
"                     deep sleep, if permitted (default); any: do not\n"
"  --stats            say at the end what crossed the network\n"
"  --print            show QEMU's command line instead of running it\n"
"  --help             show this help\n"
"\n"
"Exit status: QEMU's; 125 if a node was lost while the guest ran; 1 if it\n"
"could not be started, 2 for a bad command line.\n";

static const struct option options[] = {
	{ "cluster", required_argument, NULL, 'c' },
	{ "id", required_argument, NULL, 'i' },
	{ "ram", required_argument, NULL, 'r' },
	{ "wait", required_argument, NULL, 'w' },
	{ "cpu-latency", required_argument, NULL, 'l' },
	{ "stats", no_argument, NULL, 's' },
	{ "print", no_argument, NULL, 'p' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 }
};

bool gvm_guest_wanted(int argc, char **argv)
{
	for (int i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--") == 0)
			return false;
		if (strcmp(argv[i], "--id") == 0 ||
		    strncmp(argv[i], "--id=", 5) == 0)
			return true;
		/* Most options have a word behind them; it is not a dash's. */
		if (i + 1 < argc && argv[i + 1][0] != '-')
			i++;
	}
	return false;
}

/* The port above the node's own, which its memory uses. */
static bool add_address(FILE *text, const struct gvm_conf_node *node)
{
	char host[GVM_HOST_MAX], port[GVM_PORT_MAX];
	const char *why;

	if (gvm_hostport_split(node->address, strlen(node->address), NULL,
			       host, port, &why) != 0)
		return false;
	fprintf(text, strchr(host, ':') ? "[%s]:%lu" : "%s:%lu", host,
		strtoul(port, NULL, 10) + 1);
	return true;
}

/* In the order of their ids; nodes without vCPUs do not take part. */
static bool list_nodes(struct gvm_guest_run *run, uint32_t id, char *ret_text)
{
	const struct gvm_conf *conf = run->conf;
	FILE *text = fmemopen(ret_text, NODES_TEXT_MAX, "w");
	bool found = false, good = text;
	unsigned n = 0;

	for (unsigned i = 0; good && i < conf->nodes_nr; i++) {
		const struct gvm_conf_node *node = &conf->nodes[i];

		if (!node->vcpus_nr)
			continue;
		if (node->id == id) {
			run->index = n;
			run->node = node;
			found = true;
		}
		if (n++)
			fputc('+', text);
		good = add_address(text, node);
		for (unsigned v = 0; v < node->vcpus_nr; v++)
			fprintf(text, "%c%u-%u", v ? ':' : '/',
				node->vcpus[v].first, node->vcpus[v].last);
	}
	if (!text || fclose(text) || !good)
		gvm_complain("run: the cluster file has too many nodes for one guest, or bad addresses");
	else if (!found)
		gvm_complain("run: the cluster file has no node %u with vcpus; give the node a line \"vcpus = ...\", or another --id",
			     id);
	return good && found;
}

static int start_qemu(struct gvm_guest_run *run, bool print)
{
	char **line = gvm_guest_line(run);
	char *command = gvm_guest_command(run);
	int status;

	if (!line || !command) {
		free(command);
		free(line);
		return GVM_EXIT_USAGE;
	}
	if (print) {
		for (char **word = line; *word; word++)
			puts(*word);
		free(command);
		free(line);
		return GVM_EXIT_OK;
	}
	setenv("GIANTVM_COMMAND", command, 1);
	status = GVM_EXIT_FAIL;
	if (gvm_guest_accel_there(run))
		status = gvm_guest_ram_execute(run, line);
	free(command);
	free(line);
	return status;
}

struct wanted {
	const char	*file;
	const char	*ram;
	uint64_t	id;
	bool		print;
};

/* Options; false after a complaint or --help. */
static bool read_options(int argc, char **argv, struct gvm_guest_run *run,
			 struct wanted *wanted, int *ret_status)
{
	uint64_t seconds;
	int c;

	*ret_status = GVM_EXIT_USAGE;
	while ((c = gvm_getopt(argc, argv, "+h", options)) != -1) {
		switch (c) {
		case 'c':
			wanted->file = optarg;
			break;
		case 'i':
			if (!gvm_number("run", "--id", optarg, 0,
					GVM_CONF_NODES_MAX - 1, &wanted->id))
				return false;
			break;
		case 'r':
			wanted->ram = optarg;
			break;
		case 'w':
			if (!gvm_number("run", "--wait", optarg, 1, WAIT_MAX,
					&seconds))
				return false;
			run->wait_ms = seconds * 1000;
			break;
		case 'l':
			if (strcmp(optarg, "low") != 0 &&
			    strcmp(optarg, "any") != 0) {
				gvm_complain("run: --cpu-latency is low or any, not '%s'",
					     optarg);
				return false;
			}
			run->any_latency = strcmp(optarg, "any") == 0;
			break;
		case 's':
			run->stats = true;
			break;
		case 'p':
			wanted->print = true;
			break;
		case 'h':
			fputs(usage, stdout);
			*ret_status = GVM_EXIT_OK;
			return false;
		default:
			return false;
		}
	}
	run->argv = argv + optind;
	if (!wanted->file)
		gvm_complain("run: --id needs --cluster FILE");
	else if (!run->argv[0])
		gvm_complain("run: which command? qemu-system-x86_64 and its arguments belong at the end");
	return wanted->file && run->argv[0] && wanted->id != UINT64_MAX;
}

int gvm_guest_run(int argc, char **argv)
{
	struct gvm_guest_run run = { 0 };
	char why[GVM_CONF_WHY_MAX], nodes[NODES_TEXT_MAX], plugin[4096];
	struct wanted wanted = { .ram = "guest", .id = UINT64_MAX };
	int status;

	if (!read_options(argc, argv, &run, &wanted, &status))
		return status;
	if (gvm_find_vcpu(plugin, sizeof(plugin)) < 0) {
		gvm_complain("run: there is no %s: giantvm was built without QEMU's headers; run qemu/headers and build again",
			     plugin);
		return GVM_EXIT_FAIL;
	}
	if (gvm_conf_read(wanted.file, &run.conf, why) != 0) {
		gvm_complain("run: %s", why);
		return GVM_EXIT_FAIL;
	}
	run.plugin = plugin;
	run.nodes = nodes;
	status = GVM_EXIT_FAIL;
	if (list_nodes(&run, (uint32_t)wanted.id, nodes) &&
	    gvm_guest_ram_open(&run, wanted.ram))
		status = start_qemu(&run, wanted.print);
	free(run.servers);
	free(run.listen);
	free(run.served);
	gvm_conf_free(run.conf);
	return status;
}
