// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Prove, inside a guest, that memory keeps what was written to it.
 *
 * Takes most of the free RAM, gives every 4 KiB page content that no other
 * page and no other round has, moves the pages around among each other in
 * random order, rewrites them in another random order, and reads everything
 * back.  Every byte of every page is compared each time a page is visited, so
 * a page that is lost, stale, torn or swapped with another is counted, and the
 * count is the result.
 *
 * It knows nothing of giantvm and runs anywhere.  It cannot tell which layer
 * lost a page.  Which page rests in which slot is kept in an array in the same
 * RAM; damage there shows as mismatches too.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define PAGE_BYTES	4096u
#define PAGE_WORDS	(PAGE_BYTES / sizeof(uint64_t))
#define THREADS_MAX	64u
#define BATCH		64u	/* visits a thread takes at a time */
#define SHOWN_MAX	10u	/* mismatches described one by one */

enum phase {
	PHASE_WRITE,
	PHASE_SHUFFLE,
	PHASE_REWRITE,
	PHASE_VERIFY,
};

static const char *const phase_names[] = {
	[PHASE_WRITE]	= "write",
	[PHASE_SHUFFLE]	= "shuffle",
	[PHASE_REWRITE]	= "rewrite",
	[PHASE_VERIFY]	= "verify",
};

/* What a page starts with; the rest follows from it, word by word. */
struct stamp {
	uint64_t	magic;
	uint64_t	page;
	uint64_t	round;
	uint64_t	hash;		/* of all other words of the page */
};

#define STAMP_MAGIC	0x706d617473746e67ull
#define STAMP_WORDS	(sizeof(struct stamp) / sizeof(uint64_t))

/*
 * One run.  Set by main() before the threads start; between phases only the
 * main thread writes.  Inside a phase every slot is visited by one thread.
 */
static struct run {
	unsigned char	*mem;
	uint32_t	*owner;		/* slot -> page whose content it holds */
	uint64_t	pages;
	uint64_t	seed;
	uint64_t	order_seed;
	uint64_t	order_mul;	/* visit i goes to slot (mul * i + add) % n */
	uint64_t	order_add;
	uint64_t	round;
	uint64_t	visits;		/* in this phase */
	enum phase	phase;
	unsigned	threads;
	unsigned	rounds;
	int		quiet;
	int		corrupt;
	_Atomic uint64_t next;
	_Atomic uint64_t mismatches;
} run;

static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/*
 * The content of a page in a round.  The words come from one generator whose
 * start depends on page, round and seed, so equal words at equal places of two
 * pages are as rare as chance makes them.
 */
static void stamp_make(uint64_t page, uint64_t round, uint64_t *words)
{
	struct stamp head = { STAMP_MAGIC, page, round, 0 };
	uint64_t x = mix(run.seed ^ mix(page + 1) ^ mix(round << 40 | 1));
	uint64_t hash = STAMP_MAGIC ^ page ^ round << 32;
	size_t i;

	for (i = STAMP_WORDS; i < PAGE_WORDS; i++) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		words[i] = x ^ x >> 29;
		hash = (hash ^ words[i]) * 0x100000001b3ull;
	}
	head.hash = mix(hash);
	memcpy(words, &head, sizeof(head));
}

static uint64_t *slot_words(uint64_t slot)
{
	return (uint64_t *)(void *)(run.mem + slot * PAGE_BYTES);
}

static void describe(uint64_t slot, uint64_t page, uint64_t round,
		     const uint64_t *found)
{
	uint64_t whole[PAGE_WORDS];
	struct stamp head;
	const char *kind;
	size_t i;

	memcpy(&head, found, sizeof(head));
	for (i = 0; i < PAGE_WORDS && !found[i]; i++)
		;
	stamp_make(head.page, head.round, whole);
	if (i == PAGE_WORDS)
		kind = "all zero";
	else if (memcmp(whole, found, PAGE_BYTES))
		kind = "damaged";
	else if (head.page != page)
		kind = "another page";
	else
		kind = "another round";
	fprintf(stderr, "stamp: slot %llu, page %llu, round %llu: %s (holds page %llu, round %llu)\n",
		(unsigned long long)slot, (unsigned long long)page,
		(unsigned long long)round, kind,
		(unsigned long long)head.page, (unsigned long long)head.round);
}

