// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs the real core of shared regions through every interleaving of small
 * worlds: which letter comes next, is lost, comes twice; who faults, evicts,
 * asks again too early, dies, joins.  Every state that is reached is judged,
 * once: a table remembers them by 64-bit hashes (with 20 million states the
 * chance that one is taken for another is one in 100,000).
 *
 *	explore [--long] [--story] [--limit SECONDS] [NAME ...]
 *
 * Prints a line for each world.  On a failure it prints the story that led to
 * it, and how to see it again, and exits with 1.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "world.h"
#include "worlds.h"

#define TABLE_BITS	26u	/* 512 MiB of addresses, touched as needed */
#define DEPTH_MAX	100000u
#define CHOICES_MAX	400u

enum what {
	DELIVER, REPEAT, LOSE, READ, WRITE, EVICT, IMPATIENT, HOME_TICK,
	DEMANDS, QUIET, CRASH, DECLARE, JOIN, LEAVE,
};

struct choice {
	u8	what;
	u8	a;
	u8	b;
};

struct frame {
	u8	*state;
	struct choice *choice;
	u32	nr;
	u32	next;
};

static u64 *table;
static u64 states, steps, table_used;
static struct frame *stack;
static u32 depth;
static bool replaying;
static struct timespec begun;
static double limit_s;
static bool show_story;

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)(t.tv_sec - begun.tv_sec) +
		(double)(t.tv_nsec - begun.tv_nsec) / 1e9;
}

static void *reserve(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		perror("giantvm: explore: mmap");
		exit(1);
	}
	return p;
}

/* True: not seen before. */
static bool is_new(u64 hash)
{
	u64 mask = (1ull << TABLE_BITS) - 1;
	u64 i = hash & mask;

	hash += !hash;
	while (table[i] && table[i] != hash)
		i = (i + 1) & mask;
	if (table[i])
		return false;
	if (++table_used > mask / 8 * 7)
		fail("more states than the table holds");
	table[i] = hash;
	return true;
}

/* ---- choices ---- */

static bool may(char op)
{
	return strchr(cfg->may, op) != NULL;
}

static void put(struct choice *to, u32 *nr, enum what what, u32 a, u32 b)
{
	if (*nr == CHOICES_MAX)
		fail("more choices than the explorer holds");
	to[(*nr)++] = (struct choice){ .what = (u8)what, .a = (u8)a,
				       .b = (u8)b };
}

static void letters(struct choice *to, u32 *nr)
{
	for (u32 i = 0; i < w.nr; i++) {
		put(to, nr, DELIVER, i, 0);
		if (w.dups)
			put(to, nr, REPEAT, i, 0);
		if (w.losses)
			put(to, nr, LOSE, i, 0);
	}
}

static void people(struct choice *to, u32 *nr)
{
	u32 active = cfg->active ? cfg->active : cfg->nodes;

	for (u32 i = 0; i < active && w.ops; i++) {
		for (u32 p = 0; p < cfg->pages; p++) {
			if (may('r'))
				put(to, nr, READ, i, p);
			if (may('w'))
				put(to, nr, WRITE, i, p);
			if (may('e'))
				put(to, nr, EVICT, i, p);
		}
	}
	for (u32 i = 0; i < cfg->nodes; i++) {
		if (w.retries && w.nr && world_restless(i))
			put(to, nr, IMPATIENT, i, 0);
		if (cfg->hold && world_has_demand(i))
			put(to, nr, DEMANDS, i, 0);
	}
}

static u32 choices(struct choice *to)
{
	bool undeclared = false;
	u32 nr = 0;

	letters(to, &nr);
	people(to, &nr);
	if (world_home_due())
		put(to, &nr, HOME_TICK, 0, 0);
	for (u32 i = 0; i < cfg->nodes; i++) {
		if (w.alive[i] && w.crashes)
			put(to, &nr, CRASH, i, 0);
		if (w.alive[i] && w.leaves)
			put(to, &nr, LEAVE, i, 0);
		if (!w.alive[i] && world_member(i)) {
			put(to, &nr, DECLARE, i, 0);
			undeclared = true;
		}
		if (!w.alive[i] && !world_member(i) && w.joins)
			put(to, &nr, JOIN, i, 0);
	}
	if (!w.nr && !undeclared && !world_home_due() && world_pending())
		put(to, &nr, QUIET, 0, 0);
	return nr;
}

