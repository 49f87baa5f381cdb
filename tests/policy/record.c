// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * policy-record OUT SKIP BYTES COMMAND...: run a program under valgrind's
 * lackey and write which pages of data it touched, as differences of page
 * numbers, until the file has so many bytes.
 *
 * The 32 pages touched last are not written again: a cache that is worth
 * simulating holds them anyway, and the file becomes a tenth (J. Smith's stack
 * deletion).  The stack is left out.  SKIP touches are passed over first.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "gvm_port.h"

#define RECENT		32u
#define STACK_FIRST	0x1ffe000ull	/* pages: where valgrind puts it */
#define STACK_LAST	0x1fff001ull
#define LOG_FD		9

static u64 recent[RECENT];

/* True if the page is not among the recent; it is the first of them now. */
static bool touch(u64 page)
{
	u32 i = 0;
	bool new;

	while (i < RECENT - 1 && recent[i] != page)
		i++;
	new = recent[i] != page;
	memmove(recent + 1, recent, i * sizeof(recent[0]));
	recent[0] = page;
	return new;
}

/* Zigzag, then seven bits a byte; how many bytes. */
static u32 put_difference(FILE *out, s64 difference)
{
	u64 x = (u64)difference << 1 ^ (difference < 0 ? UINT64_MAX : 0);
	u32 bytes = 1;

	for (; x >= 128; x >>= 7, bytes++)
		fputc((int)(x & 127) | 128, out);
	fputc((int)x, out);
	return bytes;
}

static void reduce(FILE *in, FILE *out, u64 skip, u64 bytes_max)
{
	char line[256];
	u64 last = 0;
	u64 bytes = 0;

	while (bytes < bytes_max && fgets(line, sizeof(line), in)) {
		u64 page;

		/* " L address,size", also S and M; "I  ..." is code. */
		if (line[0] != ' ' || !strchr("LSM", line[1]))
			continue;
		page = strtoull(line + 3, NULL, 16) >> 12;
		if (page >= STACK_FIRST && page <= STACK_LAST)
			continue;
		if (!touch(page) || (skip && skip--))
			continue;
		bytes += put_difference(out, (s64)(page - last));
		last = page;
	}
}

static pid_t start(char **command, int log)
{
	char *argv[64] = { "valgrind", "--tool=lackey", "--trace-mem=yes",
			   "--log-fd=9" };
	u32 nr = 4;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid)
		return pid;
	while (*command && nr < 63)
		argv[nr++] = *command++;
	if (dup2(log, LOG_FD) < 0 || !freopen("/dev/null", "w", stdout))
		_exit(126);
	execvp(argv[0], argv);
	_exit(127);
}

int main(int argc, char **argv)
{
	int log[2];
	pid_t pid;
	FILE *out;
	FILE *in;

	if (argc < 5) {
		fprintf(stderr,
			"usage: policy-record OUT SKIP BYTES COMMAND...\n");
		return 2;
	}
	CHECK(!pipe(log));
	pid = start(argv + 4, log[1]);
	close(log[1]);
	in = fdopen(log[0], "r");
	out = fopen(argv[1], "wb");
	CHECK(in && out);
	reduce(in, out, strtoull(argv[2], NULL, 10),
	       strtoull(argv[3], NULL, 10));
	CHECK(!fclose(out));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return 0;
}
