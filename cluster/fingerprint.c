// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * 16 bytes that are the same on two machines if, but for chance, their files
 * agree in what must agree.  FNV-1a of 128 bits over the values in a fixed
 * order: stable over versions and machines, and not made against malice.
 * A value that is added to the file must be added here, or be one machine's own.
 */
#include <stdio.h>
#include <string.h>

#include "parse.h"

/* Changes when the meaning of a file changes. */
#define FORMAT	"giantvm cluster 1"

static void add(__uint128_t *hash, const void *bytes, size_t len)
{
	const __uint128_t prime = (__uint128_t)1 << 88 | 0x13b;
	const uint8_t *from = bytes;

	while (len--) {
		*hash ^= *from++;
		*hash *= prime;
	}
}

static void add_number(__uint128_t *hash, uint64_t value)
{
	uint8_t bytes[8];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
	add(hash, bytes, sizeof(bytes));
}

/* With its NUL, so that "ab", "c" is not "a", "bc". */
static void add_text(__uint128_t *hash, const char *text)
{
	add(hash, text, strlen(text) + 1);
}

static void add_regions(__uint128_t *hash, const struct gvm_conf *c)
{
	add_number(hash, c->regions_nr);
	for (unsigned i = 0; i < c->regions_nr; i++) {
		const struct gvm_conf_region *r = &c->regions[i];

		add_text(hash, r->name);
		add_number(hash, r->size_bytes);
		add_number(hash, r->slice_bytes);
		add_number(hash, r->servers_nr);
		for (unsigned k = 0; k < r->servers_nr; k++)
			add_number(hash, r->servers[k]);
	}
}

void gvm_parse_fingerprint(struct gvm_conf *c)
{
	__uint128_t hash = (__uint128_t)0x6c62272e07bb0142ull << 64 |
			   0x62b821756295c58dull;

	add_text(&hash, FORMAT);
	add_text(&hash, c->name);
	add_number(&hash, c->lease_ms);
	if (c->turn_us) {
		add_text(&hash, "turn_us");
		add_number(&hash, c->turn_us);
	}
	add_number(&hash, c->servers_nr);
	for (unsigned i = 0; i < c->servers_nr; i++) {
		add_text(&hash, c->servers[i].name);
		add_text(&hash, c->servers[i].address);
		if (c->servers[i].node != GVM_CONF_NODE_NONE)
			add_number(&hash, c->servers[i].node);
	}
	add_number(&hash, c->nodes_nr);
	for (unsigned i = 0; i < c->nodes_nr; i++) {
		add_number(&hash, c->nodes[i].id);
		add_text(&hash, c->nodes[i].address);
	}
	add_number(&hash, c->vcpus_nr);
	for (unsigned i = 0; i < c->vcpus_nr; i++)
		add_number(&hash, c->vcpu_node[i]);
	add_regions(&hash, c);
	for (unsigned i = 0; i < GVM_CONF_FINGERPRINT; i++)
		c->fingerprint[i] =
			(uint8_t)(hash >> 8 * (GVM_CONF_FINGERPRINT - 1 - i));
}

void gvm_conf_fingerprint_print(const struct gvm_conf *conf, char *ret)
{
	for (unsigned i = 0; i < GVM_CONF_FINGERPRINT; i++)
		snprintf(ret + 2 * i, 3, "%02x", conf->fingerprint[i]);
}
