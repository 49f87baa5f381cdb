// SPDX-License-Identifier: GPL-2.0-or-later
/* The drivers of a node and a home, with a judge beside them; see world.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "world.h"

/* Moments.  A retry is due after NOW, a home finds NOW soon and LATE late. */
#define NOW		500u
#define HELD		520u	/* holds that began NOW are over */
#define LATE		1000u
#define FAR		100000000u
#define NODE_RETRY	4500u
#define HOME_RETRY	100u
#define HOLD		10u

struct world w;
const struct config *cfg;
bool verbose;

static u64 home_mem[1u << 13];
static u64 node_mem[NODES_MAX][1u << 12];
static struct gvm_co_out out;

/* The parts of the core's memory that a state consists of. */
static struct part {
	void	*at;
	size_t	len;
} parts[32 + 8 * NODES_MAX];
static u32 parts_nr;

static struct gvm_home *home(void)
{
	return (struct gvm_home *)home_mem;
}

static struct gvm_node *node(u32 i)
{
	return (struct gvm_node *)node_mem[i];
}

static const char *type_name(u16 type)
{
	static const char *const names[GVM_CO_TYPE_NR] = {
		[GVM_CO_GET_SHARED] = "GET_SHARED",
		[GVM_CO_GET_EXCLUSIVE] = "GET_EXCLUSIVE",
		[GVM_CO_GRANT] = "GRANT", [GVM_CO_DONE] = "DONE",
		[GVM_CO_DECLINE] = "DECLINE",
		[GVM_CO_INVALIDATE] = "INVALIDATE",
		[GVM_CO_INVALIDATED] = "INVALIDATED",
		[GVM_CO_RECALL] = "RECALL", [GVM_CO_RETURN] = "RETURN",
		[GVM_CO_PUT] = "PUT", [GVM_CO_CONFIRM] = "CONFIRM",
		[GVM_CO_REFER] = "REFER", [GVM_CO_CANCEL] = "CANCEL",
		[GVM_CO_LOST] = "LOST",
	};

	return type < GVM_CO_TYPE_NR && names[type] ? names[type] : "?";
}

static void say(const char *format, ...)
{
	va_list args;

	if (!verbose)
		return;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
}

static const char *who(u16 id, char *to)
{
	if (id == GVM_NODE_HOME)
		return "home";
	if (id == GVM_NODE_NONE)
		return "-";
	snprintf(to, 8, "%u", id);
	return to;
}

static void say_letter(const char *verb, const struct letter *l)
{
	const struct gvm_co_msg *m = &l->msg;
	char a[8], b[8], c[8], d[8];

	say("%s %s -> %s  %s%s%s%s%s%s%s  page %c seq %llu txn %llx", verb,
	    who(m->from, a), who(m->to, b), type_name(m->type),
	    m->flags & GVM_CO_EXCLUSIVE ? " exclusive" : "",
	    m->flags & GVM_CO_HAVE ? " have" : "",
	    m->flags & GVM_CO_DIRECT ? " direct" : "",
	    m->flags & GVM_CO_GAVE ? " gave" : "",
	    m->flags & GVM_CO_BYTES ? " bytes" : "",
	    m->flags & GVM_CO_ZERO ? " zero" : "",
	    (int)('a' + m->page), (unsigned long long)m->seq,
	    (unsigned long long)m->txn);
	if (m->requester != GVM_NODE_NONE)
		say(" for %s", who(m->requester, c));
	if (m->giver != GVM_NODE_NONE)
		say(" giver %s", who(m->giver, d));
	if (m->need)
		say(" slots %llx", (unsigned long long)m->need);
	if (m->type == GVM_CO_INVALIDATE || m->type == GVM_CO_INVALIDATED)
		say(" slot %u [%u,%u)", m->slot, m->lo, m->hi);
	if (m->flags & GVM_CO_BYTES)
		say(" value %u", l->value);
	say("\n");
}

/* ---- saving ---- */

static void part(void *at, size_t len)
{
	parts[parts_nr++] = (struct part){ .at = at, .len = len };
}

