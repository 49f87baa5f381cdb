// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, a program goes on with wrong memory, or hangs for ever, after
 * its memory server was killed, frozen, filled, or restarted.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

#define PAGES	2048u
#define LOCAL	(2 * MIB)
#define WAIT_MS	1500u

static struct test_server server;
static struct gvm *gvm;
static uint8_t *memory;

static void fill(void)
{
	struct gvm_config c = { .prefetch_pages = 8, .wait_ms = WAIT_MS,
				.name = "victim" };

	gvm = engine_start(&server, 1, LOCAL, &c);
	memory = memory_map(gvm, PAGES * PAGE);
	for (unsigned i = 0; i < PAGES; i++)
		stamp_put(memory + i * PAGE, i, 1);
}

/* 0: all right.  3: a wrong byte was seen. */
static int read_all(void)
{
	for (unsigned i = 0; i < PAGES; i++)
		if (!stamp_is(memory + i * PAGE, i, 1))
			return 3;
	return 0;
}

static void killed(void *arg)
{
	(void)arg;
	fill();
	kill(server.pid, SIGKILL);
	_exit(read_all());
}

/* Every thread of it: the signal reaches them one after the other. */
static bool is_stopped(void *pid)
{
	char text[1024], command[128];
	bool running;
	FILE *f;

	snprintf(command, sizeof(command), "cat /proc/%d/task/*/stat",
		 *(pid_t *)pid);
	f = popen(command, "r");
	CHECK(f);
	running = false;
	while (fgets(text, sizeof(text), f))
		running |= !strstr(text, ") T ");
	pclose(f);
	return !running;
}

static void frozen(void *arg)
{
	(void)arg;
	fill();
	kill(server.pid, SIGSTOP);
	wait_until(is_stopped, &server.pid);
	_exit(read_all());
}

static void too_much(void *arg)
{
	(void)arg;
	fill();
	_exit(read_all());
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Must end with 125, in time, and say which server. */
static void expect_stop(void (*run)(void *), const char *word)
{
	char text[4096], address[64];
	double start = seconds();
	int status = run_apart(run, NULL, text, sizeof(text));

	printf("status %d after %.1f s: %s", status, seconds() - start, text);
	snprintf(address, sizeof(address), "127.0.0.1:%d", server.port);
	CHECK(status == 125);
	CHECK(strstr(text, address));
	CHECK(strstr(text, word));
	CHECK(strstr(text, "victim"));
	CHECK(seconds() - start < WAIT_MS / 1000.0 + 15);
}

/* The main thread of a process that uses giantvm. */
static bool waits_for_page(void *pid)
{
	char path[64], text[64] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/wchan", *(pid_t *)pid);
	f = fopen(path, "r");
	CHECK(f);
	CHECK(fgets(text, sizeof(text), f));
	fclose(f);
	return strcmp(text, "handle_userfault") == 0;
}

/*
 * Both are stopped for longer than --wait, as by Ctrl-Z or with the machine
 * that they run on.  The server answers soon after, and the program goes on.
 */
static void program_stopped(void)
{
	pid_t pid;
	int status;

	server = server_start(0, NULL);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		fill();
		kill(server.pid, SIGSTOP);
		wait_until(is_stopped, &server.pid);
		_exit(read_all());
	}
	wait_until(is_stopped, &server.pid);
	wait_until(waits_for_page, &pid);
	kill(pid, SIGSTOP);
	wait_until(is_stopped, &pid);
	usleep((WAIT_MS + 500) * 1000);
	kill(pid, SIGCONT);
	usleep(WAIT_MS * 1000 / 5);
	kill(server.pid, SIGCONT);
	CHECK(waitpid(pid, &status, 0) == pid);
	printf("stopped for longer than it waits: status %d\n", WEXITSTATUS(status));
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	server_stop(&server);
}

static void end_server(void)
{
	kill(server.pid, SIGKILL);
	waitpid(server.pid, NULL, 0);
}

static const char *file_args[] = { "--store", NULL, "--memory", "64M", NULL };

/* Killed and restarted on its file store while the program reads and writes. */
static void restarted(void)
{
	uint64_t seed = 4;

	server = server_start(0, file_args);
	{
		struct gvm_config c = { .prefetch_pages = 8, .wait_ms = 20000 };

		gvm = engine_start(&server, 1, LOCAL, &c);
	}
	memory = memory_map(gvm, PAGES * PAGE);
	for (unsigned i = 0; i < PAGES; i++)
		stamp_put(memory + i * PAGE, i, 1);
	for (int round = 0; round < 5; round++) {
		int port = server.port;

		for (unsigned n = 0; n < 3000; n++) {
			unsigned i = (unsigned)random_next(&seed) % PAGES;

			CHECK(stamp_is(memory + i * PAGE, i, 1));
			stamp_put(memory + i * PAGE, i, 1);
			if (n == 1000)
				end_server();
			if (n == 1000)
				server = server_start(port, file_args);
		}
	}
	CHECK(read_all() == 0);
	memory_unmap(gvm, memory, PAGES * PAGE);
	gvm_fini(gvm);
	server_stop(&server);
	printf("restarted on its file store: the program went on\n");
}

int main(void)
{
	static const char *const small[] = { "--memory", "4M", NULL };
	char store[] = "file:/tmp/gvm-test-store-XXXXXX";
	int fd = mkstemp(store + 5);

	need_userfaultfd();
	CHECK(fd >= 0);
	close(fd);
	unlink(store + 5);
	file_args[1] = store;

	server = server_start(0, NULL);
	expect_stop(killed, "server");
	end_server();
	server = server_start(0, NULL);
	expect_stop(frozen, "has not answered");
	end_server();
	server = server_start(0, small);
	expect_stop(too_much, "full");
	server_stop(&server);
	program_stopped();
	restarted();
	unlink(store + 5);
	return 0;
}
