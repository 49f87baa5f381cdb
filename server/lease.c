// SPDX-License-Identifier: GPL-2.0-or-later
/* Regions, their holders and how long they wait for them; see lease.h. */
#include <errno.h>
#include <string.h>

#include "region.h"
#include "session.h"

/* Larger regions are freed by the keeper, so that no client waits for it. */
#define DROP_AT_ONCE_PAGES	8192u

/* Fence and wake all sessions of the region.  Its epoch has been raised. */
static void cut_all(struct gvm_region *r)
{
	while (r->sessions) {
		struct gvm_session *s = r->sessions;

		r->sessions = s->next;
		s->listed = false;
		__atomic_store_n(&s->fenced, true, __ATOMIC_RELEASE);
		s->cut(s);
	}
}

static void set_epoch(struct gvm_region *r, u32 epoch)
{
	pthread_rwlock_wrlock(&r->lock);
	r->epoch = epoch;
	pthread_rwlock_unlock(&r->lock);
}

static void enter(struct gvm_region *r, struct gvm_session *s)
{
	s->region = r;
	s->epoch = r->epoch;
	s->prev = NULL;
	s->next = r->sessions;
	if (s->next)
		s->next->prev = s;
	r->sessions = s;
	s->listed = true;
	r->users++;
}

/* May this ATTACH enter this region?  Called with l->lock held. */
static bool admit(struct gvm_region *r, const struct gvm_attach *attach,
		  u32 epoch, struct gvm_refusal *ret)
{
	u32 flags = gvm_le32(attach->flags);
	bool mine = gvm_region_token_is(r, attach->token);

	if (flags & GVM_ATTACH_JOIN) {
		if (mine && r->epoch == epoch)
			return true;
		gvm_refuse(ret, GVM_ERR_FENCED, GVM_TEXT_FENCED);
		return false;
	}
	if (r->epoch == UINT32_MAX) {
		gvm_refuse(ret, GVM_ERR_LIMIT, "the region has no epochs left");
		return false;
	}
	if (mine || flags & GVM_ATTACH_TAKEOVER)
		return true;
	gvm_refuse(ret, GVM_ERR_HELD, r->sessions ?
		   "the region is in use by '%.63s'; stop that program first" :
		   "the region is kept for '%.63s', which has gone away; try again when its lease has run out",
		   r->rec->name[gvm_region_place(r)]);
	return false;
}

/* Called with l->lock held and between begin and end of a change. */
static bool attach_locked(struct gvm_leases *l, struct gvm_session *s,
			  const struct gvm_attach *attach, u32 epoch,
			  struct gvm_refusal *ret)
{
	struct gvm_region *r = gvm_region_find(l, attach->region);
	u32 flags = gvm_le32(attach->flags);

	if (!r) {
		if (flags & GVM_ATTACH_JOIN || !(flags & GVM_ATTACH_CREATE)) {
			gvm_refuse(ret, GVM_ERR_NO_REGION, "the server does not have this region: it was dropped, or its lease ran out");
			return false;
		}
		r = gvm_region_make(l, attach->region, attach->token,
				    attach->name, ret);
		if (!r)
			return false;
		gvm_region_set_state(r, GVM_REGION_LIVE);
		gvm_region_insert(l, r);
		enter(r, s);
		return true;
	}
	if (!admit(r, attach, epoch, ret))
		return false;
	if (!(flags & GVM_ATTACH_JOIN)) {
		gvm_region_hold(r, attach->token, attach->name, r->epoch + 1,
				!gvm_region_place(r));
		set_epoch(r, r->epoch + 1);
		cut_all(r);
	}
	enter(r, s);
	return true;
}

bool gvm_lease_attach(struct gvm_leases *l, struct gvm_session *session,
		      const struct gvm_attach *attach, u32 epoch,
		      struct gvm_refusal *ret)
{
	bool ok;

