// SPDX-License-Identifier: GPL-2.0-or-later
/* The moves of the world in model.h, and the rules that none may break. */
#include "model.h"

static int broken(const char **why, const char *what)
{
	*why = what;
	return -1;
}

static void net_sort(struct model *m)
{
	for (u32 i = 1; i < m->net_nr; i++) {
		struct note note = m->net[i];
		u32 j = i;

		for (; j && memcmp(&m->net[j - 1], &note, sizeof(note)) > 0; j--)
			m->net[j] = m->net[j - 1];
		m->net[j] = note;
	}
}

/* False: the network is full, the move is not explored. */
static bool net_put(struct model *m, enum kind kind, u8 live, u8 version)
{
	if (m->net_nr == NET_MAX)
		return false;
	m->net[m->net_nr++] = (struct note){ (u8)kind, live, version };
	net_sort(m);
	return true;
}

static void net_drop(struct model *m, u32 i)
{
	m->net[i] = m->net[--m->net_nr];
	m->net[m->net_nr] = (struct note){ 0, 0, 0 };
	net_sort(m);
}

static bool is_read(u8 kind)
{
	return kind == K_READ || kind == K_DATA;
}

/* The request was answered or given up: its other messages are dead. */
static void net_kill(const struct world *w, struct model *m, bool read)
{
	for (u32 i = 0; i < m->net_nr; i++) {
		if (is_read(m->net[i].kind) == read)
			m->net[i].live = 0;
	}
	/*
	 * A session carries nothing out after its answer was taken.  What
	 * happens otherwise is what SABOTAGE_LATE_REPEAT shows.
	 */
	for (u32 i = 0; !read && i < m->net_nr; i++) {
		u8 kind = m->net[i].kind;

		if ((kind == K_WRITE || kind == K_TRIM) &&
		    w->sabotage != SABOTAGE_LATE_REPEAT)
			net_drop(m, i--);
	}
	net_sort(m);
}

static int step(const struct world *w, struct model *m,
		enum gvm_page_event event, u16 *acts)
{
	if (w->sabotage == SABOTAGE_TABLE && w->cell_state == m->state &&
	    w->cell_event == event) {
		m->state = w->cell_next;
		*acts = w->cell_actions;
		return 0;
	}
	return gvm_page_step(m->state, event, &m->state, acts);
}

static int act_fill(struct model *m, u16 acts, u8 bytes, const char **why)
{
	if (m->pte != PTE_NONE)
		return broken(why, "filled twice");
	if ((acts & (GVM_ACT_STEAL | GVM_ACT_STEAL_DIRTY)) && !m->slot)
		return broken(why, "stolen from an empty slot");
	if (acts & GVM_ACT_FILL_ZERO)
		m->local = 0;
	if (acts & GVM_ACT_FILL)
		m->local = bytes;
	m->pte = acts & (GVM_ACT_FILL_ZERO | GVM_ACT_STEAL_DIRTY) ?
		 PTE_WRITE : PTE_READ;
	if (acts & (GVM_ACT_STEAL | GVM_ACT_STEAL_DIRTY))
		m->slot = 0;
	m->waiting = 0;
	if (m->local != m->truth)
		return broken(why, "a stale page was mapped");
	return 1;
}

static int act_wire(const struct world *w, struct model *m, u16 acts,
		    const char **why)
{
	if (acts & GVM_ACT_CANCEL) {
		m->reading = 0;
		net_kill(w, m, true);
	}
	if (acts & GVM_ACT_READ) {
		if (m->reading)
			return broken(why, "two READs");
		m->reading = 1;
		if (!net_put(m, K_READ, 1, 0))
			return 0;
	}
	if (acts & GVM_ACT_TRIM) {
		if (m->pending)
			return broken(why, "TRIM while something is out");
		m->pending = OP_TRIM;
		if (!net_put(m, K_TRIM, 1, 0))
			return 0;
	}
	return 1;
}

/* Feed an event and carry out what it asks for.  bytes: of a DATA. */
static int feed(const struct world *w, struct model *m,
		enum gvm_page_event event, u8 bytes, const char **why)
{
	u16 acts;
	int ret;

	if (step(w, m, event, &acts))
		return broken(why, "the table has a hole");
	if (acts & GVM_ACT_FREE_SLOT)
		m->slot = 0;
	if (acts & GVM_ACT_UNMAP)
		m->pte = PTE_NONE;
	ret = act_wire(w, m, acts, why);
	if (ret != 1)
		return ret;
	if (acts & GVM_ACT_QUEUE)
		m->queued = 1;
	if (acts & (GVM_ACT_FILL_ZERO | GVM_ACT_FILL | GVM_ACT_STEAL |
		    GVM_ACT_STEAL_DIRTY))
		return act_fill(m, acts, bytes, why);
	if (acts & GVM_ACT_UNPROTECT) {
		if (m->pte == PTE_NONE)
			return broken(why, "unprotected a hole");
		m->pte = PTE_WRITE;
		m->waiting = 0;
	}
	if (acts & GVM_ACT_WAKE)
		m->waiting = 0;
	return 1;
}

