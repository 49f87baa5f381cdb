// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a program can read an old version of its own memory, or wait
 * for ever, or lose a page: breadth first through every order in which faults,
 * eviction, discard, repeated and reordered messages, refusals and new
 * sessions can meet on one page.  From every state that is reached, the page
 * must be able to come to rest at home without the program's help.
 *
 * The explorer is then given broken worlds, and has to find the fault in each.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "model.h"

#define STATES_MAX	(3u << 20)
#define HASH_NR		(8u << 20)
#define NONE		UINT32_MAX

struct edge {
	u32	from;
	u32	next;	/* next edge into the same state */
};

struct search {
	struct model	*model;
	u32		*parent;
	u8		*move;
	u32		*into;	/* head of the list of edges into a state */
	struct edge	*edge;
	u32		edges;
	u32		edges_max;
	u32		*hash;
	u32		nr;
	u32		bad;	/* state from which a rule was broken */
	u32		bad_move;
	const char	*why;
};

static u32 hash_of(const struct model *m)
{
	const u8 *bytes = (const u8 *)m;
	u64 h = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < sizeof(*m); i++)
		h = (h ^ bytes[i]) * 0x100000001b3ull;
	return (u32)(h ^ h >> 32) % HASH_NR;
}

static u32 lookup(struct search *s, const struct model *m, u32 from, u32 move)
{
	u32 at = hash_of(m);

	while (s->hash[at] != NONE) {
		if (!memcmp(&s->model[s->hash[at]], m, sizeof(*m)))
			return s->hash[at];
		at = (at + 1) % HASH_NR;
	}
	CHECK(s->nr < STATES_MAX);
	s->model[s->nr] = *m;
	s->parent[s->nr] = from;
	s->move[s->nr] = (u8)move;
	s->into[s->nr] = NONE;
	s->hash[at] = s->nr;
	return s->nr++;
}

static void remember(struct search *s, u32 from, u32 to)
{
	if (s->edges == s->edges_max) {
		s->edges_max = s->edges_max ? s->edges_max * 2 : 1u << 20;
		s->edge = realloc(s->edge, s->edges_max * sizeof(*s->edge));
		CHECK(s->edge);
	}
	s->edge[s->edges] = (struct edge){ from, s->into[to] };
	s->into[to] = s->edges++;
}

/* False: a rule was broken. */
static bool explore(struct search *s, const struct world *w)
{
	struct model start = { .state = GVM_PAGE_ZERO };

	lookup(s, &start, NONE, 0);
	for (u32 i = 0; i < s->nr; i++) {
		for (u32 n = 0; n < model_moves_nr; n++) {
			struct model m = s->model[i];
			int ret = model_move(w, &m, n, &s->why);

			if (ret < 0) {
				s->bad = i;
				s->bad_move = n;
				return false;
			}
			if (!ret)
				continue;
			ret = (int)lookup(s, &m, i, n);
			if (!model_move_is_program(n))
				remember(s, i, (u32)ret);
		}
	}
	return true;
}

/* False: from some state the page cannot come to rest by itself. */
static bool all_can_rest(struct search *s)
{
	u32 *todo = malloc(s->nr * sizeof(*todo));
	u8 *seen = calloc(s->nr, 1);
	u32 nr = 0;

	CHECK(todo && seen);
	for (u32 i = 0; i < s->nr; i++) {
		if (model_quiet(&s->model[i])) {
			seen[i] = 1;
			todo[nr++] = i;
		}
	}
	for (u32 i = 0; i < nr; i++) {
		for (u32 e = s->into[todo[i]]; e != NONE; e = s->edge[e].next) {
			u32 from = s->edge[e].from;

			if (seen[from])
				continue;
			seen[from] = 1;
			todo[nr++] = from;
		}
	}
	for (u32 i = 0; nr < s->nr && i < s->nr; i++) {
		if (seen[i])
			continue;
		s->why = "the page never comes to rest";
		s->bad = i;
		s->bad_move = NONE;
		break;
	}
	free(todo);
	free(seen);
	return nr == s->nr;
}

static void search_init(struct search *s)
{
	*s = (struct search){
		.model = malloc(STATES_MAX * sizeof(struct model)),
		.parent = malloc(STATES_MAX * sizeof(u32)),
		.move = malloc(STATES_MAX),
		.into = malloc(STATES_MAX * sizeof(u32)),
		.hash = malloc(HASH_NR * sizeof(u32)),
	};
	CHECK(s->model && s->parent && s->move && s->into && s->hash);
	memset(s->hash, 0xff, HASH_NR * sizeof(u32));
}

