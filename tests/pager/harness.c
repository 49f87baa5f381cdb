// SPDX-License-Identifier: GPL-2.0-or-later
/* See harness.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

struct test_server server_start(int port, const char *const *args)
{
	struct test_server s = { .pid = -1 };
	char listen_at[64], fd_text[16], reply[32] = "";
	const char *argv[32] = { getenv("GIANTVM") };
	int fds[2], n = 1;

	CHECK(argv[0]);
	CHECK(pipe(fds) == 0);
	snprintf(listen_at, sizeof(listen_at), "127.0.0.1:%d", port);
	snprintf(fd_text, sizeof(fd_text), "%d", fds[1]);
	argv[n++] = "serve";
	argv[n++] = "--listen";
	argv[n++] = listen_at;
	argv[n++] = "--ready-fd";
	argv[n++] = fd_text;
	while (args && *args)
		argv[n++] = *args++;
	fflush(stdout);
	s.pid = fork();
	CHECK(s.pid >= 0);
	if (!s.pid) {
		int null = open("/dev/null", O_WRONLY);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(null, 1);
		close(fds[0]);
		execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(fds[1]);
	CHECK(read(fds[0], reply, sizeof(reply) - 1) > 0);
	close(fds[0]);
	s.port = atoi(reply);
	CHECK(s.port > 0);
	return s;
}

void server_stop(struct test_server *s)
{
	int status;

	kill(s->pid, SIGTERM);
	CHECK(waitpid(s->pid, &status, 0) == s->pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	s->pid = -1;
}

struct gvm *engine_start(const struct test_server *servers, int nr,
			 uint64_t local_bytes, struct gvm_config *config)
{
	const char *evict = getenv("TEST_EVICT");
	struct gvm_config c = { .prefetch_pages = 32 };
	char list[1024] = "";
	const char *why = "";
	struct gvm *g;
	int err;

	if (config)
		c = *config;
	c.size = sizeof(c);
	c.local_bytes = local_bytes;
	if (!c.servers) {
		for (int i = 0; i < nr; i++)
			snprintf(list + strlen(list),
				 sizeof(list) - strlen(list), "%s127.0.0.1:%d",
				 i ? "," : "", servers[i].port);
		c.servers = list;
	}
	if (evict && !strcmp(evict, "move"))
		c.evict = GVM_EVICT_MOVE;
	if (evict && !strcmp(evict, "copy"))
		c.evict = GVM_EVICT_COPY;
	err = gvm_init(&c, &g, &why);
	if (err == -ENOSYS && c.evict == GVM_EVICT_MOVE) {
		printf("skipped: %s\n", why);
		exit(77);
	}
	if (err)
		fprintf(stderr, "gvm_init: %s\n", why);
	CHECK(err == 0);
	return g;
}

uint8_t *memory_map(struct gvm *g, uint64_t bytes)
{
	uint8_t *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(at != MAP_FAILED);
	CHECK(gvm_register(g, at, bytes, NULL) == 0);
	return at;
}

void memory_unmap(struct gvm *g, void *at, uint64_t bytes)
{
	CHECK(gvm_unregister(g, at, bytes) == 0);
	CHECK(munmap(at, bytes) == 0);
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 31;
	x *= 0x9e3779b97f4a7c15ull;
	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9ull;
	return x ^ x >> 32;
}

void stamp_put(void *page, uint64_t number, uint64_t version)
{
	uint64_t *word = page;

	for (unsigned i = 0; i < PAGE / 8; i++)
		word[i] = mix(number * 0x10001 + version * 0x7fffffed + i) | 1;
}

bool stamp_is(const void *page, uint64_t number, uint64_t version)
{
	const uint64_t *word = page;

	for (unsigned i = 0; i < PAGE / 8; i++)
		if (word[i] !=
		    (mix(number * 0x10001 + version * 0x7fffffed + i) | 1))
			return false;
	return true;
}

bool is_zero(const void *page)
{
	const uint64_t *word = page;

	for (unsigned i = 0; i < PAGE / 8; i++)
		if (word[i])
			return false;
	return true;
}

uint64_t random_next(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return mix(*state);
}

void need_userfaultfd(void)
{
	int dev = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	long fd;

	if (dev >= 0) {
		close(dev);
		return;
	}
	fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (fd >= 0) {
		close((int)fd);
		return;
	}
	printf("skipped: no permission for userfaultfd\n");
	exit(77);
}

bool evicts_by_move(struct gvm *g)
{
	return strstr(gvm_engine_line(g), "by move");
}

int run_apart(void (*run)(void *arg), void *arg, char *ret_text, size_t size)
{
	size_t have = 0;
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	CHECK(pipe(fds) == 0);
	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		dup2(fds[1], 2);
		close(fds[0]);
		close(fds[1]);
		run(arg);
		_exit(0);
	}
	close(fds[1]);
	while (have < size - 1 &&
	       (n = read(fds[0], ret_text + have, size - 1 - have)) > 0)
		have += (size_t)n;
	ret_text[have] = '\0';
	close(fds[0]);
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void wait_until(bool (*cond)(void *arg), void *arg)
{
	/* The event has no descriptor: look again, a little apart. */
	for (int i = 0; i < 20000; i++) {
		if (cond(arg))
			return;
		usleep(1000);
	}
	fprintf(stderr, "the awaited event did not come\n");
	exit(1);
}

bool thread_waits_for_page(void *thread_id)
{
	char path[64], where[64] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/wchan",
		 *(_Atomic pid_t *)thread_id);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (!fgets(where, sizeof(where), f))
		where[0] = '\0';
	fclose(f);
	return !strcmp(where, "handle_userfault");
}
