// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this fails, `giantvm stat` shows latencies that nobody measured: the
 * core's histogram and the public structure must be one layout, and a
 * percentile must lie within an eighth of the truth.
 */
#include <string.h>

#include "check.h"
#include "giantvm/giantvm.h"
#include "hist.h"

static_assert(sizeof(struct gvm_hist) == sizeof(struct gvm_stats_hist),
	      "public layout");
static_assert(GVM_HIST_NR == GVM_STATS_HIST, "public layout");
static_assert(offsetof(struct gvm_hist, n) ==
	      offsetof(struct gvm_stats_hist, n), "public layout");

static struct gvm_hist hist;

static u32 bucket_of(u64 ns)
{
	u32 at = GVM_HIST_NR;

	memset(&hist, 0, sizeof(hist));
	gvm_hist_add(&hist, ns);
	for (u32 i = 0; i < GVM_HIST_NR; i++) {
		if (!hist.n[i])
			continue;
		CHECK(at == GVM_HIST_NR && hist.n[i] == 1);
		at = i;
	}
	return at;
}

static void check_buckets(void)
{
	u32 before = 0;

	for (u32 i = 0; i < 16; i++)
		CHECK(bucket_of(i) == i);
	CHECK(bucket_of(16) == 16 && bucket_of(17) == 16);
	CHECK(bucket_of(31) == 23 && bucket_of(32) == 24);
	CHECK(bucket_of((1ull << 42) - 1) == GVM_HIST_NR - 1);
	CHECK(bucket_of(1ull << 42) == GVM_HIST_NR - 1);
	CHECK(bucket_of(UINT64_MAX) == GVM_HIST_NR - 1);
	for (u64 ns = 1; ns < 1ull << 42; ns += ns / 50 + 1) {
		u32 at = bucket_of(ns);
		u64 edge = gvm_hist_percentile(&hist, 500);

		CHECK(at >= before);
		before = at;
		CHECK(edge >= ns && edge - ns <= ns / 8);
		CHECK(bucket_of(edge) == at);
		CHECK(bucket_of(edge + 1) == at + 1 || at == GVM_HIST_NR - 1);
	}
}

static void check_percentiles(void)
{
	struct gvm_hist other;

	memset(&hist, 0, sizeof(hist));
	CHECK(gvm_hist_percentile(&hist, 500) == 0);
	CHECK(gvm_hist_count(&hist) == 0);
	for (u64 i = 1; i <= 1000; i++)
		gvm_hist_add(&hist, i * 1000);
	CHECK(gvm_hist_count(&hist) == 1000);
	for (u32 permille = 1; permille <= 1000; permille++) {
		u64 edge = gvm_hist_percentile(&hist, permille);

		CHECK(edge >= permille * 1000ull);
		CHECK(edge <= permille * 1125ull);
	}
	CHECK(gvm_hist_percentile(&hist, 0) == gvm_hist_percentile(&hist, 1));
	CHECK(gvm_hist_percentile(&hist, 5000) ==
	      gvm_hist_percentile(&hist, 1000));

	other = hist;
	gvm_hist_merge(&hist, &other);
	CHECK(gvm_hist_count(&hist) == 2000);
	CHECK(gvm_hist_percentile(&hist, 990) ==
	      gvm_hist_percentile(&other, 990));

	/* Counts that a multiplication by a thousand would overflow. */
	memset(&hist, 0, sizeof(hist));
	hist.n[3] = UINT64_MAX / 4;
	hist.n[5] = UINT64_MAX / 4;
	CHECK(gvm_hist_percentile(&hist, 499) == 3);
	CHECK(gvm_hist_percentile(&hist, 501) == 5);
}

int main(void)
{
	check_buckets();
	check_percentiles();
	return 0;
}
