// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `giantvm sim`: the protocol core on a cluster that does not exist.  Reads the
 * options, makes the runs that they ask for, reports.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "commands.h"
#include "sim.h"
#include "text.h"

#define LIST_MAX	16u	/* words in a list */

static const char usage[] =
"Usage: giantvm sim [OPTION]...\n"
"Run the protocol of shared regions on a simulated cluster, and judge every read.\n"
"LIST: values with commas between them; all combinations are run.  TIME: 20us,\n"
"1.5ms, 2s.  PERCENT: 0.5, 10.\n"
"\n"
"  --nodes LIST         how many nodes, up to 10240 [64]\n"
"  --load LIST          private, read-mostly, migratory, producer, storm, zipf,\n"
"                       false-sharing, mixed, invalidate, trace [zipf]\n"
"  --design LIST        home (ours), serial, bitmap, chain [home]\n"
"  --seed N             the same seed is the same run [1]\n"
"  --seeds N            so many runs, with this seed and the next ones [1]\n"
"  --nasty              everything that can go wrong: a small cluster and its\n"
"                       troubles, drawn from the seed\n"
"  --homes N            homes that share the pages [1]\n"
"  --threads N          threads of each node [1]\n"
"  --pages N            pages of the region [4096]\n"
"  --limit N            pages that a node holds; 0: all [64]\n"
"  --ops N              accesses of each thread [200]\n"
"  --writes PERCENT     accesses that write [2]\n"
"  --think TIME         between two accesses of a thread [50us]\n"
"  --trace FILE         accesses for --load trace: lines of NODE PAGE r|w\n"
"  --rtt TIME           the network's round trip [20us]\n"
"  --tail TIME          random part of a delay, mean [2us]\n"
"  --cpu TIME           work for a message, at both ends [7us]\n"
"  --loss PERCENT       messages lost [0]\n"
"  --dup PERCENT        messages that come twice [0]\n"
"  --reorder PERCENT    messages that come much later [0]\n"
"  --crashes N          nodes that crash [0]\n"
"  --partitions N       links that are cut for a while [0]\n"
"  --slow N             times that a node is 50 times slower for a while [0]\n"
"  --restart            nodes that died come back\n"
"  --lease TIME         a dead node is noticed after it [20ms]\n"
"  --hold TIME          a page stays at least so long, or auto [20us]\n"
"  --retry TIME         asked again after it [50ms]\n"
"  --storm TIME         window that makes readers serve readers; 0s: never [100us]\n"
"  --fanout N           of the tree of relays, 2 to 8 [8]\n"
"  --sets N             a home's sets for pages with many sharers [4096]\n"
"  --txns N             a home's transactions at a time; 0: enough [0]\n"
"  --starve TIME        no access may take longer; 0s: a bound by itself [0s]\n"
"  --check              look at all invariants after every event\n"
"  --story PAGE         tell what happens to a page\n"
"  --no-shrink          do not look for a smaller run when one goes wrong\n"
"  --json               print a JSON value\n"
"  --plot FILE          draw latency, messages and invalidation times as SVG\n"
"  --progress           show how far it is, also where there is no terminal\n"
"  --help               show this help\n";

enum {
	OPT_NODES = 256, OPT_LOAD, OPT_DESIGN, OPT_SEED, OPT_SEEDS, OPT_NASTY,
	OPT_HOMES, OPT_THREADS, OPT_PAGES, OPT_LIMIT, OPT_OPS, OPT_WRITES,
	OPT_THINK, OPT_TRACE, OPT_RTT, OPT_TAIL, OPT_CPU, OPT_LOSS, OPT_DUP,
	OPT_REORDER, OPT_CRASHES, OPT_PARTITIONS, OPT_SLOW, OPT_RESTART,
	OPT_LEASE, OPT_HOLD, OPT_RETRY, OPT_STORM, OPT_FANOUT, OPT_SETS,
	OPT_TXNS, OPT_STARVE, OPT_CHECK, OPT_STORY, OPT_NO_SHRINK, OPT_JSON,
	OPT_PLOT, OPT_PROGRESS, OPT_HELP,
};

#define WITH(name, opt)		{ name, required_argument, NULL, opt }
#define ALONE(name, opt)	{ name, no_argument, NULL, opt }

