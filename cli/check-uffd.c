// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * May this user have a userfaultfd, and what can the kernel's do?
 *
 * A descriptor that serves only user-mode faults is not enough: system calls
 * of the program (and KVM) fault in kernel mode, and would get EFAULT.  So the
 * descriptor is opened here just as the engine does it, asked, and closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

#define DEVICE	"/dev/userfaultfd"
#define SYSCTL	"/proc/sys/vm/unprivileged_userfaultfd"

#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW	_IO(0xAA, 0x00)
#endif

/* Younger than the headers of Debian 12. */
#define FEATURE_WP_UNPOPULATED	(1ull << 13)
#define FEATURE_MOVE		(1ull << 16)

/* A descriptor, or -errno of the system call (the device is the second try). */
static int open_uffd(const char **ret_how)
{
	int flags = O_CLOEXEC | O_NONBLOCK;
	int fd = (int)syscall(SYS_userfaultfd, flags);
	int err = -errno;
	int device;

	*ret_how = "system call";
	if (fd >= 0)
		return fd;
	device = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (device < 0)
		return err;
	fd = ioctl(device, USERFAULTFD_IOC_NEW, flags);
	close(device);
	*ret_how = DEVICE;
	return fd >= 0 ? fd : err;
}

static const char *user_name(void)
{
	const struct passwd *pw = getpwuid(geteuid());

	return pw ? pw->pw_name : "USER";
}

static void explain_refusal(struct gvm_finding *f)
{
	if (geteuid() == 0) {
		gvm_found(f, GVM_LEVEL_FAIL,
			  "refused to root: a container's rules forbid it");
		gvm_mend(f, "start the container with --device %s", DEVICE);
		return;
	}
	gvm_found(f, GVM_LEVEL_FAIL, "%s may not use userfaultfd",
		  user_name());
	if (access(DEVICE, F_OK) == 0)
		gvm_mend(f, "sudo chown %s %s  (or, for everyone: sudo sysctl -w vm.unprivileged_userfaultfd=1)",
			 user_name(), DEVICE);
	else
		gvm_mend(f, "sudo sysctl -w vm.unprivileged_userfaultfd=1");
}

void gvm_check_uffd_permission(const struct gvm_ask *ask,
			       struct gvm_finding *f)
{
	const char *how;
	int fd = open_uffd(&how);

	(void)ask;
	f->name = "userfaultfd";
	if (fd >= 0) {
		gvm_found(f, GVM_LEVEL_OK, "allowed, by %s", how);
		close(fd);
	} else if (fd == -EPERM || fd == -EACCES) {
		explain_refusal(f);
	} else if (fd == -ENOSYS) {
		gvm_found(f, GVM_LEVEL_FAIL, "this kernel has none");
		gvm_mend(f, "use a kernel built with CONFIG_USERFAULTFD=y (Debian's are)");
	} else {
		gvm_found(f, GVM_LEVEL_FAIL, "cannot be opened: %s",
			  strerror(-fd));
	}
}

static const struct {
	uint64_t	bit;
	const char	*name;
	int		needed;
} features[] = {
	{ UFFD_FEATURE_PAGEFAULT_FLAG_WP,	"WP",		1 },
	{ UFFD_FEATURE_MISSING_SHMEM,		"SHMEM",	1 },
	{ UFFD_FEATURE_WP_HUGETLBFS_SHMEM,	"WP_SHMEM",	0 },
	{ UFFD_FEATURE_MINOR_SHMEM,		"MINOR_SHMEM",	0 },
	{ UFFD_FEATURE_EXACT_ADDRESS,		"EXACT_ADDRESS", 0 },
	{ FEATURE_WP_UNPOPULATED,		"WP_UNPOPULATED", 0 },
	{ FEATURE_MOVE,				"MOVE",		0 },
};

static void judge_features(struct gvm_finding *f, uint64_t has)
{
	char list[160] = "MISSING";
	char lacks[80] = "";
	unsigned i;

	for (i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		char *to = has & features[i].bit ? list : lacks;
		size_t room = to == list ? sizeof(list) : sizeof(lacks);
		size_t used = strlen(to);

		if (to == lacks && !features[i].needed)
			continue;
		snprintf(to + used, room - used, " %s", features[i].name);
	}
	if (lacks[0]) {
		gvm_found(f, GVM_LEVEL_FAIL, "kernel lacks%s", lacks);
		gvm_mend(f, "use Linux 5.19 or later");
	} else if (!(has & UFFD_FEATURE_WP_HUGETLBFS_SHMEM)) {
		gvm_found(f, GVM_LEVEL_WARN,
			  "%s; shared memory cannot be write-protected", list);
		gvm_mend(f, "use Linux 5.19 or later for shared guest RAM");
	} else {
		gvm_found(f, GVM_LEVEL_OK, "%s; evicts by %s", list,
			  has & FEATURE_MOVE ? "move" :
			  "write-protect and copy (move needs Linux 6.8)");
	}
}

void gvm_check_uffd_features(const struct gvm_ask *ask, struct gvm_finding *f)
{
	struct uffdio_api api = { .api = UFFD_API };
	const char *how;
	int fd = open_uffd(&how);

	(void)ask;
	f->name = "kernel features";
	if (fd < 0)	/* What the kernel has can be asked without the right. */
		fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | 1);
	if (fd < 0) {
		gvm_found(f, GVM_LEVEL_WARN,
			  "unknown until userfaultfd may be used");
		return;
	}
	if (ioctl(fd, UFFDIO_API, &api) < 0) {
		gvm_found(f, GVM_LEVEL_FAIL, "UFFDIO_API: %s", strerror(errno));
		gvm_mend(f, "use Linux 5.19 or later");
	} else {
		judge_features(f, api.features);
	}
	close(fd);
}
