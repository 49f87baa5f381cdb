// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `giantvm region`: shared regions on memory servers made, listed, looked at
 * and removed.  A region of several servers is handled as one: what a server
 * refuses is said by name, and what was begun on others is taken back.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "cluster/conf.h"
#include "command.h"
#include "commands.h"
#include "region.h"
#include "size.h"
#include "text.h"

#define PATIENCE_MS	5000u
#define SERVERS_DEFAULT	"127.0.0.1:9999"

static const char usage[] =
"Usage: giantvm region make NAME [SIZE] [OPTION]...\n"
"       giantvm region list [OPTION]...\n"
"       giantvm region status NAME [OPTION]...\n"
"       giantvm region remove NAME [OPTION]...\n"
"Make, show and remove shared regions, which many programs use as one memory.\n"
"\n"
"  --servers LIST   the servers that keep it, HOST:PORT with commas between,\n"
"                   always in the same order [" SERVERS_DEFAULT "]\n"
"  --cluster FILE   take servers, size, slices and lease from this cluster.conf\n"
"  --slice SIZE     make: how much lies on a server before the next one has its\n"
"                   turn, a power of two [1G]\n"
"  --lease MS       make: how long a node may be silent before it is out\n"
"  --force          remove: although nodes use it; they are cut off\n"
"  --json           list, status: print a JSON value\n"
"  --help           show this help\n";

struct options {
	const char	*servers;
	const char	*cluster;
	uint64_t	slice_bytes;
	uint64_t	lease_ms;
	int		force;
	int		json;
	/* What they come to. */
	struct gvm_conf	*conf;
	const struct gvm_conf_region *region;	/* in conf, or NULL */
	struct gvm_address *server;
	unsigned	server_nr;
};

static int resolve_list(struct options *o)
{
	char *all = gvm_address_list("region", o->servers ? o->servers :
				     SERVERS_DEFAULT);
	const char *why, *at = all;

	if (!all)
		return GVM_EXIT_USAGE;
	o->server = calloc(GVM_ADDRESSES_MAX, sizeof(*o->server));
	while (o->server && *at) {
		size_t len = strcspn(at, ",");

		/* They are numeric by now. */
		if (gvm_address_resolve(at, len, &o->server[o->server_nr++],
					&why))
			break;
		at += len + (at[len] == ',');
	}
	free(all);
	return o->server ? GVM_EXIT_OK : GVM_EXIT_FAIL;
}

static int resolve_one(struct options *o, const struct gvm_conf_server *s)
{
	const char *why;

	if (!gvm_address_resolve(s->address, strlen(s->address),
				 &o->server[o->server_nr++], &why))
		return GVM_EXIT_OK;
	gvm_complain("%s:%u: server '%s' is at '%s': %s", o->cluster, s->line,
		     s->name, s->address, why);
	return GVM_EXIT_FAIL;
}

/* name NULL: all servers of the file. */
static int resolve_cluster(struct options *o, const char *name)
{
	char why[GVM_CONF_WHY_MAX];
	unsigned nr;
	int ret = GVM_EXIT_OK;

	if (gvm_conf_read(o->cluster, &o->conf, why)) {
		gvm_complain("%s", why);
		return GVM_EXIT_FAIL;
	}
	if (name)
		o->region = gvm_conf_region(o->conf, name);
	if (name && !o->region) {
		gvm_complain("region: %s has no region '%s'", o->cluster, name);
		return GVM_EXIT_FAIL;
	}
	nr = name ? o->region->servers_nr : o->conf->servers_nr;
	o->server = calloc(nr, sizeof(*o->server));
	if (!o->server)
		return GVM_EXIT_FAIL;
	for (unsigned i = 0; i < nr && !ret; i++)
		ret = resolve_one(o, &o->conf->servers[name ?
						o->region->servers[i] : i]);
	return ret;
}

static int resolve(struct options *o, const char *name)
{
	if (o->cluster && o->servers) {
		gvm_complain("region: --servers and --cluster both say where; leave one out");
		return GVM_EXIT_USAGE;
	}
	return o->cluster ? resolve_cluster(o, name) : resolve_list(o);
}

