// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, a forked child would see what its parent writes after the
 * fork, or the other way round: a database's snapshot would be torn.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "client.h"

#define PAGES		2000u
#define GENERATIONS	6u

static u8 page[GVM_PAGE_BYTES] __attribute__((aligned(8)));
static u64 rng = 1234567;

static u64 next_random(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

struct member {
	struct client	c;
	u64		versions[PAGES];
};

static void change_some(struct member *m, u64 version)
{
	for (u32 n = 0; n < 300; n++) {
		u32 i = (u32)(next_random() % PAGES);

		if (next_random() % 4) {
			stamp(page, i, version);
			CHECK(!client_write(&m->c, i, page, 1));
			m->versions[i] = version;
		} else {
			u32 count = 1 + (u32)(next_random() % 600);

			if (count > PAGES - i)
				count = PAGES - i;
			CHECK(!client_trim(&m->c, i, count));
			memset(&m->versions[i], 0, count * sizeof(u64));
		}
	}
}

static void check_all(struct member *m)
{
	for (u32 i = 0; i < PAGES; i++) {
		CHECK(!client_read(&m->c, i, page, 1));
		CHECK(stamp_version(page, i) == m->versions[i]);
	}
}

static void fork_member(struct member *from, struct member *to, u32 number,
			u16 port)
{
	CHECK(!client_clone(&from->c, number, number));
	/* The answer was lost: asking again changes nothing. */
	CHECK(!client_clone(&from->c, number, number));
	CHECK(client_clone(&from->c, number, number + 1) == GVM_ERR_EXISTS);
	client_open(&to->c, port);
	client_name(&to->c, number, number);
	CHECK(!client_attach(&to->c, 0));
	memcpy(to->versions, from->versions, sizeof(to->versions));
}

int main(void)
{
	struct gvm_server_config config = {
		.listen = "127.0.0.1:0",
		.memory_bytes = 64 << 20,
		.threads = 2,
	};
	struct gvm_server *server = server_start(&config);
	struct member *m = calloc(GENERATIONS, sizeof(*m));
	struct gvm_server_stats_now stats;
	u16 port = gvm_server_port(server);

	CHECK(m);
	client_enter(&m[0].c, port, 1);
	for (u32 i = 0; i < PAGES; i++) {
		stamp(page, i, 1);
		CHECK(!client_write(&m[0].c, i, page, 1));
		m[0].versions[i] = 1;
	}
	for (u32 g = 1; g < GENERATIONS; g++) {
		/* Grandchildren too. */
		fork_member(&m[next_random() % g], &m[g], g + 1, port);
		for (u32 k = 0; k <= g; k++)
			change_some(&m[k], g * 10 + k);
	}
	for (u32 g = 0; g < GENERATIONS; g++)
		check_all(&m[g]);

	/* One after the other goes; the rest keep what is theirs. */
	for (u32 g = 0; g < GENERATIONS; g++) {
		CHECK(!client_detach(&m[g].c, true));
		client_close(&m[g].c);
		if (g + 1 < GENERATIONS)
			check_all(&m[g + 1]);
	}
	gvm_server_stats(server, &stats);
	CHECK(stats.pages_used == 0 && stats.regions == 0);
	CHECK(!gvm_server_stop(server));
	free(m);
	return 0;
}
