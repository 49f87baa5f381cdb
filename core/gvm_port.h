/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * What the core needs from the world, for userspace.  The kernel module brings
 * its own file of the same name and guard, included before all others
 * (tests/kernel), so that core/ holds no #ifdef for its surroundings.
 *
 * A port supplies: fixed-width and little-endian types, bool, NULL, offsetof,
 * static_assert, errno constants, gvm_bug_on(), and the four mem* functions a
 * compiler may call by itself.
 */
#ifndef GVM_PORT_H
#define GVM_PORT_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

/* Wire order.  Only core/codec.c converts. */
typedef uint16_t __le16;
typedef uint32_t __le32;
typedef unsigned long long __le64;	/* as in linux/types.h */

#ifndef static_assert
#define static_assert _Static_assert
#endif

#ifdef __BYTE_ORDER__
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	      "this port converts nothing: little-endian machines only");
#endif

static inline u16 gvm_le16(__le16 v) { return v; }
static inline u32 gvm_le32(__le32 v) { return v; }
static inline u64 gvm_le64(__le64 v) { return v; }

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/*
 * An invariant of ours is broken.  Userspace stops the program: this software
 * holds other people's memory, and going on could hand out a wrong byte.
 * Supplied by the program around the core.
 */
void gvm_bug(const char *file, int line, const char *what)
	__attribute__((noreturn));

/*
 * True when the invariant is broken.  The caller still returns -EUCLEAN: a
 * kernel port warns once and goes on, and must not index out of bounds.
 */
#define gvm_bug_on(cond) \
	(__builtin_expect(!!(cond), 0) ? \
	 (gvm_bug(__FILE__, __LINE__, #cond), true) : false)

#endif