static void make_parts(void)
{
	struct gvm_home *h = home();
	u64 end = gvm_home_size(&h->cfg);

	parts_nr = 0;
	part(h, offsetof(struct gvm_home, live));
	part(h->live.summary, 8);
	part(h->live.word, 8);
	part(h->dying.summary, 8);
	part(h->dying.word, 8);
	part(h->left.summary, 8);
	part(h->left.word, 8);
	part(h->storm, PAGES_MAX * sizeof(h->storm[0]));
	part((u8 *)h + h->member_at, end - h->member_at);
	for (u32 i = 0; i < cfg->nodes; i++) {
		struct gvm_node *n = node(i);

		part(&n->counter, offsetof(struct gvm_node, demand) -
		     offsetof(struct gvm_node, counter));
		part(n->demand, 3 * sizeof(n->demand[0]));
		part(n->guest, 4 * sizeof(n->guest[0]));
		part(n->taken, PAGES_MAX * sizeof(n->taken[0]));
		part(n->serving, 2 * sizeof(n->serving[0]));
		part(&n->cfg.epoch, sizeof(n->cfg.epoch));
		part((u8 *)n + n->rec_at,
		     gvm_node_size(&n->cfg) - n->rec_at);
	}
}

static size_t world_used(void)
{
	return offsetof(struct world, net) + w.nr * sizeof(w.net[0]);
}

size_t world_size(void)
{
	size_t len = sizeof(w);

	for (u32 i = 0; i < parts_nr; i++)
		len += parts[i].len;
	return len;
}

size_t world_save(void *to)
{
	u8 *at = to;

	memcpy(at, &w, world_used());
	at += world_used();
	for (u32 i = 0; i < parts_nr; i++) {
		memcpy(at, parts[i].at, parts[i].len);
		at += parts[i].len;
	}
	return (size_t)(at - (u8 *)to);
}

void world_restore(const void *from)
{
	const u8 *at = from;

	memcpy(&w, at, offsetof(struct world, net));
	memcpy(&w, at, world_used());
	at += world_used();
	for (u32 i = 0; i < parts_nr; i++) {
		memcpy(parts[i].at, at, parts[i].len);
		at += parts[i].len;
	}
}

/* Multiply and fold; four lanes, so that the multiplier is kept busy. */
static u64 mix(u64 a, u64 b)
{
	unsigned __int128 p = (unsigned __int128)(a ^ 0x9e3779b97f4a7c15ull) *
		(b ^ 0xd6e8feb86659fd93ull);

	return (u64)p ^ (u64)(p >> 64);
}

static u64 hash_bytes(const void *from, size_t len, u64 seed)
{
	const u8 *at = from;
	u64 a[4], h = seed, i = len;

	for (; i >= 32; i -= 32, at += 32) {
		memcpy(a, at, 32);
		h = mix(a[0] ^ h, a[1]) + mix(a[2] ^ h, a[3] + 1);
	}
	memset(a, 0, sizeof(a));
	memcpy(a, at, i);
	return mix(mix(a[0] ^ h, a[1]) + mix(a[2] ^ h, a[3]), len);
}

/* The letters are a bag: their order means nothing. */
u64 world_hash(void)
{
	u64 h = hash_bytes(&w, offsetof(struct world, net), 1);
	u64 bag = 0;

	for (u32 i = 0; i < w.nr; i++)
		bag += hash_bytes(&w.net[i], sizeof(w.net[i]), 2);
	for (u32 i = 0; i < parts_nr; i++)
		h = hash_bytes(parts[i].at, parts[i].len, h);
	return mix(h, bag);
}

/* ---- time, which is none ---- */

/* Of what was taken, only the latest matters. */
static void forget_taken(struct gvm_node *n)
{
	struct gvm_node_taken last[PAGES_MAX];

	for (u32 p = 0; p < PAGES_MAX; p++) {
		last[p] = (struct gvm_node_taken){ .page = GVM_NO_PAGE };
		for (u32 k = 0; k < GVM_TAKEN; k++) {
			if (n->taken[k].page == p &&
			    n->taken[k].seq >= last[p].seq)
				last[p] = n->taken[k];
		}
	}
	for (u32 k = 0; k < GVM_TAKEN; k++)
		n->taken[k].page = GVM_NO_PAGE;
	memcpy(n->taken, last, sizeof(last));
	n->taken_at = PAGES_MAX;
}

