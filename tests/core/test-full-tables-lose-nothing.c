// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a table that is full, or a number that has run out, loses a
 * page, breaks a pin, or makes a thread wait for ever.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "node-inside.h"
#include "story.h"

static const char *say(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
static const char *say(const char *format, ...)
{
	static char act[64];
	va_list args;

	va_start(args, format);
	vsnprintf(act, sizeof(act), format, args);
	va_end(args);
	return story_do(act);
}

/* Everything at its smallest; all want to write everything. */
static void all_tables(void)
{
	static const struct story_config c = {
		.nodes = 24, .sets = 1, .txns = 2, .waits = 2, .wants = 2,
		.buffers = 3, .relays = 1, .hold_ns = 100,
	};
	u32 done = 0;

	story_begin("all tables full at once", &c);
	for (u32 round = 0; round < 40; round++) {
		for (u32 n = 0; n < c.nodes; n++) {
			for (u32 p = 0; p < 6; p++)
				say("%s %u @%u", (n * p + round) % 5 ?
				    "read" : "write", n, p);
		}
		story_settle();
		for (u32 p = 0; p < 6; p++) {
			for (u32 n = 0; n < c.nodes; n++) {
				if (say("look %u @%u", n, p)[0] != 'w')
					continue;
				say("set %u @%u", n, p);
				say("%s %u @%u", n % 2 ? "evict" : "look", n,
				    p);
				done++;
			}
		}
		story_settle();
	}
	CHECK(done > 40);
}

/* As many demands wait for holds as fit; a pin must hold all the same. */
static void demands(void)
{
	static const struct story_config c = {
		.nodes = 2, .wants = 60, .txns = 64, .hold_ns = 500,
	};

	story_begin("a pin, and all demands in use", &c);
	story_do("pin 0 9000 @70");
	for (u32 p = 0; p < 40; p++)
		say("write 0 @%u", p);
	story_settle();
	story_do("set 0 @70");
	for (u32 p = 0; p < 40; p++)
		say("set 0 @%u", p);
	for (u32 p = 0; p < 40; p++)
		say("write 1 @%u", p);
	story_do("write 1 @70");
	for (u32 p = 0; p < 40; p++)
		say("> GX 1>H @%u", p);
	story_do("> GX 1>H @70");
	for (u32 p = 0; p < 40; p++)
		say("> RC H>0 @%u", p);
	CHECK(!strcmp(story_do("> RC H>0 @70"), "EAGAIN"));
	CHECK(story_do("look 0 @70")[0] == 'w');
	story_do("unpin 0 @70");
	story_settle();
	CHECK(story_do("look 1 @70")[0] == 'w');
}

/* The CONFIRMs get lost: what was given stays, record by record. */
static void unconfirmed(void)
{
	static const struct story_config c = { .nodes = 2, .buffers = 600 };
	u32 n = 0;

	story_begin("more gives of one page than a record can count", &c);
	story_do("own 0");
	for (u32 i = 0; i < 700; i++) {
		u32 from = n, to = !n;

		say("write %u", to);
		say("> GX %u>H", to);
		if (!strcmp(say("> RC H>%u", from), "EAGAIN"))
			break;
		say("> GR %u>%u", from, to);
		say("set %u", to);
		say("> DN %u>H", to);
		say("x CF H>%u", from);
		n = to;
	}
	story_settle();
	CHECK(gvm_node_buffers_free(story_node(0)) == c.buffers);
}

static void many_wants(void)
{
	story_begin("more wants than a txn can count", NULL);
	story_do("own 1");
	story_node(1)->counter = 0xfffffffe;
	for (u32 i = 0; i < 4; i++) {
		story_do("put 1");
		story_do("own 1");
	}
	/* It repeats the want before, and the later one counts. */
	story_do("write 2");
	story_do("> GX 2>H");
	story_settle();
	CHECK(story_do("look 2")[0] == 'w');
}

static void no_buffer_for_a_claimed_page(void)
{
	struct gvm_node_config c = {
		.id = 1, .epoch = 1, .pages_max = 8, .wants_max = 1,
		.buffers_max = 2, .relays_max = 1, .retry_ns = 1000,
		.claim_pages = 8,
	};
	struct gvm_co_msg m = {
		.type = GVM_CO_RECALL, .flags = GVM_CO_EXCLUSIVE,
		.from = GVM_NODE_HOME, .to = 1, .requester = 2, .seq = 2,
	};
	static struct gvm_co_out out;
	struct gvm_node *n = malloc(gvm_node_size(&c));

	CHECK(n && gvm_node_init(n, &c));
	gvm_node_claim(n, 0, 8);
	for (m.page = 0; m.page < 2; m.page++)
		CHECK(!gvm_node_recv(n, &m, 1, &out));
	/* Not mapped, or the thread that comes later would never be. */
	CHECK(gvm_node_recv(n, &m, 1, &out) == -EAGAIN);
	CHECK(gvm_node_right(n, 2) == GVM_RIGHT_NONE);
	CHECK(!gvm_node_fault(n, 2, GVM_WANT_EXCLUSIVE, 1, &out));
	CHECK(out.nr == 1 && out.effect[0].what == GVM_DO_INSTALL);
	free(n);
}

int main(void)
{
	all_tables();
	demands();
	unconfirmed();
	many_wants();
	no_buffer_for_a_claimed_page();
	return 0;
}