static const struct sockaddr *sockaddr_of(const struct gvm_address *a)
{
	return (const struct sockaddr *)&a->sa;
}

static void complain(const char *what, const struct gvm_address *a, int err,
		     const char *why)
{
	gvm_complain("region %s: memory server %s: %s%s", what, a->text, why,
		     err == -ECONNREFUSED ?
		     "; is 'giantvm serve' running there?" : "");
}

/* The first nr servers have just made it: nobody uses it yet. */
static void take_back(const struct options *o, const char *name, unsigned nr)
{
	char why[GVM_QUERY_WHY_MAX];

	for (unsigned i = 0; i < nr; i++)
		gvm_query_region_remove(sockaddr_of(&o->server[i]),
					o->server[i].sa_len, PATIENCE_MS, name,
					false, why);
}

static int make(const struct options *o, const char *name, uint64_t bytes)
{
	struct gvm_region_plan plan = {
		.name = name, .bytes = bytes, .slice_bytes = o->slice_bytes,
		.lease_ms = (uint32_t)o->lease_ms,
		.servers = (uint16_t)o->server_nr,
	};
	char why[GVM_QUERY_WHY_MAX];

	if (o->region) {
		plan.bytes = o->region->size_bytes;
		plan.slice_bytes = o->region->slice_bytes;
		plan.lease_ms = o->conf->lease_ms;
		memcpy(plan.cluster, o->conf->fingerprint,
		       sizeof(plan.cluster));
	}
	for (unsigned i = 0; i < o->server_nr; i++) {
		const struct gvm_address *a = &o->server[i];
		int err;

		plan.server = (uint16_t)i;
		err = gvm_query_region_make(sockaddr_of(a), a->sa_len,
					    PATIENCE_MS, &plan, why);
		if (!err)
			continue;
		complain("make", a, err, why);
		take_back(o, name, i);
		return GVM_EXIT_FAIL;
	}
	return GVM_EXIT_OK;
}

static int make_said(struct options *o, const char *name, const char *size)
{
	uint64_t bytes = 0;
	int ret;

	if (o->cluster && (size || o->slice_bytes || o->lease_ms)) {
		gvm_complain("region make: size, slices and lease are in %s; say them there",
			     o->cluster);
		return GVM_EXIT_USAGE;
	}
	if (!o->cluster && !size) {
		gvm_complain("region make: how large? write 'giantvm region make %s SIZE'",
			     name);
		return GVM_EXIT_USAGE;
	}
	if (size && !gvm_size("region make", "SIZE", size, 4096,
			     GVM_SIZE_MAX, &bytes))
		return GVM_EXIT_USAGE;
	if (bytes % 4096 || bytes > GVM_CONF_BYTES_MAX ||
	    o->slice_bytes & (o->slice_bytes - 1)) {
		gvm_complain("region make: a size is a multiple of 4K and at most 1P, and a slice is a power of two");
		return GVM_EXIT_USAGE;
	}
	ret = resolve(o, name);
	return ret ? ret : make(o, name, bytes);
}

static int remove_said(struct options *o, const char *name)
{
	char why[GVM_QUERY_WHY_MAX];
	unsigned absent = 0;
	int ret = resolve(o, name);

	if (ret)
		return ret;
	for (unsigned i = 0; i < o->server_nr; i++) {
		const struct gvm_address *a = &o->server[i];
		int err = gvm_query_region_remove(sockaddr_of(a), a->sa_len,
						  PATIENCE_MS, name, o->force,
						  why);

		if (!err)
			continue;
		if (err == -ENOENT && ++absent < o->server_nr)
			continue;
		complain("remove", a, err, why);
		ret = GVM_EXIT_FAIL;
	}
	return ret;
}

