// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The wait for one remote page, beside the floor of the same moment.
 *
 * Blocks take turns: local userfaultfd faults, TCP requests and replies, then
 * faults of random pages that are on the servers; whatever disturbs the
 * machine disturbs all three.  The floor of one sample is one userfaultfd
 * fault plus one request and reply; its percentiles are those of the sums.
 *
 * A page that is resident is not picked (mincore() is asked outside the timed
 * part), so every sample waited for a server or was stolen back from the
 * write-back queue; the statistics say how many of each.  --write 1 also
 * dirties each page, so that room must be made by write-back.
 */
#include <stdlib.h>
#include "floor-tcp.h"
#include "floor-uffd.h"
#include "remote.h"

#define BLOCK	256u
#define WORDS	(BENCH_PAGE / sizeof(u64))

static struct hist uffd_hist, tcp_hist, floor_hist, ours_hist;
static u64 mismatches, resident_hits, seed = 99;

static u64 pick(const struct remote *r)
{
	for (unsigned tries = 0; tries < 1000; tries++) {
		u64 page = rnd(&seed) % r->pages;

		if (!remote_resident(r, page))
			return page;
		resident_hits++;
	}
	errno = 0;
	die("no page is remote: --local is too large for --region");
}

static void remote_block(const struct remote *r, u64 nr, bool write,
			 struct hist *h)
{
	for (u64 i = 0; i < nr; i++) {
		u64 page = pick(r), word, t;
		volatile u64 *p = r->mem + page * WORDS;

		t = now_ns();
		word = *p;
		t = now_ns() - t;
		if (h)
			hist_add(h, t);
		if (word != remote_word(page))
			mismatches++;
		if (write)
			p[1] = t;
	}
}

static void floor_block(struct floor_uffd *uffd, struct floor_tcp *tcp)
{
	u64 a[BLOCK], b[BLOCK];

	floor_uffd_block(uffd, BLOCK, &uffd_hist, a);
	floor_tcp_block(tcp, BLOCK, &tcp_hist, b);
	for (unsigned i = 0; i < BLOCK; i++)
		hist_add(&floor_hist, a[i] + b[i]);
}

struct cpu {
	u64	client;
	u64	server;
};

static void report(const struct remote *r, const struct gvm_stats *before,
		   const struct cpu *cpu)
{
	const struct gvm_stats *now = remote_stats(r);
	double millions = (double)ours_hist.count / 1e6;

	json_begin();
	json_text("engine", now->engine);
	json_hist("uffd", &uffd_hist);
	json_hist("tcp", &tcp_hist);
	json_hist("floor", &floor_hist);
	json_hist("ours", &ours_hist);
	json_number("mismatches", (double)mismatches);
	json_number("resident_hits", (double)resident_hits);
	json_number("faults_remote",
		    (double)(now->faults_remote - before->faults_remote));
	json_number("faults_steal",
		    (double)(now->faults_steal - before->faults_steal));
	json_number("prefetched", (double)(now->prefetched - before->prefetched));
	json_number("client_cpu_s_per_million", (double)cpu->client / 1e9 / millions);
	json_number("server_cpu_s_per_million", (double)cpu->server / 1e9 / millions);
	json_end();
}

int main(int argc, char **argv)
{
	u64 region = 256ull << 20, local = 32ull << 20, faults = 20000;
	u64 prefetch = 32, write = 0, server_pid = 0;
	const char *servers = NULL;
	const struct arg args[] = {
		{ "region", &region, NULL }, { "local", &local, NULL },
		{ "faults", &faults, NULL }, { "prefetch", &prefetch, NULL },
		{ "write", &write, NULL }, { "server-pid", &server_pid, NULL },
		{ "servers", NULL, &servers },
	};
	struct gvm_stats before;
	struct cpu cpu = { 0, 0 };
	struct floor_uffd uffd;
	struct floor_tcp tcp;
	struct remote r;

	args_parse(argc, argv, args, sizeof(args) / sizeof(args[0]));
	floor_tcp_open(&tcp, -1, 0);
	floor_uffd_open(&uffd, 16384, -1, NULL);
	remote_open(&r, servers, local, prefetch);
	remote_map(&r, region);
	/* The fill left dirty pages: go on until what is resident was read. */
	remote_block(&r, 2 * local / BENCH_PAGE, write, NULL);
	remote_settle(&r);
	before = *remote_stats(&r);
	for (u64 done = 0; done < faults; done += BLOCK) {
		u64 client, server;

		floor_block(&uffd, &tcp);
		client = cpu_ns(0);
		server = server_pid ? cpu_ns((int)server_pid) : 0;
		remote_block(&r, BLOCK, write, &ours_hist);
		cpu.client += cpu_ns(0) - client;
		if (server_pid)
			cpu.server += cpu_ns((int)server_pid) - server;
	}
	report(&r, &before, &cpu);
	remote_close(&r);
	floor_uffd_close(&uffd);
	floor_tcp_close(&tcp);
	return mismatches != 0;
}
