/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server's own account of what it stores, asked over its protocol.
 *
 * Plain types only: this header is included beside the core's, and beside the
 * benchmarks' own short names for the same types.
 */
#ifndef GVM_BENCH_ACCOUNT_H
#define GVM_BENCH_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

struct server_account {
	uint64_t	pages_used;
	uint64_t	overhead_bytes;
};

/* False if nothing answers at "1.2.3.4:9999". */
bool server_account(const char *address, struct server_account *ret);

#endif
