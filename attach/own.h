/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the engine's public interface does not offer, because only a library
 * in front of libc asks for it.
 */
#ifndef GVM_ATTACH_OWN_H
#define GVM_ATTACH_OWN_H

#include "gvm_port.h"

/* Is this descriptor the engine's?  (pager/engine.h) */
int gvm_owns_fd(int fd);
/* Move one of ours out of the program's way.  (pager/engine.h) */
int gvm_fd_high(int fd);

/* Can the running kernel move pages between mappings?  (pager/uffd.h) */
struct gvm_uffd_caps;
int gvm_uffd_probe(int dev_fd, struct gvm_uffd_caps *ret_caps);

#endif
