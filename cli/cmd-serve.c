// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `giantvm serve`: the memory server in the foreground, until a signal.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "commands.h"
#include "server/server.h"
#include "size.h"

#define MEMORY_DEFAULT	"1G"

struct options {
	struct gvm_server_config config;
	int	ready_fd;	/* -1: nobody waits */
};

static const char help[] =
"Usage: giantvm serve [OPTION]...\n"
"Hold memory of programs that run on other machines, until a signal comes.\n"
"\n"
"  --listen ADDR:PORT  where clients find it [" GVM_SERVER_LISTEN "];\n"
"                      port 0 takes any; other than loopback addresses need\n"
"                      --insecure\n"
"  --memory SIZE       how much it holds at most, like 512M or 64G [" MEMORY_DEFAULT "]\n"
"  --store STORE       anon: memory of this machine [anon]\n"
"                      file:PATH: a sparse file, which survives a restart\n"
"  --threads N         worker threads [1]\n"
"  --lease SECONDS     how long it waits for a client that went away, before\n"
"                      it forgets its memory [60]\n"
"  --node-lease MS     how long a node of a shared region may be silent before\n"
"                      it is out [5000], where the region does not say\n"
"  --spin MICROSECONDS how long a thread looks for more before it sleeps [100];\n"
"                      0 saves processor time and makes single faults slower\n"
"  --insecure          listen on any address, without authentication: whoever\n"
"                      reaches it can read and write the memory\n"
"  --ready-fd N        write the port and a newline to descriptor N when ready\n"
"  --help              show this\n";

enum {
	OPT_LISTEN = 256, OPT_MEMORY, OPT_STORE, OPT_THREADS, OPT_LEASE,
	OPT_NODE_LEASE, OPT_SPIN, OPT_INSECURE, OPT_READY_FD, OPT_HELP,
};

static const struct option long_options[] = {
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "memory", required_argument, NULL, OPT_MEMORY },
	{ "store", required_argument, NULL, OPT_STORE },
	{ "threads", required_argument, NULL, OPT_THREADS },
	{ "lease", required_argument, NULL, OPT_LEASE },
	{ "node-lease", required_argument, NULL, OPT_NODE_LEASE },
	{ "spin", required_argument, NULL, OPT_SPIN },
	{ "insecure", no_argument, NULL, OPT_INSECURE },
	{ "ready-fd", required_argument, NULL, OPT_READY_FD },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

/* A whole number from min to max, or say what is wrong with it. */
static bool number(const char *option, const char *text, unsigned long min,
		   unsigned long max, unsigned long *ret)
{
	unsigned long v;
	char *end;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || v < min || v > max) {
		fprintf(stderr, "giantvm: %s '%s' is not a whole number from %lu to %lu\n",
			option, text, min, max);
		return false;
	}
	*ret = v;
	return true;
}

static bool memory(const char *text, struct options *o)
{
	int err = gvm_size_parse(text, &o->config.memory_bytes);

	if (err)
		fprintf(stderr, "giantvm: --memory '%s' is %s\n", text,
			gvm_size_why(err));
	return !err;
}

static bool apply(int opt, struct options *o)
{
	unsigned long n;

	switch (opt) {
	case OPT_LISTEN:
		o->config.listen = optarg;
		return true;
	case OPT_MEMORY:
		return memory(optarg, o);
	case OPT_STORE:
		o->config.store = optarg;
		return true;
	case OPT_THREADS:
		if (!number("--threads", optarg, 1, GVM_SERVER_THREADS_MAX, &n))
			return false;
		o->config.threads = (unsigned)n;
		return true;
	case OPT_LEASE:
		if (!number("--lease", optarg, 1,
			    GVM_SERVER_LEASE_MS_MAX / 1000, &n))
			return false;
		o->config.lease_ms = (uint32_t)n * 1000;
		return true;
	case OPT_NODE_LEASE:
		if (!number("--node-lease", optarg, 100,
			    GVM_SERVER_LEASE_MS_MAX, &n))
			return false;
		o->config.node_lease_ms = (uint32_t)n;
		return true;
	case OPT_SPIN:
		if (!number("--spin", optarg, 0, GVM_SERVER_SPIN_US_MAX, &n))
			return false;
		o->config.spin_us = n ? (uint32_t)n : GVM_SERVER_SPIN_NEVER;
		return true;
	case OPT_INSECURE:
		o->config.insecure = true;
		return true;
	case OPT_READY_FD:
		if (!number("--ready-fd", optarg, 0, 1 << 20, &n))
			return false;
		o->ready_fd = (int)n;
		return true;
	default:
		/* getopt has said what; say what to do. */
		fprintf(stderr, "giantvm: 'giantvm serve --help' shows the options\n");
		return false;
	}
}

