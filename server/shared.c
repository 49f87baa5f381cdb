// SPDX-License-Identifier: GPL-2.0-or-later
/* Shared regions as things: made, found, removed; see shared.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "region.h"
#include "shared.h"

/*
 * Bounds of one directory.  Beyond them requests are put off, and sharers
 * become a coarse vector; see core/home.h.
 */
#define TXNS_MAX	2048u
#define WAITS_MAX	8192u
#define SETS_MAX	1024u
#define RETRY_NS	20000000ull	/* drive a transaction again */
#define STORM_NS	2000000ull	/* readers of one page, before referral */
#define REAP_MS		1
#define TICKS		64u		/* of a directory, by the keeper */

bool gvm_is_zeros(const u8 *bytes, u32 nr)
{
	u8 any = 0;

	for (u32 i = 0; i < nr; i++)
		any |= bytes[i];
	return !any;
}

u32 gvm_shared_handle(const struct gvm_shared *r)
{
	return r->handle;
}

void gvm_shareds_init(struct gvm_shareds *x, struct gvm_service *service,
		      u32 lease_ms)
{
	memset(x, 0, sizeof(*x));
	x->service = service;
	x->lease_ms = lease_ms;
	pthread_mutex_init(&x->lock, NULL);
}

void gvm_shareds_exit(struct gvm_shareds *x)
{
	/* Their pages go with the store, or at the next start on its file. */
	while (x->first) {
		struct gvm_shared *r = x->first;

		x->first = r->next;
		gvm_members_drop(r);
		gvm_region_put(r->region);
		gvm_shared_put(r);
	}
	pthread_mutex_destroy(&x->lock);
}

u32 gvm_shareds_count(struct gvm_shareds *x)
{
	u32 nr;

	pthread_mutex_lock(&x->lock);
	nr = x->nr;
	pthread_mutex_unlock(&x->lock);
	return nr;
}

void gvm_shareds_wake(struct gvm_shareds *x)
{
	struct gvm_leases *l = &x->service->leases;

	if (!__atomic_exchange_n(&x->due, true, __ATOMIC_ACQ_REL))
		l->wake(l->wake_arg);
}

/* The directory's memory: what nobody uses takes none, in pages of 4 KiB. */
static int map_home(struct gvm_shared *r)
{
	struct gvm_home_config config = {
		.pages = gvm_slices_pages(&r->slices, r->server),
		.nodes_max = GVM_NODES_MAX,
		.txns_max = TXNS_MAX, .waits_max = WAITS_MAX,
		.sets_max = SETS_MAX,
		.retry_ns = RETRY_NS, .storm_ns = STORM_NS,
	};
	void *mem;

	/* A region may have fewer slices than servers. */
	if (!config.pages)
		config.pages = 1;
	if (config.pages < TXNS_MAX)
		config.txns_max = (u32)config.pages;
	if (config.pages < SETS_MAX)
		config.sets_max = (u32)config.pages;
	if (config.pages < WAITS_MAX / 64)
		config.waits_max = (u32)config.pages * 64;
	r->home_bytes = gvm_home_size(&config);
	if (!r->home_bytes)
		return -EINVAL;
	mem = mmap(NULL, r->home_bytes, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem == MAP_FAILED)
		return -ENOMEM;
	madvise(mem, r->home_bytes, MADV_NOHUGEPAGE);
	r->home = gvm_home_init(mem, &config);
	if (r->home)
		return 0;
	munmap(mem, r->home_bytes);
	return -EINVAL;
}

static u32 shift_of(u64 slice_bytes)
{
	u64 bytes = slice_bytes ? slice_bytes :
		GVM_SLICE_PAGES << GVM_PAGE_SHIFT;

	return (u32)__builtin_ctzll(bytes) - GVM_PAGE_SHIFT;
}

