// SPDX-License-Identifier: GPL-2.0-or-later
/* Questions about shared regions to one server; see query-region.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query-inside.h"
#include "query-region.h"

static_assert(GVM_REGION_NAME_BYTES == GVM_SHARED_NAME_MAX &&
	      GVM_REGION_ADDRESS_BYTES == GVM_ADDRESS_MAX &&
	      GVM_REGION_COUNTERS == GVM_STATUS_COUNTERS, "as on the wire");

const char *const gvm_region_counters[GVM_REGION_COUNTERS] = {
	"reads", "writes", "recalls", "invalidations", "referred", "queued",
	"refused", "driven", "coarse", "puts", "lost", "ignored",
};

bool gvm_region_name_ok(const char *name)
{
	char full[GVM_SHARED_NAME_MAX] = "";
	size_t len = strlen(name);

	if (len >= sizeof(full))
		return false;
	memcpy(full, name, len);
	return gvm_codec_name_ok(full);
}

/* Names are judged before they come here. */
static void set_name(char to[GVM_SHARED_NAME_MAX], const char *name)
{
	memset(to, 0, GVM_SHARED_NAME_MAX);
	strncpy(to, name, GVM_SHARED_NAME_MAX - 1);
}

/* One request that is all there is to the conversation; q stays open. */
static int ask(struct gvm_query *q, u16 type, const void *payload, u32 len,
	       u16 answer)
{
	int err = gvm_query_send(q, type, 0, 0, payload, len);

	return err ? err : gvm_query_await(q, answer);
}

int gvm_query_region_make(const struct sockaddr *sa, socklen_t sa_len,
			  unsigned timeout_ms, struct gvm_region_plan *plan,
			  char ret_why[GVM_QUERY_WHY_MAX])
{
	struct gvm_region_make make = {
		.bytes = gvm_le64(plan->bytes),
		.slice_bytes = gvm_le64(plan->slice_bytes),
		.server = gvm_le16(plan->server),
		.servers = gvm_le16(plan->servers),
		.lease_ms = gvm_le32(plan->lease_ms),
	};
	struct gvm_query q;
	int err = gvm_query_open(&q, sa, sa_len, timeout_ms, ret_why);

	set_name(make.name, plan->name);
	memcpy(make.cluster, plan->cluster, sizeof(make.cluster));
	memcpy(make.region, plan->region, sizeof(make.region));
	if (!err)
		err = ask(&q, GVM_MSG_REGION_MAKE, &make, sizeof(make),
			  GVM_MSG_REGION_MADE);
	if (!err)
		memcpy(plan->region, q.reply.bytes, sizeof(plan->region));
	gvm_query_close(&q);
	return err;
}

int gvm_query_region_remove(const struct sockaddr *sa, socklen_t sa_len,
			    unsigned timeout_ms, const char *name, bool force,
			    char ret_why[GVM_QUERY_WHY_MAX])
{
	struct gvm_region_remove remove = {
		.flags = gvm_le32(force ? GVM_REMOVE_FORCE : 0),
	};
	struct gvm_query q;
	int err = gvm_query_open(&q, sa, sa_len, timeout_ms, ret_why);

	set_name(remove.name, name);
	if (!err)
		err = ask(&q, GVM_MSG_REGION_REMOVE, &remove, sizeof(remove),
			  GVM_MSG_REGION_REMOVED);
	gvm_query_close(&q);
	return err;
}

static void take_entry(const void *at, struct gvm_region_info *to)
{
	struct gvm_region_entry e;

	memcpy(&e, at, sizeof(e));
	*to = (struct gvm_region_info){
		.bytes = gvm_le64(e.bytes),
		.slice_bytes = gvm_le64(e.slice_bytes),
		.pages_stored = gvm_le64(e.pages_stored),
		.pages_lost = gvm_le64(e.pages_lost),
		.members = gvm_le32(e.members),
		.server = gvm_le16(e.server), .servers = gvm_le16(e.servers),
	};
	memcpy(to->name, e.name, sizeof(to->name));
	memcpy(to->region, e.region, sizeof(to->region));
}

/* Append nr elements of size bytes to a list; NULL: no memory. */
static void *grow(void *list, u32 have, u32 nr, size_t size)
{
	return realloc(list, (have + nr + 1) * size);
}

static int no_memory(struct gvm_query *q)
{
	snprintf(q->why, GVM_QUERY_WHY_MAX, "not enough memory here for its answer");
	return -ENOMEM;
}

/* Entries from number *nr on.  1: there are more. */
static int list_some(struct gvm_query *q, struct gvm_region_info **list,
		     u32 *nr)
{
	struct gvm_region_list from = { .first = gvm_le32(*nr) };
	struct gvm_region_info *more;
	struct gvm_regions regions;
	u32 count;
	int err = ask(q, GVM_MSG_REGION_LIST, &from, sizeof(from),
		      GVM_MSG_REGIONS);

	if (err)
		return err;
	memcpy(&regions, q->reply.bytes, sizeof(regions));
	count = gvm_le32(regions.count);
	more = grow(*list, *nr, count, sizeof(*more));
	if (!more)
		return no_memory(q);
	*list = more;
	for (u32 i = 0; i < count; i++)
		take_entry(q->reply.bytes + sizeof(regions) +
			   i * sizeof(struct gvm_region_entry),
			   &more[*nr + i]);
	*nr += count;
	return count && *nr < gvm_le32(regions.total);
}

