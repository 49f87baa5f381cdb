/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of a TCP socket that carries pages, on both sides. */
#ifndef GVM_NET_TUNE_H
#define GVM_NET_TUNE_H

/* No delay of small messages, no pacing.  Anything but TCP is left as it is. */
void gvm_tune(int fd);

#endif
