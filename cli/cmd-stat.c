// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `giantvm stat`: what programs under giantvm do, or how full a memory server
 * is.  Reads what they publish; never stops or slows them.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "commands.h"
#include "report.h"
#include "stat-server.h"
#include "stat-shared.h"
#include "text.h"

static const char usage[] =
"Usage: giantvm stat [PID] [--json]\n"
"       giantvm stat --shared [--json]\n"
"       giantvm stat --server HOST:PORT [--json]\n"
"Show the programs that run under giantvm, one of them in detail, or a server.\n"
"\n"
"  --shared             show the shared regions that programs have mapped\n"
"  --server HOST:PORT   ask a memory server how full it is (port 9999)\n"
"  --json               print a JSON value, with the names of giantvm.h\n"
"  --help               show this help\n";

static int complain_stats(pid_t pid, int err)
{
	if (err == -ESRCH)
		gvm_complain("stat: no process %d under giantvm; 'giantvm stat' lists them",
			     (int)pid);
	else if (err == -EPERM || err == -EACCES)
		gvm_complain("stat: process %d belongs to another user; try sudo",
			     (int)pid);
	else
		gvm_complain("stat: cannot read the statistics of process %d: %s",
			     (int)pid, strerror(-err));
	return GVM_EXIT_FAIL;
}

static int show_one(pid_t pid, int json)
{
	struct gvm_stats s;
	int err = gvm_report_read(pid, &s);

	if (err)
		return complain_stats(pid, err);
	if (json)
		return gvm_json_print(gvm_report_json(&s)) ? GVM_EXIT_FAIL :
			GVM_EXIT_OK;
	gvm_report_details(&s);
	return GVM_EXIT_OK;
}

static int show_all(int json)
{
	struct json_object *list = json ? json_object_new_array() : NULL;
	static pid_t pids[GVM_PIDS_MAX];
	int n = gvm_report_pids(pids);
	struct gvm_stats s;
	int shown = 0;

	if (n < 0) {
		gvm_complain("stat: cannot list the processes: %s",
			     strerror(-n));
		return GVM_EXIT_FAIL;
	}
	for (int i = 0; i < n; i++) {
		if (gvm_report_read(pids[i], &s))
			continue;	/* it ended since it was listed */
		if (json) {
			json_object_array_add(list, gvm_report_json(&s));
			continue;
		}
		if (!shown++)
			gvm_report_table_head();
		gvm_report_table_row(&s);
	}
	if (json)
		return gvm_json_print(list) ? GVM_EXIT_FAIL : GVM_EXIT_OK;
	/* Shared regions are shown by themselves, where there are any. */
	if (gvm_shared_list(NULL, 0) > 0)
		return gvm_stat_shared(false, true);
	if (!shown)
		printf("no programs of this user run under giantvm; start one with 'giantvm run'\n");
	return GVM_EXIT_OK;
}

int gvm_cmd_stat(int argc, char **argv)
{
	static const struct option options[] = {
		{ "server", required_argument, NULL, 's' },
		{ "shared", no_argument, NULL, 'S' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	const char *server = NULL;
	bool shared = false;
	int json = 0;
	pid_t pid;
	int c;

	while ((c = gvm_getopt(argc, argv, "h", options)) != -1) {
		switch (c) {
		case 's':
			server = optarg;
			break;
		case 'S':
			shared = true;
			break;
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
	if (optind + (server ? 0 : 1) < argc)
		return gvm_surplus(argv[0], argv[argc - 1]);
	if (server)
		return gvm_stat_server(server, json);
	if (shared)
		return gvm_stat_shared(json, false);
	if (optind == argc)
		return show_all(json);
	if (!gvm_pid(argv[0], argv[optind], &pid))
		return GVM_EXIT_USAGE;
	return show_one(pid, json);
}
