// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `giantvm run`: what was asked for, and whether it can be done.  Everything
 * that can be known to fail is found before the program starts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "check.h"
#include "command.h"
#include "commands.h"
#include "conf.h"
#include "guest.h"
#include "program.h"
#include "run.h"
#include "size.h"
#include "text.h"

#define LOCAL_MIN	(1ull << 20)
#define MIN_MAP_MIN	4096u
#define PREFETCH_MAX	512u
#define SHARDS_MAX	16u
#define WAIT_MAX	86400u		/* seconds: a day */
#define NODE_MAX	10239u
#define MODULE_DEVICE	"/dev/giantvm"

static const char usage[] =
"Usage: giantvm run --local SIZE [OPTION]... [--] COMMAND [ARG]...\n"
"       giantvm run --shared NAME:SIZE@PATH --node N --servers LIST ...\n"
"Run a program whose memory may be larger than what it gets here, or one that\n"
"shares memory with programs on other machines.\n"
"\n"
"  --local SIZE       memory to keep on this machine, such as 512M or 4G\n"
"  --servers LIST     memory servers, HOST:PORT,HOST:PORT (port 9999), or\n"
"                     @FILE; without it one of its own is started here\n"
"  --prefetch N       pages to fetch ahead, 0 to 512 (default 32)\n"
"  --min-map SIZE     attach mappings from this size on (default 1M)\n"
"  --mode MODE        auto, uffd or kernel (default auto)\n"
"  --evict PATH       auto, move or copy (default auto)\n"
"  --wait SECONDS     longest wait for a lost server (default 30)\n"
"  --shards N         fault threads (default: by the CPUs)\n"
"  --shared NAME:SIZE@PATH\n"
"                     opening the file PATH gives the shared region NAME\n"
"  --node N           number of this node, another one on each\n"
"  --shared-local SIZE  memory to keep here of each region (default: all)\n"
"  --listen HOST:PORT where other nodes reach this one\n"
"  --record FILE      append what it asked for, for giantvm sim --trace FILE\n"
"  --cluster FILE     take servers, sizes and addresses from a cluster.conf\n"
"  --heap ALLOCATOR   auto, jemalloc or libc (default auto)\n"
"  --quiet            print nothing but errors\n"
"  --help             show this help\n"
"\n"
"With --id N it runs one guest over many hosts: giantvm run --id 0 --help\n"
"\n"
"Exit status: the program's; 128 + N if signal N ended it; 125 if its memory\n"
"was lost; 1 if it could not be started, 2 for a bad command line.\n";

static const char *const modes[] = { "auto", "uffd", "kernel", NULL };
static const char *const evicts[] = { "auto", "move", "copy", NULL };
static const char *const heaps[] = { "auto", "jemalloc", "libc", NULL };

static char *shared[GVM_RUN_SHARED_MAX];	/* --shared, as given */
static int shared_nr;

static const struct option options[] = {
	{ "local", required_argument, NULL, 'l' },
	{ "servers", required_argument, NULL, 's' },
	{ "prefetch", required_argument, NULL, 'p' },
	{ "min-map", required_argument, NULL, 'm' },
	{ "mode", required_argument, NULL, 'M' },
	{ "evict", required_argument, NULL, 'e' },
	{ "wait", required_argument, NULL, 'w' },
	{ "shards", required_argument, NULL, 'n' },
	{ "heap", required_argument, NULL, 'H' },
	{ "shared", required_argument, NULL, 'S' },
	{ "shared-local", required_argument, NULL, 'L' },
	{ "node", required_argument, NULL, 'N' },
	{ "listen", required_argument, NULL, 'A' },
	{ "record", required_argument, NULL, 'R' },
	{ "cluster", required_argument, NULL, 'C' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 }
};

static bool parse_number(const char *option, uint64_t max, uint64_t unit,
			 int64_t *ret)
{
	uint64_t n;

	if (!gvm_number("run", option, optarg, unit == 1 ? 0 : 1, max, &n))
		return false;
	*ret = (int64_t)(n * unit);
	return true;
}

static bool parse_min_map(struct gvm_run *run)
{
	uint64_t bytes;

	if (!gvm_size("run", "--min-map", optarg, MIN_MAP_MIN,
		      GVM_SIZE_HERE_MAX, &bytes))
		return false;
	run->min_map_bytes = bytes > INT64_MAX ? INT64_MAX : (int64_t)bytes;
	return true;
}

static bool parse_choice(const char *option, const char *const *words,
			 const char **ret)
{
	int i = gvm_choice("run", option, optarg, words);

	if (i >= 0)
		*ret = words[i];
	return i >= 0;
}

static bool parse_heap(struct gvm_run *run)
{
	int i = gvm_choice("run", "--heap", optarg, heaps);

	if (i >= 0)
		run->heap = (enum gvm_heap)i;
	return i >= 0;
}

