// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The floors by themselves: a local userfaultfd fault, a 4 KiB request and
 * reply over TCP, both in a row as the simplest pager would do it, a page that a
 * third process has (floor-relay.h), what its owner pays to share or to drop it, and
 * a TCP stream.  Kinds are taken in turns, so that a busy moment hits all of them.
 *
 * --pin any: the scheduler places the threads, as it does for giantvm.  same:
 * all on CPU 0.  cross: the faulting thread on CPU 0, everything else on 1.
 * The difference is what waking an idle CPU costs.
 *
 * --spin: messages over TCP and the simplest pager again, but all ends look at
 * their socket for so many microseconds before they sleep.  What that wins is what
 * a pager may win.
 */
#include <string.h>
#include "floor-relay.h"
#include "floor-tcp.h"
#include "floor-uffd.h"

#define BLOCK	256u

static struct hist uffd_hist, tcp_hist, tcp_spin_hist, sum_hist, chain_hist,
		   spin_hist, protect_hist, upgrade_hist, drop_hist;

/* Relays: with a page or without, asleep or looking. */
static const struct {
	const char	*name;
	bool		page;
	bool		spins;
} relays[] = {
	{ "relay", true, false },
	{ "relay_spin", true, true },
	{ "relay_small", false, false },
	{ "relay_small_spin", false, true },
};

#define RELAYS	(sizeof(relays) / sizeof(relays[0]))

static struct hist relay_hist[RELAYS];

static void pins(const char *how, int *ret_own, int *ret_other)
{
	*ret_own = -1;
	*ret_other = -1;
	if (!strcmp(how, "any"))
		return;
	if (strcmp(how, "same") && strcmp(how, "cross"))
		skip("--pin is any, same or cross");
	*ret_own = 0;
	*ret_other = !strcmp(how, "cross");
}

int main(int argc, char **argv)
{
	u64 faults = 20000, stream = 1ull << 30, spin = 100, stream_ns;
	u64 a[BLOCK], b[BLOCK];
	const char *pin = "any";
	const struct arg args[] = {
		{ "faults", &faults, NULL },
		{ "stream", &stream, NULL },
		{ "spin", &spin, NULL },
		{ "pin", NULL, &pin },
	};
	struct floor_uffd uffd, chain, spin_chain, owner;
	struct floor_relay relay[RELAYS];
	struct floor_tcp tcp, spin_tcp;
	int own, other;

	args_parse(argc, argv, args, sizeof(args) / sizeof(args[0]));
	pins(pin, &own, &other);
	floor_tcp_open(&tcp, other, 0);
	floor_tcp_open(&spin_tcp, other, spin);
	for (unsigned i = 0; i < RELAYS; i++)
		floor_relay_open(&relay[i], other, relays[i].spins ? spin : 0,
				 relays[i].page);
	pin_cpu(own);
	floor_uffd_open(&uffd, 16384, other, NULL);
	floor_uffd_open(&chain, 16384, other, &tcp);
	floor_uffd_open(&spin_chain, 16384, other, &spin_tcp);
	floor_uffd_open_own(&owner, 16384, other);
	for (u64 done = 0; done < faults; done += BLOCK) {
		floor_uffd_block(&uffd, BLOCK, &uffd_hist, a);
		floor_tcp_block(&tcp, BLOCK, &tcp_hist, b);
		floor_tcp_block(&spin_tcp, BLOCK, &tcp_spin_hist, NULL);
		floor_uffd_block(&chain, BLOCK, &chain_hist, NULL);
		floor_uffd_block(&spin_chain, BLOCK, &spin_hist, NULL);
		floor_uffd_own_block(&owner, BLOCK, &protect_hist,
				     &upgrade_hist, &drop_hist);
		for (unsigned i = 0; i < RELAYS; i++)
			floor_relay_block(&relay[i], BLOCK, &relay_hist[i]);
		for (unsigned i = 0; i < BLOCK; i++)
			hist_add(&sum_hist, a[i] + b[i]);
	}
	stream_ns = floor_tcp_stream(&tcp, stream);
	json_begin();
	json_text("pin", pin);
	json_hist("uffd", &uffd_hist);
	json_hist("tcp", &tcp_hist);
	json_hist("tcp_spin", &tcp_spin_hist);
	json_hist("floor", &sum_hist);
	json_hist("chain", &chain_hist);
	json_hist("spin", &spin_hist);
	json_hist("protect", &protect_hist);
	json_hist("upgrade", &upgrade_hist);
	json_hist("drop", &drop_hist);
	for (unsigned i = 0; i < RELAYS; i++)
		json_hist(relays[i].name, &relay_hist[i]);
	json_number("stream_mb_s", (double)stream * 1e3 / (double)stream_ns);
	json_end();
	for (unsigned i = 0; i < RELAYS; i++)
		floor_relay_close(&relay[i]);
	floor_uffd_close(&owner);
	floor_uffd_close(&spin_chain);
	floor_uffd_close(&chain);
	floor_uffd_close(&uffd);
	floor_tcp_close(&spin_tcp);
	floor_tcp_close(&tcp);
	return 0;
}
