// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Statistics of a shared region: in a file shared-<pid>-<number> beside those
 * of the engine, mapped by the process and by whoever watches.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>

#include "engine.h"
#include "mem.h"
#include "monitor.h"
#include "shared.h"
#include "sys.h"

#define FILES_MAX	64u	/* regions of one process that can be watched */

static void path_of(char *buf, size_t size, u32 number)
{
	char dir[176];

	gvm_monitor_path(dir, sizeof(dir), 0);
	gvm_sys(SYS_mkdir, dir, 0700);
	gvm_format(buf, size, "%s/shared-%u-%u", dir,
		   (unsigned int)gvm_sys(SYS_getpid), number);
}

static long open_file(struct gvm_shared *r)
{
	char path[224];
	long fd = -1;

	for (r->file = 0; r->file < FILES_MAX; r->file++) {
		path_of(path, sizeof(path), r->file);
		fd = gvm_sys(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT |
			     O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd != -EEXIST)
			break;
	}
	if (fd >= 0 && !gvm_sys(SYS_ftruncate, fd, r->stats_bytes))
		return fd;
	if (fd >= 0)
		gvm_sys(SYS_close, fd);
	return -1;
}

static void put_servers(struct gvm_shared *r)
{
	char *at = r->stats->servers;
	size_t left = sizeof(r->stats->servers);

	for (u32 i = 0; i < r->homes_nr && left > 64; i++) {
		size_t n = 0;

		gvm_format(at, left, i ? ",%s" : "%s", r->servers[i].text);
		while (at[n])
			n++;
		at += n;
		left -= n;
	}
}

/* Without a directory to write to, the counters are just not visible. */
int gvm_shared_monitor_open(struct gvm_shared *r)
{
	long fd, at;

	r->stats_bytes = sizeof(*r->stats);
	fd = open_file(r);
	at = fd < 0 ? -1 :
	     gvm_sys(SYS_mmap, 0, r->stats_bytes, PROT_READ | PROT_WRITE,
		     MAP_SHARED, fd, 0);
	if (fd >= 0)
		gvm_sys(SYS_close, fd);
	if (at < 0 && at > -4096)
		r->file = FILES_MAX;
	r->stats = r->file == FILES_MAX ? gvm_mem_map(r->stats_bytes) :
		   (void *)at;
	if (!r->stats)
		return -ENOMEM;
	r->stats->pid = (u32)gvm_sys(SYS_getpid);
	memcpy(r->stats->name, r->name, sizeof(r->stats->name));
	r->stats->node = r->id;
	r->stats->start_ns = gvm_now_ns();
	r->stats->local_bytes = r->frames << GVM_PAGE_SHIFT;
	put_servers(r);
	if (gvm_shared_links_init(r))
		return -ENOMEM;
	__atomic_store_n(&r->stats->version, GVM_SHARED_STATS_VERSION,
			 __ATOMIC_RELEASE);
	return 0;
}

void gvm_shared_monitor_close(struct gvm_shared *r)
{
	char path[224];

	gvm_shared_links_fini(r);
	if (!r->stats)
		return;
	if (r->file < FILES_MAX) {
		path_of(path, sizeof(path), r->file);
		gvm_sys(SYS_unlink, path);
	}
	gvm_mem_unmap(r->stats, r->stats_bytes);
	r->stats = NULL;
}

static void gauges(struct gvm_shared *r)
{
	struct gvm_shared_stats *st = r->stats;
	struct timespec ts = { 0, 0 };
	struct gvm_node_stats sum = { 0 };
	u64 held = 0, records = 0, peers = 0;

	for (u32 i = 0; i < r->homes_nr; i++) {
		const struct gvm_node *n = r->homes[i].node;
		const struct gvm_node_stats *s;

		if (!n)
			continue;
		held += gvm_node_held(n);
		records += gvm_node_records(n);
		s = gvm_node_stats(n);
		sum.given += s->given;
		sum.served += s->served;
		sum.invalidated += s->invalidated;
		sum.relayed += s->relayed;
		sum.put += s->put;
		sum.dropped += s->dropped;
		sum.stale += s->stale;
		sum.retries += s->retries;
		sum.held += s->held;
	}
	for (u32 i = 0; i < GVM_PEERS_MAX; i++)
		peers += r->peers[i].state == GVM_LINK_UP;
	st->resident_pages = held;
	st->wants = records - held;
	st->peers = peers;
	st->given = sum.given;
	st->served = sum.served;
	st->invalidated = sum.invalidated;
	st->relayed = sum.relayed;
	st->evicted_dirty = sum.put;
	st->evicted_clean = sum.dropped;
	st->stale = sum.stale;
	st->retries = sum.retries;
	st->held = sum.held;
	gvm_sys(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, &ts);
	st->cpu_ns = (u64)ts.tv_sec * 1000000000ull + (u64)ts.tv_nsec;
}

static u64 moves(const struct gvm_shared_hot *h)
{
	return (u64)h->gives + h->gets;
}

/* Into a list in descending order, of which those that fit are kept. */
static u32 rank(struct gvm_shared_hot *list, u32 nr, const struct gvm_hot *h)
{
	const struct gvm_shared_hot one = { h->page, h->gives, h->gets };
	u32 at;

	for (at = nr; at && moves(&list[at - 1]) < moves(&one); at--)
		if (at < GVM_SHARED_HOT)
			list[at] = list[at - 1];
	if (at < GVM_SHARED_HOT)
		list[at] = one;
	return nr + (nr < GVM_SHARED_HOT);
}

static void hot_pages(struct gvm_shared *r)
{
	u32 nr = 0;

	for (u32 i = 0; i < r->homes_nr; i++) {
		u32 of_home = r->homes[i].node ?
			gvm_node_hot(r->homes[i].node, r->hot_of_home,
				     GVM_SHARED_HOT) : 0;

		for (u32 j = 0; j < of_home; j++)
			nr = rank(r->hot, nr, &r->hot_of_home[j]);
	}
	memcpy(r->stats->hot, r->hot, nr * sizeof(*r->hot));
	r->stats->hot_nr = nr;
}

void gvm_shared_monitor_tick(struct gvm_shared *r)
{
	r->stats->bytes = r->bytes;
	gauges(r);
	hot_pages(r);
	gvm_shared_links_tick(r);
}
