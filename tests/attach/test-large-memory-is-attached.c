// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, memory that should be paged would stay here and fill the
 * machine, or memory that must not be paged (code, stacks, files) would be.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mock.h"
#include "sys.h"

static void small_and_special_is_left_alone(void)
{
	map_anon(MIB - GVM_PAGE_BYTES, RW, 0, 0);
	map_anon(8 * MIB, RW | PROT_EXEC, 0, 0);
	map_anon(8 * MIB, PROT_READ, 0, 0);
	map_anon(8 * MIB, RW, MAP_STACK, 0);
	map_anon(8 * MIB, RW, MAP_GROWSDOWN, 0);
	CHECK(gvm_attach_mmap(0, 8 * MIB, RW, MAP_SHARED | MAP_ANONYMOUS, -1,
			      0) > 0);
	map_anon(64 * MIB, PROT_NONE, 0, 0);
	CHECK(mock.inits == 0);		/* the engine was not even opened */
	CHECK(gvm_attach_mmap(0, 0, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	      -EINVAL);
}

static void large_is_attached_and_let_go(void)
{
	u64 at = map_anon(8 * MIB + 5, RW, MAP_POPULATE, 0);
	u64 len = 8 * MIB + GVM_PAGE_BYTES;

	CHECK(mock.inits == 1 && mock_all(at, len));
	CHECK(gvm_attach_munmap(at + 2 * MIB, MIB) == 0);
	CHECK(mock_all(at, 2 * MIB) && mock_none(at + 2 * MIB, MIB) &&
	      mock_all(at + 3 * MIB, 5 * MIB));
	CHECK(gvm_attach_munmap(at, len) == 0);
	CHECK(mock.pages == 0);
	/* Unknown memory does not concern the engine. */
	mock.unregisters = 0;
	CHECK(gvm_attach_munmap(at, len) == 0);
	CHECK(mock.unregisters == 0);
}

/* QEMU: reserve, then map over it; the ends are given back. */
static void mapping_over_a_reservation(void)
{
	u64 at = map_anon(32 * MIB, PROT_NONE, 0, 0);

	CHECK(map_anon(16 * MIB, RW, MAP_FIXED, at + MIB) == at + MIB);
	CHECK(mock_all(at + MIB, 16 * MIB) && mock_none(at, MIB));
	CHECK(gvm_attach_munmap(at, MIB) == 0);
	CHECK(gvm_attach_munmap(at + 17 * MIB, 15 * MIB) == 0);
	CHECK(mock_all(at + MIB, 16 * MIB));
	/* Something else on top of it: the engine must forget. */
	map_anon(4 * MIB, PROT_NONE, MAP_FIXED, at + 2 * MIB);
	CHECK(mock_none(at + 2 * MIB, 4 * MIB) &&
	      mock.pages == 12 * MIB / GVM_PAGE_BYTES);
	CHECK(gvm_attach_munmap(at + MIB, 16 * MIB) == 0);
	CHECK(mock.pages == 0);
}

/* Language run-times: reserve, then open by mprotect, later in small steps. */
static void opening_a_reservation(void)
{
	u64 at = map_anon(64 * MIB, PROT_NONE, 0, 0);

	CHECK(gvm_attach_mprotect(at, 4096, RW) == 0);
	CHECK(mock_none(at, 64 * MIB));
	CHECK(gvm_attach_mprotect(at + MIB, 4 * MIB, RW) == 0);
	CHECK(mock_all(at + MIB, 4 * MIB));
	CHECK(gvm_attach_mprotect(at + 5 * MIB, 4096, RW) == 0);
	CHECK(mock_all(at + MIB, 4 * MIB + 4096));
	/* Closed and opened again: it is the same memory. */
	CHECK(gvm_attach_mprotect(at + MIB, 4 * MIB, PROT_NONE) == 0);
	CHECK(gvm_attach_mprotect(at + MIB, 4 * MIB, RW) == 0);
	CHECK(mock_all(at + MIB, 4 * MIB + 4096));
	CHECK(gvm_attach_munmap(at, 64 * MIB) == 0);
	CHECK(mock.pages == 0);
}

static void shortage_is_the_programs_to_handle(void)
{
	mock.register_result = -ENOMEM;
	CHECK(gvm_attach_mmap(0, 8 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			      0) == -ENOMEM);
	mock.register_result = 0;
	CHECK(gvm_spans_first(0, ~0ull)->what == GVM_SPAN_RESERVED);
}

static void fail_to_register(void)
{
	mock.register_result = -EBUSY;
	map_anon(8 * MIB, RW, 0, 0);
}

int main(void)
{
	mock_configure();
	small_and_special_is_left_alone();
	large_is_attached_and_let_go();
	mapping_over_a_reservation();
	opening_a_reservation();
	shortage_is_the_programs_to_handle();
	CHECK(mock_status_of(fail_to_register) == 125);
	return 0;
}
