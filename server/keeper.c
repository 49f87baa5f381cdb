// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The keeper: one thread for everything that takes long and that no client
 * waits for, except a FLUSH, which it answers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "worker.h"

#define TICK_MS		1000	/* between looks at what has become idle */

void gvm_keeper_poke(void *arg)
{
	struct gvm_keeper *keeper = arg;

	pthread_mutex_lock(&keeper->lock);
	keeper->poked = true;
	pthread_cond_signal(&keeper->cond);
	pthread_mutex_unlock(&keeper->lock);
}

void gvm_keeper_flush(struct gvm_keeper *keeper, struct gvm_link *k)
{
	pthread_mutex_lock(&keeper->lock);
	k->flush_next = keeper->flush;
	keeper->flush = k;
	keeper->poked = true;
	pthread_cond_signal(&keeper->cond);
	pthread_mutex_unlock(&keeper->lock);
}

static void hand_back(struct gvm_link *k, int err)
{
	struct gvm_worker *w = k->worker;

	pthread_mutex_lock(&w->lock);
	k->flush_err = err;
	k->flush_next = w->flushed;
	w->flushed = k;
	pthread_mutex_unlock(&w->lock);
	gvm_worker_wake(w);
}

/* One sync answers everybody who asked before it began. */
static void flush_all(struct gvm_keeper *keeper)
{
	struct gvm_link *list;
	int err;

	pthread_mutex_lock(&keeper->lock);
	list = keeper->flush;
	keeper->flush = NULL;
	pthread_mutex_unlock(&keeper->lock);
	if (!list)
		return;
	err = gvm_arena_sync(&keeper->server->service.store.arena);
	while (list) {
		struct gvm_link *k = list;

		list = k->flush_next;
		hand_back(k, err);
	}
}

/* Sleep until poked or for ms; true: time to stop. */
static bool doze(struct gvm_keeper *keeper, int ms)
{
	struct timespec until;
	bool stop;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000l;
	if (until.tv_nsec >= 1000000000l) {
		until.tv_nsec -= 1000000000l;
		until.tv_sec++;
	}
	pthread_mutex_lock(&keeper->lock);
	while (!keeper->poked && !keeper->stop) {
		if (pthread_cond_timedwait(&keeper->cond, &keeper->lock,
					   &until) == ETIMEDOUT)
			break;
	}
	keeper->poked = false;
	stop = keeper->stop;
	pthread_mutex_unlock(&keeper->lock);
	return stop;
}

/*
 * Frames that nobody has touched since the last look are given back; while
 * there is traffic, only those beyond what it is likely to use again.
 */
static void trim(struct gvm_service *v, u64 *requests_before)
{
	u64 requests = __atomic_load_n(&v->requests, __ATOMIC_RELAXED);

	if (requests == *requests_before)
		gvm_frames_trim(&v->store.frames, 0);
	else if (gvm_frames_want_trim(&v->store.frames))
		gvm_frames_trim(&v->store.frames, GVM_FRAMES_KEEP);
	*requests_before = requests;
}

static void *run(void *arg)
{
	struct gvm_keeper *keeper = arg;
	struct gvm_service *v = &keeper->server->service;
	u64 requests = 0;
	int ms = TICK_MS;
	int shared_ms;

	while (!doze(keeper, ms)) {
		flush_all(keeper);
		while (gvm_leases_reap(&v->leases))
			;
		ms = gvm_leases_expire(&v->leases);
		shared_ms = gvm_shareds_tick(&v->shareds);
		if (ms < 0 || ms > TICK_MS)
			ms = TICK_MS;
		if (shared_ms >= 0 && shared_ms < ms)
			ms = shared_ms;
		trim(v, &requests);
	}
	flush_all(keeper);
	while (gvm_leases_reap(&v->leases))
		;
	return NULL;
}

int gvm_keeper_start(struct gvm_keeper *keeper, struct gvm_server *server)
{
	pthread_condattr_t attr;
	int err;

	keeper->server = server;
	pthread_mutex_init(&keeper->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&keeper->cond, &attr);
	pthread_condattr_destroy(&attr);
	err = -pthread_create(&keeper->thread, NULL, run, keeper);
	if (err)
		gvm_keeper_exit(keeper);
	return err;
}

void gvm_keeper_join(struct gvm_keeper *keeper)
{
	pthread_mutex_lock(&keeper->lock);
	keeper->stop = true;
	pthread_cond_signal(&keeper->cond);
	pthread_mutex_unlock(&keeper->lock);
	pthread_join(keeper->thread, NULL);
}

void gvm_keeper_exit(struct gvm_keeper *keeper)
{
	pthread_cond_destroy(&keeper->cond);
	pthread_mutex_destroy(&keeper->lock);
}
