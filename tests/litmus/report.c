// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a litmus test has seen, for people, and whether it could have seen what
 * is forbidden: a test whose threads never met has tested nothing.
 */
#include <stdio.h>
#include <string.h>

#include "litmus.h"

/* Does the outcome fit "01?"? */
static bool fits(unsigned outcome, const char *pattern, int bits)
{
	for (int i = 0; i < bits; i++)
		if (pattern[i] != '?' &&
		    pattern[i] != '0' + (int)(outcome >> (bits - 1 - i) & 1))
			return false;
	return true;
}

/* A witness that was not seen, or NULL. */
static const char *missing(const struct litmus *t, const struct tally *tally)
{
	for (const char *w = t->witness; w; ) {
		uint64_t seen = 0;

		for (unsigned o = 0; o < OUTCOMES; o++)
			if (fits(o, w, t->bits))
				seen += tally->seen[o];
		if (!seen)
			return w;
		w = strchr(w, ' ');
		w = w ? w + 1 : NULL;
	}
	return NULL;
}

static void print_outcomes(const struct litmus *t, const struct tally *tally)
{
	for (unsigned o = 0; o < 1u << t->bits; o++) {
		if (!tally->seen[o])
			continue;
		printf("  ");
		for (int i = t->bits - 1; i >= 0; i--)
			putchar('0' + (int)(o >> i & 1));
		printf(":%llu", (unsigned long long)tally->seen[o]);
	}
	putchar('\n');
}

bool litmus_report(const struct litmus *t, const char *layout,
		   const struct tally *tally, uint64_t ns, bool witness)
{
	const char *lacks = witness ? missing(t, tally) : NULL;

	printf("%-9s %-6s %8llu rounds  %6.0f/s  forbidden (%s): %llu%s\n",
	       t->name, layout, (unsigned long long)tally->rounds,
	       (double)tally->rounds / ((double)ns / 1e9), t->what,
	       (unsigned long long)tally->forbidden,
	       tally->stuck ? "  STUCK" : "");
	printf("                ");
	print_outcomes(t, tally);
	if (lacks)
		printf("                  never saw %.*s: the threads did not meet, and nothing was tested\n",
		       t->bits, lacks);
	fflush(stdout);
	return !tally->forbidden && !tally->stuck && !lacks;
}
