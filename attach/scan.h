/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel can tell about this process that nobody told us: things
 * that were set up before there was anything to guard.
 */
#ifndef GVM_ATTACH_SCAN_H
#define GVM_ATTACH_SCAN_H

#include <stdbool.h>

/* Is an io_uring descriptor open? */
bool gvm_scan_has_io_uring(void);
/* Is the ring of a Linux AIO context mapped? */
bool gvm_scan_has_aio(void);
/* Does the command line hold the text? */
bool gvm_scan_args_hold(const char *text);

#endif
