// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The life of a program under giantvm, from outside.
 *
 * The program runs in our process group, so that the terminal's Ctrl-C and
 * Ctrl-Z reach it as they would without us; signals that are sent to us alone
 * are passed on.  What the program leaves running (a daemon) becomes our child
 * (PR_SET_CHILD_SUBREAPER), and we stay for it: its pages live on a server
 * that may be ours.
 *
 * One thread, all signals blocked and taken with sigtimedwait(): nothing
 * happens in a signal handler.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "pager/watch.h"
#include "remains.h"
#include "run.h"
#include "text.h"

#define EXIT_NOT_EXECUTABLE	126
#define EXIT_NOT_FOUND		127

static const int forwarded[] = {
	SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2,
};

struct supervisor {
	const struct gvm_run	*run;
	pid_t			program;	/* 0 when it has ended */
	pid_t			server;		/* 0: none, or it has ended */
	int			status;		/* of the program */
	bool			said_waiting;
	struct gvm_tally	tally;
};

static int exit_status(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		return 128 + WTERMSIG(wait_status);
	return WEXITSTATUS(wait_status);
}

static void execute(const struct gvm_run *run, const sigset_t *mask)
{
	int err;

	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(run->argv[0], run->argv);
	err = errno;
	gvm_complain("run: cannot start %s: %s", run->argv[0], strerror(err));
	_exit(err == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

/*
 * Send to everything that is our child, but not to our server.  Signal 0 only
 * counts.  Returns how many there are.
 */
static int signal_rest(const struct supervisor *s, int sig)
{
	char path[64];
	int others = 0;
	FILE *file;
	int pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children",
		 (int)getpid());
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fscanf(file, "%d", &pid) == 1) {
		if (pid == s->server)
			continue;
		kill(pid, sig);
		others++;
	}
	fclose(file);
	return others;
}

static void pass_on(const struct supervisor *s, const siginfo_t *info)
{
	if (!s->program) {
		signal_rest(s, info->si_signo);
		return;
	}
	/* The terminal sends to the group: the program has it already. */
	if (info->si_code != SI_KERNEL)
		kill(s->program, info->si_signo);
}

/* It could not say so itself. */
static void explain_kill(pid_t pid)
{
	static struct gvm_shared_stats region;

	if (!gvm_shared_lease_over(pid, &region))
		return;
	gvm_complain("node %u of region %s was not heard by its servers for as long as the lease, and was killed before it could read old bytes: it was suspended, or its machine was too busy (giantvm serve --node-lease, giantvm region make --lease)",
		     region.node, region.name);
}

static void note_end(struct supervisor *s, pid_t pid, int wait_status,
		     const struct rusage *usage)
{
	uint64_t peak_bytes = (uint64_t)usage->ru_maxrss << 10;

	if (pid != s->server && peak_bytes > s->tally.peak_bytes)
		s->tally.peak_bytes = peak_bytes;
	if (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL)
		explain_kill(pid);
	if (pid == s->program) {
		s->program = 0;
		s->status = exit_status(wait_status);
	} else if (pid == s->server) {
		s->server = 0;
		gvm_complain("the memory server of this run ended (status %d); its memory is lost",
			     exit_status(wait_status));
	}
}

/* Collect who has ended.  False: nobody but the server is left. */
static bool reap(struct supervisor *s)
{
	struct rusage usage;
	int wait_status;
	pid_t pid;

	while ((pid = wait4(-1, &wait_status, WNOHANG, &usage)) > 0)
		note_end(s, pid, wait_status, &usage);
	if (pid < 0)
		return false;	/* ECHILD */
	return s->program || !s->server || signal_rest(s, 0) > 0;
}

/* A second after the program, say what keeps us. */
static void say_waiting(struct supervisor *s)
{
	if (s->program || s->said_waiting || s->run->quiet)
		return;
	s->said_waiting = true;
	gvm_complain("%s has ended with status %d; waiting for %d process%s that it left running",
		     s->run->argv[0], s->status, signal_rest(s, 0),
		     signal_rest(s, 0) == 1 ? "" : "es");
}

static void watch(struct supervisor *s, const sigset_t *signals)
{
	static const struct timespec second = { .tv_sec = 1 };
	siginfo_t info;

	while (reap(s)) {
		int sig = sigtimedwait(signals, &info, &second);

		/* Its grandchildren end without a signal to us. */
		gvm_remains_clear(&s->tally, s->run->servers);
		if (sig < 0 && errno == EAGAIN)
			say_waiting(s);
		else if (sig > 0 && sig != SIGCHLD)
			pass_on(s, &info);
	}
}

int gvm_supervise(const struct gvm_run *run, pid_t server_pid)
{
	struct supervisor s = { .run = run, .server = server_pid };
	sigset_t signals, before;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
		sigaddset(&signals, forwarded[i]);
	/* Blocked before the fork: a signal in between must not be lost. */
	sigprocmask(SIG_BLOCK, &signals, &before);
	prctl(PR_SET_CHILD_SUBREAPER, 1);

	s.program = fork();
	if (s.program < 0) {
		gvm_complain("run: cannot start a process: %s",
			     strerror(errno));
		return GVM_EXIT_FAIL;
	}
	if (!s.program)
		execute(run, &before);
	watch(&s, &signals);
	gvm_remains_clear(&s.tally, run->servers);
	gvm_run_forget(getpid());
	/* A program that failed has said why; that nothing was paged is no news. */
	if (!run->quiet && (s.tally.processes || (!s.status && !run->shared)))
		gvm_tally_print(&s.tally, run->argv[0]);
	return s.status;
}
