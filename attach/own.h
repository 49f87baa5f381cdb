/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two questions to the engine that its public interface does not answer,
 * because only a library in front of libc asks them.
 */
#ifndef GVM_ATTACH_OWN_H
#define GVM_ATTACH_OWN_H

#include "gvm_port.h"

/* Is this descriptor the engine's?  (pager/engine.h) */
int gvm_owns_fd(int fd);

/* Can the running kernel move pages between mappings?  (pager/uffd.h) */
struct gvm_uffd_caps;
int gvm_uffd_probe(int dev_fd, struct gvm_uffd_caps *ret_caps);

#endif
