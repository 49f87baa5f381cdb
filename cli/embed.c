// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A memory server of `giantvm run`'s own, so that it can be tried with one
 * command.  It saves no memory: the pages it holds are this machine's.
 *
 * It is a process of its own, in a session of its own: the terminal's Ctrl-C
 * and Ctrl-Z are for the program, which cannot go on for a moment without its
 * server.  If we are killed before the program, the server stays until its
 * last client has gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"
#include "server/server.h"
#include "text.h"

#define LISTEN		"127.0.0.1:0"	/* any free port */
#define TIMES_RAM	4u		/* promised; only what is used is taken */
#define LONELY_SECONDS	10		/* without us and without clients */

static uint64_t capacity(void)
{
	return TIMES_RAM * (uint64_t)sysconf(_SC_PHYS_PAGES) *
		(uint64_t)sysconf(_SC_PAGESIZE);
}

/* Until we are told to end, or nobody is left who needs us. */
static void attend(struct gvm_server *server, pid_t parent,
		   const sigset_t *signals)
{
	static const struct timespec second = { .tv_sec = 1 };
	struct gvm_server_stats_now now;
	int lonely = 0;

	while (sigtimedwait(signals, NULL, &second) < 0) {
		gvm_server_stats(server, &now);
		if (getppid() == parent || now.connections)
			lonely = 0;
		else if (++lonely == LONELY_SECONDS)
			return;
	}
}

static void leave_terminal(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	if (fd >= 0) {
		dup2(fd, STDIN_FILENO);
		dup2(fd, STDOUT_FILENO);
	}
	prctl(PR_SET_NAME, "giantvm-server");
}

static void serve(int ready, pid_t parent)
{
	struct gvm_server_config config = {
		.listen = LISTEN,
		.memory_bytes = capacity(),
	};
	struct gvm_server *server;
	const char *why;
	sigset_t signals;

	leave_terminal();
	signal(SIGPIPE, SIG_IGN);
	/* Before its threads are made, so that they inherit it. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	if (gvm_server_start(&config, &server, &why)) {
		gvm_complain("run: the memory server of its own: %s", why);
		_exit(1);
	}
	dprintf(ready, "%s\n", gvm_server_address(server));
	close(ready);
	attend(server, parent, &signals);
	gvm_server_stop(server);
	_exit(0);
}

/* Its first word is its address; none means that it has complained. */
static char *read_address(int fd)
{
	FILE *file = fdopen(fd, "r");
	char line[64] = "";

	if (!file)
		return NULL;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
	return line[0] ? strdup(line) : NULL;
}

pid_t gvm_embed_start(char **ret_address)
{
	pid_t parent = getpid();
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		gvm_complain("run: cannot start a memory server: %s",
			     strerror(errno));
		return -1;
	}
	if (!pid) {
		close(ends[0]);
		serve(ends[1], parent);
	}
	close(ends[1]);
	*ret_address = read_address(ends[0]);
	if (*ret_address)
		return pid;
	waitpid(pid, NULL, 0);
	return -1;
}

void gvm_embed_stop(pid_t pid)
{
	kill(pid, SIGTERM);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}
