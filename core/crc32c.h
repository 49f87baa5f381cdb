/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* CRC32C (Castagnoli, reflected 0x82f63b78), as in RFC 3720 appendix B.4. */
#ifndef GVM_CRC32C_H
#define GVM_CRC32C_H

#include "gvm_port.h"

#define GVM_CRC32C_PAGE_BYTES	4096u

/* CRC of len bytes; start with crc = 0.  Any alignment.  Thread safe. */
u32 gvm_crc32c(u32 crc, const void *data, size_t len);

/* The same without special instructions: for tests and other machines. */
u32 gvm_crc32c_table(u32 crc, const void *data, size_t len);

/* The same for one 4 KiB page, on the fastest path this machine has. */
u32 gvm_crc32c_page(const void *page);

/* True when all 4096 bytes are zero; page is 8-byte aligned. */
bool gvm_page_is_zero(const void *page);

#endif
