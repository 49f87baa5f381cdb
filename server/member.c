// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Nodes of a shared region: who joins, who is silent for too long, and who is
 * told of it.  What becomes of the pages of a dead node is the directory's
 * affair (core/home-member.c).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "region.h"
#include "request.h"
#include "shared.h"

#define SWEEP_TICKS	16u	/* that a JOIN does itself, to get its id free */

static u64 silent_ns(const struct gvm_seat *seat, u64 now)
{
	u64 heard = __atomic_load_n(&seat->heard_ns, __ATOMIC_RELAXED);

	return now > heard ? now - heard : 0;
}

static void note_death(const struct gvm_shared *r, const struct gvm_seat *seat,
		       u64 now)
{
	char line[400];

	if (!r->service->note)
		return;
	snprintf(line, sizeof(line), "giantvm: node %u (%s) of shared region '%s' was not heard for %llu ms and is out; pages that it alone had are lost, 'giantvm region status %s' lists them",
		 seat->node, seat->address, r->name,
		 (unsigned long long)silent_ns(seat, now) / 1000000, r->name);
	r->service->note(r->service, line);
}

/* Its connection, if it has one, hears FENCED and is closed. */
static void cut(struct gvm_seat *seat)
{
	struct gvm_session *s = seat->session;

	seat->session = NULL;
	if (!s)
		return;
	s->seat = NULL;
	__atomic_store_n(&s->fenced, true, __ATOMIC_RELEASE);
	s->cut(s);
}

/* One that is lost does no harm: old epochs are refused all the same. */
static void tell_all(struct gvm_shared *r, const struct gvm_seat *gone,
		     u16 why)
{
	u8 at[sizeof(struct gvm_msg) + sizeof(struct gvm_member)];
	struct gvm_member member = {
		.node = gvm_le16(gone->node), .why = gvm_le16(why),
		.epoch = gvm_le32(gone->epoch),
	};

	memcpy(at + sizeof(struct gvm_msg), &member, sizeof(member));
	for (u32 i = 0, left = r->seats_nr; left && i < GVM_NODES_MAX; i++) {
		struct gvm_seat *seat = r->seats[i];

		if (!seat)
			continue;
		left--;
		gvm_codec_put(at, GVM_MSG_MEMBER, 0, sizeof(member),
			      r->handle, seat->epoch, 0);
		gvm_member_send(r, (u16)i, at, sizeof(at), 0, false);
	}
}

void gvm_member_end(struct gvm_shared *r, struct gvm_seat *seat, u16 why)
{
	u64 now = gvm_region_now_ns();

	if (why == GVM_MEMBER_DIED) {
		note_death(r, seat, now);
		cut(seat);
	}
	r->seats[seat->node] = NULL;
	r->seats_nr--;
	if (why == GVM_MEMBER_LEFT)
		gvm_home_leave(r->home, seat->node, now, &r->out);
	else
		gvm_home_dead(r->home, seat->node, now, &r->out);
	tell_all(r, seat, why);
	free(seat);
	if (gvm_home_run(r, now, 1))
		gvm_shareds_wake(&r->service->shareds);
}

void gvm_members_drop(struct gvm_shared *r)
{
	for (u32 i = 0; r->seats_nr && i < GVM_NODES_MAX; i++) {
		struct gvm_seat *seat = r->seats[i];

		if (!seat)
			continue;
		cut(seat);
		r->seats[i] = NULL;
		r->seats_nr--;
		free(seat);
	}
}

u64 gvm_members_expire(struct gvm_shared *r, u64 now)
{
	u64 lease_ns = r->lease_ms * 1000000ull;
	u64 next = UINT64_MAX;

	for (u32 i = 0, left = r->seats_nr; left && i < GVM_NODES_MAX; i++) {
		struct gvm_seat *seat = r->seats[i];
		u64 silent;

		if (!seat)
			continue;
		left--;
		silent = silent_ns(seat, now);
		if (silent >= lease_ns)
			gvm_member_end(r, seat, GVM_MEMBER_DIED);
		else if (now + lease_ns - silent < next)
			next = now + lease_ns - silent;
	}
	return next;
}

void gvm_members_excuse(struct gvm_shared *r, u64 now)
{
	for (u32 i = 0, left = r->seats_nr; left && i < GVM_NODES_MAX; i++) {
		if (!r->seats[i])
			continue;
		left--;
		__atomic_store_n(&r->seats[i]->heard_ns, now,
				 __ATOMIC_RELAXED);
	}
}

