// SPDX-License-Identifier: GPL-2.0-or-later
/* Talking with people: see text.h. */
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "size.h"
#include "text.h"

void gvm_complain(const char *format, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	/* One write: lines of several processes must not be mixed. */
	fprintf(stderr, "giantvm: %s\n", line);
}

/* Is the option that getopt stumbled over known, and only lacks its value? */
static const struct option *known(const struct option *options,
				  const char *word)
{
	size_t len = strcspn(word, "=");

	for (; options->name; options++) {
		if (strlen(options->name) == len &&
		    !strncmp(options->name, word, len))
			return options;
	}
	return NULL;
}

static void complain_option(const char *command, const char *word,
			    const struct option *options)
{
	const struct option *o = NULL;

	if (!strncmp(word, "--", 2))
		o = known(options, word + 2);
	if (o && o->has_arg == required_argument)
		gvm_complain("%s: --%s needs a value; see 'giantvm %s --help'",
			     command, o->name, command);
	else if (o)
		gvm_complain("%s: --%s takes no value; see 'giantvm %s --help'",
			     command, o->name, command);
	else
		gvm_complain("%s: no option %s; see 'giantvm %s --help'",
			     command, word, command);
}

/* The word that getopt_long() will judge next; argc if there is none. */
static int next_option(int argc, char **argv, const char *shorts)
{
	int at = optind ? optind : 1;

	if (shorts[0] != '+') {
		while (at < argc && (argv[at][0] != '-' || !argv[at][1]))
			at++;
	}
	return at;
}

int gvm_getopt(int argc, char **argv, const char *shorts,
	       const struct option *options)
{
	int at = next_option(argc, argv, shorts);
	const char *word = at < argc ? argv[at] : "";
	int c;

	/*
	 * getopt accepts abbreviations; a script that uses one breaks when a
	 * second option gets the same beginning.
	 */
	if (!strncmp(word, "--", 2) && word[2] && !known(options, word + 2)) {
		complain_option(argv[0], word, options);
		return '?';
	}
	opterr = 0;
	c = getopt_long(argc, argv, shorts, options, NULL);
	if (c == '?')
		complain_option(argv[0], word, options);
	return c;
}

int gvm_surplus(const char *command, const char *word)
{
	gvm_complain("%s: did not expect '%s'; see 'giantvm %s --help'",
		     command, word, command);
	return GVM_EXIT_USAGE;
}

bool gvm_number(const char *command, const char *option, const char *text,
		uint64_t min, uint64_t max, uint64_t *ret)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || n < min || n > max) {
		gvm_complain("%s: %s '%s' is not a number from %llu to %llu",
			     command, option, text, (unsigned long long)min,
			     (unsigned long long)max);
		return false;
	}
	*ret = n;
	return true;
}

bool gvm_size(const char *command, const char *option, const char *text,
	      uint64_t min, uint64_t max, uint64_t *ret)
{
	char end[GVM_SIZE_TEXT_MAX];
	uint64_t bytes;
	int err = gvm_size_parse(text, &bytes);

	if (err) {
		gvm_complain("%s: %s '%s' is %s", command, option, text,
			     gvm_size_why(err));
		return false;
	}
	if (bytes < min) {
		gvm_complain("%s: %s %s is too small; the least is %s",
			     command, option, text,
			     gvm_size_print(min, end, sizeof(end)));
		return false;
	}
	if (bytes > max) {
		gvm_complain("%s: %s %s is too large; the most is %s", command,
			     option, text,
			     gvm_size_print(max, end, sizeof(end)));
		return false;
	}
	*ret = bytes;
	return true;
}

int gvm_choice(const char *command, const char *option, const char *text,
	       const char *const *words)
{
	char list[128] = "";

	for (int i = 0; words[i]; i++) {
		size_t used = strlen(list);

		if (!strcmp(words[i], text))
			return i;
		snprintf(list + used, sizeof(list) - used, "%s%s",
			 i ? ", " : "", words[i]);
	}
	gvm_complain("%s: %s '%s' is none of %s", command, option, text, list);
	return -1;
}

bool gvm_pid(const char *command, const char *text, pid_t *ret)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n <= 0 || n > INT_MAX) {
		gvm_complain("%s: '%s' is not a process id; 'giantvm stat' lists them",
			     command, text);
		return false;
	}
	*ret = (pid_t)n;
	return true;
}

char *gvm_count_print(double n, char *buf, size_t len)
{
	static const char units[] = "kMGTP";
	int unit = -1;

	while (n >= (unit < 0 ? 999.5 : 999.95) && unit < 4) {
		n /= 1000;
		unit++;
	}
	if (unit < 0)
		snprintf(buf, len, "%.0f", n);
	else
		snprintf(buf, len, "%.1f%c", n, units[unit]);
	return buf;
}

char *gvm_time_print(uint64_t ns, char *buf, size_t len)
{
	double t = (double)ns;

	if (!ns)
		snprintf(buf, len, "-");
	else if (t < 1e3)
		snprintf(buf, len, "%.0f ns", t);
	else if (t < 1e6)
		snprintf(buf, len, "%.1f us", t / 1e3);
	else if (t < 1e9)
		snprintf(buf, len, "%.1f ms", t / 1e6);
	else
		snprintf(buf, len, "%.1f s", t / 1e9);
	return buf;
}

char *gvm_pages_print(uint64_t pages, char *buf, size_t len)
{
	return gvm_size_print(pages << 12, buf, len);
}

int gvm_json_print(struct json_object *value)
{
	const char *text = json_object_to_json_string_ext(value,
			JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED);
	int failed = printf("%s\n", text) < 0 || fflush(stdout) != 0;

	json_object_put(value);
	return failed ? -1 : 0;
}

void gvm_make_printable(char *text, size_t bytes)
{
	text[bytes - 1] = '\0';
	for (; *text; text++) {
		if (*text < ' ' || *text > '~')
			*text = '?';
	}
}
