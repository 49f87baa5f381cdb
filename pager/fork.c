// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fork(): parent and child diverge, pages on the servers included.
 *
 *	prepare	every shard writes its staging back, waits for all answers,
 *		lets the servers clone its region copy-on-write, and stops.
 *		Faults of other threads wait in the kernel meanwhile.
 *	fork	the kernel copies what is resident, and our books with it.
 *	parent	the shards go on.
 *	child	opens userfaultfds of its own, arms its memory again, protects
 *		its clean pages again, and attaches to the clones.
 *
 * Between the kernel's fork and the end of gvm_fork_child() the child's memory
 * is not armed: a missing page would read as zero.  Nothing but this thread
 * exists in the child, all signals are blocked since prepare, and our handler
 * is the first of all (attach/), so nobody can look.
 *
 * Children made behind our back (a bare clone) do not inherit the memory at
 * all (MADV_DONTFORK): they get SIGSEGV, never zeros.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "engine.h"
#include "mem.h"
#include "sys.h"

#define RESUME_GO	1u
#define RESUME_GONE	2u

/* In the shard's thread: returns when the fork is over. */
void gvm_do_quiesce(struct gvm_shard *s, struct gvm_command *c)
{
	s->quiet = 1;
	gvm_evict_drain(s);
	s->clone = (struct gvm_clone){ .region = { 0 } };
	memcpy(s->clone.region, c->new_region, sizeof(c->new_region));
	memcpy(s->clone.token, c->new_token, sizeof(c->new_token));
	memcpy(s->clone.name, s->gvm->name, sizeof(s->clone.name) - 1);
	for (u32 i = 0; i < s->gvm->servers_nr; i++) {
		struct gvm_request *r;

		if (!s->links[i].stored)
			continue;
		while (!(r = gvm_request_get(s, GVM_MSG_CLONE, (u16)i, 1)))
			gvm_shard_pump(s, 10);
		gvm_request_send(s, r);
	}
	while (s->requests_used)
		gvm_shard_pump(s, 10);
	s->stats->forks++;

	__atomic_store_n(&c->done, 1, __ATOMIC_RELEASE);
	gvm_futex_wake(&c->done);
	while (__atomic_load_n(&c->resume, __ATOMIC_ACQUIRE) != RESUME_GO)
		gvm_futex_wait(&c->resume, 0);
	s->now_ns = gvm_now_ns();
	s->quiet = 0;
	__atomic_store_n(&c->resume, RESUME_GONE, __ATOMIC_RELEASE);
	gvm_futex_wake(&c->resume);
}

static void advise_all(struct gvm *g, int advice)
{
	for (u64 i = 0; i < g->ranges.nr; i++) {
		const struct gvm_range *r = &g->ranges.list[i];

		if (!r->no_fork)
			gvm_sys(SYS_madvise, r->start, r->end - r->start,
				advice);
	}
}

int gvm_fork_prepare(struct gvm *g)
{
	u64 all = ~0ull;

	gvm_sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &g->fork_signals, 8);
	gvm_lock(&g->fork_lock);
	g->fork_failed = 0;
	for (u32 i = 0; i < g->shards_nr; i++) {
		struct gvm_command *c = &g->fork_commands[i];

		memset(c, 0, sizeof(*c));
		c->op = GVM_OP_QUIESCE;
		if (gvm_sys(SYS_getrandom, c->new_region, 16, 0) != 16 ||
		    gvm_sys(SYS_getrandom, c->new_token, 16, 0) != 16)
			g->fork_failed = 1;
		gvm_command_post(g->shards[i], c);
	}
	for (u32 i = 0; i < g->shards_nr; i++)
		gvm_command_wait(&g->fork_commands[i]);
	/* From here on no shard runs, so the ranges stand still. */
	gvm_lock(&g->ranges.lock);
	g->forked = 1;
	if (!g->fork_failed)
		advise_all(g, MADV_DOFORK);
	return g->fork_failed ? -ENOMEM : 0;
}

static void forked(struct gvm *g)
{
	if (!g->fork_failed)
		advise_all(g, MADV_DONTFORK);
	gvm_unlock(&g->ranges.lock);
}

int gvm_fork_parent(struct gvm *g)
{
	u64 mask = g->fork_signals;

	forked(g);
	for (u32 i = 0; i < g->shards_nr; i++) {
		struct gvm_command *c = &g->fork_commands[i];
		u32 seen;

		__atomic_store_n(&c->resume, RESUME_GO, __ATOMIC_RELEASE);
		gvm_futex_wake(&c->resume);
		while ((seen = __atomic_load_n(&c->resume, __ATOMIC_ACQUIRE)) !=
		       RESUME_GONE)
			gvm_futex_wait(&c->resume, seen);
	}
	gvm_unlock(&g->fork_lock);
	gvm_sys(SYS_rt_sigprocmask, SIG_SETMASK, &mask, 0, 8);
	return 0;
}

