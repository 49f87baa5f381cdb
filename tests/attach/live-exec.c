// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A paged program that becomes another one: itself again, or what it is told.
 *
 *	live-exec COMMAND [ARGUMENT...]	page, and execute that
 *	live-exec -			page, say so, and verify when told to
 */
#include <stdio.h>
#include <string.h>

#include "live.h"

int main(int argc, char **argv)
{
	char *at = map(LARGE);
	char line[16];

	CHECK(argc > 1);
	stamp(at, LARGE, 1);
	if (strcmp(argv[1], "-") != 0) {
		execv(argv[1], argv + 1);
		return 1;
	}
	printf("ready\n");
	fflush(stdout);
	CHECK(fgets(line, sizeof(line), stdin));
	verify(at, LARGE, 1);
	return 0;
}