/* They stand in no order, too. */
static void sort_guests(struct gvm_node *n)
{
	u32 nr = 0;

	for (u32 k = 0; k < GVM_GUESTS; k++) {
		struct gvm_node_guest g = n->guest[k];
		u32 at = nr;

		memset(&n->guest[k], 0, sizeof(g));
		if (!g.used)
			continue;
		while (at && n->guest[at - 1].txn > g.txn) {
			n->guest[at] = n->guest[at - 1];
			at--;
		}
		n->guest[at] = g;
		n->guest[at].until_ns = NOW + GVM_SERVES_NS;
		nr++;
	}
}

/*
 * Takes out of a node what only the clock and the statistics know, and the
 * order of free lists, so that states that differ in nothing else are one.
 */
static void node_forget_time(u32 i)
{
	struct gvm_node *n = node(i);

	n->fetch_ns = 0;
	memset(n->due_ns, 0, sizeof(n->due_ns));
	n->wants_high = n->cfg.wants_max;
	n->gives_high = n->cfg.buffers_max;
	n->want_free = GVM_NONE16;
	for (u32 k = n->cfg.wants_max; k--; ) {
		struct gvm_node_want *want = gvm_want(n, k);

		want->first_ns = 0;
		want->retry_ns = NOW + NODE_RETRY;
		want->backoff = 0;
		want->asked_once = false;
		if (want->used)
			continue;
		memset(want, 0, sizeof(*want));
		want->next = n->want_free;
		n->want_free = (u16)k;
	}
	n->give_free = GVM_NONE16;
	for (u32 k = n->cfg.buffers_max; k--; ) {
		struct gvm_node_give *g = gvm_give(n, k);

		g->retry_ns = NOW + NODE_RETRY;
		g->backoff = 0;
		if (g->kind != GVM_GIVE_FREE)
			continue;
		memset(g, 0, sizeof(*g));
		w.buffer[i][k] = 0;
		g->next = n->give_free;
		n->give_free = (u16)k;
	}
	for (u32 k = 0; k < n->recs; k++) {
		struct gvm_node_rec *rec = &gvm_recs(n)[k];

		if (rec->page == GVM_NO_PAGE)
			memset((u8 *)rec + 8, 0, sizeof(*rec) - 8);
		else
			rec->since_ns = cfg->hold ? rec->since_ns : NOW;
	}
	for (u32 k = 0; k < GVM_DEMANDS; k++) {
		if (!n->demand[k].used)
			memset(&n->demand[k], 0, sizeof(n->demand[k]));
		else if (n->demand[k].until_ns > HELD)
			n->demand[k].until_ns = NOW + NODE_RETRY;
	}
	for (u32 k = 0; k < GVM_SERVINGS; k++) {
		n->serving[k].until_ns = NOW + GVM_SERVES_NS;
		if (!n->serving[k].used)
			memset(&n->serving[k], 0, sizeof(n->serving[k]));
	}
	forget_taken(n);
	sort_guests(n);
	for (u32 k = 0; k < n->cfg.relays_max; k++) {
		struct gvm_node_relay *r = gvm_relay(n, k);

		if (!r->used)
			memset(r, 0, sizeof(*r));
		r->born_ns = NOW;
	}
}

