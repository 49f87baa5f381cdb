/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands that main.c's table names; one cmd-<name>.c each. */
#ifndef GVM_CLI_COMMANDS_H
#define GVM_CLI_COMMANDS_H

int gvm_cmd_bench(int argc, char **argv);
int gvm_cmd_cluster(int argc, char **argv);
int gvm_cmd_doctor(int argc, char **argv);
int gvm_cmd_region(int argc, char **argv);
int gvm_cmd_run(int argc, char **argv);
int gvm_cmd_serve(int argc, char **argv);
int gvm_cmd_set(int argc, char **argv);
int gvm_cmd_sim(int argc, char **argv);
int gvm_cmd_stat(int argc, char **argv);
int gvm_cmd_top(int argc, char **argv);

#endif
