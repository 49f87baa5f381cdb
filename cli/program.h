/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Can a library be preloaded into this program?  The loader drops a preload
 * silently where it cannot, and the program would run unpaged; so it is asked
 * before the program starts.
 */
#ifndef GVM_CLI_PROGRAM_H
#define GVM_CLI_PROGRAM_H

#include <stdbool.h>

struct gvm_program {
	char	path[4096];		/* what was found for the command */
	bool	is_vmm;			/* QEMU: brings its guest's RAM */
	bool	has_allocator;		/* linked with one that uses mmap */
};

/* Complains and returns false if the command cannot be run with a preload. */
bool gvm_program_check(const char *command, struct gvm_program *ret);

#endif
