// SPDX-License-Identifier: GPL-2.0-or-later
/* `giantvm set`: change the local limit of a program while it runs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <giantvm/giantvm.h>

#include "command.h"
#include "commands.h"
#include "size.h"
#include "text.h"

#define LOCAL_MIN	(1ull << 20)

static const char usage[] =
"Usage: giantvm set PID --local SIZE\n"
"Change how much memory a running program may keep on this machine.\n"
"\n"
"  --local SIZE   the new limit, such as 512M or 4G (at least 1M)\n"
"  --help         show this help\n"
"\n"
"Takes effect within a second; 'giantvm stat PID' shows it.\n";

static int set_local(pid_t pid, uint64_t bytes)
{
	char size[GVM_SIZE_TEXT_MAX];
	int err = gvm_set_local_of(pid, bytes);

	gvm_size_print(bytes, size, sizeof(size));
	if (!err) {
		printf("limit of process %d is now %s\n", (int)pid, size);
		return GVM_EXIT_OK;
	}
	if (err == -ESRCH)
		gvm_complain("set: no process %d under giantvm; 'giantvm stat' lists them",
			     (int)pid);
	else if (err == -EPERM || err == -EACCES)
		gvm_complain("set: process %d belongs to another user; try sudo",
			     (int)pid);
	else
		gvm_complain("set: cannot set the limit of process %d to %s: %s",
			     (int)pid, size, strerror(-err));
	return GVM_EXIT_FAIL;
}

int gvm_cmd_set(int argc, char **argv)
{
	static const struct option options[] = {
		{ "local", required_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	uint64_t bytes = 0;
	pid_t pid;
	int c;

	while ((c = gvm_getopt(argc, argv, "h", options)) != -1) {
		switch (c) {
		case 'l':
			if (!gvm_size(argv[0], "--local", optarg, LOCAL_MIN,
				      GVM_SIZE_HERE_MAX, &bytes))
				return GVM_EXIT_USAGE;
			break;
		case 'h':
			fputs(usage, stdout);
			return GVM_EXIT_OK;
		default:
			return GVM_EXIT_USAGE;
		}
	}
	if (optind >= argc) {
		gvm_complain("set: of which process? 'giantvm stat' lists them");
		return GVM_EXIT_USAGE;
	}
	if (!gvm_pid(argv[0], argv[optind], &pid))
		return GVM_EXIT_USAGE;
	if (optind + 1 < argc)
		return gvm_surplus(argv[0], argv[optind + 1]);
	if (!bytes) {
		gvm_complain("set: --local SIZE is missing; see 'giantvm set --help'");
		return GVM_EXIT_USAGE;
	}
	return set_local(pid, bytes);
}
