// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * QEMU's command line on one node of a guest.
 *
 * The operator types the same on every node.  Node 0 gets it all, and the
 * machine that we need is added.  The others get only what makes the same
 * machine (processors, RAM, chipset): disks, networks, consoles and files
 * belong to node 0, whose devices all vCPUs use.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "guest.h"
#include "text.h"

#define ADDED_MAX	40u		/* words that we may add */
#define MADE_BYTES	32768u		/* of those made here; the nodes' is 9 KiB */

/* One piece of memory: the words, then the text of those made here. */
struct line {
	char		**words;
	unsigned	nr;
	char		*made;
	size_t		left;
	bool		failed;
};

/* What a node without devices needs to know; each has one argument. */
static const char *const machine_options[] = {
	"-machine", "-M", "-cpu", "-smp", "-m", "-accel", "-numa", "-name",
	"-rtc", "-uuid", "-L", "-d", "-D", "-trace", "-overcommit",
	/* An operator may pause, reset or end the guest from any node. */
	"-monitor", "-qmp", "-qmp-pretty", NULL
};

static bool is_one_of(const char *word, const char *const *list)
{
	/* QEMU takes --option for -option. */
	if (word[0] == '-' && word[1] == '-')
		word++;
	while (*list && strcmp(word, *list) != 0)
		list++;
	return *list;
}

/* The argument of the last such option, or NULL. */
static const char *value_of(char **argv, const char *a, const char *b)
{
	const char *const list[] = { a, b, NULL };
	const char *value = NULL;

	for (; argv[0] && argv[1]; argv++)
		if (is_one_of(argv[0], list))
			value = argv[1];
	return value;
}

static void add(struct line *line, const char *word)
{
	line->words[line->nr++] = (char *)(uintptr_t)word;
}

__attribute__((format(printf, 2, 3)))
static void add_made(struct line *line, const char *format, ...)
{
	va_list args;
	size_t len;

	va_start(args, format);
	len = (size_t)vsnprintf(line->made, line->left, format, args) + 1;
	va_end(args);
	if (len > line->left) {
		line->failed = true;
		return;
	}
	add(line, line->made);
	line->made += len;
	line->left -= len;
}

/* -m as QEMU reads it: MiB without a letter, or size=... first. */
static uint64_t ram_bytes(const char *text)
{
	static const char letters[] = "KMGT";
	const char *letter;
	char *end;
	uint64_t n;

	if (!text)
		return 0;
	if (strncmp(text, "size=", 5) == 0)
		text += 5;
	n = strtoull(text, &end, 10);
	letter = *end ? strchr(letters, *end & ~0x20) : letters + 1;
	if (end == text || !letter || (*end && end[1] && end[1] != ','))
		return *end == ',' && end != text ? n << 20 : 0;
	if (n > UINT64_MAX >> 40)
		return 0;
	return n << 10 * (letter - letters + 1);
}

static void add_kernel_words(struct line *line, const struct gvm_conf *conf,
			     const char *said)
{
	char *words = gvm_guest_kernel_words(conf, said);

	if (!words) {
		line->failed = true;
		return;
	}
	if (*words)
		gvm_complain("run: added to the guest's kernel command line:%s (what you say there yourself is left as it is; see giantvm-run(1))",
			     words);
	add_made(line, "%s%s", said, words);
	free(words);
}

static void add_all(struct line *line, const struct gvm_conf *conf, char **argv)
{
	for (; *argv; argv++) {
		add(line, *argv);
		if (strcmp(*argv, "-append") == 0 && argv[1])
			add_kernel_words(line, conf, *++argv);
	}
}

static void add_machine_only(struct line *line, char **argv)
{
	static const char *const none[] = {
		"-nodefaults", "-no-user-config", "-display", "none",
		"-serial", "none", "-parallel", "none", NULL
	};

	for (; argv[0] && argv[1]; argv++) {
		if (!is_one_of(argv[0], machine_options))
			continue;
		add(line, argv[0]);
		add(line, *++argv);
	}
	for (unsigned i = 0; none[i]; i++)
		add(line, none[i]);
}

/*
 * RAM as a file that the nodes of one host have in common; its name is the
 * cluster's, and the plugin removes it as soon as all have it.
 */
static void add_file_ram(struct line *line, const char *path, uint64_t bytes)
{
	add(line, "-object");
	add_made(line, "memory-backend-file,id=giantvm-ram,share=on,size=%" PRIu64 ",mem-path=%s",
		 bytes, path);
	add(line, "-machine");
	add(line, "memory-backend=giantvm-ram");
}

