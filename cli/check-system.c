// SPDX-License-Identifier: GPL-2.0-or-later
/* The machine's memory rules and its virtualisation. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "check.h"

#define KVM_DEVICE	"/dev/kvm"
#define OVERCOMMIT	"/proc/sys/vm/overcommit_memory"
#define THP		"/sys/kernel/mm/transparent_hugepage/enabled"
#define MAP_COUNT	"/proc/sys/vm/max_map_count"
#define MAP_COUNT_MIN	65530		/* the kernel's own default */

void gvm_check_kvm(const struct gvm_ask *ask, struct gvm_finding *f)
{
	int fd = open(KVM_DEVICE, O_RDWR | O_CLOEXEC);
	int vm = fd < 0 ? -1 : ioctl(fd, KVM_CREATE_VM, 0);

	(void)ask;
	f->name = "KVM";
	if (vm >= 0) {
		close(vm);
		close(fd);
		gvm_found(f, GVM_LEVEL_OK, "%s makes virtual machines",
			  KVM_DEVICE);
		return;
	}
	if (fd >= 0)
		close(fd);	/* keeps errno: it was open */
	if (errno == EACCES || errno == EPERM) {
		gvm_found(f, GVM_LEVEL_WARN, "no permission for %s: guests run emulated, slowly",
			  KVM_DEVICE);
		gvm_mend(f, "sudo usermod -aG kvm \"$USER\"  (then log in again)");
		return;
	}
	gvm_found(f, GVM_LEVEL_WARN, "%s: %s; guests run emulated (-accel tcg), slowly",
		  KVM_DEVICE, strerror(errno));
	gvm_mend(f, "sudo modprobe kvm_intel || sudo modprobe kvm_amd  (and turn virtualisation on in the firmware)");
}

/*
 * Attached memory is mapped with MAP_NORESERVE, so heuristic overcommit (mode
 * 0) does not count it; strict overcommit counts everything.
 */
void gvm_check_overcommit(const struct gvm_ask *ask, struct gvm_finding *f)
{
	int64_t mode = gvm_read_number(OVERCOMMIT, -1);

	(void)ask;
	f->name = "overcommit";
	if (mode == 0 || mode == 1) {
		gvm_found(f, GVM_LEVEL_OK, "%s: attached memory may be larger than RAM",
			  mode ? "always" : "heuristic");
		return;
	}
	if (mode == 2)
		gvm_found(f, GVM_LEVEL_FAIL, "strict: memory beyond the commit limit is refused");
	else
		gvm_found(f, GVM_LEVEL_WARN, "cannot read %s", OVERCOMMIT);
	gvm_mend(f, "sudo sysctl -w vm.overcommit_memory=0");
}

void gvm_check_huge_pages(const struct gvm_ask *ask, struct gvm_finding *f)
{
	char line[80];

	(void)ask;
	f->name = "huge pages";
	gvm_read_line(THP, line, sizeof(line));
	if (strstr(line, "[always]") || strstr(line, "[madvise]")) {
		gvm_found(f, GVM_LEVEL_OK, "transparent huge pages: %s", line);
		return;
	}
	if (!line[0]) {
		gvm_found(f, GVM_LEVEL_WARN, "cannot read %s", THP);
		return;
	}
	gvm_found(f, GVM_LEVEL_WARN, "transparent huge pages are off: resident memory is slower");
	gvm_mend(f, "echo madvise | sudo tee %s", THP);
}

void gvm_check_map_count(const struct gvm_ask *ask, struct gvm_finding *f)
{
	int64_t maps = gvm_read_number(MAP_COUNT, MAP_COUNT_MIN);

	(void)ask;
	f->name = "mappings";
	if (maps >= MAP_COUNT_MIN) {
		gvm_found(f, GVM_LEVEL_OK, "%lld per process", (long long)maps);
		return;
	}
	gvm_found(f, GVM_LEVEL_WARN, "only %lld per process: attached memory splits them",
		  (long long)maps);
	gvm_mend(f, "sudo sysctl -w vm.max_map_count=%d", MAP_COUNT_MIN);
}
