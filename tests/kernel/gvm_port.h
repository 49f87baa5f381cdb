/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the core needs from the world, inside a kernel; see core/gvm_port.h,
 * whose guard this takes: it is included before anything else.
 */
#ifndef GVM_PORT_H
#define GVM_PORT_H

#include <linux/build_bug.h>
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/types.h>
#include <asm/byteorder.h>

static inline u16 gvm_le16(__le16 v) { return le16_to_cpu(v); }
static inline u32 gvm_le32(__le32 v) { return le32_to_cpu(v); }
static inline u64 gvm_le64(__le64 v) { return le64_to_cpu(v); }

/* Warned of once; the caller backs out. */
#define gvm_bug_on(cond)	WARN_ON_ONCE(cond)

#endif
