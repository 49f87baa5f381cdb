// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From a run that went wrong to one that a person can read: try it with less
 * of everything as long as the same still goes wrong, but for its numbers, then
 * tell what happened to the page.
 */
#include <stdio.h>
#include <string.h>

#include "sim.h"

#define TRIES_MAX	600u
#define SEEDS		12u	/* others tried for each smaller run */

char *gvm_sim_command(const struct gvm_sim_config *c, char *buf, size_t len)
{
	size_t n;

	n = (size_t)snprintf(buf, len,
		"giantvm sim --seed %llu --design %s --load %s --nodes %u --homes %u --threads %u --pages %u --limit %u --ops %u --writes %u.%04u --think %lluns --rtt %lluns --tail %lluns --cpu %lluns --loss %u.%04u --dup %u.%04u --reorder %u.%04u --crashes %u --partitions %u --slow %u --lease %lluns --retry %lluns --storm %lluns --fanout %u --sets %u --txns %u",
		(unsigned long long)c->seed, gvm_sim_design_names[c->design],
		gvm_sim_load_names[c->load], c->nodes, c->homes, c->threads,
		c->pages, c->limit, c->ops, c->writes_ppm / 10000,
		c->writes_ppm % 10000, (unsigned long long)c->think_ns,
		(unsigned long long)c->rtt_ns, (unsigned long long)c->tail_ns,
		(unsigned long long)c->cpu_ns, c->loss_ppm / 10000,
		c->loss_ppm % 10000, c->dup_ppm / 10000, c->dup_ppm % 10000,
		c->reorder_ppm / 10000, c->reorder_ppm % 10000, c->crashes,
		c->partitions, c->slow, (unsigned long long)c->lease_ns,
		(unsigned long long)c->retry_ns,
		(unsigned long long)c->storm_ns, c->fanout, c->sets, c->txns);
	if (n < len && c->hold_ns == ~0ull)
		n += (size_t)snprintf(buf + n, len - n, " --hold auto");
	else if (n < len)
		n += (size_t)snprintf(buf + n, len - n, " --hold %lluns",
				      (unsigned long long)c->hold_ns);
	if (n < len && c->starve_ns)
		n += (size_t)snprintf(buf + n, len - n, " --starve %lluns",
				      (unsigned long long)c->starve_ns);
	if (n < len && c->trace)
		n += (size_t)snprintf(buf + n, len - n, " --trace %s", c->trace);
	if (n < len)
		snprintf(buf + n, len - n, "%s%s", c->restart ? " --restart" : "",
			 c->check ? " --check" : "");
	return buf;
}

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The same words, with whatever numbers. */
static bool same_words(const char *a, const char *b)
{
	for (;;) {
		while (digit(*a))
			a++;
		while (digit(*b))
			b++;
		if (*a != *b)
			return false;
		if (!*a)
			return true;
		a++;
		b++;
	}
}

/* Does the same go wrong with this configuration, with some seed? */
static bool goes_wrong(const struct gvm_sim_config *config, const char *why,
		       unsigned *tries, struct gvm_sim_outcome *ret)
{
	struct gvm_sim_config c = *config;

	for (unsigned i = 0; i < SEEDS && *tries < TRIES_MAX; i++) {
		(*tries)++;
		if (gvm_sim_try(&c, GVM_SIM_MUTE, ret))
			return false;
		if (gvm_sim_bad(ret) && same_words(ret->result.why, why))
			return true;
		c.seed = config->seed * 1000 % 1000000007 + i;
	}
	return false;
}

static void make_small(struct gvm_sim_outcome *o)
{
	unsigned tries = 0;
	bool smaller = true;

	while (smaller && tries < TRIES_MAX) {
		struct gvm_sim_config c;

		smaller = false;
		for (unsigned step = 0; gvm_sim_smaller(&o->config, step, &c);
		     step++) {
			struct gvm_sim_outcome try;

			if (!memcmp(&c, &o->config, sizeof(c)) ||
			    gvm_sim_check(&c) ||
			    !goes_wrong(&c, o->result.why, &tries, &try))
				continue;
			*o = try;
			smaller = true;
		}
	}
}

/* A broken invariant names no page: all are told then. */
static void tell(const struct gvm_sim_outcome *o)
{
	struct gvm_sim_config c = o->config;
	struct gvm_sim_outcome again;

	c.story_page = o->result.fail_page;
	if (c.story_page == ~0ull)
		c.story_page = GVM_SIM_STORY_ALL;
	gvm_sim_try(&c, GVM_SIM_ENDING, &again);
}

void gvm_sim_explain(const struct gvm_sim_outcome *o, bool shrink)
{
	struct gvm_sim_outcome small = *o;
	char command[1024];

	printf("\nWRONG: %s\nseed %llu, commit %s; again with:\n  %s\n",
	       o->result.why, (unsigned long long)o->config.seed, gvm_commit,
	       gvm_sim_command(&o->config, command, sizeof(command)));
	if (!shrink)
		return;
	fflush(stdout);
	make_small(&small);
	printf("\nthe smallest run found that goes wrong: %s\n  %s\n",
	       small.result.why,
	       gvm_sim_command(&small.config, command, sizeof(command)));
	if (small.result.fail_page != ~0ull)
		printf("what happens to page %llu:\n",
		       (unsigned long long)small.result.fail_page);
	else
		printf("what happens:\n");
	tell(&small);
}
