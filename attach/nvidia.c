// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * GPUs of NVIDIA that are given memory of the program: cudaHostRegister().
 *
 * The driver pins the pages, as VFIO does, and cannot wait for one that is
 * elsewhere: it answers with an error.  If all are here it succeeds, and where
 * eviction copies, the GPU would go on with pages that nobody looks at any more.
 * So the memory is brought here and held until the driver lets it go.
 *
 * The numbers are those of the driver's open source (nvos.h, nv_escape.h and
 * nv-ioctl.h of open-gpu-kernel-modules); they have been the same for many years,
 * and the calls were seen as they are here from CUDA 13 with driver 580.
 */
#include <errno.h>

#include "attach.h"
#include "sys.h"

#define HELD_MAX	16384u
#define PARTS_MAX	64		/* of memory that is given at once */

/* Memory that has an address already: NV01_MEMORY_SYSTEM_OS_DESCRIPTOR. */
#define CLASS_OS_DESCRIPTOR	0x71u

/* NVOS02_PARAMETERS, as the descriptor of a file follows it. */
struct alloc_memory {
	u32	client;
	u32	parent;
	u32	object;
	u32	class;
	u32	flags;
	u64	address;
	u64	last;		/* byte of it, from address */
	u32	status;
	u32	pad;
	s32	fd;
};

/* NVOS00_PARAMETERS */
struct free_object {
	u32	client;
	u32	parent;
	u32	object;
	u32	status;
};

static_assert(sizeof(struct alloc_memory) ==
	      (GVM_IOCTL_NVIDIA_ALLOC >> 16 & 0x3fff), "as large as it says");
static_assert(sizeof(struct free_object) ==
	      (GVM_IOCTL_NVIDIA_FREE >> 16 & 0x3fff), "as large as it says");

struct held {
	u64	va;
	u64	size;
	u32	client;
	u32	parent;
	u32	object;
};

/* Guarded by the lock. */
static struct held held[HELD_MAX];
static u32 held_nr;

/*
 * The parts of [start, end) that are attached, at most max: in ret.  -EAGAIN:
 * more; -EOPNOTSUPP: some is of a shared region.
 */
static int attached(u64 start, u64 end, struct held *ret, u32 max)
{
	struct gvm_span *span;
	u64 mask;
	int nr = 0;

	gvm_attach_lock(&mask);
	for (span = gvm_spans_first(start, end); span && nr >= 0;
	     span = gvm_spans_next(span, end)) {
		if (span->what == GVM_SPAN_REGION) {
			nr = -EOPNOTSUPP;
		} else if (gvm_span_attached(span) && nr == (int)max) {
			nr = -EAGAIN;
		} else if (gvm_span_attached(span)) {
			ret[nr].va = span->start > start ? span->start : start;
			ret[nr].size = (span->end < end ? span->end : end) -
				       ret[nr].va;
			nr++;
		}
	}
	gvm_attach_unlock(mask);
	return nr;
}

static void let_go(const struct held *h, u32 nr)
{
	while (nr--)
		gvm_release(gvm_attach.gvm, (void *)h[nr].va, h[nr].size);
}

/* A full table costs memory that stays here, nothing else. */
static void remember(const struct held *h, u32 nr, const struct alloc_memory *a)
{
	for (u32 i = 0; i < nr && held_nr < HELD_MAX; i++) {
		held[held_nr] = h[i];
		held[held_nr].client = a->client;
		held[held_nr].parent = a->parent;
		held[held_nr].object = a->object;
		held_nr++;
	}
}

static long refuse(long err)
{
	gvm_attach_say(gvm_attach.name, " gives memory to a GPU, which ",
		       err == -EOPNOTSUPP ? "cannot be that of a shared region; " :
		       "must stay here then, and that is more than the limit; give it a larger --local, or ",
		       "let the driver allocate it (cudaHostAlloc)", NULL);
	return err;
}

long gvm_attach_nvidia_alloc(int fd, void *arg)
{
	struct held parts[PARTS_MAX];
	struct alloc_memory *a = arg;
	u64 end, mask;
	long ret;
	int nr, done;

	if (!a || a->class != CLASS_OS_DESCRIPTOR ||
	    __builtin_add_overflow(a->address, a->last, &end) || !++end)
		return gvm_sys(SYS_ioctl, fd, GVM_IOCTL_NVIDIA_ALLOC, arg);
	gvm_attach_before_pin(a->address, end);
	nr = attached(a->address, end, parts, PARTS_MAX);
	if (nr < 0)
		return refuse(nr);
	for (done = 0; done < nr; done++) {
		ret = gvm_hold(gvm_attach.gvm, (void *)parts[done].va,
			       parts[done].size, 1);
		if (ret) {
			let_go(parts, (u32)done);
			return refuse(ret);
		}
	}
	gvm_attach_lock(&mask);
	ret = gvm_sys(SYS_ioctl, fd, GVM_IOCTL_NVIDIA_ALLOC, arg);
	if (ret || a->status)
		let_go(parts, (u32)nr);
	else
		remember(parts, (u32)nr, a);
	gvm_attach_unlock(mask);
	return ret;
}

static bool gone(const struct held *h, const struct free_object *f)
{
	return h->client == f->client &&
		(h->object == f->object || h->parent == f->object ||
		 f->object == f->client);
}

/*
 * With an object go those that it is the parent of.
 *
 * Its number is used again as soon as the driver is done.  So both calls are made
 * with the lock held: what another thread registers under that number is not let
 * go in the place of what was freed.
 */
long gvm_attach_nvidia_free(int fd, void *arg)
{
	const struct free_object *f = arg;
	u64 mask;
	long ret;
	u32 i = 0;

	/* What comes meanwhile has another number. */
	if (!__atomic_load_n(&held_nr, __ATOMIC_ACQUIRE))
		return gvm_sys(SYS_ioctl, fd, GVM_IOCTL_NVIDIA_FREE, arg);
	gvm_attach_lock(&mask);
	ret = gvm_sys(SYS_ioctl, fd, GVM_IOCTL_NVIDIA_FREE, arg);
	while (!ret && !f->status && i < held_nr) {
		if (!gone(&held[i], f)) {
			i++;
			continue;
		}
		gvm_release(gvm_attach.gvm, (void *)held[i].va, held[i].size);
		held[i] = held[--held_nr];
	}
	gvm_attach_unlock(mask);
	return ret;
}
