// SPDX-License-Identifier: GPL-2.0-or-later
/* Times and percentages as people write them, without rounding. */
#include <errno.h>
#include <string.h>

#include "sim.h"

#define DIGITS_MAX	12u	/* before the point */

/* A decimal number times 10^decimals; what follows is left in *text. */
static int fixed(const char **text, unsigned decimals, uint64_t *ret)
{
	unsigned digits = 0, after = 0;
	uint64_t v = 0;
	const char *p = *text;

	for (; *p >= '0' && *p <= '9'; p++, digits++)
		v = v * 10 + (uint64_t)(*p - '0');
	if (!digits || digits > DIGITS_MAX)
		return -EINVAL;
	if (*p == '.') {
		for (p++; *p >= '0' && *p <= '9' && after < decimals; p++, after++)
			v = v * 10 + (uint64_t)(*p - '0');
		if (!after)
			return -EINVAL;
	}
	for (; after < decimals; after++)
		v *= 10;
	*text = p;
	*ret = v;
	return 0;
}

int gvm_sim_time_parse(const char *text, uint64_t *ret_ns)
{
	static const struct {
		const char *name;
		unsigned decimals;
	} units[] = {
		{ "ns", 0 }, { "us", 3 }, { "ms", 6 }, { "s", 9 },
	};

	for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		const char *p = text;
		uint64_t v;

		if (fixed(&p, units[i].decimals, &v) ||
		    strcmp(p, units[i].name))
			continue;
		if (v > 1000000000000000ull)	/* 11 days */
			return -EINVAL;
		*ret_ns = v;
		return 0;
	}
	return -EINVAL;
}

int gvm_sim_percent_parse(const char *text, uint32_t *ret_ppm)
{
	uint64_t v;

	if (fixed(&text, 4, &v) || v > 1000000)
		return -EINVAL;
	if (*text == '%')
		text++;
	if (*text)
		return -EINVAL;
	*ret_ppm = (uint32_t)v;
	return 0;
}
