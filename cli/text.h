/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Talking with people: options read, complaints and figures written, in the
 * same words by every command.
 */
#ifndef GVM_CLI_TEXT_H
#define GVM_CLI_TEXT_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct json_object;

/* "giantvm: ..." and a newline on standard error. */
void gvm_complain(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/*
 * getopt_long() with complaints in our own words; '?' after one.  Options must
 * be spelled out, and end at the first word that is none when `shorts` begins
 * with '+'.
 */
int gvm_getopt(int argc, char **argv, const char *shorts,
	       const struct option *options);

/* Complain about a word too many; returns GVM_EXIT_USAGE. */
int gvm_surplus(const char *command, const char *word);

/* A whole number within limits; complains and returns false if it is none. */
bool gvm_number(const char *command, const char *option, const char *text,
		uint64_t min, uint64_t max, uint64_t *ret);

/* A size (size.h) within limits; complains and returns false if it is none. */
bool gvm_size(const char *command, const char *option, const char *text,
	      uint64_t min, uint64_t max, uint64_t *ret);

/* The index of a word in a list that ends with NULL; complains, -1. */
int gvm_choice(const char *command, const char *option, const char *text,
	       const char *const *words);

/* A process id; complains and returns false if it is none. */
bool gvm_pid(const char *command, const char *text, pid_t *ret);

#define GVM_TEXT_MAX	16u	/* room that each of these needs at most */

/* 950, 12.3k, 4.5M.  Returns buf. */
char *gvm_count_print(double n, char *buf, size_t len);
/* 850 ns, 12.3 us, 1.5 ms, 2.0 s; - for none.  Returns buf. */
char *gvm_time_print(uint64_t ns, char *buf, size_t len);
/* 4 KiB pages as a size.  Returns buf. */
char *gvm_pages_print(uint64_t pages, char *buf, size_t len);

/* What others wrote must not control a terminal. */
void gvm_make_printable(char *text, size_t bytes);

/* Print a JSON value and a newline, and let it go.  0, or -1 if it failed. */
int gvm_json_print(struct json_object *value);

#endif