static const struct option long_options[] = {
	WITH("nodes", OPT_NODES), WITH("load", OPT_LOAD),
	WITH("design", OPT_DESIGN), WITH("seed", OPT_SEED),
	WITH("seeds", OPT_SEEDS), ALONE("nasty", OPT_NASTY),
	WITH("homes", OPT_HOMES), WITH("threads", OPT_THREADS),
	WITH("pages", OPT_PAGES), WITH("limit", OPT_LIMIT),
	WITH("ops", OPT_OPS), WITH("writes", OPT_WRITES),
	WITH("think", OPT_THINK), WITH("trace", OPT_TRACE),
	WITH("rtt", OPT_RTT), WITH("tail", OPT_TAIL), WITH("cpu", OPT_CPU),
	WITH("loss", OPT_LOSS), WITH("dup", OPT_DUP),
	WITH("reorder", OPT_REORDER), WITH("crashes", OPT_CRASHES),
	WITH("partitions", OPT_PARTITIONS), WITH("slow", OPT_SLOW),
	ALONE("restart", OPT_RESTART), WITH("lease", OPT_LEASE),
	WITH("hold", OPT_HOLD), WITH("retry", OPT_RETRY),
	WITH("storm", OPT_STORM), WITH("fanout", OPT_FANOUT),
	WITH("sets", OPT_SETS), WITH("txns", OPT_TXNS),
	WITH("starve", OPT_STARVE), ALONE("check", OPT_CHECK),
	WITH("story", OPT_STORY), ALONE("no-shrink", OPT_NO_SHRINK),
	ALONE("json", OPT_JSON), WITH("plot", OPT_PLOT),
	ALONE("progress", OPT_PROGRESS), ALONE("help", OPT_HELP),
	{ 0 }
};

struct list {
	unsigned	nr;
	uint32_t	value[LIST_MAX];
};

struct options {
	struct gvm_sim_config config;
	struct list	nodes, loads, designs;
	uint64_t	seeds;
	bool		nasty;
	bool		shrink;
	bool		json;
	bool		progress;
	const char	*plot;
	bool		help;
};

/* Words between commas; each is given to read, which complains. */
static bool read_list(const char *option, const char *text, struct list *list,
		      bool (*read)(const char *option, const char *word,
				   uint32_t *ret))
{
	char copy[256], *rest = copy, *word;

	list->nr = 0;
	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy)) {
		gvm_complain("sim: %s is too long", option);
		return false;
	}
	while ((word = strsep(&rest, ","))) {
		if (list->nr == LIST_MAX) {
			gvm_complain("sim: %s has more than %u values", option,
				     LIST_MAX);
			return false;
		}
		if (!read(option, word, &list->value[list->nr]))
			return false;
		list->nr++;
	}
	return true;
}

static bool read_nodes(const char *option, const char *word, uint32_t *ret)
{
	uint64_t n;

	if (!gvm_number("sim", option, word, 1, 10240, &n))
		return false;
	*ret = (uint32_t)n;
	return true;
}

static bool read_load(const char *option, const char *word, uint32_t *ret)
{
	int i = gvm_choice("sim", option, word, gvm_sim_load_names);

	*ret = (uint32_t)i;
	return i >= 0;
}

static bool read_design(const char *option, const char *word, uint32_t *ret)
{
	int i = gvm_choice("sim", option, word, gvm_sim_design_names);

	*ret = (uint32_t)i;
	return i >= 0;
}

static bool number(const char *option, uint32_t max, uint32_t *ret)
{
	uint64_t n;

	if (!gvm_number("sim", option, optarg, 0, max, &n))
		return false;
	*ret = (uint32_t)n;
	return true;
}

static bool time_value(const char *option, uint64_t *ret)
{
	if (!gvm_sim_time_parse(optarg, ret))
		return true;
	gvm_complain("sim: %s '%s' is not a time like 20us, 1.5ms or 2s",
		     option, optarg);
	return false;
}

static bool percent(const char *option, uint32_t *ret)
{
	if (!gvm_sim_percent_parse(optarg, ret))
		return true;
	gvm_complain("sim: %s '%s' is not a percentage from 0 to 100, with up to four decimals",
		     option, optarg);
	return false;
}

static bool apply_cluster(int opt, struct options *o)
{
	struct gvm_sim_config *c = &o->config;

	switch (opt) {
	case OPT_HOMES:
		return number("--homes", GVM_SIM_HOMES_MAX, &c->homes);
	case OPT_THREADS:
		return number("--threads", GVM_SIM_THREADS_MAX, &c->threads);
	case OPT_PAGES:
		return number("--pages", GVM_SIM_PAGES_MAX, &c->pages);
	case OPT_LIMIT:
		return number("--limit", GVM_SIM_PAGES_MAX, &c->limit);
	case OPT_OPS:
		return number("--ops", 1000000000, &c->ops);
	case OPT_WRITES:
		return percent("--writes", &c->writes_ppm);
	case OPT_THINK:
		return time_value("--think", &c->think_ns);
	case OPT_FANOUT:
		return number("--fanout", 8, &c->fanout);
	case OPT_SETS:
		return number("--sets", 65535, &c->sets);
	case OPT_TXNS:
		return number("--txns", 65534, &c->txns);
	case OPT_HOLD:
		if (strcmp(optarg, "auto"))
			return time_value("--hold", &c->hold_ns);
		c->hold_ns = ~0ull;
		return true;
	case OPT_RETRY:
		return time_value("--retry", &c->retry_ns);
	case OPT_STORM:
		return time_value("--storm", &c->storm_ns);
	default:
		return false;
	}
}

