// SPDX-License-Identifier: GPL-2.0-or-later
/* Where traces come from; see trace.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "limits.h"
#include "messages.h"
#include "trace.h"

#define MADE_NR		300000u
#define MADE_PAGES	4096u
#define CHUNKS_MAX	4096u
#define FILE_MAX	(1u << 20)

const char *const trace_kinds[] = {
	"zipf", "scan+hot", "loop", "random", "phases", NULL
};

/* Bit by bit: which pages occur at all. */
static void count_distinct(struct trace *t)
{
	u8 *seen = calloc(t->chunks, GVM_CHUNK_PAGES);

	CHECK(seen);
	t->distinct = 0;
	for (u32 i = 0; i < t->nr; i++) {
		t->distinct += !seen[t->page[i]];
		seen[t->page[i]] = 1;
	}
	free(seen);
}

/* One difference, seven bits a byte, sign in the lowest bit. */
static u64 read_difference(const u8 *bytes, size_t len, size_t *at)
{
	u64 x = 0;

	for (u32 shift = 0; shift < 64; shift += 7) {
		CHECK(*at < len);
		x |= (u64)(bytes[*at] & 0x7f) << shift;
		if (!(bytes[(*at)++] & 0x80))
			break;
	}
	return x >> 1 ^ (0 - (x & 1));
}

static u32 chunk_of(u64 *known, u32 *nr, u64 chunk)
{
	u32 i = 0;

	while (i < *nr && known[i] != chunk)
		i++;
	CHECK(i < CHUNKS_MAX);
	if (i == *nr)
		known[(*nr)++] = chunk;
	return i;
}

void trace_load(struct trace *t, const char *path)
{
	const char *base = strrchr(path, '/');
	u8 *bytes = malloc(FILE_MAX);
	u64 *known = malloc(CHUNKS_MAX * sizeof(*known));
	FILE *file = fopen(path, "rb");
	size_t at = 0;
	size_t len;
	u64 page = 0;

	CHECK(bytes && known && file);
	len = fread(bytes, 1, FILE_MAX, file);
	CHECK(len < FILE_MAX && !fclose(file));
	*t = (struct trace){ .page = malloc(len * sizeof(u32)) };
	CHECK(t->page);
	snprintf(t->name, sizeof(t->name), "%s", base ? base + 1 : path);
	t->name[strcspn(t->name, ".")] = '\0';
	while (at < len) {
		page += read_difference(bytes, len, &at);
		t->page[t->nr++] = (u32)(page % GVM_CHUNK_PAGES) +
			GVM_CHUNK_PAGES * chunk_of(known, &t->chunks,
						   page / GVM_CHUNK_PAGES);
	}
	free(bytes);
	free(known);
	count_distinct(t);
}

/* Rank r with weight 1/r, spread over the pages: harmonic by bisection. */
static u32 zipf(u64 *seed)
{
	static double sum[MADE_PAGES + 1];
	double x;
	u32 low = 0;
	u32 high = MADE_PAGES;

	for (u32 i = 1; sum[MADE_PAGES] < 1.0 && i <= MADE_PAGES; i++)
		sum[i] = sum[i - 1] + 1.0 / i;
	x = (double)(chance(seed) >> 11) / 9007199254740992.0 *
	    sum[MADE_PAGES];
	while (high - low > 1) {
		u32 mid = (low + high) / 2;

		if (sum[mid] <= x)
			low = mid;
		else
			high = mid;
	}
	return low * 2654435761u % MADE_PAGES;
}

static u32 make_one(const char *kind, u32 i, u64 *seed)
{
	u32 any = (u32)(chance(seed) % MADE_PAGES);

	if (!strcmp(kind, "zipf"))
		return zipf(seed);
	/* Four of five touches go to a tenth; a scan passes through the rest. */
	if (!strcmp(kind, "scan+hot"))
		return i % 5 ? any % (MADE_PAGES / 10) :
			MADE_PAGES / 10 + i / 5 %
			(MADE_PAGES - MADE_PAGES / 10);
	if (!strcmp(kind, "loop"))
		return i % MADE_PAGES;
	/* The working set is a quarter and moves on. */
	if (!strcmp(kind, "phases"))
		return (i / 30000 * (MADE_PAGES / 5) + any / 4) % MADE_PAGES;
	return any;
}

void trace_make(struct trace *t, const char *kind)
{
	u64 seed = 5;

	*t = (struct trace){
		.page = malloc(MADE_NR * sizeof(u32)), .nr = MADE_NR,
		.chunks = MADE_PAGES / GVM_CHUNK_PAGES,
	};
	CHECK(t->page);
	snprintf(t->name, sizeof(t->name), "%s", kind);
	for (u32 i = 0; i < MADE_NR; i++)
		t->page[i] = make_one(kind, i, &seed);
	count_distinct(t);
}

void trace_free(struct trace *t)
{
	free(t->page);
	t->page = NULL;
}
