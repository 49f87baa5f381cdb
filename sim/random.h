/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random numbers that are the same everywhere: integers, and the four basic
 * operations on doubles.
 */
#ifndef GVM_SIM_RANDOM_H
#define GVM_SIM_RANDOM_H

#include "gvm_port.h"

/* splitmix64: every seed is a good one. */
static inline u64 gvm_sim_random(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* 0 .. n - 1 */
static inline u32 gvm_sim_below(u64 *state, u32 n)
{
	return (u32)((gvm_sim_random(state) >> 32) * n >> 32);
}

static inline bool gvm_sim_chance(u64 *state, u32 ppm)
{
	return ppm && gvm_sim_below(state, 1000000) < ppm;
}

/* Exponential, with this mean; at most some 44 times it. */
u64 gvm_sim_exponential(u64 *state, u64 mean);

#endif
