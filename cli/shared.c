// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `giantvm run --shared`: which files of the program are shared regions, where
 * these lie, and which node this is.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "conf.h"
#include "run.h"
#include "server/query-region.h"
#include "size.h"
#include "text.h"

bool gvm_run_cluster(struct gvm_run *run, const char *path)
{
	char why[GVM_CONF_WHY_MAX];

	if (gvm_conf_read(path, &run->cluster, why) == 0)
		return true;
	gvm_complain("run: %s", why);
	return false;
}

/* "NAME:SIZE@PATH" into its parts; the word is cut up. */
static bool parse(const struct gvm_run *run, char *word, uint64_t *ret_bytes,
		  const char **ret_path)
{
	char *sign = strchr(word, '@');
	char *colon = strchr(word, ':');
	char option[128];

	if (!sign || !sign[1] || sign == word || colon == word ||
	    (colon && colon > sign)) {
		gvm_complain("run: --shared %s: must be NAME:SIZE@PATH, such as grid:1G@/tmp/grid",
			     word);
		return false;
	}
	if (!colon && !run->cluster) {
		gvm_complain("run: --shared %s: no size; NAME:SIZE@PATH (or a --cluster file that has it)",
			     word);
		return false;
	}
	*ret_path = sign + 1;
	*sign = '\0';
	*ret_bytes = 0;
	if (colon)
		*colon = '\0';
	if (!gvm_region_name_ok(word)) {
		gvm_complain("run: --shared %.80s: cannot be the name of a region: use letters, digits, '.', '_' and '-', %u at most",
			     word, GVM_REGION_NAME_BYTES - 1);
		return false;
	}
	if (!colon)
		return true;
	snprintf(option, sizeof(option), "--shared %s: size", word);
	if (!gvm_size("run", option, colon + 1, 4096, GVM_SIZE_MAX,
		      ret_bytes))
		return false;
	if (*ret_bytes % 4096)
		gvm_complain("run: --shared %s: size %s must be a multiple of 4096",
			     word, colon + 1);
	return *ret_bytes % 4096 == 0;
}

/* Is there such a line already, of that name or with that path?  See add(). */
static bool has(const struct gvm_run *run, const char *name, const char *path)
{
	const size_t name_len = strlen(name), path_len = strlen(path);
	const char *at = run->shared ? run->shared : "";

	for (const char *end; (end = strchr(at, '\n')); at = end + 1) {
		if (strncmp(at, name, name_len) == 0 && at[name_len] == ' ') {
			gvm_complain("run: --shared %s: the region is named twice; open its path as often as you like",
				     name);
			return true;
		}
		if ((size_t)(end - at) > path_len &&
		    end[-(ptrdiff_t)path_len - 1] == ' ' &&
		    strncmp(end - path_len, path, path_len) == 0) {
			gvm_complain("run: --shared %s: %s is another region already",
				     name, path);
			return true;
		}
	}
	return false;
}

static char *join(char *list, const char *word)
{
	size_t len = list ? strlen(list) : 0;

	list = realloc(list, len + strlen(word) + 2);
	if (!list) {
		gvm_complain("run: out of memory");
		exit(1);
	}
	if (len)
		list[len++] = ',';
	memcpy(list + len, word, strlen(word) + 1);
	return list;
}

/* What the cluster file says of a region; its servers are to be freed. */
static char *from_cluster(struct gvm_run *run, const char *name,
			  uint64_t *bytes, uint64_t *slice)
{
	const struct gvm_conf_region *r = gvm_conf_region(run->cluster, name);
	char *names = NULL, *list;

	if (!r) {
		gvm_complain("run: --shared %s: the cluster file has no such region",
			     name);
		return NULL;
	}
	if (*bytes && *bytes != r->size_bytes) {
		gvm_complain("run: --shared %s: the cluster file says another size; leave it out",
			     name);
		return NULL;
	}
	*bytes = r->size_bytes;
	*slice = r->slice_bytes;
	for (unsigned i = 0; i < r->servers_nr; i++)
		names = join(names,
			     run->cluster->servers[r->servers[i]].address);
	list = gvm_address_list("run", names);
	free(names);
	return list;
}

static bool add(struct gvm_run *run, char *word)
{
	char here[4096] = "", *servers, *all, *full;
	uint64_t bytes, slice = 0;
	const char *path;
	bool twice;

	if (!parse(run, word, &bytes, &path))
		return false;
	if (strchr(path, '\n')) {
		gvm_complain("run: --shared %s: a path without line ends, please",
			     word);
		return false;
	}
	if (*path != '/' && !getcwd(here, sizeof(here) - 1)) {
		gvm_complain("run: --shared %s: the working directory is gone; give the whole path",
			     word);
		return false;
	}
	if (asprintf(&full, "%s%s%s", here, *here ? "/" : "", path) < 0)
		return false;
	twice = has(run, word, full);
	if (twice) {
		free(full);
		return false;
	}
	servers = run->cluster ? from_cluster(run, word, &bytes, &slice) :
		  run->servers ? strdup(run->servers) : NULL;
	if (!servers) {
		if (!run->cluster)
			gvm_complain("run: --shared needs --servers (the same list on all nodes) or --cluster");
		free(full);
		return false;
	}
	if (asprintf(&all, "%s%s %" PRIu64 " %" PRIu64 " %s %s\n",
		     run->shared ? run->shared : "", word, bytes, slice,
		     servers, full) < 0)
		all = NULL;
	free(servers);
	free(full);
	free(run->shared);
	run->shared = all;
	return all;
}

static bool find_node(struct gvm_run *run)
{
	const struct gvm_conf_node *node;

	if (run->node < 0) {
		gvm_complain("run: --shared needs --node N: the number of this node, different on all");
		return false;
	}
	if (!run->cluster)
		return true;
	node = gvm_conf_node(run->cluster, (uint32_t)run->node);
	if (!node) {
		gvm_complain("run: the cluster file has no node %" PRId64,
			     run->node);
		return false;
	}
	if (!run->shared_local)
		run->shared_local = node->local_bytes;
	if (!run->listen)
		run->listen = node->address;
	return true;
}

bool gvm_run_shared(struct gvm_run *run, char *const *words, int nr)
{
	if (run->record && nr != 1) {
		gvm_complain("run: --record is for one --shared region");
		return false;
	}
	if (!nr)
		return true;
	if (!find_node(run))
		return false;
	for (int i = 0; i < nr; i++)
		if (!add(run, words[i]))
			return false;
	return true;
}
