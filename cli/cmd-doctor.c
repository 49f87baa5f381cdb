// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `giantvm doctor`: is this machine fit, and what mends it if not.  Only looks;
 * the person decides what to change.
 */
#include <getopt.h>
#include <json-c/json.h>
#include <stdio.h>
#include <unistd.h>

#include "check.h"
#include "command.h"
#include "commands.h"
#include "text.h"

static gvm_check *const checks[] = {
	gvm_check_engine,
	gvm_check_uffd_permission,
	gvm_check_uffd_features,
	gvm_check_attach,
	gvm_check_kvm,
	gvm_check_overcommit,
	gvm_check_huge_pages,
	gvm_check_map_count,
	gvm_check_descriptors,
	gvm_check_memlock,
	gvm_check_backlog,
	gvm_check_neighbours,
	gvm_check_jemalloc,
	gvm_check_qemu,
};

#define CHECKS_NR	(sizeof(checks) / sizeof(checks[0]))
#define NODES_MAX	10240u

static const char usage[] =
"Usage: giantvm doctor [--nodes N] [--json]\n"
"Check whether this machine can run giantvm; print the command that mends it.\n"
"\n"
"  --nodes N   check the limits for N memory servers (default 1)\n"
"  --json      print a JSON object\n"
"  --help      show this help\n"
"\n"
"Exit status: 0 fit, 1 something is FAIL, 2 bad command line.\n";

static const char *const level_names[] = { "OK", "WARN", "FAIL" };
static const char *const level_colours[] = { "\033[32m", "\033[33m", "\033[31m" };

static void print_text(const struct gvm_finding *found, const unsigned *levels)
{
	int colour = isatty(STDOUT_FILENO);

	for (unsigned i = 0; i < CHECKS_NR; i++) {
		const struct gvm_finding *f = &found[i];

		printf("%s%-4s%s  %-15s %s\n",
		       colour ? level_colours[f->level] : "",
		       level_names[f->level], colour ? "\033[0m" : "",
		       f->name, f->what);
		if (f->mend[0])
			printf("      %-15s mend: %s\n", "", f->mend);
	}
	if (levels[GVM_LEVEL_FAIL])
		printf("\ngiantvm cannot run here: %u FAIL, %u WARN\n",
		       levels[GVM_LEVEL_FAIL], levels[GVM_LEVEL_WARN]);
	else
		printf("\ngiantvm can run here: %u WARN\n",
		       levels[GVM_LEVEL_WARN]);
}

static int print_json(const struct gvm_finding *found, const unsigned *levels)
{
	struct json_object *top = json_object_new_object();
	struct json_object *list = json_object_new_array();

	for (unsigned i = 0; i < CHECKS_NR; i++) {
		struct json_object *o = json_object_new_object();

		json_object_object_add(o, "check",
				       json_object_new_string(found[i].name));
		json_object_object_add(o, "level",
			json_object_new_string(level_names[found[i].level]));
		json_object_object_add(o, "found",
				       json_object_new_string(found[i].what));
		if (found[i].mend[0])
			json_object_object_add(o, "mend",
				json_object_new_string(found[i].mend));
		json_object_array_add(list, o);
	}
	json_object_object_add(top, "fit",
		json_object_new_boolean(levels[GVM_LEVEL_FAIL] == 0));
	json_object_object_add(top, "checks", list);
	return gvm_json_print(top);
}

static int diagnose(const struct gvm_ask *ask, int json)
{
	struct gvm_finding found[CHECKS_NR] = { 0 };
	unsigned levels[3] = { 0 };

	for (unsigned i = 0; i < CHECKS_NR; i++) {
		checks[i](ask, &found[i]);
		levels[found[i].level]++;
	}
	if (json && print_json(found, levels) < 0)
		return GVM_EXIT_FAIL;
	if (!json)
		print_text(found, levels);
	return levels[GVM_LEVEL_FAIL] ? GVM_EXIT_FAIL : GVM_EXIT_OK;
}

int gvm_cmd_doctor(int argc, char **argv)
{
	static const struct option options[] = {
		{ "nodes", required_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct gvm_ask ask = { .nodes = 1 };
	uint64_t nodes;
	int json = 0;
	int c;

	while ((c = gvm_getopt(argc, argv, "h", options)) != -1) {
		switch (c) {
		case 'n':
			if (!gvm_number(argv[0], "--nodes", optarg, 1,
					NODES_MAX, &nodes))
				return GVM_EXIT_USAGE;
			ask.nodes = (unsigned)nodes;
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
	if (optind < argc)
		return gvm_surplus(argv[0], argv[optind]);
	return diagnose(&ask, json);
}