	if (gvm_arena_begin(&l->store->arena)) {
		gvm_refuse(ret, GVM_ERR_IO, GVM_TEXT_IO);
		return false;
	}
	pthread_mutex_lock(&l->lock);
	ok = attach_locked(l, session, attach, epoch, ret);
	pthread_mutex_unlock(&l->lock);
	gvm_arena_end(&l->store->arena);
	return ok;
}

/* Free the pages and the slot.  The region is in no list any more. */
static void bury(struct gvm_leases *l, struct gvm_region *r)
{
	bool told = !gvm_arena_begin(&l->store->arena);

	gvm_store_drop(l->store, r);
	gvm_region_set_state(r, GVM_REGION_FREE);
	if (told)
		gvm_arena_end(&l->store->arena);
	pthread_mutex_lock(&l->lock);
	l->slots[l->slots_nr++] = (u16)r->slot;
	gvm_region_put(r);
	pthread_mutex_unlock(&l->lock);
}

/*
 * Called with l->lock held: from here on no request is good.  Returns the
 * region if the caller must bury it after unlocking.
 */
static struct gvm_region *retire(struct gvm_leases *l, struct gvm_region *r)
{
	/* A disk that fails is reported by the next request that needs it. */
	bool told = !gvm_arena_begin(&l->store->arena);

	set_epoch(r, 0);
	cut_all(r);
	gvm_region_set_state(r, GVM_REGION_GOING);
	if (told)
		gvm_arena_end(&l->store->arena);
	if (__atomic_load_n(&r->pages, __ATOMIC_RELAXED) <= DROP_AT_ONCE_PAGES)
		return r;

	/* A WRITE that finds the server full waits for this one. */
	gvm_frames_owe(&l->store->frames);
	r->next = l->reap;
	l->reap = r;
	l->wake(l->wake_arg);
	return NULL;
}

/* Called with l->lock held: and nobody finds it any more. */
static struct gvm_region *drop(struct gvm_leases *l, struct gvm_region *r)
{
	gvm_region_remove(l, r);
	return retire(l, r);
}

struct gvm_region *gvm_lease_reserve(struct gvm_leases *l, const u8 id[16],
				     const char *name, struct gvm_refusal *ret)
{
	char holder[GVM_NAME_MAX] = "";
	static const u8 nobody[16];
	struct gvm_region *r;

	strncpy(holder, name, sizeof(holder) - 1);
	if (gvm_arena_begin(&l->store->arena)) {
		gvm_refuse(ret, GVM_ERR_IO, GVM_TEXT_IO);
		return NULL;
	}
	pthread_mutex_lock(&l->lock);
	r = gvm_region_make(l, id, nobody, holder, ret);
	pthread_mutex_unlock(&l->lock);
	gvm_arena_end(&l->store->arena);
	return r;
}

void gvm_lease_release(struct gvm_leases *l, struct gvm_region *r)
{
	struct gvm_region *dead;

	pthread_mutex_lock(&l->lock);
	dead = retire(l, r);
	pthread_mutex_unlock(&l->lock);
	if (dead)
		bury(l, dead);
}

/* Called with l->lock held. */
static void unlist(struct gvm_leases *l, struct gvm_session *s)
{
	struct gvm_region *r = s->region;

	if (!s->listed)
		return;
	s->listed = false;
	if (s->prev)
		s->prev->next = s->next;
	else
		r->sessions = s->next;
	if (s->next)
		s->next->prev = s->prev;
	if (!r->sessions) {
		gvm_region_start_lease(l, r);
		l->wake(l->wake_arg);
	}
}

void gvm_lease_leave(struct gvm_leases *l, struct gvm_session *session,
		     bool drop_region)
{
	struct gvm_region *r = session->region;
	struct gvm_region *dead = NULL;
	bool was_listed;

	if (!r)
		return;
	pthread_mutex_lock(&l->lock);
	was_listed = session->listed;
	unlist(l, session);
	/* A fenced session has no say in what becomes of the region. */
	if (drop_region && was_listed)
		dead = drop(l, r);
	session->region = NULL;
	gvm_region_put(r);
	pthread_mutex_unlock(&l->lock);
	if (dead)
		bury(l, dead);
}

