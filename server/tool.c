// SPDX-License-Identifier: GPL-2.0-or-later
/* What `giantvm region` asks for: shared regions made, listed, removed. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "region.h"
#include "request.h"
#include "shared.h"

enum gvm_session_next gvm_on_region_make(const struct gvm_request *q)
{
	struct gvm_region_made *made;
	struct gvm_shared_want want;
	struct gvm_region_make make;
	struct gvm_refusal refusal;
	struct gvm_shared *r;
	bool fresh;

	memcpy(&make, q->payload, sizeof(make));
	want = (struct gvm_shared_want){
		.name = make.name, .region = make.region,
		.cluster = make.cluster, .bytes = gvm_le64(make.bytes),
		.slice_bytes = gvm_le64(make.slice_bytes),
		.lease_ms = gvm_le32(make.lease_ms),
		.server = gvm_le16(make.server),
		.servers = gvm_le16(make.servers),
	};
	r = gvm_shared_get(&q->service->shareds, &want, true, &fresh, &refusal);
	if (!r)
		return gvm_fail(q, refusal.code, refusal.text);
	if (!fresh && gvm_is_zeros(make.region, sizeof(make.region))) {
		gvm_shared_put(r);
		return gvm_fail(q, GVM_ERR_EXISTS, "there is a shared region of this name already");
	}
	made = gvm_answer(q->out, GVM_MSG_REGION_MADE, sizeof(*made), 0, 0,
			  q->head->txn);
	if (made)
		memcpy(made->region, r->id, sizeof(made->region));
	gvm_shared_put(r);
	return gvm_go_if(made);
}

/* Called with r->lock held. */
static void fill_entry(const struct gvm_shared *r, struct gvm_region_entry *e)
{
	*e = (struct gvm_region_entry){
		.bytes = gvm_le64(r->bytes),
		.slice_bytes = gvm_le64((u64)GVM_PAGE_BYTES <<
					r->slices.shift),
		.server = gvm_le16(r->server),
		.servers = gvm_le16(r->slices.servers),
		.members = gvm_le32(r->seats_nr),
		.pages_stored = gvm_le64(__atomic_load_n(&r->region->pages,
							 __ATOMIC_RELAXED)),
		.pages_lost = gvm_le64(gvm_home_stats(r->home)->lost),
	};
	memcpy(e->name, r->name, sizeof(e->name));
	memcpy(e->region, r->id, sizeof(e->region));
}

enum gvm_session_next gvm_on_region_list(const struct gvm_request *q)
{
	struct gvm_shareds *x = &q->service->shareds;
	struct {
		struct gvm_regions head;
		struct gvm_region_entry entry[GVM_REGIONS_LISTED_MAX];
	} list;
	struct gvm_region_list ask;
	u32 at = 0, nr = 0, bytes;
	void *to;

	memcpy(&ask, q->payload, sizeof(ask));
	pthread_mutex_lock(&x->lock);
	for (struct gvm_shared *r = x->first; r; r = r->next, at++) {
		if (at < gvm_le32(ask.first) || nr == GVM_REGIONS_LISTED_MAX)
			continue;
		pthread_mutex_lock(&r->lock);
		fill_entry(r, &list.entry[nr++]);
		pthread_mutex_unlock(&r->lock);
	}
	list.head = (struct gvm_regions){
		.total = gvm_le32(x->nr), .count = gvm_le32(nr),
	};
	pthread_mutex_unlock(&x->lock);
	bytes = (u32)(sizeof(list.head) + nr * sizeof(list.entry[0]));
	to = gvm_answer(q->out, GVM_MSG_REGIONS, bytes, 0, 0, q->head->txn);
	if (to)
		memcpy(to, &list, bytes);
	return gvm_go_if(to);
}

static struct gvm_shared *find(const struct gvm_request *q, const char *name,
			       enum gvm_session_next *ret_next)
{
	struct gvm_shared *r = gvm_shared_find(&q->service->shareds, name);

	if (!r)
		*ret_next = gvm_fail(q, GVM_ERR_NO_REGION, "the server has no shared region of this name");
	return r;
}

enum gvm_session_next gvm_on_region_remove(const struct gvm_request *q)
{
	struct gvm_region_remove ask;
	enum gvm_session_next next;
	struct gvm_shared *r;
	u32 members;

	memcpy(&ask, q->payload, sizeof(ask));
	r = find(q, ask.name, &next);
	if (!r)
		return next;
	pthread_mutex_lock(&r->lock);
	members = r->seats_nr;
	pthread_mutex_unlock(&r->lock);
	if (members && !(gvm_le32(ask.flags) & GVM_REMOVE_FORCE)) {
		gvm_shared_put(r);
		return gvm_fail(q, GVM_ERR_BUSY, "the region has nodes; stop them first, or use --force");
	}
	gvm_shared_remove(&q->service->shareds, r);
	gvm_shared_put(r);
	return gvm_go_if(gvm_answer(q->out, GVM_MSG_REGION_REMOVED, 0, 0, 0,
				    q->head->txn));
}

