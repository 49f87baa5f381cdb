// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The userfaultfd floor.
 *
 * The memory is touched once before it is armed and dropped again: its page
 * tables are there and the kernel's free pages are backed by the host, which
 * is the state a pager finds after its first minutes.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "floor-tcp.h"
#include "floor-uffd.h"

int uffd_open(u64 features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void protect_page(int uffd, u64 addr, bool on)
{
	struct uffdio_writeprotect w = {
		.range = { addr, BENCH_PAGE },
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	if (ioctl(uffd, UFFDIO_WRITEPROTECT, &w))
		die("UFFDIO_WRITEPROTECT");
}

/* Ends when the descriptor's process tells it to, by a fault on page 0. */
static void *handler(void *arg)
{
	static u8 page[BENCH_PAGE] __attribute__((aligned(4096)));
	struct floor_uffd *f = arg;
	struct uffd_msg msg;
	struct uffdio_copy copy;
	u64 addr;

	if (f->handler_cpu >= 0)
		pin_cpu(f->handler_cpu);
	memset(page, 0x5a, sizeof(page));
	while (read(f->uffd, &msg, sizeof(msg)) == sizeof(msg)) {
		if (msg.event != UFFD_EVENT_PAGEFAULT)
			continue;
		addr = msg.arg.pagefault.address & ~(BENCH_PAGE - 1);
		if (msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP) {
			protect_page(f->uffd, addr, false);
			continue;
		}
		if (f->fetch && addr != (u64)(uintptr_t)f->mem)
			floor_tcp_page(f->fetch, page);
		copy = (struct uffdio_copy){
			.dst = addr,
			.src = (u64)(uintptr_t)page,
			.len = BENCH_PAGE,
		};
		if (ioctl(f->uffd, UFFDIO_COPY, &copy))
			die("UFFDIO_COPY");
		if (addr == (u64)(uintptr_t)f->mem)
			return NULL;
	}
	return NULL;
}

static void shuffle(struct floor_uffd *f)
{
	u64 seed = 0x9e3779b97f4a7c15ull;

	for (u64 i = 0; i < f->pages; i++)
		f->order[i] = i;
	/* Page 0 stays out: it is the word to stop. */
	for (u64 i = f->pages - 1; i > 1; i--) {
		u64 j = 1 + rnd(&seed) % i, t = f->order[i];

		f->order[i] = f->order[j];
		f->order[j] = t;
	}
}

static void open_with(struct floor_uffd *f, u64 pages, int handler_cpu,
		      struct floor_tcp *fetch, u64 modes)
{
	struct uffdio_register reg = { .mode = modes };

	*f = (struct floor_uffd){
		.pages = pages, .next = 1, .handler_cpu = handler_cpu,
		.fetch = fetch,
	};
	f->uffd = uffd_open(modes & UFFDIO_REGISTER_MODE_WP ?
			    UFFD_FEATURE_PAGEFAULT_FLAG_WP : 0);
	if (f->uffd < 0)
		skip("no permission for userfaultfd: run as root or set vm.unprivileged_userfaultfd");
	f->mem = map_pages(pages * BENCH_PAGE);
	f->order = calloc(pages, sizeof(*f->order));
	if (!f->order)
		die("memory");
	madvise(f->mem, pages * BENCH_PAGE, MADV_NOHUGEPAGE);
	touch_pages(f->mem, pages * BENCH_PAGE);
	madvise(f->mem, pages * BENCH_PAGE, MADV_DONTNEED);
	shuffle(f);
	reg.range.start = (u64)(uintptr_t)f->mem;
	reg.range.len = pages * BENCH_PAGE;
	if (ioctl(f->uffd, UFFDIO_REGISTER, &reg))
		die("UFFDIO_REGISTER");
	if (pthread_create(&f->handler, NULL, handler, f))
		die("thread");
}

void floor_uffd_open(struct floor_uffd *f, u64 pages, int handler_cpu,
		     struct floor_tcp *fetch)
{
	open_with(f, pages, handler_cpu, fetch, UFFDIO_REGISTER_MODE_MISSING);
}

void floor_uffd_open_own(struct floor_uffd *f, u64 pages, int handler_cpu)
{
	open_with(f, pages, handler_cpu, NULL,
		  UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
}

static u8 *next_page(struct floor_uffd *f)
{
	if (f->next == f->pages) {
		madvise(f->mem, f->pages * BENCH_PAGE, MADV_DONTNEED);
		f->next = 1;
	}
	return f->mem + f->order[f->next++] * BENCH_PAGE;
}

void floor_uffd_block(struct floor_uffd *f, u64 nr, struct hist *h,
		      u64 *ret_ns)
{
	for (u64 i = 0; i < nr; i++) {
		volatile u8 *p;
		u64 t;

		p = next_page(f);
		t = now_ns();
		(void)*p;
		t = now_ns() - t;
		hist_add(h, t);
		if (ret_ns)
			ret_ns[i] = t;
	}
}

void floor_uffd_own_block(struct floor_uffd *f, u64 nr, struct hist *protect,
			  struct hist *upgrade, struct hist *drop)
{
	for (u64 i = 0; i < nr; i++) {
		volatile u8 *p = next_page(f);
		u64 t[4];

		*p = 1;
		t[0] = now_ns();
		protect_page(f->uffd, (u64)(uintptr_t)p, true);
		t[1] = now_ns();
		*p = 2;
		t[2] = now_ns();
		madvise((void *)(uintptr_t)p, BENCH_PAGE, MADV_DONTNEED);
		t[3] = now_ns();
		hist_add(protect, t[1] - t[0]);
		hist_add(upgrade, t[2] - t[1]);
		hist_add(drop, t[3] - t[2]);
	}
}

void floor_uffd_close(struct floor_uffd *f)
{
	(void)*(volatile u8 *)f->mem;
	pthread_join(f->handler, NULL);
	close(f->uffd);
	munmap(f->mem, f->pages * BENCH_PAGE);
	free(f->order);
}