static void home_forget_time(void)
{
	struct gvm_home *h = home();

	memset(&h->stats, 0, sizeof(h->stats));
	if (h->deadline_ns != GVM_NEVER)
		h->deadline_ns = NOW;
	for (u32 i = 0; i < h->cfg.txns_max; i++) {
		struct gvm_home_txn *t = gvm_txn(h, i);

		t->driven_ns = NOW;
		if (!cfg->apart)
			t->drives = 0;
		/* Who asks again always asks late. */
		t->asked_ns = 0;
		if (t->kind == GVM_TXN_FREE || t->kind == GVM_TXN_IDLE) {
			t->seq = t->txn = t->need = 0;
			t->requester = t->owner = GVM_NODE_NONE;
			t->slots = 0;
			t->have = t->exclusive = t->dead = t->due = false;
			t->carry = false;
			t->drives = 0;
			if (t->kind == GVM_TXN_FREE)
				t->first = t->last = GVM_NONE16;
		}
		memset(&t->slot[t->slots], 0,
		       (GVM_SLOTS - t->slots) * sizeof(t->slot[0]));
	}
	for (u32 i = 0; i < cfg->pages; i++) {
		struct gvm_dir *d = gvm_dir(h, i);

		/* How often it was sent again, as far as it matters. */
		if (gvm_dir_is_open(d) && (!cfg->apart || d->b >> 60 > 2))
			d->b = (d->b & ~0ull >> 4) |
				(cfg->apart ? 2ull << 60 : 0);
	}
	h->wait_free = GVM_NONE16;
	h->wait_fresh = (u16)h->cfg.waits_max;
	for (u32 i = h->cfg.waits_max; i--; ) {
		struct gvm_home_wait *wait = gvm_wait(h, i);
		bool used = false;

		for (u32 k = 0; k < h->cfg.txns_max; k++) {
			u16 at = gvm_txn(h, k)->first;

			for (; at != GVM_NONE16; at = gvm_wait(h, at)->next)
				used |= at == i;
		}
		if (used)
			continue;
		memset(wait, 0, sizeof(*wait));
		wait->next = h->wait_free;
		h->wait_free = (u16)i;
	}
	/* A storm, all the time. */
	for (u32 i = 0; i < PAGES_MAX; i++)
		h->storm[i] = (struct gvm_home_storm){
			.page = i, .since_ns = NOW, .server_ns = NOW,
			.seq = h->storm[i].seq, .reads = 8,
			.server = h->storm[i].server };
}

static void world_forget_time(void)
{
	home_forget_time();
	for (u32 i = 0; i < cfg->nodes; i++) {
		if (w.alive[i])
			node_forget_time(i);
	}
}

static u64 now(void)
{
	return cfg->late || w.quiet ? LATE : NOW;
}

/* ---- effects ---- */

static void post(const struct gvm_co_effect *e, u32 value)
{
	struct letter l;
	const struct gvm_sharers *list = e->msg.list;

	memset(&l, 0, sizeof(l));
	l.msg.type = e->msg.type;
	l.msg.flags = e->msg.flags;
	l.msg.from = e->msg.from;
	l.msg.to = e->msg.to;
	l.msg.requester = e->msg.requester;
	l.msg.giver = e->msg.giver;
	l.msg.slot = e->msg.slot;
	l.msg.lo = e->msg.lo;
	l.msg.hi = e->msg.hi;
	l.msg.epoch = e->msg.epoch;
	l.msg.page = e->msg.page;
	l.msg.seq = e->msg.seq;
	l.msg.txn = e->msg.txn;
	l.msg.need = e->msg.need;
	l.members = list ? list->word[0] : 0;
	l.value = value;
	if (l.msg.flags & GVM_CO_BYTES && e->bytes == GVM_BYTES_NONE)
		fail("a page is announced and not there");
	say_letter("        sends", &l);
	if (cfg->apart && l.msg.from < 2 && l.msg.to < 2)
		return;
	for (u32 i = 0; i < w.nr; i++) {
		if (!memcmp(&w.net[i], &l, sizeof(l)))
			return;
	}
	if (w.nr == LETTERS_MAX)
		fail("more letters than the explorer holds");
	w.net[w.nr++] = l;
}

static u32 bytes_of(const struct gvm_co_effect *e, const struct letter *l,
		    const u32 *buffers)
{
	switch (e->bytes) {
	case GVM_BYTES_MESSAGE:
		if (!l || !(l->msg.flags & GVM_CO_BYTES))
			fail("bytes of a message that has none");
		return l->value;
	case GVM_BYTES_BUFFER:
		if (e->buffer >= BUFFERS)
			fail("there is no buffer %u", e->buffer);
		return buffers[e->buffer];
	case GVM_BYTES_STORE:
		return w.store[e->page];
	default:
		return 0;
	}
}

