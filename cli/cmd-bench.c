// SPDX-License-Identifier: GPL-2.0-or-later
/* `giantvm bench`: hands over to the script that measures (bench/run). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "commands.h"
#include "find.h"
#include "text.h"

int gvm_cmd_bench(int argc, char **argv)
{
	char **args = calloc((size_t)argc + 1, sizeof(*args));
	char path[4096], self[4096];
	ssize_t len;

	if (!args || gvm_find_bench(path, sizeof(path)) < 0) {
		gvm_complain("bench: there is no %s; install giantvm with its benchmarks",
			     path);
		free(args);
		return GVM_EXIT_FAIL;
	}
	/* What is measured is this giantvm, wherever it was installed. */
	len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (len > 0) {
		self[len] = '\0';
		setenv("GIANTVM", self, 1);
	}
	memcpy(args, argv, (size_t)argc * sizeof(*args));
	args[0] = path;
	execv(path, args);
	gvm_complain("bench: cannot start %s: %s", path, strerror(errno));
	free(args);
	return GVM_EXIT_FAIL;
}
