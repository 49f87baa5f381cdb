// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Devices that reach memory without a page table of ours: VFIO.
 *
 * VFIO pins what it maps and answers EFAULT for a page that is not here, so
 * the memory is brought here and held before the map, and let go after the
 * unmap.  QEMU maps all guest memory at start, with a virtual IOMMU too: then
 * all of it must fit the local limit, or the map is refused.  Maps overlap;
 * holds count.
 *
 * NVIDIA's driver is served likewise (nvidia.c).  Others that pin (iommufd, vDPA,
 * SEV) are refused by name: nobody has tried what they do with a page that is
 * elsewhere.  Where eviction copies, RDMA and V4L2's user pointers are, too: they
 * would go on with a page that was dropped.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <linux/videodev2.h>

#include "attach.h"
#include "sys.h"

#define MAPS_MAX	65536u	/* the kernel's own limit per container */

/* Numbers that Debian 12's headers lack, or whose headers clash. */
#define IOCTL_IOAS_MAP		0x3b85u		/* iommufd */
#define IOCTL_IOAS_MAP_FILE	0x3b8fu
#define IOCTL_VDPA_DEVICE_ID	0x8004af70u	/* vhost-vdpa: its first call */
#define IOCTL_SEV_REGION	0x8010aebbu	/* KVM_MEMORY_ENCRYPT_REG_REGION */
#define IOCTL_RDMA_VERBS	0xc0181b01u	/* all that libibverbs asks for */

#ifndef VFIO_DMA_UNMAP_FLAG_ALL
#define VFIO_DMA_UNMAP_FLAG_ALL	(1 << 1)
#endif

struct dma_map {
	u64	iova;
	u64	size;
	u64	va;
	int	container;
};

/* Guarded by the lock. */
static struct dma_map maps[MAPS_MAX];
static u32 maps_nr;

void gvm_attach_before_pin(u64 start, u64 end)
{
	u64 mask;

	if (!gvm_spans_near(start, end))
		return;
	gvm_attach_lock(&mask);
	if (gvm_spans_first(start, end))
		gvm_attach_pending(true);
	gvm_attach_unlock(mask);
}

static long map_dma(int fd, struct vfio_iommu_type1_dma_map *arg)
{
	void *va = (void *)arg->vaddr;
	struct gvm *gvm;
	u64 mask;
	long ret;

	gvm_attach_before_pin(arg->vaddr, arg->vaddr + arg->size);
	gvm = gvm_attach.gvm;
	if (!gvm || !gvm_covers(gvm, va, arg->size))
		return gvm_sys(SYS_ioctl, fd, VFIO_IOMMU_MAP_DMA, arg);
	ret = gvm_hold(gvm, va, arg->size, 1);
	if (ret) {
		gvm_attach_say("a VFIO device of ", gvm_attach.name,
			       " needs its memory here, which is more than the limit; give --local all of the guest's memory, or remove the device",
			       NULL);
		return ret;
	}
	gvm_attach_lock(&mask);
	ret = gvm_sys(SYS_ioctl, fd, VFIO_IOMMU_MAP_DMA, arg);
	/* A full table costs memory that stays here, nothing else. */
	if (!ret && maps_nr < MAPS_MAX) {
		maps[maps_nr].iova = arg->iova;
		maps[maps_nr].size = arg->size;
		maps[maps_nr].va = arg->vaddr;
		maps[maps_nr].container = fd;
		maps_nr++;
	}
	gvm_attach_unlock(mask);
	if (ret)
		gvm_release(gvm, va, arg->size);
	return ret;
}

static long unmap_dma(int fd, struct vfio_iommu_type1_dma_unmap *arg)
{
	u64 iova = arg->iova;
	u64 last = arg->iova + arg->size - 1;
	u64 mask;
	long ret;
	u32 i = 0;

	if (arg->flags & VFIO_DMA_UNMAP_FLAG_ALL) {
		iova = 0;
		last = ~(u64)0;
	}
	gvm_attach_lock(&mask);
	ret = gvm_sys(SYS_ioctl, fd, VFIO_IOMMU_UNMAP_DMA, arg);
	while (!ret && i < maps_nr) {
		struct dma_map *m = &maps[i];

		if (m->container != fd || m->iova < iova ||
		    m->iova + m->size - 1 > last) {
			i++;
			continue;
		}
		gvm_release(gvm_attach.gvm, (void *)m->va, m->size);
		*m = maps[--maps_nr];
	}
	gvm_attach_unlock(mask);
	return ret;
}

/*
 * The container's number may be used again.  Whether its maps are gone nobody
 * tells (its groups may keep it alive), so the memory stays held.
 */
void gvm_attach_dma_forget(int fd)
{
	u64 mask;
	u32 i = 0;

	if (!__atomic_load_n(&maps_nr, __ATOMIC_RELAXED))
		return;
	gvm_attach_lock(&mask);
	while (i < maps_nr) {
		if (maps[i].container == fd)
			maps[i] = maps[--maps_nr];
		else
			i++;
	}
	gvm_attach_unlock(mask);
}

static long refuse(const char *what, long err)
{
	gvm_attach_say(what, " of ", gvm_attach.name,
		       " pins memory in a way that giantvm does not support; run without it",
		       NULL);
	return err;
}

long gvm_attach_ioctl(int fd, unsigned long request, void *arg)
{
	/* The kernel looks at 32 bits, and programs pass signed ints. */
	switch ((u32)request) {
	case (u32)VFIO_IOMMU_MAP_DMA:
		return map_dma(fd, arg);
	case (u32)VFIO_IOMMU_UNMAP_DMA:
		return unmap_dma(fd, arg);
	case IOCTL_IOAS_MAP:
	case IOCTL_IOAS_MAP_FILE:
		if (gvm_attach.gvm)
			return refuse("iommufd", -EOPNOTSUPP);
		break;
	case IOCTL_VDPA_DEVICE_ID:
		if (gvm_attach.gvm)
			return refuse("vhost-vdpa", -EOPNOTSUPP);
		break;
	case IOCTL_SEV_REGION:
		if (gvm_attach.gvm)
			return refuse("SEV", -EOPNOTSUPP);
		break;
	case IOCTL_RDMA_VERBS:
		if (gvm_attach.guard)
			return refuse("RDMA", -EOPNOTSUPP);
		break;
	case (u32)VIDIOC_REQBUFS:
		/* Programs have another way for devices that know no other. */
		if (gvm_attach.guard && arg &&
		    ((struct v4l2_requestbuffers *)arg)->memory ==
		    V4L2_MEMORY_USERPTR)
			return -EINVAL;
		break;
	case GVM_IOCTL_NVIDIA_ALLOC:
		return gvm_attach_nvidia_alloc(fd, arg);
	case GVM_IOCTL_NVIDIA_FREE:
		return gvm_attach_nvidia_free(fd, arg);
	default:
		break;
	}
	return gvm_sys(SYS_ioctl, fd, request, arg);
}