/* The threads of the node go on: the writer writes at once. */
static void woken(u32 i, u64 page)
{
	if (w.right[i][page] == GVM_RIGHT_WRITE) {
		if (w.waits[i][page] & WAIT_WRITE) {
			if (w.value[i][page] != w.latest[page])
				fail("node %u writes into an old page", i);
			w.value[i][page] = ++w.latest[page];
		}
		w.waits[i][page] = 0;
		w.quiet = 0;
	} else if (w.right[i][page] == GVM_RIGHT_READ) {
		w.waits[i][page] &= (u8)~WAIT_READ;
		w.quiet = 0;
	}
}

/* Of one page: protect, read, unmap, flush code, then the answer. */
static void check_order(void)
{
	static const u8 rank[GVM_DO_NR] = {
		[GVM_DO_PROTECT] = 1, [GVM_DO_READ] = 2, [GVM_DO_UNMAP] = 3,
		[GVM_DO_FLUSH_CODE] = 4, [GVM_DO_SEND] = 5,
	};
	u8 at[PAGES_MAX] = { 0 };

	for (u32 i = 0; i < out.nr; i++) {
		const struct gvm_co_effect *e = &out.effect[i];

		/* A relay passes on at once; its own answer comes later. */
		if (!rank[e->what] || (e->what == GVM_DO_SEND &&
				       e->msg.type == GVM_CO_INVALIDATE))
			continue;
		if (rank[e->what] < at[e->page])
			fail("effects of a page are out of order");
		at[e->page] = rank[e->what];
	}
}

static void node_effect(u32 i, const struct gvm_co_effect *e,
			const struct letter *l)
{
	u64 p = e->page;
	u8 *right = &w.right[i][p];
	u32 value = bytes_of(e, l, w.buffer[i]);

	if (p >= cfg->pages)
		fail("effect on page %llu", (unsigned long long)p);
	switch (e->what) {
	case GVM_DO_PROTECT:
		if (*right == GVM_RIGHT_WRITE)
			*right = GVM_RIGHT_READ;
		return;
	case GVM_DO_READ:
		if (*right == GVM_RIGHT_NONE)
			fail("node %u reads a page that it has not", i);
		if (*right == GVM_RIGHT_WRITE)
			fail("node %u copies a page that is written to", i);
		w.buffer[i][e->buffer] = w.value[i][p];
		return;
	case GVM_DO_UNMAP:
		say("        node %u unmaps\n", i);
		*right = GVM_RIGHT_NONE;
		w.value[i][p] = 0;
		return;
	case GVM_DO_SEND:
		post(e, value);
		return;
	case GVM_DO_KEEP:
		w.buffer[i][e->buffer] = l->value;
		return;
	case GVM_DO_INSTALL:
		say("        node %u maps value %u %s\n", i, value,
		    e->writable ? "to write" : "to read");
		if (*right != GVM_RIGHT_NONE)
			fail("node %u maps a page twice", i);
		*right = e->writable ? GVM_RIGHT_WRITE : GVM_RIGHT_READ;
		w.value[i][p] = value;
		woken(i, p);
		return;
	case GVM_DO_UNPROTECT:
		say("        node %u may write\n", i);
		if (*right == GVM_RIGHT_NONE)
			fail("node %u may write a page that it has not", i);
		*right = GVM_RIGHT_WRITE;
		woken(i, p);
		return;
	case GVM_DO_WAKE:
		woken(i, p);
		return;
	case GVM_DO_LOST:
		say("        node %u hears that it is lost\n", i);
		if (!w.suspect[p])
			fail("page %c is lost for no reason", (int)('a' + p));
		w.waits[i][p] = 0;
		w.quiet = 0;
		return;
	default:
		return;
	}
}

/* What a thread waited for stays for a while, whoever wants it. */
static void check_hold(const struct letter *l)
{
	if (!cfg->hold || !l || now() != NOW || l->msg.type == GVM_CO_LOST)
		return;
	for (u32 k = 0; k < out.nr; k++) {
		if (out.effect[k].what == GVM_DO_PROTECT ||
		    out.effect[k].what == GVM_DO_UNMAP)
			fail("a page is taken before its hold is over");
	}
}

