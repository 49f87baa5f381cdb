// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Regions as things: made, found, kept in their records, opened again from a
 * file.  Who may have them is decided in lease.c.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "region.h"

void gvm_refuse(struct gvm_refusal *ret, u32 code, const char *format, ...)
{
	va_list args;

	ret->code = code;
	va_start(args, format);
	vsnprintf(ret->text, sizeof(ret->text), format, args);
	va_end(args);
}

u64 gvm_region_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000ull + (u64)ts.tv_nsec;
}

void gvm_region_start_lease(const struct gvm_leases *l, struct gvm_region *r)
{
	r->deadline_ns = gvm_region_now_ns() + l->lease_ms * 1000000ull;
}

static struct gvm_region **bucket(struct gvm_leases *l, const u8 id[16])
{
	u64 v;

	memcpy(&v, id, sizeof(v));
	return &l->buckets[v % GVM_LEASE_BUCKETS];
}

struct gvm_region *gvm_region_find(struct gvm_leases *l, const u8 id[16])
{
	struct gvm_region *r = *bucket(l, id);

	while (r && memcmp(r->rec->id, id, sizeof(r->rec->id)))
		r = r->next;
	return r;
}

u32 gvm_region_place(const struct gvm_region *r)
{
	return r->rec->lease & 1;
}

/* In time that does not tell how much of it was right. */
bool gvm_region_token_is(const struct gvm_region *r, const u8 token[16])
{
	const u8 *own = r->rec->token[gvm_region_place(r)];
	u8 differ = 0;

	for (u32 i = 0; i < 16; i++)
		differ |= own[i] ^ token[i];
	return !differ;
}

/* One store makes token, name and epoch hold, all at once. */
void gvm_region_hold(struct gvm_region *r, const u8 token[16],
		 const char name[GVM_NAME_MAX], u32 epoch, u32 place)
{
	memcpy(r->rec->token[place], token, 16);
	memcpy(r->rec->name[place], name, GVM_NAME_MAX);
	__atomic_store_n(&r->rec->lease, (u64)epoch << 1 | place,
			 __ATOMIC_RELEASE);
}

void gvm_region_set_state(struct gvm_region *r, enum gvm_region_state state)
{
	__atomic_store_n(&r->rec->state, (u64)state, __ATOMIC_RELEASE);
}

/* In memory, and in a slot, but not in the table. */
static struct gvm_region *region_new(struct gvm_leases *l, u32 slot)
{
	struct gvm_region *r = malloc(sizeof(*r));

	if (!r)
		return NULL;
	gvm_store_region_init(l->store, r, slot);
	r->users = 1;
	return r;
}

void gvm_region_put(struct gvm_region *r)
{
	if (--r->users)
		return;
	gvm_store_region_exit(r);
	free(r);
}

void gvm_region_insert(struct gvm_leases *l, struct gvm_region *r)
{
	struct gvm_region **head = bucket(l, r->rec->id);

	r->next = *head;
	*head = r;
	l->nr++;
}

void gvm_region_remove(struct gvm_leases *l, struct gvm_region *r)
{
	struct gvm_region **at = bucket(l, r->rec->id);

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	l->nr--;
}

/* A region of this id that nobody can find yet. */
struct gvm_region *gvm_region_make(struct gvm_leases *l, const u8 id[16],
			       const u8 token[16],
			       const char name[GVM_NAME_MAX],
			       struct gvm_refusal *ret)
{
	struct gvm_region *r;

	if (!l->slots_nr) {
		gvm_refuse(ret, GVM_ERR_LIMIT, "the server holds %u regions, its limit; use another server",
			   GVM_REGIONS_MAX);
		return NULL;
	}
	r = region_new(l, l->slots[l->slots_nr - 1]);
	if (!r) {
		gvm_refuse(ret, GVM_ERR_LIMIT, "the server is out of memory for its tables");
		return NULL;
	}
	l->slots_nr--;
	r->epoch = 1;
	memcpy(r->rec->id, id, sizeof(r->rec->id));
	gvm_region_hold(r, token, name, 1, 0);
	gvm_region_set_state(r, GVM_REGION_GOING);
	return r;
}

/* Regions of a file that live go into the table, and into found[]. */
static int adopt(struct gvm_leases *l, struct gvm_region **found)
{
	for (u32 slot = 0; slot < GVM_REGIONS_MAX; slot++) {
		struct gvm_region_rec *rec = &l->store->arena.regions[slot];
		struct gvm_region *r;

		if (rec->state != GVM_REGION_LIVE)
			continue;
		r = region_new(l, slot);
		if (!r)
			return -ENOMEM;
		r->epoch = (u32)(rec->lease >> 1);
		rec->name[gvm_region_place(r)][GVM_NAME_MAX - 1] = '\0';
		gvm_region_start_lease(l, r);
		gvm_region_insert(l, r);
		found[slot] = r;
	}
	return 0;
}

static int reopen(struct gvm_leases *l, const char *path, char *why,
		  size_t why_len)
{
	struct gvm_region **found = calloc(GVM_REGIONS_MAX, sizeof(*found));
	int err = -ENOMEM;

	if (found)
		err = adopt(l, found);
	if (err)
		snprintf(why, why_len, "%s: not enough memory to open it", path);
	else
		err = gvm_store_recover(l->store, found, path, why, why_len);
	free(found);
	return err;
}

int gvm_leases_init(struct gvm_leases *l, struct gvm_store *store, bool fresh,
		    const char *path, u32 lease_ms, char *why, size_t why_len)
{
	int err = 0;

	l->store = store;
	l->lease_ms = lease_ms;
	pthread_mutex_init(&l->lock, NULL);
	if (!fresh)
		err = reopen(l, path, why, why_len);
	if (err) {
		gvm_leases_exit(l);
		return err;
	}
	for (u32 slot = GVM_REGIONS_MAX; slot--; ) {
		struct gvm_region_rec *rec = &store->arena.regions[slot];

		if (!fresh && rec->state == GVM_REGION_LIVE)
			continue;
		/* Half made or half dropped: its leaves are gone by now. */
		if (!fresh && rec->state != GVM_REGION_FREE)
			rec->state = GVM_REGION_FREE;
		l->slots[l->slots_nr++] = (u16)slot;
	}
	return 0;
}

void gvm_leases_exit(struct gvm_leases *l)
{
	for (u32 i = 0; i < GVM_LEASE_BUCKETS; i++) {
		while (l->buckets[i]) {
			struct gvm_region *r = l->buckets[i];

			l->buckets[i] = r->next;
			gvm_region_put(r);
		}
	}
	pthread_mutex_destroy(&l->lock);
}