/* The list that separates by commas, for an option that does so itself. */
static char *with_pluses(char *list)
{
	for (char *at = list; (at = strchr(at, ',')); )
		*at = '+';
	return list;
}

/* The server that this node's process is to be as well; "" if none. */
static void describe_server(const struct gvm_guest_run *run, char *ret,
			    size_t bytes)
{
	const struct gvm_conf_region *r = run->region;

	*ret = '\0';
	for (unsigned i = 0; r && i < r->servers_nr; i++) {
		const struct gvm_conf_server *s =
			&run->conf->servers[r->servers[i]];

		if (s->node == run->node->id)
			snprintf(ret, bytes, ",serve=%s,serve-at=%u,serve-bytes=%" PRIu64 ",serve-lease-ms=%u",
				 run->served, i, s->memory_bytes ? s->memory_bytes :
				 gvm_conf_share(r, i), run->conf->lease_ms);
	}
}

/* What the plugin calls that node: its place among those with vCPUs; -1: none. */
static int place_of(const struct gvm_conf *conf, uint32_t id)
{
	int place = 0;

	for (unsigned i = 0; i < conf->nodes_nr; i++) {
		if (!conf->nodes[i].vcpus_nr)
			continue;
		if (conf->nodes[i].id == id)
			return place;
		place++;
	}
	return -1;
}

/* For each server of the region the guest's node that it is in, or "-". */
static char *describe_homes(const struct gvm_guest_run *run)
{
	const struct gvm_conf_region *r = run->region;
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	for (unsigned i = 0; out && i < r->servers_nr; i++) {
		uint32_t node = run->conf->servers[r->servers[i]].node;
		int place = place_of(run->conf, node);

		if (place < 0)
			fprintf(out, "%s-", i ? "+" : "");
		else
			fprintf(out, "%s%d", i ? "+" : "", place);
	}
	return out && !fclose(out) ? text : NULL;
}

static void add_plugin(struct line *line, const struct gvm_guest_run *run,
		       const char *ram_path)
{
	char fingerprint[2 * GVM_CONF_FINGERPRINT + 1];
	char wait[48] = "", ram[4096], serve[256], *homes;
	int len;

	if (run->wait_ms)
		snprintf(wait, sizeof(wait), ",wait-ms=%" PRIu64, run->wait_ms);
	gvm_conf_fingerprint_print(run->conf, fingerprint);
	homes = run->region ? describe_homes(run) : NULL;
	if (run->region)
		len = snprintf(ram, sizeof(ram), "ram=%s,servers=%s,homes=%s,listen=%s,member=%u,slice=%" PRIu64 ",local=%" PRIu64 ",cluster=%s",
			       run->region->name, with_pluses(run->servers),
			       homes ? homes : "-", run->listen, run->node->id,
			       run->region->slice_bytes, run->node->local_bytes,
			       fingerprint);
	else
		len = snprintf(ram, sizeof(ram), "ram-file=%s", ram_path);
	free(homes);
	if (len >= (int)sizeof(ram))
		line->failed = true;
	add(line, "-plugin");
	describe_server(run, serve, sizeof(serve));
	add_made(line, "%s,node=%u,nodes=%s,lost-ms=%u,turn-us=%u,%s%s%s%s%s",
		 run->plugin, run->index, run->nodes, run->conf->lease_ms,
		 run->conf->turn_us, ram, serve, wait,
		 run->any_latency ? ",cpu-latency=any" : "",
		 run->stats ? ",stats=on" : "");
}

static void add_machine(struct line *line, const struct gvm_guest_run *run,
			uint64_t bytes)
{
	char fingerprint[2 * GVM_CONF_FINGERPRINT + 1], path[96] = "";

	gvm_conf_fingerprint_print(run->conf, fingerprint);
	if (!run->region) {
		snprintf(path, sizeof(path), "/dev/shm/giantvm-%s",
			 fingerprint);
		add_file_ram(line, path, bytes);
	}
	for (const char *const *word = gvm_guest_accel_words(run);
	     word && *word; word++)
		add(line, *word);
	/* No node would see how another's local APIC is set in that mode. */
	add(line, "-global");
	add(line, "driver=x86_64-cpu,property=x2apic,value=off");
	add(line, "-machine");
	add(line, "smm=off,vmport=off,hpet=off,mem-merge=off");
	add_plugin(line, run, path);
}

