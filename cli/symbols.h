/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a Linux guest's kernel keeps on a page of its memory, by the names of
 * its /proc/kallsyms.
 */
#ifndef GVM_CLI_SYMBOLS_H
#define GVM_CLI_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

struct gvm_guest_stats;
struct gvm_symbols;

/*
 * Read such a file, of the guest that is to be looked at, booted with nokaslr.
 * NULL: complained, as `command`.
 */
struct gvm_symbols *gvm_symbols_read(const char *command, const char *path);
void gvm_symbols_free(struct gvm_symbols *s);

/*
 * The names on the page at this guest physical address, commas between them;
 * cut off with "..." where buf ends, empty if it is none of the kernel's image
 * and of no vCPU's own data.  Returns buf.
 */
char *gvm_symbols_page(const struct gvm_symbols *s,
		       const struct gvm_guest_stats *guest, uint64_t physical,
		       char *buf, size_t bytes);

#endif