static void check_slot(uint64_t slot, uint64_t round)
{
	uint64_t want[PAGE_WORDS];
	uint64_t page = run.owner[slot];

	stamp_make(page, round, want);
	if (!memcmp(want, slot_words(slot), PAGE_BYTES))
		return;
	if (atomic_fetch_add(&run.mismatches, 1) < SHOWN_MAX)
		describe(slot, page, round, slot_words(slot));
}

static void swap_slots(uint64_t a, uint64_t b)
{
	uint64_t tmp[PAGE_WORDS];
	uint32_t owner = run.owner[a];

	memcpy(tmp, slot_words(a), PAGE_BYTES);
	memcpy(slot_words(a), slot_words(b), PAGE_BYTES);
	memcpy(slot_words(b), tmp, PAGE_BYTES);
	run.owner[a] = run.owner[b];
	run.owner[b] = owner;
}

static uint64_t slot_of(uint64_t visit)
{
	return (run.order_mul * visit + run.order_add) % run.pages;
}

static void visit(uint64_t i)
{
	uint64_t slot, other;

	switch (run.phase) {
	case PHASE_WRITE:
		run.owner[i] = (uint32_t)i;
		stamp_make(i, run.round, slot_words(i));
		break;
	case PHASE_SHUFFLE:
		slot = slot_of(2 * i);
		other = slot_of(2 * i + 1);
		check_slot(slot, run.round);
		check_slot(other, run.round);
		swap_slots(slot, other);
		break;
	case PHASE_REWRITE:
		slot = slot_of(i);
		check_slot(slot, run.round - 1);
		stamp_make(run.owner[slot], run.round, slot_words(slot));
		break;
	case PHASE_VERIFY:
		check_slot(i, run.round);
		break;
	}
}

static void show_progress(uint64_t from, uint64_t to)
{
	uint64_t tenth = to * 10 / run.visits;

	if (run.quiet || from * 10 / run.visits == tenth)
		return;
	printf("stamp: %s, round %llu: %llu %%\n", phase_names[run.phase],
	       (unsigned long long)run.round, (unsigned long long)tenth * 10);
	fflush(stdout);
}

static void *work(void *unused)
{
	uint64_t from, to, i;

	(void)unused;
	for (;;) {
		from = atomic_fetch_add(&run.next, BATCH);
		if (from >= run.visits)
			return NULL;
		to = from + BATCH < run.visits ? from + BATCH : run.visits;
		for (i = from; i < to; i++)
			visit(i);
		show_progress(from, to);
	}
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* A new order for the next phase: each slot once, far from its neighbour. */
static void choose_order(void)
{
	run.order_seed = mix(run.order_seed + 1);
	run.order_add = run.order_seed % run.pages;
	run.order_mul = (run.order_seed >> 32) % run.pages | 1;
	while (gcd(run.order_mul, run.pages) != 1)
		run.order_mul = (run.order_mul + 2) % run.pages | 1;
}

static int run_phase(enum phase phase)
{
	pthread_t thread[THREADS_MAX];
	unsigned started;
	int err = 0;

	choose_order();
	run.phase = phase;
	run.visits = phase == PHASE_SHUFFLE ? run.pages / 2 : run.pages;
	atomic_store(&run.next, 0);
	for (started = 0; started < run.threads; started++) {
		err = pthread_create(&thread[started], NULL, work, NULL);
		if (err)
			break;
	}
	if (err)
		fprintf(stderr, "stamp: cannot start a thread: %s\n",
			strerror(err));
	while (started--)
		pthread_join(thread[started], NULL);
	return -err;
}

static int run_all(void)
{
	unsigned round;
	int err;

	err = run_phase(PHASE_WRITE);
	for (round = 0; !err && round < run.rounds; round++) {
		err = run_phase(PHASE_SHUFFLE);
		if (err)
			break;
		run.round++;
		err = run_phase(PHASE_REWRITE);
	}
	if (err)
		return err;
	if (run.corrupt)
		run.mem[run.pages / 2 * PAGE_BYTES + 1234] ^= 1;
	return run_phase(PHASE_VERIFY);
}

/* Bytes the kernel says could be used now without swapping; 0 if unknown. */
static uint64_t memory_available(void)
{
	unsigned long long kib = 0;
	char line[128];
	FILE *file;

	file = fopen("/proc/meminfo", "r");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			break;
	fclose(file);
	return kib * 1024;
}

/* "192" is MiB, "80%" is a share of the memory available now. */
static int parse_amount(const char *text, uint64_t *ret_bytes)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || !value)
		return -EINVAL;
	if (!*end && value <= 1ul << 23)
		*ret_bytes = (uint64_t)value << 20;
	else if (!strcmp(end, "%") && value <= 100)
		*ret_bytes = memory_available() / 100 * value;
	else
		return -EINVAL;
	return 0;
}