static void log_line(const char *line, void *arg)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

/* Anonymous memory that is promised but not there ends in the OOM killer. */
static void warn_memory(const struct options *o)
{
	uint64_t have = (uint64_t)sysconf(_SC_PHYS_PAGES) *
			(uint64_t)sysconf(_SC_PAGESIZE);
	char want_text[GVM_SIZE_TEXT_MAX], have_text[GVM_SIZE_TEXT_MAX];
	const char *store = o->config.store;

	if ((store && strcmp(store, "anon")) ||
	    o->config.memory_bytes <= have ||
	    o->config.memory_bytes > GVM_SIZE_HERE_MAX)	/* will be refused */
		return;
	fprintf(stderr, "giantvm: --memory %s is more than the %s of this machine; it may be killed when it fills\n",
		gvm_size_print(o->config.memory_bytes, want_text,
			       sizeof(want_text)),
		gvm_size_print(have, have_text, sizeof(have_text)));
}

static int announce(const struct options *o, const struct gvm_server *server)
{
	unsigned threads = o->config.threads ? o->config.threads : 1;
	char size[GVM_SIZE_TEXT_MAX], port[8];
	int len;

	printf("giantvm: serving %s on %s (%s, %u thread%s)\n",
	       gvm_size_print(o->config.memory_bytes, size, sizeof(size)),
	       gvm_server_address(server),
	       o->config.store ? o->config.store : "anon", threads,
	       threads == 1 ? "" : "s");
	fflush(stdout);
	if (o->ready_fd < 0)
		return 0;
	len = snprintf(port, sizeof(port), "%u\n", gvm_server_port(server));
	if (write(o->ready_fd, port, (size_t)len) != len) {
		fprintf(stderr, "giantvm: --ready-fd %d: %s\n", o->ready_fd,
			strerror(errno));
		return -1;
	}
	if (o->ready_fd > STDERR_FILENO)
		close(o->ready_fd);
	return 0;
}

static int serve(const struct options *o)
{
	struct gvm_server *server;
	const char *why;
	sigset_t set;
	int sig, err;

	/* Before the threads are made, so that they inherit it. */
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);

	err = gvm_server_start(&o->config, &server, &why);
	if (err) {
		fprintf(stderr, "giantvm: %s\n", why);
		return GVM_EXIT_FAIL;
	}
	err = announce(o, server);
	if (!err)
		sigwait(&set, &sig);
	if (gvm_server_stop(server)) {
		fprintf(stderr, "giantvm: the store could not be written to its disk; it is only good until this machine stops\n");
		err = -1;
	}
	return err ? GVM_EXIT_FAIL : GVM_EXIT_OK;
}

int gvm_cmd_serve(int argc, char **argv)
{
	static char program[] = "giantvm";
	struct options o = { .ready_fd = -1 };
	int opt;

	argv[0] = program;	/* getopt's messages begin with it */
	o.config.log = log_line;
	gvm_size_parse(MEMORY_DEFAULT, &o.config.memory_bytes);
	while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (opt == OPT_HELP) {
			fputs(help, stdout);
			return GVM_EXIT_OK;
		}
		if (!apply(opt, &o))
			return GVM_EXIT_USAGE;
	}
	if (optind < argc) {
		fprintf(stderr, "giantvm: serve takes no '%s'; 'giantvm serve --help' shows the options\n",
			argv[optind]);
		return GVM_EXIT_USAGE;
	}
	warn_memory(&o);
	return serve(&o);
}
