// SPDX-License-Identifier: GPL-2.0-or-later
/* The teller of stories: see story.h. */
#include "story.h"

#include <stdarg.h>
#include <string.h>

#include "check.h"

#define POST	8192u
#define TEXT	65536u

struct letter {
	struct gvm_co_msg msg;
	struct gvm_sharers *list;
	u64	bytes;
	bool	used;
};

struct actor {
	struct gvm_node *core;
	u32	epoch;
	bool	alive;
	enum gvm_node_right right[STORY_PAGES];
	u64	bytes[STORY_PAGES];
	u64	*buffer;
};

static struct story_config cfg;
static const char *title;
static struct actor actors[STORY_NODES];
static struct gvm_home *home;
static struct letter post[POST];
static u32 post_from, post_to;
static u64 store[STORY_PAGES], latest[STORY_PAGES];
static bool lost[STORY_PAGES];
static struct gvm_co_out out;
static u64 now, counter;
static char said[TEXT];
static u32 said_nr;

static void say(const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(said + said_nr, TEXT - said_nr, format, args);
	va_end(args);
	CHECK(n >= 0 && said_nr + (u32)n < TEXT);
	said_nr += (u32)n;
}

static void space(void)
{
	if (said_nr)
		say(" ");
}

static const char *const types[GVM_CO_TYPE_NR] = {
	[GVM_CO_GET_SHARED] = "GS", [GVM_CO_GET_EXCLUSIVE] = "GX",
	[GVM_CO_GRANT] = "GR", [GVM_CO_DONE] = "DN", [GVM_CO_DECLINE] = "DC",
	[GVM_CO_INVALIDATE] = "IV", [GVM_CO_INVALIDATED] = "IA",
	[GVM_CO_RECALL] = "RC", [GVM_CO_RETURN] = "RT", [GVM_CO_PUT] = "PT",
	[GVM_CO_CONFIRM] = "CF", [GVM_CO_REFER] = "RF", [GVM_CO_CANCEL] = "CN",
	[GVM_CO_LOST] = "LO",
};

static void say_who(u16 id)
{
	if (id == GVM_NODE_HOME)
		say("H");
	else if (id == GVM_NODE_NONE)
		say("-");
	else if (id % cfg.stride)
		say("?%u", id);
	else
		say("%u", id / cfg.stride);
}

static void say_msg(const struct gvm_co_msg *m)
{
	static const char letters[] = "xhdgbzso";

	say("%s", types[m->type]);
	for (u32 i = 0; i < 8; i++) {
		if (m->flags >> i & 1)
			say("%c", letters[i]);
	}
	if (m->seq)
		say("%llu", (unsigned long long)m->seq);
	say(":");
	say_who(m->from);
	say(">");
	say_who(m->to);
	if (m->requester != GVM_NODE_NONE && m->requester != m->from) {
		say("?");
		say_who(m->requester);
	}
	if (m->type == GVM_CO_INVALIDATE || m->type == GVM_CO_INVALIDATED)
		say("#%u", m->slot);
	if (m->list) {
		say("[");
		for (u32 id = gvm_sharers_next(m->list, m->lo, m->hi);
		     id < GVM_NODES_MAX;
		     id = gvm_sharers_next(m->list, id + 1, m->hi)) {
			if (said[said_nr - 1] != '[')
				say(",");
			say_who((u16)id);
		}
		say("]");
	}
	if (m->need && m->type != GVM_CO_RECALL)
		say("!%llx", (unsigned long long)m->need);
	if (m->page)
		say("@%llu", (unsigned long long)m->page);
}

static void put_in_post(const struct gvm_co_msg *m, u64 bytes)
{
	struct letter *l = &post[post_to];

	CHECK(post_to < POST);
	*l = (struct letter){ .msg = *m, .bytes = bytes, .used = true };
	post_to++;
	if (!m->list)
		return;
	l->list = malloc(sizeof(*l->list));
	CHECK(l->list);
	*l->list = *m->list;
	l->msg.list = l->list;
}

