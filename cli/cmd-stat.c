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
#include "hot.h"
#include "report.h"
#include "stat-guest.h"
#include "stat-server.h"
#include "stat-shared.h"
#include "text.h"

static const char usage[] =
"Usage: giantvm stat [PID] [--json]\n"
"       giantvm stat --shared [--json]\n"
"       giantvm stat --guest [--json]\n"
"       giantvm stat --hot [PID] [--symbols FILE] [--json]\n"
"       giantvm stat --server HOST:PORT [--json]\n"
"Show the programs that run under giantvm, one of them in detail, or a server.\n"
"\n"
"  --shared             show the shared regions that programs have mapped\n"
"  --guest              show guests on several nodes: all nodes of each\n"
"  --hot                show the pages that move most between nodes\n"
"  --symbols FILE       and what is there, by the guest's /proc/kallsyms\n"
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

struct request {
	const char	*server;
	const char	*symbols;
	bool		shared, guest, hot, json;
};

/* False: complained, or helped, and *ret_status is what to end with. */
static bool parse(int argc, char **argv, struct request *r, int *ret_status)
{
	static const struct option options[] = {
		{ "server", required_argument, NULL, 's' },
		{ "shared", no_argument, NULL, 'S' },
		{ "guest", no_argument, NULL, 'g' },
		{ "hot", no_argument, NULL, 'H' },
		{ "symbols", required_argument, NULL, 'y' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	int c;

	*ret_status = GVM_EXIT_USAGE;
	while ((c = gvm_getopt(argc, argv, "h", options)) != -1) {
		switch (c) {
		case 's':
			r->server = optarg;
			break;
		case 'S':
			r->shared = true;
			break;
		case 'g':
			r->guest = true;
			break;
		case 'H':
			r->hot = true;
			break;
		case 'y':
			r->symbols = optarg;
			break;
		case 'j':
			r->json = true;
			break;
		case 'h':
			fputs(usage, stdout);
			*ret_status = GVM_EXIT_OK;
			return false;
		default:
			return false;
		}
	}
	if (r->symbols && !r->hot) {
		gvm_complain("stat: --symbols is for --hot");
		return false;
	}
	return true;
}

int gvm_cmd_stat(int argc, char **argv)
{
	struct request r = { 0 };
	pid_t pid = 0;
	int status;

	if (!parse(argc, argv, &r, &status))
		return status;
	if (optind + (r.server || r.shared || r.guest ? 0 : 1) < argc)
		return gvm_surplus(argv[0], argv[argc - 1]);
	if (optind < argc && !gvm_pid(argv[0], argv[optind], &pid))
		return GVM_EXIT_USAGE;
	if (r.server)
		return gvm_stat_server(r.server, r.json);
	if (r.hot)
		return gvm_stat_hot(pid, r.symbols, r.json);
	if (r.guest)
		return gvm_stat_guest(r.json);
	if (r.shared)
		return gvm_stat_shared(r.json, false);
	return pid ? show_one(pid, r.json) : show_all(r.json);
}