static int move_read(const struct world *w, struct model *m, const char **why)
{
	if (m->pte != PTE_NONE)
		return m->local == m->truth ? 0 :
		       broken(why, "a read returned an old version");
	m->waiting |= 1;
	return feed(w, m, GVM_EV_READ_FAULT, 0, why);
}

static int move_write(const struct world *w, struct model *m, const char **why)
{
	if (m->pte == PTE_WRITE) {
		if (m->writes == w->limits.writes)
			return 0;
		m->truth = ++m->writes;
		m->local = m->truth;
		return 1;
	}
	m->waiting |= 2;
	return feed(w, m, GVM_EV_WRITE_FAULT, 0, why);
}

/* The program writes zeros: looks like a page that was never written. */
static int move_write_zero(const struct world *w, struct model *m,
			   const char **why)
{
	(void)w;
	(void)why;
	if (m->pte != PTE_WRITE || !m->local)
		return 0;
	m->truth = 0;
	m->local = 0;
	return 1;
}

static int move_discard(const struct world *w, struct model *m,
			const char **why)
{
	if (m->discards == w->limits.discards)
		return 0;
	m->discards++;
	m->truth = 0;
	return feed(w, m, GVM_EV_DISCARD, 0, why);
}

static int move_prefetch(const struct world *w, struct model *m,
			 const char **why)
{
	if (m->state != GVM_PAGE_REMOTE)
		return 0;
	return feed(w, m, GVM_EV_PREFETCH, 0, why);
}

static int move_evict(const struct world *w, struct model *m, const char **why)
{
	if (!gvm_page_resident(m->state))
		return 0;
	if (m->slot)
		return broken(why, "staged twice");
	m->pte = PTE_NONE;
	m->slot = 1;
	return feed(w, m, GVM_EV_STAGE, 0, why);
}

/* The driver finds that it is all zero, and discards it at once. */
static int move_evict_zero(const struct world *w, struct model *m,
			   const char **why)
{
	int ret;

	if (!gvm_page_resident(m->state) || m->state == GVM_PAGE_CLEAN ||
	    m->local)
		return 0;
	ret = move_evict(w, m, why);
	return ret == 1 ? feed(w, m, GVM_EV_DISCARD, 0, why) : ret;
}

/* Nothing was written since it came from home, and the driver knows. */
static int move_evict_same(const struct world *w, struct model *m,
			   const char **why)
{
	if (m->state != GVM_PAGE_DIRTY || !m->home || m->local != m->home)
		return 0;
	m->pte = PTE_NONE;
	m->slot = 1;
	return feed(w, m, GVM_EV_STAGE_SAME, 0, why);
}

static int move_send(const struct world *w, struct model *m, const char **why)
{
	if (!m->queued)
		return 0;
	m->queued = 0;
	if (m->state != GVM_PAGE_STAGED)
		return 1;	/* stolen or discarded since */
	if (m->pending)
		return broken(why, "WRITE while something is out");
	if (!m->slot)
		return broken(why, "WRITE of an empty slot");
	m->pending = OP_WRITE;
	m->sent = m->local;
	if (!net_put(m, K_WRITE, 1, m->sent))
		return 0;
	return feed(w, m, GVM_EV_SEND, 0, why);
}

static int move_release(const struct world *w, struct model *m,
			const char **why)
{
	if (m->state != GVM_PAGE_STAGED_CLEAN)
		return 0;
	return feed(w, m, GVM_EV_RELEASE, 0, why);
}

/* A TRIM that finds nothing at home is not sent: answered by the driver. */
static int move_trim_needless(const struct world *w, struct model *m,
			      const char **why)
{
	if (m->pending != OP_TRIM || m->home)
		return 0;
	for (u32 i = 0; i < m->net_nr; i++) {
		if (m->net[i].kind == K_WRITE)
			return 0;
	}
	m->pending = OP_NONE;
	net_kill(w, m, false);
	return feed(w, m, GVM_EV_WRITTEN, 0, why);
}

/* The answer to the pending WRITE or TRIM is here, or counts as here. */
static int answered(const struct world *w, struct model *m,
		    enum gvm_page_event event, const char **why)
{
	bool was_write = m->pending == OP_WRITE;

	m->pending = OP_NONE;
	net_kill(w, m, false);
	if (m->state == GVM_PAGE_ZERO_WB && was_write &&
	    w->sabotage != SABOTAGE_NO_TRIM) {
		m->pending = OP_TRIM;
		return net_put(m, K_TRIM, 1, 0);
	}
	return feed(w, m, event, 0, why);
}

/* Connections were lost, a new session has begun. */
static int move_session(const struct world *w, struct model *m,
			const char **why)
{
	if (m->sessions == w->limits.sessions)
		return 0;
	m->sessions++;
	memset(m->net, 0, sizeof(m->net));
	m->net_nr = 0;
	if (m->reading && !net_put(m, K_READ, 1, 0))
		return 0;
	if (m->pending == OP_TRIM)
		return net_put(m, K_TRIM, 1, 0);
	if (m->pending != OP_WRITE)
		return 1;
	if (m->state == GVM_PAGE_WRITING &&
	    w->sabotage != SABOTAGE_FORGET_WRITE)
		return net_put(m, K_WRITE, 1, m->sent);
	return answered(w, m, GVM_EV_WRITTEN, why);
}

