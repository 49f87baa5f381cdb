/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands of `giantvm`.  Each lives in its own cmd-<name>.c, gets
 * argv[0] = its own name, and returns the exit status of the program.
 */
#ifndef GVM_CLI_COMMAND_H
#define GVM_CLI_COMMAND_H

#define GVM_EXIT_OK	0
#define GVM_EXIT_FAIL	1	/* tried, and it did not work */
#define GVM_EXIT_USAGE	2	/* the command line cannot be meant */

struct gvm_command {
	const char	*name;
	const char	*summary;	/* one line for `giantvm help` */
	int		(*run)(int argc, char **argv);
};

#endif