static bool parse_shared(int c, struct gvm_run *run)
{
	switch (c) {
	case 'S':
		if (shared_nr == GVM_RUN_SHARED_MAX) {
			gvm_complain("run: --shared: more than %d regions",
				     GVM_RUN_SHARED_MAX);
			return false;
		}
		shared[shared_nr++] = optarg;
		return true;
	case 'L':
		return gvm_size("run", "--shared-local", optarg, LOCAL_MIN,
				GVM_SIZE_HERE_MAX, &run->shared_local);
	case 'N':
		return parse_number("--node", NODE_MAX, 1, &run->node);
	case 'A':
		run->listen = optarg;
		return true;
	case 'R':
		run->record = optarg;
		return true;
	default:
		return gvm_run_cluster(run, optarg);
	}
}

/* One option into run; false after a complaint. */
static bool parse_option(int c, struct gvm_run *run)
{
	switch (c) {
	case 'l':
		return gvm_size("run", "--local", optarg, LOCAL_MIN,
				GVM_SIZE_HERE_MAX, &run->local_bytes);
	case 's':
		free(run->servers);
		run->servers = gvm_address_list("run", optarg);
		return run->servers;
	case 'p':
		return parse_number("--prefetch", PREFETCH_MAX, 1,
				    &run->prefetch_pages);
	case 'm':
		return parse_min_map(run);
	case 'M':
		return parse_choice("--mode", modes, &run->engine);
	case 'e':
		return parse_choice("--evict", evicts, &run->evict);
	case 'w':
		return parse_number("--wait", WAIT_MAX, 1000, &run->wait_ms);
	case 'n':
		return parse_number("--shards", SHARDS_MAX, 1, &run->shards);
	case 'H':
		return parse_heap(run);
	case 'S':
	case 'L':
	case 'N':
	case 'A':
	case 'R':
	case 'C':
		return parse_shared(c, run);
	case 'q':
		run->quiet = true;
		return true;
	default:
		return false;	/* gvm_getopt() has complained */
	}
}

static bool has_all(const struct gvm_run *run)
{
	if (!run->local_bytes && !shared_nr)
		gvm_complain("run: --local SIZE is missing; see 'giantvm run --help'");
	else if (!run->argv[0])
		gvm_complain("run: which command? see 'giantvm run --help'");
	return (run->local_bytes || shared_nr) && run->argv[0];
}

/* Can programs be paged on this machine at all? */
static bool machine_is_fit(const struct gvm_run *run)
{
	struct gvm_finding found = { 0 };
	struct gvm_ask ask = { .nodes = 1 };

	if (run->engine && !strcmp(run->engine, "kernel") &&
	    access(MODULE_DEVICE, F_OK) < 0) {
		gvm_complain("run: --mode kernel needs the kernel module, and %s is not there; use --mode uffd",
			     MODULE_DEVICE);
		return false;
	}
	gvm_check_uffd_permission(&ask, &found);
	if (found.level == GVM_LEVEL_FAIL) {
		gvm_complain("run: userfaultfd: %s; mend: %s", found.what,
			     found.mend);
		return false;
	}
	for (const char *s = run->servers; s && (s = strchr(s, ',')); s++)
		ask.nodes++;
	gvm_check_descriptors(&ask, &found);
	if (found.level == GVM_LEVEL_FAIL) {
		gvm_complain("run: open files: %s; mend: %s", found.what,
			     found.mend);
		return false;
	}
	return true;
}

static int run_command(struct gvm_run *run)
{
	struct gvm_program program = { 0 };
	pid_t server = 0;
	int status;

	if (!gvm_program_check(run->argv[0], &program) ||
	    !machine_is_fit(run))
		return GVM_EXIT_FAIL;
	if (!gvm_run_shared(run, shared, shared_nr))
		return GVM_EXIT_USAGE;
	if (!run->servers && run->local_bytes) {
		server = gvm_embed_start(&run->servers);
		if (server < 0)
			return GVM_EXIT_FAIL;
		if (!run->quiet)
			gvm_complain("no --servers given: started a memory server at %s, in the RAM of this machine",
				     run->servers);
	}
	if (gvm_launch_prepare(run, &program))
		status = gvm_supervise(run, server);
	else
		status = GVM_EXIT_FAIL;
	if (server)
		gvm_embed_stop(server);
	return status;
}

int gvm_cmd_run(int argc, char **argv)
{
	struct gvm_run run = {
		.prefetch_pages = -1,
		.min_map_bytes = -1,
		.wait_ms = -1,
		.shards = -1,
		.node = -1,
	};
	int status = GVM_EXIT_USAGE;
	int c;

	if (gvm_guest_wanted(argc, argv))
		return gvm_guest_run(argc, argv);
	while ((c = gvm_getopt(argc, argv, "+h", options)) != -1) {
		if (c == 'h') {
			fputs(usage, stdout);
			status = GVM_EXIT_OK;
			goto out;
		}
		if (!parse_option(c, &run))
			goto out;
	}
	run.argv = argv + optind;
	if (has_all(&run))
		status = run_command(&run);
out:
	gvm_conf_free(run.cluster);
	free(run.shared);
	free(run.servers);
	return status;
}
