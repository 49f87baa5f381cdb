// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, programs that use select() or close what they did not open
 * would crash under giantvm, or read zeros; and programs that they start
 * would run with another descriptor limit.
 *
 * argv[1]: the soft limit of descriptors that was set outside.
 * argv[2], if given: the engine must have more descriptors than this.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>

#include "live.h"

static long soft_limit(void)
{
	struct rlimit limit;

	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	return (long)limit.rlim_cur;
}

/* How many descriptors are open at or above 4096; and below it. */
static int count(int *ret_low)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;
	int high = 0;

	CHECK(dir);
	*ret_low = 0;
	while ((e = readdir(dir))) {
		if (atoi(e->d_name) >= 4096)
			high++;
		else
			(*ret_low)++;
	}
	closedir(dir);
	return high;
}

static void use_select(void)
{
	struct timeval none = { 0, 0 };
	fd_set set;
	int ends[2];

	CHECK(pipe(ends) == 0);
	CHECK(ends[1] < 32);
	CHECK(write(ends[1], "x", 1) == 1);
	FD_ZERO(&set);
	FD_SET(ends[0], &set);
	CHECK(select(ends[0] + 1, &set, NULL, NULL, &none) == 1);
	close(ends[0]);
	close(ends[1]);
}

static void close_everything(void)
{
	int fd;

	for (fd = 3; fd < 8192; fd++)
		close(fd);
	CHECK(close_range(3, ~0u, 0) == 0);
	closefrom(3);
	for (fd = 4096; fd < 4200; fd++)
		CHECK(dup2(2, fd) == -1 || close(fd) == 0);
}

int main(int argc, char **argv)
{
	char command[128];
	int before, after;
	char *at;

	CHECK(argc > 1);
	CHECK(count(&before) == 0);
	at = map(LARGE);
	stamp(at, LARGE, 8);
	CHECK(count(&after) > (argc > 2 ? atoi(argv[2]) : 0));
	CHECK(after == before);
	CHECK(soft_limit() == atol(argv[1]));
	use_select();
	snprintf(command, sizeof(command), "test $(ulimit -Sn) = %s", argv[1]);
	CHECK(system(command) == 0);
	close_everything();
	CHECK(count(&after) > 0);
	verify(at, LARGE, 8);
	return 0;
}
