/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where things are: libraries, programs, files of this installation. */
#ifndef GVM_CLI_FIND_H
#define GVM_CLI_FIND_H

#include <stddef.h>

/*
 * The preload library: $GIANTVM_ATTACH, then the build tree that this program
 * was started from, then the installed one.  -ENOENT: none of them is there;
 * ret_path then holds where the installed one would be.
 */
int gvm_find_attach(char *ret_path, size_t bytes);

/* As above, of the plugin for QEMU; $GIANTVM_VCPU goes before. */
int gvm_find_vcpu(char *ret_path, size_t bytes);

/* As above, of the script behind `giantvm bench`. */
int gvm_find_bench(char *ret_path, size_t bytes);

/* A shared library where the loader looks for Debian's.  0 or -ENOENT. */
int gvm_find_library(const char *name, char *ret_path, size_t bytes);

/*
 * A program by its name as execvp() would find it.  0; -ENOENT: not there;
 * -EACCES: there, but not to be executed (ret_path says where).
 */
int gvm_find_program(const char *name, char *ret_path, size_t bytes);

#endif
