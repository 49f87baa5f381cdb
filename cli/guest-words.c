// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Words that a guest's kernel should find on its command line, each unless the
 * operator has said it himself:
 *
 * tsc=reliable: the guest's clock must not leave its processors (qemu/clock.c).
 *
 * nohz_full=LIST: the vCPUs of all nodes but the first do without the timer tick
 * while they run one program, and without the kernel's chores.  Each tick moves
 * five to eight pages of clocks and run queues; docs/GUESTS.md has the figures.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "conf.h"
#include "guest.h"

/* As Linux writes lists of processors: 1-3,6. */
static void print_far_vcpus(FILE *to, const struct gvm_conf *conf)
{
	const unsigned first = conf->nodes[0].id;
	const char *comma = "";

	for (unsigned i = 0, end; i < conf->vcpus_nr; i = end) {
		end = i + 1;
		if (conf->vcpu_node[i] == first)
			continue;
		while (end < conf->vcpus_nr && conf->vcpu_node[end] != first)
			end++;
		fprintf(to, end - i == 1 ? "%s%u" : "%s%u-%u", comma, i,
			end - 1);
		comma = ",";
	}
}

char *gvm_guest_kernel_words(const struct gvm_conf *conf, const char *said)
{
	char *words = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&words, &len);

	if (!to)
		return NULL;
	if (!strstr(said, "tsc="))
		fputs(" tsc=reliable", to);
	if (!strstr(said, "nohz_full=") && conf->nodes_nr > 1) {
		fputs(" nohz_full=", to);
		print_far_vcpus(to, conf);
	}
	if (fclose(to) != 0) {
		free(words);
		return NULL;
	}
	return words;
}
