/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small programs that run under `giantvm run` with a fourth of what they use,
 * and know what every page must hold.
 */
#ifndef GVM_TESTS_ATTACH_LIVE_H
#define GVM_TESTS_ATTACH_LIVE_H

#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define MIB		((size_t)1 << 20)
#define PAGE		((size_t)4096)
#define LOCAL		(8 * MIB)	/* what live.sh gives as --local */
#define LARGE		(4 * LOCAL)
#define RW		(PROT_READ | PROT_WRITE)

/* Two words at places that differ from page to page. */
static inline void stamp_page(char *page, uint64_t value)
{
	size_t at = (value * 8) % (PAGE - 16);

	at -= at % 8;
	*(volatile uint64_t *)(page + at) = value;
	*(volatile uint64_t *)(page + at + 8) = ~value;
}

static inline int page_holds(const char *page, uint64_t value)
{
	size_t at = (value * 8) % (PAGE - 16);

	at -= at % 8;
	return *(volatile const uint64_t *)(page + at) == value &&
	       *(volatile const uint64_t *)(page + at + 8) == ~value;
}

static inline void stamp(char *at, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len / PAGE; i++)
		stamp_page(at + i * PAGE, seed + i);
}

static inline void verify(const char *at, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len / PAGE; i++)
		CHECK(page_holds(at + i * PAGE, seed + i));
}

static inline void verify_zero(const char *at, size_t len)
{
	for (size_t i = 0; i < len; i += 8)
		CHECK(*(volatile const uint64_t *)(at + i) == 0);
}

static inline char *map(size_t len)
{
	char *at = mmap(NULL, len, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(at != MAP_FAILED);
	return at;
}

/* Touch other memory until what was touched before has been evicted. */
static inline void push_out(void)
{
	char *at = map(2 * LOCAL);

	stamp(at, 2 * LOCAL, 1);
	CHECK(munmap(at, 2 * LOCAL) == 0);
}

static inline void expect_exit(pid_t pid, int status_wanted)
{
	int status = 0;

	CHECK(pid > 0);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == status_wanted);
}

#endif