static void search_free(struct search *s)
{
	free(s->model);
	free(s->parent);
	free(s->move);
	free(s->into);
	free(s->edge);
	free(s->hash);
}

/* How it came to this, last move first. */
static void story(const struct search *s)
{
	printf("%s", s->why);
	if (s->bad_move != NONE)
		printf(" at: %s", model_move_name(s->bad_move));
	for (u32 i = s->bad; s->parent[i] != NONE; i = s->parent[i])
		printf("\n  after %s -> %s", model_move_name(s->move[i]),
		       gvm_page_state_name(s->model[i].state));
	printf("\n");
}

static bool holds(const struct world *w, bool tell)
{
	struct search s;
	bool good;

	search_init(&s);
	good = explore(&s, w) && all_can_rest(&s);
	if (tell)
		printf("%u states, %u edges of driver and network\n", s.nr,
		       s.edges);
	if (tell && !good)
		story(&s);
	search_free(&s);
	return good;
}

static void check_noticed(u8 state, u8 event, u8 next, u16 actions)
{
	struct world w = {
		.limits = { .writes = 2, .discards = 1, .sessions = 1,
			    .refusals = 1 },
		.sabotage = SABOTAGE_TABLE,
		.cell_state = state, .cell_event = event,
		.cell_next = next, .cell_actions = actions,
	};

	CHECK(!holds(&w, false));
}

/* Each of these is a plausible slip in the table. */
static void check_tables(void)
{
	/* Threads that waited for a cancelled READ sleep for ever. */
	check_noticed(GVM_PAGE_FETCH, GVM_EV_DISCARD, GVM_PAGE_ZERO_WB,
		      GVM_ACT_CANCEL | GVM_ACT_TRIM);
	/* A page stolen while its WRITE is out is not clean. */
	check_noticed(GVM_PAGE_WRITING, GVM_EV_READ_FAULT, GVM_PAGE_DIRTY,
		      GVM_ACT_STEAL_DIRTY);
	/* A second WRITE overtakes the first. */
	check_noticed(GVM_PAGE_DIRTY_WB, GVM_EV_STAGE, GVM_PAGE_STAGED,
		      GVM_ACT_QUEUE);
	/* TRIM overtakes the WRITE. */
	check_noticed(GVM_PAGE_WRITING, GVM_EV_DISCARD, GVM_PAGE_ZERO_WB,
		      GVM_ACT_FREE_SLOT | GVM_ACT_TRIM);
	/* Refused, but taken for stored. */
	check_noticed(GVM_PAGE_WRITING, GVM_EV_REFUSED, GVM_PAGE_STAGED_CLEAN,
		      0);
	/* Home keeps an old version of a page that is zero. */
	check_noticed(GVM_PAGE_STAGED, GVM_EV_DISCARD, GVM_PAGE_ZERO,
		      GVM_ACT_FREE_SLOT);
	/* Never queued: rests in staging for ever. */
	check_noticed(GVM_PAGE_STAGED_WB, GVM_EV_WRITTEN, GVM_PAGE_STAGED, 0);
	/* A clean page becomes writable and is dropped without a WRITE. */
	check_noticed(GVM_PAGE_STAGED_CLEAN, GVM_EV_WRITE_FAULT,
		      GVM_PAGE_CLEAN, GVM_ACT_STEAL_DIRTY);
	/* Discarded, but what home has comes back. */
	check_noticed(GVM_PAGE_REMOTE, GVM_EV_DISCARD, GVM_PAGE_REMOTE, 0);
}

int main(void)
{
	struct world w = {
		.limits = { .writes = 3, .discards = 2, .sessions = 1,
			    .repeats = 1, .refusals = 1 },
	};
	struct world bad = {
		.limits = { .writes = 2, .discards = 2, .sessions = 1,
			    .repeats = 1 },
	};

	CHECK(holds(&w, true));
	for (bad.sabotage = SABOTAGE_LATE_REPEAT;
	     bad.sabotage < SABOTAGE_TABLE; bad.sabotage++)
		CHECK(!holds(&bad, false));
	check_tables();
	return 0;
}
