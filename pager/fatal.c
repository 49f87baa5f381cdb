// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * When paging cannot go on, the program must not go on either: it would see
 * wrong memory.  Nothing here allocates, locks or uses stdio, because it runs
 * in fault threads while any lock of the program may be held.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <unistd.h>

#include "engine.h"
#include "sys.h"

struct out {
	char	*at;
	char	*end;		/* keeps one byte for the NUL */
};

static void put_char(struct out *o, char c)
{
	if (o->at < o->end)
		*o->at++ = c;
}

static void put_number(struct out *o, u64 v, u32 base)
{
	char digits[24];
	int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	while (n)
		put_char(o, digits[--n]);
}

void gvm_format_list(char *buf, size_t size, const char *f, va_list ap)
{
	struct out o = { buf, buf + size - 1 };

	for (; *f; f++) {
		const char *text;
		bool wide = false;

		if (*f != '%') {
			put_char(&o, *f);
			continue;
		}
		f++;
		while (*f == 'l') {
			wide = true;
			f++;
		}
		switch (*f) {
		case 's':
			for (text = va_arg(ap, const char *); *text; text++)
				put_char(&o, *text);
			break;
		case 'u':
		case 'x':
			put_number(&o, wide ? va_arg(ap, unsigned long long) :
				   va_arg(ap, unsigned int),
				   *f == 'x' ? 16 : 10);
			break;
		default:
			put_char(&o, *f);
		}
	}
	*o.at = '\0';
}

void gvm_format(char *buf, size_t size, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	gvm_format_list(buf, size, format, ap);
	va_end(ap);
}

void gvm_fatal_text(void (*fatal)(const char *message, void *arg), void *arg,
		    const char *format, va_list ap)
{
	/* Off the stack, which is small; who comes second waits for the end. */
	static char text[512];
	static u32 busy;
	size_t n = 0;

	while (__atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE))
		gvm_sys(SYS_sched_yield);
	gvm_format_list(text, sizeof(text) - 1, format, ap);
	if (fatal)
		fatal(text, arg);

	while (text[n])
		n++;
	text[n++] = '\n';
	gvm_sys(SYS_write, STDERR_FILENO, "giantvm: ", 9);
	gvm_sys(SYS_write, STDERR_FILENO, text, n);
	/*
	 * All threads at once, those asleep in a fault included; nobody gets
	 * to run another instruction on memory that we cannot bring.
	 */
	for (;;)
		gvm_sys(SYS_exit_group, 125);
}

void gvm_fatal(struct gvm *g, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	gvm_fatal_text(g ? g->fatal : NULL, g ? g->fatal_arg : NULL, format,
		       ap);
}
