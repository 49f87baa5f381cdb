// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory that paging itself needs: per page in the pager, per stored page in
 * the server.
 *
 * Two regions are filled one after the other; the growth between them, divided
 * by the pages between them, leaves out whatever is constant (buffers, thread
 * stacks).  The pager's share is what is resident outside the regions.  The
 * server's is asked twice: its own account over the protocol, and the kernel's
 * resident set less 4 KiB for each page.
 */
#include "account.h"
#include "remote.h"

struct reading {
	double	client;		/* resident bytes outside the regions */
	double	tables;		/* page tables of the process */
	double	server_rss;
	double	server_told;
	double	stored;		/* pages on the server */
};

static u64 server_pid;
static const char *servers;

static struct reading read_now(const struct remote *a, const struct remote *b)
{
	const struct gvm_stats *stats = remote_stats(a);
	struct server_account account = { 0, 0 };
	u64 all, ours;

	all = smaps_sum(0, "Rss:", NULL, UINT64_MAX / 2);
	ours = smaps_sum(0, "Rss:", a->mem, a->pages * BENCH_PAGE);
	if (b)
		ours += smaps_sum(0, "Rss:", b->mem, b->pages * BENCH_PAGE);
	if (!server_account(servers, &account))
		die("the server does not answer STAT");
	return (struct reading){
		.client = (double)(all - ours) -
			  (double)(stats->staged_pages * BENCH_PAGE),
		.tables = (double)status_bytes(0, "VmPTE:"),
		.server_rss = (double)status_bytes((int)server_pid, "VmRSS:"),
		.server_told = (double)account.overhead_bytes,
		.stored = (double)account.pages_used,
	};
}

int main(int argc, char **argv)
{
	u64 first = 256ull << 20, second = 768ull << 20, local = 32ull << 20;
	const struct arg args[] = {
		{ "first", &first, NULL }, { "second", &second, NULL },
		{ "local", &local, NULL }, { "servers", NULL, &servers },
		{ "server-pid", &server_pid, NULL },
	};
	struct remote a, b;
	struct reading x, y;
	double pages, stored;

	args_parse(argc, argv, args, sizeof(args) / sizeof(args[0]));
	if (!server_pid)
		skip("--server-pid is needed");
	remote_open(&a, servers, local, 32);
	remote_map(&a, first);
	remote_settle(&a);
	x = read_now(&a, NULL);
	b = (struct remote){ .gvm = a.gvm };
	remote_map(&b, second);
	remote_settle(&a);
	y = read_now(&a, &b);

	pages = (double)(second / BENCH_PAGE);
	stored = y.stored - x.stored;
	json_begin();
	json_number("pages", pages);
	json_number("stored", stored);
	json_number("client_bytes", (y.client - x.client) / pages);
	json_number("client_constant_bytes",
		    x.client - (y.client - x.client) / pages *
		    (double)(first / BENCH_PAGE));
	json_number("page_table_bytes", (y.tables - x.tables) / pages);
	json_number("server_told_bytes", (y.server_told - x.server_told) / stored);
	json_number("server_rss_bytes",
		    (y.server_rss - x.server_rss) / stored - (double)BENCH_PAGE);
	json_end();
	gvm_unregister(b.gvm, b.mem, b.pages * BENCH_PAGE);
	remote_close(&a);
	return 0;
}