/* Memory that the directory really takes; without a lock, it stays mapped. */
static u64 resident(const struct gvm_shared *r)
{
	static const size_t step = 64ul << 20;
	unsigned char in_core[(64ul << 20) / 4096];
	u64 pages = 0;

	for (size_t at = 0; at < r->home_bytes; at += step) {
		size_t len = r->home_bytes - at < step ?
			r->home_bytes - at : step;

		if (mincore((u8 *)r->home + at, len, in_core))
			return 0;
		for (size_t i = 0; i < (len + 4095) / 4096; i++)
			pages += in_core[i] & 1;
	}
	return pages << GVM_PAGE_SHIFT;
}

/* Members from an id on.  Called with r->lock held. */
static u32 fill_members(const struct gvm_shared *r, u32 first, u8 *to)
{
	u64 now = gvm_region_now_ns();
	u32 nr = 0;

	for (u32 i = first; i < GVM_NODES_MAX && nr < GVM_STATUS_MEMBERS_MAX;
	     i++) {
		const struct gvm_seat *seat = r->seats[i];
		struct gvm_status_member m;
		u64 heard;

		if (!seat)
			continue;
		heard = __atomic_load_n(&seat->heard_ns, __ATOMIC_RELAXED);
		m = (struct gvm_status_member){
			.node = gvm_le16(seat->node),
			.connected = gvm_le16(!!seat->session),
			.epoch = gvm_le32(seat->epoch),
			.heard_ms = gvm_le64(now > heard ?
					     (now - heard) / 1000000 : 0),
		};
		memcpy(m.address, seat->address, sizeof(m.address));
		memcpy(to + nr++ * sizeof(m), &m, sizeof(m));
	}
	return nr;
}

/*
 * Lost pages, by their numbers in the region.  Called with r->lock held: the
 * search ends with the last one that is known to be there, for a directory can
 * be gigabytes long.
 */
static u32 fill_lost(const struct gvm_shared *r, u64 from, u8 *to)
{
	u64 left = gvm_home_stats(r->home)->lost;
	/* Not above the first page >= from that is kept here. */
	u64 dense = (from >> r->slices.shift) / r->slices.servers <<
		r->slices.shift;
	u32 nr = 0;

	while (nr < GVM_STATUS_LOST_MAX && nr < left) {
		__le64 page;

		dense = gvm_home_next_lost(r->home, dense);
		if (dense == ~0ull)
			break;
		page = gvm_le64(gvm_slices_page(&r->slices, r->server,
						dense++));
		if (page < from)
			continue;
		memcpy(to + nr++ * sizeof(page), &page, sizeof(page));
	}
	return nr;
}

static void fill_counters(const struct gvm_home_stats *s,
			  __le64 to[GVM_STATUS_COUNTERS])
{
	const u64 values[GVM_STATUS_COUNTERS] = {
		s->reads, s->writes, s->recalls, s->invalidations, s->referred,
		s->queued, s->refused, s->driven, s->coarse, s->puts, s->lost,
		s->ignored,
	};

	static_assert(sizeof(*s) == sizeof(values), "all counters travel");
	for (u32 i = 0; i < GVM_STATUS_COUNTERS; i++)
		to[i] = gvm_le64(values[i]);
}

enum gvm_session_next gvm_on_region_status(const struct gvm_request *q)
{
	u8 lists[GVM_STATUS_MEMBERS_MAX * sizeof(struct gvm_status_member) +
		 GVM_STATUS_LOST_MAX * sizeof(u64)];
	struct gvm_region_status ask;
	struct gvm_status status;
	enum gvm_session_next next;
	struct gvm_shared *r;
	u32 members, lost, bytes;
	u8 *to;

	memcpy(&ask, q->payload, sizeof(ask));
	r = find(q, ask.name, &next);
	if (!r)
		return next;
	memset(&status, 0, sizeof(status));
	status.directory_bytes = gvm_le64(resident(r));
	pthread_mutex_lock(&r->lock);
	if (r->gone) {
		pthread_mutex_unlock(&r->lock);
		gvm_shared_put(r);
		return gvm_fail(q, GVM_ERR_NO_REGION, "the region is being removed");
	}
	fill_entry(r, &status.entry);
	fill_counters(gvm_home_stats(r->home), status.counter);
	status.messages_in = gvm_le64(r->messages_in);
	status.messages_out = gvm_le64(r->messages_out);
	status.messages_dropped = gvm_le64(__atomic_load_n(&r->dropped,
							   __ATOMIC_RELAXED));
	members = fill_members(r, gvm_le32(ask.first_node), lists);
	bytes = members * (u32)sizeof(struct gvm_status_member);
	lost = fill_lost(r, gvm_le64(ask.lost_from), lists + bytes);
	pthread_mutex_unlock(&r->lock);
	gvm_shared_put(r);
	bytes += lost * (u32)sizeof(u64);
	status.members_nr = gvm_le32(members);
	status.lost_nr = gvm_le32(lost);
	to = gvm_answer(q->out, GVM_MSG_STATUS, sizeof(status) + bytes, 0, 0,
			q->head->txn);
	if (!to)
		return GVM_SESSION_CLOSE;
	memcpy(to, &status, sizeof(status));
	memcpy(to + sizeof(status), lists, bytes);
	return GVM_SESSION_GO;
}
