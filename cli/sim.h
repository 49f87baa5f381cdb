/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of `giantvm sim`: runs in child processes, reports, shrinking. */
#ifndef GVM_CLI_SIM_H
#define GVM_CLI_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/sim.h"

extern const char gvm_commit[];

struct gvm_sim_outcome {
	struct gvm_sim_config config;
	struct gvm_sim_result result;
	double		seconds;	/* of this machine's processor */
	uint64_t	memory_bytes;
	int		err;		/* gvm_sim_run() */
	bool		broke;		/* the core's own invariant ended it */
};

enum gvm_sim_show {
	GVM_SIM_QUIET = 0,
	GVM_SIM_PROGRESS = 1,	/* a line on standard error that moves */
	GVM_SIM_STORY = 2,	/* of config.story_page, on standard output */
	GVM_SIM_ENDING = 4,	/* only the story's last lines */
	GVM_SIM_MUTE = 8,	/* nothing at all, not even a broken invariant */
};

/* Run in a child, which may break.  0; -errno: no child could be made. */
int gvm_sim_try(const struct gvm_sim_config *config, unsigned show,
		struct gvm_sim_outcome *ret);
bool gvm_sim_bad(const struct gvm_sim_outcome *o);

/* Say what went wrong, make it small, and tell its story. */
void gvm_sim_explain(const struct gvm_sim_outcome *o, bool shrink);

/* The options that make this configuration again.  Returns buf. */
char *gvm_sim_command(const struct gvm_sim_config *c, char *buf, size_t len);

/* Runs of GVM_SIM_INVALIDATE have a table of their own. */
void gvm_sim_table(const struct gvm_sim_outcome *o, size_t nr);
void gvm_sim_details(const struct gvm_sim_outcome *o);
int gvm_sim_json(const struct gvm_sim_outcome *o, size_t nr);

/* 0, or -errno. */
int gvm_sim_plot(const char *path, const struct gvm_sim_outcome *o, size_t nr);

/* 20us, 1.5ms, 2s: nanoseconds.  -EINVAL. */
int gvm_sim_time_parse(const char *text, uint64_t *ret_ns);
/* Percent with up to four decimals, in millionths.  -EINVAL. */
int gvm_sim_percent_parse(const char *text, uint32_t *ret_ppm);

#endif