static struct gvm_shared *shared_new(struct gvm_shareds *x,
				     const struct gvm_shared_want *want)
{
	/* Mostly the table of members: only what is used takes memory. */
	struct gvm_shared *r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (r == MAP_FAILED)
		return NULL;
	r->service = x->service;
	memcpy(r->name, want->name, sizeof(r->name));
	memcpy(r->cluster, want->cluster, sizeof(r->cluster));
	memcpy(r->id, want->region, sizeof(r->id));
	r->bytes = want->bytes;
	r->slices = (struct gvm_slices){
		.pages = want->bytes >> GVM_PAGE_SHIFT,
		.shift = shift_of(want->slice_bytes),
		.servers = want->servers,
	};
	r->server = want->server;
	r->lease_ms = want->lease_ms ? want->lease_ms : x->lease_ms;
	r->users = 1;
	pthread_mutex_init(&r->lock, NULL);
	return r;
}

static void shared_free(struct gvm_shared *r)
{
	if (r->home)
		munmap(r->home, r->home_bytes);
	pthread_mutex_destroy(&r->lock);
	munmap(r, sizeof(*r));
}

void gvm_shared_put(struct gvm_shared *r)
{
	if (!__atomic_sub_fetch(&r->users, 1, __ATOMIC_ACQ_REL))
		shared_free(r);
}

/* Called with x->lock held. */
static struct gvm_shared *find(struct gvm_shareds *x, const char *name)
{
	struct gvm_shared *r = x->first;

	while (r && strcmp(r->name, name))
		r = r->next;
	return r;
}

struct gvm_shared *gvm_shared_find(struct gvm_shareds *x, const char *name)
{
	struct gvm_shared *r;

	pthread_mutex_lock(&x->lock);
	r = find(x, name);
	if (r)
		__atomic_add_fetch(&r->users, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&x->lock);
	return r;
}

/* Is the region that there is the one that is meant? */
static bool agrees(const struct gvm_shared *r,
		   const struct gvm_shared_want *want, struct gvm_refusal *ret)
{
	unsigned long long have = r->bytes >> 20, said = want->bytes >> 20;

	if (want->bytes && want->bytes != r->bytes) {
		gvm_refuse(ret, GVM_ERR_DIFFERS, "region '%s' has %llu MiB here, you say %llu MiB; say the same size everywhere, or remove the region first",
			   r->name, have, said);
	} else if (want->bytes && shift_of(want->slice_bytes) !=
				  r->slices.shift) {
		gvm_refuse(ret, GVM_ERR_DIFFERS, "region '%s' has slices of %llu MiB here, you say otherwise; remove the region first",
			   r->name, 4096ull << r->slices.shift >> 20);
	} else if (want->server != r->server ||
		   want->servers != r->slices.servers) {
		gvm_refuse(ret, GVM_ERR_DIFFERS, "this is server %u of %u of region '%s', you say %u of %u; name the same servers in the same order everywhere",
			   r->server + 1u, r->slices.servers, r->name,
			   want->server + 1u, want->servers);
	} else if (!gvm_is_zeros(want->cluster, 16) &&
		   !gvm_is_zeros(r->cluster, 16) &&
		   memcmp(want->cluster, r->cluster, 16)) {
		gvm_refuse(ret, GVM_ERR_DIFFERS, "your cluster file is not the one that region '%s' was made with; use the same file everywhere",
			   r->name);
	} else if (!gvm_is_zeros(want->region, 16) &&
		   memcmp(want->region, r->id, 16)) {
		gvm_refuse(ret, GVM_ERR_DIFFERS, "the servers' parts of region '%s' do not belong together (one was restarted, or removed its part); remove it on all",
			   r->name);
	} else {
		return true;
	}
	return false;
}

/* Called with x->lock held. */
static struct gvm_shared *make(struct gvm_shareds *x,
			       const struct gvm_shared_want *want,
			       struct gvm_refusal *ret)
{
	struct gvm_leases *l = &x->service->leases;
	struct gvm_shared *r;