/* Only where nobody describes another machine than the one that we know. */
static void add_numa(struct line *line, const struct gvm_guest_run *run)
{
	const char *machine = value_of(run->argv, "-machine", "-M");
	const char *smp = value_of(run->argv, "-smp", "-smp");
	int srat, slit;

	if ((machine && (strncmp(machine, "q35", 3) != 0 ||
			 strstr(machine, "max-ram-below-4g"))) ||
	    (smp && smp[strspn(smp, "0123456789")]) ||
	    value_of(run->argv, "-numa", "-acpitable") ||
	    !gvm_guest_numa(run, &srat, &slit))
		return;
	add(line, "-acpitable");
	add_made(line, "sig=SRAT,rev=3,data=/proc/self/fd/%d", srat);
	add(line, "-acpitable");
	add_made(line, "sig=SLIT,rev=1,data=/proc/self/fd/%d", slit);
}

/*
 * QEMU makes one socket of all, whose processors Linux takes for neighbours: it
 * moves what it wakes from one to the other, and warns of NUMA nodes in a socket.
 * A wrong number is for the plugin to complain about.
 */
static void add_sockets(struct line *line, const struct gvm_guest_run *run)
{
	const char *smp = value_of(run->argv, "-smp", "-smp");
	const unsigned nr = run->conf->vcpus_nr;
	const unsigned cores = gvm_guest_socket(run->conf);
	char *end = NULL;

	if (smp && (strtoul(smp, &end, 10) != nr || *end))
		return;
	if (!smp) {
		add(line, "-smp");
		add_made(line, "%u", nr);
	}
	add(line, "-smp");
	add_made(line, "sockets=%u,cores=%u,threads=1", nr / cores, cores);
}

static bool judge(const struct gvm_guest_run *run, uint64_t *ret_ram)
{
	const char *program = strrchr(run->argv[0], '/');
	const char *size = value_of(run->argv, "-m", "-m");
	const char *machine = value_of(run->argv, "-machine", "-M");

	program = program ? program + 1 : run->argv[0];
	*ret_ram = ram_bytes(size);
	if (strcmp(program, "qemu-system-x86_64") != 0)
		gvm_complain("run: --id is for guests of qemu-system-x86_64, not for %s",
			     program);
	else if (!*ret_ram)
		gvm_complain("run: how much RAM has the guest? give QEMU -m SIZE, such as -m 2G");
	else if (run->region && *ret_ram != run->region->size_bytes)
		gvm_complain("run: the guest has -m %s, but region %s of the cluster file has %" PRIu64 " MiB; they must be equal",
			     size, run->region->name,
			     run->region->size_bytes >> 20);
	else if (!run->region && !gvm_guest_accel_words(run))
		gvm_complain("run: --ram file does not go with emulated processors: no node is told which code another one has changed; use a region of the cluster file, or -accel kvm");
	else if (machine && strstr(machine, "memory-backend="))
		gvm_complain("run: the guest's RAM is giantvm's: leave memory-backend= away");
	else if (value_of(run->argv, "-plugin", "-plugin"))
		gvm_complain("run: leave -plugin away: giantvm brings its own");
	else
		return gvm_guest_accel_judge(run) &&
		       gvm_guest_devices_judge(run);
	return false;
}

char **gvm_guest_line(const struct gvm_guest_run *run)
{
	struct line line = { 0 };
	uint64_t bytes;
	unsigned n = 0;

	if (!judge(run, &bytes))
		return NULL;
	while (run->argv[n])
		n++;
	line.words = calloc(1, (n + ADDED_MAX) * sizeof(char *) + MADE_BYTES);
	if (!line.words)
		return NULL;
	line.made = (char *)(line.words + n + ADDED_MAX);
	line.left = MADE_BYTES;
	add(&line, run->argv[0]);
	if (!value_of(run->argv, "-machine", "-M")) {
		add(&line, "-machine");
		add(&line, "q35");
	}
	if (!value_of(run->argv, "-accel", "-accel")) {
		add(&line, "-accel");
		add(&line, "tcg,thread=multi");
	}
	if (run->index == 0)
		add_all(&line, run->conf, run->argv + 1);
	else
		add_machine_only(&line, run->argv + 1);
	add_sockets(&line, run);
	add_machine(&line, run, bytes);
	add_numa(&line, run);
	if (!line.failed)
		return line.words;
	gvm_complain("run: the command line is too long");
	free(line.words);
	return NULL;
}

char *gvm_guest_command(const struct gvm_guest_run *run)
{
	size_t len = 1;
	char *all;

	for (char **word = run->argv + 1; *word; word++)
		len += strlen(*word) + 1;
	all = malloc(len);
	if (!all)
		return NULL;
	*all = '\0';
	for (char **word = run->argv + 1; *word; word++) {
		size_t at = strlen(all);

		snprintf(all + at, len - at, "%s%s", at ? " " : "", *word);
	}
	return all;
}
