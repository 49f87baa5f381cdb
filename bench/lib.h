/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every benchmark program needs: a clock, a histogram fine enough for
 * ratios, `--name value` arguments, and one flat JSON object on stdout.
 *
 * Nothing here is linked into giantvm itself.  A program that runs under
 * `giantvm run` must keep its own tables out of large anonymous mappings, or
 * they are paged as well and their faults land in the figures: use .bss.
 */
#ifndef GVM_BENCH_LIB_H
#define GVM_BENCH_LIB_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

#define BENCH_PAGE	4096ull

static inline u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000ull + (u64)t.tv_nsec;
}

/* CPU time of a process (0: this one), all threads; 0 if it is gone. */
u64 cpu_ns(int pid);

/* xorshift64*: cheap enough not to be measured. */
static inline u64 rnd(u64 *state)
{
	u64 x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1dull;
}

/* 128 buckets per power of two: a percentile is at most 0.8 % off. */
#define HIST_SUB	128u
#define HIST_NR		(36u * HIST_SUB)

struct hist {
	u64	count;
	u64	sum;
	u64	n[HIST_NR];
};

void hist_add(struct hist *h, u64 ns);
u64 hist_permille(const struct hist *h, unsigned permille);
u64 hist_mean(const struct hist *h);

/* One argument: a size ("256M"), a number, or text. */
struct arg {
	const char	*name;
	u64		*number;	/* NULL: text */
	const char	**text;
};

/* Fill from `--name value`; exits 2 with a message on anything else. */
void args_parse(int argc, char **argv, const struct arg *args, size_t nr);

/* One flat object: begin, any number of fields, end. */
void json_begin(void);
void json_number(const char *key, double value);
void json_text(const char *key, const char *value);
/* key_p50_us, key_p99_us, key_mean_us, and key_hist for plots. */
void json_hist(const char *key, const struct hist *h);
void json_end(void);

/* Print the reason and exit: 1 failed, 77 cannot be measured here. */
void die(const char *what) __attribute__((noreturn));
void skip(const char *what) __attribute__((noreturn));

/* Anonymous memory of our own, 2 MiB aligned; exits on failure. */
void *map_pages(u64 bytes);

/*
 * Write to every page, so that the machine below this one has memory behind
 * it.  On a virtual machine whose host backs memory lazily the first touch of
 * 2 MiB costs milliseconds, once, and would be measured instead of ours.
 */
void touch_pages(void *mem, u64 bytes);

/* Sum of one field of /proc/PID/smaps, bytes, over mappings inside a range. */
u64 smaps_sum(int pid, const char *field, const void *from, u64 bytes);

/* One field of /proc/PID/status in bytes, for instance "VmPTE:". */
u64 status_bytes(int pid, const char *field);

void pin_cpu(int cpu);	/* the calling thread; -1: any CPU */

#endif
