// SPDX-License-Identifier: GPL-2.0-or-later
/* The core's last word in a program without a pager: say it and stop. */
#include <stdio.h>
#include <stdlib.h>

#include "core/gvm_port.h"

void gvm_bug(const char *file, int line, const char *what)
{
	fprintf(stderr, "giantvm: broken invariant at %s:%d: %s; stopping, so that no wrong byte is served\n",
		file, line, what);
	abort();
}