void gvm_member_heard(struct gvm_session *s)
{
	if (!s->shared)
		return;
	pthread_mutex_lock(&s->shared->lock);
	if (s->seat)
		__atomic_store_n(&s->seat->heard_ns, gvm_region_now_ns(),
				 __ATOMIC_RELAXED);
	pthread_mutex_unlock(&s->shared->lock);
}

void gvm_member_dropped(struct gvm_session *s)
{
	if (s->shared)
		__atomic_add_fetch(&s->shared->dropped, 1, __ATOMIC_RELAXED);
}

void gvm_member_part(struct gvm_session *s)
{
	struct gvm_shared *r = s->shared;

	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	if (s->seat)
		s->seat->session = NULL;
	s->seat = NULL;
	pthread_mutex_unlock(&r->lock);
	s->shared = NULL;
	gvm_shared_put(r);
}

/* The id in the directory; what a predecessor left is cleaned up first. */
static int join_home(struct gvm_shared *r, u32 node, u32 *ret_epoch)
{
	int err;

	for (u32 i = 0; i < SWEEP_TICKS; i++) {
		err = gvm_home_join(r->home, node, ret_epoch);
		if (err != -EBUSY)
			return err;
		gvm_home_run(r, gvm_region_now_ns(), 1);
	}
	gvm_shareds_wake(&r->service->shareds);
	return err;
}

/* A new membership, or NULL: refused.  Called with r->lock held. */
static struct gvm_seat *new_seat(struct gvm_shared *r,
				 const struct gvm_join *join,
				 struct gvm_refusal *ret)
{
	u32 node = gvm_le16(join->node);
	struct gvm_seat *seat;
	int err;

	if (gvm_le16(join->flags) & GVM_JOIN_REJOIN) {
		gvm_refuse(ret, GVM_ERR_FENCED, "node %u was not heard for longer than its lease and is out of region '%s': what it holds is no longer good",
			   node, r->name);
		return NULL;
	}
	seat = calloc(1, sizeof(*seat));
	err = seat ? join_home(r, node, &seat->epoch) : -ENOMEM;
	if (!err) {
		seat->node = (u16)node;
		memcpy(seat->identity, join->identity, 16);
		r->seats[node] = seat;
		r->seats_nr++;
		return seat;
	}
	free(seat);
	if (err == -EBUSY)
		gvm_refuse(ret, GVM_ERR_BUSY, "what an earlier node %u left behind is being cleaned up; ask again",
			   node);
	else
		gvm_refuse(ret, GVM_ERR_LIMIT, "the server is out of memory for its tables");
	return NULL;
}

/* Called with r->lock held. */
static struct gvm_seat *take_seat(struct gvm_shared *r,
				  const struct gvm_join *join,
				  struct gvm_refusal *ret)
{
	struct gvm_seat *seat = r->seats[gvm_le16(join->node)];

	if (r->gone || r->broken) {
		gvm_refuse(ret, r->gone ? GVM_ERR_NO_REGION : GVM_ERR_IO,
			   "shared region '%s' %s", r->name, r->gone ?
			   "is being removed" : "cannot be used: the server's store has failed");
		return NULL;
	}
	if (!seat)
		return new_seat(r, join, ret);
	if (!memcmp(seat->identity, join->identity, 16)) {
		cut(seat);
		return seat;
	}
	gvm_refuse(ret, GVM_ERR_MEMBER, "node %u is another process (%s, heard %llu ms ago); choose another id, or wait until it is out (%u ms)",
		   seat->node, seat->address, (unsigned long long)
		   silent_ns(seat, gvm_region_now_ns()) / 1000000,
		   r->lease_ms);
	return NULL;
}

static void sit_down(struct gvm_session *s, struct gvm_shared *r,
		     struct gvm_seat *seat, const struct gvm_join *join)
{
	memcpy(seat->address, join->address, sizeof(seat->address));
	__atomic_store_n(&seat->heard_ns, gvm_region_now_ns(),
			 __ATOMIC_RELAXED);
	seat->session = s;
	s->seat = seat;
	s->shared = r;
	s->node = seat->node;
	s->epoch = seat->epoch;
	s->demand = true;
	s->state = GVM_SESSION_MEMBER;
}

/*
 * All pages at once, if there is room for all of them: what comes back must
 * find some.  Called with r->lock held.
 */