static bool apply_network(int opt, struct options *o)
{
	struct gvm_sim_config *c = &o->config;

	switch (opt) {
	case OPT_RTT:
		return time_value("--rtt", &c->rtt_ns);
	case OPT_TAIL:
		return time_value("--tail", &c->tail_ns);
	case OPT_CPU:
		return time_value("--cpu", &c->cpu_ns);
	case OPT_LOSS:
		return percent("--loss", &c->loss_ppm);
	case OPT_DUP:
		return percent("--dup", &c->dup_ppm);
	case OPT_REORDER:
		return percent("--reorder", &c->reorder_ppm);
	case OPT_CRASHES:
		return number("--crashes", 1000, &c->crashes);
	case OPT_PARTITIONS:
		return number("--partitions", 1000, &c->partitions);
	case OPT_SLOW:
		return number("--slow", 1000, &c->slow);
	case OPT_LEASE:
		return time_value("--lease", &c->lease_ns);
	case OPT_STARVE:
		return time_value("--starve", &c->starve_ns);
	default:
		return apply_cluster(opt, o);
	}
}

static bool apply(int opt, struct options *o)
{
	struct gvm_sim_config *c = &o->config;

	switch (opt) {
	case OPT_NODES:
		return read_list("--nodes", optarg, &o->nodes, read_nodes);
	case OPT_LOAD:
		return read_list("--load", optarg, &o->loads, read_load);
	case OPT_DESIGN:
		return read_list("--design", optarg, &o->designs, read_design);
	case OPT_SEED:
		return gvm_number("sim", "--seed", optarg, 0, ~0ull, &c->seed);
	case OPT_SEEDS:
		return gvm_number("sim", "--seeds", optarg, 1, 1000000000,
				  &o->seeds);
	case OPT_STORY:
		return gvm_number("sim", "--story", optarg, 0,
				  GVM_SIM_PAGES_MAX, &c->story_page);
	case OPT_NASTY:
		return o->nasty = true;
	case OPT_RESTART:
		return c->restart = true;
	case OPT_CHECK:
		return c->check = true;
	case OPT_JSON:
		return o->json = true;
	case OPT_PROGRESS:
		return o->progress = true;
	case OPT_NO_SHRINK:
		o->shrink = false;
		return true;
	case OPT_TRACE:
		c->trace = optarg;
		return true;
	case OPT_PLOT:
		o->plot = optarg;
		return true;
	case OPT_HELP:
		return o->help = true;
	default:
		return apply_network(opt, o);
	}
}

static unsigned show(const struct options *o)
{
	unsigned s = GVM_SIM_QUIET;

	if (o->progress || (isatty(STDERR_FILENO) && !o->json))
		s |= GVM_SIM_PROGRESS;
	if (o->config.story_page != ~0ull)
		s |= GVM_SIM_STORY;
	return s;
}

/* True: it ran and the oracle was content. */
static bool run_one(const struct options *o, const struct gvm_sim_config *c,
		    struct gvm_sim_outcome *ret)
{
	int err = gvm_sim_try(c, show(o), ret);

	if (err) {
		gvm_complain("sim: cannot start a process: %s", strerror(-err));
		return false;
	}
	if (ret->err == -ENOMEM) {
		gvm_complain("sim: there is not enough memory for %u nodes and %u pages",
			     c->nodes, c->pages);
		return false;
	}
	if (ret->err) {
		gvm_complain("sim: %s", ret->result.why[0] ? ret->result.why :
			     strerror(-ret->err));
		return false;
	}
	if (!gvm_sim_bad(ret))
		return true;
	gvm_sim_explain(ret, o->shrink);
	return false;
}

