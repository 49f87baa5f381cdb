/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A memory server inside this QEMU: home of guest RAM, or of a part of it. */
#ifndef GVM_QEMU_SERVE_H
#define GVM_QEMU_SERVE_H

#include "gvm_port.h"

struct gvm_pipe;

/*
 * Options of the plugin; -1: no such option.
 *
 *	serve=ADDR:PORT		where it listens; absent: there is no server
 *	serve-at=N		its place among the region's servers
 *	serve-bytes=N		of the region, here
 *	serve-lease-ms=N	as in cluster.conf
 */
int gvm_serve_option(const char *option);

/*
 * Listen, before the nodes meet: others may connect from then on, and are
 * answered when the thread that serves pages runs.  0, also if there is to be
 * none, or -errno and *ret_why.
 */
int gvm_serve_open(const char **ret_why);

/* Readable when gvm_serve_turn() has something to do; -1: no server. */
int gvm_serve_fd(void);

/* Which of the region's servers it is, and the short way to it; once. */
u32 gvm_serve_at(void);
struct gvm_pipe *gvm_serve_pipe(void);

/* By the thread that serves pages.  1: there is more. */
int gvm_serve_turn(int readable, void *arg);

#endif