static void empty_post(void)
{
	for (u32 i = 0; i < post_to; i++)
		free(post[i].list);
	memset(post, 0, post_to * sizeof(*post));
	post_from = post_to = 0;
}

static void fail(const char *act, const char *what)
{
	fprintf(stderr, "story \"%s\": \"%s\": %s\n", title, act, what);
	exit(1);
}

static u64 bytes_of(const struct actor *a, const struct gvm_co_effect *e,
		    u64 message)
{
	switch (e->bytes) {
	case GVM_BYTES_MESSAGE:
		return message;
	case GVM_BYTES_BUFFER:
		return a->buffer[e->buffer];
	case GVM_BYTES_STORE:
		return store[e->page];
	default:
		return 0;
	}
}

/* No old page is ever mapped, and nobody reads beside a writer. */
static void judge(u32 n, u64 page)
{
	const struct actor *a = &actors[n];

	CHECK(lost[page] || a->bytes[page] == latest[page]);
	for (u32 i = 0; i < cfg.nodes; i++)
		CHECK(a->right[page] != GVM_RIGHT_WRITE || i == n ||
		      !actors[i].alive ||
		      actors[i].right[page] == GVM_RIGHT_NONE);
}

static const char *const names[GVM_DO_NR] = {
	[GVM_DO_PROTECT] = "protect", [GVM_DO_READ] = "take",
	[GVM_DO_UNMAP] = "unmap", [GVM_DO_FLUSH_CODE] = NULL,
	[GVM_DO_KEEP] = "keep", [GVM_DO_INSTALL] = "map",
	[GVM_DO_UNPROTECT] = "unprotect", [GVM_DO_WAKE] = "wake",
	[GVM_DO_STORE] = "store", [GVM_DO_LOST] = "LOST",
	[GVM_DO_PINNED] = "pinned", [GVM_DO_PIN_BROKEN] = "broken",
};

static void map(u32 n, const struct gvm_co_effect *e, u64 message)
{
	struct actor *a = &actors[n];

	CHECK(a->right[e->page] == (e->what == GVM_DO_INSTALL ?
				    GVM_RIGHT_NONE : GVM_RIGHT_READ));
	if (e->what == GVM_DO_INSTALL)
		a->bytes[e->page] = bytes_of(a, e, message);
	a->right[e->page] = e->what == GVM_DO_UNPROTECT || e->writable ?
		GVM_RIGHT_WRITE : GVM_RIGHT_READ;
	judge(n, e->page);
}

static void effect_on_node(u32 n, const struct gvm_co_effect *e, u64 message)
{
	struct actor *a = &actors[n];

	switch (e->what) {
	case GVM_DO_PROTECT:
		CHECK(a->right[e->page] == GVM_RIGHT_WRITE);
		a->right[e->page] = GVM_RIGHT_READ;
		break;
	case GVM_DO_READ:
		CHECK(a->right[e->page] == GVM_RIGHT_READ);
		a->buffer[e->buffer] = a->bytes[e->page];
		break;
	case GVM_DO_UNMAP:
		a->right[e->page] = GVM_RIGHT_NONE;
		break;
	case GVM_DO_KEEP:
		a->buffer[e->buffer] = message;
		break;
	case GVM_DO_INSTALL:
	case GVM_DO_UNPROTECT:
		map(n, e, message);
		break;
	case GVM_DO_LOST:
		lost[e->page] = true;
		break;
	default:
		break;
	}
}

/* n == STORY_NODES: the home. */
static void carry_out(u32 n, u64 message)
{
	struct actor *a = n < STORY_NODES ? &actors[n] : NULL;

	for (u32 i = 0; i < out.nr; i++) {
		const struct gvm_co_effect *e = &out.effect[i];

		if (e->what == GVM_DO_SEND) {
			space();
			say_msg(&e->msg);
			put_in_post(&e->msg, bytes_of(a, e, message));
			continue;
		}
		if (names[e->what]) {
			space();
			say("%s", names[e->what]);
		}
		if (e->what == GVM_DO_INSTALL && e->writable)
			say("-rw");
		if (e->what == GVM_DO_STORE)
			store[e->page] = bytes_of(a, e, message);
		else
			effect_on_node(n, e, message);
	}
	if (a)
		gvm_node_check(a->core);
	else
		gvm_home_check(home);
}

