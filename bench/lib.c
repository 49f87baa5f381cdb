// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Arguments, histogram, JSON and /proc for the benchmark programs.
 *
 * They stop at the first thing that goes wrong: a benchmark that carries on
 * after an error prints a number that means something else.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "lib.h"

void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what,
		errno ? strerror(errno) : "failed");
	exit(1);
}

void skip(const char *what)
{
	printf("{\"skip\": \"%s\"}\n", what);
	exit(77);
}

u64 cpu_ns(int pid)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
		return 0;
	return (u64)t.tv_sec * 1000000000ull + (u64)t.tv_nsec;
}

static unsigned hist_bucket(u64 ns)
{
	unsigned log, b;

	if (ns < HIST_SUB)
		return (unsigned)ns;
	log = 63u - (unsigned)__builtin_clzll(ns);
	b = (log - 6) * HIST_SUB + (unsigned)((ns >> (log - 7)) & (HIST_SUB - 1));
	return b < HIST_NR ? b : HIST_NR - 1;
}

/* Lower edge of a bucket; buckets of the first row are exact. */
static u64 hist_edge(unsigned b)
{
	unsigned log = b / HIST_SUB + 6;

	if (b < HIST_SUB)
		return b;
	return (1ull << log) + ((u64)(b % HIST_SUB) << (log - 7));
}

void hist_add(struct hist *h, u64 ns)
{
	h->n[hist_bucket(ns)]++;
	h->count++;
	h->sum += ns;
}

u64 hist_permille(const struct hist *h, unsigned permille)
{
	u64 want = h->count * permille / 1000, seen = 0;

	for (unsigned b = 0; b < HIST_NR; b++) {
		seen += h->n[b];
		if (seen > want)
			return hist_edge(b);
	}
	return 0;
}

u64 hist_mean(const struct hist *h)
{
	return h->count ? h->sum / h->count : 0;
}

static u64 number(const char *name, const char *s)
{
	char *end;
	u64 v = strtoull(s, &end, 0);

	if (end != s && *end)
		switch (*end++) {
		case 'K': v <<= 10; break;
		case 'M': v <<= 20; break;
		case 'G': v <<= 30; break;
		default: end = (char *)s;
		}
	if (end == s || *end) {
		fprintf(stderr, "bench: --%s: '%s' is not a number or a size; write for instance 256M\n",
			name, s);
		exit(2);
	}
	return v;
}

static const struct arg *arg_find(const struct arg *args, size_t nr,
				  const char *word)
{
	for (size_t i = 0; i < nr; i++)
		if (!strncmp(word, "--", 2) && !strcmp(word + 2, args[i].name))
			return &args[i];
	fprintf(stderr, "bench: unknown argument %s; known are", word);
	for (size_t i = 0; i < nr; i++)
		fprintf(stderr, " --%s", args[i].name);
	fputc('\n', stderr);
	exit(2);
}

void args_parse(int argc, char **argv, const struct arg *args, size_t nr)
{
	for (int i = 1; i < argc; i += 2) {
		const struct arg *a = arg_find(args, nr, argv[i]);

		if (i + 1 == argc) {
			fprintf(stderr, "bench: %s needs a value\n", argv[i]);
			exit(2);
		}
		if (a->number)
			*a->number = number(a->name, argv[i + 1]);
		else
			*a->text = argv[i + 1];
	}
}

static const char *json_comma;

void json_begin(void)
{
	putchar('{');
	json_comma = "";
}

void json_number(const char *key, double value)
{
	printf("%s\"%s\": %.10g", json_comma, key, value);
	json_comma = ", ";
}

void json_text(const char *key, const char *value)
{
	printf("%s\"%s\": \"", json_comma, key);
	for (; *value; value++)
		if ((unsigned char)*value >= ' ')
			printf(*value == '"' || *value == '\\' ? "\\%c" : "%c",
			       *value);
	putchar('"');
	json_comma = ", ";
}

static void json_suffixed(const char *key, const char *suffix, double value)
{
	char name[128];

	snprintf(name, sizeof(name), "%s%s", key, suffix);
	json_number(name, value);
}

void json_hist(const char *key, const struct hist *h)
{
	const char *comma = "";

	json_suffixed(key, "_p50_us", (double)hist_permille(h, 500) / 1e3);
	json_suffixed(key, "_p99_us", (double)hist_permille(h, 990) / 1e3);
	json_suffixed(key, "_mean_us", (double)hist_mean(h) / 1e3);
	json_suffixed(key, "_samples", (double)h->count);
	/* [us, count] pairs, eight to a power of two: enough for a plot. */
	printf(", \"%s_hist\": [", key);
	for (unsigned b = 0; b < HIST_NR; b += HIST_SUB / 8) {
		u64 sum = 0;

		for (unsigned i = b; i < b + HIST_SUB / 8; i++)
			sum += h->n[i];
		if (!sum)
			continue;
		printf("%s[%.4g, %llu]", comma, (double)hist_edge(b) / 1e3,
		       (unsigned long long)sum);
		comma = ", ";
	}
	putchar(']');
}

void json_end(void)
{
	printf("}\n");
	fflush(stdout);
}

void *map_pages(u64 bytes)
{
	const u64 huge = 2ull << 20;
	u8 *raw = mmap(NULL, bytes + huge, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	u64 slack;

	if (raw == MAP_FAILED)
		die("mmap");
	/* Give the ends back, so that the range is one mapping of its own. */
	slack = -(u64)(uintptr_t)raw & (huge - 1);
	if (slack)
		munmap(raw, slack);
	if (huge - slack)
		munmap(raw + slack + bytes, huge - slack);
	return raw + slack;
}

void touch_pages(void *mem, u64 bytes)
{
	for (u64 off = 0; off < bytes; off += BENCH_PAGE)
		((volatile u8 *)mem)[off] = 1;
}

u64 smaps_sum(int pid, const char *field, const void *from, u64 bytes)
{
	u64 lo, hi, kb, sum = 0, start = (u64)(uintptr_t)from;
	bool inside = false;
	char path[64], line[512];
	size_t len = strlen(field);
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid ? pid : getpid());
	f = fopen(path, "re");
	if (!f)
		die(path);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &lo, &hi) == 2)
			inside = lo >= start && hi <= start + bytes;
		else if (inside && !strncmp(line, field, len) &&
			 sscanf(line + len, " %lu", &kb) == 1)
			sum += kb * 1024;
	}
	fclose(f);
	return sum;
}

u64 status_bytes(int pid, const char *field)
{
	char path[64], line[256];
	size_t len = strlen(field);
	u64 kb = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid ? pid : getpid());
	f = fopen(path, "re");
	if (!f)
		die(path);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, field, len))
			sscanf(line + len, " %lu", &kb);
	fclose(f);
	return kb * 1024;
}

void pin_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	if (cpu >= 0)
		CPU_SET((unsigned)cpu, &set);
	else
		for (unsigned i = 0; i < CPU_SETSIZE; i++)
			CPU_SET(i, &set);
	sched_setaffinity(0, sizeof(set), &set);
}
