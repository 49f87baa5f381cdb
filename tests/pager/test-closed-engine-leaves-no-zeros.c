// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a program that closes the engine too early, or whose memory is
 * unmapped by a system call that nobody wrapped, reads zeros where it had data.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"

#define PAGES	1024u

static sigjmp_buf escape;

static void on_segv(int sig)
{
	siglongjmp(escape, sig);
}

/* Fresh memory where paged memory was a moment ago must be left alone. */
static void unmap_behind_our_back(struct gvm *gvm, uint8_t *memory)
{
	const unsigned from = PAGES / 2;
	struct gvm_stats st;
	uint8_t *at;

	CHECK(syscall(SYS_munmap, memory + from * PAGE,
		      (PAGES - from) * PAGE) == 0);
	at = mmap(memory + from * PAGE, (PAGES - from) * PAGE,
		  PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(at == memory + from * PAGE);
	for (unsigned i = from; i < PAGES; i++) {
		CHECK(is_zero(memory + i * PAGE));
		stamp_put(memory + i * PAGE, i, 9);
	}
	/* Make the pager work hard over what it still has. */
	for (unsigned round = 2; round < 5; round++)
		for (unsigned i = 0; i < from; i++)
			stamp_put(memory + i * PAGE, i, round);
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(stamp_is(memory + i * PAGE, i, i < from ? 4 : 9));
	CHECK(gvm_stats(gvm, &st) == 0);
	CHECK(!gvm_covers(gvm, memory + from * PAGE, PAGE));
}

static void close_early(void *arg)
{
	struct sigaction sa = { .sa_handler = on_segv };
	volatile unsigned seen = 0;
	struct gvm *gvm;
	uint8_t *memory;

	gvm = engine_start(arg, 1, 1 * MIB, NULL);
	memory = memory_map(gvm, PAGES * PAGE);
	for (unsigned i = 0; i < PAGES; i++)
		stamp_put(memory + i * PAGE, i, 1);
	unmap_behind_our_back(gvm, memory);
	gvm_fini(gvm);

	CHECK(sigaction(SIGSEGV, &sa, NULL) == 0);
	if (!sigsetjmp(escape, 1))
		seen = memory[5 * PAGE] == 0 ? 1 : 2;
	CHECK(seen == 0);
	_exit(0);
}

int main(void)
{
	struct test_server server;
	char text[4096];
	struct gvm *gvm;
	bool moves;
	int status;

	need_userfaultfd();
	server = server_start(0, NULL);
	gvm = engine_start(&server, 1, 1 * MIB, NULL);
	moves = evicts_by_move(gvm);
	gvm_fini(gvm);
	status = run_apart(close_early, &server, text, sizeof(text));
	printf("status %d: %s\n", status, text);
	/* Copying, one cannot tell what was dropped while it was replaced. */
	CHECK(status == 0 || (!moves && status == 125 &&
			      strstr(text, "mapped anew")));
	server_stop(&server);
	return 0;
}
