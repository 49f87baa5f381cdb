// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as a cluster.conf.  The first byte chooses: the rest is the text, or
 * each byte of it is one word of a file, which gets further by chance; or a few
 * words follow a good file, so that some are good again.
 */
#include <stdbool.h>
#include <string.h>

#include "conf.h"
#include "fuzz.h"

#define TEXT_MAX	(64u << 10)
#define GOOD_WORDS	4u	/* the first so many words are a good file */

static const char *const words[] = {
	"[cluster]\nname = lab\n", "[server A]\naddress = a:1\n",
	"[server B]\naddress = b:1\n", "[node 0]\naddress = a:2\n",
	/* From here on by chance. */
	"[node 1]\naddress = b:2\n", "[region r]\nsize = 9M\n",
	"[region s]\nslice = 2M\nsize = 8G\n", "vcpus = ", "0-3", "4,5", "4-65535",
	"servers = ", "A", "B", ",", "local = 1G\n", "host = x\n", "memory = 1G\n",
	"slice = 4M\n", "lease_ms = 700\n", "\n", "\n", "\n\t", " ", "=", "[", "]",
	"[node ", "10239", "address = [::1]:1\n", ";", "#", " ; ", "\r\n", ":",
	"99999999999999999999", "-1", "1.5", "\xef\xbb\xbf", "\xc3\xa4", "\x01",
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
	"[server]", "[region ", "size = ", "P\n", "K\n", "name = ", "address = ",
};

#define WORDS_NR	(sizeof(words) / sizeof(words[0]))

static size_t append(char *text, size_t len, const char *word)
{
	size_t n = strlen(word);

	if (len + n > TEXT_MAX)
		return len;
	memcpy(text + len, word, n);
	return len + n;
}

static size_t compose(const u8 *data, size_t size, char *text)
{
	u8 choice = *data++;
	size_t len = 0;

	size--;
	if (choice & 2) {
		for (unsigned i = 0; i < GOOD_WORDS; i++)
			len = append(text, len, words[i]);
		if (size > choice / 16)
			size = choice / 16;
	}
	for (size_t i = 0; i < size; i++)
		len = append(text, len, words[data[i] % WORDS_NR]);
	return len;
}

static void check_region(const struct gvm_conf *c,
			 const struct gvm_conf_region *r)
{
	uint64_t sum = 0;

	MUST(r->size_bytes && !(r->size_bytes % 4096));
	MUST(r->size_bytes <= GVM_CONF_BYTES_MAX);
	MUST(r->slice_bytes >= GVM_CONF_SLICE_MIN);
	MUST(!(r->slice_bytes & (r->slice_bytes - 1)));
	MUST(r->servers_nr && r->servers_nr <= c->servers_nr);
	for (unsigned k = 0; k < r->servers_nr; k++) {
		MUST(r->servers[k] < c->servers_nr);
		sum += gvm_conf_share(r, k);
	}
	MUST(sum == r->size_bytes);
	MUST(gvm_conf_home(r, r->size_bytes - 1) < c->servers_nr);
	MUST(gvm_conf_region(c, r->name) == r);
}

/* Whatever is let in is whole. */
static void check_conf(const struct gvm_conf *c)
{
	unsigned vcpus = 0;

	MUST(*c->name && c->servers_nr && c->nodes_nr);
	MUST(c->lease_ms >= GVM_CONF_LEASE_MS_MIN);
	for (unsigned i = 0; i < c->servers_nr; i++) {
		MUST(c->servers[i].address);
		MUST(gvm_conf_server(c, c->servers[i].name) == &c->servers[i]);
	}
	for (unsigned i = 0; i < c->nodes_nr; i++) {
		MUST(c->nodes[i].address);
		MUST(gvm_conf_node(c, c->nodes[i].id) == &c->nodes[i]);
		vcpus += gvm_conf_node_vcpus(&c->nodes[i]);
	}
	MUST(vcpus == c->vcpus_nr);
	for (unsigned v = 0; v < c->vcpus_nr; v++)
		MUST(gvm_conf_node(c, c->vcpu_node[v]));
	for (unsigned i = 0; i < c->regions_nr; i++)
		check_region(c, &c->regions[i]);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static char text[TEXT_MAX];
	char why[GVM_CONF_WHY_MAX] = "";
	struct gvm_conf *conf;
	size_t len;
	char *exact;

	if (!size || size > TEXT_MAX)
		return 0;
	len = size - 1;
	if (*data % 4)
		len = compose(data, size, text);
	else
		memcpy(text, data + 1, len);
	/* Ends where its memory ends: the sanitizer sees a step beyond. */
	exact = malloc(len ? len : 1);
	MUST(exact);
	memcpy(exact, text, len);
	if (!gvm_conf_parse("f", exact, len, &conf, why)) {
		check_conf(conf);
		gvm_conf_free(conf);
	} else {
		MUST(!strncmp(why, "f:", 2) && why[2]);
		for (const char *s = why; *s; s++)
			MUST(*s >= ' ' && *s <= '~');
	}
	free(exact);
	return 0;
}