static void done(u32 n, int err, u64 message)
{
	const char *text = err == -EPROTO ? "EPROTO" : err == -EAGAIN ?
		"EAGAIN" : err == -ESTALE ? "ESTALE" : err == -EBUSY ?
		"EBUSY" : err == -EINVAL ? "EINVAL" : err == -ENOENT ?
		"ENOENT" : "?";

	if (err)
		say("%s", text);
	else
		carry_out(n, message);
}

static void deliver(const struct letter *l)
{
	u32 to = l->msg.to / cfg.stride;

	if (l->msg.to == GVM_NODE_HOME) {
		done(STORY_NODES, gvm_home_recv(home, &l->msg, now, &out),
		     l->bytes);
		return;
	}
	if (to >= cfg.nodes || l->msg.to % cfg.stride || !actors[to].alive ||
	    (l->msg.from == GVM_NODE_HOME &&
	     l->msg.epoch != actors[to].epoch)) {
		say("nobody");
		return;
	}
	done(to, gvm_node_recv(actors[to].core, &l->msg, now, &out),
	     l->bytes);
}

static bool matches(const struct letter *l, const char *what, u64 page)
{
	char type[3] = { what[0], what[1], 0 };
	char from[8], to[8], who[2][8];
	unsigned long long seq = 0;
	const u16 ids[2] = { l->msg.from, l->msg.to };

	if (what[2] != ' ' && (sscanf(what + 2, "%llu", &seq) != 1 ||
			       seq != l->msg.seq))
		return false;
	what = strchr(what, ' ');
	CHECK(what && sscanf(what, " %7[^>]>%7[^ @]", from, to) == 2);
	for (u32 i = 0; i < 2; i++)
		snprintf(who[i], 8, ids[i] == GVM_NODE_HOME ? "H" : "%u",
			 ids[i] / cfg.stride);
	return l->used && !strcmp(types[l->msg.type], type) &&
		!strcmp(from, who[0]) && !strcmp(to, who[1]) &&
		l->msg.page == page;
}

static void post_office(const char *act, u64 page)
{
	u32 i = post_from;

	while (i < post_to && !matches(&post[i], act + 2, page))
		i++;
	if (i == post_to)
		fail(act, "no such message under way");
	if (act[0] != '&')
		post[i].used = false;
	if (act[0] != 'x')
		deliver(&post[i]);
	while (post_from < post_to && !post[post_from].used)
		post_from++;
}

static void join(u32 n)
{
	struct gvm_node_config c = {
		.id = (u16)(n * cfg.stride), .pages_max = 2 * STORY_PAGES,
		.wants_max = cfg.wants, .buffers_max = cfg.buffers,
		.relays_max = cfg.relays, .retry_ns = STORY_RETRY,
		.hold_ns = cfg.hold_ns,
	};
	struct actor *a = &actors[n];
	u32 epoch = 0;
	int err = gvm_home_join(home, n * cfg.stride, &epoch);

	if (err) {
		done(n, err, 0);
		return;
	}
	free(a->core);
	free(a->buffer);
	*a = (struct actor){ .epoch = epoch, .alive = true };
	c.epoch = epoch;
	a->core = malloc(gvm_node_size(&c));
	a->buffer = calloc(c.buffers_max, sizeof(u64));
	CHECK(a->core && a->buffer && gvm_node_init(a->core, &c));
}

static void say_home(u64 page)
{
	struct gvm_home_page p;

	CHECK(!gvm_home_page(home, page, &p));
	say("%llu%s%s", (unsigned long long)p.seq, p.lost ? " lost" : "",
	    p.busy ? " busy" : "");
	if (p.owner != GVM_NODE_NONE) {
		say(" owner ");
		say_who(p.owner);
	}
	if (p.sharers)
		say(" sharers %u%s", p.sharers, p.coarse ? " coarse" : "");
}

