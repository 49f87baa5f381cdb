// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, a mistyped size would be taken for another one, and a server
 * or a limit would silently be a thousand times too small or too large.
 */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "cluster/size.h"

struct want {
	const char	*text;
	int		err;
	uint64_t	bytes;
};

static const struct want wants[] = {
	{ "0", 0, 0 },
	{ "4096", 0, 4096 },
	{ "512M", 0, 512ull << 20 },
	{ "512m", 0, 512ull << 20 },
	{ "1.5G", 0, 3ull << 29 },
	{ "64GiB", 0, 64ull << 30 },
	{ "64GB", 0, 64ull << 30 },
	{ "10B", 0, 10 },
	{ "0.5k", 0, 512 },
	{ "16383P", 0, 16383ull << 50 },
	{ "18446744073709551615", 0, UINT64_MAX },
	{ "00000000000000000000000000000001K", 0, 1024 },
	{ "0.0001K", -EINVAL, 0 },
	{ "1.00000000000000000000000000G", 0, 1ull << 30 },
	{ "18446744073709551616", -ERANGE, 0 },
	{ "16E", -ERANGE, 0 },
	{ "99999999999999999999999999999999999999999999999G", -ERANGE, 0 },
	{ "", -EINVAL, 0 },
	{ "-1", -EINVAL, 0 },
	{ "+1", -EINVAL, 0 },
	{ " 1G", -EINVAL, 0 },
	{ "1G ", -EINVAL, 0 },
	{ "1 G", -EINVAL, 0 },
	{ "G", -EINVAL, 0 },
	{ "1X", -EINVAL, 0 },
	{ "1Gi", -EINVAL, 0 },
	{ "1GiBx", -EINVAL, 0 },
	{ "1iB", -EINVAL, 0 },
	{ "1.G", -EINVAL, 0 },
	{ ".5G", -EINVAL, 0 },
	{ "1.5", -EINVAL, 0 },
	{ "1,5G", -EINVAL, 0 },
	{ "0x10", -EINVAL, 0 },
	{ "1e3", -EINVAL, 0 },
	{ "nan", -EINVAL, 0 },
	{ "inf", -EINVAL, 0 },
};

int main(void)
{
	char buf[GVM_SIZE_TEXT_MAX];

	for (size_t i = 0; i < sizeof(wants) / sizeof(wants[0]); i++) {
		uint64_t bytes = 0xdead;
		int err = gvm_size_parse(wants[i].text, &bytes);

		if (err != wants[i].err)
			fprintf(stderr, "'%s': %d\n", wants[i].text, err);
		CHECK(err == wants[i].err);
		CHECK(bytes == (err ? 0xdead : wants[i].bytes));
	}

	CHECK(!strcmp(gvm_size_print(1ull << 30, buf, sizeof(buf)), "1.0 GiB"));
	CHECK(!strcmp(gvm_size_print(512, buf, sizeof(buf)), "512 B"));
	CHECK(!strcmp(gvm_size_print(1048575, buf, sizeof(buf)), "1.0 MiB"));
	CHECK(!strcmp(gvm_size_print(UINT64_MAX, buf, sizeof(buf)), "16.0 EiB"));
	return 0;
}
