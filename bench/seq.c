// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sequential read of remote memory, against a raw TCP stream of the same
 * moment: turns of --span bytes each.
 *
 * One word of every cache line is read, and the first word of every page is
 * checked.  The stream's receiver does not look at what it gets.
 */
#include "floor-tcp.h"
#include "remote.h"

#define WORDS	(BENCH_PAGE / sizeof(u64))

static u64 mismatches, at;

static u64 read_span(const struct remote *r, u64 pages)
{
	u64 t = now_ns();

	for (u64 n = 0; n < pages; n++) {
		volatile u64 *p = r->mem + at * WORDS;

		if (p[0] != remote_word(at))
			mismatches++;
		for (u64 w = 8; w < WORDS; w += 8)
			(void)p[w];
		at = at + 1 < r->pages ? at + 1 : 0;
	}
	return now_ns() - t;
}

int main(int argc, char **argv)
{
	u64 region = 512ull << 20, local = 64ull << 20, span = 64ull << 20;
	u64 rounds = 16, prefetch = 32, server_pid = 0;
	u64 ours_ns = 0, stream_ns = 0, client_cpu = 0, server_cpu = 0;
	const char *servers = NULL;
	const struct arg args[] = {
		{ "region", &region, NULL }, { "local", &local, NULL },
		{ "span", &span, NULL }, { "rounds", &rounds, NULL },
		{ "prefetch", &prefetch, NULL }, { "servers", NULL, &servers },
		{ "server-pid", &server_pid, NULL },
	};
	const struct gvm_stats *stats;
	struct gvm_stats before;
	struct floor_tcp tcp;
	struct remote r;
	double bytes;

	args_parse(argc, argv, args, sizeof(args) / sizeof(args[0]));
	floor_tcp_open(&tcp, -1, 0);
	remote_open(&r, servers, local, prefetch);
	remote_map(&r, region);
	/* Once around: what the fill left dirty is written back meanwhile. */
	read_span(&r, r.pages);
	remote_settle(&r);
	floor_tcp_stream(&tcp, span);
	before = *remote_stats(&r);
	for (u64 i = 0; i < rounds; i++) {
		u64 client = cpu_ns(0);
		u64 server = server_pid ? cpu_ns((int)server_pid) : 0;

		ours_ns += read_span(&r, span / BENCH_PAGE);
		client_cpu += cpu_ns(0) - client;
		if (server_pid)
			server_cpu += cpu_ns((int)server_pid) - server;
		stream_ns += floor_tcp_stream(&tcp, span);
	}

	bytes = (double)(span * rounds);
	stats = remote_stats(&r);
	json_begin();
	json_text("engine", stats->engine);
	json_number("ours_mb_s", bytes * 1e3 / (double)ours_ns);
	json_number("stream_mb_s", bytes * 1e3 / (double)stream_ns);
	json_number("mismatches", (double)mismatches);
	json_number("prefetched",
		    (double)(stats->prefetched - before.prefetched));
	json_number("faults_remote",
		    (double)(stats->faults_remote - before.faults_remote));
	json_number("client_cpu_us_per_page",
		    (double)client_cpu / 1e3 / (bytes / BENCH_PAGE));
	json_number("server_cpu_us_per_page",
		    (double)server_cpu / 1e3 / (bytes / BENCH_PAGE));
	json_end();
	remote_close(&r);
	floor_tcp_close(&tcp);
	return mismatches != 0;
}
