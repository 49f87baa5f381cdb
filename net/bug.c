// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a broken invariant does to a program: one line on standard error, and
 * an end at once with status 125.  No stdio, no exit handlers, no locks: the
 * thread that finds the bug may have no libc around it, and every further
 * step could hand out a wrong byte.
 */
#include <unistd.h>

#include "gvm_port.h"
#include "sys.h"

#define LINE_BYTES	256u
#define EXIT_STATUS	125

static u32 put(char *line, u32 at, const char *text)
{
	while (*text && at < LINE_BYTES - 1)
		line[at++] = *text++;
	return at;
}

static u32 put_number(char *line, u32 at, u32 number)
{
	char digits[12];
	u32 i = sizeof(digits) - 1;

	digits[i] = '\0';
	do {
		digits[--i] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	return put(line, at, digits + i);
}

void gvm_bug(const char *file, int line, const char *what)
{
	char text[LINE_BYTES];
	u32 at = 0;

	at = put(text, at, "giantvm: broken invariant at ");
	at = put(text, at, file);
	at = put(text, at, ":");
	at = put_number(text, at, (u32)line);
	at = put(text, at, ": ");
	at = put(text, at, what);
	at = put(text, at, "; stopped, so that no wrong byte is used");
	text[at++] = '\n';
	gvm_sys(SYS_write, STDERR_FILENO, text, at);
	for (;;)
		gvm_sys(SYS_exit_group, EXIT_STATUS);
}