/* Home carries out a request. */
static int home(struct model *m, struct note note)
{
	switch (note.kind) {
	case K_READ:
		return net_put(m, K_DATA, note.live, m->home);
	case K_WRITE:
		m->home = note.version;
		return net_put(m, K_WRITTEN, note.live, 0);
	default:
		m->home = 0;
		return net_put(m, K_TRIMMED, note.live, 0);
	}
}

/* Message i arrives; unless it stays behind as a repeat. */
static int deliver(const struct world *w, struct model *m, u32 i, bool repeat,
		   const char **why)
{
	struct note note;

	if (i >= m->net_nr)
		return 0;
	if (repeat) {
		if (m->repeats == w->limits.repeats)
			return 0;
		m->repeats++;
	}
	note = m->net[i];
	if (!repeat)
		net_drop(m, i);
	if (note.kind <= K_TRIM)
		return home(m, note);
	if (!note.live && !(w->sabotage == SABOTAGE_STALE_DATA &&
			    note.kind == K_DATA && m->reading))
		return 1;	/* no request of that txn: ends here */
	if (note.kind == K_DATA) {
		m->reading = 0;
		net_kill(w, m, true);
		return feed(w, m, GVM_EV_DATA, note.version, why);
	}
	return answered(w, m, note.kind == K_REFUSED ? GVM_EV_REFUSED :
			GVM_EV_WRITTEN, why);
}

/* A full home refuses WRITE number i. */
static int refuse(const struct world *w, struct model *m, u32 i)
{
	if (i >= m->net_nr || m->net[i].kind != K_WRITE ||
	    m->refusals == w->limits.refusals)
		return 0;
	m->refusals++;
	m->net[i].kind = K_REFUSED;
	m->net[i].version = 0;
	net_sort(m);
	return 1;
}

static const struct {
	const char	*name;
	int		(*make)(const struct world *w, struct model *m,
				const char **why);
} moves[] = {
	/* The program's. */
	{ "read", move_read },
	{ "write", move_write },
	{ "write zeros", move_write_zero },
	{ "discard", move_discard },
	/* The driver's. */
	{ "prefetch", move_prefetch },
	{ "evict", move_evict },
	{ "evict as zero", move_evict_zero },
	{ "evict as equal", move_evict_same },
	{ "send", move_send },
	{ "release", move_release },
	{ "trim is needless", move_trim_needless },
	{ "new session", move_session },
};

#define MOVES_NR	((u32)(sizeof(moves) / sizeof(moves[0])))
#define PROGRAM_NR	4u

const u32 model_moves_nr = MOVES_NR + 3 * NET_MAX;

bool model_move_is_program(u32 n)
{
	return n < PROGRAM_NR;
}

const char *model_move_name(u32 n)
{
	if (n < MOVES_NR)
		return moves[n].name;
	n -= MOVES_NR;
	return n < NET_MAX ? "deliver" :
	       n < 2 * NET_MAX ? "deliver and repeat" : "refuse";
}

/* What must hold in between, whatever happened. */
static int judge(const struct model *m, const char **why)
{
	if (m->state == GVM_PAGE_ZERO && (m->truth || m->home))
		return broken(why, "zero, but something is kept");
	if (m->state == GVM_PAGE_REMOTE && m->home != m->truth)
		return broken(why, "the page is lost");
	if (m->state == GVM_PAGE_STAGED_CLEAN &&
	    (m->home != m->truth || m->local != m->truth))
		return broken(why, "staged clean, but not equal to home");
	if (m->state == GVM_PAGE_CLEAN &&
	    (m->home != m->truth || m->pte == PTE_WRITE))
		return broken(why, "clean, but not equal to home");
	if (gvm_page_resident(m->state) != (m->pte != PTE_NONE))
		return broken(why, "state and mapping disagree");
	if (gvm_page_staged(m->state) != !!m->slot)
		return broken(why, "state and slot disagree");
	return 1;
}

int model_move(const struct world *w, struct model *m, u32 n,
	       const char **why)
{
	u32 i = n - MOVES_NR;
	int ret;

	if (n < MOVES_NR)
		ret = moves[n].make(w, m, why);
	else if (i < NET_MAX)
		ret = deliver(w, m, i, false, why);
	else if (i < 2 * NET_MAX)
		ret = deliver(w, m, i - NET_MAX, true, why);
	else
		ret = refuse(w, m, i - 2 * NET_MAX);
	return ret == 1 ? judge(m, why) : ret;
}

bool model_quiet(const struct model *m)
{
	return !m->waiting && !m->net_nr && !m->pending && !m->reading &&
	       !m->queued && m->home == m->truth &&
	       (m->state == GVM_PAGE_ZERO || m->state == GVM_PAGE_REMOTE);
}
