// SPDX-License-Identifier: GPL-2.0-or-later
/* The few things every check needs: fill in a finding, read a kernel knob. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

void gvm_found(struct gvm_finding *f, enum gvm_level level,
	       const char *what, ...)
{
	va_list ap;

	f->level = level;
	va_start(ap, what);
	vsnprintf(f->what, sizeof(f->what), what, ap);
	va_end(ap);
}

void gvm_mend(struct gvm_finding *f, const char *mend, ...)
{
	va_list ap;

	va_start(ap, mend);
	vsnprintf(f->mend, sizeof(f->mend), mend, ap);
	va_end(ap);
}

void gvm_read_line(const char *path, char *ret_line, unsigned bytes)
{
	FILE *file = fopen(path, "re");

	ret_line[0] = '\0';
	if (!file)
		return;
	if (!fgets(ret_line, (int)bytes, file))
		ret_line[0] = '\0';
	ret_line[strcspn(ret_line, "\n")] = '\0';
	fclose(file);
}

int64_t gvm_read_number(const char *path, int64_t fallback)
{
	char line[64];
	char *end;
	long long value;

	gvm_read_line(path, line, sizeof(line));
	value = strtoll(line, &end, 10);
	return end == line ? fallback : value;
}