/* False: it makes no sense here. */
static bool take(struct choice c)
{
	switch (c.what) {
	case DELIVER:
		world_deliver(c.a, false);
		return true;
	case REPEAT:
		world_deliver(c.a, true);
		return true;
	case LOSE:
		world_lose(c.a);
		return true;
	case READ:
	case WRITE:
		w.ops--;
		return world_fault(c.a, c.b, c.what == WRITE);
	case EVICT:
		w.ops--;
		return world_evict(c.a, c.b);
	case IMPATIENT:
		w.retries--;
		world_node_tick(c.a);
		return true;
	case HOME_TICK:
		world_home_tick(false);
		return true;
	case DEMANDS:
		world_demands(c.a);
		return true;
	case QUIET:
		world_quiet();
		return true;
	case CRASH:
		world_crash(c.a);
		return true;
	case DECLARE:
		world_declare(c.a);
		return true;
	case LEAVE:
		return world_leave(c.a);
	default:
		return world_join(c.a);
	}
}

/* ---- the search ---- */

static void replay(void)
{
	replaying = true;
	verbose = true;
	if (!depth)
		return;
	world_restore(stack[0].state);
	for (u32 i = 0; i < depth; i++) {
		struct frame *f = &stack[i];

		/* The same letters at the same places as when it was chosen. */
		world_restore(f->state);
		if (f->nr)
			take(f->choice[f->next - 1]);
		else
			world_probe();
	}
}

void fail(const char *what, ...)
{
	char text[200];
	va_list args;

	va_start(args, what);
	vsnprintf(text, sizeof(text), what, args);
	va_end(args);
	if (replaying) {
		printf("FAILED: %s\n", text);
		exit(1);
	}
	printf("%-24s FAILED after %llu states: %s\n", cfg ? cfg->name : "",
	       (unsigned long long)states, text);
	fflush(stdout);
	if (show_story)
		replay();
	else
		printf("again, with its story: explore --story %s\n",
		       cfg->name);
	exit(1);
}

void gvm_bug(const char *file, int line, const char *what)
{
	fail("%s:%d: broken: %s", file, line, what);
}

/* The state at hand gets a frame, behind the last one's. */
static void push(void)
{
	struct frame *f = &stack[depth];

	if (depth == DEPTH_MAX)
		fail("deeper than the explorer goes");
	f->nr = choices(f->choice);
	f->next = 0;
	stack[depth + 1].choice = f->choice + f->nr;
	stack[depth + 1].state = f->state + ((world_save(f->state) + 7) &
					     ~(size_t)7);
	depth++;
	states++;
	if (f->nr)
		return;
	world_probe();
}

static bool search(void)
{
	u8 *saved = reserve(DEPTH_MAX * 4096ul * 4);
	struct choice *chosen = reserve(DEPTH_MAX * sizeof(*chosen) * 64);

	stack = reserve((DEPTH_MAX + 2) * sizeof(*stack));
	table = reserve(sizeof(*table) << TABLE_BITS);
	stack[0].state = saved;
	stack[0].choice = chosen;
	depth = 0;
	states = steps = table_used = 0;
	is_new(world_hash());
	push();
	while (depth) {
		struct frame *f = &stack[depth - 1];

		if (f->next == f->nr) {
			depth--;
			continue;
		}
		world_restore(f->state);
		steps++;
		if (!take(f->choice[f->next++]))
			continue;
		if (!is_new(world_hash()))
			continue;
		push();
		if (limit_s > 0 && !(states & 1023) && seconds() > limit_s)
			break;
	}
	munmap(table, sizeof(*table) << TABLE_BITS);
	munmap(stack, (DEPTH_MAX + 2) * sizeof(*stack));
	munmap(chosen, DEPTH_MAX * sizeof(*chosen) * 64);
	munmap(saved, DEPTH_MAX * 4096ul * 4);
	return !depth;
}

static bool explore(const struct config *config)
{
	bool whole;

	clock_gettime(CLOCK_MONOTONIC, &begun);
	world_start(config);
	world_judge();
	whole = search();
	printf("%-24s %9llu states %10llu steps %7.2f s  %s\n", config->name,
	       (unsigned long long)states, (unsigned long long)steps,
	       seconds(), whole ? "holds" : "NOT ALL: time is up");
	fflush(stdout);
	return whole;
}

int main(int argc, char **argv)
{
	bool all = false, named = false, whole = true;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--long"))
			all = true;
		else if (!strcmp(argv[i], "--story"))
			show_story = true;
		else if (!strcmp(argv[i], "--limit") && i + 1 < argc)
			limit_s = atof(argv[++i]);
		else
			named = true;
	}
	for (u32 k = 0; k < worlds_nr; k++) {
		bool wanted = !named && (all || worlds[k].quick);

		for (int i = 1; i < argc; i++)
			wanted |= !strcmp(argv[i], worlds[k].name);
		if (wanted)
			whole &= explore(&worlds[k]);
	}
	return whole ? 0 : 2;
}