	if (want->server && gvm_is_zeros(want->region, 16)) {
		gvm_refuse(ret, GVM_ERR_DIFFERS, "the region's first server must be asked first: it gives the region its id");
		return NULL;
	}
	if (x->nr == GVM_SHAREDS_MAX) {
		gvm_refuse(ret, GVM_ERR_LIMIT, "the server holds %u shared regions, its limit",
			   GVM_SHAREDS_MAX);
		return NULL;
	}
	r = shared_new(x, want);
	if (!r || map_home(r))
		goto err_memory;
	if (gvm_is_zeros(r->id, sizeof(r->id)) &&
	    getrandom(r->id, sizeof(r->id), 0) != sizeof(r->id))
		goto err_memory;
	r->region = gvm_lease_reserve(l, r->id, r->name, ret);
	if (!r->region) {
		shared_free(r);
		return NULL;
	}
	r->handle = r->region->slot + 1;
	r->next = x->first;
	r->listed = true;
	x->first = r;
	x->nr++;
	return r;

err_memory:
	gvm_refuse(ret, GVM_ERR_LIMIT, "the server is out of memory for a directory of that size");
	if (r)
		shared_free(r);
	return NULL;
}

struct gvm_shared *gvm_shared_get(struct gvm_shareds *x,
				  const struct gvm_shared_want *want, bool may,
				  bool *ret_made, struct gvm_refusal *ret)
{
	struct gvm_shared *r;
	bool made = false;

	pthread_mutex_lock(&x->lock);
	r = find(x, want->name);
	if (r) {
		if (!agrees(r, want, ret))
			r = NULL;
	} else if (may) {
		r = make(x, want, ret);
		made = r;
	} else {
		gvm_refuse(ret, GVM_ERR_NO_REGION, "the server has no shared region '%s'; make it with 'giantvm region make'",
			   want->name);
	}
	if (r)
		__atomic_add_fetch(&r->users, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&x->lock);
	if (r && ret_made)
		*ret_made = made;
	return r;
}

void gvm_shared_remove(struct gvm_shareds *x, struct gvm_shared *r)
{
	struct gvm_shared **at = &x->first;

	pthread_mutex_lock(&x->lock);
	while (*at && *at != r)
		at = &(*at)->next;
	if (!*at) {
		/* Somebody else was faster. */
		pthread_mutex_unlock(&x->lock);
		return;
	}
	*at = r->next;
	r->listed = false;
	x->nr--;
	pthread_mutex_unlock(&x->lock);

	pthread_mutex_lock(&r->lock);
	r->gone = true;
	gvm_members_drop(r);
	pthread_mutex_unlock(&r->lock);
	gvm_lease_release(&x->service->leases, r->region);
	gvm_shared_put(r);
}

/* One region's turn.  When it wants the next, in ns; 0: at once. */
static u64 look_at(struct gvm_shared *r, u64 now, bool excuse)
{
	u64 next = UINT64_MAX;

	pthread_mutex_lock(&r->lock);
	if (!r->gone && !r->broken) {
		if (excuse)
			gvm_members_excuse(r, now);
		next = gvm_members_expire(r, now);
		if (gvm_home_run(r, now, TICKS))
			next = 0;
	}
	pthread_mutex_unlock(&r->lock);
	return next;
}

/* The next region of the list after the one given, with a user more. */
static struct gvm_shared *step(struct gvm_shareds *x, struct gvm_shared *r)
{
	struct gvm_shared *next;

	pthread_mutex_lock(&x->lock);
	/* Was it removed meanwhile?  The others have their turn next time. */
	next = !r ? x->first : r->listed ? r->next : NULL;
	if (next)
		__atomic_add_fetch(&next->users, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&x->lock);
	if (r)
		gvm_shared_put(r);
	return next;
}

int gvm_shareds_tick(struct gvm_shareds *x)
{
	u64 now = gvm_region_now_ns();
	u64 next = UINT64_MAX;
	struct gvm_shared *r;
	bool excuse;

	__atomic_store_n(&x->due, false, __ATOMIC_RELEASE);
	/* Half a second late: this machine stood still, or was swamped. */
	excuse = x->planned_ns && now > x->planned_ns + 500000000ull;
	for (r = step(x, NULL); r; r = step(x, r)) {
		u64 wants = look_at(r, now, excuse);

		if (wants < next)
			next = wants;
	}
	x->planned_ns = 0;
	if (next == UINT64_MAX)
		return -1;
	if (next <= now)
		next = now + REAP_MS * 1000000ull;
	x->planned_ns = next;
	return (int)((next - now + 999999) / 1000000);
}
