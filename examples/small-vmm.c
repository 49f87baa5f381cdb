// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a virtual machine monitor does with libgiantvm, in a hundred lines: map
 * the guest's RAM, register it, let the "guest" use it, and say what that
 * took.  The guest is a loop that stamps every page and then verifies all of
 * them in another order; most of them are away by then.
 *
 *	giantvm serve --listen 127.0.0.1:9001 --memory 1G &
 *	small-vmm 127.0.0.1:9001 256 64
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <giantvm/giantvm.h>

#define PAGE	4096u

/* A value that no other page has. */
static uint64_t stamp_of(uint64_t page)
{
	return (page + 1) * 0x9e3779b97f4a7c15ull;
}

/* Write every page, then read them all in a scattered order. */
static uint64_t run_guest(unsigned char *ram, uint64_t pages)
{
	uint64_t wrong = 0;

	for (uint64_t i = 0; i < pages; i++) {
		uint64_t stamp = stamp_of(i);

		memcpy(ram + i * PAGE, &stamp, sizeof(stamp));
	}
	for (uint64_t i = 0; i < pages; i++) {
		/* An odd step meets every page of a power of two once. */
		uint64_t page = i * 1021 % pages;
		uint64_t stamp;

		memcpy(&stamp, ram + page * PAGE, sizeof(stamp));
		wrong += stamp != stamp_of(page);
	}
	return wrong;
}

static void report(struct gvm *gvm)
{
	struct gvm_stats s;

	if (gvm_stats(gvm, &s))
		return;
	printf("resident %" PRIu64 " MiB of %" PRIu64 " MiB; %" PRIu64
	       " faults, %" PRIu64 " of them remote, p50 %.1f us\n",
	       s.resident_pages * PAGE >> 20, s.registered_pages * PAGE >> 20,
	       s.faults, s.faults_remote,
	       (double)gvm_stats_percentile(&s.latency_remote, 500) / 1000);
}

static int run(const struct gvm_config *config, uint64_t bytes)
{
	const char *why = "";
	struct gvm *gvm;
	uint64_t wrong;
	void *ram;
	int err;

	err = gvm_init(config, &gvm, &why);
	if (err) {
		fprintf(stderr, "small-vmm: %s\n", why);
		return 1;
	}
	printf("%s\n", gvm_engine_line(gvm));
	ram = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ram == MAP_FAILED) {
		perror("small-vmm: mmap");
		gvm_fini(gvm);
		return 1;
	}
	err = gvm_register(gvm, ram, bytes, NULL);
	if (err) {
		fprintf(stderr, "small-vmm: gvm_register: %s\n",
			strerror(-err));
		munmap(ram, bytes);
		gvm_fini(gvm);
		return 1;
	}
	wrong = run_guest(ram, bytes / PAGE);
	report(gvm);
	printf("%" PRIu64 " wrong pages\n", wrong);

	gvm_unregister(gvm, ram, bytes);	/* before the unmap */
	munmap(ram, bytes);
	gvm_fini(gvm);
	return wrong ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct gvm_config config = {
		.size = sizeof(config),
		.prefetch_pages = 32,
		.name = "small-vmm",
	};
	unsigned long ram_mib = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
	unsigned long local_mib = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;

	/* A power of two, for the order in which the pages are verified. */
	if (!ram_mib || (ram_mib & (ram_mib - 1)) || !local_mib) {
		fprintf(stderr, "usage: small-vmm SERVERS RAM_MIB LOCAL_MIB (RAM_MIB a power of two)\n");
		return 2;
	}
	config.servers = argv[1];
	config.local_bytes = (uint64_t)local_mib << 20;
	return run(&config, (uint64_t)ram_mib << 20);
}
