// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What on QEMU's command line would break the one memory of a guest over many
 * hosts, and is refused before anything starts, with what to say instead.
 *
 * A page that another node asks for is taken away at once.  The kernel does not
 * wait for what it has pinned for a device of node 0 (O_DIRECT, vhost, VFIO,
 * RDMA): such a device would go on with a page that is nobody's, and nobody would
 * notice.  Memory that is locked or filled in advance would all be fetched here.
 * And only the RAM of -m is the same on all nodes, not what is added to it.
 *
 * Nobody looks at what a monitor adds later.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "guest.h"
#include "text.h"

#define ITEM_MAX	256u

#define PINS	"the kernel would write to guest memory that another node has meanwhile"
#define WHOLE	"it would fetch all of the guest's RAM to this node and keep it there"
#define BESIDE	"only the RAM of -m is the same on all nodes"
#define BALLOON	"what the guest gives back would be gone on this node only"
#define AWAY	"leave it away"

/* KEY=VALUE in the argument of an option that describes a device or so. */
static const struct {
	const char	*key, *value;	/* on: or without a value; NULL: any */
	const char	*why, *instead;
} items[] = {
	{ "cache", "none", PINS, "use cache=writeback" },
	{ "cache", "directsync", PINS, "use cache=writethrough" },
	{ "direct", "on", PINS, "use cache.direct=off" },
	{ "aio", "native", PINS, "use aio=threads" },
	{ "aio", "io_uring", PINS, "use aio=threads" },
	{ "vhost", "on", PINS, "use vhost=off" },
	{ "vhostforce", "on", PINS, "use vhost=off" },
	{ "prealloc", "on", WHOLE, AWAY },
	{ "mem-lock", "on", WHOLE, AWAY },
	{ "maxmem", NULL, BESIDE, AWAY },
	{ "memdev", NULL, BESIDE, AWAY },
};

/* What a device, a network, a drive or an object is: a part of its name. */
static const struct {
	const char	*part;
	const char	*why, *instead;
} kinds[] = {
	{ "vhost", PINS, "use what QEMU serves itself, such as virtio-net-pci" },
	{ "vfio", PINS, AWAY },
	{ "pvrdma", PINS, AWAY },
	{ "io_uring", PINS, "use driver=file" },
	{ "balloon", BALLOON, AWAY },
	{ "virtio-mem", BESIDE, AWAY },
	{ "virtio-pmem", BESIDE, AWAY },
	{ "dimm", BESIDE, AWAY },
	{ "memory-backend-", BESIDE, AWAY },
};

/* Options as such, with an argument or without. */
static const struct {
	const char	*name;
	const char	*why, *instead;
} options[] = {
	{ "-mem-prealloc", WHOLE, AWAY },
	{ "-mem-path", "the guest's RAM is giantvm's", AWAY },
	{ "-balloon", BALLOON, AWAY },
	{ "-incoming", "a guest cannot be moved to several nodes", AWAY },
	{ "-loadvm", "a guest cannot be loaded on several nodes", AWAY },
	{ "-readconfig", "giantvm does not look into that file", "write its options on the command line" },
};

static const char *const described[] = {
	"-drive", "-blockdev", "-device", "-netdev", "-nic", "-net", "-object",
	"-machine", "-M", "-m", "-overcommit", "-numa", "-set", "-global", NULL
};

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

static const char *plain(const char *word)
{
	/* QEMU takes --option for -option. */
	return word[0] == '-' && word[1] == '-' ? word + 1 : word;
}

static bool is_on(const char *value)
{
	static const char *const on[] = { "on", "yes", "y", "true", NULL };
	unsigned i = 0;

	while (on[i] && strcmp(on[i], value) != 0)
		i++;
	return on[i];
}

static bool refuse(const char *option, const char *text, const char *why,
		   const char *instead)
{
	gvm_complain("run: %s%s%s does not go with a guest over several hosts: %s; %s",
		     option, text ? " " : "", text ? text : "", why, instead);
	return false;
}

static bool judge_kind(const char *option, const char *kind)
{
	for (unsigned i = 0; i < COUNT(kinds); i++)
		if (strstr(kind, kinds[i].part))
			return refuse(option, kind, kinds[i].why,
				      kinds[i].instead);
	return true;
}

/* As a disk of the host it is the kernel's, but this QEMU drives itself. */
static bool is_nvme(const char *option, const char *key, const char *value)
{
	return strncmp(value, "nvme://", 7) == 0 ||
	       (strcmp(key, "driver") == 0 && strcmp(value, "nvme") == 0 &&
		strcmp(option, "-device") != 0);
}

static bool judge_pair(const char *option, const char *key, const char *value)
{
	if (is_nvme(option, key, value))
		return refuse(option, value, PINS,
			      "use the host's device, such as /dev/nvme0n1");
	for (unsigned i = 0; i < COUNT(items); i++) {
		const char *bad = items[i].value;
		char text[2 * ITEM_MAX];

		if (strcmp(key, items[i].key) != 0 ||
		    (bad && strcmp(bad, value) != 0 &&
		     !(strcmp(bad, "on") == 0 && is_on(value))))
			continue;
		snprintf(text, sizeof(text), "%s=%s", key, value);
		return refuse(option, text, items[i].why, items[i].instead);
	}
	if (strcmp(key, "driver") == 0 || strcmp(key, "type") == 0 ||
	    strcmp(key, "qom-type") == 0)
		return judge_kind(option, value);
	return true;
}

/*
 * The key is what is behind the last dot, as in cache.direct=on, or '=', as JSON
 * in JSON becomes.  The first one may go without saying.
 */
static bool judge_item(const char *option, char *item, bool first)
{
	char *value = strrchr(item, '='), *key = item;

	if (!value && first)
		return judge_kind(option, item);
	if (value)
		*value++ = '\0';
	for (char *at = item; *at; at++)
		if (*at == '.' || *at == '=')
			key = at + 1;
	return judge_pair(option, key, value ? value : "on");
}

/*
 * KEY=VALUE,KEY=VALUE; and JSON, which is the same without its quotes, braces and
 * spaces, and with ':' for '='.
 */
static bool judge_argument(const char *option, const char *text)
{
	const bool json = *text == '{';
	bool first = true;
	char item[ITEM_MAX];
	size_t n = 0;

	for (;; text++) {
		if (!*text || *text == ',') {
			item[n] = '\0';
			if (n && !judge_item(option, item, first))
				return false;
			if (!*text)
				return true;
			first = false;
			n = 0;
		} else if (n + 1 < sizeof(item) &&
			   !(json && (strchr("{}[]\"", *text) ||
				      isspace((unsigned char)*text)))) {
			item[n++] = json && *text == ':' ? '=' : *text;
		}
	}
}

static bool is_described(const char *option)
{
	unsigned i = 0;

	while (described[i] && strcmp(described[i], option) != 0)
		i++;
	return described[i];
}

bool gvm_guest_devices_judge(const struct gvm_guest_run *run)
{
	for (char **word = run->argv + 1; *word; word++) {
		const char *option = plain(*word);

		for (unsigned i = 0; i < COUNT(options); i++)
			if (strcmp(option, options[i].name) == 0)
				return refuse(option, NULL, options[i].why,
					      options[i].instead);
		if (is_described(option) && word[1] &&
		    !judge_argument(option, *++word))
			return false;
	}
	return true;
}