static bool claim(struct gvm_shared *r, const struct gvm_session *s)
{
	if (r->claim_epoch == s->epoch)
		return true;	/* its JOINED was lost */
	if (gvm_frames_room(&r->service->store.frames) <
	    gvm_slices_pages(&r->slices, r->server) ||
	    gvm_home_claim(r->home, s->node))
		return false;
	r->claim_epoch = s->epoch;
	return true;
}

/* Called with r->lock held. */
static enum gvm_session_next answer_join(const struct gvm_request *q,
					 struct gvm_shared *r,
					 bool wants)
{
	struct gvm_joined *joined;

	joined = gvm_answer(q->out, GVM_MSG_JOINED, sizeof(*joined),
			    r->handle, q->s->epoch, q->head->txn);
	if (!joined)
		return GVM_SESSION_CLOSE;
	*joined = (struct gvm_joined){
		.bytes = gvm_le64(r->bytes),
		.slice_bytes = gvm_le64((u64)GVM_PAGE_BYTES <<
					r->slices.shift),
		.lease_ms = gvm_le32(r->lease_ms),
		.members = gvm_le32(r->seats_nr),
		.claimed = gvm_le32(wants && claim(r, q->s)),
	};
	memcpy(joined->region, r->id, sizeof(r->id));
	return GVM_SESSION_GO;
}

enum gvm_session_next gvm_on_join(const struct gvm_request *q)
{
	struct gvm_shareds *x = &q->service->shareds;
	enum gvm_session_next next;
	struct gvm_refusal refusal;
	struct gvm_shared_want want;
	struct gvm_seat *seat;
	struct gvm_shared *r;
	struct gvm_join join;

	memcpy(&join, q->payload, sizeof(join));
	want = (struct gvm_shared_want){
		.name = join.name, .region = join.region,
		.cluster = join.cluster, .bytes = gvm_le64(join.bytes),
		.slice_bytes = gvm_le64(join.slice_bytes),
		.lease_ms = gvm_le32(join.lease_ms),
		.server = gvm_le16(join.server),
		.servers = gvm_le16(join.servers),
	};
	r = gvm_shared_get(x, &want, gvm_le16(join.flags) & GVM_JOIN_CREATE,
			   NULL, &refusal);
	if (!r)
		return gvm_fail(q, refusal.code, refusal.text);
	pthread_mutex_lock(&r->lock);
	seat = take_seat(r, &join, &refusal);
	if (!seat) {
		pthread_mutex_unlock(&r->lock);
		gvm_shared_put(r);
		return gvm_fail(q, refusal.code, refusal.text);
	}
	sit_down(q->s, r, seat, &join);
	next = answer_join(q, r, gvm_le16(join.flags) & GVM_JOIN_CLAIM);
	pthread_mutex_unlock(&r->lock);
	/* The keeper must know of a lease that ends before it wakes. */
	gvm_shareds_wake(x);
	return next;
}

enum gvm_session_next gvm_on_leave(const struct gvm_request *q)
{
	struct gvm_shared *r = q->s->shared;

	pthread_mutex_lock(&r->lock);
	if (q->s->seat) {
		struct gvm_seat *seat = q->s->seat;

		q->s->seat = NULL;
		seat->session = NULL;
		gvm_member_end(r, seat, GVM_MEMBER_LEFT);
	}
	pthread_mutex_unlock(&r->lock);
	q->s->shared = NULL;
	gvm_shared_put(r);
	q->s->state = GVM_SESSION_OPEN;
	return gvm_go_if(gvm_answer(q->out, GVM_MSG_LEFT, 0, q->head->region,
				    q->head->epoch, q->head->txn));
}

enum gvm_session_next gvm_on_peer(const struct gvm_request *q)
{
	struct gvm_shared *r = q->s->shared;
	struct gvm_peer_is is = { .member = 0 };
	struct gvm_seat *seat;
	struct gvm_peer peer;
	void *at;

	memcpy(&peer, q->payload, sizeof(peer));
	is.node = peer.node;
	gvm_member_heard(q->s);
	pthread_mutex_lock(&r->lock);
	seat = r->seats[gvm_le16(peer.node)];
	if (seat) {
		is.member = gvm_le16(1);
		is.epoch = gvm_le32(seat->epoch);
		memcpy(is.address, seat->address, sizeof(is.address));
	}
	pthread_mutex_unlock(&r->lock);
	at = gvm_answer(q->out, GVM_MSG_PEER_IS, sizeof(is), q->head->region,
			q->head->epoch, q->head->txn);
	if (at)
		memcpy(at, &is, sizeof(is));
	return gvm_go_if(at);
}
