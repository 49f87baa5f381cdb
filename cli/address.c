// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names of servers become numeric addresses.  The engine inside the program
 * must not resolve names: libc's resolver allocates, opens files and would run
 * in a program that is not ours.
 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "hostport.h"
#include "text.h"

#define PORT_DEFAULT	"9999"
#define LIST_BYTES_MAX	(4u << 20)	/* of a file of servers */

static const struct addrinfo *prefer_ipv4(const struct addrinfo *list)
{
	for (const struct addrinfo *a = list; a; a = a->ai_next) {
		if (a->ai_family == AF_INET)
			return a;
	}
	return list;
}

int gvm_address_resolve(const char *text, size_t len,
			struct gvm_address *ret, const char **ret_why)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	char host[GVM_HOST_MAX], port[GVM_PORT_MAX], number[NI_MAXHOST];
	struct addrinfo *list;
	const struct addrinfo *a;
	int err = gvm_hostport_split(text, len, PORT_DEFAULT, host, port,
				     ret_why);

	if (err)
		return err;
	err = getaddrinfo(host, port, &hints, &list);
	if (err) {
		*ret_why = err == EAI_NONAME ? "there is no such host" :
			   gai_strerror(err);
		return -ENOENT;
	}
	a = prefer_ipv4(list);
	memcpy(&ret->sa, a->ai_addr, a->ai_addrlen);
	ret->sa_len = a->ai_addrlen;
	getnameinfo(a->ai_addr, a->ai_addrlen, number, sizeof(number), NULL, 0,
		    NI_NUMERICHOST);
	snprintf(ret->text, sizeof(ret->text),
		 a->ai_family == AF_INET6 ? "[%.50s]:%s" : "%.50s:%s", number,
		 port);
	freeaddrinfo(list);
	return 0;
}

struct entry {
	struct gvm_address	address;
	const char		*said;		/* what it was written as */
	int			said_len;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->address.text,
		      ((const struct entry *)b)->address.text);
}

static bool is_twice(const char *command, struct entry *list, unsigned nr)
{
	struct entry *sorted = malloc(nr * sizeof(*sorted));
	bool twice = false;

	if (!sorted)
		return false;
	memcpy(sorted, list, nr * sizeof(*sorted));
	qsort(sorted, nr, sizeof(*sorted), by_text);
	for (unsigned i = 1; i < nr && !twice; i++) {
		twice = !by_text(&sorted[i - 1], &sorted[i]);
		if (twice)
			gvm_complain("%s: --servers names %s twice (as '%.*s' and '%.*s')",
				     command, sorted[i].address.text,
				     sorted[i - 1].said_len, sorted[i - 1].said,
				     sorted[i].said_len, sorted[i].said);
	}
	free(sorted);
	return twice;
}

static char *join(const struct entry *list, unsigned nr)
{
	char *all = malloc((size_t)nr * GVM_ADDRESS_TEXT_MAX + 1);
	char *to = all;

	if (!all)
		return NULL;
	for (unsigned i = 0; i < nr; i++) {
		if (i)
			*to++ = ',';
		to = stpcpy(to, list[i].address.text);
	}
	return all;
}

/* How many entries; 0 after a complaint. */
static unsigned resolve_all(const char *command, const char *text,
			    struct entry *list)
{
	unsigned nr = 0;
	const char *why;

	for (;; text++) {
		size_t len = strcspn(text, ",");

		if (nr == GVM_ADDRESSES_MAX) {
			gvm_complain("%s: --servers names more than %u servers",
				     command, GVM_ADDRESSES_MAX);
			return 0;
		}
		if (!len) {
			gvm_complain("%s: --servers has an empty entry; write it like 10.0.0.1:9999,10.0.0.2:9999",
				     command);
			return 0;
		}
		if (gvm_address_resolve(text, len, &list[nr].address, &why)) {
			gvm_complain("%s: --servers '%.*s': %s", command,
				     (int)(len < 300 ? len : 300), text, why);
			return 0;
		}
		list[nr].said = text;
		list[nr++].said_len = (int)len;
		text += len;
		if (!*text)
			return nr;
	}
}

/* A file of servers becomes a list with commas; NULL after a complaint. */
static char *read_list(const char *command, const char *path)
{
	char *all = calloc(1, LIST_BYTES_MAX);
	FILE *file = fopen(path, "re");
	char line[GVM_HOST_MAX + GVM_PORT_MAX + 64];
	size_t used = 0;

	if (!file || !all) {
		gvm_complain("%s: --servers @%s: %s", command, path,
			     strerror(errno));
		goto fail;
	}
	errno = 0;
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "#")] = '\0';
		for (char *word = strtok(line, ", \t\r\n"); word;
		     word = strtok(NULL, ", \t\r\n")) {
			used += (size_t)snprintf(all + used,
						 LIST_BYTES_MAX - used, "%s%s",
						 used ? "," : "", word);
			if (used >= LIST_BYTES_MAX) {
				gvm_complain("%s: --servers @%s is too long",
					     command, path);
				goto fail;
			}
		}
	}
	if (errno || !used) {		/* a folder can be opened, not read */
		gvm_complain("%s: --servers @%s: %s", command, path,
			     errno ? strerror(errno) : "names no server");
		goto fail;
	}
	fclose(file);
	return all;
fail:
	if (file)
		fclose(file);
	free(all);
	return NULL;
}

char *gvm_address_list(const char *command, const char *text)
{
	struct entry *list = calloc(GVM_ADDRESSES_MAX, sizeof(*list));
	char *said = *text == '@' ? read_list(command, text + 1) : strdup(text);
	char *all = NULL;
	unsigned nr = 0;

	if (list && said)
		nr = resolve_all(command, said, list);
	if (nr && !is_twice(command, list, nr))
		all = join(list, nr);
	free(said);
	free(list);
	return all;
}