static void node_effects(u32 i, const struct letter *l)
{
	check_order();
	check_hold(l);
	for (u32 k = 0; k < out.nr; k++)
		node_effect(i, &out.effect[k], l);
	/* The core and its driver must agree on what is mapped. */
	for (u32 p = 0; p < cfg->pages; p++) {
		if (w.alive[i] && w.right[i][p] != gvm_node_right(node(i), p))
			fail("node %u maps page %c otherwise than it knows",
			     i, (int)('a' + p));
	}
}

static void home_effects(const struct letter *l)
{
	for (u32 k = 0; k < out.nr; k++) {
		const struct gvm_co_effect *e = &out.effect[k];
		u32 value = bytes_of(e, l, NULL);

		if (e->what == GVM_DO_STORE) {
			say("        home stores value %u\n", value);
			w.store[e->page] = value;
		} else if (e->what == GVM_DO_SEND) {
			post(e, value);
		} else {
			fail("home asks for effect %u", e->what);
		}
	}
}

/* ---- what may happen ---- */

static void over(void)
{
	world_forget_time();
	world_judge();
}

void world_deliver(u32 i, bool stays)
{
	static struct gvm_sharers list;
	struct letter l = w.net[i];
	u16 to = l.msg.to;
	int err;

	say_letter(stays ? "twice:" : "comes:", &l);
	if (stays) {
		w.dups--;
	} else {
		w.net[i] = w.net[--w.nr];
	}
	if (l.members) {
		gvm_sharers_clear(&list);
		for (u32 k = 0; k < cfg->nodes; k++) {
			if (l.members >> k & 1)
				gvm_sharers_add(&list, k);
		}
		l.msg.list = &list;
	}
	out.nr = 0;
	if (to == GVM_NODE_HOME) {
		err = gvm_home_recv(home(), &l.msg, now(), &out);
		if (err == -EPROTO)
			fail("home calls it a breach of protocol");
		home_effects(&l);
	} else if (w.alive[to]) {
		/* The driver's part: an old membership's messages end here. */
		if (l.msg.from == GVM_NODE_HOME &&
		    l.msg.epoch != node(to)->cfg.epoch)
			return;
		err = gvm_node_recv(node(to), &l.msg, now(), &out);
		if (err == -EPROTO)
			fail("node %u calls it a breach of protocol", to);
		if (err)
			say("        refused: %d\n", err);
		node_effects(to, &l);
	}
	over();
}

void world_lose(u32 i)
{
	say_letter("lost: ", &w.net[i]);
	w.net[i] = w.net[--w.nr];
	w.losses--;
}

bool world_fault(u32 i, u32 page, bool write)
{
	u8 wait = write ? WAIT_WRITE : WAIT_READ;
	u8 right = write ? GVM_RIGHT_WRITE : GVM_RIGHT_READ;
	int err;

	if (!w.alive[i] || w.waits[i][page] & wait ||
	    w.right[i][page] >= right)
		return false;
	say("node %u faults: %s %c\n", i, write ? "write" : "read",
	    (int)('a' + page));
	w.waits[i][page] |= wait;
	w.wanted[i][page] = 1;
	w.quiet = 0;
	err = gvm_node_fault(node(i), page, write ? GVM_WANT_EXCLUSIVE :
			     GVM_WANT_SHARED, now(), &out);
	if (err == -EAGAIN) {
		w.waits[i][page] &= (u8)~wait;
		return false;
	}
	if (err)
		fail("fault: %d", err);
	node_effects(i, NULL);
	over();
	return true;
}

bool world_evict(u32 i, u32 page)
{
	int err;

	if (!w.alive[i])
		return false;
	err = gvm_node_evict(node(i), page, now(), &out);
	if (err)
		return false;
	say("node %u evicts %c\n", i, (int)('a' + page));
	w.quiet = 0;
	node_effects(i, NULL);
	over();
	return true;
}

void world_node_tick(u32 i)
{
	say("node %u asks again\n", i);
	gvm_node_tick(node(i), FAR, &out);
	node_effects(i, NULL);
	over();
}

void world_demands(u32 i)
{
	say("node %u: holds are over\n", i);
	gvm_node_tick(node(i), HELD, &out);
	node_effects(i, NULL);
	over();
}

