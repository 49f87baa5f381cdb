// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a page that two nodes write in turn moves slower and slower,
 * until each keeps it for two milliseconds: a hold that is measured by fetches
 * must not be measured by those that waited for somebody's hold.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "story.h"

#define TRIP	50000u	/* one message; a hold of two round trips is far above the least */

static u64 time_ns;

static const char *act(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
static const char *act(const char *format, ...)
{
	static char text[64];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return story_do(text);
}

static void trip(void)
{
	time_ns += TRIP;
	act("wait %u", TRIP);
}

static void hand_over(u32 from, u32 to)
{
	act("write %u", to);
	trip();
	act("> GX %u>H", to);
	trip();
	if (!act("> RC H>%u", from)[0]) {
		/* It is held. */
		for (u32 i = 0; i < 20000; i++) {
			story_do("wait 100");
			time_ns += 100;
			if (act("tick %u", from)[0] == 'p')
				break;
		}
	}
	trip();
	act("> GR %u>%u", from, to);
	act("> DN %u>H", to);
	act("> CF H>%u", from);
}

int main(void)
{
	static const struct story_config c = {
		.nodes = 2, .hold_ns = GVM_HOLD_AUTO,
	};

	story_begin("two writers in turn", &c);
	for (u32 n = 0; n < 2; n++) {
		for (u32 p = 1; p < 20; p++) {
			act("read %u @%u", n, p);
			trip();
			act("> GS %u>H @%u", n, p);
			trip();
			act("> GR H>%u @%u", n, p);
		}
	}
	act("own 0");
	time_ns = 0;
	for (u32 i = 0; i < 200; i++)
		hand_over(i % 2, !(i % 2));
	/* Three trips; or one, and a hold of twice a round trip. */
	CHECK(time_ns < 200 * 6 * TRIP);
	return 0;
}
