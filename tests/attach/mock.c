// SPDX-License-Identifier: GPL-2.0-or-later
/* An engine that pages nothing and remembers what it was told.  See mock.h. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mock.h"
#include "monitor.h"
#include "own.h"
#include "sys.h"
#include "uffd.h"

#define RANGES_MAX	4096

struct mock mock;

static struct { u64 start, end; } ranges[RANGES_MAX];
static int ranges_nr;

void mock_configure(void)
{
	gvm_attach.ready = true;
	gvm_attach.pid = (int)gvm_sys(SYS_getpid);
	gvm_attach.quiet = true;
	gvm_attach.min_map = MIB;
	gvm_attach.name = "test";
	gvm_attach.config.servers = "127.0.0.1:9";
	gvm_attach.config.local_bytes = MIB;
	mock.can_move = 1;
}

static u64 covered(u64 start, u64 end)
{
	u64 sum = 0;
	int i;

	for (i = 0; i < ranges_nr; i++) {
		u64 a = ranges[i].start > start ? ranges[i].start : start;
		u64 b = ranges[i].end < end ? ranges[i].end : end;

		if (a < b)
			sum += b - a;
	}
	return sum;
}

bool mock_all(u64 start, u64 len)
{
	return covered(start, start + len) == len;
}

bool mock_none(u64 start, u64 len)
{
	return covered(start, start + len) == 0;
}

static void add(u64 start, u64 end)
{
	CHECK(ranges_nr < RANGES_MAX);
	ranges[ranges_nr].start = start;
	ranges[ranges_nr].end = end;
	ranges_nr++;
	mock.pages += (end - start) / GVM_PAGE_BYTES;
}

static void cut(u64 start, u64 end)
{
	int i = 0;

	while (i < ranges_nr) {
		u64 a = ranges[i].start;
		u64 b = ranges[i].end;

		if (b <= start || a >= end) {
			i++;
			continue;
		}
		ranges[i] = ranges[--ranges_nr];
		mock.pages -= (b - a) / GVM_PAGE_BYTES;
		if (a < start)
			add(a, start);
		if (b > end)
			add(end, b);
	}
}

/* Every page is mapped; what mincore() says of an unmapped one is ENOMEM. */
static void check_mapped(u64 start, u64 len)
{
	static unsigned char residency[1 << 20];

	CHECK(gvm_page_aligned(start) && gvm_page_aligned(len) && len);
	CHECK(len / GVM_PAGE_BYTES <= sizeof(residency));
	CHECK(gvm_sys(SYS_mincore, start, len, residency) == 0);
}

int gvm_init(const struct gvm_config *config, struct gvm **ret_gvm,
	     const char **ret_why)
{
	(void)ret_why;
	CHECK(config->size == sizeof(*config));
	mock.inits++;
	*ret_gvm = (struct gvm *)&mock;
	return 0;
}

const char *gvm_engine_line(const struct gvm *gvm)
{
	(void)gvm;
	return "mock engine";
}

bool gvm_monitor_first(pid_t supervisor)
{
	(void)supervisor;
	return true;
}

int gvm_register(struct gvm *gvm, void *addr, uint64_t len,
		 const struct gvm_backing *backing)
{
	u64 start = (u64)addr;

	CHECK(gvm == (struct gvm *)&mock);
	if (mock.register_result)
		return mock.register_result;
	check_mapped(start, len);
	CHECK(mock_none(start, len));
	mock.registers++;
	mock.shared += backing != NULL;
	add(start, start + len);
	return 0;
}

int gvm_unregister(struct gvm *gvm, void *addr, uint64_t len)
{
	CHECK(gvm == (struct gvm *)&mock);
	mock.unregisters++;
	cut((u64)addr, (u64)addr + len);
	return 0;
}

int gvm_discard(struct gvm *gvm, void *addr, uint64_t len)
{
	CHECK(gvm == (struct gvm *)&mock);
	CHECK(mock_all((u64)addr, len));
	mock.discards++;
	mock.discarded_start = (u64)addr;
	mock.discarded_len = len;
	gvm_sys(SYS_madvise, addr, len, MADV_DONTNEED);
	return 0;
}

