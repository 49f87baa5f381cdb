// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A simulation in a child process: a broken invariant of the core ends the
 * child only, and its memory is that of the run alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim.h"
#include "text.h"

#define PROGRESS_SECONDS	0.2
#define LINES_MAX		250u	/* of a story's end */
#define LINE_BYTES		480u

/* What parent and child share. */
struct shared {
	struct gvm_sim_outcome outcome;
	unsigned long lines;		/* so far */
	char	line[LINES_MAX][LINE_BYTES];
};

struct teller {
	const struct gvm_sim_config *config;
	struct shared *shared;
	double	began;
	double	shown;
};

static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void show_progress(void *arg, const struct gvm_sim_result *r,
			  unsigned permille)
{
	struct teller *p = arg;
	double t = now(CLOCK_MONOTONIC);
	char events[GVM_TEXT_MAX], speed[GVM_TEXT_MAX], sim[GVM_TEXT_MAX];

	if (t - p->shown < PROGRESS_SECONDS)
		return;
	p->shown = t;
	fprintf(stderr, "\r%s, %s, %u nodes: %3u.%u %%  %s events, %s/s, at %s \033[K",
		gvm_sim_design_names[p->config->design],
		gvm_sim_load_names[p->config->load], p->config->nodes,
		permille / 10, permille % 10,
		gvm_count_print((double)r->events, events, sizeof(events)),
		gvm_count_print((double)r->events / (t - p->began), speed,
				sizeof(speed)),
		gvm_time_print(r->sim_ns, sim, sizeof(sim)));
}

static void show_line(void *arg, const char *line)
{
	(void)arg;
	puts(line);
}

static void keep_line(void *arg, const char *line)
{
	struct shared *s = ((struct teller *)arg)->shared;

	snprintf(s->line[s->lines % LINES_MAX], LINE_BYTES, "%s", line);
	s->lines++;
}

static void show_ending(const struct shared *s)
{
	unsigned long i = 0;

	if (s->lines > LINES_MAX) {
		i = s->lines - LINES_MAX;
		printf("(%lu lines before these; --story PAGE tells them)\n", i);
	}
	for (; i < s->lines; i++)
		puts(s->line[i % LINES_MAX]);
}

static void child(struct shared *shared, unsigned show)
{
	struct gvm_sim_outcome *o = &shared->outcome;
	struct teller p = {
		.config = &o->config, .shared = shared, .began = now(CLOCK_MONOTONIC),
	};
	struct gvm_sim_watch watch = {
		.progress = show & GVM_SIM_PROGRESS ? show_progress : NULL,
		.line = show & GVM_SIM_STORY ? show_line :
			show & GVM_SIM_ENDING ? keep_line : NULL,
		.arg = &p,
	};

	if (show & GVM_SIM_MUTE) {
		int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

		dup2(fd, STDERR_FILENO);
	}
	/* What is told must be out before an invariant breaks. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	o->err = gvm_sim_run(&o->config, &watch, &o->result);
	/* It is one thread; who else is busy here does not matter. */
	o->seconds = now(CLOCK_PROCESS_CPUTIME_ID);
	if (show & GVM_SIM_PROGRESS)
		fprintf(stderr, "\r\033[K");
	o->broke = false;
	fflush(NULL);
	_exit(0);
}

int gvm_sim_try(const struct gvm_sim_config *config, unsigned show,
		struct gvm_sim_outcome *ret)
{
	struct shared *shared;
	struct rusage usage;
	int status, err = 0;
	pid_t pid;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return -errno;
	shared->outcome.config = *config;
	shared->outcome.broke = true;	/* until the child comes to its end */
	fflush(NULL);
	pid = fork();
	if (!pid)
		child(shared, show);
	if (pid < 0)
		err = -errno;
	else if (wait4(pid, &status, 0, &usage) == pid)
		shared->outcome.memory_bytes = (uint64_t)usage.ru_maxrss * 1024;
	show_ending(shared);
	*ret = shared->outcome;
	munmap(shared, sizeof(*shared));
	if (!err && ret->broke && !ret->result.failed) {
		ret->result.failed = true;
		ret->result.fail_page = ~0ull;
		snprintf(ret->result.why, sizeof(ret->result.why),
			 "the core stopped at a broken invariant of its own");
	}
	return err;
}

bool gvm_sim_bad(const struct gvm_sim_outcome *o)
{
	return o->err || o->broke || o->result.failed;
}
