// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each CPU starts programs, one after the other: new page tables, new stacks,
 * the scheduler and the page cache of all nodes at once.  Each of them must end
 * well, and no less.
 */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "smp.h"

static long rounds;
static long started, good;

static void *start(void *arg)
{
	char *words[] = { "/bin/smp", "true", NULL };
	int status;
	pid_t pid;

	smp_pin((long)arg);
	for (long i = 0; i < rounds; i++) {
		__atomic_fetch_add(&started, 1, __ATOMIC_RELAXED);
		/* Every other one by fork and exec, with a copy of our memory. */
		if (i % 2) {
			pid = fork();
			if (pid == 0) {
				execv(words[0], words);
				_exit(127);
			}
		} else if (posix_spawn(&pid, words[0], NULL, NULL, words,
				       environ)) {
			pid = -1;
		}
		if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0)
			__atomic_fetch_add(&good, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

int smp_storm(long n)
{
	rounds = n;
	smp_run(start, smp_cpus);
	printf("smp: %ld of %ld programs ended well\n", good, started);
	return good != started;
}
