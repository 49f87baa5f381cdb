// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From a guest physical address to the names of what lies there.
 *
 * Two parts of an x86-64 Linux kernel can be found from outside.  Its image is
 * mapped at a fixed distance from where it lies, unless it chose a random one.
 * The data that each vCPU has of its own is a copy of a part of the image, at
 * the vCPU's GS base (qemu/watch.c), in the kernel's mapping of all memory.
 * Everything else is allocated as it comes, and has no name.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <giantvm/guest.h>

#include "symbols.h"
#include "text.h"

#define PAGE		4096u
#define FOUR_GIB	(1ull << 32)
#define IMAGE_MAP	0xffffffff80000000ull	/* of physical address 0 */
#define IMAGE_START	0xffffffff81000000ull	/* without randomness */
#define ALL_MAP		0xffff888000000000ull	/* of physical address 0 */
#define ALL_MAP_5	0xff11000000000000ull	/* with five levels of tables */
#define SYMBOLS_MAX	(1u << 20)
#define NAME_MAX	128

struct symbol {
	uint64_t	address;
	char		*name;
};

struct gvm_symbols {
	struct symbol	*list;		/* ascending */
	size_t		nr;
	uint64_t	image_end;
	uint64_t	cpu_start, cpu_end;	/* the part that is copied */
};

static int compare(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

static bool add(struct gvm_symbols *s, uint64_t address, const char *name)
{
	struct symbol *list = s->list;

	if (s->nr == SYMBOLS_MAX)
		return false;
	/* Room grows by doubling: at each power of two. */
	if (!(s->nr & (s->nr - 1))) {
		list = realloc(s->list, (s->nr ? 2 * s->nr : 1) *
			       sizeof(*list));
		if (!list)
			return false;
		s->list = list;
	}
	list[s->nr].address = address;
	list[s->nr].name = strdup(name);
	return list[s->nr].name && ++s->nr;
}

static uint64_t find(const struct gvm_symbols *s, const char *name)
{
	for (size_t i = 0; i < s->nr; i++)
		if (strcmp(s->list[i].name, name) == 0)
			return s->list[i].address;
	return 0;
}

/* Marks and sections are no data: their names would hide those of others. */
static bool is_mark(const char *name)
{
	return strncmp(name, "__kstrtab", 9) == 0 ||
	       strncmp(name, "__ksymtab", 9) == 0 ||
	       strncmp(name, "__pfx_", 6) == 0;
}

static bool read_lines(struct gvm_symbols *s, FILE *file)
{
	char line[512], name[NAME_MAX], type;
	unsigned long long address;
	int used;

	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%llx %c %127s%n", &address, &type, name,
			   &used) != 3)
			return false;
		/* A module lies anywhere. */
		if (strchr(line + used, '[') || is_mark(name))
			continue;
		if (!add(s, address, name))
			return false;
	}
	return true;
}

static bool judge(struct gvm_symbols *s, const char *command, const char *path)
{
	uint64_t text = find(s, "_text");

	s->image_end = find(s, "_end");
	s->cpu_start = find(s, "__per_cpu_start");
	s->cpu_end = find(s, "__per_cpu_end");
	if (!text || !s->image_end)
		gvm_complain("%s: %s has no addresses of a kernel; read the guest's /proc/kallsyms as its root",
			     command, path);
	else if (text != IMAGE_START)
		gvm_complain("%s: the kernel of %s lies at a random address; boot the guest with nokaslr",
			     command, path);
	else
		return true;
	return false;
}

struct gvm_symbols *gvm_symbols_read(const char *command, const char *path)
{
	struct gvm_symbols *s = calloc(1, sizeof(*s));
	FILE *file = fopen(path, "r");
	bool good = false;

	if (!s || !file)
		gvm_complain("%s: cannot read %s: %s", command, path,
			     strerror(errno));
	else if (!read_lines(s, file))
		gvm_complain("%s: %s is not like /proc/kallsyms", command,
			     path);
	else
		good = judge(s, command, path);
	if (file)
		fclose(file);
	if (!good) {
		gvm_symbols_free(s);
		return NULL;
	}
	qsort(s->list, s->nr, sizeof(*s->list), compare);
	return s;
}

void gvm_symbols_free(struct gvm_symbols *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->nr; i++)
		free(s->list[i].name);
	free(s->list);
	free(s);
}

/* Index of the first symbol at or above this address. */
static size_t lower(const struct gvm_symbols *s, uint64_t address)
{
	size_t low = 0, high = s->nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->list[mid].address < address)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Appends, and returns false when there is no room for more. */
static bool append(char *buf, size_t bytes, const char *name)
{
	size_t len = strlen(buf);
	bool first = !len || buf[len - 1] == ' ';

	if (len + strlen(name) + 2 + sizeof("...") > bytes) {
		snprintf(buf + len, bytes - len, "...");
		return false;
	}
	snprintf(buf + len, bytes - len, "%s%s", first ? "" : ", ", name);
	return true;
}

/* What begins on the page, or before it and may reach into it. */
static void names(const struct gvm_symbols *s, uint64_t address, uint64_t start,
		  uint64_t end, char *buf, size_t bytes)
{
	size_t i = lower(s, address);

	if (i < s->nr && s->list[i].address > address && i &&
	    s->list[i - 1].address >= start)
		i--;
	for (; i < s->nr && s->list[i].address < address + PAGE &&
	     s->list[i].address < end; i++)
		if (!append(buf, bytes, s->list[i].name))
			return;
}

/* Where vCPU i has its own data; false: not known. */
static bool area_of(const struct gvm_symbols *s,
		    const struct gvm_guest_stats *g, uint32_t i,
		    uint64_t *ret_physical)
{
	uint64_t area = g->area[i] + s->cpu_start;
	uint64_t top = g->ram_bytes > g->below_4g_bytes ?
		       FOUR_GIB + g->ram_bytes - g->below_4g_bytes :
		       g->ram_bytes;

	if (!g->area[i])
		return false;
	area -= area < ALL_MAP ? ALL_MAP_5 : ALL_MAP;
	if (area >= top)
		return false;
	*ret_physical = area;
	return true;
}

char *gvm_symbols_page(const struct gvm_symbols *s,
		       const struct gvm_guest_stats *guest, uint64_t physical,
		       char *buf, size_t bytes)
{
	uint64_t in_image = IMAGE_MAP + physical, area;

	buf[0] = '\0';
	for (uint32_t i = 0; i < guest->vcpus_nr; i++) {
		if (!area_of(s, guest, i, &area) || physical + PAGE <= area ||
		    physical >= area + (s->cpu_end - s->cpu_start))
			continue;
		snprintf(buf, bytes, "CPU %u: ", i);
		names(s, s->cpu_start + physical - area, s->cpu_start,
		      s->cpu_end, buf, bytes);
		return buf;
	}
	if (physical < FOUR_GIB && in_image >= IMAGE_START &&
	    in_image < s->image_end)
		names(s, in_image, IMAGE_START, s->image_end, buf, bytes);
	return buf;
}
