// SPDX-License-Identifier: GPL-2.0-or-later
/* The file as a whole, and what is looked up in it: see conf.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parse.h"

#define FILE_NAME_MAX	160	/* characters of it in a complaint */

int gvm_parse_fail(struct gvm_parse *p, unsigned line, const char *format, ...)
{
	va_list ap;
	int len;

	if (p->err)
		return p->err;
	p->err = -EINVAL;
	if (line)
		len = snprintf(p->why, GVM_CONF_WHY_MAX, "%.*s:%u: ",
			       FILE_NAME_MAX, p->file, line);
	else
		len = snprintf(p->why, GVM_CONF_WHY_MAX, "%.*s: ",
			       FILE_NAME_MAX, p->file);
	va_start(ap, format);
	vsnprintf(p->why + len, GVM_CONF_WHY_MAX - (size_t)len, format, ap);
	va_end(ap);
	return p->err;
}

int gvm_parse_fail_memory(struct gvm_parse *p)
{
	if (!p->err) {
		gvm_parse_fail(p, 0, "no memory to read it");
		p->err = -ENOMEM;
	}
	return p->err;
}

/* Room doubles whenever it is used up, which is at powers of two. */
void *gvm_parse_grow(struct gvm_parse *p, void *entries, unsigned nr,
		     size_t size)
{
	char *all = entries;

	if (!(nr & (nr - 1))) {
		all = reallocarray(entries, nr ? 2 * (size_t)nr : 1, size);
		if (!all) {
			gvm_parse_fail_memory(p);
			return NULL;
		}
	}
	memset(all + nr * size, 0, size);
	return all;
}

int gvm_conf_parse(const char *file, const char *text, size_t len,
		   struct gvm_conf **ret, char *why)
{
	struct gvm_parse *p = calloc(1, sizeof(*p));
	struct gvm_conf *conf = calloc(1, sizeof(*conf));
	int err;

	if (!p || !conf) {
		free(p);
		free(conf);
		snprintf(why, GVM_CONF_WHY_MAX, "%.*s: no memory to read it",
			 FILE_NAME_MAX, file);
		return -ENOMEM;
	}
	conf->lease_ms = GVM_CONF_LEASE_MS;
	p->file = file;
	p->at = text;
	p->end = text + len;
	p->conf = conf;
	p->why = why;
	if (!gvm_parse_lines(p) && !gvm_parse_whole(p))
		gvm_parse_fingerprint(conf);
	err = p->err;
	free(p->wishes);
	free(p);
	if (err) {
		gvm_conf_free(conf);
		return err;
	}
	*ret = conf;
	return 0;
}

/* Everything that fd gives.  0, or -errno; -EFBIG: it does not fit. */
static int read_all(int fd, char *text, size_t *ret_len)
{
	size_t len = 0;
	ssize_t n;

	for (;;) {
		n = read(fd, text + len, GVM_CONF_FILE_MAX + 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		len += (size_t)n;
		if (len > GVM_CONF_FILE_MAX)
			return -EFBIG;
	}
	*ret_len = len;
	return 0;
}

int gvm_conf_read(const char *path, struct gvm_conf **ret, char *why)
{
	char *text = malloc(GVM_CONF_FILE_MAX + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	int err;

	if (fd < 0)
		err = -errno;
	else if (!text)
		err = -ENOMEM;
	else
		err = read_all(fd, text, &len);
	if (fd >= 0)
		close(fd);
	if (!err)
		err = gvm_conf_parse(path, text, len, ret, why);
	else if (err == -EFBIG)
		snprintf(why, GVM_CONF_WHY_MAX, "%.*s: has more than %u MiB; is this a cluster.conf?",
			 FILE_NAME_MAX, path, GVM_CONF_FILE_MAX >> 20);
	else
		snprintf(why, GVM_CONF_WHY_MAX, "%.*s: cannot be read (%s); name a file that giantvm-cluster.conf(5) describes",
			 FILE_NAME_MAX, path, strerror(-err));
	free(text);
	return err;
}

void gvm_conf_free(struct gvm_conf *conf)
{
	if (!conf)
		return;
	for (unsigned i = 0; i < conf->servers_nr; i++)
		free((char *)conf->servers[i].address);
	for (unsigned i = 0; i < conf->nodes_nr; i++) {
		free((char *)conf->nodes[i].address);
		free((char *)conf->nodes[i].host);
		free(conf->nodes[i].vcpus);
	}
	for (unsigned i = 0; i < conf->regions_nr; i++)
		free(conf->regions[i].servers);
	free(conf->servers);
	free(conf->nodes);
	free(conf->regions);
	free(conf->vcpu_node);
	free(conf);
}

const struct gvm_conf_node *gvm_conf_node(const struct gvm_conf *conf,
					  uint32_t id)
{
	unsigned low = 0;
	unsigned end = conf->nodes_nr;

	while (low < end) {
		unsigned mid = low + (end - low) / 2;

		if (conf->nodes[mid].id < id)
			low = mid + 1;
		else
			end = mid;
	}
	return low < conf->nodes_nr && conf->nodes[low].id == id ?
	       &conf->nodes[low] : NULL;
}

const struct gvm_conf_server *gvm_conf_server(const struct gvm_conf *conf,
					      const char *name)
{
	for (unsigned i = 0; i < conf->servers_nr; i++) {
		if (!strcmp(conf->servers[i].name, name))
			return &conf->servers[i];
	}
	return NULL;
}

const struct gvm_conf_region *gvm_conf_region(const struct gvm_conf *conf,
					      const char *name)
{
	for (unsigned i = 0; i < conf->regions_nr; i++) {
		if (!strcmp(conf->regions[i].name, name))
			return &conf->regions[i];
	}
	return NULL;
}

unsigned gvm_conf_node_vcpus(const struct gvm_conf_node *node)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < node->vcpus_nr; i++)
		nr += node->vcpus[i].last - node->vcpus[i].first + 1;
	return nr;
}

uint64_t gvm_conf_share(const struct gvm_conf_region *r, unsigned at)
{
	uint64_t slices = gvm_conf_slices(r);
	uint64_t bytes;

	if (at >= r->servers_nr || at >= slices)
		return 0;
	bytes = ((slices - 1 - at) / r->servers_nr + 1) * r->slice_bytes;
	if ((slices - 1) % r->servers_nr == at)		/* has the last one */
		bytes -= slices * r->slice_bytes - r->size_bytes;
	return bytes;
}
