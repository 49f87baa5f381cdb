// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, a snapshot made by a forked child (Redis' BGSAVE) would mix
 * in what the parent wrote afterwards, or be damaged.
 */
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "live.h"

extern char **environ;

static char *at;

static void diverge(void)
{
	int back[2];
	pid_t pid;
	char c = 0;

	CHECK(pipe(back) == 0);
	stamp(at, LARGE, 1);
	pid = fork();
	if (pid == 0) {
		/* The parent has begun to overwrite. */
		CHECK(read(back[0], &c, 1) == 1);
		verify(at, LARGE, 1);
		stamp(at, LARGE / 2, 500000);
		verify(at, LARGE / 2, 500000);
		verify(at + LARGE / 2, LARGE / 2, 1 + LARGE / 2 / PAGE);
		_exit(0);
	}
	stamp(at, LARGE / 4, 900000);
	CHECK(write(back[1], &c, 1) == 1);
	stamp(at + LARGE / 4, LARGE - LARGE / 4, 900000 + LARGE / 4 / PAGE);
	verify(at, LARGE, 900000);
	expect_exit(pid, 0);
	verify(at, LARGE, 900000);
	close(back[0]);
	close(back[1]);
}

static void grandchildren(void)
{
	pid_t pid;

	stamp(at, LARGE, 10);
	pid = fork();
	if (pid == 0) {
		stamp(at, LARGE / 2, 20);
		pid = fork();
		if (pid == 0) {
			verify(at, LARGE / 2, 20);
			verify(at + LARGE / 2, LARGE / 2,
			       10 + LARGE / 2 / PAGE);
			stamp(at, LARGE, 30);
			verify(at, LARGE, 30);
			_exit(0);
		}
		expect_exit(pid, 0);
		verify(at, LARGE / 2, 20);
		_exit(0);
	}
	expect_exit(pid, 0);
	verify(at, LARGE, 10);
}

/* Memory that the child maps for itself is paged, too. */
static void child_grows(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		char *own = map(LARGE);

		stamp(own, LARGE, 60);
		verify(own, LARGE, 60);
		verify(at, LARGE, 10);
		CHECK(munmap(at, LARGE) == 0);
		verify(own, LARGE, 60);
		_exit(0);
	}
	expect_exit(pid, 0);
	verify(at, LARGE, 10);
}

static void advised(void)
{
	char *gone = map(4 * MIB);
	char *wiped = map(4 * MIB);
	pid_t pid;

	stamp(gone, 4 * MIB, 1);
	stamp(wiped, 4 * MIB, 1);
	CHECK(madvise(gone + MIB, 2 * MIB, MADV_DONTFORK) == 0);
	CHECK(madvise(wiped, 4 * MIB, MADV_WIPEONFORK) == 0);
	push_out();
	pid = fork();
	if (pid == 0) {
		unsigned char there;

		verify_zero(wiped, 4 * MIB);
		CHECK(mincore(gone + MIB, PAGE, &there) == -1);
		CHECK(mincore(gone + 3 * MIB - PAGE, PAGE, &there) == -1);
		verify(gone, MIB, 1);
		verify(gone + 3 * MIB, MIB, 1 + 3 * MIB / PAGE);
		_exit(0);
	}
	expect_exit(pid, 0);
	verify(gone, 4 * MIB, 1);
	verify(wiped, 4 * MIB, 1);
	CHECK(munmap(gone, 4 * MIB) == 0 && munmap(wiped, 4 * MIB) == 0);
}

static volatile int stop;
static char *busy;

static void *writer(void *arg)
{
	uint64_t n = 0;

	while (!stop) {
		stamp(busy, LOCAL, n * 100000);
		verify(busy, LOCAL, n * 100000);
		n++;
	}
	return arg;
}

static void beside_threads(void)
{
	pthread_t thread;

	busy = map(LOCAL);
	CHECK(pthread_create(&thread, NULL, writer, NULL) == 0);
	for (int i = 0; i < 3; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			verify(at, LARGE, 10);
			_exit(0);
		}
		expect_exit(pid, 0);
	}
	stop = 1;
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(munmap(busy, LOCAL) == 0);
}

/* The ways to start another program. */
static void spawn(const char *self)
{
	char *const args[] = { (char *)self, "child", NULL };
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		execv(self, args);
		_exit(99);
	}
	expect_exit(pid, 0);
	pid = vfork();
	if (pid == 0) {
		execv(self, args);
		_exit(99);
	}
	expect_exit(pid, 0);
	CHECK(posix_spawn(&pid, self, NULL, NULL, args, environ) == 0);
	expect_exit(pid, 0);
	CHECK(system("exit 7") == 7 << 8);
	verify(at, LARGE, 10);
}

/* A child that we cannot know of has memory of its own, unpaged. */
static void bare_clone_lives(void)
{
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0) {
		char *own = map(LARGE);

		stamp(own, LARGE, 70);
		verify(own, LARGE, 70);
		close(4096);
		_exit(munmap(own, LARGE) ? 67 : 0);
	}
	expect_exit((pid_t)pid, 0);
	verify(at, LARGE, 10);
}

/* And must not see zeros where its parent's was. */
static void bare_clone(void)
{
	int status = 0;
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		_exit(page_holds(at, 10) ? 0 : 66);
	}
	CHECK(waitpid((pid_t)pid, &status, 0) == pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

/* Another user may neither open a userfaultfd nor write our files. */
static void become_nobody(void)
{
	pid_t pid;

	if (getuid() != 0)
		return;
	pid = fork();
	if (pid == 0) {
		CHECK(setuid(65534) == 0);
		verify(at, LARGE, 10);
		pid = fork();
		if (pid == 0) {
			stamp(at, LARGE, 11);
			verify(at, LARGE, 11);
			_exit(0);
		}
		expect_exit(pid, 0);
		verify(at, LARGE, 10);
		_exit(0);
	}
	expect_exit(pid, 0);
}

int main(int argc, char **argv)
{
	if (argc > 1) {		/* as the program that was started */
		at = map(LARGE);
		stamp(at, LARGE, 4);
		verify(at, LARGE, 4);
		return 0;
	}
	at = map(LARGE);
	diverge();
	grandchildren();
	child_grows();
	advised();
	beside_threads();
	spawn(argv[0]);
	bare_clone_lives();
	bare_clone();
	become_nobody();
	/* And exec in place of a program that has attached memory. */
	execv(argv[0], (char *[]){ argv[0], "child", NULL });
	return 99;
}
