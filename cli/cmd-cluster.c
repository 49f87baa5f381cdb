// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `giantvm cluster`: is this file a good description of a cluster, and what
 * does it mean?  Reads the file only; nothing is asked or changed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster-report.h"
#include "command.h"
#include "commands.h"
#include "size.h"
#include "text.h"

static const char usage[] =
"Usage: giantvm cluster check FILE [--json]\n"
"Check the file that describes a cluster, and show what it says: servers, nodes,\n"
"regions, and which slice of a region is at home on which server.\n"
"\n"
"  --json   print a JSON value, with the names of the file\n"
"  --help   show this help\n"
"\n"
"giantvm-cluster.conf(5) describes the file.\n";

/* What is allowed, but will end badly once the regions fill. */
static void warn(const struct gvm_conf *conf, const uint64_t *shares)
{
	char has[GVM_SIZE_TEXT_MAX], needs[GVM_SIZE_TEXT_MAX];

	for (unsigned i = 0; i < conf->servers_nr; i++) {
		const struct gvm_conf_server *s = &conf->servers[i];

		if (!s->memory_bytes || shares[i] <= s->memory_bytes)
			continue;
		gvm_complain("cluster: warning: server '%s' has memory for %s, and regions of %s are at home there",
			     s->name,
			     gvm_size_print(s->memory_bytes, has, sizeof(has)),
			     gvm_size_print(shares[i], needs, sizeof(needs)));
	}
}

static int check(const char *path, int json)
{
	char why[GVM_CONF_WHY_MAX];
	struct gvm_conf *conf;
	uint64_t *shares;
	int err;

	if (gvm_conf_read(path, &conf, why)) {
		gvm_complain("%s", why);
		return GVM_EXIT_FAIL;
	}
	shares = gvm_cluster_shares(conf);
	err = shares ? 0 : -1;
	if (!err && json)
		err = gvm_json_print(gvm_cluster_json(conf, shares));
	else if (!err)
		err = gvm_cluster_report(conf, shares);
	if (!err)
		warn(conf, shares);
	free(shares);
	gvm_conf_free(conf);
	if (err)
		gvm_complain("cluster: cannot show %s: no memory, or nowhere to print to",
			     path);
	return err ? GVM_EXIT_FAIL : GVM_EXIT_OK;
}

int gvm_cmd_cluster(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	int json = 0;
	int c;

	while ((c = gvm_getopt(argc, argv, "h", options)) != -1) {
		switch (c) {
		case 'j':
			json = 1;
			break;
		case 'h':
			fputs(usage, stdout);
			return GVM_EXIT_OK;
		default:
			return GVM_EXIT_USAGE;
		}
	}
	if (optind + 2 > argc) {
		gvm_complain("cluster: which file? write 'giantvm cluster check FILE'");
		return GVM_EXIT_USAGE;
	}
	if (optind + 2 < argc)
		return gvm_surplus(argv[0], argv[optind + 2]);
	if (strcmp(argv[optind], "check")) {
		gvm_complain("cluster: no '%s' of a cluster; write 'giantvm cluster check FILE'",
			     argv[optind]);
		return GVM_EXIT_USAGE;
	}
	return check(argv[optind + 1], json);
}