/* Ask every server; name NULL: for its list. */
static int show(struct options *o, const char *name)
{
	struct gvm_region_answer *a;
	unsigned heard = 0;
	int ret = resolve(o, name);

	if (ret)
		return ret;
	a = calloc(o->server_nr, sizeof(*a));
	for (unsigned i = 0; a && i < o->server_nr; i++) {
		const struct gvm_address *s = &o->server[i];
		int err;

		a[i].address = s->text;
		err = name ? gvm_query_region_status(sockaddr_of(s), s->sa_len,
				PATIENCE_MS, name, &a[i].report, a[i].error) :
			gvm_query_region_list(sockaddr_of(s), s->sa_len,
				PATIENCE_MS, &a[i].list, &a[i].list_nr,
				a[i].error);
		a[i].absent = err == -ENOENT;
		heard += !err;
		if (err)
			complain(name ? "status" : "list", s, err, a[i].error);
		else
			a[i].error[0] = '\0';
	}
	ret = heard == o->server_nr ? GVM_EXIT_OK : GVM_EXIT_FAIL;
	if (!a || (heard && (name ? gvm_region_show_status(name, a,
						o->server_nr, o->json) :
			     gvm_region_show_list(a, o->server_nr, o->json))))
		ret = GVM_EXIT_FAIL;
	for (unsigned i = 0; a && i < o->server_nr; i++) {
		free(a[i].list);
		gvm_region_report_free(&a[i].report);
	}
	free(a);
	return ret;
}

enum verb { MAKE, LIST, STATUS, REMOVE };

static int obey(struct options *o, enum verb verb, const char *name,
		const char *size)
{
	if (verb != LIST && !name) {
		gvm_complain("region: which region? 'giantvm region list' shows them");
		return GVM_EXIT_USAGE;
	}
	if (name && !gvm_region_name_ok(name)) {
		gvm_complain("region: '%.80s' cannot be the name of a region: use letters, digits, '.', '_' and '-', %u at most",
			     name, GVM_REGION_NAME_BYTES - 1);
		return GVM_EXIT_USAGE;
	}
	switch (verb) {
	case MAKE:
		return make_said(o, name, size);
	case REMOVE:
		return remove_said(o, name);
	default:
		return show(o, name);
	}
}

static int read_options(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{ "servers", required_argument, NULL, 's' },
		{ "cluster", required_argument, NULL, 'c' },
		{ "slice", required_argument, NULL, 'z' },
		{ "lease", required_argument, NULL, 'l' },
		{ "force", no_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	int c;

	while ((c = gvm_getopt(argc, argv, "h", options)) != -1) {
		switch (c) {
		case 's':
			o->servers = optarg;
			break;
		case 'c':
			o->cluster = optarg;
			break;
		case 'z':
			if (!gvm_size("region", "--slice", optarg,
				      GVM_CONF_SLICE_MIN, GVM_SIZE_MAX,
				      &o->slice_bytes))
				return GVM_EXIT_USAGE;
			break;
		case 'l':
			if (!gvm_number("region", "--lease", optarg,
					GVM_CONF_LEASE_MS_MIN,
					GVM_CONF_LEASE_MS_MAX, &o->lease_ms))
				return GVM_EXIT_USAGE;
			break;
		case 'f':
			o->force = 1;
			break;
		case 'j':
			o->json = 1;
			break;
		case 'h':
			fputs(usage, stdout);
			return -1;
		default:
			return GVM_EXIT_USAGE;
		}
	}
	return GVM_EXIT_OK;
}

int gvm_cmd_region(int argc, char **argv)
{
	static const char *const verbs[] = {
		[MAKE] = "make", [LIST] = "list", [STATUS] = "status",
		[REMOVE] = "remove", NULL
	};
	static const int words[] = { 3, 1, 2, 2 };
	struct options o = { 0 };
	int ret = read_options(argc, argv, &o);
	int verb;

	if (ret)
		return ret < 0 ? GVM_EXIT_OK : ret;
	if (optind == argc) {
		gvm_complain("region: do what? write 'giantvm region make', list, status or remove");
		return GVM_EXIT_USAGE;
	}
	verb = gvm_choice("region", "command", argv[optind], verbs);
	if (verb < 0)
		return GVM_EXIT_USAGE;
	if (argc - optind > words[verb])
		return gvm_surplus("region", argv[optind + words[verb]]);
	ret = obey(&o, (enum verb)verb,
		   argc - optind > 1 ? argv[optind + 1] : NULL,
		   argc - optind > 2 ? argv[optind + 2] : NULL);
	free(o.server);
	gvm_conf_free(o.conf);
	return ret;
}
