/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What pager tests share: memory servers of their own, an engine that uses
 * them, and pages whose content proves where it came from.
 */
#ifndef GVM_TEST_PAGER_HARNESS_H
#define GVM_TEST_PAGER_HARNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "../../include/giantvm/giantvm.h"
#include "../check.h"

struct test_server {
	pid_t	pid;
	int	port;
};

#define MIB (1ull << 20)
#define PAGE 4096ull

/* Runs $GIANTVM serve with these extra arguments (NULL ends them). */
struct test_server server_start(int port, const char *const *args);
void server_stop(struct test_server *s);

/* An engine on these servers; evict from $TEST_EVICT (move, copy, or auto). */
struct gvm *engine_start(const struct test_server *servers, int nr,
			 uint64_t local_bytes, struct gvm_config *config);

/* Fresh private memory, registered. */
uint8_t *memory_map(struct gvm *g, uint64_t bytes);
void memory_unmap(struct gvm *g, void *at, uint64_t bytes);

/* A page filled from (page, version); judged by every byte. */
void stamp_put(void *page, uint64_t number, uint64_t version);
bool stamp_is(const void *page, uint64_t number, uint64_t version);
bool is_zero(const void *page);

uint64_t random_next(uint64_t *state);

/* Skips the test, with the reason, where userfaultfd cannot be used. */
void need_userfaultfd(void);
/* Is eviction by move what the engine does? */
bool evicts_by_move(struct gvm *g);

/*
 * Runs a function in a process of its own and returns its exit status; what it
 * wrote to standard error lies in ret_text afterwards.
 */
int run_apart(void (*run)(void *arg), void *arg, char *ret_text, size_t size);

/* Waits until cond() holds, at most 20 s; fails the test otherwise. */
void wait_until(bool (*cond)(void *arg), void *arg);

/* Is some thread of this process asleep in a page fault? */
bool thread_waits_for_page(void *thread_id);

#endif
