// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One value of a cluster.conf at a time: is it what its key wants?  Knows
 * nothing of other sections but which vCPUs are taken.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hostport.h"
#include "parse.h"
#include "size.h"

#define LABEL_CHARS	"abcdefghijklmnopqrstuvwxyz" \
			"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

int gvm_parse_label(struct gvm_parse *p, const char *what, const char *text,
		    char *ret)
{
	size_t len = strlen(text);

	if (text[strspn(text, LABEL_CHARS)])
		return gvm_parse_fail(p, p->line, "%s '%s' may have letters, digits, dots, underscores and hyphens only",
				      what, text);
	if (!len || len > GVM_CONF_LABEL_MAX)
		return gvm_parse_fail(p, p->line, "%s '%s' has more than %u characters; shorten it",
				      what, text, GVM_CONF_LABEL_MAX);
	memcpy(ret, text, len + 1);
	return 0;
}

int gvm_parse_number(struct gvm_parse *p, const char *key, const char *text,
		     uint32_t min, uint32_t max, uint32_t *ret)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || n < min || n > max)
		return gvm_parse_fail(p, p->line, "%s '%s' is not a number from %u to %u",
				      key, text, min, max);
	*ret = (uint32_t)n;
	return 0;
}

int gvm_parse_size(struct gvm_parse *p, const char *key, const char *text,
		   uint64_t min, uint64_t *ret)
{
	char limit[GVM_SIZE_TEXT_MAX];
	uint64_t bytes;
	int err = gvm_size_parse(text, &bytes);

	if (err)
		return gvm_parse_fail(p, p->line, "%s '%s' is %s", key, text,
				      gvm_size_why(err));
	if (bytes < min)
		return gvm_parse_fail(p, p->line, "%s '%s' is too small; the least is %s",
				      key, text,
				      gvm_size_print(min, limit, sizeof(limit)));
	if (bytes > GVM_CONF_BYTES_MAX)
		return gvm_parse_fail(p, p->line, "%s '%s' is too large; the most is 1 PiB",
				      key, text);
	if (bytes % 4096)
		return gvm_parse_fail(p, p->line, "%s '%s' is not a multiple of 4 KiB",
				      key, text);
	*ret = bytes;
	return 0;
}

int gvm_parse_address(struct gvm_parse *p, const char *text, const char **ret)
{
	char host[GVM_HOST_MAX], port[GVM_PORT_MAX];
	const char *why;

	if (gvm_hostport_split(text, strlen(text), NULL, host, port, &why) ||
	    gvm_hostport_check(host, &why))
		return gvm_parse_fail(p, p->line, "address '%s': %s", text,
				      why);
	*ret = strdup(text);
	return *ret ? 0 : gvm_parse_fail_memory(p);
}

/*
 * The next word of a list and what is behind it; NULL: there is none.  Commas
 * and blanks part words, so that a list may end with a comma in one line and go
 * on in the next.
 */
static const char *next_word(const char **at, char *ret, size_t room)
{
	const char *from = *at + strspn(*at, ", \t");
	size_t len = strcspn(from, ", \t");

	*at = from + len;
	snprintf(ret, room, "%.*s", (int)len, from);
	return len ? ret : NULL;
}

static int bad_vcpus(struct gvm_parse *p, const char *word)
{
	return gvm_parse_fail(p, p->line, "vcpus '%s' is not a number or a range below %u; write them like 0-3,8",
			      word, GVM_CONF_VCPUS_MAX);
}

/* "3" or "0-3" */
static int read_range(struct gvm_parse *p, const char *word,
		      struct gvm_conf_vcpus *ret)
{
	unsigned long first, last;
	char *end;

	if (*word < '0' || *word > '9')
		return bad_vcpus(p, word);
	first = last = strtoul(word, &end, 10);
	if (*end == '-') {
		if (end[1] < '0' || end[1] > '9')
			return bad_vcpus(p, word);
		last = strtoul(end + 1, &end, 10);
	}
	if (*end || first > last || last >= GVM_CONF_VCPUS_MAX)
		return bad_vcpus(p, word);
	ret->first = (uint32_t)first;
	ret->last = (uint32_t)last;
	return 0;
}

static int take_vcpus(struct gvm_parse *p, const struct gvm_conf_vcpus *r,
		      uint32_t id)
{
	for (uint32_t v = r->first; v <= r->last; v++) {
		if (p->vcpu_taken[v])
			return gvm_parse_fail(p, p->line, "vCPU %u is on node %u already; put each vCPU on one node",
					      v, p->vcpu_taken[v] - 1u);
		p->vcpu_taken[v] = (uint16_t)(id + 1);
	}
	return 0;
}

int gvm_parse_vcpus(struct gvm_parse *p, const char *text,
		    struct gvm_conf_node *node)
{
	char word[GVM_PARSE_LINE_MAX + 1];
	struct gvm_conf_vcpus range, *all;
	const char *at = text;

	while (next_word(&at, word, sizeof(word))) {
		if (read_range(p, word, &range) ||
		    take_vcpus(p, &range, node->id))
			return p->err;
		all = gvm_parse_grow(p, node->vcpus, node->vcpus_nr,
				     sizeof(*all));
		if (!all)
			return p->err;
		node->vcpus = all;
		all[node->vcpus_nr++] = range;
	}
	if (!node->vcpus_nr)
		return bad_vcpus(p, text);
	return 0;
}

int gvm_parse_wishes(struct gvm_parse *p, const char *text)
{
	char word[GVM_PARSE_LINE_MAX + 1];
	struct gvm_parse_wish *all;
	unsigned before = p->wishes_nr;

	while (next_word(&text, word, sizeof(word))) {
		all = gvm_parse_grow(p, p->wishes, p->wishes_nr, sizeof(*all));
		if (!all)
			return p->err;
		p->wishes = all;
		all += p->wishes_nr;
		all->region = p->conf->regions_nr - 1;
		all->line = p->line;
		if (gvm_parse_label(p, "server", word, all->server))
			return p->err;
		p->wishes_nr++;
	}
	if (p->wishes_nr == before)
		return gvm_parse_fail(p, p->line, "servers names none; write them like A, B, or take the line out for all");
	return 0;
}