bool world_has_demand(u32 i)
{
	for (u32 k = 0; k < GVM_DEMANDS && w.alive[i]; k++) {
		if (node(i)->demand[k].used)
			return true;
	}
	return false;
}

bool world_restless(u32 i)
{
	return w.alive[i] && !gvm_node_idle(node(i));
}

void world_home_tick(bool late)
{
	say("home's time has come\n");
	home()->deadline_ns = 0;
	gvm_home_tick(home(), late ? FAR : NOW, &out);
	home_effects(NULL);
	over();
}

bool world_home_due(void)
{
	return gvm_home_deadline(home()) <= NOW;
}

bool world_member(u32 i)
{
	return gvm_home_member(home(), i);
}

static void node_begin(u32 i, u32 epoch)
{
	struct gvm_node_config c = {
		.id = (u16)i, .epoch = epoch, .pages_max = PAGES_MAX,
		.wants_max = PAGES_MAX, .buffers_max = BUFFERS,
		.relays_max = 2, .retry_ns = NODE_RETRY,
		.hold_ns = cfg->hold ? HOLD : 0,
		.claim_pages = cfg->claim ? cfg->pages : 0,
	};

	memset(node_mem[i], 0, sizeof(node_mem[i]));
	if (gvm_node_size(&c) > sizeof(node_mem[i]) ||
	    !gvm_node_init(node_mem[i], &c))
		fail("a node does not fit");
	w.alive[i] = 1;
}

static void node_end(u32 i)
{
	struct gvm_node *n = node(i);

	w.quiet = 0;
	w.alive[i] = 0;
	for (u32 p = 0; p < cfg->pages; p++) {
		w.value[i][p] = 0;
		w.right[i][p] = GVM_RIGHT_NONE;
		w.waits[i][p] = 0;
	}
	memset(w.buffer[i], 0, sizeof(w.buffer[i]));
	/* Nothing of it is ever looked at again; so let it be the same. */
	memset(&n->counter, 0, offsetof(struct gvm_node, demand) -
	       offsetof(struct gvm_node, counter));
	memset(n->demand, 0, sizeof(n->demand));
	memset((u8 *)n + sizeof(*n), 0, gvm_node_size(&n->cfg) - sizeof(*n));
}

void world_crash(u32 i)
{
	say("node %u dies\n", i);
	w.crashes--;
	for (u32 p = 0; p < cfg->pages; p++)
		w.suspect[p] |= w.wanted[i][p];
	node_end(i);
}

bool world_leave(u32 i)
{
	if (!w.alive[i] || !gvm_node_idle(node(i)) || gvm_node_held(node(i)))
		return false;
	say("node %u leaves\n", i);
	w.leaves--;
	node_end(i);
	gvm_home_leave(home(), i, now(), &out);
	home_effects(NULL);
	over();
	return true;
}

void world_declare(u32 i)
{
	say("home declares node %u dead\n", i);
	gvm_home_dead(home(), i, now(), &out);
	home_effects(NULL);
	over();
}

bool world_join(u32 i)
{
	u32 epoch = 0;

	if (gvm_home_join(home(), i, &epoch))
		return false;
	say("node %u joins, epoch %u\n", i, epoch);
	w.joins--;
	w.quiet = 0;
	node_begin(i, epoch);
	make_parts();
	over();
	return true;
}

void world_quiet(void)
{
	if (++w.quiet >= QUIET_MAX)
		fail("asked again %u times, and still not served", w.quiet);
	say("nothing under way: everybody asks again\n");
	for (u32 i = 0; i < cfg->nodes; i++) {
		if (w.alive[i])
			world_node_tick(i);
	}
	world_home_tick(true);
}

bool world_pending(void)
{
	for (u32 i = 0; i < cfg->nodes; i++) {
		if (!w.alive[i])
			continue;
		if (!gvm_node_idle(node(i)) || world_has_demand(i))
			return true;
		for (u32 p = 0; p < cfg->pages; p++) {
			if (w.waits[i][p])
				return true;
		}
	}
	return false;
}

/* ---- the judge ---- */

