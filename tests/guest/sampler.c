// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How much memory does a program under giantvm really take?
 *
 *	sampler PID
 *
 * Adds up, 20 times a second until the program is gone, what the kernel says
 * is resident in the ranges that are armed with userfaultfd.  Where eviction
 * moves pages, the staging area is armed too, and so the sum is the whole of
 * it.  Where eviction copies, the staging area is ordinary memory of the
 * library and its size is taken from the statistics instead.
 *
 * The kernel reads out one range after the other, so a page that is moved
 * meanwhile can be counted twice.  A sample during which more than 1 % of the
 * limit moved says nothing, and is not used.
 *
 * Prints "sampler: peak P KiB, limit L KiB, N of M samples", and fails if the
 * peak is more than 5 % over the limit, or if there were too few samples.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <giantvm/giantvm.h>

#define PERIOD_NS	50000000
#define START_MS	20000	/* how long a program may take to attach */
#define PAGE_KIB	4u
#define SAMPLES_MIN	10u

static struct gvm_stats stats;

/* VmFlags: um is armed for missing pages, uw for writes. */
static int is_armed(const char *flags)
{
	return strstr(flags, " um") || strstr(flags, " uw");
}

/* Resident KiB of the armed ranges; -1 when the process is gone. */
static int64_t armed_resident(pid_t pid)
{
	unsigned long long kib, rss = 0;
	char path[64], line[512];
	int64_t sum = 0;
	int any = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
	file = fopen(path, "r");
	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file)) {
		any = 1;
		if (sscanf(line, "Rss: %llu kB", &kib) == 1)
			rss = kib;
		else if (!strncmp(line, "VmFlags:", 8) && is_armed(line))
			sum += (int64_t)rss;
	}
	fclose(file);
	return any ? sum : -1;
}

static void pause_ns(long ns)
{
	struct timespec ts = { 0, ns };

	nanosleep(&ts, NULL);
}

/* The statistics appear once the library has opened its engine. */
static int wait_for_stats(pid_t pid)
{
	int ms;

	for (ms = 0; ms < START_MS; ms += 10) {
		if (!gvm_stats_of(pid, &stats) && stats.registered_pages)
			return 0;
		pause_ns(10000000);
	}
	return -ESRCH;
}

/* Pages that have gone into staging and come back out of it so far. */
static uint64_t moved_pages(void)
{
	return stats.evicted_clean + stats.evicted_dirty + stats.evicted_zero +
	       stats.faults_steal;
}

struct result {
	uint64_t	peak_kib;
	uint64_t	limit_kib;
	unsigned	used;
	unsigned	taken;
};

/* One sample.  -ESRCH when the process is gone. */
static int take_sample(pid_t pid, struct result *r)
{
	uint64_t before, staged, now;
	int64_t armed;

	if (gvm_stats_of(pid, &stats))
		return -ESRCH;
	before = moved_pages();
	staged = stats.staged_pages;
	armed = armed_resident(pid);
	if (armed < 0 || gvm_stats_of(pid, &stats))
		return -ESRCH;
	r->limit_kib = stats.local_bytes / 1024;
	r->taken++;
	if ((moved_pages() - before) * PAGE_KIB > r->limit_kib / 100)
		return 0;
	r->used++;
	now = (uint64_t)armed;
	if (strstr(stats.engine, "eviction by copy"))
		now += staged * PAGE_KIB;
	if (now > r->peak_kib)
		r->peak_kib = now;
	return 0;
}

int main(int argc, char **argv)
{
	struct result r = { 0 };
	pid_t pid;

	if (argc != 2) {
		fputs("usage: sampler PID\n", stderr);
		return 2;
	}
	pid = atoi(argv[1]);
	if (wait_for_stats(pid)) {
		printf("sampler: process %d never came under giantvm\n",
		       (int)pid);
		return 2;
	}
	while (!take_sample(pid, &r))
		pause_ns(PERIOD_NS);
	printf("sampler: peak %llu KiB, limit %llu KiB, %u of %u samples\n",
	       (unsigned long long)r.peak_kib, (unsigned long long)r.limit_kib,
	       r.used, r.taken);
	return r.used < SAMPLES_MIN || !r.peak_kib ||
	       r.peak_kib * 100 > r.limit_kib * 105;
}
