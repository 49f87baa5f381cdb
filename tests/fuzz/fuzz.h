/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a fuzz target offers.  libFuzzer calls the one function; replay.c calls
 * it too, with good messages and chance, so that every target also runs where
 * there is no clang.  A target that finds something wrong aborts.
 */
#ifndef GVM_TESTS_FUZZ_H
#define GVM_TESTS_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "messages.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#define MUST(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: MUST(%s) failed\n", \
				__FILE__, __LINE__, #cond); \
			abort(); \
		} \
	} while (0)

#endif
