// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One computation spread over several machines that share memory.
 *
 * A plate is cold but for one hot edge; heat spreads (Jacobi's method: each
 * cell becomes the mean of its four neighbours).  The plate lies in a shared
 * region, each worker computes some of its rows, and nobody sends a message:
 * a worker reads its neighbours' border rows where they are.  Those rows, and
 * the page of the barrier, are all that crosses the network; run prints it.
 *
 *	heat --workers 4 --worker 0..3 --servers HOST:PORT [--rounds N]
 *	heat --alone				the same with malloc, to compare
 *
 * Ends by printing a checksum that does not depend on the number of workers.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <giantvm/giantvm.h>

#define PAGE	4096u
#define WIDTH	1024u		/* a row of doubles is two whole pages */
#define HEIGHT	1024u
#define WORKERS	64u

/* What lies in the region.  One page for each thing that one worker writes. */
struct board {
	_Alignas(PAGE) atomic_uint arrived;	/* at the barrier */
	_Alignas(PAGE) atomic_uint round;	/* the barrier opened so often */
	struct {
		_Alignas(PAGE) uint64_t checksum;
		uint64_t fetched;		/* pages that came to it */
	} worker[WORKERS];
	_Alignas(PAGE) double plate[2][HEIGHT][WIDTH];
};

struct job {
	struct board *board;
	unsigned worker;
	unsigned workers;
	unsigned rounds;
};

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/*
 * Wait until all workers are here.  The last one opens it; the others look at
 * a page that nobody writes meanwhile, so looking costs no messages.
 */
static void barrier(const struct job *job)
{
	struct board *b = job->board;
	unsigned round = atomic_load(&b->round);
	struct timespec nap = { .tv_nsec = 20000 };

	if (atomic_fetch_add(&b->arrived, 1) + 1 == job->workers) {
		atomic_store(&b->arrived, 0);
		atomic_fetch_add(&b->round, 1);
		return;
	}
	while (atomic_load(&b->round) == round)
		nanosleep(&nap, NULL);
}

static void compute_row(double (*to)[WIDTH], double (*from)[WIDTH],
			unsigned row)
{
	for (unsigned x = 1; x + 1 < WIDTH; x++)
		to[row][x] = (from[row - 1][x] + from[row + 1][x] +
			      from[row][x - 1] + from[row][x + 1]) / 4;
}

/* The bits of all cells of a row, in a way that their order matters. */
static uint64_t sum_row(const double *row, unsigned y)
{
	uint64_t sum = y;

	for (unsigned x = 0; x < WIDTH; x++) {
		uint64_t bits;

		memcpy(&bits, &row[x], sizeof(bits));
		sum = (sum ^ bits) * 0x9e3779b97f4a7c15ull;
	}
	return sum;
}

static void run(const struct job *job)
{
	struct board *b = job->board;
	unsigned first = HEIGHT * job->worker / job->workers;
	unsigned end = HEIGHT * (job->worker + 1) / job->workers;
	uint64_t sum = 0;

	for (unsigned y = first; y < end; y++) {
		for (unsigned x = 0; x < WIDTH; x++)
			b->plate[0][y][x] = b->plate[1][y][x] =
				y == 0 ? 100 : 0;
	}
	barrier(job);
	for (unsigned round = 0; round < job->rounds; round++) {
		for (unsigned y = first; y < end; y++) {
			if (y && y + 1 < HEIGHT)
				compute_row(b->plate[(round + 1) % 2],
					    b->plate[round % 2], y);
		}
		barrier(job);
	}
	for (unsigned y = first; y < end; y++)
		sum ^= sum_row(b->plate[job->rounds % 2][y], y);
	b->worker[job->worker].checksum = sum;
}

/* What the library counted while this worker ran. */
static void say_traffic(struct gvm_shared *region, const struct job *job,
			double took)
{
	struct gvm_shared_stats s;

	if (gvm_shared_stats(region, &s))
		return;
	printf("worker %u: %.2f s, %" PRIu64 " pages came, %" PRIu64
	       " went, %.1f a round; a read miss took %.0f us (median)\n",
	       job->worker, took, s.installed, s.given,
	       (double)s.installed / job->rounds,
	       (double)gvm_stats_percentile(&s.latency[GVM_MISS_READ], 500) /
	       1000);
}

static void say_checksum(const struct job *job, double took)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < job->workers; i++)
		sum ^= job->board->worker[i].checksum;
	printf("checksum %016" PRIx64 " after %u rounds by %u workers, %.0f rounds a second\n",
	       sum, job->rounds, job->workers, job->rounds / took);
}

static int alone(struct job *job)
{
	double start;

	job->board = aligned_alloc(PAGE, sizeof(struct board));
	if (!job->board) {
		fprintf(stderr, "heat: out of memory\n");
		return 1;
	}
	memset(job->board, 0, sizeof(struct board));
	start = seconds();
	run(job);
	say_checksum(job, seconds() - start);
	free(job->board);
	return 0;
}

static int together(struct job *job, const char *servers, const char *name)
{
	struct gvm_shared_config config = {
		.size = sizeof(config), .node = job->worker,
		.servers = servers, .local_bytes = 256u << 20,
		.slice_bytes = 2u << 20,
	};
	struct gvm_shared *region;
	const char *why = "";
	void *memory;
	double start;

	if (gvm_map_shared(name, (sizeof(struct board) + PAGE - 1) &
			   ~(uint64_t)(PAGE - 1), &config, &region, &memory,
			   &why)) {
		fprintf(stderr, "heat: worker %u: %s\n", job->worker, why);
		return 1;
	}
	job->board = memory;
	start = seconds();
	run(job);
	barrier(job);
	say_traffic(region, job, seconds() - start);
	if (job->worker == 0)
		say_checksum(job, seconds() - start);
	barrier(job);
	return gvm_unmap_shared(region) ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "alone", no_argument, NULL, 'a' },
		{ "name", required_argument, NULL, 'n' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "servers", required_argument, NULL, 's' },
		{ "worker", required_argument, NULL, 'w' },
		{ "workers", required_argument, NULL, 'W' },
		{ NULL, 0, NULL, 0 },
	};
	struct job job = { .workers = 1, .rounds = 200 };
	const char *servers = NULL;
	const char *name = "heat";
	int c;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'a':
			servers = NULL;
			break;
		case 'n':
			name = optarg;
			break;
		case 'r':
			job.rounds = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 's':
			servers = optarg;
			break;
		case 'w':
			job.worker = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'W':
			job.workers = (unsigned)strtoul(optarg, NULL, 10);
			break;
		default:
			fprintf(stderr, "heat: see the head of heat.c, or run examples/heat/run\n");
			return 2;
		}
	}
	if (!job.rounds || !job.workers || job.workers > WORKERS ||
	    job.worker >= job.workers) {
		fprintf(stderr, "heat: 1 to %u workers, numbered from 0, and at least one round\n",
			WORKERS);
		return 2;
	}
	return servers ? together(&job, servers, name) : alone(&job);
}