/* Many seeds: only the count, and the first that goes wrong. */
static int run_seeds(const struct options *o)
{
	struct gvm_sim_config c = o->config;
	struct gvm_sim_outcome out;
	uint64_t events = 0;

	for (uint64_t i = 0; i < o->seeds; i++) {
		c.seed = o->config.seed + i;
		if (o->nasty)
			gvm_sim_nasty(&c);
		if (!run_one(o, &c, &out))
			return GVM_EXIT_FAIL;
		events += out.result.events;
		if (show(o) & GVM_SIM_PROGRESS)
			fprintf(stderr, "\r%llu of %llu seeds, %llu events\033[K",
				(unsigned long long)i + 1,
				(unsigned long long)o->seeds,
				(unsigned long long)events);
	}
	if (show(o) & GVM_SIM_PROGRESS)
		fprintf(stderr, "\r\033[K");
	printf("%llu seeds from %llu, %llu events: nothing went wrong (commit %s)\n",
	       (unsigned long long)o->seeds,
	       (unsigned long long)o->config.seed, (unsigned long long)events,
	       gvm_commit);
	return GVM_EXIT_OK;
}

static int report(const struct options *o, const struct gvm_sim_outcome *out,
		  size_t nr)
{
	int err;

	if (o->json) {
		err = gvm_sim_json(out, nr);
	} else {
		printf("seed %llu, commit %s\n",
		       (unsigned long long)o->config.seed, gvm_commit);
		gvm_sim_table(out, nr);
		if (nr == 1)
			gvm_sim_details(out);
		err = 0;
	}
	if (!err && o->plot) {
		err = gvm_sim_plot(o->plot, out, nr);
		if (err)
			gvm_complain("sim: cannot write %s: %s", o->plot,
				     strerror(-err));
	}
	return err ? GVM_EXIT_FAIL : GVM_EXIT_OK;
}

/* Before minutes of simulation, not after. */
static bool can_plot(const struct options *o)
{
	int fd;

	if (!o->plot)
		return true;
	fd = open(o->plot, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0) {
		gvm_complain("sim: cannot write %s: %s", o->plot,
			     strerror(errno));
		return false;
	}
	close(fd);
	return true;
}

/* All combinations of the lists. */
static int run_all(const struct options *o)
{
	size_t nr = (size_t)o->designs.nr * o->loads.nr * o->nodes.nr;
	struct gvm_sim_outcome *out = calloc(nr, sizeof(*out));
	int status = GVM_EXIT_FAIL;

	if (!can_plot(o)) {
		free(out);
		return status;
	}
	if (!out) {
		gvm_complain("sim: not enough memory");
		return GVM_EXIT_FAIL;
	}
	for (size_t i = 0; i < nr; i++) {
		struct gvm_sim_config c = o->config;

		c.design = o->designs.value[i / o->nodes.nr / o->loads.nr];
		c.load = o->loads.value[i / o->nodes.nr % o->loads.nr];
		c.nodes = o->nodes.value[i % o->nodes.nr];
		if (!run_one(o, &c, &out[i]))
			goto end;
	}
	status = report(o, out, nr);
end:
	free(out);
	return status;
}

static bool check_all(const struct options *o)
{
	const char *wrong = NULL;

	if (o->nasty || o->seeds > 1) {
		if (o->designs.nr > 1 || o->loads.nr > 1 || o->nodes.nr > 1 ||
		    o->plot || o->json) {
			gvm_complain("sim: --nasty and --seeds go with neither lists nor --json nor --plot");
			return false;
		}
	}
	for (unsigned d = 0; d < o->designs.nr && !wrong; d++) {
		for (unsigned i = 0; i < o->nodes.nr * o->loads.nr && !wrong;
		     i++) {
			struct gvm_sim_config c = o->config;

			c.design = o->designs.value[d];
			c.load = o->loads.value[i / o->nodes.nr];
			c.nodes = o->nodes.value[i % o->nodes.nr];
			wrong = gvm_sim_check(&c);
		}
	}
	if (wrong)
		gvm_complain("sim: %s", wrong);
	return !wrong;
}

int gvm_cmd_sim(int argc, char **argv)
{
	struct options o = {
		.nodes = { 1, { 64 } },
		.loads = { 1, { GVM_SIM_ZIPF } },
		.designs = { 1, { GVM_SIM_HOME } },
		.seeds = 1,
		.shrink = true,
	};
	int opt;

	gvm_sim_defaults(&o.config, 64);
	while ((opt = gvm_getopt(argc, argv, "h", long_options)) != -1) {
		if (opt == '?' || (opt != 'h' && !apply(opt, &o)))
			return GVM_EXIT_USAGE;
		if (opt == 'h' || o.help) {
			fputs(usage, stdout);
			return GVM_EXIT_OK;
		}
	}
	if (optind < argc)
		return gvm_surplus(argv[0], argv[optind]);
	if (!check_all(&o))
		return GVM_EXIT_USAGE;
	o.config.nodes = o.nodes.value[0];
	o.config.load = o.loads.value[0];
	o.config.design = o.designs.value[0];
	return o.nasty || o.seeds > 1 ? run_seeds(&o) : run_all(&o);
}
