// SPDX-License-Identifier: GPL-2.0-or-later
/* The logarithm by hand: libm's may differ from machine to machine. */
#include "random.h"

#define LN2	0.693147180559945309

/* -ln(x / 2^64) for x > 0, good to a part in 10^5. */
static double minus_ln(u64 x)
{
	u32 zeros = (u32)__builtin_clzll(x);
	/* x = m * 2^(63 - zeros), 1 <= m < 2; ln m = 2 artanh((m-1)/(m+1)) */
	double m = (double)(x << zeros >> 11) / (double)(1ull << 52);
	double t = (m - 1) / (m + 1);
	double t2 = t * t;

	return LN2 * (zeros + 1) -
	       2 * t * (1 + t2 * (1. / 3 + t2 * (1. / 5 + t2 / 7)));
}

u64 gvm_sim_exponential(u64 *state, u64 mean)
{
	if (!mean)
		return 0;
	return (u64)((double)mean * minus_ln(gvm_sim_random(state) | 1));
}
