// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * If this failed, realloc() of a large block would lose the pages that rest
 * on servers, or bring back those of a block that was freed.
 */
#include <errno.h>
#include <sys/mman.h>

#include "mock.h"
#include "sys.h"

static u64 remap(u64 from, u64 from_len, u64 to_len, int flags, u64 to)
{
	long ret = gvm_attach_mremap(from, from_len, to_len, flags, to);

	CHECK(ret > 0 || ret < -4096);
	return (u64)ret;
}

static void stamp(u64 at, u64 len)
{
	for (u64 i = 0; i < len; i += GVM_PAGE_BYTES)
		*(u64 *)(at + i) = i;
}

static void verify(u64 at, u64 len)
{
	for (u64 i = 0; i < len; i += GVM_PAGE_BYTES)
		CHECK(*(u64 *)(at + i) == i);
}

static void shrink_and_grow(void)
{
	u64 at = map_anon(8 * MIB, RW, 0, 0);
	u64 to;

	stamp(at, 8 * MIB);
	CHECK(remap(at, 8 * MIB, 4 * MIB, 0, 0) == at);
	CHECK(mock_all(at, 4 * MIB) && mock_none(at + 4 * MIB, 4 * MIB));
	CHECK(remap(at, 4 * MIB, 8 * MIB, 0, 0) == at);	/* the hole is free */
	CHECK(mock_all(at, 8 * MIB));
	verify(at, 4 * MIB);
	CHECK(*(u64 *)(at + 5 * MIB) == 0);

	/* Something behind it: cannot grow in place. */
	gvm_sys(SYS_mmap, at + 8 * MIB, 4096, PROT_READ,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(gvm_attach_mremap(at, 8 * MIB, 16 * MIB, 0, 0) == -ENOMEM);
	to = remap(at, 8 * MIB, 16 * MIB, MREMAP_MAYMOVE, 0);
	CHECK(to != at && mock.moves == 1);
	CHECK(mock_all(to, 16 * MIB) && mock_none(at, 8 * MIB));
	verify(to, 4 * MIB);
	CHECK(gvm_attach_munmap(to, 16 * MIB) == 0);
	CHECK(mock.pages == 0);
}

static void to_a_fixed_place(void)
{
	u64 from = map_anon(8 * MIB, RW, 0, 0);
	u64 to = map_anon(16 * MIB, RW, 0, 0);

	stamp(from, 8 * MIB);
	CHECK(remap(from, 8 * MIB, 4 * MIB, MREMAP_MAYMOVE | MREMAP_FIXED,
		    to + 2 * MIB) == to + 2 * MIB);
	CHECK(mock_all(to, 16 * MIB) && mock_none(from, 8 * MIB));
	verify(to + 2 * MIB, 4 * MIB);
	/* From the middle of one mapping. */
	from = remap(to + 2 * MIB, MIB, 2 * MIB, MREMAP_MAYMOVE, 0);
	CHECK(mock_none(to + 2 * MIB, MIB) && mock_all(to + 3 * MIB, MIB));
	verify(from, MIB);
	CHECK(gvm_attach_munmap(from, 2 * MIB) == 0);
	CHECK(gvm_attach_munmap(to, 16 * MIB) == 0);
	CHECK(mock.pages == 0);
}

static void what_is_refused(void)
{
	u64 at = map_anon(8 * MIB, RW, 0, 0);

	CHECK(gvm_attach_mremap(at, 8 * MIB, 8 * MIB,
				MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0) ==
	      -EINVAL);
	CHECK(gvm_attach_mremap(at, 0, 8 * MIB, MREMAP_MAYMOVE, 0) == -EINVAL);
	CHECK(gvm_attach_mremap(at, 16 * MIB, MIB, MREMAP_MAYMOVE, 0) ==
	      -EFAULT);
	CHECK(gvm_attach_mremap(at, 8 * MIB, MIB,
				MREMAP_MAYMOVE | MREMAP_FIXED,
				at + 4 * MIB) == -EINVAL);
	CHECK(mock_all(at, 8 * MIB));
	CHECK(gvm_attach_munmap(at, 8 * MIB) == 0);
}

/* A reservation that moved is opened at its new place. */
static void reservations_move_too(void)
{
	u64 at = map_anon(8 * MIB, PROT_NONE, 0, 0);
	u64 to;

	to = remap(at, 8 * MIB, 64 * MIB, MREMAP_MAYMOVE, 0);
	CHECK(mock.pages == 0);
	CHECK(gvm_attach_mprotect(to, 64 * MIB, RW) == 0);
	CHECK(mock_all(to, 64 * MIB));
	CHECK(gvm_attach_munmap(to, 64 * MIB) == 0);
}

int main(void)
{
	mock_configure();
	shrink_and_grow();
	to_a_fixed_place();
	what_is_refused();
	reservations_move_too();
	CHECK(mock.pages == 0);
	return 0;
}
