// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `giantvm`: finds the command that was asked for and runs it.  Knows nothing
 * about what the commands do; a new one is a line in the table.
 */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "commands.h"

static int cmd_help(int argc, char **argv);

static const struct gvm_command commands[] = {
	{ "help", "show this list, or the options of a command", cmd_help },
	{ "serve", "hold memory of programs that run elsewhere", gvm_cmd_serve },
	{ "run", "run a program with more memory than it gets here", gvm_cmd_run },
	{ "stat", "show what running programs do, or a server", gvm_cmd_stat },
	{ "top", "watch running programs", gvm_cmd_top },
	{ "set", "change the local limit of a running program", gvm_cmd_set },
	{ "region", "make, show and remove shared regions", gvm_cmd_region },
	{ "cluster", "check the file that describes a cluster", gvm_cmd_cluster },
	{ "doctor", "check this machine and say what mends it", gvm_cmd_doctor },
	{ "sim", "run the protocol of shared regions on a simulated cluster", gvm_cmd_sim },
	{ "bench", "measure giantvm on this machine", gvm_cmd_bench },
};

#define COMMANDS_NR	(sizeof(commands) / sizeof(commands[0]))
#define NAME_BYTES_MAX	32u	/* longer words resemble no command */

static const struct gvm_command *find(const char *name)
{
	for (size_t i = 0; i < COMMANDS_NR; i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	}
	return NULL;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Edits (insert, delete, replace) from one word to the other. */
static unsigned edits(const char *a, const char *b)
{
	unsigned row[NAME_BYTES_MAX + 1];
	size_t a_len = strlen(a);
	size_t b_len = strlen(b);

	if (a_len > NAME_BYTES_MAX || b_len > NAME_BYTES_MAX)
		return NAME_BYTES_MAX;
	for (unsigned j = 0; j <= b_len; j++)
		row[j] = j;
	for (unsigned i = 1; i <= a_len; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= b_len; j++) {
			unsigned replace = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = min3(row[j] + 1, row[j - 1] + 1, replace);
		}
	}
	return row[b_len];
}

static int unknown(const char *name)
{
	const char *near = NULL;
	unsigned best = 3;	/* more edits than this is another word */

	for (size_t i = 0; i < COMMANDS_NR; i++) {
		unsigned n = edits(name, commands[i].name);

		if (n < best) {
			best = n;
			near = commands[i].name;
		}
	}
	if (near)
		fprintf(stderr, "giantvm: no command '%s'; did you mean 'giantvm %s'?\n",
			name, near);
	else
		fprintf(stderr, "giantvm: no command '%s'; 'giantvm help' lists what there is\n",
			name);
	return GVM_EXIT_USAGE;
}

static int cmd_help(int argc, char **argv)
{
	if (argc > 1) {
		const struct gvm_command *c = find(argv[1]);
		char *sub[] = { argv[1], (char []){ "--help" }, NULL };

		if (!c)
			return unknown(argv[1]);
		if (c->run != cmd_help)
			return c->run(2, sub);
	}
	printf("Usage: giantvm COMMAND [OPTION]...\n"
	       "Run programs and virtual machines with more memory than this machine has.\n\n");
	for (size_t i = 0; i < COMMANDS_NR; i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].summary);
	printf("\n'giantvm COMMAND --help' shows the options of a command.\n");
	return GVM_EXIT_OK;
}

int main(int argc, char **argv)
{
	const struct gvm_command *c;

	if (argc < 2) {
		fprintf(stderr, "giantvm: which command? 'giantvm help' lists what there is\n");
		return GVM_EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return cmd_help(1, argv + 1);
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("giantvm %s\n", GVM_VERSION);
		return GVM_EXIT_OK;
	}
	c = find(argv[1]);
	if (!c)
		return unknown(argv[1]);
	return c->run(argc - 1, argv + 1);
}
