/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a test needs to say: this must hold, or this machine cannot tell. */
#ifndef GVM_TESTS_CHECK_H
#define GVM_TESTS_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: CHECK(%s) failed\n", \
				__FILE__, __LINE__, #cond); \
			exit(1); \
		} \
	} while (0)

/* Leave with the exit status that the runner counts as skipped. */
#define SKIP(reason) \
	do { \
		printf("skipped: %s\n", (reason)); \
		exit(77); \
	} while (0)

#endif