static void say_post(void)
{
	for (u32 i = post_from; i < post_to; i++) {
		if (!post[i].used)
			continue;
		space();
		say_msg(&post[i].msg);
	}
}

static void set(u32 n, u64 page)
{
	CHECK(actors[n].right[page] == GVM_RIGHT_WRITE);
	latest[page] = actors[n].bytes[page] = ++counter;
}

static void look(u32 n, u64 page)
{
	const struct actor *a = &actors[n];

	CHECK(gvm_node_right(a->core, page) == a->right[page]);
	say("%c", "-rw"[a->right[page]]);
	if (a->right[page] != GVM_RIGHT_NONE) {
		judge(n, page);
		say(" %llu", (unsigned long long)a->bytes[page]);
	}
}

static void die(u32 n)
{
	actors[n].alive = false;
	gvm_home_dead(home, n * cfg.stride, now, &out);
	done(STORY_NODES, 0, 0);
}

/* It has given back all it had; the driver waits for that. */
static void leave(u32 n)
{
	CHECK(gvm_node_idle(actors[n].core) && !gvm_node_held(actors[n].core));
	actors[n].alive = false;
	gvm_home_leave(home, n * cfg.stride, now, &out);
	done(STORY_NODES, 0, 0);
}

/* What a node does; false: no such word. */
static bool act_of_node(const char *word, u32 n, u64 time, u64 page)
{
	struct gvm_node *core = actors[n].core;
	int err = 0;

	if (!strcmp(word, "read"))
		err = gvm_node_fault(core, page, GVM_WANT_SHARED, now, &out);
	else if (!strcmp(word, "write"))
		err = gvm_node_fault(core, page, GVM_WANT_EXCLUSIVE, now,
				     &out);
	else if (!strcmp(word, "fetch"))
		err = gvm_node_prefetch(core, page, now, &out);
	else if (!strcmp(word, "evict"))
		err = gvm_node_evict(core, page, now, &out);
	else if (!strcmp(word, "pin"))
		err = gvm_node_pin(core, page, now + time, now, &out);
	else if (!strcmp(word, "unpin"))
		gvm_node_unpin(core, page, now, &out);
	else if (!strcmp(word, "tick"))
		gvm_node_tick(core, now, &out);
	else
		return false;
	done(n, err, 0);
	return true;
}

static void deliver_all(void)
{
	while (post_from < post_to) {
		struct letter *l = &post[post_from++];

		if (l->used)
			deliver(l);
		l->used = false;
	}
	empty_post();
}

/* The words that say nothing; false: none of them. */
static bool at_once(const char *word, u32 n, u64 page)
{
	bool own = !strcmp(word, "own");

	if (!own && strcmp(word, "share") && strcmp(word, "put"))
		return false;
	CHECK(post_from == post_to);
	act_of_node(own ? "write" : word[0] == 's' ? "read" : "evict", n, 0,
		    page);
	deliver_all();
	if (own)
		set(n, page);
	said_nr = 0;
	said[0] = 0;
	return true;
}

static void perform(const char *act)
{
	const char *at = strchr(act, '@');
	u64 page = at ? strtoull(at + 1, NULL, 10) : 0;
	char word[16], who[16] = "";
	unsigned long long time = 0;
	u32 n;

	CHECK(page < STORY_PAGES);
	if (strchr(">&x", act[0]) && act[1] == ' ') {
		post_office(act, page);
		return;
	}
	CHECK(sscanf(act, "%15s %15[^ @] %llu", word, who, &time) >= 1);
	n = (u32)strtoul(who, NULL, 10);
	if (!strcmp(word, "home")) {
		say_home(page);
	} else if (!strcmp(word, "post")) {
		say_post();
	} else if (!strcmp(word, "wait")) {
		now += n;
	} else if (who[0] == 'H') {
		gvm_home_tick(home, now, &out);
		done(STORY_NODES, 0, 0);
	} else {
		CHECK(n < cfg.nodes);
		if (!strcmp(word, "set"))
			set(n, page);
		else if (!strcmp(word, "look"))
			look(n, page);
		else if (!strcmp(word, "die"))
			die(n);
		else if (!strcmp(word, "leave"))
			leave(n);
		else if (!strcmp(word, "join"))
			join(n);
		else if (!at_once(word, n, page) &&
			 !act_of_node(word, n, time, page))
			fail(act, "no such word");
	}
}

