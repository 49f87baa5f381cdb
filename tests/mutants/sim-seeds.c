// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs nasty little clusters, one a seed, until one fails or the last is done:
 * the simulator alone, without the program around it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sim/sim.h"

static unsigned long seed;

void gvm_bug(const char *file, int line, const char *what)
{
	printf("seed %lu: broken: %s:%d: %s\n", seed, file, line, what);
	exit(1);
}

int main(int argc, char **argv)
{
	unsigned long seeds = argc > 1 ? strtoul(argv[1], NULL, 10) : 100;
	struct gvm_sim_config config;
	static struct gvm_sim_result result;

	for (seed = 1; seed <= seeds; seed++) {
		gvm_sim_defaults(&config, 64);
		config.seed = seed;
		gvm_sim_nasty(&config);
		if (gvm_sim_run(&config, NULL, &result)) {
			printf("seed %lu: does not run\n", seed);
			return 2;
		}
		if (!result.failed)
			continue;
		printf("seed %lu: %s\n", seed, result.why);
		return 1;
	}
	return 0;
}