int gvm_move(struct gvm *gvm, void *from, uint64_t from_len, void *to,
	     uint64_t to_len)
{
	CHECK(gvm == (struct gvm *)&mock);
	CHECK(mock_all((u64)from, from_len));
	check_mapped((u64)to, to_len);
	CHECK(to_len >= from_len);
	CHECK(gvm_sys(SYS_mremap, from, from_len, to_len,
		      MREMAP_MAYMOVE | MREMAP_FIXED, to) == (long)to);
	cut((u64)from, (u64)from + from_len);
	add((u64)to, (u64)to + to_len);
	mock.moves++;
	return 0;
}

int gvm_hold(struct gvm *gvm, const void *addr, uint64_t len, int populate)
{
	const u64 start = (u64)addr & ~(u64)(GVM_PAGE_BYTES - 1);

	CHECK(gvm && addr && len && populate);
	CHECK(mock_all(start, gvm_page_up((u64)addr + len - start)));
	if (mock.hold_result)
		return mock.hold_result;
	mock.holds++;
	return 0;
}

int gvm_release(struct gvm *gvm, const void *addr, uint64_t len)
{
	CHECK(gvm && addr && len);
	mock.releases++;
	return 0;
}

int gvm_covers(const struct gvm *gvm, const void *addr, uint64_t len)
{
	CHECK(gvm == (struct gvm *)&mock);
	return covered((u64)addr, (u64)addr + len) != 0;
}

int gvm_advise(struct gvm *gvm, const void *addr, uint64_t len, int advice)
{
	CHECK(gvm == (struct gvm *)&mock);
	CHECK(mock_all((u64)addr, len));
	mock.advised += advice == MADV_DONTFORK;
	return 0;
}

int gvm_needs_hold(const struct gvm *gvm, const void *addr, uint64_t len)
{
	return mock.needs_hold && gvm_covers(gvm, addr, len);
}

int gvm_fork_prepare(struct gvm *gvm)
{
	CHECK(gvm == (struct gvm *)&mock);
	mock.forks++;
	return mock.fork_result;
}

int gvm_fork_parent(struct gvm *gvm)
{
	CHECK(gvm == (struct gvm *)&mock);
	return 0;
}

int gvm_fork_child(struct gvm *gvm)
{
	CHECK(gvm == (struct gvm *)&mock);
	return 0;
}

/* In the tests, every descriptor that is a multiple of ten is the engine's. */
int gvm_owns_fd(int fd)
{
	return fd >= GVM_FD_MIN && fd % 10 == 0;
}

int gvm_uffd_probe(int dev_fd, struct gvm_uffd_caps *ret_caps)
{
	(void)dev_fd;
	ret_caps->move = mock.can_move;
	return 0;
}

int mock_status_of(void (*f)(void))
{
	int status = 0;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		f();
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Shared regions are not what these tests are about. */
int gvm_map_shared(const char *name, uint64_t bytes,
		   const struct gvm_shared_config *config,
		   struct gvm_shared **ret_region, void **ret_addr,
		   const char **ret_why)
{
	(void)name;
	(void)bytes;
	(void)config;
	(void)ret_region;
	(void)ret_addr;
	(void)ret_why;
	return -ENOSYS;
}

int gvm_leave_shared(struct gvm_shared *region)
{
	(void)region;
	return 0;
}

int gvm_shared_map(struct gvm_shared *region, void *addr, uint64_t len,
		   int prot, uint64_t offset, void **ret_addr)
{
	(void)region;
	(void)addr;
	(void)len;
	(void)prot;
	(void)offset;
	(void)ret_addr;
	return -ENOSYS;
}

int gvm_shared_forget(struct gvm_shared *region, void *addr, uint64_t len)
{
	(void)region;
	(void)addr;
	(void)len;
	return 0;
}

int gvm_fd_high(int fd);

int gvm_fd_high(int fd)
{
	return fd;
}
