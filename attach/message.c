// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Messages to people, without stdio: one write per line, so that lines of
 * several threads do not mix.
 */
#include <stdarg.h>

#include "attach.h"
#include "sys.h"

#define LINE_BYTES	1024u

struct line {
	char	text[LINE_BYTES];
	u32	len;
};

static void put(struct line *line, const char *text)
{
	while (*text && line->len < LINE_BYTES - 1)
		line->text[line->len++] = *text++;
}

static void say(const char *part, va_list parts)
{
	struct line line = { .len = 0 };

	put(&line, "giantvm: ");
	for (; part; part = va_arg(parts, const char *))
		put(&line, part);
	line.text[line.len++] = '\n';
	gvm_sys(SYS_write, 2, line.text, line.len);
}

void gvm_attach_say(const char *part, ...)
{
	va_list parts;

	va_start(parts, part);
	say(part, parts);
	va_end(parts);
}

void gvm_attach_stop(const char *part, ...)
{
	va_list parts;

	va_start(parts, part);
	say(part, parts);
	va_end(parts);
	for (;;)
		gvm_sys(SYS_exit_group, GVM_ATTACH_EXIT);
}

const char *gvm_attach_errno_text(char *buf, long err)
{
	static const char prefix[] = "errno ";
	unsigned long v = (unsigned long)(err < 0 ? -err : err);
	char digits[20];
	u32 nr = 0;
	u32 at = sizeof(prefix) - 1;

	memcpy(buf, prefix, sizeof(prefix));
	do {
		digits[nr++] = (char)('0' + v % 10);
		v /= 10;
	} while (v && nr < 16);
	while (nr)
		buf[at++] = digits[--nr];
	buf[at] = '\0';
	return buf;
}
