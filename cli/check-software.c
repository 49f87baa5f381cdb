// SPDX-License-Identifier: GPL-2.0-or-later
/* Programs and libraries that giantvm works with, and its own engine. */
#include <unistd.h>

#include "check.h"
#include "find.h"

#define JEMALLOC	"libjemalloc.so.2"
#define QEMU		"qemu-system-x86_64"
#define MODULE_DEVICE	"/dev/giantvm"

void gvm_check_attach(const struct gvm_ask *ask, struct gvm_finding *f)
{
	char path[160];

	(void)ask;
	f->name = "attach library";
	if (gvm_find_attach(path, sizeof(path)) == 0) {
		gvm_found(f, GVM_LEVEL_OK, "%s", path);
		return;
	}
	gvm_found(f, GVM_LEVEL_FAIL, "no %s", path);
	gvm_mend(f, "make install  (or set GIANTVM_ATTACH to where it is)");
}

void gvm_check_engine(const struct gvm_ask *ask, struct gvm_finding *f)
{
	(void)ask;
	f->name = "engine";
	if (access(MODULE_DEVICE, F_OK) == 0)
		gvm_found(f, GVM_LEVEL_OK, "%s is there", MODULE_DEVICE);
	else
		gvm_found(f, GVM_LEVEL_OK, "uffd (the kernel module is not loaded, and not needed)");
}

void gvm_check_jemalloc(const struct gvm_ask *ask, struct gvm_finding *f)
{
	char path[160];

	(void)ask;
	f->name = "jemalloc";
	if (gvm_find_library(JEMALLOC, path, sizeof(path)) == 0) {
		gvm_found(f, GVM_LEVEL_OK, "%s", path);
		return;
	}
	gvm_found(f, GVM_LEVEL_WARN, "not installed: the heap (brk) of ordinary programs is not paged");
	gvm_mend(f, "sudo apt-get install libjemalloc2");
}

void gvm_check_qemu(const struct gvm_ask *ask, struct gvm_finding *f)
{
	char path[160];

	(void)ask;
	f->name = "QEMU";
	if (gvm_find_program(QEMU, path, sizeof(path)) == 0) {
		gvm_found(f, GVM_LEVEL_OK, "%s", path);
		return;
	}
	gvm_found(f, GVM_LEVEL_WARN, "%s is not installed", QEMU);
	gvm_mend(f, "sudo apt-get install qemu-system-x86");
}
