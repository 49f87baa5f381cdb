/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes as people write them: 512M, 1.5G, 64GiB.  K, M, ... are powers of 1024. */
#ifndef GVM_CLUSTER_SIZE_H
#define GVM_CLUSTER_SIZE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Bytes of a size.  A number, perhaps with a fraction, then nothing, B, or one
 * of K M G T P E with an optional B or iB, in any case.  -EINVAL: empty, a
 * sign, a space, an unknown suffix, or less than a whole byte.  -ERANGE: more
 * than 64 bits hold.
 */
int gvm_size_parse(const char *text, uint64_t *ret_bytes);

/* Of one machine: frames are counted in 32 bits.  And of many. */
#define GVM_SIZE_HERE_MAX	(8ull << 40)
#define GVM_SIZE_MAX		(1ull << 50)

/* What is wrong with a size that gvm_size_parse() refused, for people. */
const char *gvm_size_why(int err);

#define GVM_SIZE_TEXT_MAX	16u	/* room that every size needs at most */

/* "512 B", "1.0 GiB".  Returns buf. */
char *gvm_size_print(uint64_t bytes, char *buf, size_t len);

#endif
