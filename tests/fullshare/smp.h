/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the trials of a guest on several nodes have in common.  Each uses all CPUs,
 * returns 0 if everything was right, and says what it found in one line.
 */
#ifndef GVM_TEST_SMP_H
#define GVM_TEST_SMP_H

#define SMP_CPUS_MAX	254
#define SMP_PAGE	4096

extern long smp_cpus;

void smp_pin(long cpu);

/* One thread for each of the numbers 0 to nr - 1; they choose their CPUs. */
void smp_run(void *(*what)(void *number), long nr);

long long smp_now_ns(void);

/*
 * While one waits for what another CPU has to do: let others run, and end with a
 * word when it takes longer than any CPU could need.  What `who` waits for is
 * lost then, and all would wait for ever.
 */
struct smp_patience {
	unsigned int	tries;
	long long	since_ns;
};

void smp_wait(struct smp_patience *patience, const char *who);

/* Pages of its own, zero. */
void *smp_pages(long nr, int protection);

/* Any processor that is to run what another has written does this first. */
static inline void smp_serialize(void)
{
	unsigned int a = 0, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d) : : "memory");
}

int smp_counters(long rounds);		/* smp-count.c */
int smp_clocks(long rounds);
int smp_code(long rounds);		/* smp-code.c */
int smp_filter(long rounds);
int smp_patch(long rounds);		/* smp-patch.c */
int smp_litmus(long rounds);		/* smp-litmus.c */
int smp_storm(long rounds);		/* smp-storm.c */
int smp_private(long rounds);		/* smp-private.c */

#endif