const char *story_do(const char *act)
{
	said_nr = 0;
	said[0] = 0;
	out.nr = 0;
	perform(act);
	return said;
}

void story_tell(const struct story_line *lines, u32 nr)
{
	for (u32 i = 0; i < nr; i++) {
		story_do(lines[i].act);
		if (!strcmp(said, lines[i].then))
			continue;
		fprintf(stderr, "story \"%s\", line %u: \"%s\"\n",
			title, i + 1, lines[i].act);
		fprintf(stderr, "\tmust: %s\n\tdoes: %s\n", lines[i].then,
			said);
		exit(1);
	}
}

static bool idle(void)
{
	bool all = true;

	for (u32 n = 0; n < cfg.nodes; n++)
		all &= !actors[n].alive || gvm_node_idle(actors[n].core);
	return all;
}

void story_settle(void)
{
	for (u32 round = 0; round < 1000; round++) {
		said_nr = 0;
		deliver_all();
		if (strstr(said, "EPROTO"))
			fail("settle", "EPROTO");
		if (idle() && gvm_home_deadline(home) == ~0ull)
			return;
		now += STORY_RETRY / 2;
		said_nr = 0;
		for (u32 n = 0; n < cfg.nodes; n++) {
			if (!actors[n].alive)
				continue;
			gvm_node_tick(actors[n].core, now, &out);
			carry_out(n, 0);
			said_nr = 0;
		}
		gvm_home_tick(home, now, &out);
		carry_out(STORY_NODES, 0);
	}
	fail("settle", "somebody waits for ever");
}

void story_tell_all(const struct story *stories, u32 nr)
{
	for (u32 i = 0; i < nr; i++) {
		story_begin(stories[i].name, &stories[i].config);
		story_tell(stories[i].lines, stories[i].nr);
		story_settle();
	}
}

static u32 or_default(u32 value, u32 otherwise)
{
	return value ? value : otherwise;
}

void story_begin(const char *name, const struct story_config *config)
{
	struct gvm_home_config c;

	cfg = config ? *config : (struct story_config){ 0 };
	cfg.nodes = or_default(cfg.nodes, 3);
	cfg.stride = or_default(cfg.stride, 1);
	cfg.wants = or_default(cfg.wants, 8);
	cfg.buffers = or_default(cfg.buffers, cfg.wants + 8);
	cfg.relays = or_default(cfg.relays, 8);
	c = (struct gvm_home_config){
		.pages = STORY_PAGES, .nodes_max = GVM_NODES_MAX,
		.txns_max = or_default(cfg.txns, 16),
		.waits_max = or_default(cfg.waits, 64),
		.sets_max = cfg.sets, .fanout = 8, .retry_ns = STORY_RETRY,
		.storm_ns = cfg.storm_ns,
	};
	title = name;
	free(home);
	home = calloc(1, gvm_home_size(&c));
	CHECK(home && gvm_home_init(home, &c));
	empty_post();
	memset(store, 0, sizeof(store));
	memset(latest, 0, sizeof(latest));
	memset(lost, 0, sizeof(lost));
	now = 1;
	counter = 0;
	CHECK(cfg.nodes <= STORY_NODES);
	for (u32 n = 0; n < cfg.nodes; n++)
		join(n);
}

struct gvm_home *story_home(void)
{
	return home;
}

struct gvm_node *story_node(u32 n)
{
	return actors[n].core;
}
