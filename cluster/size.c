// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sizes from and for people.  Integer arithmetic only, so that what was
 * written is what is meant, and independent of the locale's decimal point.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "size.h"

static const char units[] = "KMGTPE";

/* Shift for the suffix, or -EINVAL. */
static int suffix_shift(const char *s)
{
	const char *unit;
	int shift;

	if (!*s || ((*s == 'b' || *s == 'B') && !s[1]))
		return 0;
	unit = strchr(units, toupper((unsigned char)*s));
	if (!unit)
		return -EINVAL;
	shift = 10 * (int)(unit - units + 1);
	s++;
	if (*s == 'i' || *s == 'I') {
		s++;
		if (*s != 'b' && *s != 'B')
			return -EINVAL;
	}
	if (*s == 'b' || *s == 'B')
		s++;
	return *s ? -EINVAL : shift;
}

/*
 * The whole number at s.  Stops the value, not the reading, once it is beyond
 * 64 bits, so that "1" and a hundred zeros is too large and not a wrapped one.
 */
static const char *read_whole(const char *s, __uint128_t *ret)
{
	__uint128_t v = 0;

	for (; isdigit((unsigned char)*s); s++) {
		if (v <= UINT64_MAX)
			v = v * 10 + (unsigned)(*s - '0');
	}
	*ret = v;
	return s;
}

/* Fraction: *ret_part / *ret_scale.  Digits after the 15th are less than a byte. */
static const char *read_part(const char *s, __uint128_t *ret_part,
			     __uint128_t *ret_scale)
{
	__uint128_t part = 0;
	__uint128_t scale = 1;

	for (; isdigit((unsigned char)*s); s++) {
		if (scale == 1000000000000000ull)
			continue;
		part = part * 10 + (unsigned)(*s - '0');
		scale *= 10;
	}
	*ret_part = part;
	*ret_scale = scale;
	return s;
}

int gvm_size_parse(const char *text, uint64_t *ret_bytes)
{
	__uint128_t whole, part = 0, scale = 1, bytes;
	const char *s;
	int shift;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	s = read_whole(text, &whole);
	if (*s == '.') {
		if (!isdigit((unsigned char)s[1]))
			return -EINVAL;
		s = read_part(s + 1, &part, &scale);
	}
	shift = suffix_shift(s);
	if (shift < 0)
		return shift;
	if (part && !shift)
		return -EINVAL;
	if (whole > UINT64_MAX)
		return -ERANGE;
	bytes = (whole << shift) + (part << shift) / scale;
	if (bytes > UINT64_MAX)
		return -ERANGE;
	if (!bytes && (whole || part))
		return -EINVAL;
	*ret_bytes = (uint64_t)bytes;
	return 0;
}

const char *gvm_size_why(int err)
{
	if (err == -ERANGE)
		return "too large for 64 bits";
	return "not a size; write it like 512M, 1.5G or 64GiB";
}

char *gvm_size_print(uint64_t bytes, char *buf, size_t len)
{
	int unit = -1;
	double v = (double)bytes;

	/* 1023.95 would be rounded to 1024.0 of the smaller unit. */
	while (v >= (unit < 0 ? 1024 : 1023.95) && unit < 5) {
		v /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(buf, len, "%u B", (unsigned)bytes);
	else
		snprintf(buf, len, "%.1f %ciB", v, units[unit]);
	return buf;
}
