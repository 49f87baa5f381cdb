/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `giantvm stat --server`. */
#ifndef GVM_CLI_STAT_SERVER_H
#define GVM_CLI_STAT_SERVER_H

/* Ask a server, print; returns the exit status. */
int gvm_stat_server(const char *address, int json);

#endif