static void judge_page(u32 p)
{
	struct gvm_home_page page;
	u32 readers = 0, writers = 0;

	gvm_home_page(home(), p, &page);
	for (u32 i = 0; i < cfg->nodes; i++) {
		if (w.right[i][p] == GVM_RIGHT_NONE)
			continue;
		readers++;
		writers += w.right[i][p] == GVM_RIGHT_WRITE;
		if (w.value[i][p] != w.latest[p])
			fail("node %u reads write %u of page %c; the latest is %u",
			     i, w.value[i][p], (int)('a' + p), w.latest[p]);
	}
	if (writers && readers > 1)
		fail("page %c has a writer and %u copies", (int)('a' + p),
		     readers);
	if (!page.lost)
		return;
	if (!w.suspect[p])
		fail("page %c is lost for no reason", (int)('a' + p));
	if (writers)
		fail("page %c is lost and written to", (int)('a' + p));
}

void world_judge(void)
{
	gvm_home_check(home());
	for (u32 i = 0; i < cfg->nodes; i++) {
		if (w.alive[i])
			gvm_node_check(node(i));
	}
	for (u32 p = 0; p < cfg->pages; p++)
		judge_page(p);
}

/* ---- beginning and end ---- */

/* In peace: the letters arrive in order until nothing is under way. */
static void settle(void)
{
	for (u32 steps = 0; ; steps++) {
		if (steps > 2000)
			fail("it does not come to rest");
		if (world_home_due())
			world_home_tick(false);
		else if (w.nr)
			world_deliver(0, false);
		else if (world_pending())
			world_quiet();
		else
			return;
	}
}

static void do_prefix(const char *at)
{
	while (*at) {
		u32 i = (u32)(at[1] - '0');
		u32 p = (u32)(at[2] - 'a');

		if (at[0] == 'e')
			world_evict(i, p);
		else
			world_fault(i, p, at[0] == 'w');
		settle();
		for (at += 3; *at == ' '; at++)
			;
	}
}

void world_start(const struct config *config)
{
	struct gvm_home_config c = {
		.pages = config->pages, .nodes_max = config->nodes,
		.txns_max = config->pages,
		.waits_max = config->nodes * config->pages,
		.sets_max = config->nodes > 4 && !config->coarse ?
			config->pages : 0,
		.fanout = config->fanout, .retry_ns = HOME_RETRY,
		.storm_ns = config->storm ? FAR : 0,
		.patience = config->apart ? 1 : 15,
	};

	cfg = config;
	memset(&w, 0, sizeof(w));
	memset(home_mem, 0, sizeof(home_mem));
	if (gvm_home_size(&c) > sizeof(home_mem) ||
	    !gvm_home_init(home_mem, &c))
		fail("the home does not fit");
	for (u32 i = 0; i < cfg->nodes; i++) {
		u32 epoch = 0;

		if (gvm_home_join(home(), i, &epoch))
			fail("node %u cannot join", i);
		node_begin(i, epoch);
	}
	if (cfg->claim) {
		if (gvm_home_claim(home(), 0))
			fail("node 0 cannot claim");
		gvm_node_claim(node(0), 0, cfg->pages);
		memset(w.wanted[0], 1, sizeof(w.wanted[0]));
	}
	make_parts();
	world_forget_time();
	do_prefix(config->prefix);
	w.ops = (u8)config->ops;
	w.losses = (u8)config->losses;
	w.dups = (u8)config->dups;
	w.retries = (u8)config->retries;
	w.crashes = (u8)config->crashes;
	w.joins = (u8)config->joins;
	w.leaves = (u8)config->leaves;
	w.quiet = 0;
}

void world_probe(void)
{
	struct gvm_home_page page;

	for (u32 p = 0; p < cfg->pages; p++) {
		for (u32 i = 0; i < cfg->nodes; i++) {
			if (!w.alive[i])
				continue;
			world_fault(i, p, i & 1);
			settle();
			gvm_home_page(home(), p, &page);
			if (page.lost)
				break;
			if (w.right[i][p] == GVM_RIGHT_NONE)
				fail("node %u cannot have page %c", i,
				     (int)('a' + p));
		}
	}
}