static void refuse_store(struct gvm_refusal *ret, int err)
{
	if (err == -ESTALE)
		gvm_refuse(ret, GVM_ERR_FENCED, GVM_TEXT_FENCED);
	else
		gvm_refuse(ret, GVM_ERR_FULL, "no room for a copy of the region");
}

/*
 * Called with l->lock held and between begin and end of a change.  On failure
 * *ret_dead may be a region that the caller must bury after unlocking.
 */
static bool clone_locked(struct gvm_leases *l, struct gvm_session *s,
			 const struct gvm_clone *clone,
			 struct gvm_region **ret_dead, struct gvm_refusal *ret)
{
	struct gvm_region *child = gvm_region_find(l, clone->region);
	int err;

	if (child) {
		/* Asked for twice: what was copied the first time holds. */
		if (child != s->region && gvm_region_token_is(child, clone->token))
			return true;
		gvm_refuse(ret, GVM_ERR_EXISTS, "a region of that id exists");
		return false;
	}
	child = gvm_region_make(l, clone->region, clone->token, clone->name, ret);
	if (!child)
		return false;
	err = gvm_store_clone(l->store, s->region, s->epoch, child);
	if (err) {
		refuse_store(ret, err);
		*ret_dead = child;
		return false;
	}
	gvm_region_set_state(child, GVM_REGION_LIVE);
	gvm_region_start_lease(l, child);
	gvm_region_insert(l, child);
	l->wake(l->wake_arg);
	return true;
}

bool gvm_lease_clone(struct gvm_leases *l, struct gvm_session *session,
		     const struct gvm_clone *clone, struct gvm_refusal *ret)
{
	struct gvm_region *dead = NULL;
	bool ok;

	if (gvm_arena_begin(&l->store->arena)) {
		gvm_refuse(ret, GVM_ERR_IO, GVM_TEXT_IO);
		return false;
	}
	pthread_mutex_lock(&l->lock);
	ok = clone_locked(l, session, clone, &dead, ret);
	pthread_mutex_unlock(&l->lock);
	gvm_arena_end(&l->store->arena);
	if (dead)
		bury(l, dead);
	return ok;
}

bool gvm_leases_reap(struct gvm_leases *l)
{
	struct gvm_region *r;

	pthread_mutex_lock(&l->lock);
	r = l->reap;
	if (r)
		l->reap = r->next;
	pthread_mutex_unlock(&l->lock);
	if (!r)
		return false;
	bury(l, r);
	gvm_frames_paid(&l->store->frames);
	return true;
}

/* The first region whose lease has run out; else the next deadline. */
static struct gvm_region *expired(struct gvm_leases *l, u64 now, u64 *ret_next)
{
	for (u32 i = 0; i < GVM_LEASE_BUCKETS; i++) {
		for (struct gvm_region *r = l->buckets[i]; r; r = r->next) {
			if (r->sessions)
				continue;
			if (r->deadline_ns <= now)
				return r;
			if (r->deadline_ns < *ret_next)
				*ret_next = r->deadline_ns;
		}
	}
	return NULL;
}

int gvm_leases_expire(struct gvm_leases *l)
{
	u64 now = gvm_region_now_ns();
	u64 next = UINT64_MAX;
	struct gvm_region *r;

	for (;;) {
		pthread_mutex_lock(&l->lock);
		r = expired(l, now, &next);
		if (!r)
			break;
		r = drop(l, r);
		pthread_mutex_unlock(&l->lock);
		if (r)
			bury(l, r);
	}
	pthread_mutex_unlock(&l->lock);
	return next == UINT64_MAX ? -1 : (int)((next - now) / 1000000 + 1);
}

u32 gvm_leases_count(struct gvm_leases *l)
{
	u32 nr;

	pthread_mutex_lock(&l->lock);
	nr = l->nr;
	pthread_mutex_unlock(&l->lock);
	return nr;
}
