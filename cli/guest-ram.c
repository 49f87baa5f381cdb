// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The RAM of a guest over many hosts: a shared region of the cluster file, or
 * a file where all nodes are on one host.
 *
 * A guest starts with zeros and leaves nothing behind, so node 0 removes the
 * region before and after: an earlier guest's memory must not become this
 * one's.  It does so before it meets the other nodes, and they join later.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "address.h"
#include "command.h"
#include "conf.h"
#include "guest.h"
#include "server/query-region.h"
#include "text.h"

#define PATIENCE_MS	5000

static pid_t qemu;

static bool find_region(struct gvm_guest_run *run, const char *name)
{
	run->region = gvm_conf_region(run->conf, name);
	if (!run->region)
		gvm_complain("run: the cluster file has no region %s for the guest's RAM; describe one in a section [region %s], or name another by --ram",
			     name, name);
	return run->region;
}

/* Every server once, as names; resolved by the caller. */
static char *server_names(const struct gvm_guest_run *run)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	for (unsigned i = 0; out && i < run->region->servers_nr; i++) {
		unsigned at = run->region->servers[i];

		fprintf(out, "%s%s", i ? "," : "",
			run->conf->servers[at].address);
	}
	if (!out || fclose(out))
		return NULL;
	return text;
}

/* Its address as numbers: QEMU's process must not wait for a name server. */
static bool find_own_server(struct gvm_guest_run *run)
{
	for (unsigned i = 0; i < run->region->servers_nr; i++) {
		const struct gvm_conf_server *s =
			&run->conf->servers[run->region->servers[i]];

		if (s->node != run->node->id)
			continue;
		run->served = gvm_address_list("run", s->address);
		return run->served;
	}
	return true;
}

bool gvm_guest_ram_open(struct gvm_guest_run *run, const char *name)
{
	char *names;

	if (strcmp(name, "file") == 0)
		return true;
	if (!find_region(run, name))
		return false;
	names = server_names(run);
	run->servers = names ? gvm_address_list("run", names) : NULL;
	free(names);
	run->listen = gvm_address_list("run", run->node->address);
	return run->servers && run->listen && find_own_server(run);
}

/* False after a complaint.  That nothing was there is well. */
static bool remove_region(const struct gvm_guest_run *run)
{
	char why[GVM_QUERY_WHY_MAX];
	struct gvm_address a;
	const char *what;

	for (unsigned i = 0; i < run->region->servers_nr; i++) {
		const struct gvm_conf_server *s =
			&run->conf->servers[run->region->servers[i]];
		const char *address = s->address;
		int err;

		/* Those begin and end with the guest. */
		if (s->node != GVM_CONF_NODE_NONE)
			continue;
		err = gvm_address_resolve(address, strlen(address), &a, &what);
		if (!err)
			err = gvm_query_region_remove(
				(const struct sockaddr *)&a.sa, a.sa_len,
				PATIENCE_MS, run->region->name, true, why);
		else
			snprintf(why, sizeof(why), "%s", what);
		if (!err || err == -ENOENT)
			continue;
		gvm_complain("run: memory server %s: %s%s", address, why,
			     err == -ECONNREFUSED ?
			     "; is 'giantvm serve' running there?" : "");
		return false;
	}
	return true;
}

static void pass_on(int sig)
{
	if (qemu > 0)
		kill(qemu, sig);
}

static int exit_status(int status)
{
	if (WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	return WEXITSTATUS(status);
}

/* Stay behind QEMU, to clean up. */
static int stay(const struct gvm_guest_run *run)
{
	static const int sigs[] = { SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 };
	struct sigaction on = { .sa_handler = pass_on, .sa_flags = SA_RESTART };
	int status = 0;

	for (unsigned i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		sigaction(sigs[i], &on, NULL);
	/* The terminal sends these to QEMU as well. */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	while (waitpid(qemu, &status, 0) < 0 && errno == EINTR)
		;
	remove_region(run);
	return exit_status(status);
}

int gvm_guest_ram_execute(const struct gvm_guest_run *run, char **line)
{
	if (run->region && run->index == 0) {
		if (!remove_region(run))
			return GVM_EXIT_FAIL;
		qemu = fork();
		if (qemu > 0)
			return stay(run);
		if (qemu < 0) {
			gvm_complain("run: cannot start a process: %s",
				     strerror(errno));
			return GVM_EXIT_FAIL;
		}
	}
	execvp(line[0], line);
	gvm_complain("run: cannot start %s: %s", line[0], strerror(errno));
	if (qemu == 0 && run->region && run->index == 0)
		_exit(errno == ENOENT ? 127 : 126);
	return errno == ENOENT ? 127 : 126;
}
