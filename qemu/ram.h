/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's RAM, the same on all nodes.  The one place where a way to share
 * memory is put in; there are two:
 *
 * a shared region (pager/, server/): nodes on any hosts.  QEMU's RAM is replaced
 * by it in place, when the machine is built and nobody has touched it.
 *
 * a file that all QEMU processes of one host have mapped, without a server, for
 * KVM only: nobody tells that code has changed, and emulated processors would run
 * what they have translated from it before.
 */
#ifndef GVM_QEMU_RAM_H
#define GVM_QEMU_RAM_H

#include "shim.h"
#include "gvm_port.h"

/*
 * Options of the plugin that are about RAM; -1: no such option.
 *
 *	ram-file=PATH		the file, which QEMU has as its memory backend
 *	ram=NAME		the region
 *	homes=N+-		for each server the node that it is in, or -
 *	servers=A:P+A:P, listen=A:P, member=N, slice=BYTES, local=BYTES, cluster=HEX
 *	hold-us=N		as in struct gvm_shared_config
 *	cpu-latency=any		without GVM_SHARED_PROMPT
 */
int gvm_ram_option(const char *option);

/*
 * Before the nodes meet: nobody has the RAM yet, and a file that an earlier
 * guest left behind must not become it.
 */
void gvm_ram_prepare(void);

/*
 * When the machine is built, before the guest runs.  0, or -errno and *ret_why
 * as a sentence.
 */
int gvm_ram_start(const char **ret_why);

/* Every node has its RAM: the name of the file is not needed any more. */
void gvm_ram_everywhere(void);

struct gvm_shared_stats;

/* Of the region, or of what stands in its place. */
const char *gvm_ram_name(void);
/* What moved so far; false: nobody counts. */
bool gvm_ram_look(struct gvm_shared_stats *ret_stats);

/* A line about what moved between the nodes; NULL: nothing to say.  g_free. */
char *gvm_ram_stats(void);

#endif