int gvm_query_region_list(const struct sockaddr *sa, socklen_t sa_len,
			  unsigned timeout_ms,
			  struct gvm_region_info **ret_list, uint32_t *ret_nr,
			  char ret_why[GVM_QUERY_WHY_MAX])
{
	struct gvm_region_info *list = NULL;
	struct gvm_query q;
	u32 nr = 0;
	int err = gvm_query_open(&q, sa, sa_len, timeout_ms, ret_why);

	if (!err) {
		do {
			err = list_some(&q, &list, &nr);
		} while (err > 0);
	}
	gvm_query_close(&q);
	if (err) {
		free(list);
		return err;
	}
	*ret_list = list;
	*ret_nr = nr;
	return 0;
}

static int take_nodes(struct gvm_query *q, struct gvm_region_report *to)
{
	u32 nr = gvm_le32(q->reply.status.members_nr);
	struct gvm_region_node *more;

	more = grow(to->nodes, to->nodes_nr, nr, sizeof(*more));
	if (!more)
		return no_memory(q);
	to->nodes = more;
	for (u32 i = 0; i < nr; i++) {
		struct gvm_status_member m;

		memcpy(&m, q->reply.bytes + sizeof(struct gvm_status) +
		       i * sizeof(m), sizeof(m));
		more = &to->nodes[to->nodes_nr++];
		*more = (struct gvm_region_node){
			.heard_ms = gvm_le64(m.heard_ms),
			.epoch = gvm_le32(m.epoch), .id = gvm_le16(m.node),
			.connected = gvm_le16(m.connected),
		};
		memcpy(more->address, m.address, sizeof(more->address));
	}
	return 0;
}

static int take_lost(struct gvm_query *q, struct gvm_region_report *to)
{
	const u8 *at = gvm_codec_status_lost(q->reply.bytes);
	u32 nr = gvm_le32(q->reply.status.lost_nr);
	u64 *more;

	more = grow(to->lost, to->lost_nr, nr, sizeof(*more));
	if (!more)
		return no_memory(q);
	to->lost = more;
	for (u32 i = 0; i < nr; i++) {
		__le64 page;

		memcpy(&page, at + i * sizeof(page), sizeof(page));
		to->lost[to->lost_nr++] = gvm_le64(page);
	}
	return 0;
}

static void take_figures(const struct gvm_status *s,
			 struct gvm_region_report *to)
{
	take_entry(&s->entry, &to->info);
	for (u32 i = 0; i < GVM_REGION_COUNTERS; i++)
		to->counters[i] = gvm_le64(s->counter[i]);
	to->directory_bytes = gvm_le64(s->directory_bytes);
	to->messages_in = gvm_le64(s->messages_in);
	to->messages_out = gvm_le64(s->messages_out);
	to->messages_dropped = gvm_le64(s->messages_dropped);
}

/* Nodes and lost pages behind those that are known.  1: there may be more. */
static int status_some(struct gvm_query *q, const char *name,
		       struct gvm_region_report *to)
{
	u32 nodes = to->nodes_nr, lost = to->lost_nr;
	struct gvm_region_status from = {
		.lost_from = gvm_le64(lost ? to->lost[lost - 1] + 1 : 0),
		.first_node = gvm_le32(nodes ? to->nodes[nodes - 1].id + 1u :
				       0),
	};
	int err;

	set_name(from.name, name);
	err = ask(q, GVM_MSG_REGION_STATUS, &from, sizeof(from),
		  GVM_MSG_STATUS);
	if (err)
		return err;
	take_figures(&q->reply.status, to);
	err = take_nodes(q, to);
	if (!err)
		err = take_lost(q, to);
	if (err)
		return err;
	return to->nodes_nr - nodes == GVM_STATUS_MEMBERS_MAX ||
	       (to->lost_nr - lost == GVM_STATUS_LOST_MAX &&
		to->lost_nr < GVM_REGION_LOST_MAX);
}

int gvm_query_region_status(const struct sockaddr *sa, socklen_t sa_len,
			    unsigned timeout_ms, const char *name,
			    struct gvm_region_report *ret,
			    char ret_why[GVM_QUERY_WHY_MAX])
{
	struct gvm_query q;
	int err = gvm_query_open(&q, sa, sa_len, timeout_ms, ret_why);

	memset(ret, 0, sizeof(*ret));
	if (!err) {
		do {
			err = status_some(&q, name, ret);
		} while (err > 0);
	}
	gvm_query_close(&q);
	if (err)
		gvm_region_report_free(ret);
	return err;
}

void gvm_region_report_free(struct gvm_region_report *report)
{
	free(report->nodes);
	free(report->lost);
	memset(report, 0, sizeof(*report));
}