/* The same connections must not be used by two processes. */
static void forget_links(struct gvm_shard *s)
{
	for (u32 i = 0; i < s->gvm->servers_nr; i++) {
		struct gvm_link *link = &s->links[i];

		for (u32 lane = 0; lane < GVM_LANES; lane++) {
			gvm_fd_mine(link->lane[lane].conn.fd, false);
			gvm_conn_close(&link->lane[lane].conn);
			link->lane[lane].state = GVM_LANE_DOWN;
			link->lane[lane].wants_out = 0;
		}
		link->retry_ns = 1;
		link->attached_before = 0;
		link->waiting_ns = 0;
	}
}

static int protect_clean(struct gvm_shard *s, struct gvm_chunk *chunk)
{
	for (u32 i = 0; i < GVM_CHUNK_PAGES; i++) {
		u32 n = 0;

		while (i + n < GVM_CHUNK_PAGES &&
		       chunk->state[i + n] == GVM_PAGE_CLEAN)
			n++;
		if (n && gvm_uffd_protect(s->uffd, gvm_page_va(chunk, i),
					  (u64)n * GVM_PAGE_BYTES, true) !=
			 GVM_FILL_OK)
			return -EIO;
		i += n;
	}
	return 0;
}

static int arm_again(struct gvm_shard *s)
{
	const struct gvm_ranges *ranges = &s->gvm->ranges;
	int err = 0;

	for (u64 i = 0; !err && i < ranges->nr; i++) {
		const struct gvm_range *r = &ranges->list[i];

		if (gvm_shard_of(s->gvm, r->start) == s)
			err = gvm_uffd_register(s->uffd, r->start,
						r->end - r->start);
	}
	for (u64 i = 0; !err && i < s->table.all_nr; i++)
		if (s->table.all[i])
			err = protect_clean(s, s->table.all[i]);
	return err;
}

/* Nothing of the parent's threads, descriptors and connections is ours. */
static void leave_parent(struct gvm_shard *s)
{
	const struct gvm_command *c = &s->gvm->fork_commands[s->index];

	gvm_thread_forget(&s->thread);
	gvm_drop_forget(s);
	gvm_shard_close(s);
	forget_links(s);
	memcpy(s->region, c->new_region, sizeof(s->region));
	memcpy(s->token, c->new_token, sizeof(s->token));
	s->mail = NULL;
	s->quiet = 0;
	s->parked_head = s->parked_tail = 0;	/* those threads are not here */
	s->huge_scratch = 0;			/* not inherited */
	s->held_nr = 0;
	s->held_pages = 0;
	s->events_nr = 0;
	s->now_ns = gvm_now_ns();
	s->stats = gvm_monitor_stats(s->gvm, s->index);
	gvm_monitor_region(s->gvm, s->index, s->region, s->token);
}

/* The servers did not clone: start with nothing. */
static int start_empty(struct gvm_shard *s)
{
	int err;

	gvm_cache_init(&s->cache, (u32)s->frames);
	for (u32 i = 0; i < s->gvm->servers_nr; i++)
		s->links[i].stored = s->links[i].chunks = 0;
	err = gvm_table_init(&s->table);
	return err ? err : gvm_requests_init(s);
}

/* Ranges that the program keeps from its children (MADV_DONTFORK). */
static void lose_ranges(struct gvm *g)
{
	u64 i = 0;

	while (i < g->ranges.nr) {
		const struct gvm_range r = g->ranges.list[i];

		if (!r.no_fork) {
			i++;
			continue;
		}
		gvm_ranges_cut(&g->ranges, r.start, r.end);
		gvm_ranges_put_fd(&g->ranges, r.fd);
		gvm_forget_pages(gvm_shard_of(g, r.start), r.start, r.end);
	}
}

static int shard_reborn(struct gvm_shard *s)
{
	struct gvm_staging *st = &s->staging;
	const u64 ring = st->ring;
	int err;

	err = gvm_shard_open(s);
	if (err)
		return err;
	/* Not inherited, and drained: nothing was in it. */
	gvm_mem_unmap(st->slots, ring * sizeof(*st->slots));
	err = gvm_staging_init(s, (ring - 2 * GVM_REQUEST_PAGES) / 2);
	if (!err)
		err = arm_again(s);
	return err ? err : gvm_shard_start(s);
}

int gvm_fork_child(struct gvm *g)
{
	u64 mask = g->fork_signals;
	int err;

	forked(g);
	gvm_guard_forget(g);
	err = gvm_monitor_open(g);
	for (u32 i = 0; i < g->shards_nr; i++)
		leave_parent(g->shards[i]);
	if (g->fork_failed) {
		g->ranges.nr = 0;
		g->ranges.pages = 0;
		for (u32 i = 0; !err && i < g->shards_nr; i++)
			err = start_empty(g->shards[i]);
	} else {
		lose_ranges(g);
	}
	for (u32 i = 0; !err && i < g->shards_nr; i++)
		err = shard_reborn(g->shards[i]);
	if (err)
		gvm_fatal(g, "cannot page the memory of a forked child (error %u); stopping the child",
			  (unsigned int)-err);
	gvm_unlock(&g->fork_lock);
	gvm_sys(SYS_rt_sigprocmask, SIG_SETMASK, &mask, 0, 8);
	return 0;
}
