// SPDX-License-Identifier: GPL-2.0-or-later
/* Lists of pages that move, and `giantvm stat --hot`, which shows them. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "hot.h"
#include "stat-guest.h"
#include "stat-shared.h"
#include "symbols.h"
#include "text.h"

#define PAGE		4096u
#define FOUR_GIB	(1ull << 32)
#define NAMES_MAX	1024

static uint64_t moves(const struct gvm_hot_row *r)
{
	return r->gives + r->gets;
}

static int compare(const void *a, const void *b)
{
	const struct gvm_hot_row *x = a, *y = b;

	if (moves(x) != moves(y))
		return moves(x) < moves(y) ? 1 : -1;
	/* Pages that are alike must not change places all the time. */
	return (x->address > y->address) - (x->address < y->address);
}

static void sort(struct gvm_hot_rows *rows)
{
	qsort(rows->row, (size_t)rows->nr, sizeof(rows->row[0]), compare);
}

static struct gvm_hot_row *find(struct gvm_hot_rows *rows, uint64_t address)
{
	for (int i = 0; i < rows->nr; i++)
		if (rows->row[i].address == address)
			return &rows->row[i];
	return NULL;
}

static void add(struct gvm_hot_rows *rows, uint64_t address,
		const struct gvm_shared_hot *h)
{
	struct gvm_hot_row *r = find(rows, address);

	if (!h->gives && !h->gets)
		return;
	if (!r) {
		r = &rows->row[rows->nr++];
		*r = (struct gvm_hot_row){ .address = address };
	}
	r->gives += h->gives;
	r->gets += h->gets;
}

void gvm_hot_of_region(const struct gvm_shared_stats *s,
		       struct gvm_hot_rows *ret)
{
	ret->nr = 0;
	for (uint32_t i = 0; i < s->hot_nr && i < GVM_SHARED_HOT; i++)
		add(ret, s->hot[i].page * PAGE, &s->hot[i]);
	sort(ret);
}

void gvm_hot_of_guest(const struct gvm_guest_stats *g, struct gvm_hot_rows *ret)
{
	ret->nr = 0;
	for (uint32_t n = 0; n < g->nodes_nr; n++) {
		for (uint32_t i = 0; i < GVM_SHARED_HOT; i++) {
			const struct gvm_shared_hot *h = &g->node[n].hot[i];
			uint64_t at = h->page * PAGE;

			if (at >= g->below_4g_bytes)
				at += FOUR_GIB - g->below_4g_bytes;
			add(ret, at, h);
		}
	}
	sort(ret);
}

void gvm_hot_since(struct gvm_hot_rows *now, const struct gvm_hot_rows *before)
{
	for (int i = 0; i < before->nr; i++) {
		const struct gvm_hot_row *old = &before->row[i];
		struct gvm_hot_row *r = find(now, old->address);

		if (!r)
			continue;
		r->gives = r->gives > old->gives ? r->gives - old->gives : 0;
		r->gets = r->gets > old->gets ? r->gets - old->gets : 0;
	}
	sort(now);
}

struct showing {
	bool			json;
	struct json_object	*list;
	struct gvm_symbols	*symbols;
	int			shown;
};

static struct json_object *row_json(const struct gvm_hot_row *r,
				    const char *names)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "address",
			       json_object_new_uint64(r->address));
	json_object_object_add(o, "gives", json_object_new_uint64(r->gives));
	json_object_object_add(o, "gets", json_object_new_uint64(r->gets));
	if (names)
		json_object_object_add(o, "symbols",
				       json_object_new_string(names));
	return o;
}

static void show(struct showing *s, uint32_t pid, const char *name,
		 const struct gvm_hot_rows *rows,
		 const struct gvm_guest_stats *guest)
{
	struct json_object *pages = s->json ? json_object_new_array() : NULL;
	const bool named = s->symbols && guest;
	char names[NAMES_MAX] = "";

	if (!s->json)
		printf("%s%s %s of process %u\n%18s %10s %10s%s\n",
		       s->shown ? "\n" : "",
		       guest ? "guest" : "shared region", name, pid,
		       guest ? "GUEST PHYSICAL" : "OFFSET", "GIVEN", "TAKEN",
		       named ? "  WHAT THE KERNEL HAS THERE" : "");
	for (int i = 0; i < rows->nr; i++) {
		const struct gvm_hot_row *r = &rows->row[i];

		if (named)
			gvm_symbols_page(s->symbols, guest, r->address, names,
					 sizeof(names));
		if (s->json)
			json_object_array_add(pages,
					      row_json(r, named ? names : NULL));
		else
			printf("%#18" PRIx64 " %10" PRIu64 " %10" PRIu64 "%s%s\n",
			       r->address, r->gives, r->gets, named ? "  " : "",
			       names);
	}
	s->shown++;
	if (s->json) {
		struct json_object *o = json_object_new_object();

		json_object_object_add(o, "pid", json_object_new_uint64(pid));
		json_object_object_add(o, "name", json_object_new_string(name));
		json_object_object_add(o, "guest",
				       json_object_new_boolean(guest != NULL));
		json_object_object_add(o, "pages", pages);
		json_object_array_add(s->list, o);
	}
}

static void show_all(struct showing *s, pid_t pid,
		     const struct gvm_guest_stats *guests, int guests_nr,
		     const struct gvm_shared_stats *regions, int regions_nr)
{
	static struct gvm_hot_rows rows;

	for (int i = 0; i < guests_nr; i++) {
		if (pid && (pid_t)guests[i].pid != pid)
			continue;
		gvm_hot_of_guest(&guests[i], &rows);
		show(s, guests[i].pid, guests[i].name, &rows, &guests[i]);
	}
	for (int i = 0; i < regions_nr; i++) {
		bool shown = pid && (pid_t)regions[i].pid != pid;

		for (int j = 0; j < guests_nr; j++)
			shown |= guests[j].pid == regions[i].pid;
		if (shown)
			continue;
		gvm_hot_of_region(&regions[i], &rows);
		show(s, regions[i].pid, regions[i].name, &rows, NULL);
	}
}

int gvm_stat_hot(pid_t pid, const char *symbols, bool json)
{
	struct gvm_guest_stats *guests = calloc(GVM_GUESTS_MAX,
						sizeof(*guests));
	struct gvm_shared_stats *regions = calloc(GVM_REGIONS_MAX,
						  sizeof(*regions));
	struct showing s = { .json = json };
	int err = 0;

	if (symbols) {
		s.symbols = gvm_symbols_read("stat", symbols);
		err = !s.symbols;
	}
	if (json)
		s.list = json_object_new_array();
	if (!err && guests && regions)
		show_all(&s, pid, guests, gvm_guests_read(guests),
			 regions, gvm_regions_read(regions));
	if (!err && pid && !s.shown) {
		gvm_complain("stat: process %d has no shared region; 'giantvm stat --shared' lists them",
			     (int)pid);
		err = 1;
	}
	if (json && !err)
		err = gvm_json_print(s.list);
	else if (json)
		json_object_put(s.list);
	else if (!err && !s.shown)
		printf("no program of this user has mapped a shared region\n");
	gvm_symbols_free(s.symbols);
	free(guests);
	free(regions);
	return err ? GVM_EXIT_FAIL : GVM_EXIT_OK;
}
