// SPDX-License-Identifier: GPL-2.0-or-later
/* `giantvm stat --server`: how full is a memory server? */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "address.h"
#include "command.h"
#include "server/query.h"
#include "size.h"
#include "stat-server.h"
#include "text.h"

#define PATIENCE_MS	5000u

static int print_json(const char *address, const struct gvm_server_fill *f)
{
	struct json_object *o = json_object_new_object();
	const struct {
		const char	*name;
		uint64_t	value;
	} values[] = {
		{ "pages_max", f->pages_max },
		{ "pages_used", f->pages_used },
		{ "overhead_bytes", f->overhead_bytes },
		{ "regions", f->regions },
		{ "connections", f->connections },
		{ "pages_read", f->pages_read },
		{ "pages_written", f->pages_written },
		{ "requests", f->requests },
	};

	json_object_object_add(o, "address", json_object_new_string(address));
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		json_object_object_add(o, values[i].name,
				       json_object_new_uint64(values[i].value));
	return gvm_json_print(o) ? GVM_EXIT_FAIL : GVM_EXIT_OK;
}

static int print_text(const char *address, const struct gvm_server_fill *f)
{
	char used[GVM_SIZE_TEXT_MAX], max[GVM_SIZE_TEXT_MAX];
	char overhead[GVM_SIZE_TEXT_MAX];
	size_t n = GVM_SIZE_TEXT_MAX;

	printf("server    %s\n", address);
	printf("memory    %s used of %s, %s of bookkeeping\n",
	       gvm_pages_print(f->pages_used, used, n),
	       gvm_pages_print(f->pages_max, max, n),
	       gvm_size_print(f->overhead_bytes, overhead, n));
	/* We are one of the connections. */
	printf("clients   %llu regions, %llu connections\n",
	       (unsigned long long)f->regions,
	       (unsigned long long)(f->connections ? f->connections - 1 : 0));
	printf("traffic   %llu pages read, %llu written, in %llu requests\n",
	       (unsigned long long)f->pages_read,
	       (unsigned long long)f->pages_written,
	       (unsigned long long)f->requests);
	return GVM_EXIT_OK;
}

int gvm_stat_server(const char *address, int json)
{
	char why[GVM_QUERY_WHY_MAX];
	struct gvm_server_fill fill;
	struct gvm_address a;
	const char *wrong;
	int err;

	if (gvm_address_resolve(address, strlen(address), &a, &wrong)) {
		gvm_complain("stat: --server '%s': %s", address, wrong);
		return GVM_EXIT_USAGE;
	}
	err = gvm_query_fill((struct sockaddr *)&a.sa, a.sa_len, PATIENCE_MS,
			     &fill, why);
	if (err) {
		gvm_complain("stat: memory server %s: %s%s", a.text, why,
			     err == -ECONNREFUSED ?
			     "; is 'giantvm serve' running there?" : "");
		return GVM_EXIT_FAIL;
	}
	return json ? print_json(a.text, &fill) : print_text(a.text, &fill);
}