static int parse_count(const char *text, unsigned max, unsigned *ret_count)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || !value || value > max)
		return -EINVAL;
	*ret_count = (unsigned)value;
	return 0;
}

static int allocate(uint64_t bytes)
{
	uint64_t owner_bytes;

	run.pages = bytes / PAGE_BYTES;
	if (run.pages < 2 || run.pages > UINT32_MAX)
		return -EINVAL;
	owner_bytes = run.pages * sizeof(*run.owner);
	run.mem = mmap(NULL, run.pages * PAGE_BYTES + owner_bytes,
		       PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	if (run.mem == MAP_FAILED)
		return -errno;
	run.owner = (uint32_t *)(void *)(run.mem + run.pages * PAGE_BYTES);
	return 0;
}

static void usage(FILE *to)
{
	fputs("usage: stamp [--rounds N] [--threads N] [--quiet] [--corrupt] AMOUNT\n"
	      "AMOUNT is MiB, or a share of the memory available such as 80%.\n"
	      "--corrupt changes one byte itself, which must be found.\n", to);
}

static int parse_args(int argc, char **argv, uint64_t *ret_bytes)
{
	static const struct option options[] = {
		{ "rounds", required_argument, NULL, 'r' },
		{ "threads", required_argument, NULL, 't' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "corrupt", no_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	int opt, err = 0;

	run.rounds = 1;
	run.threads = 2;
	while (!err && (opt = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (opt == 'r')
			err = parse_count(optarg, 1000, &run.rounds);
		else if (opt == 't')
			err = parse_count(optarg, THREADS_MAX, &run.threads);
		else if (opt == 'q')
			run.quiet = 1;
		else if (opt == 'c')
			run.corrupt = 1;
		else
			err = -EINVAL;
	}
	if (err || optind != argc - 1)
		return -EINVAL;
	run.seed = mix(1);
	run.order_seed = run.seed;
	return parse_amount(argv[optind], ret_bytes);
}

int main(int argc, char **argv)
{
	unsigned long long mismatches;
	uint64_t bytes;
	int err;

	if (parse_args(argc, argv, &bytes)) {
		usage(stderr);
		return 2;
	}
	err = allocate(bytes);
	if (!err)
		err = run_all();
	if (err) {
		fprintf(stderr, "stamp: cannot use %llu MiB: %s\n",
			(unsigned long long)bytes >> 20, strerror(-err));
		return 2;
	}
	mismatches = atomic_load(&run.mismatches);
	printf("stamp: %llu pages, %u rounds, %llu mismatches\n",
	       (unsigned long long)run.pages, run.rounds, mismatches);
	return mismatches ? 1 : 0;
}
